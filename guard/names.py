"""How each dialect compares names, which table a name means, and which names a CTE hides.

What the engines do was tried on SQLite 3.40, DuckDB 2.0, PostgreSQL 15 and MariaDB 10.11. Where
they leave a doubt, the name is taken for a real table.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from guard.catalog import Catalog, Table

_DEFAULT_SCHEMAS = {
    "sqlite": frozenset(("main",)),
    "duckdb": frozenset(("main",)),
    "postgres": frozenset(("public",)),
}


def fold(name: exp.Expr, dialect: str) -> str:
    """Returns the form of a table, alias or CTE name that the dialect compares."""
    text = name.name
    if dialect == "mysql":
        return text
    if dialect in ("postgres", "snowflake"):
        if isinstance(name, exp.Identifier) and name.args.get("quoted"):
            return text
        return text.lower() if dialect == "postgres" else text.upper()
    return text.casefold()


def find_table(table: exp.Table, catalog: Catalog) -> Table | None:
    """Returns the catalog's table or view that `table` names, None where it holds no such thing.

    A schema must be the table's own, or the dialect's usual one where the catalog names none. A
    name in three parts is never found. A catalog with exact names is searched as the server does;
    besides, `"schema.table"` in one pair of quotes is what the guard calls a table elsewhere.
    """
    if table.args.get("catalog") is not None:
        return None
    schema = table.args.get("db")
    if catalog.is_exact and isinstance(table.this, exp.Identifier):
        name = fold(table.this, catalog.dialect)
        if schema is not None:
            return catalog.exactly(fold(schema, catalog.dialect), name)
        return catalog.exactly(None, name) or _by_own_name(name, catalog)
    found = catalog.table(table.name)
    if found is None:
        return None
    if schema is None:
        return found
    name = schema.name.casefold()
    if found.schema is not None:
        return found if name == found.schema.casefold() else None
    return found if name in _DEFAULT_SCHEMAS.get(catalog.dialect, ()) else None


def _by_own_name(name: str, catalog: Catalog) -> Table | None:
    found = catalog.table(name) if "." in name else None
    return found if found is not None and found.name == name else None


def cte_of(table: exp.Table, dialect: str) -> exp.CTE | None:
    """Returns the CTE that hides the name of `table` where it stands, or None."""
    if table.args.get("db") is not None or not isinstance(table.this, exp.Identifier):
        return None
    name = fold(table.this, dialect)
    return next((c for c in visible_ctes(table, dialect) if cte_name(c, dialect) == name), None)


def cte_name(cte: exp.CTE, dialect: str) -> str:
    """Returns the name of a CTE as `fold` gives it."""
    alias = cte.args["alias"]
    return fold(alias.this, dialect) if isinstance(alias, exp.TableAlias) else alias.name


def visible_ctes(node: exp.Expr, dialect: str) -> Iterator[exp.CTE]:
    """Yields the CTEs whose names `node` can use, the nearest first.

    A CTE is seen by the query it belongs to and by the CTEs after it. In SQLite every CTE of a WITH
    sees all of them; in PostgreSQL and MySQL so with RECURSIVE; in DuckDB that adds only itself.
    """
    while node.parent is not None:
        parent = node.parent
        if isinstance(parent, exp.With):
            yield from _siblings(node, parent, dialect)
        else:
            with_ = parent.args.get("with_")
            if with_ is not None and with_ is not node:
                yield from reversed(with_.expressions)
        node = parent


def _siblings(node: exp.Expr, with_: exp.With, dialect: str) -> Iterator[exp.CTE]:
    everything: list[exp.CTE] = with_.expressions
    place = next(i for i, c in enumerate(everything) if c is node)
    recursive = bool(with_.args.get("recursive"))
    if dialect == "sqlite" or (recursive and dialect != "duckdb"):
        yield from everything
    else:
        yield from reversed(everything[: place + 1 if recursive else place])
