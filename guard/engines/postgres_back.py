"""Puts very many rows back: one statement a table for what goes, what changes and what returns.

The rows stand in temporary tables (`Staged`), whether they were just looked at or come from a
stored image. Each is found by its key and compared in all stored columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from guard.engines.child.faults import Fault
from guard.engines.postgres_capture import Counted
from guard.engines.postgres_large import Sum
from guard.engines.postgres_putback import unique_columns
from guard.engines.postgres_references import Moved, hangs, may_look, never_silent, relation
from guard.engines.postgres_session import Pair
from guard.engines.postgres_stage import Stage, Staged, added
from guard.engines.postgres_tables import (
    Connection,
    Reference,
    leaves_of,
    ordered,
    references_of,
    rows,
)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The rows of one table that are to be put back, and how many of each kind the change made."""

    staged: Staged
    inserted: int
    updated: int
    deleted: int


@dataclass(frozen=True, kw_only=True)
class Back:
    """What putting back came to. `silent` when no trigger ran, `same` when every row is proven."""

    silent: bool
    same: bool


def put_back(pair: Pair, stage: Stage, parts: Sequence[Rows | Sum]) -> Back:
    """Puts every row back as it was, with triggers switched off where that may be done.

    Raises:
        Fault: a row is not as the change left it (`changed_since`), or a reference would hang
            (`constraint`).
    """
    writer = pair.writer
    tables = [p.staged.table.oid for p in parts]
    references = references_of(writer, tables)
    silent = pair.silent and not never_silent(writer, tables)
    moved = list(_moved(writer, parts, references)) if silent else []
    silent = silent and may_look(writer, moved)
    before = stage.counted()
    writer.execute(
        "SET LOCAL session_replication_role = replica" if silent else "SET CONSTRAINTS ALL DEFERRED"
    )
    hits = _all_put_back(writer, parts, references, silent=silent)
    if not silent:
        writer.execute("SET CONSTRAINTS ALL IMMEDIATE")
        return Back(silent=False, same=False)
    if any(hangs(writer, m) for m in moved):
        raise Fault("constraint")
    writer.execute("SET LOCAL session_replication_role = origin")
    touched = _by_table(writer, added(before, stage.counted()))
    if not touched.keys() <= {p.staged.table.oid for p in parts}:
        return Back(silent=True, same=False)
    told = hits.same and touched == hits.touched
    return Back(silent=True, same=told or _as_before(writer, parts))


@dataclass(kw_only=True)
class _Hits:
    """How many rows each table's statements hit; `same` while they told what they left."""

    touched: dict[int, Counted]
    same: bool = True


def _by_table(writer: Connection, counts: Mapping[int, Counted]) -> dict[int, Counted]:
    """Returns the counts of tables, those of partitions added up."""
    found: dict[int, Counted] = {}
    for leaf in leaves_of(writer, list(counts)):
        one, other = counts[leaf.oid], found.get(leaf.root.oid)
        found[leaf.root.oid] = one if other is None else one.plus(other)
    return found


def _all_put_back(
    writer: Connection,
    parts: Sequence[Rows | Sum],
    references: Sequence[Reference],
    *,
    silent: bool,
) -> _Hits:
    """Removes and changes rows, children first; then adds them, parents first."""
    hits, adding = _Hits(touched={}), []
    for _, part in ordered([(p.staged.table, p) for p in parts], references):
        around = _around(writer, part, silent=silent)
        removed = part.inserted + around.count
        if removed:
            _hit(writer, around.removing, removed)
        changed = part.updated - around.count
        if changed:
            hits.same &= _set(writer, part.staged, around.condition, changed)
        adding.append((part, around, removed, changed))
    for part, around, removed, changed in reversed(adding):
        again = part.deleted + around.count
        if again:
            _hit(writer, around.adding, again)
            hits.same = False  # what an INSERT left is read again
        if again or changed or removed:
            hits.touched[part.staged.table.oid] = Counted(
                inserted=again, updated=changed, deleted=removed
            )
    return hits


@dataclass(frozen=True, kw_only=True)
class _Around:
    """Rows that are not changed in place but removed and added: `count` of the updated ones.

    `condition` is true of them, None where there can be none.
    """

    condition: str | None
    count: int
    removing: str
    adding: str


def _around(writer: Connection, part: Rows | Sum, *, silent: bool) -> _Around:
    """Returns what must go round: values that the engine alone sets, or that moved between rows."""
    staged = part.staged
    table = staged.table
    fixed = {c.name for c in table.columns if c.always_identity} | set(table.primary_key)
    if silent:
        fixed |= unique_columns(writer, table)
    # The key is equal, and equal whole numbers are the same.
    fixed -= {c.name for c in table.columns if c.name in table.primary_key and c.is_whole}
    condition = f"NOT {staged.alike('b', 'a', sorted(fixed))}" if fixed else None
    count = 0
    if condition is not None and part.updated:
        count = rows(
            writer,
            f"SELECT count(*) FROM {staged.before} b JOIN {staged.after} a "
            f"ON {staged.on('a', 'b')} WHERE {condition}",
        )[0][0]
    there = f"{staged.first_key('{}')} IS NULL" + (f" OR {condition}" if count else "")
    names = ", ".join(c.quoted for c in table.columns)
    return _Around(
        condition=condition if count else None,
        count=count,
        removing=f"DELETE FROM {table.quoted} t USING {staged.after} a LEFT JOIN {staged.before} b "
        f"ON {staged.on('a', 'b')} WHERE {staged.on_table('t', 'a')} "
        f"AND {staged.as_is('t', 'a')} AND ({there.replace('{}', 'b')})",
        adding=f"INSERT INTO {table.quoted} ({names}) OVERRIDING SYSTEM VALUE "
        f"SELECT {staged.cells('b')} FROM {staged.before} b LEFT JOIN {staged.after} a "
        f"ON {staged.on('a', 'b')} WHERE {there.replace('{}', 'a')}",
    )


def _set(writer: Connection, staged: Staged, around: str | None, wanted: int) -> bool:
    """Changes rows in place; true when each is told to hold just what it held before."""
    table = staged.table
    free = [
        (c, d)
        for c, d in zip(table.columns, staged.columns, strict=True)
        if c.name not in table.primary_key and not c.always_identity
    ]
    if not free:
        raise Fault("not_exact")
    sets = ", ".join(f"{c.quoted} = b.{d.quoted}" for c, d in free)
    hit, same = rows(
        writer,
        f"WITH done AS (UPDATE {table.quoted} t SET {sets} FROM {staged.before} b "
        f"JOIN {staged.after} a ON {staged.on('a', 'b')} WHERE {staged.on_table('t', 'a')} "
        f"AND {staged.as_is('t', 'a')}{f' AND NOT ({around})' if around else ''} "
        f"RETURNING {staged.as_is('t', 'b')} AS same) "
        "SELECT count(*), count(*) FILTER (WHERE same) FROM done",
    )[0]
    if hit != wanted:
        raise Fault("changed_since")
    return bool(same == hit)


def _hit(writer: Connection, statement: str, wanted: int) -> None:
    if writer.execute(statement).rowcount != wanted:
        raise Fault("changed_since")


def _as_before(writer: Connection, parts: Sequence[Rows | Sum]) -> bool:
    """True when every row that was there is there again and every new one is gone."""
    return all(_counts(writer, p.staged) == (p.updated + p.deleted, 0) for p in parts)


def _counts(writer: Connection, staged: Staged) -> tuple[int, int]:
    """Returns how many rows are as before, and how many new ones are there."""
    olds = (
        f"SELECT count(*) FROM {staged.before} b JOIN {staged.table.quoted} t "
        f"ON {staged.on_table('t', 'b')} WHERE {staged.as_is('t', 'b')}"
    )
    news = (
        f"SELECT count(*) FROM {staged.after} a LEFT JOIN {staged.before} b "
        f"ON {staged.on('a', 'b')} JOIN {staged.table.quoted} t ON {staged.on_table('t', 'a')} "
        f"WHERE {staged.first_key('b')} IS NULL"
    )
    return rows(writer, olds)[0][0], rows(writer, news)[0][0]


def stand_as(writer: Connection, staged: Staged, before: int, after: int) -> tuple[bool, bool]:
    """Returns whether the rows stand as before the change, and whether as after it."""
    olds, news = (
        rows(
            writer,
            f"SELECT count(*) FROM {name} x JOIN {staged.table.quoted} t "
            f"ON {staged.on_table('t', 'x')} WHERE {staged.as_is('t', 'x')}",
        )[0][0]
        for name in (staged.before, staged.after)
    )
    return (
        olds == before and (not after or news < after),
        news == after and (not before or olds < before),
    )


# References ---------------------------------------------------------------------------------------


def _moved(
    writer: Connection, parts: Sequence[Rows | Sum], references: Sequence[Reference]
) -> Iterator[Moved]:
    """Yields every reference of which rows put back change an end, with the values to look for."""
    by_oid = {p.staged.table.oid: p.staged for p in parts}
    for reference in references:
        for side, (oid, columns, partition) in zip(
            ("before", "after"), reference.ends, strict=True
        ):
            staged = by_oid.get(oid)
            if staged is None:
                continue
            keys = _keys_moved(staged, columns, side, partition)
            if rows(writer, f"SELECT EXISTS ({keys})")[0][0]:
                yield Moved(
                    reference=reference,
                    at_parent=side == "after",
                    keys=keys,
                    child=relation(writer, reference.child),
                    parent=relation(writer, reference.parent),
                )


def _keys_moved(staged: Staged, columns: Sequence[str], side: str, partition: bool) -> str:
    """Returns the query of the values of one end in rows of which it differs before and after."""
    if not set(columns) <= set(staged.table.names):
        raise Fault("not_exact")
    one, other = (
        (staged.before, staged.after) if side == "before" else (staged.after, staged.before)
    )
    named = [staged.columns[staged.table.names.index(c)] for c in columns]
    cells = ", ".join(f"x.{c.quoted} AS k{n}" for n, c in enumerate(named))
    full = " AND ".join(f"x.{c.quoted} IS NOT NULL" for c in named)
    return (
        f"SELECT DISTINCT {cells} FROM {one} x LEFT JOIN {other} y ON {staged.on('x', 'y')} "
        f"WHERE {full} AND ({str(partition).lower()} OR {staged.first_key('y')} IS NULL "
        f"OR NOT {staged.alike('x', 'y', list(columns))})"
    )
