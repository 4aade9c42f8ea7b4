"""Which texts of a column may be one text written several times over."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

MOST_TIMES: Final = 4
_PROBES: Final = 4


def may_repeat(texts: pa.Array) -> npt.NDArray[np.bool_]:
    """Returns, for each text, False when it is not a text written two to four times over.

    A few bytes are compared, so True is no more than a reason to look. `texts` is an array of
    strings without nulls.
    """
    large = texts.cast(pa.large_string())
    _, offsets, data = large.buffers()
    if not len(large) or data is None:
        return np.zeros(len(large), np.bool_)
    places = np.frombuffer(offsets, np.int64)[large.offset : large.offset + len(large) + 1]
    octets = np.frombuffer(data, np.uint8)
    starts, sizes = places[:-1], np.diff(places)
    found = np.zeros(len(large), np.bool_)
    for times in range(2, MOST_TIMES + 1):
        rows = np.flatnonzero((sizes % times == 0) & (sizes > 0) & ~found)
        period = sizes[rows] // times
        same = np.ones(len(rows), np.bool_)
        for probe in range(_PROBES):
            at = starts[rows] + period * probe // _PROBES
            same &= octets[at] == octets[at + period]
        found[rows[same]] = True
    return found
