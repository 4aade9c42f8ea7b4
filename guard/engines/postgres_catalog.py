"""The catalog of a PostgreSQL database, as far as its read login may select.

Left out: foreign tables (another server answers), partitions and inheriting tables on their own
(their rows belong to the parent, whose row filter would not hold them), and columns no role may
read. A view the login may not read behind, and a materialized view, hold rows of their own: they
come as tables whose every column is masked until the policy says otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter

from guard.catalog import Catalog, Column, ForeignKey, Table
from guard.engines.postgres_reading import Session, literal
from redaction.entities import MASKED


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Relation(_Part):
    oid: int
    schema_: str
    name: str
    kind: Literal["r", "p", "v", "m"]
    rows: float
    definition: str | None
    reads: list[int]


class _Column(_Part):
    relation: int
    number: int
    name: str
    type: str
    nullable: bool
    generated: bool


class _Constraint(_Part):
    relation: int
    kind: Literal["p", "u", "f"]
    columns: list[int]
    other: int
    references: list[int]


_Row = TypeVar("_Row", bound=_Part)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A reflected catalog, and the number of each of its tables on the server."""

    catalog: Catalog
    numbers: dict[str, int]


_READERS = "(SELECT unnest(ARRAY[session_user::text, {roles}]))"
_RELATIONS = """
SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
  'oid', c.oid::int8, 'schema_', n.nspname, 'name', c.relname, 'kind', c.relkind,
  'rows', c.reltuples::float8,
  'definition', CASE WHEN c.relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(c.oid) END,
  'reads', COALESCE((
    SELECT pg_catalog.json_agg(DISTINCT d.refobjid::int8)
    FROM pg_catalog.pg_rewrite w JOIN pg_catalog.pg_depend d
      ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid
      AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> c.oid
    WHERE w.ev_class = c.oid AND c.relkind = 'v'), '[]'::json)))::text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (ARRAY[{schemas}]::name[]) AND c.relkind IN ('r', 'p', 'v', 'm')
  AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid)
  AND EXISTS (SELECT 1 FROM {readers} AS x(role)
    WHERE pg_catalog.has_schema_privilege(x.role, n.oid, 'USAGE')
    AND pg_catalog.has_any_column_privilege(x.role, c.oid, 'SELECT'))
"""
_COLUMNS = """
SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
  'relation', a.attrelid::int8, 'number', a.attnum::int8, 'name', a.attname,
  'type', CASE t.typtype
    WHEN 'd' THEN pg_catalog.format_type(t.typbasetype, t.typtypmod)
    WHEN 'e' THEN 'enum ' || pg_catalog.format_type(a.atttypid, a.atttypmod)
    ELSE pg_catalog.format_type(a.atttypid, a.atttypmod) END,
  'nullable', NOT a.attnotnull, 'generated', a.attgenerated <> '' OR a.attidentity = 'a')
  ORDER BY a.attrelid, a.attnum)::text
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = ANY (ARRAY[{oids}]::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
  AND EXISTS (SELECT 1 FROM {readers} AS x(role)
    WHERE pg_catalog.has_column_privilege(x.role, a.attrelid, a.attnum, 'SELECT'))
"""
_CONSTRAINTS = """
SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
  'relation', conrelid::int8, 'kind', contype, 'columns', conkey,
  'other', confrelid::int8, 'references', COALESCE(confkey, '{{}}'::int2[]))
  ORDER BY conrelid, conname)::text
FROM pg_catalog.pg_constraint
WHERE conrelid = ANY (ARRAY[{oids}]::oid[]) AND contype IN ('p', 'f')
"""
_UNIQUE = """
SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
  'relation', indrelid::int8, 'kind', 'u', 'columns', indkey::int2[],
  'other', 0, 'references', '{{}}'::int2[]) ORDER BY indrelid, indexrelid)::text
FROM pg_catalog.pg_index
WHERE indrelid = ANY (ARRAY[{oids}]::oid[]) AND (indisunique OR indisexclusion)
  AND NOT indisprimary
"""
"""A column with the number 0 is an expression."""


_OWN = """
SELECT DISTINCT {name} FROM pg_catalog.{kind} o
WHERE o.{schema} <> 'pg_catalog'::regnamespace AND o.{schema} <> 'information_schema'::regnamespace
  AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.objid = o.oid
    AND d.classid = 'pg_catalog.{kind}'::regclass AND d.deptype = 'e')
"""
"""Functions and operators that neither the server nor one of its extensions brought."""


def reflect(session: Session, *, source: str, schemas: Sequence[str], roles: Sequence[str]) -> Seen:
    """Returns the catalog of the schemas, untagged. `roles` are those a statement may run as.

    A table of the first schema is called by its own name, one of another schema `schema.name`, so
    that a new table never takes the name of another in the policy. What two tables, or two columns
    of one table, would both be called without case is left out: unknown means no.
    """
    readers = _READERS.format(roles=", ".join(literal(r) for r in roles) or "NULL")
    relations = _asked(
        session,
        _RELATIONS.format(schemas=", ".join(map(literal, schemas)), readers=readers),
        TypeAdapter(list[_Relation]),
    )
    oids = ", ".join(str(r.oid) for r in relations) or "0"
    columns = _asked(
        session, _COLUMNS.format(oids=oids, readers=readers), TypeAdapter(list[_Column])
    )
    constraints = [
        constraint
        for query in (_CONSTRAINTS, _UNIQUE)
        for constraint in _asked(session, query.format(oids=oids), TypeAdapter(list[_Constraint]))
    ]
    relations.sort(key=lambda r: (schemas.index(r.schema_), r.name))
    names = {
        r.oid: r.name if r.schema_ == schemas[0] else f"{r.schema_}.{r.name}" for r in relations
    }
    taken = Counter(n.casefold() for n in names.values())
    kept = [r for r in relations if taken[names[r.oid].casefold()] == 1]
    first: dict[str, int] = {}
    for relation in relations:
        first.setdefault(relation.name, relation.oid)
    build = _Build(names, columns, constraints, frozenset(r.oid for r in kept))
    tables = tuple(t for r in kept if (t := build.table(r, bare=first[r.name] == r.oid)).columns)
    catalog = Catalog(
        source=source, dialect="postgres", tables=tables, shadowed=_somebodys(session)
    )
    return Seen(catalog=catalog, numbers={names[r.oid]: r.oid for r in kept})


def _somebodys(session: Session) -> frozenset[str]:
    kinds = (("pg_proc", "proname", "pronamespace"), ("pg_operator", "oprname", "oprnamespace"))
    queries = (_OWN.format(kind=k, name=n, schema=s) for k, n, s in kinds)
    return frozenset(name for q in queries for (name,) in session.ask(q) if name is not None)


def _asked(session: Session, query: str, kind: TypeAdapter[list[_Row]]) -> list[_Row]:
    (row,) = session.ask(query)
    return kind.validate_json(row[0] or "[]")


class _Build:
    """Puts tables together from what the server said."""

    def __init__(
        self,
        names: dict[int, str],
        columns: Iterable[_Column],
        constraints: Iterable[_Constraint],
        kept: frozenset[int],
    ) -> None:
        self._names = names
        self._kept = kept
        self._columns: dict[int, list[_Column]] = {}
        for column in columns:
            self._columns.setdefault(column.relation, []).append(column)
        self._constraints: dict[int, list[_Constraint]] = {}
        for constraint in constraints:
            self._constraints.setdefault(constraint.relation, []).append(constraint)

    def table(self, relation: _Relation, *, bare: bool) -> Table:
        opaque = relation.kind == "m" or (
            relation.kind == "v" and not self._kept.issuperset(relation.reads)
        )
        view = relation.kind == "v" and not opaque
        owned = self._constraints.get(relation.oid, [])
        keys = {n for c in owned if c.kind == "p" for n in c.columns}
        return Table(
            name=self._names[relation.oid],
            relation=relation.name,
            bare=bare,
            schema=relation.schema_,
            kind="view" if view else "table",
            columns=tuple(
                Column(
                    name=c.name,
                    type=c.type,
                    nullable=c.nullable,
                    primary_key=c.number in keys,
                    generated=c.generated,
                    tag=MASKED if opaque else None,
                )
                for c in self._told(relation.oid)
            ),
            foreign_keys=tuple(filter(None, (self._key(c) for c in owned if c.kind == "f"))),
            unique=tuple(self._unique(c) for c in owned if c.kind == "u"),
            definition=relation.definition if view else None,
            row_estimate=int(relation.rows) if relation.rows >= 0 and not view else None,
        )

    def _unique(self, index: _Constraint) -> tuple[str, ...]:
        """The index's columns that may be read, all where it holds an expression."""
        own = self._told(index.relation)
        expressions = 0 in index.columns
        return tuple(c.name for c in own if expressions or c.number in index.columns)

    def _told(self, oid: int) -> list[_Column]:
        """The columns whose names nothing else in the table has, whatever the case."""
        own = self._columns.get(oid, [])
        taken = Counter(c.name.casefold() for c in own)
        return [c for c in own if taken[c.name.casefold()] == 1]

    def _named(self, oid: int, numbers: Sequence[int]) -> tuple[str, ...]:
        """The names of columns, none where one of them is out of reach."""
        known = {c.number: c.name for c in self._told(oid)}
        return tuple(known[n] for n in numbers) if known.keys() >= set(numbers) else ()

    def _key(self, constraint: _Constraint) -> ForeignKey | None:
        columns = self._named(constraint.relation, constraint.columns)
        references = self._named(constraint.other, constraint.references)
        if not columns or not references or constraint.other not in self._kept:
            return None
        return ForeignKey(
            columns=columns, table=self._names[constraint.other], references=references
        )
