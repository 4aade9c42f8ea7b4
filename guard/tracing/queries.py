"""Queries: SELECT, set operations, row lists, and brackets around them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from guard.catalog import Catalog
from guard.tracing.ctes import Answer, Body, Ctes, Outputs
from guard.tracing.expressions import Expressions
from guard.tracing.extremes import extremes, is_chosen
from guard.tracing.flows import NOTHING, UNKNOWN, Flows, union
from guard.tracing.plan import Plan
from guard.tracing.relations import Relations
from guard.tracing.scopes import Output, Relation, Scope, is_unusual
from guard.tracing.stars import Stars, spreading

_SAFE_ON_SUBQUERY = frozenset(
    ("this", "alias", "with_", "where", "order", "limit", "offset", "joins", "sample")
)
_SAFE_ON_SET = frozenset(("with_", "this", "expression", "distinct", "order", "limit", "offset"))
MAX_COLUMNS = 4_000
"""Columns of one SELECT; stars over stars would double them without end."""

_SAFE_ON_SELECT = frozenset(
    (
        *("with_", "hint", "operation_modifiers", "distinct", "expressions", "sample"),
        *("from_", "joins", "laterals", "where", "group", "having", "qualify", "windows"),
        *("order", "limit", "offset"),
    )
)


class _Lost(Exception):
    """Not even the number of columns can be told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Traced:
    """What a statement was found to do. `outputs` is None when their number is unknown."""

    outputs: Outputs
    filters: Flows
    plan: Plan


class Walk:
    """One walk over one tree whose views are expanded. Not to be used twice."""

    def __init__(self, catalog: Catalog) -> None:
        dialect = catalog.dialect
        self._dialect = dialect
        self._plan = Plan()
        self._expressions = Expressions(dialect, self._plan, self)
        self._relations = Relations(catalog, self._plan, self, self._expressions)
        self._stars = Stars(dialect, self._plan, self._expressions)
        self._ctes = Ctes(dialect, self._plan, self._body)

    def run(self, tree: exp.Expr) -> Traced:
        """Returns what `tree`, a query, carries out."""
        outputs, filters = self.query(tree, None)
        return Traced(outputs=outputs, filters=filters, plan=self._plan)

    def inner(self, query: exp.Expr, scope: Scope) -> Answer:
        """Returns what a query inside an expression carries and filters by."""
        outputs, filters = self.query(query, scope)
        scope.filters.append(filters)
        return outputs, filters

    def query(self, node: exp.Expr, parent: Scope | None) -> Answer:
        """Returns a query's outputs, None when their number is unknown, and what it filters by."""
        self._ctes.enter(node, parent)
        try:
            if isinstance(node, exp.Select):
                return self._select(node, parent)
            if isinstance(node, exp.SetOperation):
                return self._set_operation(node, parent)
            if isinstance(node, exp.Subquery):
                return self._subquery(node, parent)
            if isinstance(node, exp.Values):
                return self._values(node, parent)
        except _Lost:
            pass
        else:
            self._plan.doubts.append(type(node).__name__)
        return None, UNKNOWN

    def cte(self, node: exp.CTE) -> Answer:
        """Returns what a CTE offers, under its own names, and what it filters by."""
        return self._ctes.answer(node)

    def _body(self, node: exp.Expr, parent: Scope | None) -> Body | None:
        """Returns the body of a CTE in the pieces a recursive one is followed by."""
        if not isinstance(node, exp.SetOperation):
            return Body(first=lambda: self.query(node, parent), rest=None)
        self._ctes.enter(node, parent)
        try:
            first, *others = self._legs(node, parent)
        except _Lost:
            return None
        return Body(
            first=lambda: self.query(first, parent),
            rest=lambda anchor: self._combined(node, parent, anchor, others),
        )

    # SELECT --------------------------------------------------------------------------------------

    def _select(self, node: exp.Select, parent: Scope | None) -> Answer:
        if is_unusual(node, _SAFE_ON_SELECT):
            raise self._lost("SELECT")
        scope = Scope(parent=parent)
        self._relations.fill(node, scope)
        for window in node.args.get("windows") or ():
            scope.windows[window.this.name.casefold()] = window
        for projection in node.expressions:
            if projection.alias:
                written = scope.aliases.setdefault(projection.alias.casefold(), [])
                written.append(projection.unalias())
        outputs: list[Output] = []
        for projection in node.expressions:
            outputs.extend(self._projected(projection, scope))
            if len(outputs) > MAX_COLUMNS:
                raise self._lost("*")
        self._clauses(node, scope, outputs)
        if self._dialect == "sqlite":
            outputs = self._chosen(node, scope, outputs)
        if any(_may_spread(p, scope, self._dialect) for p in node.expressions):
            # UNNEST of a struct makes several columns, so no position is certain.
            everything = union([o.flows for o in outputs])
            outputs = [replace(o, flows=everything, stored=False) for o in outputs]
        return tuple(outputs), union(scope.filters)

    def _chosen(self, node: exp.Select, scope: Scope, outputs: list[Output]) -> list[Output]:
        """Adds to SQLite's bare columns that a `max` or `min` beside them chooses the row."""
        by = union([self._expressions.flows(e, scope) for e in extremes(node)]).implied()
        if by is NOTHING or len(outputs) != len(node.expressions):
            return outputs
        return [
            replace(o, flows=union([o.flows, by])) if is_chosen(p, at, node) else o
            for at, (o, p) in enumerate(zip(outputs, node.expressions, strict=True))
        ]

    def _projected(self, node: exp.Expr, scope: Scope) -> Iterator[Output]:
        inner = node.unalias()
        if isinstance(inner, exp.Star) or (
            isinstance(inner, exp.Column) and isinstance(inner.this, exp.Star)
        ):
            found = self._stars.expand(inner, scope)
            if found is None:
                raise self._lost("*")
            yield from found
            return
        if _has_many(inner):
            raise self._lost("*")
        flows = self._expressions.flows(inner, scope)
        yield Output(
            name=_name_of(node).casefold(),
            flows=flows,
            written=_written(node),
            stored=scope.stored(inner),
        )

    def _clauses(self, node: exp.Select, scope: Scope, outputs: Sequence[Output]) -> None:
        clause = scope.clause()
        for key in ("where", "having", "qualify"):
            condition = node.args.get(key)
            if condition is not None:
                self._expressions.filter(condition.this, clause)
        group = node.args.get("group")
        for key in group.iter_expressions() if group is not None else ():
            self._grouped(key, clause)
        distinct = node.args.get("distinct")
        if distinct is not None:
            self._expressions.filter(distinct.args.get("on"), clause)
        for window in scope.windows.values():
            self._expressions.flows(window, scope)
        self._tail(node, clause, outputs)

    def _grouped(self, key: exp.Expr, clause: Scope) -> None:
        if isinstance(key, (exp.Cube, exp.GroupingSets, exp.Rollup)):
            for part in key.iter_expressions():
                self._grouped(part, clause)
        else:
            self._expressions.key(key, clause)

    def _tail(self, node: exp.Expr, clause: Scope, outputs: Sequence[Output]) -> None:
        """ORDER BY, LIMIT and OFFSET, which any query may end with."""
        order = node.args.get("order")
        for ordered in order.expressions if order is not None else ():
            key = ordered.this
            if isinstance(key, exp.Literal) and key.is_int and 0 < int(key.name) <= len(outputs):
                clause.filters.append(outputs[int(key.name) - 1].flows.implied())
            elif isinstance(key, exp.Var) and key.name.upper() == "ALL":
                clause.filters.extend(o.flows.implied() for o in outputs)
            else:
                self._expressions.filter(key, clause)
        for key in ("limit", "offset"):
            bound = node.args.get(key)
            if bound is not None:
                self._expressions.filter(bound.args.get("expression"), clause)
                self._expressions.filter(bound.args.get("count"), clause)

    # Other queries -------------------------------------------------------------------------------

    def _subquery(self, node: exp.Subquery, parent: Scope | None) -> Answer:
        if is_unusual(node, _SAFE_ON_SUBQUERY):
            raise self._lost("brackets")
        if isinstance(node.this, exp.Table):
            raise self._lost("brackets")
        outputs, filters = self.query(node.this, parent)
        return outputs, self._ended(node, parent, outputs, filters)

    def _set_operation(self, node: exp.SetOperation, parent: Scope | None) -> Answer:
        first, *others = self._legs(node, parent)
        return self._combined(node, parent, self.query(first, parent), others)

    def _combined(
        self,
        node: exp.SetOperation,
        parent: Scope | None,
        first: Answer,
        others: Sequence[exp.Expr],
    ) -> Answer:
        outputs, filters = first
        for leg in others:
            more, also = self.query(leg, parent)
            outputs = _side_by_side(outputs, more)
            filters = union([filters, also])
        return outputs, self._ended(node, parent, outputs, filters)

    def _legs(self, node: exp.SetOperation, parent: Scope | None) -> list[exp.Expr]:
        """Returns the queries that a chain of set operations combines, left to right."""
        right: list[exp.Expr] = []
        left: exp.Expr = node
        while isinstance(left, exp.SetOperation):
            if left is not node:
                self._ctes.enter(left, parent)
            if is_unusual(left, _SAFE_ON_SET):
                raise self._lost("set operation")
            right.append(left.expression)
            left = left.this
        return [left, *reversed(right)]

    def _ended(
        self, node: exp.Expr, parent: Scope | None, outputs: Outputs, filters: Flows
    ) -> Flows:
        """Follows the ORDER BY and LIMIT after a whole query, which see its outputs by name."""
        row = Relation(name="", columns=outputs, rest=UNKNOWN if outputs is None else None)
        scope = Scope(parent=parent, relations=[row], filters=[filters])
        self._tail(node, scope, outputs or ())
        return union(scope.filters)

    def _values(self, node: exp.Values, parent: Scope | None) -> Answer:
        scope = Scope(parent=parent)
        rows = [
            [self._expressions.flows(v, scope) for v in row.expressions]
            if isinstance(row, exp.Tuple)
            else [self._expressions.flows(row, scope)]
            for row in node.expressions
        ]
        if len({len(row) for row in rows}) != 1:
            raise self._lost("VALUES")
        outputs = tuple(Output(name="", flows=union(cells)) for cells in zip(*rows, strict=True))
        self._tail(node, scope, outputs)
        return outputs, union(scope.filters)

    def _lost(self, what: str) -> _Lost:
        self._plan.doubts.append(what)
        return _Lost()


def _side_by_side(left: Outputs, right: Outputs) -> Outputs:
    if left is None or right is None or len(left) != len(right):
        return None
    return tuple(
        replace(a, flows=union([a.flows, b.flows]), stored=False)
        for a, b in zip(left, right, strict=True)
    )


_LISTS = (
    exp.Array,
    exp.ArrayAgg,
    exp.GenerateSeries,
    exp.MapKeys,
    exp.RegexpExtractAll,
    exp.RegexpSplit,
    exp.Split,
    exp.StringToArray,
)
_ONE_COLUMN = frozenset(("sqlite", "postgres", "mysql"))


def _may_spread(node: exp.Expr, scope: Scope, dialect: str) -> bool:
    """True where UNNEST might make more than one column of a projection."""
    if dialect in _ONE_COLUMN or isinstance(node, (exp.Column, exp.Star)):
        return False
    return any(n.expressions or not _is_list(n.this, scope) for n in spreading(node))


def _is_list(node: exp.Expr, scope: Scope) -> bool:
    if isinstance(node, exp.Column):
        name = node.name.casefold()
        found = [o for r in scope.relations for o in r.outputs(name)]
        return bool(found) and all(o.is_list for o in found)
    return isinstance(node, _LISTS)


def _has_many(node: exp.Expr) -> bool:
    """True for a projection that an engine spreads over a number of columns only it knows."""
    if isinstance(node, (exp.Column, exp.Literal)):
        return False
    if isinstance(node, (exp.Aliases, exp.PositionalColumn)) or node.is_star:
        return True
    if isinstance(node, exp.Predicate) and isinstance(node.this, exp.Star):
        return True
    return next(_columns_in(node), None) is not None


def _columns_in(node: exp.Expr) -> Iterator[exp.Expr]:
    return (
        n for n in node.walk(prune=lambda n: isinstance(n, exp.Query)) if isinstance(n, exp.Columns)
    )


def _name_of(node: exp.Expr) -> str:
    if isinstance(node, (exp.Alias, exp.Column, exp.Subquery)):
        return str(node.alias_or_name)
    return str(node.name) if isinstance(node, exp.Dot) else ""


def _written(node: exp.Expr) -> exp.Identifier | None:
    found = node.args.get("alias") if isinstance(node, exp.Alias) else None
    if isinstance(node, exp.Column):
        found = node.this
    return found if isinstance(found, exp.Identifier) else None
