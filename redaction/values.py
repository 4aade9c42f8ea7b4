"""The line-oriented door: one column of plain values in, the same column redacted out.

What `gatehouse redact` runs, for automation and for scoring. No lineage is known here, so names,
types and values decide.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import pyarrow as pa

from redaction.cells import Context, Edits, edit_all, edit_found
from redaction.column import Kind
from redaction.detect.presidio import toolkit
from redaction.entities import canonical
from redaction.errors import RedactionError
from redaction.key import SessionKey
from redaction.lexicon import NameHint, hint
from redaction.masks import token
from redaction.nested import Column, redact_objects, text_of_base64

_MOMENTS: Final = frozenset({"date", "datetime", "timestamp", "timestamptz", "time"})
_PLAIN: Final = frozenset({"bool", "boolean", "decimal", "numeric"})
_BYTES: Final = frozenset({"bytes", "binary", "blob", "bytea", "varbinary"})


def redact_values(
    values: Sequence[object], column: str, dtype: str, tags: Mapping[str, object]
) -> list[object]:
    """Returns one column of JSON values redacted for a screen; null stays null, the length stays.

    `dtype` is the kind of the values (`str`, `int`, `float`, `decimal`, `bool`, `date`,
    `timestamp`, `json`, `array`, `bytes` as base64); `tags` may name the entity of the column, by
    its name.

    Raises:
        RedactionError: Anything went wrong; nothing may be shown.
    """
    return _redacted(values, column, dtype, tags, SessionKey.new())


def _redacted(
    values: Sequence[object], column: str, dtype: str, tags: Mapping[str, object], key: SessionKey
) -> list[object]:
    context = Context(tools=toolkit(), sink="screen", key=key)
    tag = _tag(column, tags)
    kind: Kind = "moment" if dtype.casefold() in _MOMENTS else "text"

    def edit(uniques: pa.Array, name: NameHint, of: Kind) -> Edits:
        if tag is not None:
            return edit_all(uniques, tag, context, "stored")
        return edit_found(uniques, name, context, of)

    if dtype.casefold() in _PLAIN and tag is None:
        return list(values)
    given = list(values)
    if dtype.casefold() in _BYTES:
        given = [text_of_base64(v) if isinstance(v, str) else v for v in values]
    outer = Column(hint=hint(column), edit=edit, kind=kind, everything=tag is not None)
    try:
        done = redact_objects(given, outer, context)
    except RedactionError:
        raise
    except Exception as error:
        # Not chained: the message of a foreign error may quote a value.
        raise RedactionError(
            f"The values could not be redacted ({type(error).__name__})."
        ) from None
    if dtype.casefold() in _BYTES:
        shown: dict[int, object] = {row: token(found[0]) for row, found in done.entities.items()}
    else:
        shown = {row: done.values[row] for row in done.entities}
    return [shown.get(row, value) for row, value in enumerate(values)]


def _tag(column: str, tags: Mapping[str, object]) -> str | None:
    wanted = column.casefold()
    for name, tag in tags.items():
        if isinstance(tag, str) and name.casefold().rpartition(".")[2] == wanted:
            return canonical(tag)
    return None


def redact_lines(lines: Iterable[str]) -> Iterator[str]:
    """Yields one JSON line for each JSON line `{"id","column","dtype","values","tags"}`, in order.

    The answer is `{"id","values"}`, or `{"id","error"}` without any value for a line that cannot
    be read or redacted. The last line is `{"_seconds": s}`, the time without start-up. Never
    raises for a line.
    """
    key = SessionKey.new()
    toolkit()
    seconds = 0.0
    for line in lines:
        started = time.perf_counter()
        answer = _answer(line, key)
        seconds += time.perf_counter() - started
        yield _dumped(answer)
    yield json.dumps({"_seconds": round(seconds, 6)})


def _dumped(answer: dict[str, object]) -> str:
    try:
        return json.dumps(answer, allow_nan=False)
    except ValueError:
        return json.dumps({"id": None, "error": "The line holds a number that is not JSON."})


def _answer(line: str, key: SessionKey) -> dict[str, object]:
    number: object = None
    try:
        request = json.loads(line)
        if not isinstance(request, dict):
            return {"id": None, "error": "The line is not a JSON object."}
        number = request.get("id")
        values, tags = request.get("values"), request.get("tags") or {}
        if not isinstance(values, list) or not isinstance(tags, dict):
            return {
                "id": number,
                "error": "The line needs a list of values, and tags as an object.",
            }
        column, dtype = str(request.get("column") or ""), str(request.get("dtype") or "str")
        return {"id": number, "values": _redacted(values, column, dtype, tags, key)}
    except RedactionError as error:
        return {"id": number, "error": str(error)}
    except (ValueError, RecursionError):
        return {"id": number, "error": "The line is not valid JSON."}
