"""Canonical JSON: one value, one spelling, so that the hash of the text is a hash of the value.

RFC 8785 (JCS), restricted to what every implementation agrees on: keys are ASCII, numbers are
integers that a double holds exactly. Within those limits `json.dumps` with sorted keys and without
spaces writes the same bytes as any JCS library.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias

from audit.errors import Malformed

Json: TypeAlias = "bool | int | str | Sequence[Json] | Mapping[str, Json] | None"

MAX_INTEGER: Final = 2**53 - 1
MAX_KEY: Final = 64
_TEXT_LIMITS: Final = (8192, 2048, 512, 128)
_BYTES_PER_ITEM: Final = 32


def canonical(value: Json) -> str:
    """Returns the one spelling of `value`, which must hold cleaned text and integers only."""
    return json.dumps(
        value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    )


def fit(document: Mapping[str, Json], max_bytes: int) -> tuple[dict[str, Json], str]:
    """Returns `document` cleaned, and its canonical text of at most `max_bytes` in UTF-8.

    Text becomes NFC, lone surrogates become U+FFFD. Long text and long lists are cut, harder and
    harder until all fits, each cut says how much is missing and `clipped` is set: a statement must
    not escape the record by being long.

    Raises:
        Malformed: a value is no integer, text, list or mapping, an integer is too large, a key is
            not short ASCII, or the document does not fit however much is cut.
    """
    for max_text in _TEXT_LIMITS:
        cleaner = _Cleaner(max_text)
        cleaned = cleaner.mapping(document)
        if cleaner.clipped:
            cleaned["clipped"] = True
        text = canonical(cleaned)
        if len(text) <= max_bytes and len(text.encode()) <= max_bytes:
            return cleaned, text
    raise Malformed("An audit event has more fields than a record can hold.")


def timestamp(moment: datetime) -> str:
    """Returns `moment` as RFC 3339 in UTC: 27 characters, sortable as text.

    Raises:
        Malformed: `moment` has no time zone.
    """
    if moment.tzinfo is None:
        raise Malformed("A time in an audit event needs a time zone.")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


def clean_text(text: str) -> str:
    """Returns `text` in NFC with every lone surrogate replaced by U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return unicodedata.normalize("NFC", text)


def clip(text: str, max_bytes: int) -> str:
    """Returns at most `max_bytes` of `text`, cut at a character, saying how much is missing."""
    if len(text) * 4 <= max_bytes:
        return text
    raw = text.encode()
    if len(raw) <= max_bytes:
        return text
    kept = raw[:max_bytes].decode(errors="ignore")
    return f"{kept}… [{len(raw) - len(kept.encode())} more bytes]"


class _Cleaner:
    """Walks one document; `clipped` says whether anything was cut."""

    def __init__(self, max_text: int) -> None:
        self._max_text = max_text
        self._max_items = max_text // _BYTES_PER_ITEM
        self.clipped = False

    def mapping(self, value: Mapping[str, Json]) -> dict[str, Json]:
        for key in value:
            if not isinstance(key, str) or not key.isascii() or len(key) > MAX_KEY:
                raise Malformed("A field name in an audit event must be short and ASCII.")
        return {key: self._value(item) for key, item in value.items()}

    def _value(self, value: object) -> Json:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, int):
            return self._integer(value)
        if isinstance(value, (list, tuple)):
            return self._items(value)
        if isinstance(value, Mapping):
            return self.mapping(value)
        raise Malformed(f"An audit event cannot hold a value of type {type(value).__name__}.")

    def _text(self, value: str) -> str:
        text = clean_text(value)
        short = clip(text, self._max_text)
        self.clipped |= short is not text
        return short

    def _integer(self, value: int) -> int:
        if abs(value) > MAX_INTEGER:
            raise Malformed("An integer in an audit event must be within plus or minus 2^53 - 1.")
        return int(value)

    def _items(self, values: list[object] | tuple[object, ...]) -> list[Json]:
        kept: list[Json] = [self._value(item) for item in values[: self._max_items]]
        if len(values) > self._max_items:
            self.clipped = True
            kept.append(f"… {len(values) - self._max_items} more")
        return kept
