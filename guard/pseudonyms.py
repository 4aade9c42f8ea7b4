"""Which values the pseudonyms of a conversation stand for: in memory, bounded, lost at restart.

A pseudonym cannot be turned back: it is an HMAC. What can be done is to remember which ones were
handed out to whom, and to put the value back where that person could have written it themselves,
as the constant of an equality look-up on the very column it came from.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from guard.access import TokenUse
from guard.classify import Access
from guard.errors import Refused, refuse
from guard.rights import Scope
from guard.statement import Statement
from redaction import canonical, count_masks, is_pseudonym, mask_tokens

MOST_SESSIONS = 1_000
MOST_IN_SESSION = 5_000
MOST_IN_ALL = 200_000
_MOST_SPELLINGS = 20
"""Values that differ in case share a pseudonym; with more of them than this it is of no use."""

Place = tuple[str, str]
"""A column as casefolded (table, column), or ("", entity) for what a person wrote in a question."""


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who was handed a pseudonym: one person in one conversation about one source."""

    person: str
    session: str
    source: str


@dataclass
class _Handed:
    values: OrderedDict[str, dict[Place, list[str]]] = field(default_factory=OrderedDict)


class Pseudonyms:
    """What was handed out. One a process; safe to share between threads."""

    def __init__(self) -> None:
        self._held: OrderedDict[Holder, _Handed] = OrderedDict()
        self._count = 0
        self._lock = threading.Lock()

    def note(self, holder: Holder, place: Place, pairs: Iterable[tuple[str, str]]) -> None:
        """Remembers pairs of (pseudonym, value); the oldest are forgotten when there are too many.

        Values that could not be written into SQL without an escape are not remembered.
        """
        with self._lock:
            handed = self._held.setdefault(holder, _Handed())
            self._held.move_to_end(holder)
            for token, value in pairs:
                if _is_plain(value):
                    self._note(handed, place, token, value)
            self._forget()

    def _note(self, handed: _Handed, place: Place, token: str, value: str) -> None:
        if token not in handed.values:
            handed.values[token] = {}
            self._count += 1
        handed.values.move_to_end(token)
        known = handed.values[token].setdefault(place, [])
        if value not in known:
            known.append(value)
        if len(handed.values) > MOST_IN_SESSION:
            handed.values.popitem(last=False)
            self._count -= 1

    def _forget(self) -> None:
        while len(self._held) > MOST_SESSIONS or (
            self._count > MOST_IN_ALL and len(self._held) > 1
        ):
            _, oldest = self._held.popitem(last=False)
            self._count -= len(oldest.values)

    def known(self, holder: Holder, token: str) -> bool:
        """True when this pseudonym was handed to this holder."""
        with self._lock:
            return holder in self._held and token in self._held[holder].values

    def values(self, holder: Holder, token: str, place: Place) -> tuple[str, ...]:
        """Returns the values a pseudonym stands for at a place; empty where it stands for none."""
        with self._lock:
            if holder not in self._held:
                return ()
            found = self._held[holder].values.get(token, {}).get(place, [])
            return tuple(found) if len(found) <= _MOST_SPELLINGS else ()


def _is_plain(value: str) -> bool:
    """True for text that no engine reads an escape or an end into, quotes apart, which double."""
    return value.isprintable() and "\\" not in value and 0 < len(value) <= 500


@dataclass(frozen=True, kw_only=True)
class Known:
    """The pseudonyms that a statement may name: those of its own conversation."""

    pseudonyms: Pseudonyms
    holder: Holder


def check_text(sql: str, known: Known | None) -> bool:
    """Returns whether `sql` holds pseudonyms, all of which this conversation may know.

    Raises:
        Refused: `masked.token`: it holds a mask, or a pseudonym that was not handed out here.
    """
    found = mask_tokens(sql)
    for token in found:
        if known is None or not is_pseudonym(token):
            raise _refused(token, f"{token} stands for a masked value; it is not the value.")
        if not known.pseudonyms.known(known.holder, token):
            raise _refused(
                token,
                f"{token} is not a mask of this conversation, or it was shown before a restart or "
                "long ago, so what it stands for is not known any more.",
                "Ask again for the rows it stood in, and use the mask they show now.",
            )
    return bool(found)


def resolved(
    statement: Statement, access: Access, scope: Scope, tags: Mapping[Place, str], known: Known
) -> Mapping[str, tuple[str, ...]]:
    """Returns the values of each pseudonym in `statement`; every one of them is a look-up.

    `tags` are the entities of the tagged columns, by casefolded (table, column).

    Raises:
        Refused: `masked.token`: one stands anywhere else, on another column, or where the person
            may not look values up.
    """
    literals = [
        n for n in statement.tree.find_all(exp.Literal) if n.is_string and mask_tokens(n.name)
    ]
    if access.tier != "read":
        raise _refused(literals[0].name if literals else None, "A mask cannot be written anywhere.")
    if not (len(access.tokens) == len(literals) == count_masks(statement.text)):
        raise _refused(
            next((n.name for n in literals), None),
            "A mask may stand in SQL only by itself, compared with the column it came from.",
            "Write column = 'mask' or column IN ('mask', ...).",
        )
    found: dict[str, tuple[str, ...]] = {}
    for use in access.tokens:
        values = _values(use, scope, tags, known)
        # One literal, one meaning: the same mask on two columns would need two.
        if found.setdefault(use.token, values) != values:
            raise _refused(use.token, f"{use.token} stands for values of two columns here.")
    return found


def _values(
    use: TokenUse, scope: Scope, tags: Mapping[Place, str], known: Known
) -> tuple[str, ...]:
    place = (use.table.casefold(), use.column.casefold())
    name = f"{use.table}.{use.column}" if use.table else "this"
    if use.table and not scope.looks_up(use.table, use.column):
        raise _refused(use.token, f"You may not look up values of {name}.")
    values = known.pseudonyms.values(known.holder, use.token, place)
    if not values and place in tags:
        values = known.pseudonyms.values(known.holder, use.token, ("", canonical(tags[place])))
    if not values:
        raise _refused(
            use.token,
            f"{use.token} does not come from {name}, so it cannot be compared with it.",
            "Compare it with the column it was shown in.",
        )
    return values


def _refused(part: str | None, why: str, alternative: str = "Use the row's id instead.") -> Refused:
    return refuse("masked.token", why, part=part, alternative=alternative)
