"""Names that differ only in case, where the server tells them apart and the guard does not.

The guard compares names without case. On PostgreSQL `Name` is `name` and `"Name"` another column: a
name could be resolved here to one and there to the other. Wherever that could happen, the statement
is refused; in all others both ways of comparing give the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from guard.catalog import Catalog
from guard.errors import Refusal
from guard.names import find_table, fold


def casing_problems(tree: exp.Expr, catalog: Catalog) -> Iterator[Refusal]:
    """Yields one problem for a name that could mean another one of different case.

    `tree` has its views expanded. Nothing is found in catalogs without exact names.
    """
    if not catalog.is_exact:
        return
    given: dict[str, set[str]] = {}
    for name in _given(tree, catalog):
        given.setdefault(name.casefold(), set()).add(name)
    for name in _used(tree, catalog.dialect):
        if given.get(name.casefold(), {name}) - {name}:
            yield Refusal(
                rule="name.case",
                reason=f"{name} and another name of this statement differ only in case.",
                part=name,
                alternative="Write each name exactly as it is listed, in double quotes where it "
                "has capital letters, and give results other names.",
                fixable=True,
            )
            return


def _used(tree: exp.Expr, dialect: str) -> Iterator[str]:
    """The names by which columns and relations are referred to, as the server compares them."""
    for column in tree.find_all(exp.Column):
        for part in column.parts:
            if isinstance(part, exp.Identifier):
                yield fold(part, dialect)
    for join in tree.find_all(exp.Join):
        for name in join.args.get("using") or ():
            yield fold(name, dialect)
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Identifier) and table.args.get("db") is None:
            yield fold(table.this, dialect)


def _given(tree: exp.Expr, catalog: Catalog) -> Iterator[str]:
    """The names that a reference could be taken for: columns, relations, outputs of subqueries."""
    dialect = catalog.dialect
    for table in tree.find_all(exp.Table):
        known = find_table(table, catalog)
        if known is not None:
            yield from (column.name for column in known.columns)
    for alias in tree.find_all(exp.TableAlias):
        yield from (fold(i, dialect) for i in (alias.this, *alias.columns) if i is not None)
    for select in tree.find_all(exp.Select):
        if not _is_last(select):
            yield from (_output(e, dialect) for e in select.expressions)


def _output(projection: exp.Expr, dialect: str) -> str:
    named = projection.args.get("alias") if isinstance(projection, exp.Alias) else projection.this
    return fold(named, dialect) if isinstance(named, exp.Identifier) else ""


def _is_last(select: exp.Expr) -> bool:
    """True for a SELECT whose outputs are the statement's own: nothing outside refers to them."""
    node = select
    while isinstance(node.parent, exp.SetOperation | exp.Subquery):
        node = node.parent
    return node.parent is None
