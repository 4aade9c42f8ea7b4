"""The word lists under `data/`: sections in brackets, words between spaces."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_DATA: Final = Path(__file__).parent / "data"


@functools.cache
def sections(name: str) -> Mapping[str, frozenset[str]]:
    """Returns the words of `data/<name>.txt` by section."""
    text = (_DATA / f"{name}.txt").read_text(encoding="utf-8")
    found: dict[str, set[str]] = {}
    section = found.setdefault("", set())
    for line in text.splitlines():
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), set())
        elif not line.startswith("#"):
            section.update(line.split())
    return {title: frozenset(words) for title, words in found.items()}


def words(name: str) -> frozenset[str]:
    """Returns all words of `data/<name>.txt`."""
    return frozenset().union(*sections(name).values())


def phrases(name: str, section: str) -> tuple[str, ...]:
    """Returns the phrases of one section, in order, with spaces where the file has underscores."""
    return tuple(sorted(word.replace("_", " ") for word in sections(name)[section]))
