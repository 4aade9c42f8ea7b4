"""The filter of the audit page: in the address, on the screen and as the log understands it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal
from urllib.parse import urlencode

from audit import Filter
from audit import Verdict as Decision
from store.accounts import Account

Result = Literal["Allowed", "Denied", "Needs review", "Failed"]
RESULTS: tuple[Result, ...] = ("Allowed", "Denied", "Needs review", "Failed")
EVER = "All time"
SPANS: Mapping[str, dt.timedelta | None] = {
    EVER: None,
    "Last hour": dt.timedelta(hours=1),
    "Last 24 hours": dt.timedelta(days=1),
    "Last 7 days": dt.timedelta(days=7),
    "Last 30 days": dt.timedelta(days=30),
}
_DECISIONS: Mapping[str, Decision] = {"Allowed": "allow", "Needs review": "needs_approval"}


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is looked for; the field names are those of the address.

    `who` is an account's sign-in name, `session` the id of a conversation.
    """

    find: str = ""
    verdict: str = ""
    who: str = ""
    when: str = EVER
    session: str = ""

    @property
    def query(self) -> str:
        """The part of an address that names this filter; empty for no filter."""
        given = {k: v for k, v in asdict(self).items() if v and v != EVER}
        return urlencode(given)


def from_query(query: Mapping[str, str]) -> Wanted:
    """Returns the filter an address names; values that nobody offers count as not given."""
    when, verdict = query.get("when", EVER), query.get("verdict", "")
    return Wanted(
        find=query.get("find", ""),
        verdict=verdict if verdict in RESULTS else "",
        who=query.get("who", ""),
        when=when if when in SPANS else EVER,
        session=query.get("session", ""),
    )


def as_filter(wanted: Wanted, people: Mapping[str, Account], now: dt.datetime) -> Filter:
    """Returns the filter for the log, which knows people by their account's id only."""
    span = SPANS[wanted.when]
    words = [_known(word, people) for word in wanted.find.split()]
    if wanted.who:
        # Somebody who is not there has done nothing: the name itself matches no event.
        words.append(_known(wanted.who, people))
    return Filter(
        text=" ".join(words),
        outcome={"Denied": "denied", "Failed": "failure"}.get(wanted.verdict),  # type: ignore[arg-type]  # both are outcomes
        decision=_DECISIONS.get(wanted.verdict),
        session=wanted.session or None,
        since=now - span if span is not None else None,
    )


def _known(word: str, people: Mapping[str, Account]) -> str:
    found = people.get(word.casefold())
    return found.id if found else word
