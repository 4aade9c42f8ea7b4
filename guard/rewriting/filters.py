"""Row filters: predicates of the policy, trusted text, put around the tables they limit.

A filter may read other tables. Those are read whole: the policy says who may see which row of a
table, and it needs all of them to say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from sqlglot import exp

from guard.catalog import Catalog, Table
from guard.decision import Terms
from guard.errors import Refused, refuse
from guard.names import find_table
from guard.rewriting.schemas import with_schema
from guard.rewriting.spelling import faithful
from guard.statement import parse
from guard.views import expand_views, reads


@dataclass(frozen=True, kw_only=True)
class RowFilter:
    """A predicate over `table`, ready to stand after WHERE.

    `reads` are the columns it looks at, `(table, column)`, other tables' included; `tables` are
    the tables they belong to.
    """

    table: str
    predicate: exp.Expression
    reads: frozenset[tuple[str, str]]
    tables: tuple[Table, ...]


def row_filters(terms: Terms, catalog: Catalog) -> Mapping[str, RowFilter]:
    """Returns the filters of `terms`, keyed by the table's name without case.

    Raises:
        Refused: `policy.row_filter` for a filter that cannot be read; an admin must correct it.
    """
    return {name.casefold(): _filter(name, text, catalog) for name, text in terms.row_filters}


def _filter(name: str, text: str, catalog: Catalog) -> RowFilter:
    table = catalog.table(name)
    if table is None:
        raise _unreadable(name)
    parsed = _parsed(text, table.name, catalog.dialect)
    named = {t: find_table(t, catalog) for t in parsed.find_all(exp.Table)}
    found = tuple(dict.fromkeys(t for t in named.values() if t is not None))
    if any(t.kind == "view" for t in found):
        return _built(text, table, catalog)
    return _known(text, table, found, catalog.source, catalog.dialect)


@lru_cache(maxsize=256)
def _parsed(text: str, table: str, dialect: str) -> exp.Expression:
    name = exp.to_identifier(table, quoted=True).sql(dialect)
    try:
        # The predicate is the policy's, not a person's, and is parsed, not run.
        return parse(f"SELECT 1 FROM {name} WHERE ({text}\n)", dialect).tree  # noqa: S608
    except Refused as error:
        raise _unreadable(table) from error


@lru_cache(maxsize=256)
def _known(
    text: str, table: Table, tables: tuple[Table, ...], source: str, dialect: str
) -> RowFilter:
    return _built(text, table, Catalog(source=source, dialect=dialect, tables=tables))


def _built(text: str, table: Table, catalog: Catalog) -> RowFilter:
    dialect = catalog.dialect
    try:
        tree = expand_views(_parsed(text, table.name, dialect), catalog)
    except Refused as error:
        raise _unreadable(table.name) from error
    where = tree.args.get("where")
    others = set(tree.args) - {"expressions", "from_", "where", "kind"}
    if where is None or not isinstance(where.this, exp.Paren) or any(tree.args[k] for k in others):
        raise _unreadable(table.name)
    read_tables = {table.name: table}
    for read in list(reads(tree, dialect)):
        found = find_table(read, catalog)
        if found is None:
            raise _unreadable(table.name)
        read_tables[found.name] = found
        with_schema(read, found, dialect)
    return RowFilter(
        table=table.name,
        predicate=faithful(where, dialect).this,
        reads=frozenset(_reads(where.this, catalog)),
        tables=tuple(read_tables.values()),
    )


def _unreadable(table: str) -> Refused:
    return refuse(
        "policy.row_filter",
        f"The policy's row filter of {table} cannot be read, so {table} cannot be read either. "
        "Tell an admin.",
        part=table,
    )


def _reads(predicate: exp.Expr, catalog: Catalog) -> Iterator[tuple[str, str]]:
    """Yields what the predicate of a filter's SELECT looks at.

    A bare name belongs to the nearest tables that have it. The catalog does not hold columns hidden
    from the person, so a name that no table has may belong to any of them.
    """
    for column in predicate.find_all(exp.Column):
        scopes = list(_scopes(column, catalog))
        if column.table:
            named = [
                t for found in scopes for alias, t in found if alias == column.table.casefold()
            ]
            owners = named[:1]
        else:
            owners = next(filter(None, (_having(column.name, found) for found in scopes)), [])
        for table in owners or [t for found in scopes for _, t in found]:
            yield table.name, column.name


def _scopes(column: exp.Expr, catalog: Catalog) -> Iterator[list[tuple[str, Table]]]:
    """Yields the tables of every SELECT around a column, the nearest first, by alias."""
    select = column.parent_select
    while select is not None:
        yield [
            (table.alias_or_name.casefold(), found)
            for table in select.find_all(exp.Table)
            if table.parent_select is select and (found := find_table(table, catalog)) is not None
        ]
        select = select.parent_select


def _having(name: str, tables: Iterable[tuple[str, Table]]) -> list[Table]:
    return [table for _, table in tables if table.column(name) is not None]
