"""The catalog as a worker sends it, checked, with each view's SELECT cut out of its CREATE."""

from __future__ import annotations

from typing import Literal

import sqlglot
from pydantic import BaseModel, ConfigDict
from sqlglot import Token, TokenType
from sqlglot.errors import SqlglotError

from guard.catalog import Catalog, Column, ForeignKey, Table


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Column(_Part):
    name: str
    type: str
    nullable: bool
    primary_key: bool


class _ForeignKey(_Part):
    columns: list[str]
    table: str
    references: list[str]


class _Table(_Part):
    name: str
    kind: Literal["table", "view"]
    columns: list[_Column]
    foreign_keys: list[_ForeignKey]
    unique: list[list[str]] = []
    row_estimate: int | None
    create: str | None = None
    schema_: str | None = None


class Reflected(_Part):
    """Everything a worker tells of its source."""

    tables: list[_Table]


def to_catalog(reflected: Reflected, *, source: str, dialect: str) -> Catalog:
    """Returns the catalog, untagged.

    Names are matched without case and without schema, so of two tables of one name only the one in
    the main schema is kept, and none where that does not tell them apart (`É` and `é` are two names
    for the engines and one for the catalog).
    """
    kept: dict[str, _Table] = {}
    ambiguous: set[tuple[str, bool]] = set()
    for table in reflected.tables:
        key = table.name.casefold()
        other = kept.get(key)
        if other is None or (table.schema_ is None and other.schema_ is not None):
            kept[key] = table
        elif table.schema_ == other.schema_ or other.schema_ is not None:
            ambiguous.add((key, other.schema_ is None))
    tables = (t for key, t in kept.items() if (key, t.schema_ is None) not in ambiguous)
    return Catalog(source=source, dialect=dialect, tables=tuple(_table(t, dialect) for t in tables))


def _table(table: _Table, dialect: str) -> Table:
    return Table(
        name=table.name,
        kind=table.kind,
        schema=table.schema_,
        columns=tuple(
            Column(name=c.name, type=c.type, nullable=c.nullable, primary_key=c.primary_key)
            for c in table.columns
        ),
        foreign_keys=tuple(
            ForeignKey(columns=tuple(k.columns), table=k.table, references=tuple(k.references))
            for k in table.foreign_keys
        ),
        unique=tuple(tuple(names) for names in table.unique),
        definition=view_select(table.create, dialect) if table.create else None,
        row_estimate=table.row_estimate,
    )


def view_select(create: str, dialect: str) -> str | None:
    """Returns the SELECT of a CREATE VIEW, as it stands in the text, or None if it is not found.

    A view that renames its columns (`CREATE VIEW v(a, b) AS ..`) has them in the catalog, in order.
    """
    try:
        tokens = sqlglot.tokenize(create, dialect=dialect)
    except SqlglotError:
        return None
    depth = 0
    for token in tokens:
        depth += _nesting(token)
        if depth == 0 and token.token_type == TokenType.ALIAS:
            return create[token.end + 1 :].strip().rstrip(";").rstrip() or None
    return None


def _nesting(token: Token) -> int:
    if token.token_type == TokenType.L_PAREN:
        return 1
    return -1 if token.token_type == TokenType.R_PAREN else 0
