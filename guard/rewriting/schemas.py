"""Tables get the name of their schema, which no CTE, temporary table or search path can shadow."""

from __future__ import annotations

from sqlglot import exp

from guard.catalog import Table
from guard.errors import refuse

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
