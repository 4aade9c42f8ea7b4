"""Putting what several recognizers found in one text in order, and into the text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from redaction.detect.rule import Span
from redaction.entities import EMAIL_ADDRESS, LOCATION, PERSON, PHONE_NUMBER, SECRET

_FIRST: Final = {SECRET: 3, EMAIL_ADDRESS: 2, PERSON: -1, LOCATION: -1, PHONE_NUMBER: -0.5}


def _weight(span: Span) -> tuple[float, float, int]:
    return _FIRST.get(span.entity, 0), span.score, span.end - span.start


def resolve(found: Iterable[Span], text: str) -> tuple[Span, ...]:
    """Returns the spans in order and without overlap; together they cover all that was found.

    Where two overlap the weightier keeps its place and the other keeps what is left of it. The
    rest of an address behind a password (`user:password@host`) is a host, not an e-mail address,
    and is dropped.
    """
    kept: list[Span] = []
    for span in sorted(set(found), key=_weight, reverse=True):
        kept.extend(p for p in _parts(span, kept) if _worth(p, text))
    return tuple(sorted(kept))


def _parts(span: Span, kept: list[Span]) -> list[Span]:
    parts = [span]
    for other in kept:
        rest: list[Span] = []
        for part in parts:
            if other.end <= part.start or part.end <= other.start:
                rest.append(part)
                continue
            if span.entity == EMAIL_ADDRESS and other.entity == SECRET:
                continue
            if part.start < other.start:
                rest.append(part._replace(end=other.start))
            if other.end < part.end:
                rest.append(part._replace(start=other.end))
        parts = rest
    return parts


def _worth(span: Span, text: str) -> bool:
    return any(c.isalnum() for c in text[span.start : span.end])


def covers(spans: Iterable[Span], text: str) -> str | None:
    """Returns the entity of the one span that is nearly all of `text`, or None."""
    for span in spans:
        if (span.end - span.start) * 10 >= 9 * len(text.strip()):
            return span.entity
    return None


def replace(text: str, spans: Iterable[Span], mask: Callable[[str, str], str]) -> str:
    """Returns `text` with each span replaced by `mask(value, entity)`; spans must be resolved."""
    out = []
    at = 0
    for span in spans:
        out.append(text[at : span.start])
        out.append(mask(text[span.start : span.end], span.entity))
        at = span.end
    out.append(text[at:])
    return "".join(out)
