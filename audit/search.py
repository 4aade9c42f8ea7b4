"""Finding records by text and by field, at a cost that does not grow with the log."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from audit.encoding import timestamp
from audit.event import EventType, Outcome
from audit.index import Field, SearchIndex, key
from audit.parts import Verdict
from audit.record import Record, record_of
from audit.storage import Reading, Storage

COUNT_LIMIT: Final = 2_000
"""Counting is most of what a search for a common word costs."""
_PAGE: Final = 500
_WORD: Final = re.compile(r"\w")


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which records. Every field that is set must hold, by any one of its values.

    `text` is words that all occur somewhere in the record, its hash included; beginnings of words
    where they end in `*`, or where nothing has them as words. `actors` are who acted; `person` is
    who acted or on whose behalf. `since` is the first moment, `until` the first moment after; both
    need a time zone.
    """

    text: str = ""
    types: tuple[EventType, ...] = ()
    actors: tuple[str, ...] = ()
    person: str | None = None
    session: str | None = None
    request: str | None = None
    outcome: Outcome | None = None
    decision: Verdict | None = None
    table: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def only_time(self) -> bool:
        """True when nothing but `since` and `until` is set, or not even those."""
        return not set(self.used) - {"since", "until"}

    @property
    def used(self) -> tuple[str, ...]:
        """The names of the fields that are set: what an event about a search may say of it."""
        blank = {"text": self.text.strip()}
        return tuple(name for name, value in {**vars(self), **blank}.items() if value)


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some of the records found, newest first.

    `total` is how many there are altogether, or `COUNT_LIMIT` with `more_than_total` set: counting
    further would grow with the log.
    """

    records: tuple[Record, ...]
    total: int
    more_than_total: bool


@dataclass(frozen=True, kw_only=True)
class Hour:
    """How many statements were allowed, held for review and denied in the hour from `begins`."""

    begins: datetime
    allowed: int = 0
    held: int = 0
    denied: int = 0


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
        for match in expressions(wanted):
            found, total = self._index.find(
                match,
                first=first,
                last=last,
                limit=limit,
                offset=offset,
                count_to=COUNT_LIMIT + 1,
            )
            if total:
                return self._page(found, min(total, COUNT_LIMIT), total > COUNT_LIMIT)
        if wanted.only_time:
            newest = last - offset
            span = range(newest, max(newest - limit, first - 1), -1)
            return self._page(span, max(last - first + 1, 0), False)
        return Page(records=(), total=0, more_than_total=False)

    def _page(self, found: Sequence[int], total: int, more: bool) -> Page:
        with self._storage.reading() as log:
            records = tuple(map(record_of, log.by_seq(found)))
        return Page(records=records, total=total, more_than_total=more)

    def decisions(self, wanted: Filter) -> Sequence[Hour]:
        """Returns the hours in which a record that fits decided something, oldest first.

        They are counted in the index, never record by record here.

        Raises:
            Unavailable: the log or its index cannot be read.
        """
        with self._storage.reading() as log:
            first, last = _range(log, wanted)
        match = None
        if not wanted.only_time:
            match = self._match(wanted, first, last)
            if match is None:
                return ()
        hours: dict[int, dict[str, int]] = {}
        for hour, decided, number in self._index.decisions(match, first=first, last=last):
            hours.setdefault(hour, {})[decided] = number
        return [
            Hour(begins=datetime.fromtimestamp(hour * 3600, UTC), **counts)
            for hour, counts in hours.items()
        ]

    def _match(self, wanted: Filter, first: int, last: int) -> str | None:
        """The first expression that finds anything, as `page` would take it."""
        for match in expressions(wanted):
            found, _ = self._index.find(
                match, first=first, last=last, limit=1, offset=0, count_to=0
            )
            if found:
                return match
        return None

    def seqs(self, wanted: Filter, size: int) -> Sequence[int]:
        """Returns the numbers of all records that fit among the first `size`, oldest first."""
        with self._storage.reading() as log:
            first, last = _range(log, wanted)
        last = min(last, size)
        if wanted.only_time:
            return range(first, last + 1)
        ways = (sorted(self._all(match, first, last)) for match in expressions(wanted))
        return next(filter(None, ways), ())

    def _all(self, match: str, first: int, last: int) -> Iterator[int]:
        while first <= last:
            found, _ = self._index.find(
                match, first=first, last=last, limit=_PAGE, offset=0, count_to=0
            )
            yield from found
            if len(found) < _PAGE:
                return
            last = found[-1] - 1


def expressions(wanted: Filter) -> Sequence[str]:
    """Returns FTS5 expressions for `wanted`, each to be tried when the one before finds nothing.

    First every word as it is, which costs the same however many records have it, then as the
    beginning of words. None for a filter on nothing but time, and where nothing can fit. Words are
    quoted, so nothing in them is read as an operator.
    """
    words = [w.replace("\x00", "") for w in wanted.text.split()]
    words = [w for w in words if _WORD.search(w)]
    if wanted.only_time or (wanted.text.strip() and not words):
        return ()
    exact = [_quoted(word.rstrip("*")) + ("*" if word.endswith("*") else "") for word in words]
    begun = [_quoted(word.rstrip("*")) + "*" for word in words]
    others = _field_terms(wanted)
    return [_all_of(_words(terms) + others) for terms in ([exact, begun] if words else [[]])]


def _field_terms(wanted: Filter) -> list[str]:
    terms = [_any("type", wanted.types), _any("actor", wanted.actors)]
    single: dict[Field, str | None] = {
        "person": wanted.person,
        "session": wanted.session,
        "request": wanted.request,
        "outcome": wanted.outcome,
        "decision": wanted.decision,
        "table": wanted.table and wanted.table.casefold(),
    }
    terms += [_any(field, (value,)) for field, value in single.items() if value]
    return terms


def _words(terms: Sequence[str]) -> list[str]:
    return [f"words : {term}" for term in terms]


def _all_of(terms: Sequence[str]) -> str:
    return " AND ".join(f"({term})" for term in terms if term)


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


def _any(field: Field, values: Sequence[str]) -> str:
    return " OR ".join(f"keys : {key(field, value)}" for value in values)


def _range(log: Reading, wanted: Filter) -> tuple[int, int]:
    """Returns the first and last number in the time range, bisected: `logged` never decreases."""
    head = log.head()
    size = head.size if head else 0
    first = max(_first_at(log, wanted.since, size) if wanted.since else 1, log.first())
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
