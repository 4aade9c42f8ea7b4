"""Many patterns tried on each text in a single pass."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import re2

_MEMORY: Final = 64 << 20
"""Bytes the automaton of all patterns together may take."""
_FIRST: Final = 16
_CHUNK: Final = 256
_SLOW_SECONDS: Final = 12e-6
"""Per text. The automaton grows with odd texts; beyond this, pattern by pattern is quicker."""
_GROWTH_SECONDS: Final = 2e-3
"""What the automaton may take to grow with the first texts."""

Indices = npt.NDArray[np.int64]


class PatternSet:
    """RE2 patterns compiled into one automaton.

    It answers what `pyarrow.compute.match_substring_regex` answers for each pattern alone, without
    reading the values again, and compiling anew, for each of them.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._index = {pattern: at for at, pattern in enumerate(dict.fromkeys(patterns))}
        options = re2.Options()
        options.max_mem = _MEMORY
        self._set = re2.Set.SearchSet(options)
        for pattern in self._index:
            self._set.Add(pattern)
        # Matches every text: a set that ran out of memory says that nothing matched.
        self._always: int = self._set.Add("")
        self._set.Compile()

    def __contains__(self, pattern: str) -> bool:
        return pattern in self._index

    def number(self, pattern: str) -> int:
        """Returns the number of a pattern of this set. Raises `KeyError` for another."""
        return self._index[pattern]

    def fired(self, text: str) -> frozenset[int] | None:
        """Returns the numbers of the patterns found in `text`; None when they cannot be told."""
        found = frozenset(self._set.Match(text))
        return found if self._always in found else None

    def rows(self, texts: Sequence[str]) -> Mapping[int, Indices] | None:
        """Returns, by the number of each pattern found, the indices of the texts it is found in.

        None when they cannot be told, or would take longer to tell than pattern by pattern; the
        caller MUST then try each pattern.
        """
        hits: dict[int, list[int]] = {}
        start = 0
        timed = len(texts) > _CHUNK  # reading this clock costs more than a handful of texts
        while start < len(texts):
            began = time.thread_time() if timed else 0.0
            chunk = texts[start : start + (_CHUNK if start else _FIRST)]
            for row, text in enumerate(chunk, start):
                found = self._set.Match(text)
                if self._always not in found:
                    return None
                for number in found:
                    hits.setdefault(number, []).append(row)
            start += len(chunk)
            allowed = _SLOW_SECONDS * len(chunk) + _GROWTH_SECONDS
            if timed and time.thread_time() - began > allowed:
                return None
        return {number: np.array(rows, np.int64) for number, rows in hits.items()}
