"""Recognizers that are not ours: Presidio's own, from a YAML file, or written by a user.

Pattern recognizers get a RE2 trigger made from their patterns, so that they too run over whole
columns first. A pattern that runs too long fails the redaction instead of being skipped, as
Presidio would.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from redaction.detect.rule import Span
from redaction.entities import canonical
from redaction.errors import RedactionError

if TYPE_CHECKING:
    from presidio_analyzer import AnalyzerEngine, EntityRecognizer, Pattern, PatternRecognizer

_TIMEOUT_SECONDS: Final = 2.0
_THRESHOLD: Final = 0.4
_CONTEXT_BONUS: Final = 0.35
"""As in Presidio's `LemmaContextAwareEnhancer`."""


@dataclass(frozen=True, kw_only=True)
class Guest:
    """One recognizer; `trigger` is a RE2 pattern that matches where it could find anything."""

    recognizer: EntityRecognizer
    trigger: str | None
    context: frozenset[str]

    @classmethod
    def of(cls, recognizer: EntityRecognizer) -> Guest:
        """Returns the guest for a recognizer of the registry."""
        context = frozenset(word.casefold() for word in recognizer.context or ())
        return cls(recognizer=recognizer, trigger=_trigger_of(recognizer), context=context)

    def find(
        self, text: str, analyzer: AnalyzerEngine, column_words: frozenset[str] = frozenset()
    ) -> Iterator[Span]:
        """Yields what the recognizer finds in `text` at or above its threshold.

        Raises:
            RedactionError: The recognizer failed or took too long.
        """
        bonus = _CONTEXT_BONUS if self.context & (column_words | _words(text)) else 0.0
        try:
            found = list(self._results(text, analyzer))
        except Exception as error:
            # Not chained: the message of a foreign error may quote the text.
            name, kind = type(self.recognizer).__name__, type(error).__name__
            raise RedactionError(f"The recognizer {name} failed ({kind}).") from None
        for span in found:
            limit = self._threshold(span.entity)
            if min(1.0, span.score + bonus) >= limit:
                yield span

    def _threshold(self, entity: str) -> float:
        own = self.recognizer.score_thresholds
        return own.get(entity, own.get("default", _THRESHOLD))

    def _results(self, text: str, analyzer: AnalyzerEngine) -> Iterator[Span]:
        from presidio_analyzer import PatternRecognizer

        recognizer = self.recognizer
        if (
            isinstance(recognizer, PatternRecognizer)
            and type(recognizer).analyze is PatternRecognizer.analyze
        ):
            yield from _by_patterns(recognizer, text)
            return
        artifacts = analyzer.nlp_engine.process_text(text, recognizer.supported_language)
        for result in recognizer.analyze(text, recognizer.supported_entities, artifacts):
            yield Span(result.start, result.end, canonical(result.entity_type), result.score)


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text[:2000].casefold()))


def _by_patterns(recognizer: PatternRecognizer, text: str) -> Iterator[Span]:
    import regex  # type: ignore[import-untyped]  # what Presidio compiles with; no stubs

    entity = canonical(recognizer.supported_entities[0])
    for pattern in _patterns(recognizer):
        compiled = regex.compile(pattern.regex, recognizer.global_regex_flags)
        for match in compiled.finditer(text, timeout=_TIMEOUT_SECONDS):
            value = match.group()
            if not value or recognizer.invalidate_result(value):
                continue
            valid = recognizer.validate_result(value)
            score = pattern.score if valid is None else float(valid)
            if score > 0:
                yield Span(match.start(), match.end(), entity, score)


def _patterns(recognizer: PatternRecognizer) -> list[Pattern]:
    return list(recognizer.patterns)  # type: ignore[has-type]  # set in an untyped __init__


def _trigger_of(recognizer: EntityRecognizer) -> str | None:
    from presidio_analyzer import PatternRecognizer

    if not isinstance(recognizer, PatternRecognizer) or not _patterns(recognizer):
        return None
    triggers = [re2_superset(p.regex) for p in _patterns(recognizer)]
    if any(t is None for t in triggers):
        return None
    return "(?ims:" + "|".join(f"(?:{t})" for t in triggers) + ")"


_CLASSES: Final = {"d": r"\pN", "w": r"\pL\pM\pN_", "s": r"\s\pZ"}
_LOOKAROUND: Final = re.compile(r"\(\?(?:=|!|<=|<!)")


def re2_superset(pattern: str) -> str | None:
    """Returns a RE2 pattern that matches wherever `pattern` does, or None if there is none.

    Lookaround and word edges are dropped and Unicode classes spelt out, which can only match more.
    """
    out: list[str] = []
    at = 0
    in_class = False
    while at < len(pattern):
        character = pattern[at]
        if character == "\\":
            piece = _escape(pattern[at : at + 2], in_class=in_class)
            if piece is None:
                return None
            out.append(piece)
            at += 2
        elif not in_class and _LOOKAROUND.match(pattern, at):
            at = _closing(pattern, at) + 1
        else:
            in_class = (character == "[" or in_class) and character != "]"
            out.append(character)
            at += 1
    superset = "".join(out)
    return superset if _compiles(superset) else None


def _escape(escape: str, *, in_class: bool) -> str | None:
    letter = escape[1:]
    if letter in _CLASSES:
        return _CLASSES[letter] if in_class else f"[{_CLASSES[letter]}]"
    if letter in "bB" and not in_class:
        return ""
    if not letter or letter in "DWSkgZGKRXpP123456789":
        return None
    return escape


def _closing(pattern: str, start: int) -> int:
    depth = 0
    at = start
    while at < len(pattern):
        if pattern[at] == "\\":
            at += 1
        elif pattern[at] in "()":
            depth += 1 if pattern[at] == "(" else -1
            if depth == 0:
                return at
        at += 1
    return len(pattern)


def _compiles(pattern: str) -> bool:
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(f"(?ims:{pattern})", options)
    except re2.error:
        return False
    return True
