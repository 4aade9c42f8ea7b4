"""The rows of a large change as a small database in memory: what is hashed, and what takes it back.

Each touched table has up to three tables there, one a kind of row: its rowid `k`, its cells before
(`b0`, `b1`, …) and after (`a0`, …). Of an updated row only the columns that differ in any row are
kept after. They are filled in key order: the same change always gives the same bytes. `k` is a
column like others: adding to the end of a table is quicker than looking whether a key is there.

https://www.sqlite.org/c3ref/serialize.html
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import heapq
import sqlite3
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

from guard.engines.child.faults import Fault
from guard.engines.child.images import Row, TableChange, Touched
from guard.engines.child.names import quoted
from guard.engines.child.sqlite_beside import Beside, differ, prepare
from guard.engines.child.sqlite_tables import Table
from guard.engines.child.summed import KINDS, Kind, Summed

CHANGE = "gatehouse_change"
"""The attached database that takes the rows of a change."""
GIVEN = "gatehouse_given"
"""The attached database with the rows of an earlier change, which are to be put back."""
_FIRST = "gatehouse_first"
"""The attached database with the rows of a first run, to compare a second one with."""
_HASHED = "gatehouse_hashed"
"""The attached database that takes a change without the columns that are not compared."""
_CHUNK = 50_000
_PAGE_BYTES = 16_384
_FILLED: tuple[Kind, ...] = ("updated", "inserted", "deleted")
"""The order in which the tables are made, which the bytes depend on."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """The rows of one table: where they are, how many, and the columns that differ in updated ones.

    Rowids of new rows count from `base`: what others have added meanwhile makes no difference.
    """

    schema: str
    number: int
    table: Table
    changed: tuple[str, ...]
    counts: Mapping[Kind, int]
    base: int = 0

    @property
    def total(self) -> int:
        """How many rows there are."""
        return sum(self.counts.values())

    @property
    def typed(self) -> Sequence[str]:
        """The columns that are set when the rows are put back."""
        return self.changed if self.total == self.counts["updated"] else self.table.columns

    def place(self, kind: Kind) -> str:
        """Returns the table that holds the rows of a kind."""
        return f"{self.schema}.{kind}_{self.number}"

    def after(self, kind: Kind, letter: str) -> dict[str, str]:
        """Returns where each column's value after the change is, in a row of a kind."""
        held = {"inserted": self.table.columns, "updated": self.changed, "deleted": ()}[kind]
        return self._cells(letter, lambda column: "a" if column in held else "b")

    def before(self, letter: str) -> dict[str, str]:
        """Returns where each column's value before the change is."""
        return self._cells(letter, lambda _: "b")

    def _cells(self, letter: str, side: Callable[[str], str]) -> dict[str, str]:
        places = enumerate(self.table.columns)
        return {
            c: f"{letter}.{'k' if c == self.table.alias else f'{side(c)}{i}'}" for i, c in places
        }


def attach(connection: sqlite3.Connection, image: Mapping[str, Any] | None) -> None:
    """Makes room for a change, and shows the rows of the image of an earlier one, if it has any.

    Raises:
        Fault: the image is not as it was stored.
    """
    for name in (CHANGE, _HASHED):
        connection.execute(f"ATTACH ':memory:' AS {name}")
        connection.execute(f"PRAGMA {name}.page_size={_PAGE_BYTES}")
    if image and "rows" in image:
        data = zlib.decompress(base64.b64decode(image["rows"]))
        if hashlib.sha256(data).hexdigest() != image["sha256"]:
            raise Fault("changed_since")
        connection.execute(f"ATTACH ':memory:' AS {GIVEN}")
        connection.deserialize(data, name=GIVEN)


def written(
    connection: sqlite3.Connection,
    number: int,
    beside: Beside,
    columns: Sequence[str],
    heard: Callable[[int], None],
) -> Part:
    """Takes the rows of one table that differ; only `columns` may in rows that were there before.

    `heard` is told after each piece how many rows of the table were taken, and may end it.
    """
    table = beside.table
    changed = beside.differing(connection, columns)
    counts: dict[Kind, int] = dict.fromkeys(KINDS, 0)
    part = Part(schema=CHANGE, number=number, table=table, changed=changed, counts=counts)
    base = 0
    for kind in _FILLED if changed else _FILLED[1:]:
        if kind == _FILLED[1] and not beside.has_others(connection, counts["updated"]):
            break
        key = f"{'n' if kind == 'inserted' else 'o'}.{table.rowid}"
        found = f"FROM {beside.rows(kind, changed)}"
        first = connection.execute(f"SELECT {key} {found} ORDER BY {key} LIMIT 1").fetchone()
        if first is None:
            continue
        less = first[0] if kind == "inserted" and table.alias is None else 0
        base = less or base
        _make(connection, part, kind)
        name = f"{key} - {less}" if less else key
        cells, last = ", ".join([name, *_cells(part, kind)]), ""
        while True:
            taken = connection.execute(
                f"INSERT INTO {part.place(kind)} "
                f"SELECT {cells} {found} {last} ORDER BY {key} LIMIT {_CHUNK}"
            ).rowcount
            counts[kind] += taken
            heard(sum(counts.values()))
            if taken < _CHUNK:
                break
            ends = f"SELECT k FROM {part.place(kind)} ORDER BY rowid DESC LIMIT 1"
            (end,) = connection.execute(ends).fetchone()
            last = f"AND {key} > {end + less}"
    return replace(part, base=base)


def _make(connection: sqlite3.Connection, part: Part, kind: Kind) -> None:
    """Makes the table for the rows of a kind; its columns keep every value as it is."""
    cells = ", ".join(["k", *_names(part, kind)])
    connection.execute(f"CREATE TABLE {part.place(kind)}({cells})")


def _names(part: Part, kind: Kind, gone: Collection[str] = ()) -> list[str]:
    """Returns the names of the cells in the rows of a kind, without those of some columns after."""
    olds = [] if kind == "inserted" else list(part.before("x").values())
    news = [cell for c, cell in part.after(kind, "x").items() if c not in gone]
    return [name.removeprefix("x.") for name in dict.fromkeys(olds + news) if name != "x.k"]


def _cells(part: Part, kind: Kind) -> list[str]:
    """Returns where the engine holds those cells."""
    columns = [c for c in part.table.columns if c != part.table.alias]
    olds = [] if kind == "inserted" else [f"o.{quoted(c)}" for c in columns]
    news = {"inserted": columns, "updated": part.changed, "deleted": ()}[kind]
    return [*olds, *(f"n.{quoted(c)}" for c in columns if c in news)]


def bytes_of(connection: sqlite3.Connection) -> bytes:
    """Returns the change as it stands in memory: the same rows always give the same bytes."""
    return connection.serialize(name=CHANGE)


def hash_of(
    connection: sqlite3.Connection,
    parts: Sequence[Part],
    sha256: Future[str],
    left_out: Mapping[str, Collection[str]],
) -> str:
    """Returns the SHA-256 of a change without some columns after; `sha256` is that of all of it."""
    if not any(left_out.get(part.table.name) for part in parts):
        return sha256.result()
    for part in parts:
        there = replace(part, schema=_HASHED)
        for kind in (k for k in KINDS if part.counts[k]):
            gone = set(left_out.get(part.table.name, ()))
            cells = _names(part, kind, gone)
            key = "NULL" if kind == "inserted" and part.table.alias in gone else "k"
            connection.execute(f"CREATE TABLE {there.place(kind)}({', '.join(['k', *cells])})")
            connection.execute(
                f"INSERT INTO {there.place(kind)} SELECT {', '.join([key, *cells])} "
                f"FROM {part.place(kind)} ORDER BY rowid"
            )
    return hashlib.sha256(connection.serialize(name=_HASHED)).hexdigest()


@contextlib.contextmanager
def runs(first: bytes, second: bytes) -> Iterator[sqlite3.Connection]:
    """Yields the bytes of two runs beside each other, apart from any file."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    with contextlib.closing(connection):
        prepare(connection)
        # What is attached has to have the text encoding of what was there before.
        for name, data in (("main", second), (_FIRST, first)):
            if name != "main":
                connection.execute(f"ATTACH ':memory:' AS {name}")
            connection.deserialize(data, name=name)
            connection.execute(f"SELECT count(*) FROM {name}.sqlite_master").fetchone()
        yield connection


def moving(
    connection: sqlite3.Connection, firsts: Sequence[Part], parts: Sequence[Part]
) -> dict[str, list[str]]:
    """Returns by table the columns that a second run gave other values; both are there as `runs`.

    None of a table in which the runs did not touch the same rows as they were, and add as many:
    then nothing is left out of the comparison, and what runs will differ.
    """
    found = {}
    by_number = {first.number: replace(first, schema=_FIRST) for first in firsts}
    for second in parts:
        first, part = by_number.get(second.number), replace(second, schema="main")
        if first is None or first.counts != part.counts or not _same_rows(connection, first, part):
            continue
        names = [c for c in part.table.columns if _moves(connection, first, part, c)]
        if names:
            found[part.table.name] = names
    return found


def _same_rows(connection: sqlite3.Connection, first: Part, part: Part) -> bool:
    """True where both runs found the same rows, by their keys and all that was in them."""
    olds, news = first.before("x"), part.before("n")
    pairs = [(c, olds[c], news[c]) for c in part.table.columns if c != part.table.alias]
    unlike = differ(part.table, pairs, part.table.columns)
    return not any(
        connection.execute(
            f"SELECT EXISTS (SELECT 1 FROM {_paired(first, part, kind)} "
            f"WHERE n.k <> x.k OR {unlike})"
        ).fetchone()[0]
        for kind in KINDS
        if kind != "inserted" and part.counts[kind]
    )


def _paired(first: Part, part: Part, kind: Kind) -> str:
    """Returns the FROM clause of rows of two runs by their place, each in key order."""
    return f"{first.place(kind)} x CROSS JOIN {part.place(kind)} n ON n.rowid = x.rowid"


def _moves(connection: sqlite3.Connection, first: Part, part: Part, column: str) -> bool:
    """True where a column differs in the same row; new rows are told apart by their order."""
    for kind in ("inserted", "updated"):
        if not part.counts[kind]:
            continue
        one, other = (p.after(kind, x)[column] for p, x in ((first, "x"), (part, "n")))
        if kind == "inserted":
            ones, others = (_ranked(p, column) for p in (first, part))
            there, one, other = f"{ones} x JOIN {others} n ON n.rank = x.rank", "x.cell", "n.cell"
        else:
            there = _paired(first, part, kind)
        unlike = differ(part.table, [(column, one, other)], [column])
        ask = f"SELECT EXISTS (SELECT 1 FROM {there} WHERE {unlike})"
        if connection.execute(ask).fetchone()[0]:
            return True
    return False


def _ranked(part: Part, column: str) -> str:
    cell = part.after("inserted", "x")[column]
    ranks = f"SELECT {cell} AS cell, row_number() OVER (ORDER BY x.rowid) AS rank"
    return f"({ranks} FROM {part.place('inserted')} x)"


def image_of(parts: Sequence[Part], data: bytes, sha256: str) -> dict[str, object]:
    """Returns the rows as JSON values. `sha256` is that of the bytes."""
    return {
        "engine": "sqlite",
        "tables": {
            part.table.name: {
                "columns": list(part.table.columns),
                "changed": list(part.changed),
                "counts": dict(part.counts),
                "number": part.number,
                "base": part.base,
            }
            for part in parts
            if part.total
        },
        "sha256": sha256,
        "rows": base64.b64encode(zlib.compress(data, 1)).decode(),
    }


def parts_of(image: Mapping[str, Any], tables: Sequence[Table]) -> list[Part]:
    """Returns the rows of an image that is attached.

    Raises:
        Fault: one of its tables is another one now.
    """
    by_name = {t.name: t for t in tables}
    found = []
    for name, kept in image["tables"].items():
        table = by_name.get(name)
        if table is None or list(table.columns) != kept["columns"] or table.rowid is None:
            raise Fault("changed_since")
        found.append(
            Part(
                schema=GIVEN,
                number=kept["number"],
                table=table,
                changed=tuple(kept["changed"]),
                counts=kept["counts"],
                base=kept["base"],
            )
        )
    return found


def told(
    connection: sqlite3.Connection,
    part: Part,
    sha256: str,
    left_out: Collection[str],
    *,
    few_rows: int,
    shown_rows: int,
) -> TableChange:
    """Returns what the table went through: its first rows, or all where there are `few_rows`."""
    few = part.total <= few_rows
    most = few_rows if few else shown_rows
    keyed = [_first(connection, part, kind, most) for kind in KINDS if part.counts[kind]]
    rows = [row for _, row in heapq.merge(*keyed, key=lambda pair: pair[0])][:most]
    return TableChange(
        table=part.table.name,
        columns=part.table.columns,
        primary_key=part.table.primary_key,
        rows=tuple(rows),
        summed=None if few else _summed(part, sha256),
        summed_without=frozenset(left_out),
    )


def _summed(part: Part, sha256: str) -> Summed:
    inserted, updated, deleted = (part.counts[kind] for kind in KINDS)
    return Summed(inserted=inserted, updated=updated, deleted=deleted, sha256=sha256)


def _first(
    connection: sqlite3.Connection, part: Part, kind: Kind, most: int
) -> Iterator[tuple[int, Touched]]:
    width = len(part.table.columns)
    olds = [] if kind == "inserted" else list(part.before("x").values())
    news = [] if kind == "deleted" else list(part.after(kind, "x").values())
    base = part.base if kind == "inserted" else 0
    found = connection.execute(
        f"SELECT k + {base}, {', '.join(olds + news)} FROM {part.place(kind)} x "
        "ORDER BY x.rowid LIMIT ?",
        (most,),
    )
    for key, *cells in found.fetchall():
        before: Row | None = tuple(cells[:width]) if olds else None
        yield key, Touched(before=before, after=tuple(cells[-width:]) if news else None)
