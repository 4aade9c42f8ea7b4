"""The filter of the audit page: in the address, on the screen and as the log understands it.

An address names people by the id of their account and holds no text that looks personal, because
addresses are kept in histories, logs and chats.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Literal
from urllib.parse import urlencode

from audit import Filter
from audit import Verdict as Decision
from store.accounts import Account
from ui import text

Result = Literal["Allowed", "Denied", "Needs review", "Failed"]
RESULTS: tuple[Result, ...] = ("Allowed", "Denied", "Needs review", "Failed")
EVER, BETWEEN = "All time", "Between"
SPANS: Mapping[str, dt.timedelta | None] = {
    EVER: None,
    "Last hour": dt.timedelta(hours=1),
    "Last 24 hours": dt.timedelta(days=1),
    "Last 7 days": dt.timedelta(days=7),
    "Last 30 days": dt.timedelta(days=30),
    BETWEEN: None,
}
LONGEST = 200
EARLIEST, LATEST = (dt.datetime(year, 1, 1, tzinfo=dt.UTC) for year in (2000, 2100))
_DECISIONS: Mapping[str, Decision] = {"Allowed": "allow", "Needs review": "needs_approval"}
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_HASH = re.compile(r"(?=.*[a-f])[0-9a-f]{6,64}\*?")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is looked for. `since` and `until` count with `when` set to `BETWEEN` only.

    `find` is words as typed, `who` the id of an account, `session` the id of a conversation.
    """

    find: str = ""
    verdict: str = ""
    who: str = ""
    table: str = ""
    session: str = ""
    when: str = EVER
    since: dt.datetime | None = None
    until: dt.datetime | None = None


NAMES = tuple(f.name for f in fields(Wanted))
"""The names of a filter's fields in an address."""


class People:
    """Who there is, by id and by sign-in name. Nobody who was erased has a name."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        self.by_id = {one.id: one for one in accounts}
        self.named = {one.name: one for one in self.by_id.values() if not one.erased}

    def find(self, given: str) -> Account | None:
        """Returns the person with that id or sign-in name who was not erased."""
        found = self.by_id.get(given) or self.named.get(given.casefold())
        return found if found is not None and not found.erased else None


def from_query(query: Mapping[str, str], people: People) -> tuple[Wanted, tuple[str, ...]]:
    """Returns the filter an address names, and a sentence for each part that cannot be used.

    What cannot be used is left out; the sentences say so.
    """
    wanted, problems = Wanted(), []
    readers: Mapping[str, Callable[[str], dict[str, object] | str]] = {
        "find": lambda given: _text("find", given, people),
        "table": lambda given: _text("table", given, people),
        "verdict": lambda given: _one_of("verdict", given, RESULTS),
        "when": lambda given: _one_of("when", given, tuple(SPANS)),
        "who": lambda given: _person(given, people),
        "session": _session,
        "since": lambda given: _moment("since", given),
        "until": lambda given: _moment("until", given),
    }
    for name, read in readers.items():
        if given := query.get(name):
            found = read(given)
            if isinstance(found, str):
                problems.append(found)
            else:
                wanted = replace(wanted, **found)  # type: ignore[arg-type]  # fields by name
    if (wanted.since or wanted.until) and "when" not in query:
        wanted = replace(wanted, when=BETWEEN)
    if wanted.since and wanted.until and wanted.since >= wanted.until:
        problems.append("The time range ends before it begins, so it is not applied.")
        wanted = replace(wanted, when=EVER, since=None, until=None)
    return wanted, tuple(problems)


def to_query(wanted: Wanted, people: People, personal: Callable[[str], bool]) -> dict[str, str]:
    """Returns what an address says of a filter; `personal` tells a text that must not stand there.

    `replace(wanted, find="")` gives the same address as words that were left out.
    """
    ids = (people.find(word) for word in wanted.find.split())
    words = [one.id if one else word for one, word in zip(ids, wanted.find.split(), strict=True)]
    plain = [w for w in words if w not in people.by_id and not _HASH.fullmatch(w)]
    shown = {
        "find": "" if plain and personal(" ".join(plain)) else " ".join(words),
        "verdict": wanted.verdict,
        "who": wanted.who,
        "table": "" if wanted.table and personal(wanted.table) else wanted.table,
        "session": wanted.session,
        "when": "" if wanted.when == EVER else wanted.when,
    }
    if wanted.when == BETWEEN:
        shown |= {
            name: moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%MZ")
            for name, moment in (("since", wanted.since), ("until", wanted.until))
            if moment is not None
        }
    return {name: value for name, value in shown.items() if value}


def address(query: Mapping[str, str]) -> str:
    """Returns the query as text for an address; empty for no filter."""
    return urlencode(query)


def as_filter(wanted: Wanted, people: People, now: dt.datetime) -> Filter:
    """Returns the filter for the log, which knows people by their account's id only."""
    span = SPANS[wanted.when]
    between = wanted.when == BETWEEN
    words = (people.named.get(word.casefold()) or word for word in wanted.find.split())
    return Filter(
        text=" ".join(w.id if isinstance(w, Account) else w for w in words),
        outcome={"Denied": "denied", "Failed": "failure"}.get(wanted.verdict),  # type: ignore[arg-type]  # both are outcomes
        decision=_DECISIONS.get(wanted.verdict),
        person=wanted.who or None,
        session=wanted.session or None,
        table=wanted.table.strip() or None,
        since=wanted.since if between else now - span if span is not None else None,
        until=wanted.until if between else None,
    )


def _text(name: str, given: str, people: People) -> dict[str, object] | str:
    if len(given) > LONGEST:
        return f"The text in “{name}” is longer than {LONGEST} characters, so it is not applied."
    found = [people.by_id.get(word) for word in given.split()]
    words = zip(found, given.split(), strict=True)
    return {name: " ".join(one.name if one and not one.erased else word for one, word in words)}


def _one_of(name: str, given: str, known: tuple[str, ...]) -> dict[str, object] | str:
    if given in known:
        return {name: given}
    shown = text.line(given, 40)
    return (
        f"“{shown}” is no {name} there is, so it is not applied. Use one of {text.joined(known)}."
    )


def _person(given: str, people: People) -> dict[str, object] | str:
    found = people.find(given)
    if found is not None:
        return {"who": found.id}
    return (
        f"Nobody is known by “{text.line(given, 40)}” here: the account may have been erased. The "
        "events of everybody are shown."
    )


def _session(given: str) -> dict[str, object] | str:
    if _ID.fullmatch(given):
        return {"session": given}
    return f"“{text.line(given, 40)}” is no id of a session, so it is not applied."


def _moment(name: str, given: str) -> dict[str, object] | str:
    found: dt.datetime | None
    try:
        found = dt.datetime.fromisoformat(given)
        found = (found if found.tzinfo else found.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except (ValueError, OverflowError):
        found = None
    if found is not None and EARLIEST <= found <= LATEST:
        return {name: found}
    return (
        f"“{text.line(given, 40)}” is no moment of this century, so “{name}” is not applied. "
        "Write it as 2026-06-30T08:00Z."
    )
