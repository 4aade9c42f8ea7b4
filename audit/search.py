"""Finding records by text and by field, at a cost that does not grow with the log."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from audit.encoding import timestamp
from audit.event import EventType, Outcome
from audit.index import Field, SearchIndex, key
from audit.parts import Verdict
from audit.record import Record, record_of
from audit.storage import Reading, Storage

COUNT_LIMIT: Final = 10_000
_PAGE: Final = 500
_WORD: Final = re.compile(r"\w")


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which records. Every field that is set must hold, by any one of its values.

    `text` is words or beginnings of words, all of which occur somewhere in the record, its hash
    included. `since` is the first moment, `until` the first moment after; both need a time zone.
    """

    text: str = ""
    types: tuple[EventType, ...] = ()
    actors: tuple[str, ...] = ()
    session: str | None = None
    request: str | None = None
    outcome: Outcome | None = None
    decision: Verdict | None = None
    table: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def used(self) -> tuple[str, ...]:
        """The names of the fields that are set: what an event about a search may say of it."""
        return tuple(name for name, value in vars(self).items() if value)


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some of the records found, newest first.

    `total` is how many there are altogether, or `COUNT_LIMIT` with `more_than_total` set: counting
    further would grow with the log.
    """

    records: tuple[Record, ...]
    total: int
    more_than_total: bool


class Search:
    """Answers filters from the index, and records from the log."""

    def __init__(self, storage: Storage, index: SearchIndex) -> None:
        self._storage = storage
        self._index = index

    def page(self, wanted: Filter, *, limit: int, offset: int) -> Page:
        """Returns the records `offset` to `offset + limit` of those that fit.

        Raises:
            Unavailable: the log or its index cannot be read.
        """
        with self._storage.reading() as log:
            first, last = _range(log, wanted)
        match = expression(wanted)
        if match is None or last < first:
            return Page(records=(), total=0, more_than_total=False)
        if match:
            found, total = self._index.find(
                match,
                first=first,
                last=last,
                limit=limit,
                offset=offset,
                count_to=COUNT_LIMIT + 1,
            )
            over = total > COUNT_LIMIT
        else:
            newest = last - offset
            found = list(range(newest, max(newest - limit, first - 1), -1))
            total, over = last - first + 1, False
        with self._storage.reading() as log:
            records = tuple(map(record_of, log.by_seq(found)))
        return Page(
            records=records, total=min(total, COUNT_LIMIT) if over else total, more_than_total=over
        )

    def seqs(self, wanted: Filter, size: int) -> Sequence[int]:
        """Returns the numbers of all records that fit among the first `size`, oldest first."""
        with self._storage.reading() as log:
            first, last = _range(log, wanted)
        last = min(last, size)
        match = expression(wanted)
        if match is None:
            return ()
        return range(first, last + 1) if not match else sorted(self._all(match, first, last))

    def _all(self, match: str, first: int, last: int) -> Iterator[int]:
        while first <= last:
            found, _ = self._index.find(
                match, first=first, last=last, limit=_PAGE, offset=0, count_to=0
            )
            yield from found
            if len(found) < _PAGE:
                return
            last = found[-1] - 1


def expression(wanted: Filter) -> str | None:
    """Returns the FTS5 expression for `wanted`: empty when all fit, None when nothing can.

    Words are quoted, so nothing in them is read as an operator.
    """
    words = [w.replace("\x00", "") for w in wanted.text.split()]
    words = [w for w in words if _WORD.search(w)]
    if wanted.text.strip() and not words:
        return None
    terms = [f'words : "{word.replace(chr(34), chr(34) * 2)}" *' for word in words]
    terms += [_any("type", wanted.types), _any("actor", wanted.actors)]
    single: dict[Field, str | None] = {
        "session": wanted.session,
        "request": wanted.request,
        "outcome": wanted.outcome,
        "decision": wanted.decision,
        "table": wanted.table and wanted.table.casefold(),
    }
    terms += [_any(field, (value,)) for field, value in single.items() if value]
    return " AND ".join(f"({term})" for term in terms if term)


def _any(field: Field, values: Sequence[str]) -> str:
    return " OR ".join(f"keys : {key(field, value)}" for value in values)


def _range(log: Reading, wanted: Filter) -> tuple[int, int]:
    """Returns the first and last number in the time range, bisected: `logged` never decreases."""
    head = log.head()
    size = head.size if head else 0
    first = _first_at(log, wanted.since, size) if wanted.since else 1
    last = _first_at(log, wanted.until, size) - 1 if wanted.until else size
    return first, last


def _first_at(log: Reading, moment: datetime, size: int) -> int:
    wanted = timestamp(moment)
    low, high = 1, size + 1
    while low < high:
        middle = (low + high) // 2
        if (log.logged(middle) or "") < wanted:
            low = middle + 1
        else:
            high = middle
    return low
