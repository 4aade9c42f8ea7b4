"""From what was found to what is shown: the new text of each different value of a column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa

from redaction import masks
from redaction.column import Kind, Scan, scan
from redaction.detect.presidio import Toolkit
from redaction.detect.rule import Span
from redaction.detect.spans import replace, resolve
from redaction.entities import FREE_TEXT, SECRET, Sink
from redaction.key import SessionKey
from redaction.lexicon import NameHint
from redaction.masks import Trust

_PROSE_WORDS: Final = 3
_PROSE_FROM: Final = 26


@dataclass(frozen=True, kw_only=True)
class Context:
    """Everything that is the same for all values of one result."""

    tools: Toolkit
    sink: Sink
    key: SessionKey
    spans_only: bool = False
    """Of prose only what was recognised is masked, at every sink and without a language model."""

    def mask(self, value: str, entity: str, trust: Trust = "found") -> str:
        """Returns what stands in place of `value`."""
        return masks.apply(masks.mask_for(entity, self.sink, trust), value, entity, self.key, trust)


@dataclass(frozen=True, kw_only=True)
class Edits:
    """What changes in a column: by the index of the value, its new text and what it held."""

    texts: Mapping[int, str] = field(default_factory=dict)
    entities: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    scan: Scan = field(default_factory=Scan)


def edit_found(uniques: pa.Array, hint: NameHint, context: Context, kind: Kind = "text") -> Edits:
    """Returns the edits of a column nothing is declared about, by looking at its values."""
    result = scan(uniques, hint, context.tools, kind)
    if result.entity is not None:
        return edit_all(uniques, result.entity, context, "found", result)
    rows = sorted(row for row, spans in result.spans.items() if spans)
    if not rows:
        return Edits(scan=result)
    texts: dict[int, str] = {}
    entities: dict[int, tuple[str, ...]] = {}
    for row, text in zip(rows, uniques.take(pa.array(rows, pa.int64())).to_pylist(), strict=True):
        spans = result.spans[row]
        texts[row] = _edited(text, spans, context)
        entities[row] = tuple(span.entity for span in spans)
    return Edits(texts=texts, entities=entities, scan=result)


def _edited(text: str, spans: tuple[Span, ...], context: Context) -> str:
    whole = len(spans) == 1 and spans[0].end - spans[0].start == len(text)
    blind = context.tools.model is None and not context.spans_only
    if not whole and context.sink != "screen" and blind and _is_prose(text):
        # Without a language model what else a sentence says about a person cannot be told.
        return masks.token(FREE_TEXT)
    return replace(text, spans, context.mask)


def _is_prose(text: str) -> bool:
    return len(text) >= _PROSE_FROM and len(text.split(maxsplit=_PROSE_WORDS)) >= _PROSE_WORDS


def edit_all(
    uniques: pa.Array, entity: str, context: Context, trust: Trust, result: Scan | None = None
) -> Edits:
    """Returns the edits that mask every value that says anything; of computed ones, even none."""
    texts = {
        row: context.mask(text, entity, trust)
        for row, text in enumerate(uniques.to_pylist())
        if trust == "derived" or any(c.isalnum() or not c.isascii() for c in text)
    }
    found = (entity,)
    return Edits(
        texts=texts,
        entities=dict.fromkeys(texts, found),
        scan=result or Scan(entity=entity, why="name"),
    )


def edit_prose(uniques: pa.Array, hint: NameHint, context: Context) -> Edits:
    """Returns the edits of a column declared to be free text."""
    may_read = context.tools.model is not None or context.spans_only
    if context.sink == "screen" or (context.sink == "model" and may_read):
        return edit_found(uniques, hint, context)
    if context.sink == "model":
        return edit_all(uniques, FREE_TEXT, context, "found")
    looked = scan(uniques, hint, context.tools)
    texts = {}
    for row, text in enumerate(uniques.to_pylist()):
        if text.strip():
            texts[row] = _summary(text, looked, row)
    return Edits(texts=texts, entities=dict.fromkeys(texts, (FREE_TEXT,)), scan=looked)


def _summary(text: str, looked: Scan, row: int) -> str:
    names = [looked.entity] if looked.entity else [s.entity for s in looked.spans.get(row, ())]
    counts = ", ".join(f"{names.count(n)} {n}" for n in sorted(set(names)))
    return f"<{FREE_TEXT}> {len(text)} characters" + (f", {counts}" if counts else "")


def edit_secrets(uniques: pa.Array, context: Context) -> Edits:
    """Returns the edits of a column the person may see: secrets in it stay hidden all the same."""
    rules = [r for r in context.tools.rules if r.entity == SECRET]
    texts: dict[int, str] = {}
    for row, text in enumerate(uniques.to_pylist()):
        spans = [span for rule in rules for span in rule.find_in_prose(text)]
        if spans:
            texts[row] = replace(text, resolve(spans, text), context.mask)
    return Edits(texts=texts, entities=dict.fromkeys(texts, (SECRET,)))
