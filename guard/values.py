"""Which values questions may name: the distinct values of text columns without personal data."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from sqlglot import exp

from guard.catalog import Catalog
from guard.decision import Allow
from guard.result import Result
from redaction import mask_tokens

MOST_VALUES = 40_000
"""Values listed for one source at most."""
PER_COLUMN = 5_000
"""A column with more distinct values than this is prose or a key: nobody names one of them."""

_TEXT = ("char", "text", "clob", "string", "enum")
Place = tuple[str, str]


def listable(catalog: Catalog, free_text: Collection[str]) -> tuple[Place, ...]:
    """Returns the (table, column) pairs whose values are worth listing and safe to list."""
    prose = {name.casefold() for name in free_text}
    return tuple(
        (table.name, column.name)
        for table in catalog.tables
        if table.kind == "table"
        for column in table.columns
        if column.tag is None
        and any(word in column.type.casefold() for word in _TEXT)
        and f"{table.name}.{column.name}".casefold() not in prose
    )


def listing(columns: Sequence[Place], dialect: str, per_column: int = PER_COLUMN) -> str:
    """Returns one statement with rows (position of the column, value)."""
    branches = [_branch(i, place, per_column) for i, place in enumerate(columns)]
    return " UNION ALL ".join(b.sql(dialect=dialect) for b in branches)


def _branch(position: int, place: Place, per_column: int) -> exp.Select:
    table, column = place
    value = exp.column(column, quoted=True)
    distinct = (
        exp.select(value.as_("v"))
        .distinct()
        .from_(exp.table_(table, quoted=True))
        .where(exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null())))
        .limit(per_column + 1)
    )
    number = exp.Literal.number(position).as_("c")
    return exp.select(number, exp.column("v")).from_(distinct.subquery(f"s{position}"))


def with_rows(allow: Allow, rows: int) -> Allow:
    """Returns the same permission with room for `rows` rows; they are not shown to anybody."""
    limits = allow.terms.limits.model_copy(update={"display_rows": rows, "max_rows": None})
    return replace(allow, terms=replace(allow.terms, limits=limits))


def grouped(result: Result, columns: Sequence[Place]) -> Mapping[Place, tuple[str, ...]]:
    """Returns the values by column without masked ones; columns with too many are left out."""
    found: dict[Place, list[str]] = {}
    for position, value in result.rows():
        if isinstance(position, int) and isinstance(value, str) and not mask_tokens(value):
            found.setdefault(columns[position], []).append(value)
    return {place: tuple(v) for place, v in found.items() if len(v) <= PER_COLUMN}
