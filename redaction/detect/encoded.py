"""Which texts of a column cannot be text in hexadecimal or base64, told for all of them at once.

Both find only what the decoders in `redaction.detect.decode` would: bytes that are printable as
UTF-8 or UTF-16, or a compressed stream. A text whose bytes hold a control character is none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]

_MANY: Final = 32
"""Texts of one length from which on they are looked at together."""
_LONGEST: Final = 256
_OTHER: Final = 255
_NIBBLES: Final[Bytes] = np.full(256, _OTHER, np.uint8)
_SIXES: Final[Bytes] = np.full(256, _OTHER, np.uint8)
for _letter in "0123456789abcdefABCDEF":
    _NIBBLES[ord(_letter)] = int(_letter, 16)
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
for _value, _letter in enumerate(_ALPHABET):
    _SIXES[ord(_letter)] = _value
for _value, _signs in ((62, "+-"), (63, "/_")):
    for _letter in _signs:
        _SIXES[ord(_letter)] = _value


def may_be_hex(texts: pa.Array) -> Flags:
    """Returns, for each text, False when it is no text in hexadecimal. No nulls."""
    return _by_length(texts, _hex)


def may_be_base64(texts: pa.Array) -> Flags:
    """Returns, for each text, False when it is no text in base64. No nulls."""
    return _by_length(texts, _base64)


def _by_length(texts: pa.Array, look: Callable[[Bytes], Flags]) -> Flags:
    if len(texts) < _MANY:
        return np.ones(len(texts), np.bool_)
    large = texts.cast(pa.large_string())
    _, offsets, data = large.buffers()
    found = np.ones(len(large), np.bool_)
    if not len(large) or data is None:
        return found
    places = np.frombuffer(offsets, np.int64)[large.offset : large.offset + len(large) + 1]
    octets = np.frombuffer(data, np.uint8)
    sizes = np.diff(places)
    lengths, counts = np.unique(sizes, return_counts=True)
    for length in lengths[(counts >= _MANY) & (lengths > 0) & (lengths <= _LONGEST)].tolist():
        rows = np.flatnonzero(sizes == length)
        found[rows] = look(octets[places[rows][:, None] + np.arange(length)])
    return found


def _hex(letters: Bytes) -> Flags:
    """Tells of texts of one length whose digits stand at the same places, as in identifiers."""
    nibbles = _NIBBLES[letters]
    digits = (nibbles != _OTHER).all(axis=0)
    gaps = (nibbles == _OTHER).all(axis=0)
    kept = nibbles[:, digits]
    if not (digits | gaps).all() or kept.shape[1] % 2 or not kept.shape[1]:
        return np.ones(len(letters), np.bool_)
    return _readable((kept[:, ::2] << 4 | kept[:, 1::2]).astype(np.uint8))


def _base64(letters: Bytes) -> Flags:
    whole = letters.shape[1] // 4 * 4
    sixes = _SIXES[letters[:, :whole]]
    odd = (sixes == _OTHER).any(axis=1)
    a, b, c, d = (sixes[:, at::4] for at in range(4))
    octets = np.stack([a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d], axis=2)
    return np.asarray(odd | _readable(octets.reshape(len(letters), -1)), np.bool_)


def _readable(octets: Bytes) -> Flags:
    """Returns False for bytes that are no printable UTF-8, but for UTF-16 and streams."""
    if not octets.shape[1]:
        return np.ones(len(octets), np.bool_)
    control = ((octets < 0x20) | (octets == 0x7F)).any(axis=1) | _broken(octets)
    wide = (octets == 0).sum(axis=1) * 4 >= octets.shape[1]
    packed = (octets[:, 0] == 0x1F) | (octets[:, 0] == 0x78)
    return np.asarray(~control | wide | packed, np.bool_)


def _broken(octets: Bytes) -> Flags:
    """Tells where a byte that goes on with a character follows none, or one that begins it ends.

    What the last byte begins may go on in what is not there.
    """
    goes_on = (octets & 0xC0) == 0x80
    begins = octets >= 0xC0
    alone = goes_on[:, 1:] & (octets[:, :-1] < 0x80)
    cut = begins[:, :-1] & ~goes_on[:, 1:]
    return np.asarray(goes_on[:, 0] | alone.any(axis=1) | cut.any(axis=1), np.bool_)
