"""The names of queries resolved against the catalog: SELECT, set operations, VALUES, their tails.

What is in FROM and WITH is in `guard.sources`, what stands inside expressions in
`guard.expressions`, what a change adds in `guard.writes`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlglot import exp

from guard.access import Clause
from guard.expressions import Place
from guard.names import fold
from guard.scopes import NOTHING, Output, Outputs, Scope, Value
from guard.sources import Sources
from guard.views import stands_for_view

_VALUES_NAMES = {"duckdb": "col{}", "mysql": "column_{}", "databricks": "col{}"}
"""How an engine calls the columns of VALUES; `column1` in the others."""


def _first(dialect: str) -> int:
    return 0 if dialect in ("duckdb", "mysql") else 1


@dataclass(kw_only=True)
class Resolver(Sources):
    """Walks queries; `guard.expressions` walks what stands inside them.

    `spreads` is false where the statement has no star but those of `count(*)`.
    """

    spreads: bool

    def account_for(self, named: Iterable[exp.Expr]) -> None:
        """Makes a problem of every column and star that was not looked at."""
        for node in named:
            if id(node) not in self.ledger.seen and isinstance(node, exp.Column | exp.Star):
                self.ledger.problem(
                    "column.unknown",
                    "The guard cannot tell which column is meant.",
                    node.name or "*",
                )

    def query(self, node: exp.Expr, parent: Scope | None, clause: Clause) -> Outputs:
        """Returns the outputs of a query whose outputs are used in `clause`."""
        self.register(node, parent)
        of_view = node.parent is not None and stands_for_view(node.parent)
        self.ledger.views += of_view
        if isinstance(node, exp.Select):
            outputs = self._select(node, parent, clause)
        elif isinstance(node, exp.SetOperation):
            outputs = self._set_operation(node, parent, clause)
        elif isinstance(node, exp.Subquery):
            outputs = self._wrapped(node, parent, clause)
        elif isinstance(node, exp.Values):
            outputs = self.values(node, Place(scope=Scope(parent=parent), clause=clause))
        else:
            self.untraced(node)
            outputs = Outputs(rest=NOTHING)
        self.finish(node)
        self.ledger.views -= of_view
        return outputs

    def _wrapped(self, node: exp.Subquery, parent: Scope | None, clause: Clause) -> Outputs:
        if isinstance(node.this, exp.Table):
            return self._rows_of(node, parent, clause)
        outputs = self.query(node.this, parent, clause)
        scope = Scope(parent=parent, outputs=list(outputs.columns))
        self.tail(node, scope, outputs)
        return outputs

    def _rows_of(self, node: exp.Subquery, parent: Scope | None, clause: Clause) -> Outputs:
        """`(a JOIN b)` where a query is expected: its rows."""
        scope = Scope(parent=parent)
        self.source(node, scope)
        outputs = scope.everything()
        self.ledger.use(outputs.bases, clause)
        return outputs

    def _select(self, node: exp.Select, parent: Scope | None, clause: Clause) -> Outputs:
        scope = Scope(parent=parent)
        self.sources(node, scope)
        place = Place(scope=scope, clause=clause)
        outputs = self.outputs(node.expressions, place)
        scope.outputs = list(outputs.columns)
        by_alias = Place(scope=scope, clause=clause, by_alias=True)
        if (where := node.args.get("where")) is not None:
            self.filter(where, place.of("where"))
        if (group := node.args.get("group")) is not None:
            self._group(group, by_alias.of("group"), node, outputs)
        for key in ("having", "qualify"):
            if (filtered := node.args.get(key)) is not None:
                self.expressions.value(filtered, by_alias.of("having"))
        for window in node.args.get("windows") or ():
            self.expressions.value(window, by_alias)
        if (distinct := node.args.get("distinct")) is not None:
            self._distinct(distinct, by_alias.of("distinct"), outputs)
        self.tail(node, scope, outputs)
        return outputs

    def outputs(self, projections: Iterable[exp.Expr], place: Place) -> Outputs:
        """Returns the columns of a SELECT list or RETURNING, stars expanded."""
        columns: list[Output] = []
        rest: frozenset[tuple[str, str]] | None = None
        for projection in projections:
            inner = projection.unalias()
            if isinstance(inner, exp.Star) or (
                isinstance(inner, exp.Column) and isinstance(inner.this, exp.Star)
            ):
                found = self._star(inner, place)
            else:
                value = self.expressions.value(projection, place)
                found = Outputs(columns=(Output(name=projection.alias_or_name, value=value),))
                if self.spreads and _spread_in(projection):
                    found = Outputs(columns=found.columns, rest=value.bases)
            columns.extend(found.columns)
            if found.rest is not None:
                rest = (rest or NOTHING) | found.rest
            # A later output may name an earlier one.
            place.scope.outputs.extend(found.columns)
        return Outputs(columns=tuple(columns), rest=rest)

    def _star(self, node: exp.Expr, place: Place) -> Outputs:
        star = node.this if isinstance(node, exp.Column) else node
        self.ledger.seen.update((id(node), id(star)))
        source = self._starred(node, place.scope)
        dropped = set()
        for key in ("except_", "rename"):
            for item in star.args.get(key) or ():
                self.ledger.seen.update(id(c) for c in item.find_all(exp.Column))
                if key == "except_":
                    dropped.add(item.name.casefold())
        kept = tuple(c for c in source.columns if c.name.casefold() not in dropped)
        rest = source.rest
        if star.args.get("rename") or star.args.get("ilike"):
            rest = (rest or NOTHING) | source.bases
        for item in star.args.get("replace") or ():
            value = self.expressions.value(item, place)
            kept = tuple(
                Output(name=c.name, value=value)
                if c.name.casefold() == item.alias_or_name.casefold()
                else c
                for c in kept
            )
        outputs = Outputs(columns=kept, rest=rest)
        self.ledger.use(outputs.bases, place.clause)
        return outputs

    def _starred(self, node: exp.Expr, scope: Scope) -> Outputs:
        if not isinstance(node, exp.Column):
            return scope.everything()
        relation = scope.relation(fold(node.args["table"], self.dialect))
        if relation is None:
            self.unknown_column(f"{node.table}.*")
            return Outputs(rest=NOTHING)
        return relation.outputs

    def filter(self, node: exp.Expr | None, place: Place) -> None:
        """Resolves a WHERE clause."""
        if node is not None:
            self.expressions.condition(node.this, place)

    def _group(self, group: exp.Expr, place: Place, select: exp.Select, outputs: Outputs) -> None:
        if group.args.get("all"):
            for projection in select.expressions:
                if not projection.find(exp.AggFunc):
                    self.ledger.use(self._bases_of(projection, place), "group")
        for key in ("expressions", "grouping_sets", "cube", "rollup"):
            for item in group.args.get(key) or ():
                if isinstance(item, exp.Expr):
                    self._item(item, place, outputs)

    def _bases_of(self, node: exp.Expr, place: Place) -> frozenset[tuple[str, str]]:
        if isinstance(node, exp.Star) or node.find(exp.Star):
            return place.scope.everything().bases
        return self.expressions.value(node, place).bases

    def _item(self, item: exp.Expr, place: Place, outputs: Outputs) -> None:
        """Resolves one item of GROUP BY or ORDER BY, which may be the number of an output."""
        bare = item
        while isinstance(bare, exp.Paren | exp.Ordered | exp.Collate):
            bare = bare.this
        if isinstance(bare, exp.Tuple | exp.Cube | exp.Rollup | exp.GroupingSets):
            for child in bare.expressions:
                self._item(child, place, outputs)
        elif isinstance(bare, exp.Literal) and not bare.is_string:
            position = int(bare.name) if bare.name.isdigit() else 0
            self.ledger.use(outputs.at(position), place.clause)
        elif isinstance(bare, exp.Var) and bare.name.upper() == "ALL":
            self.ledger.use(outputs.bases, place.clause)
        else:
            self.expressions.value(item, place)

    def _distinct(self, distinct: exp.Expr, place: Place, outputs: Outputs) -> None:
        on = distinct.args.get("on")
        if on is None:
            self.ledger.use(outputs.bases, "distinct")
        else:
            self._item(on, place, outputs)

    def tail(self, node: exp.Expr, scope: Scope, outputs: Outputs) -> None:
        """ORDER BY, LIMIT and what else may follow any query."""
        order = node.args.get("order")
        place = Place(scope=scope, clause="order", by_alias=True)
        for item in order.expressions if order is not None else ():
            self._item(item, place, outputs)
        for key in ("limit", "offset", "sample"):
            if (other := node.args.get(key)) is not None:
                self.expressions.value(other, place.of("other"))

    def _set_operation(
        self, node: exp.SetOperation, parent: Scope | None, clause: Clause
    ) -> Outputs:
        left = self.query(node.this, parent, clause)
        right = self.query(node.expression, parent, clause)
        self.ledger.use(left.bases | right.bases, "setop")
        if node.args.get("by_name") or node.args.get("on"):
            outputs = Outputs(
                columns=(*left.columns, *right.columns), rest=left.bases | right.bases
            )
        else:
            outputs = left.beside(right)
        names = [*outputs.columns, *right.columns]
        # ORDER BY of a set operation names its outputs; some engines take either side's names.
        self.tail(node, Scope(parent=parent, outputs=names), outputs)
        return outputs

    def values(self, node: exp.Values, place: Place) -> Outputs:
        """Returns the columns of a VALUES list, called as the engine calls them."""
        rows = []
        for row in node.expressions:
            cells = row.expressions if isinstance(row, exp.Tuple) else [row]
            rows.append([self.expressions.value(c, place) for c in cells])
        width = max((len(r) for r in rows), default=0)
        columns = tuple(
            Output(
                name=_VALUES_NAMES.get(self.dialect, "column{}").format(i + _first(self.dialect)),
                value=Value(bases=NOTHING.union(*(r[i].bases for r in rows if i < len(r)))),
            )
            for i in range(width)
        )
        outputs = Outputs(columns=columns)
        self.tail(node, Scope(parent=place.scope, outputs=list(columns)), outputs)
        return outputs


def _spread_in(node: exp.Expr) -> bool:
    """True when an expression may make several columns of one."""
    return any(map(spreads, node.find_all(exp.Star, exp.Columns)))


def spreads(node: exp.Expr) -> bool:
    """True for COLUMNS and every star but that of `count(*)`."""
    if isinstance(node, exp.Star):
        return not isinstance(node.parent, exp.Count)
    return isinstance(node, exp.Columns)
