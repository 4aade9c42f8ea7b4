"""A tag suggested for a column when a source is connected, for an admin to confirm."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from redaction.column import Kind, scan
from redaction.detect.presidio import toolkit
from redaction.detect.shapes import PROSE
from redaction.entities import FREE_TEXT, PERSON
from redaction.errors import RedactionError
from redaction.lexicon import NameHint, hint
from redaction.nested import text_of

_BY_NAME: Final = {"strong": 0.95, "likely": 0.7, "weak": 0.5}
_PROSE_SHARE: Final = 0.5
_PROSE_LENGTH: Final = 40
_MOMENT: Final = re.compile(r"date|time", re.IGNORECASE)
_FLAG: Final = re.compile(r"bool", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """An entity a column may be tagged with, how sure that is (0 to 1), and why, in a sentence.

    `entity` is `FREE_TEXT` for prose in which personal data may stand.
    """

    entity: str
    confidence: float
    why: str


def suggest_tag(
    table: str, column: str, type_: str, samples: Sequence[object]
) -> Suggestion | None:
    """Returns a tag for `table.column`, or None when neither its name nor its values ask for one.

    `type_` is the engine's own name of the type; `samples` are some values, which never leave:
    the sentence names none of them.

    Raises:
        RedactionError: The samples could not be looked at.
    """
    name = hint(column, table)
    if _FLAG.search(type_):
        return None
    by_value = _by_values(name, type_, samples)
    if name.strength == "strong" and name.entity is not None:
        return _by_name(name, by_value, column)
    if by_value is None:
        return _likely(name, column) if not samples else None
    return by_value


def _by_name(name: NameHint, by_value: Suggestion | None, column: str) -> Suggestion:
    entity = name.entity or PERSON
    agree = by_value is not None and by_value.entity == entity
    why = f"The name {column} says {entity}" + (", and so do its values." if agree else ".")
    return Suggestion(entity=entity, confidence=0.99 if agree else _BY_NAME["strong"], why=why)


def _likely(name: NameHint, column: str) -> Suggestion | None:
    if name.strength != "likely" or name.entity is None:
        return None
    return Suggestion(
        entity=name.entity,
        confidence=_BY_NAME["likely"],
        why=f"The name {column} may say {name.entity}; there were no values to look at.",
    )


def _by_values(name: NameHint, type_: str, samples: Sequence[object]) -> Suggestion | None:
    texts, kind = _texts(type_, samples)
    if not texts:
        return None
    uniques = pa.array(list(dict.fromkeys(texts)), pa.large_string())
    try:
        found = scan(uniques, NameHint() if name.strength == "strong" else name, toolkit(), kind)
    except RedactionError:
        raise
    except Exception as error:
        raise RedactionError(f"The samples could not be read ({type(error).__name__}).") from None
    if found.entity is not None:
        return Suggestion(
            entity=found.entity, confidence=0.9, why=f"Nearly all values look like {found.entity}."
        )
    if kind == "text" and _is_prose(texts):
        holds = " and some hold personal data" if found.spans else ""
        return Suggestion(
            entity=FREE_TEXT,
            confidence=0.9 if found.spans else 0.6,
            why=f"The values are sentences{holds}.",
        )
    if len(found.spans) * 10 >= len(uniques):
        entity = max(
            (s for spans in found.spans.values() for s in spans), key=lambda s: s.score
        ).entity
        return Suggestion(
            entity=entity, confidence=0.6, why=f"Some values hold {entity}, so all are suspect."
        )
    return None


def _texts(type_: str, samples: Sequence[object]) -> tuple[list[str], Kind]:
    kind: Kind = "moment" if _MOMENT.search(type_) else "text"
    told = [t for t in (text_of(s, kind) for s in samples) if t is not None]
    kinds = {k for _, k in told}
    return [t for t, _ in told if t.strip()], kinds.pop() if len(kinds) == 1 else kind


def _is_prose(texts: Sequence[str]) -> bool:
    prose = sum(len(t) >= _PROSE_LENGTH and re.search(PROSE, t) is not None for t in texts)
    return prose >= _PROSE_SHARE * len(texts)
