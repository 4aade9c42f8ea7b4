"""Where the columns of a query come from: tables, subqueries, functions, joins and WITH."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from guard.access import Clause
from guard.catalog import Catalog, Table
from guard.expressions import Expressions, Ledger, Place
from guard.names import cte_of, find_table, fold
from guard.scopes import NOTHING, Outputs, Relation, Scope, table_outputs


@dataclass(kw_only=True)
class Sources(ABC):
    """Brings the relations of FROM and WITH into scope; `guard.resolver` adds the queries.

    `tables` and `writes` are the base tables touched and changed, in the order they were met.
    """

    catalog: Catalog
    tables: dict[str, None] = field(default_factory=dict)
    writes: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.dialect = self.catalog.dialect
        self.ledger = Ledger(dialect=self.dialect)
        self.expressions = Expressions(ledger=self.ledger, queries=self)
        self._ctes: dict[int, Outputs] = {}
        self._around: dict[int, Scope | None] = {}
        self._open: set[int] = set()
        self._reentered: set[int] = set()

    @abstractmethod
    def query(self, node: exp.Expr, parent: Scope | None, clause: Clause) -> Outputs:
        """Returns the outputs of a query whose outputs are used in `clause`."""

    @abstractmethod
    def values(self, node: exp.Values, place: Place) -> Outputs:
        """Returns the columns of a VALUES list."""

    @abstractmethod
    def tail(self, node: exp.Expr, scope: Scope, outputs: Outputs) -> None:
        """Resolves ORDER BY, LIMIT and what else may follow any query."""

    # WITH

    def register(self, node: exp.Expr, parent: Scope | None) -> None:
        """Notes the CTEs of a query or change before anything can name them."""
        with_ = node.args.get("with_")
        for cte in with_.expressions if with_ is not None else ():
            self._around[id(cte)] = parent

    def finish(self, node: exp.Expr) -> None:
        """Resolves the CTEs that nothing named."""
        with_ = node.args.get("with_")
        for cte in with_.expressions if with_ is not None else ():
            self._cte(cte)

    def _cte(self, cte: exp.CTE) -> Outputs:
        """Returns the outputs of a CTE, resolved once; a recursive one until nothing new comes."""
        key = id(cte)
        if key in self._open:
            self._reentered.add(key)
        if key in self._ctes:
            return self._ctes[key]
        names = [c.name for c in cte.args["alias"].columns]
        parent = self._around.get(key)
        self._open.add(key)
        self._ctes[key] = self._anchor(cte.this, parent).renamed(names)
        while True:
            known = set(self._ctes)
            found = self.query(cte.this, parent, "output").renamed(names)
            if key not in self._reentered or found == self._ctes[key]:
                break
            # What was resolved on the way used an outcome that was not complete.
            self._ctes = {k: v for k, v in self._ctes.items() if k in known}
            self._ctes[key] = found
        self._open.discard(key)
        self._ctes[key] = found
        return found

    def _anchor(self, body: exp.Expr, parent: Scope | None) -> Outputs:
        """Returns what a recursive CTE is before its first round: the first query of a union."""
        if not isinstance(body, exp.SetOperation):
            return Outputs(rest=NOTHING)
        first: exp.Expr = body
        while isinstance(first, exp.SetOperation):
            self.register(first, parent)
            first = first.this
        return self.query(first, parent, "output")

    # FROM

    def sources(self, node: exp.Expr, scope: Scope) -> None:
        """Brings in everything after FROM."""
        from_ = node.args.get("from_")
        if from_ is not None:
            self.source(from_.this, scope)
        for lateral in node.args.get("laterals") or ():
            self.source(lateral, scope)
        for join in node.args.get("joins") or ():
            self._join(join, scope)

    def _join(self, join: exp.Join, scope: Scope) -> None:
        before = list(scope.relations)
        self.source(join.this, scope)
        added = scope.relations[len(before) :]
        if str(join.args.get("method") or "").upper() == "NATURAL":
            names = {c.name.casefold() for r in added for c in r.outputs.columns}
            self._merge([n for n in names if any(r.outputs.exactly(n) for r in before)], scope)
            if any(r.outputs.rest is not None for r in scope.relations):
                self.ledger.use(scope.everything().bases, "join")
        self._merge([i.name for i in join.args.get("using") or ()], scope)
        place = Place(scope=scope, clause="join", by_alias=False)
        if join.args.get("on") is not None:
            self.expressions.condition(join.args["on"], place)
        for key in ("match_condition", "nearest"):
            self.expressions.value(join.args.get(key), place)
        if str(join.args.get("kind") or "").upper() in ("SEMI", "ANTI"):
            for relation in added:
                relation.hidden = True

    def _merge(self, names: Sequence[str], scope: Scope) -> None:
        for name in names:
            values = [v for r in scope.relations for v in r.outputs.named(name)]
            if not values or scope.conceals(name):
                self.unknown_column(name)
            self.ledger.use(NOTHING.union(*(v.bases for v in values)), "join")
            scope.merged.add(name.casefold())

    def source(self, node: exp.Expr, scope: Scope) -> None:
        """Adds what a FROM item brings in to the scope."""
        if isinstance(node, exp.Table):
            self._table(node, scope)
        elif isinstance(node, exp.Subquery):
            self._derived(node, scope)
        elif isinstance(node, exp.Lateral):
            self._lateral(node, scope)
        elif isinstance(node, exp.Values):
            outputs = self.values(node, self._beside(scope))
            self._add(node, outputs.renamed(_alias_columns(node)), scope)
        elif isinstance(node, exp.Unnest | exp.TableFromRows | exp.Func):
            self._function(node, node, scope)
        else:
            self.untraced(node)
        self._attached(node, scope)

    def _attached(self, node: exp.Expr, scope: Scope) -> None:
        if node.args.get("pivots"):
            self.untraced(node.args["pivots"][0])
        self.expressions.value(node.args.get("sample"), self._beside(scope))
        for lateral in node.args.get("laterals") or ():
            self.source(lateral, scope)
        for join in node.args.get("joins") or ():
            self._join(join, scope)

    def _table(self, node: exp.Table, scope: Scope) -> None:
        if not isinstance(node.this, exp.Identifier):
            parts = node.args.get("rows_from") or [node]
            for part in parts:
                self._function(part.this, node, scope)
            return
        cte = cte_of(node, self.dialect)
        if cte is not None:
            self._add(node, self._cte(cte).renamed(_alias_columns(node)), scope)
            return
        base = self.base_table(node)
        if base is not None:
            renamed = _alias_columns(node)
            if renamed and base.hidden:
                self.unknown_column(renamed[0])  # the engine counts hidden columns too
            outputs = table_outputs(base).renamed(renamed)
            self._add(node, outputs, scope, base=base)

    def base_table(self, node: exp.Table) -> Table | None:
        """Returns the real table of that name, noting that it is touched; None with a problem."""
        if node.name.lower() == "dual" and self.dialect in ("mysql", "snowflake", "databricks"):
            return Table(name="dual", columns=())
        found = find_table(node, self.catalog)
        if found is None:
            name = ".".join(p.name for p in node.parts)
            self.ledger.problem(
                "table.unknown",
                f"There is no table {name} in this source.",
                name,
                alternative="Use one of the tables listed for this source.",
            )
            return None
        self.tables[found.name] = None
        return found

    def _derived(self, node: exp.Subquery, scope: Scope) -> None:
        names = _alias_columns(node)
        if isinstance(node.this, exp.Subquery) and not node.alias:
            self.source(node.this, scope)
            return
        if isinstance(node.this, exp.Table):
            inner = Scope(parent=scope.parent)
            self.source(node.this, inner)
            if node.alias:
                self._add(node, inner.everything().renamed(names), scope)
            else:
                scope.relations.extend(inner.relations)
                scope.merged |= inner.merged
            return
        # DuckDB lets any subquery see the relations before it; elsewhere only LATERAL does.
        around = scope if self.dialect == "duckdb" else scope.parent
        self._add(node, self._isolated(node, around).renamed(names), scope)

    def _isolated(self, node: exp.Subquery, around: Scope | None) -> Outputs:
        self.register(node, around)
        outputs = self.query(node.this, around, "output")
        inner = Scope(parent=around, outputs=list(outputs.columns))
        self.tail(node, inner, outputs)
        self.finish(node)
        return outputs

    def _lateral(self, node: exp.Lateral, scope: Scope) -> None:
        this = node.this
        if isinstance(this, exp.Subquery):
            self._add(node, self._isolated(this, scope).renamed(_alias_columns(node)), scope)
        else:
            self._function(this, node, scope)

    def _function(self, call: exp.Expr | None, node: exp.Expr, scope: Scope) -> None:
        """A function after FROM: its columns are not known, what they are made of is."""
        value = self.expressions.value(call, self._beside(scope))
        outputs = Outputs(rest=value.bases).renamed(_alias_columns(node) or [_name_of(node)])
        self._add(node, outputs, scope)

    def _beside(self, scope: Scope) -> Place:
        return Place(scope=scope, clause="other")

    def _add(
        self, node: exp.Expr, outputs: Outputs, scope: Scope, base: Table | None = None
    ) -> None:
        alias = node.args.get("alias")
        named = alias.this if isinstance(alias, exp.TableAlias) and alias.this else node.this
        name = fold(named, self.dialect) if isinstance(named, exp.Identifier) else ""
        scope.relations.append(Relation(name=name, outputs=outputs, base=base))

    # Problems

    def unknown_column(self, name: str) -> None:
        """Makes a problem of a column that no table has."""
        self.ledger.problem(
            "column.unknown", f"There is no column {name} in the tables of the statement.", name
        )

    def untraced(self, node: exp.Expr) -> None:
        """Makes a problem of syntax that hides where columns come from; its tables are noted."""
        self.ledger.problem(
            "node.untraced",
            "The guard cannot trace the columns through this syntax.",
            type(node).__name__.upper(),
            alternative="Write it with GROUP BY and CASE instead.",
        )
        for table in node.find_all(exp.Table):
            if isinstance(table.this, exp.Identifier) and cte_of(table, self.dialect) is None:
                self.base_table(table)
        for name in node.find_all(exp.Column, exp.Star):
            self.ledger.seen.add(id(name))


def _alias_columns(node: exp.Expr) -> list[str]:
    alias = node.args.get("alias")
    if not isinstance(alias, exp.TableAlias):
        return []
    return [c.name for c in alias.columns]


def _name_of(node: exp.Expr) -> str:
    return node.alias or node.name
