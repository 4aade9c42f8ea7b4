"""The rows of one table before and after a change, kept on the server until the transaction ends.

Two temporary tables hold them, so that they can be compared, hashed and put back by the server
itself. Their columns are `c0`, `c1` ... in the order of the table's stored ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from guard.engines.child.faults import Fault
from guard.engines.postgres_capture import Counted
from guard.engines.postgres_session import Pair
from guard.engines.postgres_stream import Block, copied_in
from guard.engines.postgres_tables import Column, Connection, Table, rows

_MEMORY = "64MB"
"""What a step may take on the server to sort and to join, and to hold temporary rows."""
_SETTINGS = (
    f"SET LOCAL work_mem = '{_MEMORY}'",
    # Nothing is known of the rows in temporary tables: a loop over them may take for ever.
    "SET LOCAL enable_nestloop = off",
    "SET LOCAL jit = off",
)
_CATALOG_COUNTS = """
SELECT relid::int8, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_xact_all_tables
WHERE n_tup_ins + n_tup_upd + n_tup_del > 0 AND schemaname IN ('pg_catalog', 'information_schema')
"""
_ROW_COUNTS = """
SELECT relid::int8, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_xact_all_tables
WHERE n_tup_ins + n_tup_upd + n_tup_del > 0 AND relid <> ALL ($1::oid[])
  AND schemaname NOT IN ('pg_catalog', 'information_schema') AND schemaname NOT LIKE 'pg\\_toast%'
"""
_MAY_STAGE = """
SELECT has_database_privilege(current_database(), 'TEMPORARY')
"""


@dataclass(frozen=True, kw_only=True)
class Staged:
    """One table's rows on the server. `before` and `after` name the two tables, as SQL."""

    table: Table
    before: str
    after: str

    @property
    def columns(self) -> tuple[Column, ...]:
        """The table's stored columns under the names they have here."""
        return tuple(replace(c, name=f"c{n}") for n, c in enumerate(self.table.columns))

    def cells(self, alias: str, left_out: Sequence[str] = ()) -> str:
        """Returns the columns as a list, without those of the table that are left out."""
        pairs = zip(self.table.names, self.columns, strict=True)
        return ", ".join(f"{alias}.{c.quoted}" for name, c in pairs if name not in left_out)

    def keys(self, alias: str) -> str:
        """Returns the columns of the primary key as a list."""
        return ", ".join(f"{alias}.{self.columns[n].quoted}" for n in self.table.key)

    def first_key(self, alias: str) -> str:
        """Returns one column that is never null."""
        return f"{alias}.{self.columns[self.table.key[0]].quoted}"

    def on(self, one: str, other: str) -> str:
        """Returns the condition that two rows of these tables have the same key."""
        names = [self.columns[n].quoted for n in self.table.key]
        return " AND ".join(f"{one}.{c} = {other}.{c}" for c in names)

    def on_table(self, there: str, here: str) -> str:
        """Returns the condition that a row of the table itself has the key of one of these."""
        return " AND ".join(
            f"{there}.{self.table.columns[n].quoted} = {here}.{self.columns[n].quoted}"
            for n in self.table.key
        )

    def alike(self, one: str, other: str, names: Sequence[str] | None = None) -> str:
        """Returns the condition that two rows of these tables hold the same, in all columns."""
        places = _places(self.table, names)
        own = [self.columns[n] for n in places]
        return _alike([(one, c) for c in own], [(other, c) for c in own])

    def as_is(self, there: str, here: str) -> str:
        """Returns the condition that a row of the table itself holds the same as one of these."""
        return _alike([(there, c) for c in self.table.columns], [(here, c) for c in self.columns])


def _places(table: Table, names: Sequence[str] | None) -> list[int]:
    return [n for n, c in enumerate(table.names) if names is None or c in names]


_CANONICAL = frozenset((16, 17, 20, 21, 23, 25, 26, 1042, 1043, 1082, 1083, 1114, 1184, 1700, 2950))
"""Types of which the same text is always stored as the same bytes: numbers, texts, times, uuid."""


def _alike(one: Sequence[tuple[str, Column]], other: Sequence[tuple[str, Column]]) -> str:
    """Compares stored bytes, which is quick; where these differ, the texts of types that may.

    The same bytes are the same text. https://www.postgresql.org/docs/18/functions-comparisons.html
    """
    pairs = list(zip(one, other, strict=True))
    loose = [pair for pair in pairs if pair[0][1].base not in _CANONICAL]
    if not loose:
        return _same_bytes(pairs)
    texts = [f"{c.text(a)} IS NOT DISTINCT FROM {d.text(b)}" for (a, c), (b, d) in loose]
    others = [pair for pair in pairs if pair not in loose]
    parts = " AND ".join([_same_bytes(others), *texts] if others else texts)
    return f"({_same_bytes(pairs)} OR ({parts}))"


def _same_bytes(pairs: Sequence[tuple[tuple[str, Column], tuple[str, Column]]]) -> str:
    sides = (", ".join(f"{a}.{c.quoted}" for a, c in side) for side in zip(*pairs, strict=True))
    one, other = sides
    return f"pg_catalog.record_image_eq(ROW({one}), ROW({other}))"


def may_stage(connection: Connection) -> bool:
    """True when the login may make temporary tables."""
    return bool(rows(connection, _MAY_STAGE)[0][0])


class Stage:
    """Makes such tables in one open transaction, and tells their rows from those of the change."""

    def __init__(self, pair: Pair) -> None:
        """Makes nothing yet."""
        self._pair = pair
        self._made: list[int] = []
        self._number = 0
        self._catalog: set[tuple[int, ...]] = set()

    def make(self, tables: Iterable[Table]) -> list[Staged]:
        """Returns empty tables for the rows of these.

        Everything before must have been counted: what this does to the catalog is its own.
        """
        writer = self._pair.writer
        if not self._made:
            writer.execute(f"SET LOCAL temp_buffers = '{_MEMORY}'")
            for statement in _SETTINGS:
                writer.execute(statement)
                self._pair.witness.execute(statement)
        found = [self._make_one(table) for table in tables]
        self._catalog = set(rows(writer, _CATALOG_COUNTS))
        return found

    def _make_one(self, table: Table) -> Staged:
        names = []
        own = ", ".join(f"c{n}" for n in range(len(table.columns)))
        cells = ", ".join(f"t.{c.quoted}" for c in table.columns)
        for side in ("before", "after"):
            self._number += 1
            name = f"pg_temp.gatehouse_{side}_{self._number}"
            self._pair.writer.execute(
                f"CREATE TEMPORARY TABLE {name} (place, {own}) ON COMMIT DROP AS "
                f"SELECT NULL::tid, {cells} FROM {table.quoted} t WITH NO DATA"
            )
            self._made.append(rows(self._pair.writer, "SELECT $1::regclass::oid::int8", name)[0][0])
            names.append(name)
        return Staged(table=table, before=names[0], after=names[1])

    def counted(self) -> dict[int, Counted]:
        """Returns the server's counts by relation, without the tables made here.

        Raises:
            Fault: the catalog was changed by somebody else.
        """
        writer = self._pair.writer
        if set(rows(writer, _CATALOG_COUNTS)) != self._catalog:
            raise Fault("not_exact")
        return {
            oid: Counted(inserted=i, updated=u, deleted=d)
            for oid, i, u, d in rows(writer, _ROW_COUNTS, self._made)
        }

    def take_in(self, target: str, staged: Staged, blocks: Iterator[Block], *, at: bool) -> int:
        """Adds lines to one of the tables, `at` their places; returns how many there were."""
        names = ["place"] if at else []
        names += [c.quoted for c in staged.columns]
        return copied_in(self._pair.writer, f"{target} ({', '.join(names)})", blocks)


def added(counts: Mapping[int, Counted], other: Mapping[int, Counted]) -> dict[int, Counted]:
    """Returns by how much the second counts are more, where they are."""
    nothing = Counted(inserted=0, updated=0, deleted=0)
    found = {}
    for oid, after in other.items():
        before = counts.get(oid, nothing)
        more = Counted(
            inserted=after.inserted - before.inserted,
            updated=after.updated - before.updated,
            deleted=after.deleted - before.deleted,
        )
        if more != nothing:
            found[oid] = more
    return found
