"""What a change has done in the open transaction, and taking it back there: few rows or very many.

Few rows are all read and compared here; very many stay on the server (`postgres_large.py`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import psycopg
from pydantic import TypeAdapter

from guard.diff import Cell, RowChange, RowKind, TableDiff
from guard.engines.base import ChangeCaps, Told, unheard
from guard.engines.child import images
from guard.engines.child.faults import Fault
from guard.engines.child.images import Row, TableChange, Touched
from guard.engines.child.writing import Capture, carries_now
from guard.engines.postgres_back import put_back
from guard.engines.postgres_capture import (
    Counted,
    Found,
    capped,
    captured,
    hearing,
    sha256_of,
)
from guard.engines.postgres_images import image_of, is_back, kept_in, out_of_reach, replay
from guard.engines.postgres_large import LARGE, Large, Sum, fits
from guard.engines.postgres_largeimage import packed
from guard.engines.postgres_session import Pair
from guard.engines.postgres_stage import Stage
from guard.engines.postgres_tables import Leaf, definitions_of, leaves_of

_CELL: TypeAdapter[Cell] = TypeAdapter(Cell)
_KIND: TypeAdapter[RowKind] = TypeAdapter(RowKind)
_DIFFS = TypeAdapter(tuple[TableDiff, ...])
Decided = Mapping[str, Sequence[str]]
"""The columns whose values are only known when it runs, by table."""


@dataclass(frozen=True, kw_only=True)
class Open:
    """An open transaction in which a change ran: who it was counted to, and what it may cost.

    `least` is how many rows of a table are not yet very many.
    """

    pair: Pair
    stage: Stage
    caps: ChangeCaps
    told: Told
    counts: Mapping[int, Counted]
    leaves: Sequence[Leaf]
    least: int

    @property
    def relations(self) -> list[int]:
        """The touched tables and partitions, as the server numbers them."""
        return sorted({oid for leaf in self.leaves for oid in (leaf.oid, leaf.root.oid)})


def opened(
    pair: Pair, stage: Stage, caps: ChangeCaps, told: Told, *, least: int | None = None
) -> Open:
    """Returns what the server counted of what ran. Raises `Fault` for far too many rows."""
    counts = stage.counted()
    capped(counts, caps.max_rows)
    return Open(
        pair=pair,
        stage=stage,
        caps=caps,
        told=told,
        counts=counts,
        leaves=leaves_of(pair.writer, list(counts)),
        least=LARGE if least is None else least,
    )


@dataclass(frozen=True, kw_only=True)
class Left:
    """Rows of one table that taking back left as the change made them, by their kind.

    `kept` says that the login may not change them.
    """

    table: str
    counts: Mapping[str, int]
    kept: bool


class Done(Protocol):
    """A change that ran in an open transaction."""

    @property
    def total(self) -> int:
        """How many rows really changed on all tables."""
        ...

    @property
    def schema_hash(self) -> str:
        """SHA-256 of what defines the touched tables."""
        ...

    @property
    def unkeyed(self) -> Sequence[str]:
        """The touched tables without a primary key."""
        ...

    def may_carry_now(self) -> bool:
        """True when a new value may be this moment: a second run must see another second."""
        ...

    def decided(self, first: Done) -> Decided:
        """Returns the columns that differ from a first run of the same change."""
        ...

    def tables(self, decided: Decided) -> tuple[TableDiff, ...]:
        """Returns what reviewers see; hashes leave out the columns that are `decided`."""
        ...

    def image(self) -> bytes:
        """Returns what takes the change back later."""
        ...

    def taken_back(self) -> Sequence[Left] | None:
        """Takes it back in its own transaction; returns what is left then, None if it fails."""
        ...


def done(run: Open, *, left_out: Decided, twice: bool = False, first: Done | None = None) -> Done:
    """Returns what the transaction has changed up to now.

    `left_out` are columns to leave out of the hashes of very many rows. With `twice` it can be
    compared with a second run; `first` is the run to compare with.

    Raises:
        Fault: more rows than may be, or rows that cannot all be seen.
        Refused: a table that the write role may not read.
    """
    if not fits(run.pair, run.counts, run.leaves, run.least):
        return FewRows(run)
    return ManyRows(run, left_out, twice=twice, first=first)


class FewRows:
    """A change whose rows are all here."""

    def __init__(self, run: Open) -> None:
        """Reads them. Raises as `done`."""
        self._run = run
        self.found: Found = captured(run.pair, run.counts, run.leaves, run.caps.max_rows, run.told)
        touched = [
            (table, {row.kind for row in change.rows})
            for change, table in zip(self.found.tables, self.found.roots, strict=True)
        ]
        kept = out_of_reach(run.pair.writer, touched)
        self._image = image_of(self.found, run.pair.xid, kept)

    @property
    def total(self) -> int:
        """Returns how many rows really changed on all tables."""
        return sum(t.total for t in self.found.tables)

    @property
    def schema_hash(self) -> str:
        """Returns the SHA-256 of what defines the touched tables."""
        return self.found.schema_hash

    @property
    def unkeyed(self) -> Sequence[str]:
        """Returns the touched tables without a primary key."""
        return [t.table for t in self.found.tables if not t.primary_key]

    def may_carry_now(self) -> bool:
        """Returns whether a new value may be this moment."""
        return carries_now(Capture(tables=self.found.tables, image={}, schema_hash=""))

    def decided(self, first: Done) -> Decided:
        """Returns the columns that differ from those of the first run."""
        if not isinstance(first, FewRows):
            return {}
        return images.decided(first.found.tables, self.found.tables)

    def tables(self, decided: Decided) -> tuple[TableDiff, ...]:
        """Returns what reviewers see."""
        fields = images.describe(self.found.tables, decided, self._run.caps.shown_rows)
        return _DIFFS.validate_python(fields)

    def image(self) -> bytes:
        """Returns what takes the change back later."""
        return json.dumps(self._image, separators=(",", ":")).encode()

    def taken_back(self) -> Sequence[Left] | None:
        """No trigger ran where all of it was silent: then every statement hit what it named."""
        run, kept = self._run, kept_in(self._image)
        try:
            before = run.stage.counted()
            silent = replay(run.pair, self._image)
            others = [t for t in self.found.tables if t.table not in kept]
            if silent and all(t.primary_key for t in others):
                same = run.stage.counted().keys() <= before.keys()
                if not same or not is_back(run.pair.writer, self._image):
                    return None
                return [_left(t, kept) for t in self.found.tables if t.table in kept]
            now = opened(run.pair, run.stage, run.caps, unheard)
            net = captured(now.pair, now.counts, now.leaves, now.caps.max_rows)
            return [_left(t, kept) for t in net.tables]
        except (Fault, psycopg.Error):
            return None


def _left(table: TableChange, kept: frozenset[str]) -> Left:
    counts = Counter(row.kind for row in table.rows)
    return Left(table=table.table, counts=counts, kept=table.table in kept)


@dataclass(kw_only=True)
class _Comparing:
    """Tells by the sums of a first run which columns of a table differ."""

    first: Mapping[str, Sum]
    found: dict[str, Sequence[str]] = field(default_factory=dict)

    def differing(self, table: str, names: Sequence[str], sums: Sequence[str]) -> Sequence[str]:
        """Returns the columns whose sums differ.

        Where a key does, nothing says which new row is which: then the values of a column count,
        wherever they stand.
        """
        other = self.first.get(table)
        if other is None:
            return []
        unlike = [one != two for one, two in zip(sums, other.sums, strict=True)]
        differing = [n for n, is_unlike in zip(names, unlike, strict=False) if is_unlike]
        key = set(other.staged.table.primary_key)
        if key & set(differing):
            values = dict(zip(names, unlike[len(names) :], strict=True))
            differing = [n for n in differing if n in key or values[n]]
        if differing:
            self.found[table] = differing
        return differing

    def agrees(self, found: Sum) -> bool:
        """Forgets what differs where the rows that were touched are not the same ones."""
        table = found.staged.table.name
        other = self.first.get(table)
        same = other is not None and other.touches(found)
        if not same:
            self.found.pop(table, None)
        return same


class ManyRows:
    """A change of very many rows, which stay on the server."""

    def __init__(self, run: Open, left_out: Decided, *, twice: bool, first: Done | None) -> None:
        """Looks at them. Raises as `done`."""
        self._run = run
        known = {s.staged.table.name: s for s in first.sums} if isinstance(first, ManyRows) else {}
        comparing = _Comparing(first=known) if twice else None
        large = Large(
            run.pair,
            run.stage,
            heard=hearing(run.counts, run.told),
            shown_rows=run.caps.shown_rows,
            left_out=left_out,
            second=comparing,
        )
        self.sums: list[Sum] = [s for s in large.sums(run.leaves, run.counts) if s.total]
        if self.total > run.caps.max_rows:
            raise Fault("too_many_rows")
        self._left_out = left_out if comparing is None else comparing.found
        tables = [s.staged.table for s in self.sums]
        self.schema_hash = sha256_of(definitions_of(run.pair.writer, [t.oid for t in tables]))
        touched = [(s.staged.table, [k for k, n in s.counts.items() if n]) for s in self.sums]
        self._kept = out_of_reach(run.pair.writer, touched)

    @property
    def total(self) -> int:
        """Returns how many rows really changed on all tables."""
        return sum(s.total for s in self.sums)

    @property
    def unkeyed(self) -> Sequence[str]:
        """Returns the touched tables without a primary key."""
        return ()

    def may_carry_now(self) -> bool:
        """Returns whether a new value may be this moment."""
        return True

    def decided(self, first: Done) -> Decided:
        """Returns the columns that differ from those of the first run."""
        del first
        return self._left_out

    def tables(self, decided: Decided) -> tuple[TableDiff, ...]:
        """Returns what reviewers see."""
        return tuple(_described(s, decided.get(s.staged.table.name, ())) for s in self.sums)

    def image(self) -> bytes:
        """Returns what takes the change back later."""
        return packed(self._run.pair.writer, self.sums, self._run.pair.xid, self._kept)

    def taken_back(self) -> Sequence[Left] | None:
        """Takes it back; a way back that was silent is proven row by row."""
        run = self._run
        parts = [s for s in self.sums if s.staged.table.name not in self._kept]
        try:
            back = put_back(run.pair, run.stage, parts)
            if back.silent:
                if not back.same:
                    return None
                kept = [s for s in self.sums if s.staged.table.name in self._kept]
                return [Left(table=s.staged.table.name, counts=s.counts, kept=True) for s in kept]
            again = opened(run.pair, run.stage, run.caps, run.told, least=run.least)
            left = ManyRows(again, {}, twice=False, first=None)
            return [self._left(s) for s in left.sums]
        except (Fault, psycopg.Error):
            return None

    def _left(self, found: Sum) -> Left:
        name = found.staged.table.name
        counts = {kind: count for kind, count in found.counts.items() if count}
        return Left(table=name, counts=counts, kept=name in self._kept)


def _described(found: Sum, decided: Sequence[str]) -> TableDiff:
    table = found.staged.table
    return TableDiff(
        table=table.name,
        columns=table.names,
        primary_key=table.primary_key,
        inserted=found.inserted,
        updated=found.updated,
        deleted=found.deleted,
        rows=tuple(_row(r) for r in found.shown),
        before_hash=found.before_hash,
        after_hash=found.after_hash,
        decided=tuple(decided),
    )


def _row(touched: Touched) -> RowChange:
    return RowChange(
        kind=_KIND.validate_python(touched.kind),
        before=_cells(touched.before),
        after=_cells(touched.after),
    )


def _cells(row: Row | None) -> tuple[Cell, ...] | None:
    return None if row is None else tuple(_CELL.validate_python(images.cell(v)) for v in row)
