"""A change of very many PostgreSQL rows: compared and hashed on the server, streamed past here.

1 the rows that are gone come from the witness, in key order, and are hashed on their way to the
writer  2 the writer adds the new ones beside them  3 they are paired by key; what did not really
change is dropped  4 the new ones pass by in key order and are hashed
Only the hashes, the counts and the rows that somebody wants to see are kept here.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import psycopg

from guard.engines.child.faults import Fault
from guard.engines.child.images import Row, Touched
from guard.engines.postgres_capture import (
    NUMBERS,
    Counted,
    Heard,
    makers_of,
    unreadable,
    within,
)
from guard.engines.postgres_session import Pair
from guard.engines.postgres_stage import Stage, Staged, may_stage
from guard.engines.postgres_stream import Block, copied_out, heads
from guard.engines.postgres_tables import Leaf, rows

LARGE = 20_000
"""More touched rows than this are looked at in this way."""
_FORMAT = b"gatehouse copied 1\n"
_KINDS = {"i": "inserted", "u": "updated", "s": "same"}
_SURE = """
SELECT count(*) = 0 FROM pg_index WHERE indrelid = ANY ($1::oid[])
  AND (indisunique OR indisexclusion) AND NOT indimmediate
"""


@dataclass(frozen=True, kw_only=True)
class Sum:
    """The net change of one table, whose rows stand in `staged`.

    `shown` are the first rows in key order. `sums` tell one column's values from others, where they
    were asked for: for each column in key order, then for each in any order.
    """

    staged: Staged
    inserted: int
    updated: int
    deleted: int
    before_hash: str
    after_hash: str
    shown: tuple[Touched, ...] = ()
    sums: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """How many rows really changed."""
        return self.inserted + self.updated + self.deleted

    def touches(self, other: Sum) -> bool:
        """Returns whether both are about the same rows, as they were before."""
        same = (self.counts, self.before_hash) == (other.counts, other.before_hash)
        return same and self.staged.table == other.staged.table

    @property
    def counts(self) -> Mapping[str, int]:
        """How many of each kind."""
        return {"inserted": self.inserted, "updated": self.updated, "deleted": self.deleted}


class Comparing(Protocol):
    """Compares a second run with the first."""

    def differing(self, table: str, names: Sequence[str], sums: Sequence[str]) -> Sequence[str]:
        """Returns the columns of a table that had other sums in the first run."""
        ...

    def agrees(self, found: Sum) -> bool:
        """Returns whether the first run touched the same rows; if not, nothing is left out."""
        ...


def fits(pair: Pair, counts: Mapping[int, Counted], leaves: Sequence[Leaf], least: int) -> bool:
    """True when many rows were touched, and their keys tell all of them apart at any moment."""
    touched = max((c.inserted + c.updated + c.deleted for c in counts.values()), default=0)
    if touched <= least or not all(leaf.plain and leaf.root.primary_key for leaf in leaves):
        return False
    tables = sorted({oid for leaf in leaves for oid in (leaf.oid, leaf.root.oid)})
    return may_stage(pair.writer) and bool(rows(pair.writer, _SURE, tables)[0][0])


class Large:
    """Looks at what an open transaction has changed; `left_out` are columns not compared."""

    def __init__(
        self,
        pair: Pair,
        stage: Stage,
        *,
        heard: tuple[Heard, Heard],
        shown_rows: int,
        left_out: Mapping[str, Collection[str]],
        second: Comparing | None = None,
    ) -> None:
        """`second` says which columns to leave out, in place of `left_out`."""
        self._pair = pair
        self._stage = stage
        self._olds, self._news = heard
        self._shown_rows = shown_rows
        self._left_out = left_out
        self._second = second

    def sums(self, leaves: Sequence[Leaf], counts: Mapping[int, Counted]) -> list[Sum]:
        """Returns every table's net change, in name order, those without one included.

        Raises:
            Fault: rows that cannot all be seen.
            Refused: a table that the write role may not read.
        """
        tables = sorted({le.root.oid: le.root for le in leaves}.values(), key=lambda t: t.name)
        try:
            staged = self._stage.make(tables)
        except psycopg.errors.InsufficientPrivilege:
            raise unreadable(tables[0]) from None
        return [
            self._sum(one, [le for le in leaves if le.root.oid == one.table.oid], counts)
            for one in staged
        ]

    def _sum(self, staged: Staged, leaves: Sequence[Leaf], counts: Mapping[int, Counted]) -> Sum:
        try:
            hashed = self._filled(staged, leaves, counts)
            found = None if hashed is None else self._paired(staged, *hashed)
            if found is None:
                # Somebody else's lock, a part of the transaction, or a row touched twice.
                (staged,) = self._stage.make([staged.table])
                count = self._every_mark(staged, leaves, counts)
                found = self._paired(staged, count, None, sure=True)
        except psycopg.errors.InsufficientPrivilege:
            raise unreadable(staged.table) from None
        if found is None:
            raise Fault("not_exact")
        return replace(found, shown=self._shown(staged))

    # The rows --------------------------------------------------------------------------------

    def _filled(
        self, staged: Staged, leaves: Sequence[Leaf], counts: Mapping[int, Counted]
    ) -> tuple[int, str | None] | None:
        """Adds the rows that bear the transaction's mark; None where they are not as many.

        Returns how many are gone, and their hash where they came in key order.
        """
        own = f"= '{self._pair.xid % NUMBERS}'::xid"
        total, digest = 0, hashlib.sha256(_FORMAT)
        for leaf in leaves:
            gone, new = _gone_and_new(counts[leaf.oid])
            if gone:
                query = f"{self._rows_of(staged, leaf)} WHERE t.xmax {own} ORDER BY {_keys(leaf)}"
                blocks = self._passing(copied_out(self._pair.witness, query), digest, self._olds)
                if self._stage.take_in(staged.before, staged, blocks, at=False) != gone:
                    return None
            if new and self._added(staged, leaf, f"t.xmin {own}") != new:
                return None
            total += gone
        return total, digest.hexdigest() if len(leaves) == 1 else None

    def _every_mark(
        self, staged: Staged, leaves: Sequence[Leaf], counts: Mapping[int, Counted]
    ) -> int:
        """Adds the rows with any mark, without those still there: the difference must be exact."""
        writer, total = self._pair.writer, 0
        for leaf in leaves:
            gone, new = _gone_and_new(counts[leaf.oid])
            query = f"{self._rows_of(staged, leaf, 't.ctid, ')} WHERE t.xmax <> '0'::xid"
            blocks = self._passing(copied_out(self._pair.witness, query), None, self._olds)
            before = self._stage.take_in(staged.before, staged, blocks, at=True)
            before -= _run(
                writer,
                f"DELETE FROM {staged.before} b USING ONLY {leaf.quoted} t WHERE t.ctid = b.place",
            )
            _run(writer, f"UPDATE {staged.before} SET place = NULL WHERE place IS NOT NULL")
            after = self._added(staged, leaf, within(self._pair.xid))
            net = counts[leaf.oid].inserted - counts[leaf.oid].deleted
            fits = after - before == net and before <= gone and after <= new
            if not fits or leaf.root.row_security:
                raise Fault("not_exact")
            total += before
        return total

    def _rows_of(self, staged: Staged, leaf: Leaf, more: str = "") -> str:
        cells = ", ".join(f"t.{c.quoted}" for c in staged.table.columns)
        return f"SELECT {more}{cells} FROM ONLY {leaf.quoted} t"

    def _added(self, staged: Staged, leaf: Leaf, condition: str) -> int:
        names = ", ".join(c.quoted for c in staged.columns)
        found = _run(
            self._pair.writer,
            f"INSERT INTO {staged.after} ({names}) {self._rows_of(staged, leaf)} WHERE {condition}",
        )
        self._news.read(0)
        return found

    def _passing(
        self, blocks: Iterator[Block], digest: hashlib._Hash | None, heard: Heard
    ) -> Iterator[Block]:
        for block in blocks:
            if digest is not None:
                digest.update(b"".join(block))
            heard.read(len(block))
            yield block

    # What came of them -----------------------------------------------------------------------

    def _paired(
        self, staged: Staged, before: int, before_hash: str | None, *, sure: bool = False
    ) -> Sum | None:
        """Pairs the rows by key; None where one that seemed to be gone is still there."""
        sums = self._column_sums(staged)
        left_out = self._leaving_out(staged, sums)
        kinds, after_hash = self._hashed(staged, left_out)
        deleted = before - kinds["updated"] - kinds["same"]
        if deleted and not sure and self._still_there(staged):
            return None
        if kinds["same"]:
            self._drop_same(staged)
            before_hash = None
        found = Sum(
            staged=staged,
            inserted=kinds["inserted"],
            updated=kinds["updated"],
            deleted=deleted,
            before_hash=before_hash or self._before_hash(staged),
            after_hash=after_hash,
            sums=sums,
        )
        if left_out and self._second is not None and not self._second.agrees(found):
            return replace(found, after_hash=self._hashed(staged, ())[1])
        return found

    def _leaving_out(self, staged: Staged, sums: Sequence[str]) -> Sequence[str]:
        name = staged.table.name
        if self._second is not None:
            return self._second.differing(name, staged.table.names, sums)
        return [c for c in staged.table.names if c in self._left_out.get(name, ())]

    def _hashed(self, staged: Staged, left_out: Sequence[str]) -> tuple[Counter[str], str]:
        """Returns how many of the new rows are of each kind, and the hash of those that differ."""
        cells = staged.cells("a", left_out)
        order = staged.keys("a")
        if set(left_out) & set(staged.table.primary_key):
            order = f'kind, (ROW({cells})::text) COLLATE "C"'
        query = (
            f"SELECT CASE WHEN {staged.first_key('b')} IS NULL THEN 'i' "
            f"WHEN {staged.alike('b', 'a')} THEN 's' ELSE 'u' END AS kind{cells and ', '}{cells} "
            f"FROM {staged.after} a LEFT JOIN {staged.before} b ON {staged.on('a', 'b')} "
            f"ORDER BY {order}"
        )
        digest, found = hashlib.sha256(_FORMAT), Counter[str]()
        for block in copied_out(self._pair.writer, query):
            kinds = heads(block)
            same = kinds.count(b"s")
            digest.update(b"".join(row for row in block if row[:1] != b"s" or not same))
            for letter, kind in _KINDS.items():
                found[kind] += kinds.count(letter.encode())
            self._news.read(len(block))
        return found, digest.hexdigest()

    def _before_hash(self, staged: Staged) -> str:
        digest = hashlib.sha256(_FORMAT)
        order = staged.keys("b")
        query = f"SELECT {staged.cells('b')} FROM {staged.before} b ORDER BY {order}"
        for block in copied_out(self._pair.writer, query):
            digest.update(b"".join(block))
        return digest.hexdigest()

    def _still_there(self, staged: Staged) -> bool:
        """True when a row without a new version is only locked: the writer still sees its key."""
        return bool(
            rows(
                self._pair.writer,
                f"SELECT EXISTS (SELECT FROM {staged.before} b JOIN {staged.table.quoted} t "
                f"ON {staged.on_table('t', 'b')} WHERE NOT EXISTS (SELECT FROM {staged.after} a "
                f"WHERE {staged.on('a', 'b')}))",
            )[0][0]
        )

    def _drop_same(self, staged: Staged) -> None:
        """Leaves out the rows that were written as they were."""
        key = [staged.columns[n].quoted for n in staged.table.key]
        named = ", ".join(f"b.{c}" for c in key)
        on = " AND ".join(f"a.{c} = gone.{c}" for c in key)
        _run(
            self._pair.writer,
            f"WITH gone AS (DELETE FROM {staged.before} b USING {staged.after} a WHERE "
            f"{staged.on('a', 'b')} AND {staged.alike('b', 'a')} RETURNING {named}) "
            f"DELETE FROM {staged.after} a USING gone WHERE {on}",
        )

    def _column_sums(self, staged: Staged) -> tuple[str, ...]:
        """Returns one number a column, of its new values and where they stand in key order.

        Then come as many again, of the values wherever they stand.
        """
        if self._second is None:
            return ()
        parts = ", ".join(
            f"coalesce(sum(hashtextextended({place} || coalesce('=' || {c.text('o')}, ''), 0)"
            "::numeric), 0)::text"
            for place in ("n", "''")
            for c in staged.columns
        )
        found = rows(
            self._pair.writer,
            f"SELECT {parts} FROM (SELECT row_number() OVER (ORDER BY {staged.keys('a')}) AS n, "
            f"a.* FROM {staged.after} a) o",
        )
        return tuple(found[0])

    def _shown(self, staged: Staged) -> tuple[Touched, ...]:
        """Returns the first rows in key order: the first of either side hold all of those."""
        most, width = self._shown_rows, len(staged.columns)
        if not most:
            return ()
        cells = ", ".join(c.text(alias) for alias in "ba" for c in staged.columns)
        first = {
            side: f"(SELECT * FROM {name} x ORDER BY {staged.keys('x')} LIMIT {most})"
            for side, name in (("b", staged.before), ("a", staged.after))
        }
        keys = [staged.columns[n].quoted for n in staged.table.key]
        order = ", ".join(f"coalesce(b.{c}, a.{c})" for c in keys)
        found = rows(
            self._pair.writer,
            f"SELECT {staged.first_key('b')} IS NULL, {staged.first_key('a')} IS NULL, {cells} "
            f"FROM {first['b']} b FULL JOIN {first['a']} a ON {staged.on('a', 'b')} "
            f"ORDER BY {order} LIMIT {most}",
        )
        makers = makers_of(staged.table)

        def row(texts: Sequence[str | None]) -> Row:
            return tuple(None if v is None else m(v) for m, v in zip(makers, texts, strict=True))

        return tuple(
            Touched(
                before=None if is_new else row(values[:width]),
                after=None if is_gone else row(values[width:]),
            )
            for is_new, is_gone, *values in found
        )


def _gone_and_new(counts: Counted) -> tuple[int, int]:
    return counts.updated + counts.deleted, counts.inserted + counts.updated


def _keys(leaf: Leaf) -> str:
    return ", ".join(f"t.{leaf.root.columns[n].quoted}" for n in leaf.root.key)


def _run(connection: psycopg.Connection[tuple[object, ...]], statement: str) -> int:
    return connection.execute(statement).rowcount
