"""Values inside values: JSON objects and arrays, as objects or as text, lists, structs and maps.

Every path of a nested column is a column of its own, named by its last key, so that the engine
judges `contact.email` of all rows together. Keys are looked at too: a histogram has its values
for keys.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

import pyarrow as pa

from redaction import masks
from redaction.cells import Context, Edits
from redaction.column import Kind
from redaction.detect import decode
from redaction.entities import MASKED
from redaction.labels import masked_label
from redaction.lexicon import NameHint, hint

MAX_DEPTH: Final = 32
_MAX_KEYS: Final = 64
"""A level with more different keys is taken for a map: its keys are data, not names."""
_JSON: Final = re.compile(r"\s*[\[{]")

Path = tuple[str, ...]
EditLeaves = Callable[[pa.Array, NameHint, Kind], Edits]
"""How the different values of one path are edited."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """What is known of the outer column: what its name says, and what its text values are."""

    hint: NameHint
    edit: EditLeaves
    kind: Kind = "text"
    everything: bool = False
    """Values of every type are edited, flags and amounts too."""
    keys: bool = False
    """Keys of maps and of JSON objects are edited like values. Names of struct fields never are:
    they belong to the schema."""


class _Data(dict[str, object]):
    """An object whose keys are data, as those of a map are."""


@dataclass(kw_only=True)
class Redacted:
    """New values and, by row, the entities masked in it. Rows that are not listed are unchanged."""

    values: list[object]
    entities: dict[int, tuple[str, ...]] = field(default_factory=dict)


@dataclass(kw_only=True)
class _Leaves:
    """All values at one path: the row each belongs to and how to put a new one in its place."""

    texts: list[str] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    puts: list[Callable[[str], None]] = field(default_factory=list)


def redact_objects(values: Sequence[object], column: Column, context: Context) -> Redacted:
    """Returns `values`, Python objects of any nesting, with what is personal in them masked.

    Text that is a JSON object or array is taken apart and written again. The input is not changed.
    """
    return _Walk(column, context).run(values)


class _Walk:
    def __init__(self, column: Column, context: Context) -> None:
        self._column = column
        self._context = context
        self._leaves: dict[tuple[Path, Kind], _Leaves] = defaultdict(_Leaves)
        self._keys: dict[Path, set[str]] = defaultdict(set)
        self._entities: dict[int, list[str]] = defaultdict(list)
        self._data_keys: dict[str, None] = {}
        self._masked_keys: dict[str, tuple[str, str]] = {}
        self._row = 0

    def run(self, values: Sequence[object]) -> Redacted:
        was_text = {}
        root: list[object] = []
        for row, value in enumerate(values):
            self._row = row
            parsed = _parsed(value) if self._column.kind == "text" else None
            if parsed is not None:
                was_text[row] = value
            was_json = parsed is not None
            root.append(self._copy(parsed if was_json else value, (), 0, is_json=was_json))
        self._mask_keys()
        for row in range(len(root)):
            self._row = row
            self._visit_item(root, row, ())
        for (path, kind), leaves in self._leaves.items():
            self._edit(path, kind, leaves)
        for row, original in was_text.items():
            changed = row in self._entities
            root[row] = json.dumps(root[row], ensure_ascii=False) if changed else original
        return Redacted(values=root, entities={r: tuple(e) for r, e in self._entities.items()})

    def _copy(self, value: object, path: Path, depth: int, *, is_json: bool) -> object:
        if depth > MAX_DEPTH:
            self._entities[self._row].append(MASKED)
            return masks.token(MASKED)
        is_map = _is_map(value)
        if is_map or isinstance(value, Mapping):
            given: Mapping[object, object] = dict(value)  # type: ignore[call-overload]  # pairs
            self._keys[path].update(map(str, given))
            copied = {
                str(k): self._copy(v, (*path, str(k)), depth + 1, is_json=is_json)
                for k, v in given.items()
            }
            if not (is_map or is_json):
                return copied
            self._data_keys.update(dict.fromkeys(copied))
            return _Data(copied)
        if isinstance(value, list | tuple):
            return [self._copy(v, path, depth + 1, is_json=is_json) for v in value]
        return value

    def _mask_keys(self) -> None:
        """Decides what stands for each key that is data, all of them at once."""
        keys = list(self._data_keys)
        if not self._column.keys or not keys:
            return
        edits = self._column.edit(pa.array(keys, pa.large_string()), self._column.hint, "text")
        for index, text in edits.texts.items():
            self._masked_keys[keys[index]] = text, edits.entities[index][0]

    def _visit_item(self, box: list[object], index: int, path: Path) -> None:
        def put(new: str) -> None:
            box[index] = new

        self._visit(box[index], put, path)

    def _visit(self, value: object, put: Callable[[str], None], path: Path) -> None:
        if isinstance(value, dict):
            self._visit_object(value, path)
        elif isinstance(value, list):
            for index in range(len(value)):
                self._visit_item(value, index, path)
        else:
            told = text_of(value, "text" if path else self._column.kind)
            if told is None and self._column.everything and value is not None:
                told = str(value), "text"
            if told is not None:
                leaves = self._leaves[path, told[1]]
                leaves.texts.append(told[0])
                leaves.rows.append(self._row)
                leaves.puts.append(put)

    def _visit_object(self, value: dict[str, object], path: Path) -> None:
        is_map = len(self._keys[path]) > _MAX_KEYS
        for key in list(value):
            shown = self._shown(key, value)
            if shown != key:
                value[shown] = value.pop(key)

            def put(new: str, at: str = shown) -> None:
                value[at] = new

            self._visit(value[shown], put, (*path, "*" if is_map else shown))

    def _shown(self, key: str, siblings: Mapping[str, object]) -> str:
        masked = self._masked_keys.get(key) if isinstance(siblings, _Data) else None
        masked = masked or masked_label(key, self._context)
        if masked is None:
            return key
        self._entities[self._row].append(masked[1])
        new, number = masked[0], 2
        while new in siblings:
            new, number = f"{masked[0]} {number}", number + 1
        return new

    def _edit(self, path: Path, kind: Kind, leaves: _Leaves) -> None:
        encoded = pa.array(leaves.texts, pa.large_string()).dictionary_encode()
        name = hint(path[-1]) if path else self._column.hint
        edits = self._column.edit(encoded.dictionary, name, kind)
        if not edits.texts:
            return
        for index, row, put in zip(
            encoded.indices.to_pylist(), leaves.rows, leaves.puts, strict=True
        ):
            if index in edits.texts:
                put(edits.texts[index])
                self._entities[row].extend(edits.entities[index])


def _is_map(value: object) -> bool:
    """True for a map as Arrow gives it: a list of pairs."""
    if not isinstance(value, list) or not value:
        return False
    return all(isinstance(v, tuple) and len(v) == 2 for v in value)


def _parsed(value: object) -> dict[str, object] | list[object] | None:
    if not isinstance(value, str) or not _JSON.match(value):
        return None
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict | list) else None


def text_of(value: object, kind: Kind = "text") -> tuple[str, Kind] | None:
    """Returns a single value as text and what it was; None for what is never personal by itself."""
    match value:
        case str():
            return value, kind
        case bool() | None:
            return None
        case int():
            return str(value), "whole_number"
        case float():
            return (str(int(value)), "whole_number") if _is_whole(value) else None
        case Decimal():
            whole = value.is_finite() and value == value.to_integral_value()
            return (str(int(value)), "whole_number") if whole else None
        case dt.date() | dt.datetime():
            return value.isoformat(), "moment"
        case bytes() | bytearray() | memoryview():
            return text_of_bytes(bytes(value)), "text"
        case _:
            return str(value), "text"


def _is_whole(value: float) -> bool:
    return value.is_integer() and 1e7 <= abs(value) < 2**63


def text_of_bytes(value: bytes) -> str:
    """Returns the text in `value`, or its hexadecimal form when it holds none."""
    return decode.text_of(value) or value.hex()


def text_of_base64(value: str) -> str:
    """Returns the text in bytes given as base64, or what was given when it is none."""
    try:
        raw = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return value
    return decode.text_of(raw) or value
