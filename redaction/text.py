"""Texts that leave: prompts, messages, errors, titles, literals."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from redaction.column import MAX_SCAN
from redaction.detect import decode
from redaction.detect.presidio import Toolkit, toolkit
from redaction.detect.rule import Span
from redaction.detect.spans import resolve
from redaction.entities import ENCODED, LOCATION, MASKED, Sink
from redaction.errors import RedactionError
from redaction.key import SessionKey
from redaction.masks import token

if TYPE_CHECKING:
    from presidio_anonymizer import AnonymizerEngine

_KEPT: Final = 512
_KEPT_LENGTH: Final = 2_048
_CLEAN: Final[dict[str, Toolkit]] = {}
"""Texts for the log in which nothing personal was found, and what looked: the shapes of statements
come again and again. Other texts are never kept."""
_WORD: Final = re.compile(r"\S{8,4096}")


def redact_text(text: str, *, sink: Sink, key: SessionKey) -> str:
    """Returns `text` with what is personal in it masked. People and addresses get pseudonyms.

    The pseudonyms of texts differ from those of columns: a person could otherwise confirm a guess
    by typing it. A text longer than 32,768 characters in which anything is found comes back as
    `<MASKED>`.

    Raises:
        RedactionError: Anything went wrong. The caller MUST show no part of the text.
    """
    if not text.strip():
        return text
    try:
        tools = toolkit()
        if sink == "log" and _CLEAN.get(text) is tools:
            return text
        shown = _redacted(text, tools, sink, key)
        if shown == text and sink == "log" and len(text) <= _KEPT_LENGTH:
            _keep_clean(text, tools)
        return shown
    except RedactionError:
        raise
    except Exception as error:
        # Not chained: the message of a foreign error may quote the text.
        raise RedactionError(f"A text could not be redacted ({type(error).__name__}).") from None


def _keep_clean(text: str, tools: Toolkit) -> None:
    if len(_CLEAN) >= _KEPT:
        _CLEAN.clear()
    _CLEAN[text] = tools


def _redacted(text: str, tools: Toolkit, sink: Sink, key: SessionKey) -> str:
    if len(text) > MAX_SCAN:
        return token(MASKED) if any(True for _ in tools.find(text)) else text
    spans = resolve([*tools.find(text), *_disguised(text, tools)], text)
    if len(text) <= decode.MAX_LENGTH and _hidden(text, spans, tools):
        return token(ENCODED)
    return _anonymized(text, spans, sink, key) if spans else text


def _strong(text: str, tools: Toolkit) -> int:
    return sum(1 for r in tools.rules if r.entity != LOCATION for _ in r.find_in_prose(text))


def _disguised(text: str, tools: Toolkit) -> Iterator[Span]:
    for word in _WORD.finditer(text):
        for _, plain in decode.decodings(word.group(0)):
            if _strong(plain, tools) > _strong(word.group(0), tools):
                yield Span(*word.span(), ENCODED, 1.0)
                break


def _hidden(text: str, spans: tuple[Span, ...], tools: Toolkit) -> bool:
    """True when odd letters or separators all through the text still hide something."""
    shown = text
    for span in reversed(spans):
        shown = f"{shown[: span.start]} {shown[span.end :]}"
    return any(_strong(plain, tools) for _, plain in decode.decodings(shown))


@functools.cache
def _engine() -> AnonymizerEngine:
    from redaction.operators import anonymizer

    return anonymizer()


def _anonymized(text: str, spans: tuple[Span, ...], sink: Sink, key: SessionKey) -> str:
    from presidio_anonymizer.entities import RecognizerResult

    from redaction.operators import configs

    results = [
        RecognizerResult(entity_type=s.entity, start=s.start, end=s.end, score=s.score)
        for s in spans
    ]
    done = _engine().anonymize(
        text,
        results,
        operators=configs({s.entity for s in spans}, sink, key, "text"),
        merge_entities_with_spaces=False,
    )
    return done.text
