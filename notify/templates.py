"""Fields -> the JSON and the path of a call. A field can only ever become a text or a number.

The template is JSON before anything is put into it, so no field can add a key, close a quote or
leave its place; in a path, a field is one encoded segment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import quote

from guard.noticepolicy import PLACE, Call
from guard.notices import Value
from notify.errors import NotSent

_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


def body_of(call: Call, fields: Mapping[str, Value]) -> bytes:
    """Returns the body of the call.

    Raises:
        NotSent: a field has no value yet.
    """
    return encoded(_filled(json.loads(call.body), fields))


def encoded(value: Json | Mapping[str, Value]) -> bytes:
    """Returns JSON as it is sent and signed."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def path_of(call: Call, fields: Mapping[str, Value]) -> str:
    """Returns the path of the call, each field encoded as one segment.

    Raises:
        NotSent: a field has no value yet.
    """
    return PLACE.sub(lambda found: quote(str(_value(found[1], fields)), safe=""), call.path)


def reference_in(answer: bytes, pointer: str) -> str:
    """Returns what the target calls the thing it made, found in its answer by a JSON pointer.

    Raises:
        NotSent: there is no such thing, or it is no plain name.
    """
    try:
        found = json.loads(answer)
        for step in pointer.strip("/").split("/"):
            found = found[int(step)] if isinstance(found, list) else found[step]
    except (ValueError, LookupError, TypeError) as error:
        raise NotSent(f"The answer holds nothing at {pointer}.") from error
    if isinstance(found, bool) or not isinstance(found, str | int):
        raise NotSent(f"What the answer holds at {pointer} is no name.")
    if not _REFERENCE.fullmatch(str(found)):
        raise NotSent(f"What the answer holds at {pointer} is no plain name.")
    return str(found)


def _filled(node: Json, fields: Mapping[str, Value]) -> Json:
    if isinstance(node, dict):
        return {name: _filled(value, fields) for name, value in node.items()}
    if isinstance(node, list):
        return [_filled(value, fields) for value in node]
    if not isinstance(node, str):
        return node
    whole = PLACE.fullmatch(node)
    if whole is not None:
        return _value(whole[1], fields)
    return PLACE.sub(lambda found: str(_value(found[1], fields)), node)


def _value(name: str, fields: Mapping[str, Value]) -> Value:
    if name not in fields:
        raise NotSent(f"There is no {name} yet for this request.")
    return fields[name]
