"""A language model for names in prose, if the user installed one. None is ever downloaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from redaction.detect.rule import Span
from redaction.entities import PERSON
from redaction.errors import RedactionError

_BY_QUALITY: Final = ("_trf", "_lg", "_md", "_sm")


def installed_model() -> str | None:
    """Returns the best spaCy pipeline on this machine, such as `en_core_web_sm`, or None."""
    from spacy.util import get_installed_models

    found = sorted(get_installed_models(), key=_rank)
    return found[0] if found else None


def _rank(name: str) -> tuple[int, str]:
    ends = (i for i, suffix in enumerate(_BY_QUALITY) if name.endswith(suffix))
    return next(ends, len(_BY_QUALITY)), name


def finder(name: str) -> Callable[[str], Iterable[Span]]:
    """Returns a search for people with the spaCy pipeline `name`, through Presidio's own engine.

    Only PERSON is used: to a model every city is a location, and here a city is not personal data.

    Raises:
        RedactionError: The pipeline cannot be loaded.
    """
    from presidio_analyzer.nlp_engine import SpacyNlpEngine
    from presidio_analyzer.predefined_recognizers import SpacyRecognizer

    language = name[:2]
    engine = SpacyNlpEngine(models=[{"lang_code": language, "model_name": name}])
    try:
        engine.load()
    except Exception as error:
        raise RedactionError(f"The language model {name} cannot be loaded.") from error
    recognizer = SpacyRecognizer(supported_language=language, supported_entities=[PERSON])

    def find(text: str) -> Iterator[Span]:
        artifacts = engine.process_text(text, language)
        for result in recognizer.analyze(text, [PERSON], artifacts):
            yield Span(result.start, result.end, PERSON, result.score)

    return find
