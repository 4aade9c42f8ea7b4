"""`gatehouse lineage`: one JSON line in, one JSON line out, whatever comes in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from guard.accounted import unaccounted
from guard.catalog import Catalog
from guard.errors import ConfigurationError, Refused
from guard.lineage import is_read, is_sensitive, trace
from guard.schematext import read_schema
from guard.statement import parse

Tags = Mapping[str, Mapping[str, str]]
"""`{table: {column: entity}}`."""


class _Question(BaseModel):
    """One input line. Keys the command does not know are ignored."""

    model_config = ConfigDict(frozen=True, strict=True)

    id: JsonValue = None
    dialect: str
    sql: str


def lineage_lines(lines: Iterable[str], schema_sql: str, tags: Tags) -> Iterator[str]:
    """Yields one answer for each line of `{"id","dialect","sql"}`, in order, without line ends.

    An answer is `{"id","sensitive":[bool per output column],"predicate_pii":bool}`, or
    `{"id","unknown":true}` when the number of columns cannot be told, or `{"id","refused":true}`
    for anything that is not one plain read.

    Raises:
        ConfigurationError: before the first answer; the schema cannot be read, or a tag names no
            column of it.
    """
    catalogs = {"duckdb": _catalog(schema_sql, tags, "duckdb")}
    return (json.dumps(_answer(line, schema_sql, tags, catalogs)) for line in lines)


def _catalog(schema_sql: str, tags: Tags, dialect: str) -> Catalog:
    flat = {f"{t}.{c}": entity for t, columns in tags.items() for c, entity in columns.items()}
    catalog = read_schema(schema_sql, dialect=dialect)
    unknown = catalog.unknown_tags(flat)
    if unknown:
        raise ConfigurationError(
            f"The tag {unknown[0]} names no column of the schema. Correct its spelling."
        )
    return catalog.tagged(flat)


def _answer(
    line: str, schema_sql: str, tags: Tags, catalogs: dict[str, Catalog]
) -> dict[str, JsonValue]:
    try:
        question = _Question.model_validate_json(line)
    except ValidationError:
        return {"id": _id_in(line), "refused": True}
    try:
        return {"id": question.id, **_judged(question, schema_sql, tags, catalogs)}
    except Exception:
        # A fault of the guard is an answer too, and the safe one.
        return {"id": question.id, "refused": True}


def _judged(
    question: _Question, schema_sql: str, tags: Tags, catalogs: dict[str, Catalog]
) -> dict[str, JsonValue]:
    try:
        statement = parse(question.sql, question.dialect)
    except Refused:
        return {"refused": True}
    if not is_read(statement.tree):
        return {"refused": True}
    if question.dialect not in catalogs:
        catalogs[question.dialect] = _catalog(schema_sql, tags, question.dialect)
    catalog = catalogs[question.dialect]
    lineage = trace(statement, catalog)
    if not lineage.columns or next(unaccounted(statement, catalog), None) is not None:
        return {"unknown": True}
    return {
        "sensitive": [is_sensitive(origin, catalog) for origin in lineage.columns],
        "predicate_pii": lineage.tagged_predicate,
    }


def _id_in(line: str) -> JsonValue:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found.get("id") if isinstance(found, dict) else None
