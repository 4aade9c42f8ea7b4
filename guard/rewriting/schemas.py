"""Tables get the name of their schema, which no CTE, temporary table or search path can shadow."""

from __future__ import annotations

from sqlglot import exp

from guard.catalog import Table
from guard.errors import refuse
from guard.names import fold

_DEFAULT = {"sqlite": "main", "duckdb": "main", "postgres": "public"}


def with_schema(table: exp.Table, known: Table, dialect: str) -> None:
    """Gives the reference the schema of the table it means.

    Raises:
        Refused: `rewrite.schema` where a CTE has that name and no schema is known to tell the two
            apart.
    """
    schema = known.schema or _DEFAULT.get(dialect)
    if schema is not None:
        table.set("db", exp.to_identifier(schema, quoted=True))
        if known.relation is not None and table.name != known.relation:
            _rename(table, known.relation, dialect)
    elif any(
        cte.alias.casefold() == known.name.casefold() for cte in table.root().find_all(exp.CTE)
    ):
        raise refuse(
            "rewrite.schema",
            f"A WITH name of the statement is also the table {known.name}.",
            part=known.name,
            alternative=f"Give the WITH query another name than {known.name}.",
            fixable=True,
        )


def _rename(table: exp.Table, relation: str, dialect: str) -> None:
    """Writes the server's own name; what the statement called the table becomes its alias."""
    written = table.this
    table.set("this", exp.to_identifier(relation, quoted=True))
    if fold(written, dialect) == relation:
        return
    alias = table.args.get("alias")
    if alias is None:
        table.set("alias", exp.TableAlias(this=written.copy()))
    elif alias.this is None:
        alias.set("this", written.copy())
