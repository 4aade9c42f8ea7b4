"""The column engine: which values of a column are personal data, each looked at once.

In this order, and a later step only ever adds: the column's name; votes of the column as a whole;
patterns, run over all values at once and then only where they fired; disguises; names and addresses
in prose.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from redaction.detect import decode, person, shapes, vote
from redaction.detect.presidio import Toolkit
from redaction.detect.rule import Rule, Span
from redaction.detect.spans import covers, resolve
from redaction.entities import (
    CREDIT_CARD,
    ENCODED,
    LOCATION,
    MASKED,
    PERSON,
    SECRET,
    family,
)
from redaction.lexicon import NameHint

Kind = Literal["text", "whole_number", "moment"]
"""What the values were before they became text."""

MAX_SCAN: Final = 32_768
"""A longer value in which anything fires is masked whole instead of being taken apart."""
_PROSE_FROM: Final = 26
"""Names and addresses are looked for inside values of this many characters or more."""
_MOST: Final = 0.6
_NEARLY_ALL: Final = 0.9
_FEW: Final = 4
_SEVERAL: Final = 8
_HANDFUL: Final = 64
_SHORT: Final = 160
"""Bytes of a value, on average, up to which all patterns are tried in one pass over the column."""

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Scan:
    """What the different values of a column hold.

    `entity` is set when the whole column is to be masked, `why` says what decided it. Otherwise
    `spans` holds, by the index of the value, what to mask inside it.
    """

    entity: str | None = None
    why: Literal["name", "values"] = "values"
    spans: Mapping[int, tuple[Span, ...]] = field(default_factory=dict)


_CLEAN: Final = Scan()
_NOWHERE: Final[Indices] = np.empty(0, np.int64)
# A word of a Greek, Cyrillic or Armenian text some letters of which look like Latin ones.
_MIXED_SCRIPTS: Final = re.compile("[A-Za-z][\u0370-\u058f]|[\u0370-\u058f][A-Za-z]")
# Entities whose values hold digits; a column named after one without any is something else.
_WITH_DIGITS: Final = frozenset({"number", "id", "network"})
_NUMERIC_HINTS: Final = frozenset({"PHONE_NUMBER", "CREDIT_CARD", "BANK_ACCOUNT"})


def scan(uniques: pa.Array, hint: NameHint, tools: Toolkit, kind: Kind = "text") -> Scan:
    """Returns what `uniques`, the different values of a column as strings without nulls, hold."""
    if not len(uniques):
        return _CLEAN
    if hint.strength == "strong" and hint.entity and _fits(uniques, hint.entity, kind):
        return Scan(entity=hint.entity, why="name")
    if kind == "moment":
        return _CLEAN
    if kind == "whole_number":
        voted = vote.numbers(_sample(uniques), tools.rules, harmless=hint.harmless)
        return Scan(entity=voted) if voted else _CLEAN
    return _Search(uniques, hint, tools).run()


def _fits(uniques: pa.Array, entity: str, kind: Kind) -> bool:
    if kind == "moment":
        return family(entity) == "date"
    if kind == "whole_number":
        return entity in _NUMERIC_HINTS or family(entity) in ("id", "date", "secret")
    if family(entity) in _WITH_DIGITS and entity != SECRET:
        return bool(pc.any(pc.match_substring_regex(uniques, r"[0-9\pN]")).as_py())
    return True


def _sample(uniques: pa.Array, wanted: int = 300) -> list[str]:
    rows = shapes.spread(len(uniques), wanted)
    chosen = uniques if len(rows) == len(uniques) else uniques.take(pa.array(rows))
    return [str(value) for value in chosen.to_pylist()]


class _Search:
    """One look at the values of one column of text."""

    def __init__(self, uniques: pa.Array, hint: NameHint, tools: Toolkit) -> None:
        self._all = uniques
        self._hint = hint
        self._tools = tools
        self._found: dict[int, list[Span]] = {}
        self._texts: dict[int, str] = {}
        self._everything = np.arange(len(uniques))
        self._fired = self._at_once() if len(uniques) <= _HANDFUL else None

    def run(self) -> Scan:
        """Returns the result of all steps. A vote comes first: it may spare the others."""
        candidates = self._candidates()
        voted = self._by_vote(candidates)
        if voted is not None:
            return Scan(entity=voted)
        if self._fired is None:
            self._fired = self._at_once()
        self._by_patterns(candidates)
        self._without_chance()
        self._by_guests()
        self._by_disguise()
        self._in_prose()
        spans = {i: resolve(found, self._texts[i]) for i, found in self._found.items()}
        return self._majority(spans) or Scan(spans=spans)

    def _at_once(self) -> Mapping[int, Indices] | None:
        """Returns where each pattern fires; None for long values, to be tried one by one."""
        if self._all.nbytes > _SHORT * (len(self._all) + _HANDFUL):
            return None
        texts = self._all.to_pylist()
        self._texts = dict(enumerate(texts))
        return self._tools.patterns.rows(texts)

    def _matching(self, rows: Indices, pattern: str) -> Indices:
        if not len(rows):
            return rows
        if self._fired is not None and pattern in self._tools.patterns:
            hits = self._fired.get(self._tools.patterns.number(pattern), _NOWHERE)
            if not len(hits) or len(rows) == len(self._all):
                return hits
            return np.intersect1d(rows, hits, assume_unique=True)
        values = self._all if len(rows) == len(self._all) else self._all.take(pa.array(rows))
        mask = pc.match_substring_regex(values, pattern).to_numpy(zero_copy_only=False)
        return np.asarray(rows[mask], np.int64)

    def _awake(self) -> Sequence[Rule]:
        """The rules whose pattern fires somewhere, as far as that is known already."""
        return self._tools.rules if self._fired is None else self._tools.woken(self._fired)

    def _telling(self) -> Sequence[decode.Disguise]:
        """The disguises whose shape some value has, as far as that is known already."""
        return decode.TELLING if self._fired is None else self._tools.telling(self._fired)

    def _take(self, rows: Indices) -> Iterator[tuple[int, str]]:
        missing = [row for row in rows.tolist() if row not in self._texts]
        if missing:
            texts = self._all.take(pa.array(missing, pa.int64())).to_pylist()
            self._texts.update(zip(missing, texts, strict=True))
        for row in rows.tolist():
            yield row, self._texts[row]

    def _look(self, rows: Indices, find: Callable[[str], Iterable[Span]]) -> None:
        """Adds what `find` finds in the rows, in which its trigger fired."""
        for row, text in self._take(rows):
            if len(text) > MAX_SCAN:
                self._found[row] = [Span(0, len(text), MASKED, 1.0)]
            else:
                self._add(row, find(text))

    def _add(self, row: int, spans: Iterable[Span]) -> None:
        found = list(spans)
        if found:
            self._found.setdefault(row, []).extend(found)

    def _candidates(self) -> Indices:
        rows = self._everything
        ruled_out = np.zeros(len(rows), np.bool_)
        for pattern in (shapes.HARMLESS, shapes.DIGEST):
            ruled_out[self._matching(rows, pattern)] = True
        return rows[~ruled_out]

    def _by_patterns(self, candidates: Indices) -> None:
        everything = self._everything
        announced: dict[tuple[str, ...], Indices] = {}
        for rule in self._awake():
            if rule.entity == LOCATION or not self._applies(rule):
                continue
            rows = everything if rule.in_words else candidates
            if rule.strength == "weak":
                if not rule.context:
                    continue
                if rule.context not in announced:
                    announced[rule.context] = self._matching(candidates, rule.announced_by)
                rows = announced[rule.context]
            self._look(self._matching(rows, rule.trigger), rule.find_in_prose)

    def _without_chance(self) -> None:
        """Drops card numbers in a column of long numbers most of which are none."""
        numbers = self._matching(self._everything, shapes.LONG_NUMBER)
        hits = [
            row
            for row in numbers.tolist()
            if any(s.entity == CREDIT_CARD for s in self._found.get(row, ()))
        ]
        if len(numbers) >= _SEVERAL and len(hits) * 2 < len(numbers):
            for row in hits:
                del self._found[row]

    def _applies(self, rule: Rule) -> bool:
        if rule.entity in self._hint.vetoes:
            return False
        return not self._hint.harmless or rule.entity == SECRET or family(rule.entity) == "identity"

    def _by_guests(self) -> None:
        everything = self._everything
        for guest in self._tools.guests:
            rows = (
                everything if guest.trigger is None else self._matching(everything, guest.trigger)
            )
            analyzer, words = self._tools.analyzer, self._hint.words
            self._look(rows, functools.partial(guest.find, analyzer=analyzer, column_words=words))

    def _by_disguise(self) -> None:
        for disguise in self._telling():
            rows = self._matching(self._everything, disguise.shape)
            if not len(rows):
                continue
            if disguise.narrow is not None:
                rows = rows[disguise.narrow(self._all)[rows]]
            for row, text in self._take(rows):
                if len(text) > MAX_SCAN:
                    hides = self._fires(disguise.decode(text))
                else:
                    seen = len(self._found.get(row, ()))
                    hides = any(self._hides(p) > seen for p in decode.meanings(text, disguise))
                if hides:
                    self._found[row] = [Span(0, len(text), ENCODED, 1.0)]

    def _fires(self, plain: str | None) -> bool:
        """True when some strong rule might find something; more is not asked of long texts."""
        if plain is None:
            return False
        value = pa.array([plain], pa.large_string())
        strong = (r for r in self._tools.rules if r.strength == "strong" and r.entity != LOCATION)
        return any(pc.match_substring_regex(value, r.trigger)[0].as_py() for r in strong)

    def _hides(self, plain: str) -> int:
        count = sum(
            1 for r in self._tools.rules if r.entity != LOCATION for _ in r.find_in_prose(plain)
        )
        if count or _MIXED_SCRIPTS.search(plain):
            return count
        return int(person.read(plain).certain >= 2)

    def _by_vote(self, candidates: Indices) -> str | None:
        if not self._hint.harmless and len(candidates) >= _NEARLY_ALL * len(self._all):
            sample = _sample(self._all.take(pa.array(candidates)))
            by_pattern = vote.text(sample, [r for r in self._tools.rules if self._applies(r)])
            if by_pattern is not None:
                return by_pattern
            if vote.disguised(sample, self._tools.rules):
                return ENCODED
        if PERSON in self._hint.vetoes:
            return None
        return PERSON if person.column_of_names(_sample(self._all), self._prior()) else None

    def _prior(self) -> person.Prior:
        if self._hint.entity != PERSON or self._hint.strength is None:
            return "neutral"
        return "likely" if self._hint.strength == "likely" else "weak"

    def _in_prose(self) -> None:
        if self._fired is not None and not any(len(t) >= _PROSE_FROM for t in self._texts.values()):
            return
        rows = self._everything
        long_enough = pc.greater_equal(pc.utf8_length(self._all), _PROSE_FROM)
        rows = self._matching(rows[long_enough.to_numpy(zero_copy_only=False)], shapes.PROSE)
        if PERSON not in self._hint.vetoes:
            for row, text in self._take(rows):
                people = [span for finder in self._tools.prose for span in finder(text)]
                whole = people and len(text) > MAX_SCAN
                self._add(row, [Span(0, len(text), MASKED, 1.0)] if whole else people)
        for rule in () if LOCATION in self._hint.vetoes else self._tools.rules:
            if rule.entity == LOCATION and rule.strength == "strong":
                self._look(self._matching(rows, rule.trigger), rule.find)

    def _majority(self, spans: Mapping[int, tuple[Span, ...]]) -> Scan | None:
        if len(self._all) < _FEW:
            return None
        whole = Counter(covers(found, self._texts[row]) for row, found in spans.items())
        whole.pop(None, None)
        if not whole:
            return None
        entity, count = whole.most_common(1)[0]
        if count >= _MOST * len(self._all):
            return Scan(entity=entity)
        return None
