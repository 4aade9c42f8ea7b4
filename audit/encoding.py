"""Canonical JSON: one value, one spelling, so that the hash of the text is a hash of the value.

RFC 8785 (JCS), restricted to what every implementation agrees on: keys are ASCII, numbers are
integers that a double holds exactly. Within those limits `json.dumps` with sorted keys and without
spaces writes the same bytes as any JCS library.
"""

from __future__ import annotations

import functools
import json
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from json.encoder import encode_basestring as _quoted
from typing import Final, TypeAlias

from audit.errors import Malformed

Json: TypeAlias = "bool | int | str | Sequence[Json] | Mapping[str, Json] | None"

MAX_INTEGER: Final = 2**53 - 1
MAX_KEY: Final = 64
_TEXT_LIMITS: Final = (8192, 2048, 512, 128)
_BYTES_PER_ITEM: Final = 32
_ENCODER: Final = json.JSONEncoder(
    sort_keys=True,
    ensure_ascii=False,
    separators=(",", ":"),
    allow_nan=False,
    check_circular=False,
)


def canonical(value: Json) -> str:
    """Returns the one spelling of `value`, which must hold only what `plain` returns."""
    return _ENCODER.encode(value)


def spelled(value: object) -> str:
    """Returns `canonical(plain(value))` in a fraction of the time. Raises what `plain` raises."""
    if isinstance(value, str):
        return _quoted(value if value.isascii() else clean_text(value))
    if isinstance(value, (list, tuple)):
        return f"[{','.join([spelled(item) for item in value])}]"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        return str(plain(value))
    return canonical(plain(value))


def spelled_present(values: Mapping[str, object]) -> str:
    """Returns `canonical(present(values))` in a fraction of the time. Raises what `plain` raises.

    The names MUST be those of a fixed set: their order is kept.
    """
    found = []
    for name, key in _in_order(tuple(values)):
        value = values[name]
        if value is None:
            continue
        # Most are plain text or small numbers, and a call costs more than seeing that.
        if type(value) is str and value.isascii():
            text = _quoted(value)
        elif type(value) is int and abs(value) <= MAX_INTEGER:
            text = str(value)
        elif value == ():
            continue
        else:
            text = spelled(value)
        found.append(key + text)
    return f"{{{','.join(found)}}}"


@functools.lru_cache(maxsize=256)
def _in_order(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((name, f"{_quoted(name)}:") for name in sorted(names))


def plain(value: object) -> Json:
    """Returns `value` as JSON can hold it: text cleaned, times as text, tuples as lists.

    Raises:
        Malformed: a value is no integer, text, time, list or mapping; an integer is too large; a
            key is not short ASCII.
    """
    if isinstance(value, str):
        return value if value.isascii() else clean_text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise Malformed("An integer in an audit event is within plus or minus 2^53 - 1.")
        return int(value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, Mapping):
        return plain_mapping(value)
    raise Malformed(f"An audit event cannot hold a value of type {type(value).__name__}.")


def present(values: Mapping[str, object]) -> dict[str, Json]:
    """Returns the facts that are there, plain, by names that are short and ASCII already.

    Raises what `plain` raises.
    """
    # Most are ASCII text, which is clean as it is, and a call costs more than seeing that.
    return {
        name: value if type(value) is str and value.isascii() else plain(value)
        for name, value in values.items()
        if value is not None and value != ()
    }


def plain_mapping(values: Mapping[str, object]) -> dict[str, Json]:
    """Returns the mapping with plain values. Raises what `plain` raises."""
    for key in values:
        if not isinstance(key, str) or not key.isascii() or len(key) > MAX_KEY:
            raise Malformed("A field name in an audit event is short and ASCII.")
    return {key: plain(item) for key, item in values.items()}


def fit(document: Mapping[str, Json], max_bytes: int) -> str:
    """Returns the canonical text of a plain `document`, of at most `max_bytes` in UTF-8.

    When it is longer, long text and long lists are cut, harder and harder until all fits; each cut
    says how much is missing and `clipped` is set. A statement must not escape the record by being
    long.

    Raises:
        Malformed: it does not fit however much is cut.
    """
    text = canonical(document)
    for max_text in _TEXT_LIMITS:
        if size_of(text) <= max_bytes:
            return text
        text = canonical({**_clip_mapping(document, max_text), "clipped": True})
    if size_of(text) <= max_bytes:
        return text
    raise Malformed("An audit event has more fields than a record can hold.")


def timestamp(moment: datetime) -> str:
    """Returns `moment` as RFC 3339 in UTC: 27 characters, sortable as text.

    Raises:
        Malformed: `moment` has no time zone.
    """
    if moment.tzinfo is not UTC:
        if moment.tzinfo is None:
            raise Malformed("A time in an audit event needs a time zone.")
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds")[:26] + "Z"


def size_of(text: str) -> int:
    """Returns how many bytes `text` has in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


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
    raw = text.encode()
    if len(raw) <= max_bytes:
        return text
    kept = raw[:max_bytes].decode(errors="ignore")
    return f"{kept}… [{len(raw) - len(kept.encode())} more bytes]"


def _clip_mapping(document: Mapping[str, Json], max_text: int) -> dict[str, Json]:
    return {key: _clip_value(value, max_text) for key, value in document.items()}


def _clip_value(value: Json, max_text: int) -> Json:
    if isinstance(value, str):
        return clip(value, max_text)
    if isinstance(value, Mapping):
        return _clip_mapping(value, max_text)
    if isinstance(value, list):
        kept = max_text // _BYTES_PER_ITEM
        more = [f"… {len(value) - kept} more"] if len(value) > kept else []
        return [_clip_value(item, max_text) for item in value[:kept]] + more
    return value
