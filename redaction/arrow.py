"""Arrow arrays of every type: unchanged where nothing is masked, text where something is."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from redaction import masks
from redaction.cells import Context, Edits, edit_all, edit_found, edit_prose, edit_secrets
from redaction.column import Kind
from redaction.detect.vote import SHORTEST_NUMBER
from redaction.entities import FREE_TEXT
from redaction.lexicon import NameHint
from redaction.masks import Trust
from redaction.nested import Column, Redacted, redact_objects, text_of_bytes
from redaction.reasons import Why
from redaction.verdict import ColumnVerdict

_JSON: Final = r"^[\t\n\f\r ]*[\[{]"
_JSON_BEGINS: Final = re.compile(_JSON).match
_HANDFUL: Final = 64
"""Values up to which Python is quicker than compiling a pattern for all of them."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """A redacted array, how many cells changed, what they held, and what decided it."""

    array: pa.Array
    masked_cells: int = 0
    entities: Counter[str]
    why: Why = "values"


def blank(array: pa.Array, entity: str) -> Done:
    """Returns an array of the same length in which every cell, null or not, is masked."""
    masked = pa.array([masks.token(entity)] * len(array), pa.string())
    return Done(
        array=masked, masked_cells=len(array), entities=Counter({entity: len(array)}), why="verdict"
    )


def redact_array(array: pa.Array, verdict: ColumnVerdict, context: Context) -> Done:
    """Returns `array` redacted as its verdict says."""
    return _Redaction(verdict, context).of(_plain(array))


def _plain(array: pa.Array) -> pa.Array:
    """Returns the array without dictionary, run-end or extension wrapping."""
    kind = array.type
    if pt.is_dictionary(kind):
        return _plain(array.dictionary_decode())
    if pt.is_run_end_encoded(kind):
        return _plain(pc.run_end_decode(array))
    if isinstance(kind, pa.BaseExtensionType):
        return _plain(array.storage)
    if kind == pa.string_view():
        return array.cast(pa.large_string())
    if kind == pa.binary_view():
        return array.cast(pa.large_binary())
    return array


class _Redaction:
    """One column: how its values are edited, and the types they may have."""

    def __init__(self, verdict: ColumnVerdict, context: Context) -> None:
        self._verdict = verdict
        self._context = context
        self._why: Why = "values"
        self._all = verdict.tag is not None
        self._revealed = verdict.revealed_at(context.sink)

    def of(self, array: pa.Array) -> Done:
        """Returns the redacted array."""
        kind = array.type
        if pt.is_null(kind) or array.null_count == len(array):
            return Done(array=array, entities=Counter())
        if pt.is_string(kind) or pt.is_large_string(kind):
            return self._text(array)
        if pt.is_binary(kind) or pt.is_large_binary(kind) or pt.is_fixed_size_binary(kind):
            return self._bytes(array)
        if pt.is_nested(kind):
            return self._objects(array)
        return self._single(array)

    def _edit(self, uniques: pa.Array, hint: NameHint, kind: Kind) -> Edits:
        verdict, context = self._verdict, self._context
        if self._revealed:
            return edit_secrets(uniques, context) if kind == "text" else Edits()
        if self._all:
            self._why = "verdict"
            return edit_all(uniques, verdict.tag or FREE_TEXT, context, _trust(verdict))
        if verdict.is_prose and verdict.basis == "lineage":
            self._why = "verdict"
            return edit_all(uniques, FREE_TEXT, context, "derived")
        if verdict.is_prose and kind == "text":
            return edit_prose(uniques, hint, context)
        edits = edit_found(uniques, hint, context, kind)
        if edits.scan.entity is not None:
            self._why = edits.scan.why
        return edits

    def _text(self, array: pa.Array, kind: Kind = "text") -> Done:
        encoded = array.dictionary_encode()
        uniques = encoded.dictionary
        if kind == "text" and not self._all and _any_json(uniques):
            return self._objects(array)
        edits = self._edit(uniques, self._verdict.hint, kind)
        if not edits.texts:
            return Done(array=array, entities=Counter())
        new = uniques.to_pylist()
        for index, text in edits.texts.items():
            new[index] = text
        cells, entities = _count(encoded.indices, edits)
        result = pa.array(new, array.type).take(encoded.indices)
        return Done(array=result, masked_cells=cells, entities=entities, why=self._why)

    def _bytes(self, array: pa.Array) -> Done:
        texts = [None if v is None else text_of_bytes(v) for v in array.to_pylist()]
        done = self._text(pa.array(texts, pa.large_string()))
        if not done.masked_cells:
            return Done(array=array, entities=Counter())
        entity = done.entities.most_common(1)[0][0]
        masked = masks.token(entity).encode()
        new = [
            old if text == shown else masked
            for old, text, shown in zip(
                array.to_pylist(), texts, done.array.to_pylist(), strict=True
            )
        ]
        result = pa.array(new, pa.large_binary())
        return Done(
            array=result, masked_cells=done.masked_cells, entities=done.entities, why=done.why
        )

    def _single(self, array: pa.Array) -> Done:
        kind: Kind = "moment"
        if pt.is_integer(array.type) or pt.is_floating(array.type) or pt.is_decimal(array.type):
            kind = "whole_number"
        elif not (pt.is_date(array.type) or pt.is_timestamp(array.type) or self._all):
            return Done(array=array, entities=Counter())
        whole = _as_whole_numbers(array) if kind == "whole_number" else array
        if whole is None and not self._all:
            return Done(array=array, entities=Counter())
        if whole is not None and self._says_nothing(whole):
            return Done(array=array, entities=Counter())
        texts = _as_text(array if whole is None else whole)
        done = self._text(texts, kind)
        return done if done.masked_cells else Done(array=array, entities=Counter())

    def _says_nothing(self, whole: pa.Array) -> bool:
        """True for numbers too short for any kind, in a column whose name says nothing for sure."""
        verdict = self._verdict
        decided = self._all or verdict.is_prose or verdict.hint.strength == "strong"
        return not decided and _longest(whole) < SHORTEST_NUMBER

    def _objects(self, array: pa.Array) -> Done:
        prose = self._verdict.is_prose
        looked_at = self._context.sink == "screen" and self._verdict.basis != "lineage"
        column = Column(
            hint=self._verdict.hint,
            edit=self._edit,
            everything=self._all,
            keys=not self._revealed and (self._all or (prose and not looked_at)),
        )
        values = array.to_pylist()
        redacted = redact_objects(values, column, self._context)
        if not redacted.entities:
            return Done(array=array, entities=Counter())
        return Done(
            array=_rebuilt(redacted, array.type),
            masked_cells=len(redacted.entities),
            entities=Counter(e for found in redacted.entities.values() for e in found),
            why=self._why,
        )


def _trust(verdict: ColumnVerdict) -> Trust:
    match verdict.basis:
        case "declared":
            return "stored"
        case "lineage":
            return "derived"
        case _:
            return "found"


def _any_json(values: pa.Array) -> bool:
    if len(values) <= _HANDFUL:
        return any(_JSON_BEGINS(text) for text in values.to_pylist())
    return bool(pc.any(pc.match_substring_regex(values, _JSON)).as_py())


def _count(indices: pa.Array, edits: Edits) -> tuple[int, Counter[str]]:
    rows = np.bincount(indices.drop_null().to_numpy())
    entities: Counter[str] = Counter()
    cells = 0
    for index in edits.texts:
        count = int(rows[index]) if index < len(rows) else 0
        cells += count
        for entity in edits.entities[index]:
            entities[entity] += count
    return cells, entities


def _as_whole_numbers(array: pa.Array) -> pa.Array | None:
    """Returns the numbers as integers when all of them are whole and none is out of range."""
    if pt.is_integer(array.type):
        return array
    if pt.is_decimal(array.type) and array.type.scale > 0:
        return None
    try:
        whole = array.cast(pa.int64())
    except pa.ArrowInvalid:
        return None
    least = pc.min(pc.abs(whole)).as_py()
    return whole if least is not None and least >= 10_000_000 else None


def _longest(whole: pa.Array) -> int:
    """Returns how many characters the longest of these numbers has."""
    if len(whole) <= _HANDFUL:
        ends = [v for v in whole.to_pylist() if v is not None]
    else:
        ends = [end.as_py() for end in pc.min_max(whole).values()]
    return max(len(str(end)) for end in ends)


def _as_text(array: pa.Array) -> pa.Array:
    try:
        return array.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([None if v is None else str(v) for v in array.to_pylist()], pa.string())


def _rebuilt(redacted: Redacted, kind: pa.DataType) -> pa.Array:
    """Returns the values in their old type where that still holds them, otherwise as JSON text."""
    if not pt.is_map(kind):
        try:
            return pa.array(redacted.values, kind)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            pass
    texts = [
        v if v is None or isinstance(v, str) else json.dumps(v, ensure_ascii=False, default=str)
        for v in redacted.values
    ]
    return pa.array(texts, pa.large_string())
