"""Finding sealed records: segment after segment is read, newest first, and asked like the index.

That costs seconds for each hundred thousand records, so it is asked for on its own and can be left
at any moment.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from audit.chain import leaf_hash
from audit.encoding import canonical, timestamp
from audit.errors import Tampered
from audit.index import ENTRIES, entry_of
from audit.record import Record
from audit.sealing import Archive, Segment
from audit.search import Filter, expressions
from audit.storage import Row

_CHUNK: Final = 500
_LOGGED: Final = ',"logged":"'
_STAMP: Final = len("2026-11-20T08:16:18.000001Z")
_PLAIN: Final = re.compile(r"[a-z0-9]+")
_HEX: Final = re.compile(r"[0-9a-f]+")
Progress = Callable[[int, int], None]
"""Is told how many records were looked at, and of how many; what it raises ends the search."""


@dataclass(frozen=True, kw_only=True)
class SealedPage:
    """Sealed records that fit, newest first, and how many were looked at for them.

    `before` is where to go on; None when there is nothing older to look at.
    """

    records: tuple[Record, ...]
    looked: int
    before: int | None


class SealedSearch:
    """Answers filters from the files of the archive."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    def within(self, wanted: Filter, before: int | None = None) -> Sequence[Segment]:
        """Returns the segments that may hold what is wanted, newest first, without expired ones.

        Raises:
            Tampered: a manifest is damaged.
        """
        since = timestamp(wanted.since) if wanted.since else ""
        found, begins = [], ""
        for segment in self._archive.segments():
            late = wanted.until is not None and begins >= timestamp(wanted.until)
            newer = before is not None and segment.first >= before
            if segment.last_logged >= since and not late and not newer:
                found.append(segment)
            begins = segment.last_logged
        return [one for one in reversed(found) if self._archive.holds(one)]

    def page(
        self,
        wanted: Filter,
        *,
        limit: int,
        before: int | None,
        progress: Progress | None,
        reached: Callable[[SealedPage], None] | None = None,
    ) -> SealedPage:
        """Returns the newest `limit` records older than number `before` that fit.

        As in a search of the live records, words are taken as beginnings of words where nothing
        that was looked at has them as words. `reached` is given, after each segment, what the page
        would be if it ended there: whoever leaves the search can go on from it.

        Raises:
            Tampered: a segment is not what its manifest says. What was found cannot be relied on.
        """
        segments = self.within(wanted, before)
        total = sum(one.last - one.first + 1 for one in segments)
        looked = 0
        found: Sequence[list[Record]] = ([], [])
        with contextlib.closing(_Sieve(wanted)) as sieve:
            for segment in segments:
                newest = [deque[Record](maxlen=limit) for _ in found]
                lines = self._archive.lines(segment)
                while chunk := list(islice(lines, _CHUNK)):
                    fitting = [one for one in chunk if before is None or one[0] < before]
                    for kept, records in zip(newest, sieve.pass_through(fitting), strict=False):
                        kept.extend(records)
                    looked += len(chunk)
                    if progress is not None:
                        progress(looked, total)
                for all_, kept in zip(found, newest, strict=True):
                    all_.extend(islice(reversed(kept), limit - len(all_)))
                full = len(_first_of(found)) == limit
                if reached is not None and not full and segment is not segments[-1]:
                    so_far = tuple(_first_of(found))
                    reached(SealedPage(records=so_far, looked=looked, before=segment.first))
                if full:
                    break
        all_found = tuple(_first_of(found))
        more = len(all_found) == limit and all_found[-1].seq > segments[-1].first
        return SealedPage(
            records=all_found, looked=looked, before=all_found[-1].seq if more else None
        )


def _first_of(found: Sequence[list[Record]]) -> list[Record]:
    return next((one for one in found if one), found[0])


class _Sieve:
    """Lets through the records that fit, asking an index of a few records at a time."""

    def __init__(self, wanted: Filter) -> None:
        self._wanted = wanted
        self._ways = expressions(wanted)
        self._since = timestamp(wanted.since) if wanted.since else ""
        self._until = timestamp(wanted.until) if wanted.until else "~"
        one = (wanted.person, wanted.session, wanted.request, wanted.outcome, wanted.decision)
        some = [*((value,) for value in one if value), wanted.types, wanted.actors]
        self._exact = [[canonical(value) for value in values] for values in some if values]
        self._table = canonical((wanted.table or "").casefold())[1:-1]
        words = [part for word in wanted.text.split() for part in _PLAIN.findall(word.lower())]
        self._words = words if wanted.text.isascii() else []
        self._db = sqlite3.connect(":memory:", isolation_level=None)
        self._db.execute(ENTRIES)

    def close(self) -> None:
        self._db.close()

    def pass_through(self, lines: Sequence[tuple[int, str]]) -> Iterator[list[Record]]:
        """Returns the records that fit each way of taking the words, in order."""
        if self._wanted.only_time:
            yield [_record(seq, line) for seq, line in lines if self._in_time(line)]
            return
        if not self._ways:
            return
        rows = [_row(seq, line) for seq, line in lines if self._in_time(line) and self._may(line)]
        self._db.execute("INSERT INTO entry(entry) VALUES ('delete-all')")
        self._db.executemany(
            "INSERT INTO entry (rowid, words, keys) VALUES (?, ?, ?)", map(entry_of, rows)
        )
        for way in self._ways:
            found = self._db.execute("SELECT rowid FROM entry WHERE entry MATCH ?", (way,))
            fitting = {seq for (seq,) in found}
            yield [_record(row.seq, row.record) for row in rows if row.seq in fitting]

    def _in_time(self, line: str) -> bool:
        # What looks like it inside the event has its quotes escaped, and stands before.
        at = line.rfind(_LOGGED) + len(_LOGGED)
        return self._since <= line[at : at + _STAMP] < self._until

    def _may(self, line: str) -> bool:
        """False only where the record cannot fit: most need not be taken apart for that."""
        if not all(any(value in line for value in values) for values in self._exact):
            return False
        if not line.isascii():
            return True
        lowered = line.lower()
        if self._table.isascii() and self._table not in lowered:
            return False
        missing = [word for word in self._words if word not in lowered]
        if not all(map(_HEX.fullmatch, missing)):
            return False
        # The hash of a record can be searched for and does not stand in it.
        hashed = leaf_hash(line.encode()).hex() if missing else ""
        return all(word in hashed for word in missing)


def _record(seq: int, line: str) -> Record:
    return Record(seq=seq, line=line, hash=leaf_hash(line.encode()).hex())


def _row(seq: int, line: str) -> Row:
    try:
        record = json.loads(line)
        event = record["event"]
        return Row(
            seq=seq,
            id=event["id"],
            prev_hash=bytes.fromhex(record["prev"]),
            leaf_hash=leaf_hash(line.encode()),
            record=line,
            logged=record["logged"],
            etype=event["type"],
            actor=event["actor"]["id"],
            session=event.get("session"),
            request=event.get("request"),
            outcome=event["outcome"],
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Tampered(f"Sealed event {seq} cannot be read. Verify the log.") from error
