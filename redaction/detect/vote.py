"""What most values of a column agree on.

A check digit is right by chance once in ten; a column whose values nearly all have a right one is
no chance.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from redaction.detect import decode
from redaction.detect.checks import card
from redaction.detect.rule import Rule
from redaction.entities import (
    CREDIT_CARD,
    DRIVER_LICENSE,
    LOCATION,
    NATIONAL_ID,
    PASSPORT,
    PHONE_NUMBER,
)

SHORTEST_NUMBER: Final = 8
"""Characters of a whole number that may be of some kind by its check digits."""
_MANY: Final = 5
_FEW: Final = 4
_MANY_NUMBERS: Final = 8
_NEARLY_ALL: Final = 0.9
_MOST: Final = 0.6
_FIRST_LOOK: Final = 40
_DISGUISED_LOOK: Final = 16
# What every strong rule asks for, so that most of what a disguise yields is dropped at once.
_WORTH: Final = re.compile(r"@|[0-9](?:[^0-9]{0,4}[0-9]){4}|[A-Za-z0-9_\-]{16}")
_WORDS: Final = re.compile(r"[^\W\d_]{3,}")
_COMMON: Final = 0.4
_LOOSE: Final = frozenset({"address_form"})
# Forms too loose to vote with: nearly any code has them.
_NO_VOTE: Final = frozenset({"passport", "driver_license", "id_number", "assignment"})


def text(values: Sequence[str], rules: Sequence[Rule]) -> str | None:
    """Returns the entity that nearly all of `values`, different texts, are, or None."""
    if len(values) < _MANY:
        return None
    few = values[:: max(1, len(values) // _FIRST_LOOK)]
    for (entity, loose), voters in _by_entity(rules).items():
        needed = 0.5 if entity == LOCATION and not loose else _NEARLY_ALL
        if _share(few, voters) < needed - 0.15:
            continue
        if loose and not _varied(values):
            continue
        if _share(values, voters) >= needed and not _only_numbers(entity, values):
            return entity
    return None


def _by_entity(rules: Sequence[Rule]) -> dict[tuple[str, bool], list[Rule]]:
    """Groups the rules by entity; loose forms stand apart, and telephone numbers come last."""
    grouped: dict[tuple[str, bool], list[Rule]] = {}
    for rule in sorted(rules, key=lambda r: (r.name in _LOOSE, r.entity == PHONE_NUMBER)):
        if rule.name not in _NO_VOTE:
            grouped.setdefault((rule.entity, rule.name in _LOOSE), []).append(rule)
    return grouped


def _share(values: Sequence[str], voters: Sequence[Rule]) -> float:
    return sum(any(_is(value, v) for v in voters) for value in values) / len(values)


def _is(value: str, rule: Rule) -> bool:
    if rule.entity != LOCATION:
        return rule.matches(value)
    # What follows a street differs too much to ask for the whole value.
    return len(value) < 160 and next(rule.find(value), None) is not None


def _varied(values: Sequence[str]) -> bool:
    """True when the values differ in their words, as addresses do, and not in numbers alone."""
    rows = [set(_WORDS.findall(value.casefold())) for value in values]
    seen = Counter(word for words in rows for word in words)
    rare = [word for word, count in seen.items() if count <= _COMMON * len(values)]
    return len(rare) >= len(values) / 2


def _only_numbers(entity: str, values: Sequence[str]) -> bool:
    """True for a column of bare numbers that could be telephone numbers, as any number could."""
    if entity != PHONE_NUMBER:
        return False
    bare = sum(value.isdecimal() and not value.startswith("0") for value in values)
    return bare > 0.8 * len(values)


def numbers(values: Sequence[str], rules: Sequence[Rule], *, harmless: bool) -> str | None:
    """Returns the entity that nearly all of `values`, whole numbers, are by their check digits."""
    long = [v for v in values if SHORTEST_NUMBER <= len(v) <= 19]
    if harmless or len(long) < _MANY_NUMBERS or len(long) < _NEARLY_ALL * len(values):
        return None
    if sum(map(card, long)) >= _NEARLY_ALL * len(long):
        return CREDIT_CARD
    for (entity, _), voters in _by_entity(rules).items():
        if entity in (PHONE_NUMBER, LOCATION, NATIONAL_ID, PASSPORT, DRIVER_LICENSE):
            continue
        if _share(long, voters) >= _NEARLY_ALL:
            return entity
    return None


def disguised(values: Sequence[str], rules: Sequence[Rule]) -> bool:
    """True when most of `values` turn into personal data under one and the same disguise."""
    if len(values) < _FEW:
        return False
    few = values[:: max(1, len(values) // _DISGUISED_LOOK)]
    strong = [r for r in rules if r.entity != LOCATION and r.strength == "strong"]
    hits: Counter[str] = Counter()
    for seen, value in enumerate(few, 1):
        hits.update(_under(value, strong))
        if max(hits.values(), default=0) + len(few) - seen < _MOST * len(few):
            return False
    return True


def _under(value: str, strong: Sequence[Rule]) -> set[str]:
    """Returns the disguises under which `value` is personal data, as it is not when plain."""
    found: set[str] = set()
    if any(r.matches(value) for r in strong):
        return found
    for name, plain in decode.decodings(value, telling=False):
        if name not in found and _WORTH.search(plain) and any(r.matches(plain) for r in strong):
            found.add(name)
    return found
