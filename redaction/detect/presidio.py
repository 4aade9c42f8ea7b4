"""Presidio as the framework: our rules as recognizers in its registry, beside any others.

Importing Presidio takes about a second, so only `toolkit()` does, at the first redaction.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from redaction.detect import (
    address,
    contact,
    decode,
    identity,
    model,
    money,
    network,
    secrets,
    shapes,
)
from redaction.detect.guest import Guest
from redaction.detect.names import name_book
from redaction.detect.patternset import PatternSet
from redaction.detect.prose import find_people
from redaction.detect.rule import Rule, Span
from redaction.errors import RedactionError

if TYPE_CHECKING:
    from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry

RULES: Final[tuple[Rule, ...]] = (
    *secrets.RULES,
    *contact.RULES,
    *money.RULES,
    *identity.RULES,
    *network.RULES,
    *address.RULES,
)

RECOGNIZERS: Final = "GATEHOUSE_RECOGNIZERS"
LANGUAGE_MODEL: Final = "GATEHOUSE_LANGUAGE_MODEL"
_SHORT: Final = 2_048
"""Up to this many characters all patterns are tried in one pass first."""

Finder = Callable[[str], Iterable[Span]]


@dataclass(frozen=True, kw_only=True)
class Toolkit:
    """What the registry holds, in the forms the column engine can run over many values at once."""

    rules: tuple[Rule, ...]
    prose: tuple[Finder, ...]
    guests: tuple[Guest, ...]
    """Recognizers of Presidio's own or of the user's."""
    analyzer: AnalyzerEngine
    patterns: PatternSet
    """Every pattern the column engine asks for, in one automaton."""
    model: str | None
    """The language model in use, such as `en_core_web_sm`, or None."""

    @functools.cached_property
    def _by_pattern(self) -> Mapping[int, Sequence[int]]:
        """The places of the rules, by the number of the pattern that wakes them."""
        found: dict[int, list[int]] = {}
        for place, rule in enumerate(self.rules):
            found.setdefault(self.patterns.number(rule.trigger), []).append(place)
        return found

    def woken(self, fired: Iterable[int]) -> Sequence[Rule]:
        """Returns the rules whose pattern is among those of these numbers, in their order."""
        places = (place for number in fired for place in self._by_pattern.get(number, ()))
        return [self.rules[place] for place in sorted(places)]

    @functools.cached_property
    def _by_shape(self) -> Mapping[int, Sequence[int]]:
        """The places of the telling disguises, by the number of the pattern of their shape."""
        found: dict[int, list[int]] = {}
        for place, disguise in enumerate(decode.TELLING):
            found.setdefault(self.patterns.number(disguise.shape), []).append(place)
        return found

    def telling(self, fired: Iterable[int]) -> Sequence[decode.Disguise]:
        """Returns the telling disguises whose pattern is among those of these numbers, in order."""
        places = (place for number in fired for place in self._by_shape.get(number, ()))
        return [decode.TELLING[place] for place in sorted(places)]

    def find(self, text: str) -> Iterator[Span]:
        """Yields all that counts in a running text; spans may overlap."""
        fired = self.patterns.fired(text) if len(text) <= _SHORT else None
        for rule in self.rules if fired is None else self.woken(fired):
            yield from rule.find_in_prose(text)
        for finder in self.prose:
            yield from finder(text)
        for guest in self.guests:
            yield from guest.find(text, self.analyzer)


_lock = threading.Lock()
_current: Toolkit | None = None


def toolkit() -> Toolkit:
    """Returns the shared toolkit, built at the first call. Safe to call from several threads.

    Raises:
        RedactionError: Presidio could not be set up; nothing may be shown.
    """
    global _current
    if _current is None:
        with _lock:
            if _current is None:
                _current = build()
    return _current


def warm_up() -> None:
    """Builds the toolkit and reads the name lists, so that the first redaction does not wait.

    Raises:
        RedactionError: Presidio could not be set up.
    """
    tools = toolkit()
    name_book()
    for _ in tools.find("warm up"):
        pass


def language_model() -> str | None:
    """Returns the language model that finds names in prose, or None when the lists alone do.

    Raises:
        RedactionError: Presidio could not be set up.
    """
    return toolkit().model


def configure(
    recognizer_files: Sequence[Path] = (),
    recognizers: Sequence[EntityRecognizer] = (),
    language_model: str | None = None,
) -> None:
    """Adds Presidio recognizers: YAML files as Presidio reads them, and ready-made objects.

    `language_model` names an installed spaCy pipeline or a folder with a model; by default the best
    pipeline installed is used, if there is one. Replaces what an earlier call added.

    Raises:
        RedactionError: A file cannot be read or names something Presidio refuses, or the model
            cannot be loaded; nothing was replaced.
    """
    global _current
    fresh = build(recognizer_files, recognizers, language_model)
    with _lock:
        _current = fresh


def configure_from(environment: Mapping[str, str]) -> None:
    """Configures what the variables `GATEHOUSE_RECOGNIZERS` and `GATEHOUSE_LANGUAGE_MODEL` name.

    The first holds paths of YAML files, separated as those of PATH are. Without either nothing
    changes.

    Raises:
        RedactionError: as for `configure`; nothing may be shown.
    """
    files = [Path(p) for p in environment.get(RECOGNIZERS, "").split(os.pathsep) if p]
    wanted = environment.get(LANGUAGE_MODEL) or None
    if files or wanted:
        configure(files, language_model=wanted)


def build(
    recognizer_files: Sequence[Path] = (),
    recognizers: Sequence[EntityRecognizer] = (),
    language_model: str | None = None,
) -> Toolkit:
    """Returns a new toolkit over a new registry.

    Raises:
        RedactionError: Presidio could not be set up.
    """
    for name in ("presidio-analyzer", "presidio-anonymizer"):
        # At DEBUG they log the text they look at.
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        return _assemble(_registry(recognizer_files, recognizers), language_model)
    except RedactionError:
        raise
    except Exception as error:
        raise RedactionError(
            f"The recognizers could not be set up ({type(error).__name__})."
        ) from None


def _registry(
    recognizer_files: Sequence[Path], recognizers: Sequence[EntityRecognizer]
) -> RecognizerRegistry:
    from presidio_analyzer import RecognizerRegistry

    from redaction.detect.recognizers import PeopleRecognizer, RuleRecognizer

    registry = RecognizerRegistry(recognizers=[])
    for rule in RULES:
        registry.add_recognizer(RuleRecognizer(rule))
    registry.add_recognizer(PeopleRecognizer())
    for path in recognizer_files:
        registry.add_recognizers_from_yaml(path)
    for recognizer in recognizers:
        registry.add_recognizer(recognizer)
    return registry


def _assemble(registry: RecognizerRegistry, language_model: str | None) -> Toolkit:
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NoOpNlpEngine

    from redaction.detect.recognizers import PeopleRecognizer, RuleRecognizer

    languages = sorted({r.supported_language for r in registry.recognizers} | {"en"})
    registry.supported_languages = languages
    name = language_model or model.installed_model()
    finders: list[Finder] = [model.finder(name)] if name else []
    guests: list[Guest] = []
    rules: list[Rule] = []
    for recognizer in registry.recognizers:
        if isinstance(recognizer, RuleRecognizer):
            rules.append(recognizer.rule)
        elif isinstance(recognizer, PeopleRecognizer):
            finders.append(find_people)
        else:
            guests.append(Guest.of(recognizer))
    return Toolkit(
        rules=tuple(rules),
        prose=tuple(finders),
        guests=tuple(guests),
        analyzer=AnalyzerEngine(
            registry=registry,
            nlp_engine=NoOpNlpEngine([{"lang_code": c, "model_name": "none"} for c in languages]),
            supported_languages=languages,
        ),
        patterns=PatternSet(_patterns(rules, guests)),
        model=name,
    )


def _patterns(rules: Iterable[Rule], guests: Iterable[Guest]) -> Iterator[str]:
    yield from (shapes.HARMLESS, shapes.DIGEST, shapes.LONG_NUMBER, shapes.PROSE)
    for rule in rules:
        yield rule.trigger
        if rule.context:
            yield rule.announced_by
    for guest in guests:
        if guest.trigger is not None:
            yield guest.trigger
    for disguise in decode.TELLING:
        yield disguise.shape
