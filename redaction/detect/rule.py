"""A rule: a pattern in linear time, what stands around it, and the check of its matches."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

Strength = Literal["strong", "weak"]
"""A `strong` match counts wherever it stands. A `weak` one could be chance: it needs a word beside
it, a column whose values nearly all match, or a column name that says so."""


class Span(NamedTuple):
    """A piece of a text: `text[start:end]` is an `entity`."""

    start: int
    end: int
    entity: str
    score: float = 0.85


CONTEXT_WINDOW: Final = 48
"""How far before a match its word may stand, in characters."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How one entity is recognised.

    `body` MUST be valid for both RE2 and `re` and free of lookaround, because it also runs over
    whole columns at once; `quick` takes its place there when it is given, and MUST match wherever
    `body` does. `before` is a pattern of fixed width, or several, and `after` a pattern
    that must not touch a match. `group` names the part of a match that is the value.
    """

    name: str
    entity: str
    body: str
    strength: Strength = "strong"
    score: float = 0.85
    accept: Callable[[str], bool] | None = None
    """Judges the matched text, as a check digit does."""
    pick: Callable[[str], tuple[int, int] | None] | None = None
    """Returns where in the matched text the value stands, or None when it holds none."""
    maximal: bool = False
    """True when a match is as long as can be, so that a failed one is not tried from within."""
    before: str | tuple[str, ...] = r"[A-Za-z0-9_]"
    after: str = r"[A-Za-z0-9_]"
    context: tuple[str, ...] = ()
    """Words, in lower case, that make a weak match count when one stands just before it."""
    unless: tuple[str, ...] = ()
    """Words that speak against any match when one stands just before it."""
    group: str | int = 0
    quick: str | None = None
    in_words: bool = False
    """True when a match may consist of words only, as no other does."""
    pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _for: re.Pattern[str] | None = field(init=False, repr=False, compare=False)
    _against: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        befores = (self.before,) if isinstance(self.before, str) else self.before
        lead = "".join(f"(?<!{b})" for b in befores if b)
        tail = f"(?!{self.after})" if self.after else ""
        object.__setattr__(self, "pattern", re.compile(f"{lead}(?:{self.body}){tail}"))
        object.__setattr__(self, "_for", _words(self.context))
        object.__setattr__(self, "_against", _words(self.unless))

    @property
    def trigger(self) -> str:
        """A RE2 pattern that matches every text in which `find` finds anything."""
        return self.quick or self.body

    @property
    def announced_by(self) -> str:
        """A RE2 pattern of the context words; texts without one cannot have a weak match."""
        return "(?i:" + "|".join(sorted(map(re.escape, self.context))) + ")"

    def find(self, text: str) -> Iterator[Span]:
        """Yields the accepted matches in `text`, weak ones too."""
        at = 0
        while match := self.pattern.search(text, at):
            start, end = self._value(match, text)
            if start < end:
                yield Span(start, end, self.entity, self.score)
                at = max(end, match.start() + 1)
            else:
                at = match.end() if self.maximal else match.start() + 1

    def _value(self, match: re.Match[str], text: str) -> tuple[int, int]:
        start, end = match.span(self.group)
        if self.pick is not None:
            place = self.pick(text[start:end])
            start, end = (start + place[0], start + place[1]) if place else (start, start)
        elif self.accept is not None and not self.accept(text[start:end]):
            return start, start
        if self._against is not None and self._against.search(*_reach(text, start)):
            return start, start
        return start, end

    def find_in_prose(self, text: str) -> Iterator[Span]:
        """Yields the matches that count by themselves or by a word just before them."""
        if self.strength == "strong":
            yield from self.find(text)
        elif self._for is not None:
            for span in self.find(text):
                if self._for.search(*_reach(text, span.start)):
                    yield span

    def matches(self, value: str) -> bool:
        """True when the whole of `value`, but for space around it, is one accepted match."""
        match = self.pattern.fullmatch(value.strip())
        if match is None:
            return False
        start, end = self._value(match, match.string)
        return start < end and (self.pick is None or end - start == len(match.string))


def _words(words: tuple[str, ...]) -> re.Pattern[str] | None:
    if not words:
        return None
    union = "|".join(sorted(map(re.escape, words), key=len, reverse=True))
    return re.compile(rf"(?<![a-z])(?:{union})(?![a-z])", re.IGNORECASE)


def _reach(text: str, start: int) -> tuple[str, int, int]:
    return text, max(0, start - CONTEXT_WINDOW), start
