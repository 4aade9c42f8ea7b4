"""References that a way back could leave hanging: the engine checks none while triggers are off."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from guard.engines.child.faults import Fault
from guard.engines.child.names import quoted
from guard.engines.postgres_putback import Part, Texts, chunks
from guard.engines.postgres_tables import Column, Connection, Reference, Table, rows


def check_references(
    writer: Connection, parts: Sequence[Part], references: Iterable[Reference]
) -> None:
    """Looks for references that hang, since the engine does not while triggers are off."""
    by_oid = {t.oid: (t, kept) for t, kept in parts}
    for reference in references:
        for side, (oid, columns, partition) in enumerate(reference.ends):
            if oid in by_oid:
                table, kept = by_oid[oid]
                moved = _moved(table, kept, columns, partition)
                _check_one(
                    writer, reference, table, columns, [p[side] or [] for p in moved if p[side]]
                )


def _moved(
    table: Table,
    kept: Sequence[tuple[Texts | None, Texts | None]],
    columns: Sequence[str],
    partition: bool,
) -> list[tuple[Texts | None, Texts | None]]:
    """Returns the rows of which a reference, or what it points at, differs before and after."""
    places = [i for i, c in enumerate(table.names) if c in columns]
    if len(places) != len(set(columns)):
        raise Fault("not_exact")
    return [
        (b, a) for b, a in kept if partition or not b or not a or any(b[i] != a[i] for i in places)
    ]


@dataclass(frozen=True, kw_only=True)
class Moved:
    """A reference of which one end differs before and after, in very many rows.

    `keys` is the query of its values there, as `k0`, `k1` ...; the relations are named as SQL.
    `at_parent` tells which end: then rows of anybody may refer to these.
    """

    reference: Reference
    at_parent: bool
    keys: str
    child: str
    parent: str


def hangs(writer: Connection, moved: Moved) -> bool:
    """True when a child row points at one of these keys and no parent row has it."""
    pairs = list(zip(moved.reference.child_columns, moved.reference.parent_columns, strict=True))
    child = " AND ".join(f"c.{quoted(a)} = k.k{n}" for n, (a, _) in enumerate(pairs))
    parent = " AND ".join(f"p.{quoted(b)} = c.{quoted(a)}" for a, b in pairs)
    return bool(
        rows(
            writer,
            f"SELECT EXISTS (SELECT FROM ({moved.keys}) k JOIN {moved.child} c ON {child} "
            f"WHERE NOT EXISTS (SELECT FROM {moved.parent} p WHERE {parent}))",
        )[0][0]
    )


def may_look(writer: Connection, moved: Sequence[Moved]) -> bool:
    """True when the login may read both ends of these references, and every row that may hang."""
    return _readable(writer, [(m.reference, m.at_parent) for m in moved])


# A row that is pointed at and hidden is taken for missing, which refuses. Rows put back are seen:
# they are compared with what they were. Others that refer and are hidden would be left hanging.
_READABLE = """
SELECT bool_and(has_column_privilege(a.attrelid, a.attnum, 'SELECT')
  AND NOT (u.wholly AND row_security_active(a.attrelid))) FROM unnest($1::oid[],
  $2::text[], $3::bool[]) AS u(o, n, wholly)
  JOIN pg_attribute a ON a.attrelid = u.o AND a.attname = u.n
"""
_NEVER_SILENT = """
WITH wanted AS (
  SELECT o FROM unnest($1::oid[]) AS u(o)
  UNION SELECT p.relid FROM unnest($1::oid[]) AS u(o), pg_partition_tree(u.o) p)
SELECT EXISTS (SELECT FROM pg_index WHERE indrelid IN (SELECT o FROM wanted)
  AND (indisunique OR indisexclusion) AND NOT indimmediate)
  OR EXISTS (SELECT FROM pg_trigger WHERE tgrelid IN (SELECT o FROM wanted)
    AND tgenabled IN ('A', 'R'))
  OR EXISTS (SELECT FROM pg_rewrite WHERE ev_class IN (SELECT o FROM wanted)
    AND ev_enabled IN ('A', 'R'))
"""


def never_silent(writer: Connection, oids: Sequence[int]) -> bool:
    """True when triggers of one of these tables, or a partition of it, must stay as they are.

    The engine checks a DEFERRABLE key with a trigger, so it checks none while triggers are off; and
    a trigger or rule that is enabled ALWAYS or for replicas would run just then.
    """
    return bool(rows(writer, _NEVER_SILENT, list(oids))[0][0])


def may_check(writer: Connection, parts: Sequence[Part], references: Sequence[Reference]) -> bool:
    """True when the login may read both ends of the references that move, and all that may hang.

    With triggers off the engine checks none, so whoever cannot look must leave them on.
    """
    by_oid = {t.oid: (t, kept) for t, kept in parts}
    return _readable(
        writer,
        [
            (r, at_parent == 1)
            for r in references
            for at_parent, (own, columns, partition) in enumerate(r.ends)
            if own in by_oid and _moved(*by_oid[own], columns, partition)
        ],
    )


def _readable(writer: Connection, references: Iterable[tuple[Reference, bool]]) -> bool:
    wanted = {
        (oid, name, whole)
        for r, at_parent in references
        for oid, names, whole in (
            (r.child, r.child_columns, at_parent),
            (r.parent, r.parent_columns, False),
        )
        for name in names
    }
    if not wanted:
        return True
    oids, names, wholly = ([w[n] for w in wanted] for n in range(3))
    return bool(rows(writer, _READABLE, oids, names, wholly)[0][0])


def _check_one(
    writer: Connection,
    reference: Reference,
    table: Table,
    columns: Sequence[str],
    images: Sequence[Texts],
) -> None:
    """Raises `Fault` when a child row points at one of these keys and no parent row has it."""
    by_name: dict[str, tuple[int, Column]] = {c.name: (i, c) for i, c in enumerate(table.columns)}
    if not all(c in by_name for c in columns):
        raise Fault("not_exact")
    places = [by_name[c] for c in columns]
    keys = sorted({tuple(i[n] for n, _ in places) for i in images}, key=repr)
    wanted = [k for k in keys if None not in k]
    cells = ", ".join(f"k{n}" for n in range(len(places)))
    marks = ", ".join(f"${n + 1}::text[]" for n in range(len(places)))
    child = " AND ".join(
        f"c.{quoted(name)} = k.k{n}::{column.type}"
        for n, (name, (_, column)) in enumerate(zip(reference.child_columns, places, strict=True))
    )
    parent = " AND ".join(
        f"p.{quoted(b)} = c.{quoted(a)}"
        for a, b in zip(reference.child_columns, reference.parent_columns, strict=True)
    )
    for part in chunks(wanted):
        found = rows(
            writer,
            f"SELECT 1 FROM unnest({marks}) AS k({cells}) JOIN {relation(writer, reference.child)}"
            f" c ON {child} WHERE NOT EXISTS (SELECT 1 FROM {relation(writer, reference.parent)} p"
            f" WHERE {parent}) LIMIT 1",
            *[[key[n] for key in part] for n in range(len(places))],
        )
        if found:
            raise Fault("constraint")


def relation(connection: Connection, oid: int) -> str:
    """Returns the rows that a foreign key of this relation is about, as SQL after FROM.

    Those of tables that inherit from it do not count, those of its partitions do.
    """
    schema, name, partitioned = rows(
        connection,
        "SELECT n.nspname, c.relname, c.relkind = 'p' FROM pg_class c JOIN pg_namespace n "
        "ON n.oid = c.relnamespace WHERE c.oid = $1::oid",
        oid,
    )[0]
    return f"{'' if partitioned else 'ONLY '}{quoted(schema)}.{quoted(name)}"
