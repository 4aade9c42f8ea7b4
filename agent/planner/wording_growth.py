"""Ways to ask for growth: `by how many percent did revenue grow from 2024 to 2025`."""

from __future__ import annotations

import datetime as dt

from agent.planner.operators import PHRASES
from agent.planner.runs import Words, as_words, first_asked, norms_of
from agent.planner.timegrammar import find_period

_GROWING = {"grow", "grew", "grown", "growing", "increase", "increased", "rise", "rose", "risen"}
_CHANGE = {"change", "increase", "rise", "growth", "uplift"}
_HOW_MUCH = {"by how many percent", "how many percent", "by how much", "how much"}
_HOW_MUCH |= {"by what percentage", "by what percent", "by how much percent"}


def grown(words: Words, today: dt.date) -> Words:
    """Returns `growth of X in 2025` for other ways to ask for the growth of X."""
    norms = norms_of(words)
    at = next((n for n, w in enumerate(norms) if w in _GROWING), None)
    did = next((n for n, w in enumerate(norms) if w in {"did", "has", "have"}), None)
    how_much = " ".join(norms[first_asked(words) : did]) in _HOW_MUCH
    if at is not None and did is not None and did < at and how_much:
        said = (*as_words("growth of", words[0]), *words[did + 1 : at], *words[at + 1 :])
        return _against_before(said, today)
    for start in range(len(words) - 2):
        asked = norms[start] in {"percentage", "percent", "%"} and norms[start + 1] in _CHANGE
        if asked and norms[start + 2] in {"in", "of"}:
            head = as_words("growth of", words[start])
            return _against_before((*words[:start], *head, *words[start + 3 :]), today)
        rise = norms[start] in {"increase", "rise"} and norms[start + 1] in {"in", "of"}
        if rise and norms[first_asked(words)] in {"what", "whats", "show", "the", norms[start]}:
            head = as_words("growth of", words[start])
            return _against_before((*words[:start], *head, *words[start + 2 :]), today)
    return _against_before(words, today) if "growth" in norms else words


def _against_before(words: Words, today: dt.date) -> Words:
    """`from 2024 to 2025`: growth in the second against the first, where one follows the other."""
    if any(PHRASES[w.norm,][0] == "grain" for w in words if (w.norm,) in PHRASES):
        return words
    for at, word in enumerate(words):
        if word.norm not in {"from", "between"} or at + 1 >= len(words):
            continue
        first = find_period(words, at + 1, today)
        middle = at + 1 + (first.length if first else 0)
        if first is None or middle >= len(words) or words[middle].norm not in {"to", "and"}:
            continue
        last = find_period(words, middle + 1, today) if middle + 1 < len(words) else None
        if last is None or first.period.grain != last.period.grain or not first.period.grain:
            continue
        if first.period.end == last.period.start:
            return (*words[:at], *as_words("in", word), *words[middle + 1 :])
    return words
