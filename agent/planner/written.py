"""A semantic layer as the TOML text that `semantics.parse_semantics` reads back the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from agent.planner.semantics import Semantics

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def write_semantics(semantics: Semantics, head: tuple[str, ...] = ()) -> str:
    """Returns the text, under the lines of `head` as comments. Defaults are left out."""
    said = semantics.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    lines = [f"# {_plain(line)}".rstrip() for line in head]
    lines += ["version = 1", f"confirmed = {_value(semantics.confirmed)}"]
    for part in ("tables", "columns"):
        lines += _inline(part, said.get(part, {}))
    for part in ("metrics", "durations"):
        for name, one in said.get(part, {}).items():
            lines += ["", f"[{part}.{_key(name)}]", *_keys(one)]
    for part in ("roles", "joins"):
        for one in said.get(part, ()):
            lines += ["", f"[[{part}]]", *_keys(one)]
    lines += _inline("phrases", said.get("phrases", {}))
    return "\n".join(lines) + "\n"


def _inline(part: str, said: Mapping[str, object]) -> list[str]:
    return ["", f"[{part}]", *_keys(said)] if said else []


def _keys(said: Mapping[str, object]) -> Iterator[str]:
    return (f"{_key(name)} = {_value(one)}" for name, one in said.items())


def _value(one: object) -> str:
    match one:
        case bool():
            return "true" if one else "false"
        case int():
            return str(one)
        case str():
            return _text(one)
        case list():
            return f"[{', '.join(map(_value, one))}]"
        case dict():
            inner = ", ".join(_keys(one))
            return f"{{ {inner} }}" if inner else "{}"
        case _:
            raise TypeError(type(one).__name__)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _text(value: str) -> str:
    """A TOML basic string; JSON's escapes are a subset of TOML's, but for DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _plain(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
