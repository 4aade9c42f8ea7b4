"""FROM clauses: tables, views, CTEs, subqueries, row lists and table functions, and their joins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from typing import Protocol

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect, UsingColumnOrder

from guard.catalog import Catalog, Table
from guard.names import cte_of, find_table
from guard.same import Same
from guard.tracing.ctes import Outputs
from guard.tracing.expressions import Expressions
from guard.tracing.flows import UNKNOWN, Flows, union
from guard.tracing.functions import is_spread
from guard.tracing.plan import Plan
from guard.tracing.scopes import (
    ByName,
    Item,
    Output,
    Relation,
    Scope,
    alias_of,
    by_name,
    derived,
    is_unusual,
    qualified,
)
from guard.views import VIEW

_SAFE_ON_TABLE = frozenset(
    ("this", "db", "catalog", "alias", "joins", "sample", "only", "indexed", "hints", "partition")
)
_SAFE_ON_SUBQUERY = frozenset(
    ("this", "alias", "joins", "sample", "with_", "where", "order", "limit", "offset")
)
_SAFE_ON_JOIN = frozenset(("this", "on", "using", "method", "side", "kind", "hint"))
_PLAIN_KINDS = frozenset(("", "INNER", "OUTER", "CROSS"))
# What a word before JOIN means, where it is not taken for the alias of the table before it.
_KINDS = {
    "sqlite": (frozenset(("", "NATURAL")), frozenset(("", "LEFT", "RIGHT", "FULL"))),
    "mysql": (frozenset(("", "NATURAL")), frozenset(("", "LEFT", "RIGHT"))),
    "duckdb": (
        frozenset(("", "NATURAL", "ASOF", "POSITIONAL")),
        frozenset(("", "LEFT", "RIGHT", "FULL")),
    ),
}
_COMMON = (frozenset(("", "NATURAL")), frozenset(("", "LEFT", "RIGHT", "FULL")))
_HIDING = frozenset(("SEMI", "ANTI"))
_MORE_KINDS = {"duckdb": _HIDING, "mysql": frozenset(("STRAIGHT_JOIN",))}


class Queries(Protocol):
    """Follows the queries that a FROM clause names."""

    def query(self, node: exp.Expr, parent: Scope | None) -> tuple[Outputs, Flows]:
        """Returns a query's outputs and what it filters by."""
        ...

    def cte(self, node: exp.CTE) -> tuple[Outputs, Flows]:
        """Returns the same of a CTE, under its own names."""
        ...


class Relations:
    """Fills scopes from FROM clauses."""

    def __init__(
        self,
        catalog: Catalog,
        plan: Plan,
        queries: Queries,
        expressions: Expressions,
    ) -> None:
        self._catalog = catalog
        self._dialect = catalog.dialect
        self._plan = plan
        self._queries = queries
        self._expressions = expressions
        self._order = _order_of(catalog.dialect)

    def fill(self, select: exp.Select, scope: Scope) -> None:
        """Adds what the SELECT reads from to `scope`, in the order in which `*` shows it."""
        from_ = select.args.get("from_")
        items = self._operand(from_.this, scope) if from_ is not None else []
        items = self._joins(items, select.args.get("joins"), scope)
        for lateral in select.args.get("laterals") or ():
            items = [*items, *self._operand(lateral, scope)]
        scope.items = items

    def _joins(
        self, items: list[Item], joins: Sequence[exp.Join] | None, scope: Scope
    ) -> list[Item]:
        for join in joins or ():
            items = self._join(items, join, scope)
        return items

    def _join(self, left: list[Item], join: exp.Join, scope: Scope) -> list[Item]:
        methods, sides = _KINDS.get(self._dialect, _COMMON)
        kinds = _PLAIN_KINDS | _MORE_KINDS.get(self._dialect, frozenset())
        known = join.method in methods and join.side in sides and join.kind in kinds
        right = self._operand(join.this, scope)
        self._expressions.filter(join.args.get("on"), scope)
        if not known or is_unusual(join, _SAFE_ON_JOIN):
            return [*left, *right, self._doubt(f"{join.method} {join.kind} JOIN".strip(), scope)]
        if join.method == "NATURAL":
            using = self._natural(join, left, right, scope)
        else:
            using = [i for i in join.args.get("using") or () if isinstance(i, exp.Identifier)]
        if join.kind in _HIDING:
            for name in using:
                scope.filters.append(_carried(name, [*left, *right]).implied())
            return left
        return self._merge(left, right, using, join.side, scope) if using else [*left, *right]

    def _natural(
        self, join: exp.Join, left: list[Item], right: list[Item], scope: Scope
    ) -> list[exp.Identifier]:
        if any(_is_open(item) for item in (*left, *right)):
            self._doubt("NATURAL JOIN", scope)
            return []
        theirs = {item.output.name for item in right}
        common = {
            item.output.name: item.output.written
            for item in left
            if item.output.name in theirs and item.output.written is not None
        }
        found = [name for name in common.values() if name is not None]
        self._plan.naturals[id(join)] = found
        return found

    def _merge(
        self,
        left: list[Item],
        right: list[Item],
        using: Sequence[exp.Identifier],
        side: str,
        scope: Scope,
    ) -> list[Item]:
        """Returns the columns of both sides with each USING column standing once."""
        merged = {}
        named = _by_name(left), _by_name(right)
        for name in using:
            item = _merged(name, *named, side)
            scope.filters.append(item.output.flows.implied())
            merged[item.output.name] = item
        rest = [item for item in right if item.output.name not in merged]
        if self._order is UsingColumnOrder.IN_PLACE:
            placed: dict[str, Item] = {}
            kept = []
            for item in left:
                column = item.output.name
                if column not in merged:
                    kept.append(item)
                elif column not in placed:
                    placed[column] = merged[column]
                    kept.append(merged[column])
            return [*kept, *rest]
        first = list(merged.values())
        if self._order is UsingColumnOrder.LEFT_TABLE:
            places = {item.output.name: at for at, item in reversed(list(enumerate(left)))}
            first.sort(key=lambda item: places.get(item.output.name, len(left)))
        return [*first, *(i for i in left if i.output.name not in merged), *rest]

    # What one item of a FROM clause is -----------------------------------------------------------

    def _operand(self, node: exp.Expr, scope: Scope) -> list[Item]:
        """Adds one item to `scope` and returns its columns, joins inside brackets done."""
        if isinstance(node, exp.Subquery) and _is_bracket(node):
            return self._bracket(node, scope)
        relation = self._relation(node, scope)
        scope.relations.append(relation)
        return self._joins(_items(relation), node.args.get("joins"), scope)

    def _bracket(self, node: exp.Subquery, scope: Scope) -> list[Item]:
        """`(a JOIN b USING (x))`, with an alias or without."""
        if is_unusual(node, _SAFE_ON_SUBQUERY):
            return [self._doubt("brackets", scope)]
        alias, columns = alias_of(node)
        if alias is None:
            items = self._operand(node.this, scope)
        else:
            inside = Scope(parent=scope, certain=False, filters=scope.filters)
            outputs: Outputs = tuple(i.output for i in self._operand(node.this, inside))
            if any(r.columns is None for r in inside.relations):
                outputs = None
            relation = derived(alias.name.casefold(), outputs, alias=alias, columns=columns)
            scope.relations.append(relation)
            items = _items(relation)
        return self._joins(items, node.args.get("joins"), scope)

    def _relation(self, node: exp.Expr, scope: Scope) -> Relation:
        alias, columns = alias_of(node)
        name = alias.name.casefold() if alias is not None else ""
        if isinstance(node, exp.Table):
            return self._table(node, name, alias, columns, scope)
        if isinstance(node, exp.Lateral) and isinstance(node.this, exp.Subquery):
            outputs, filters = self._queries.query(node.this, scope)
            scope.filters.append(filters)
            return derived(name, outputs, alias=alias, columns=columns)
        if isinstance(node, exp.Subquery) and not is_unusual(node, _SAFE_ON_SUBQUERY):
            return self._subquery(node, name, alias, columns, scope)
        if isinstance(node, exp.Values):
            outputs, _ = self._queries.query(node, scope)
            return derived(name, outputs, alias=alias, columns=columns)
        if isinstance(node, exp.Unnest):
            return self._spread(node, name, alias, columns, scope)
        if isinstance(node, exp.Lateral):
            return self._spread(node.this, name, alias, columns, scope)
        self._doubt(type(node).__name__, scope)
        return _unknown(name)

    def _subquery(
        self,
        node: exp.Subquery,
        name: str,
        alias: exp.Identifier | None,
        columns: list[exp.Identifier],
        scope: Scope,
    ) -> Relation:
        view = self._catalog.table(node.meta[VIEW]) if VIEW in node.meta else None
        parent = None if view is not None else Scope(parent=scope, certain=False)
        outputs, filters = self._queries.query(node, parent)
        if view is None:
            scope.filters.append(filters)
        elif outputs is not None:
            outputs = _of_view(view, outputs)
        return derived(name, outputs, alias=alias, columns=columns)

    def _table(
        self,
        node: exp.Table,
        name: str,
        alias: exp.Identifier | None,
        columns: list[exp.Identifier],
        scope: Scope,
    ) -> Relation:
        if not isinstance(node.this, exp.Identifier):
            return self._function(node, name, alias, columns, scope)
        name = name or node.name.casefold()
        alias = alias or node.this
        if is_unusual(node, _SAFE_ON_TABLE):
            self._doubt("FROM", scope)
            return _unknown(name)
        cte = cte_of(node, self._dialect)
        if cte is not None:
            outputs, filters = self._queries.cte(cte)
            scope.filters.append(filters)
            return derived(name, outputs, alias=alias, columns=columns)
        table = find_table(node, self._catalog)
        if table is None or table.kind == "view":
            return _unknown(name)
        outputs, named = _columns_of(Same(table))
        if columns:
            base = derived(name, outputs, alias=alias, columns=columns)
            return replace(base, base=True)
        return Relation(name=name, columns=outputs, alias=alias, base=True, by_name=named)

    def _function(
        self,
        node: exp.Table,
        name: str,
        alias: exp.Identifier | None,
        columns: list[exp.Identifier],
        scope: Scope,
    ) -> Relation:
        called = node.this
        if called is None or is_unusual(node, _SAFE_ON_TABLE):
            self._doubt("FROM", scope)
            return _unknown(name)
        if isinstance(called, exp.GenerateSeries):
            # One column; what it is called depends on the engine.
            flows = self._expressions.flows(called, scope)
            return derived(name, (Output(name="", flows=flows),), alias=alias, columns=columns)
        return self._spread(called, name, alias, columns, scope)

    def _spread(
        self,
        called: exp.Expr,
        name: str,
        alias: exp.Identifier | None,
        columns: list[exp.Identifier],
        scope: Scope,
    ) -> Relation:
        """A table function: any of its columns may carry any of its arguments."""
        this = [called.this] if isinstance(called.this, exp.Expr) else []
        arguments = [self._expressions.flows(a, scope) for a in (*this, *called.expressions)]
        if not is_spread(called, self._dialect):
            arguments.append(UNKNOWN)
        name = name or (columns[0].name.casefold() if columns else "")
        return Relation(name=name, columns=None, rest=union(arguments), alias=alias)

    def _doubt(self, what: str, scope: Scope) -> Item:
        self._plan.doubts.append(what)
        relation = _unknown("")
        scope.relations.append(relation)
        return _items(relation)[0]


@cache
def _order_of(dialect: str) -> UsingColumnOrder:
    return Dialect.get_or_raise(dialect).USING_COLUMN_ORDER


@lru_cache(maxsize=2_000)
def _columns_of(key: Same[Table]) -> tuple[tuple[Output, ...], ByName]:
    """Returns the columns of a base table; nothing of them may become part of a tree."""
    table = key.it
    columns = tuple(
        Output(
            name=c.name.casefold(),
            flows=Flows(value=frozenset(((table.name, c.name),))),
            written=exp.to_identifier(c.name, quoted=True),
            is_list=c.type.rstrip().endswith("]"),
            stored=True,
        )
        for c in table.columns
    )
    return columns, by_name(columns)


def _unknown(name: str) -> Relation:
    return Relation(name=name, columns=None, rest=UNKNOWN)


def _items(relation: Relation) -> list[Item]:
    if relation.columns is None:
        return [Item(output=Output(name="", flows=UNKNOWN), relations=(relation,))]
    return [Item(output=output, relations=(relation,)) for output in relation.columns]


def _is_open(item: Item) -> bool:
    return item.relation is not None and item.relation.columns is None


def _carried(name: exp.Identifier, items: Iterable[Item]) -> Flows:
    wanted = name.name.casefold()
    found = [i.output.flows for i in items if i.output.name == wanted or _is_open(i)]
    return union(found) if found else UNKNOWN


def _by_name(items: Iterable[Item]) -> dict[str, list[Item]]:
    """Returns the columns by name; those of unknown relations go by the empty one."""
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault("" if _is_open(item) else item.output.name, []).append(item)
    return found


def _merged(
    name: exp.Identifier, left: dict[str, list[Item]], right: dict[str, list[Item]], side: str
) -> Item:
    wanted = name.name.casefold()
    first, second = left.get(wanted, []), right.get(wanted, [])
    relations = tuple(r for item in (*first, *second) for r in item.relations)
    doubtful = [i for i in (*left.get("", ()), *right.get("", ())) if _is_open(i)]
    output = Output(name=wanted, flows=_carried(name, [*first, *second, *doubtful]), written=name)
    spelled: exp.Expr | None = None
    if len(first) == 1 and len(second) == 1:
        ours, theirs = qualified(first[0]), qualified(second[0])
        spelled = theirs if side == "RIGHT" else ours
        if side == "FULL" and ours is not None and theirs is not None:
            spelled = exp.Coalesce(this=ours, expressions=[theirs])
    outer = side in ("RIGHT", "FULL") or any(item.outer for item in first)
    return Item(output=output, relations=relations, merged=True, qualified=spelled, outer=outer)


def _is_bracket(node: exp.Subquery) -> bool:
    inner = node.this
    if isinstance(inner, (exp.Subquery, exp.Values)):
        return bool(inner.args.get("alias") or inner.args.get("joins"))
    return isinstance(inner, exp.Table)


def _of_view(view: Table, outputs: tuple[Output, ...]) -> Outputs:
    """Adds the tags that the view's own columns carry; None when the widths differ."""
    if len(view.columns) != len(outputs):
        return None
    return tuple(
        replace(
            o, flows=union([o.flows, Flows(value=frozenset(((view.name, c.name),)))]), stored=False
        )
        if c.tag is not None
        else o
        for o, c in zip(outputs, view.columns, strict=True)
    )
