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
    `body` does. `before` is a character class and `after` a pattern that must not touch a match.
    `group` names the part of a match that is the value.
    """

    name: str
    entity: str
    body: str
    strength: Strength = "strong"
    score: float = 0.85
    accept: Callable[[str], bool] | None = None
    """Judges the matched text, as a check digit does."""
    cut: Callable[[str], int] | None = None
    """Returns how much of the matched text is the value, 0 for none of it."""
    before: str = r"[A-Za-z0-9_]"
    after: str = r"[A-Za-z0-9_]"
    context: tuple[str, ...] = ()
    """Words, in lower case, that make a weak match count when one stands just before it."""
    unless: tuple[str, ...] = ()
    """Words that speak against any match when one stands just before it."""
    group: str | int = 0
    quick: str | None = None
    pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)
    _for: re.Pattern[str] | None = field(init=False, repr=False, compare=False)
    _against: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lead = f"(?<!{self.before})" if self.before else ""
        tail = f"(?!{self.after})" if self.after else ""
        object.__setattr__(self, "pattern", re.compile(f"{lead}(?:{self.body}){tail}"))
        object.__setattr__(self, "_for", _words(self.context))
        object.__setattr__(self, "_against", _words(self.unless))

    @property
    def trigger(self) -> str:
        """A RE2 pattern that matches every text in which `find` finds anything."""
        return self.quick or self.body

    def find(self, text: str) -> Iterator[Span]:
        """Yields the accepted matches in `text`, weak ones too."""
        at = 0
        while match := self.pattern.search(text, at):
            start, end = self._value(match, text)
            if start < end:
                yield Span(start, end, self.entity, self.score)
                at = max(end, match.start() + 1)
            else:
                at = match.start() + 1

    def _value(self, match: re.Match[str], text: str) -> tuple[int, int]:
        start, end = match.span(self.group)
        if self.cut is not None:
            end = start + self.cut(text[start:end])
        elif self.accept is not None and not self.accept(text[start:end]):
            return start, start
        if self._against is not None and self._against.search(*_reach(text, start)):
            return start, start
        return start, end

    def find_in_prose(self, text: str) -> Iterator[Span]:
        """Yields the matches that count by themselves or by a word just before them."""
        for span in self.find(text):
            if self.strength == "strong" or (
                self._for is not None and self._for.search(*_reach(text, span.start))
            ):
                yield span

    def matches(self, value: str) -> bool:
        """True when the whole of `value`, but for space around it, is one accepted match."""
        match = self.pattern.fullmatch(value.strip())
        if match is None:
            return False
        start, end = self._value(match, match.string)
        return start < end and (self.cut is None or end == len(match.string))


def _words(words: tuple[str, ...]) -> re.Pattern[str] | None:
    if not words:
        return None
    union = "|".join(sorted(map(re.escape, words), key=len, reverse=True))
    return re.compile(rf"(?<![a-z])(?:{union})(?![a-z])", re.IGNORECASE)


def _reach(text: str, start: int) -> tuple[str, int, int]:
    return text, max(0, start - CONTEXT_WINDOW), start
