"""The tables of a PostgreSQL database as the write role sees them: columns, keys, references.

A partition counts as its topmost parent: rows move between partitions, requests name the parent.
Facts come from `pg_catalog`; https://www.postgresql.org/docs/18/catalogs.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg

from guard.engines.child.faults import Fault
from guard.engines.child.names import quoted

Connection = psycopg.Connection[tuple[Any, ...]]

WHOLE = frozenset({21, 23, 20})
"""`int2`, `int4` and `int8`."""
_PRINTED = frozenset({1042, 869, 18})
"""`bpchar`, `inet` and `"char"`: a cast to text gives them another form than the server prints."""
_FIRST_MADE = 16_384
"""Types from this number on are somebody's own, and so may be their cast to text.
https://www.postgresql.org/docs/18/system-catalog-initial-data.html#SYSTEM-CATALOG-OID-ASSIGNMENT"""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A stored column. `base` is the type's oid with domains looked through, `type` its SQL."""

    name: str
    type: str
    base: int
    always_identity: bool

    @property
    def quoted(self) -> str:
        """The name as SQL."""
        return quoted(self.name)

    @property
    def is_whole(self) -> bool:
        """True for whole numbers, of which equal ones are the same text."""
        return self.base in WHOLE

    def text(self, alias: str) -> str:
        """Returns the SQL for the value as text that reads back as the very same value."""
        place = f"{alias}.{self.quoted}"
        if self.base in _PRINTED or self.base >= _FIRST_MADE:
            # IS NOT NULL is false of a composite value with a null in it.
            return f"CASE WHEN {place} IS DISTINCT FROM NULL THEN format('%s', {place}) END"
        return f"{place}::text"


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table, or a partitioned table with all its partitions.

    `name` is what people call it: with its schema, unless that is the first of the search path.
    """

    oid: int
    schema: str
    relation: str
    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    row_security: bool

    @property
    def quoted(self) -> str:
        """The name as SQL, with its schema."""
        return f"{quoted(self.schema)}.{quoted(self.relation)}"

    @property
    def names(self) -> tuple[str, ...]:
        """The stored columns in order."""
        return tuple(c.name for c in self.columns)

    @property
    def key(self) -> tuple[int, ...]:
        """Where the primary key's columns stand."""
        return tuple(self.names.index(c) for c in self.primary_key)


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """Where rows really are: a table, or one partition of it.

    `plain` is false for what another session cannot see or compare (temporary, foreign).
    """

    oid: int
    quoted: str
    plain: bool
    root: Table


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A foreign key from `child` to `parent`, column by column.

    Either may be a partition, of which only its own rows count; the roots are the topmost tables.
    """

    child: int
    parent: int
    child_root: int
    parent_root: int
    child_columns: tuple[str, ...]
    parent_columns: tuple[str, ...]

    @property
    def ends(self) -> tuple[tuple[int, tuple[str, ...], bool], tuple[int, tuple[str, ...], bool]]:
        """The child's and the parent's topmost table, its columns, and whether one partition of it.

        A row can move into a partition or out of it with these columns as they were.
        """
        return (
            (self.child_root, self.child_columns, self.child != self.child_root),
            (self.parent_root, self.parent_columns, self.parent != self.parent_root),
        )


_RELATIONS = """
SELECT c.oid::int8, n.nspname, c.relname, c.relkind = 'r' AND c.relpersistence <> 't',
       coalesce(pg_partition_root(c.oid)::oid, c.oid)::int8, row_security_active(c.oid),
       n.nspname = (current_schemas(false))[1]
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY ($1::oid[])
"""
_COLUMNS = """
SELECT a.attrelid::int8, a.attname, format_type(a.atttypid, a.atttypmod),
       coalesce(nullif(t.typbasetype, 0), t.oid)::int8, a.attidentity = 'a',
       CASE WHEN array_position(i.indkey::int2[], a.attnum) < i.indnkeyatts
         THEN array_position(i.indkey::int2[], a.attnum) ELSE -1 END,
       coalesce(i.indnkeyatts, 0)
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
ORDER BY a.attrelid, a.attnum
"""
_REFERENCES = """
WITH wanted AS (
  SELECT o FROM unnest($1::oid[]) AS u(o)
  UNION SELECT p.relid FROM unnest($1::oid[]) AS u(o), pg_partition_tree(u.o) p)
SELECT k.conrelid::int8, k.confrelid::int8,
  coalesce(pg_partition_root(k.conrelid)::oid, k.conrelid)::int8,
  coalesce(pg_partition_root(k.confrelid)::oid, k.confrelid)::int8,
  (SELECT array_agg(a.attname::text ORDER BY o) FROM unnest(k.conkey) WITH ORDINALITY u(n, o)
   JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n),
  (SELECT array_agg(a.attname::text ORDER BY o) FROM unnest(k.confkey) WITH ORDINALITY u(n, o)
   JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n)
FROM pg_constraint k
WHERE k.contype = 'f' AND k.conparentid = 0
  AND (k.conrelid IN (SELECT o FROM wanted) OR k.confrelid IN (SELECT o FROM wanted))
"""
_DEFINITIONS = """
WITH RECURSIVE wanted AS (
  SELECT unnest($1::oid[]) AS oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN wanted w
  ON w.oid = i.inhparent)
SELECT string_agg(line, E'\\n' ORDER BY line COLLATE "C") FROM (
  SELECT concat_ws('|', 'column', a.attrelid::regclass, a.attnum, a.attname,
      format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated, a.attidentity,
      pg_get_expr(d.adbin, d.adrelid)) AS line
  FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attrelid IN (SELECT oid FROM wanted) AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL SELECT concat_ws('|', 'constraint', conrelid::regclass, conname,
      pg_get_constraintdef(oid), condeferrable, condeferred)
  FROM pg_constraint WHERE conrelid IN (SELECT oid FROM wanted)
    OR confrelid IN (SELECT oid FROM wanted)
  UNION ALL SELECT concat_ws('|', 'index', pg_get_indexdef(indexrelid), indisvalid)
  FROM pg_index WHERE indrelid IN (SELECT oid FROM wanted)
  UNION ALL SELECT concat_ws('|', 'trigger', pg_get_triggerdef(t.oid), t.tgenabled, md5(p.prosrc))
  FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
  WHERE t.tgrelid IN (SELECT oid FROM wanted) AND NOT t.tgisinternal
  UNION ALL SELECT concat_ws('|', 'rule', ev_class::regclass, rulename, pg_get_ruledef(oid))
  FROM pg_rewrite WHERE ev_class IN (SELECT oid FROM wanted)
  UNION ALL SELECT concat_ws('|', 'policy', polrelid::regclass, polname, polcmd, polroles,
      pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
  FROM pg_policy WHERE polrelid IN (SELECT oid FROM wanted)
) AS lines
"""


def leaves_of(connection: Connection, oids: Sequence[int]) -> list[Leaf]:
    """Returns what the relations are. Raises `Fault` where one is gone."""
    found = rows(connection, _RELATIONS, list(oids))
    roots = roots_of(connection, sorted({r[4] for r in found}))
    if len(found) != len(set(oids)):
        raise Fault("not_exact")
    return [
        Leaf(
            oid=oid,
            quoted=f"{quoted(schema)}.{quoted(relation)}",
            plain=plain,
            root=roots[root],
        )
        for oid, schema, relation, plain, root, _, _ in found
    ]


def roots_of(connection: Connection, oids: Sequence[int]) -> dict[int, Table]:
    """Returns the tables with these oids; a partitioned one stands for its partitions."""
    columns = rows(connection, _COLUMNS, list(oids))
    found = {}
    for oid, schema, relation, _, _, security, first in rows(connection, _RELATIONS, list(oids)):
        own = [c for c in columns if c[0] == oid]
        keyed = sorted((c[5], c[1]) for c in own if c[5] is not None and c[5] >= 0)
        width = own[0][6] if own else 0
        found[oid] = Table(
            oid=oid,
            schema=schema,
            relation=relation,
            name=relation if first else f"{schema}.{relation}",
            columns=tuple(
                Column(name=name, type=sort, base=base, always_identity=always)
                for _, name, sort, base, always, _, _ in own
            ),
            # A key with a generated column has columns that nobody stores.
            primary_key=tuple(name for _, name in keyed) if len(keyed) == width else (),
            row_security=security,
        )
    return found


def named(connection: Connection, schema: str, relation: str) -> Table | None:
    """Returns the table of that exact name, None where there is none."""
    found = rows(
        connection,
        "SELECT c.oid::int8 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')",
        schema,
        relation,
    )
    return roots_of(connection, [found[0][0]])[found[0][0]] if found else None


def references_of(connection: Connection, oids: Sequence[int]) -> list[Reference]:
    """Returns the foreign keys from or to these tables or partitions of theirs."""
    return [
        Reference(
            child=child,
            parent=parent,
            child_root=child_root,
            parent_root=parent_root,
            child_columns=tuple(a),
            parent_columns=tuple(b),
        )
        for child, parent, child_root, parent_root, a, b in rows(
            connection, _REFERENCES, list(oids)
        )
    ]


def definitions_of(connection: Connection, oids: Sequence[int]) -> str:
    """Returns one text of all that defines these tables: what a fingerprint rests on."""
    return str(rows(connection, _DEFINITIONS, list(oids))[0][0] or "")


def rows(connection: Connection, statement: str, *given: object) -> list[tuple[Any, ...]]:
    """Runs a fixed query with `$1`, `$2` ... and returns its rows."""
    values = [_array(value) if isinstance(value, list) else value for value in given]
    with psycopg.RawCursor(connection) as cursor:
        return cursor.execute(statement, values or None).fetchall()


def _array(values: list[Any]) -> object:
    """Returns texts as one array in the server's own form: the driver takes twice as long.

    https://www.postgresql.org/docs/18/arrays.html#ARRAYS-IO
    """
    if not values or not all(value is None or type(value) is str for value in values):
        return values
    return "{" + ",".join(map(_element, values)) + "}"


def _element(text: str | None) -> str:
    if text is None:
        return "NULL"
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


_T = TypeVar("_T")


def ordered(
    parts: Sequence[tuple[Table, _T]], references: Iterable[Reference]
) -> list[tuple[Table, _T]]:
    """Returns the tables, children first; those in a circle in any order."""
    above = [(r.child_root, r.parent_root) for r in references if r.child_root != r.parent_root]
    left, found = list(parts), []
    while left:
        inside = {t.oid for t, _ in left}
        parents = {parent for child, parent in above if child in inside}
        free = [p for p in left if p[0].oid not in parents] or left[:1]
        found.extend(free)
        left = [p for p in left if p not in free]
    return found
