"""Rows before and after a change, as a worker finds them: net effect, hashes, cells, JSON.

A row is a tuple of plain values in the order of its table's columns. The texts made here are
compared between runs and stored, so the forms never change without a new format.
"""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import hashlib
import json
import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from guard.engines.child.summed import KINDS, LARGE, Summed, summed

Row = tuple[object, ...]
_CHUNK = 10_000


class Touched(NamedTuple):
    """The net change of one row: no `before` for an inserted one, no `after` for a deleted one."""

    before: Row | None
    after: Row | None

    @property
    def kind(self) -> str:
        """`inserted`, `updated` or `deleted`."""
        if self.before is None:
            return "inserted"
        return "deleted" if self.after is None else "updated"


@dataclass(frozen=True, kw_only=True)
class TableChange:
    """What one table went through, rows in key order.

    With `summed`, which says it all but the columns after in `summed_without`, `rows` may be only
    the first of them.
    """

    table: str
    columns: tuple[str, ...]
    primary_key: tuple[str, ...]
    rows: tuple[Touched, ...]
    summed: Summed | None = None
    summed_without: frozenset[str] = frozenset()

    @property
    def total(self) -> int:
        """How many rows were touched."""
        return len(self.rows) if self.summed is None else self.summed.total


@dataclass(kw_only=True)
class Net:
    """Adds up what happens to each row of one table, step by step."""

    _rows: dict[Hashable, tuple[Row | None, Row | None]] = field(default_factory=dict)

    def step(self, before: tuple[Hashable, Row] | None, after: tuple[Hashable, Row] | None) -> None:
        """Takes one insert, update or delete; a row is given with its key."""
        if before is not None and (after is None or before[0] != after[0]):
            self._end(*before)
        if after is not None:
            key, row = after
            if before is not None and before[0] == key:
                first = self._rows.get(key, (before[1], None))[0]
            else:
                first = self._rows.get(key, (None, None))[0]
            self._rows[key] = (first, row)

    def _end(self, key: Hashable, row: Row) -> None:
        first = self._rows.get(key, (row, None))[0]
        if first is None:
            del self._rows[key]
        else:
            self._rows[key] = (first, None)

    def olds(self) -> list[tuple[Hashable, Row]]:
        """Returns every touched row as it was, with its key, changed in the end or not."""
        return [(key, first) for key, (first, _) in self._rows.items() if first is not None]

    def rows(self) -> tuple[Touched, ...]:
        """Returns the rows that really differ, in key order."""
        found = [
            (key, Touched(before=b, after=a))
            for key, (b, a) in self._rows.items()
            if not same(b, a)
        ]
        return tuple(t for _, t in sorted(found, key=lambda pair: sort_text(pair[0])))


def same(one: Row | None, other: Row | None) -> bool:
    """True when two rows hold the same values of the same types."""
    if one is None or other is None:
        return one is other
    return line(one) == line(other)


def paired(before: Sequence[Row], after: Sequence[Row], key: Sequence[int]) -> list[Touched]:
    """Returns the rows that differ, in key order; the same key gone and new is an update.

    Without a key, equal rows cancel out and none is an update.
    """
    if not key:
        return _multiset(before, after)
    olds = {_key(row, key): row for row in before}
    news = {_key(row, key): row for row in after}
    touched = [
        (row, Touched(before=olds.get(k), after=news.get(k)))
        for k, row in {**olds, **news}.items()
        if not same(olds.get(k), news.get(k))
    ]
    places = list(key)
    return [t for _, t in sorted(touched, key=lambda p: sort_text(tuple(p[0][i] for i in places)))]


def _key(row: Row, places: Sequence[int]) -> tuple[object, ...]:
    return tuple(row[i] for i in places)


def _multiset(before: Sequence[Row], after: Sequence[Row]) -> list[Touched]:
    left: dict[str, list[Row]] = {}
    for row in before:
        left.setdefault(line(row), []).append(row)
    added = []
    for row in after:
        equal = left.get(line(row))
        if equal:
            equal.pop()
        else:
            added.append(row)
    touched = [Touched(before=row, after=None) for rows in left.values() for row in rows]
    touched += [Touched(before=None, after=row) for row in added]
    return sorted(touched, key=lambda t: sort_text(t.before or t.after or ()))


def line(row: Row) -> str:
    """Returns one text of a row that tells values and their types apart.

    Python's own form does, for the plain values of a row, and is made a row at a time.
    """
    return repr(row)


def sort_text(key: object) -> tuple[int, float, str]:
    """Returns what orders keys: numbers first, by value, then everything else by its text."""
    if isinstance(key, tuple) and len(key) == 1:
        return sort_text(key[0])
    if isinstance(key, int | float) and not isinstance(key, bool):
        return (0, float(key), "")
    return (1, 0.0, json.dumps(plain(key), default=str))


def plain(value: object) -> object:
    """Returns a JSON value that tells types apart: bytes, dates and decimals are marked."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return {"f": repr(value)} if not math.isfinite(value) else {"f": value.hex()}
    if isinstance(value, bytes | bytearray | memoryview):
        return {"b": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, list | tuple):
        return {"l": [plain(v) for v in value]}
    if isinstance(value, dict):
        return {"d": [[plain(k), plain(v)] for k, v in value.items()]}
    return {type(value).__name__: str(value)}


def cell(value: object) -> object:
    """Returns the value as it is shown."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"x'{bytes(value).hex()}'"
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, decimal.Decimal | dt.date | dt.time):
        return str(value)
    return json.dumps(plain(value), ensure_ascii=False, default=str)


def digest(rows: Iterable[Row], columns: Sequence[int]) -> str:
    """Returns the SHA-256 over the given columns of the rows, whatever their order."""
    places = list(columns)
    lines = [
        line(row if len(row) == len(places) else tuple(row[i] for i in places)) for row in rows
    ]
    lines.sort()
    found = hashlib.sha256()
    for start in range(0, len(lines), _CHUNK):
        part = "\n".join(lines[start : start + _CHUNK]) + "\n"
        found.update(part.encode("utf-8", "surrogatepass"))
    return found.hexdigest()


def decided(first: Sequence[TableChange], second: Sequence[TableChange]) -> dict[str, list[str]]:
    """Returns the columns whose values differ between two runs of the same statement, by table.

    None of a table in which the runs did not touch the same rows as they were, and add as many:
    then nothing is left out of the comparison, and what runs will differ.
    """
    found: dict[str, list[str]] = {}
    by_name = {t.table: t for t in second}
    for table in first:
        other = by_name.get(table.table)
        if other is None or other is table:
            continue
        ones, others = (_apart(t.rows) for t in (table, other))
        if [_found(row) for row in ones] != [_found(row) for row in others]:
            continue
        differing = [n for i, n in enumerate(table.columns) if _differs(ones, others, i)]
        key = set(table.primary_key)
        if not key or key & set(differing):
            # Nothing says which new row is which: a column's values count, wherever they stand.
            places = {n: table.columns.index(n) for n in differing}
            differing = [
                n for n in differing if n in key or _differs(ones, others, places[n], apart=True)
            ]
        if differing:
            found[table.table] = differing
    return found


def _differs(
    ones: Sequence[Touched], others: Sequence[Touched], place: int, *, apart: bool = False
) -> bool:
    """True when a column differs after two runs; with `apart` new rows may have changed places."""

    def values(rows: Sequence[Touched], new: bool) -> list[str]:
        return [
            repr(r.after[place]) for r in rows if r.after is not None and (r.before is None) is new
        ]

    news = values(ones, True), values(others, True)
    if apart:
        news = sorted(news[0]), sorted(news[1])
    return values(ones, False) != values(others, False) or news[0] != news[1]


def _apart(rows: Sequence[Touched]) -> list[Touched]:
    """Returns the rows that were there before, then the new ones, whose keys may move."""
    return sorted(rows, key=lambda row: row.before is None)


def _found(row: Touched) -> tuple[str, str]:
    """Returns what a run found of a row, and what kind of change it made."""
    return row.kind, repr(row.before)


def describe(
    changes: Sequence[TableChange], left_out: Mapping[str, Sequence[str]], shown_rows: int
) -> list[dict[str, object]]:
    """Returns the fields of one `TableDiff` per table, as JSON values."""
    return [_described(t, left_out.get(t.table, ()), shown_rows) for t in changes]


def _described(table: TableChange, left_out: Sequence[str], shown_rows: int) -> dict[str, object]:
    known = table.summed
    if table.summed_without != frozenset(left_out):
        known = None
    if known is None and len(table.rows) > LARGE and not left_out:
        known = summed(table.rows)
    if known is not None:
        counts = {"inserted": known.inserted, "updated": known.updated, "deleted": known.deleted}
        before_hash = after_hash = known.sha256
    else:
        everything = range(len(table.columns))
        compared = [i for i in everything if table.columns[i] not in left_out]
        counts = dict(Counter(row.kind for row in table.rows))
        before_hash = digest([r.before for r in table.rows if r.before is not None], everything)
        after_hash = digest([r.after for r in table.rows if r.after is not None], compared)
    return {
        "table": table.table,
        "columns": table.columns,
        "primary_key": table.primary_key,
        **{kind: counts.get(kind, 0) for kind in KINDS},
        "rows": [_shown(row) for row in table.rows[:shown_rows]],
        "before_hash": before_hash,
        "after_hash": after_hash,
        "decided": list(left_out),
    }


def _shown(row: Touched) -> dict[str, object]:
    return {
        "kind": row.kind,
        "before": None if row.before is None else [cell(v) for v in row.before],
        "after": None if row.after is None else [cell(v) for v in row.after],
    }
