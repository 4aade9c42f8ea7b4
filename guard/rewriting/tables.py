"""Every base table of a statement: its rows filtered, its columns named, its schema given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp

from guard.catalog import Catalog, Table
from guard.errors import Refused, refuse
from guard.names import find_table
from guard.rewriting.fence import fenced, without_fence
from guard.rewriting.filters import RowFilter
from guard.rewriting.schemas import with_schema
from guard.views import VIEW, reads

# What goes with the table into the subquery, and what stays around it.
_INSIDE = ("only", "indexed", "hints", "partition")
_AROUND = ("joins", "sample", "pivots")
_OWN = ("this", "db", "catalog", "alias")


@dataclass(frozen=True, kw_only=True)
class Tables:
    """Puts the row filters into a tree whose views are expanded.

    `catalog` holds the tables and columns in reach and no others. With `fence`, nothing else of the
    statement meets a row before the filter has let it through.
    """

    catalog: Catalog
    filters: Mapping[str, RowFilter]
    fence: bool = False

    def bind(self, tree: exp.Expression, *, spell_columns: bool) -> exp.Expression:
        """Returns `tree` with every base table in its final form; changes it in place.

        A table with a row filter becomes `(SELECT columns FROM t WHERE filter) AS alias`, and so
        does the query of a view. Without one it stays, unless `spell_columns` or a list of column
        names asks for its columns by name.

        Raises:
            Refused: `table.not_allowed` for a table out of reach, `rewrite.table` for one that is
                read in a way the rewrite does not know.
        """
        self._bind_views(tree)
        for table in list(reads(tree, self.catalog.dialect)):
            known = find_table(table, self.catalog)
            if known is None or known.kind == "view":
                raise _out_of_reach(table.name)
            alias = table.args.get("alias")
            renamed = alias is not None and alias.args.get("columns")
            row_filter = self.filters.get(known.name.casefold())
            if row_filter is not None or spell_columns or renamed:
                table.replace(self._subquery(table, known, row_filter))
            else:
                with_schema(table, known, self.catalog.dialect)
        return tree

    def _bind_views(self, tree: exp.Expression) -> None:
        if not self.filters:
            return
        for query in list(tree.find_all(exp.Subquery)):
            name = query.meta.get(VIEW, "")
            row_filter = self.filters.get(name.casefold())
            view = self.catalog.table(name)
            if row_filter is not None and view is not None:
                around = {k: v for k, v in query.args.items() if k != "this"}
                inner = exp.alias_(
                    exp.Subquery(this=query.this), view.name, table=True, quoted=True
                )
                select = self._select(view, inner, row_filter)
                query.replace(exp.Subquery(this=select, **around))

    def unfiltered(self, tree: exp.Expr) -> Iterator[str]:
        """Yields the tables that a finished tree reads past their row filter."""
        if not self.filters:
            return
        for table in reads(tree, self.catalog.dialect):
            row_filter = self._filter_of(table)
            if row_filter is not None and not self._is_covered(table):
                yield row_filter.table

    def _is_covered(self, table: exp.Table) -> bool:
        """True for a table that a filtering SELECT is made over, or that stands in its filter."""
        child: exp.Expr = table
        node = table.parent
        while node is not None:
            inside = child.arg_key if isinstance(node, exp.Select) else ""
            if inside == "where" and self._is_filtering(node):
                return True
            if inside == "from_" and child.this is table and self._is_filtering(node):
                return True
            child, node = node, node.parent
        return False

    def _is_filtering(self, select: exp.Expr) -> bool:
        """True for `SELECT columns FROM t WHERE filter` and nothing else."""
        if not isinstance(select, exp.Select):
            return False
        if without_fence(select, self.catalog.dialect) != {"expressions", "from_", "where"}:
            return False
        table = select.args["from_"].this
        if not isinstance(table, exp.Table) or table.args.get("joins"):
            return False
        row_filter = self._filter_of(table)
        return row_filter is not None and bool(select.args["where"].this == row_filter.predicate)

    def _filter_of(self, table: exp.Table) -> RowFilter | None:
        known = find_table(table, self.catalog)
        return self.filters.get((known.name if known is not None else table.name).casefold())

    def _subquery(
        self, table: exp.Table, known: Table, row_filter: RowFilter | None
    ) -> exp.Subquery:
        extra = {k for k, v in table.args.items() if v} - {*_OWN, *_INSIDE, *_AROUND}
        if extra or not known.columns:
            raise refuse(
                "rewrite.table",
                f"{known.name} is read with options the guard cannot keep together with its rules.",
                part=known.name,
                alternative=f"Read {known.name} without them.",
                fixable=True,
            )
        alias = table.args.get("alias") or exp.TableAlias()
        if alias.this is None:
            alias = exp.TableAlias(this=table.this.copy(), columns=alias.args.get("columns"))
        around = {k: table.args[k] for k in _AROUND if table.args.get(k)}
        inside = {k: table.args[k] for k in _INSIDE if table.args.get(k)}
        inner = exp.Table(this=exp.to_identifier(known.name, quoted=True), **inside)
        with_schema(inner, known, self.catalog.dialect)
        return exp.Subquery(this=self._select(known, inner, row_filter), alias=alias, **around)

    def _select(self, known: Table, source: exp.Expr, row_filter: RowFilter | None) -> exp.Select:
        columns: list[exp.Expr] = [
            exp.column(c.name, table=known.name, quoted=True) for c in known.columns
        ]
        select = exp.Select(expressions=columns, from_=exp.From(this=source))
        if row_filter is None:
            return select
        select.set("where", exp.Where(this=row_filter.predicate.copy()))
        return fenced(select, self.catalog.dialect) if self.fence else select


def _out_of_reach(name: str) -> Refused:
    return refuse(
        "table.not_allowed",
        f"{name} is not a table you can read here.",
        part=name,
        alternative="Ask about one of the tables listed for this source.",
    )
