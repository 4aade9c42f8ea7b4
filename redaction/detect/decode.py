"""Looking through simple disguises: encodings, odd alphabets and separators, up to two layers deep.

A `telling` disguise is unlikely to be an accident, so one value found behind it is enough. The
others (reversed, rotated, another sign for @) fit any text, so only a column of them counts.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import html
import quopri
import re
import unicodedata
import urllib.parse
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from redaction.detect.encoded import may_be_base64, may_be_hex
from redaction.detect.repeats import MOST_TIMES, may_repeat

MAX_LENGTH: Final = 32_768
"""Longer values are not decoded. The engine masks them whole when they look disguised."""
MAX_INNER: Final = 4096
"""A second layer is only looked for in texts up to this length."""
MAX_DEPTH: Final = 2
_MIN_PLAIN: Final = 6

Decode = Callable[[str], str | None]


@dataclass(frozen=True, kw_only=True)
class Disguise:
    """One way to hide a value. `shape` is a RE2 pattern of values it may apply to."""

    name: str
    shape: str
    decode: Decode
    telling: bool = True
    narrow: Callable[[pa.Array], npt.NDArray[np.bool_]] | None = None
    """Tells, of a whole column, where the shape cannot: False where `decode` gives nothing."""


def _printable(raw: bytes) -> str | None:
    """Returns the text of `raw` when it is one, in UTF-8 or either order of UTF-16."""
    wide = not len(raw) % 2 and raw.count(0) * 3 >= len(raw)
    backwards = wide and raw[::2].count(0) > raw[1::2].count(0)
    for encoding in ("utf-8", *(["utf-16-be" if backwards else "utf-16-le"] if wide else [])):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if len(text) >= _MIN_PLAIN and text.isprintable():
            return text
    return None


def _unpacked(raw: bytes) -> str | None:
    """Returns the text in a zlib or gzip stream, at most 4 kB of it."""
    if raw[:2] not in (b"\x1f\x8b", b"\x78\x01", b"\x78\x9c", b"\x78\xda", b"\x78\x5e"):
        return None
    try:
        return _printable(zlib.decompressobj(wbits=47).decompress(raw, MAX_INNER))
    except zlib.error:
        return None


def text_of(raw: bytes) -> str | None:
    """Returns the text that bytes hold, plain or compressed, or None when they hold none."""
    return _printable(raw) or _unpacked(raw)


def _hex(value: str) -> str | None:
    digits = re.sub(r"(?:0x|\\x|[\s:\-,])", "", value)
    try:
        return text_of(bytes.fromhex(digits))
    except ValueError:
        return None


def _base64(value: str) -> str | None:
    body = re.sub(r"\s", "", value).rstrip("=").replace("-", "+").replace("_", "/")
    if len(body) % 4 == 1:
        return None
    try:
        return text_of(base64.b64decode(body + "=" * (-len(body) % 4), validate=True))
    except binascii.Error:
        return None


def _base32(value: str) -> str | None:
    body = value.rstrip("=").upper()
    try:
        return text_of(base64.b32decode(body + "=" * (-len(body) % 8)))
    except binascii.Error:
        return None


def _base85(value: str) -> str | None:
    body = value.removeprefix("<~").removesuffix("~>")
    for decode in (base64.a85decode, base64.b85decode):
        try:
            text = _printable(decode(body))
        except ValueError:
            continue
        if text is not None:
            return text
    return None


def _percent(value: str) -> str | None:
    # Only the outermost layer has blanks written as plus signs.
    value = urllib.parse.unquote_plus(value)
    for _ in range(3):
        plain = urllib.parse.unquote(value)
        if plain == value:
            break
        value = plain
    return value


def _entities(value: str) -> str | None:
    return html.unescape(value)


def _escapes(value: str) -> str | None:
    def one(match: re.Match[str]) -> str:
        octal, number = match.group("octal"), match.group(1) or match.group(2) or match.group(3)
        return chr(int(octal, 8)) if octal else chr(int(number, 16))

    pattern = (
        r"[\\%]u\{?([0-9A-Fa-f]{4,5})\}?|\\x([0-9A-Fa-f]{2})|U\+([0-9A-Fa-f]{4})\s?"
        r"|\\(?P<octal>[0-7]{3})"
    )
    return re.sub(pattern, one, value)


def _quoted_printable(value: str) -> str | None:
    return _printable(quopri.decodestring(value.encode("ascii", "ignore")))


def _numbers(base: int) -> Decode:
    def decode(value: str) -> str | None:
        numbers = re.findall(r"[0-9]+", value)
        try:
            return _printable(bytes(int(n, base) for n in numbers))
        except ValueError:
            return None

    return decode


def _bits(value: str) -> str | None:
    bits = re.sub(r"[^01]", "", value)
    for width in (8, 7):
        if len(bits) % width == 0:
            octets = (int(bits[i : i + width], 2) for i in range(0, len(bits), width))
            text = _printable(bytes(octets))
            if text is not None:
                return text
    return None


# Letters of other scripts that look like Latin ones (Unicode TR 39, the lookalikes in common use).
_LOOKALIKES: Final = str.maketrans(
    "аАеЕоОрРсСхХуУкКмМтТнНвВіІјЈѕЅԁԛԝһɡɑӏαΑβΒεΕηΗιΙκΚμΜνΝοΟρΡτΤυΥχΧζΖγωѵզոսօԍꓮꓐꓑ०",
    "aAeEoOpPcCxXyYkKmMtThHbBiIjJsSdqwhgalaAbBeEnHiIkKuMvNoOpPtTuYxXzZywvqnuogABP0",
)
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e01ef]"
)
_MARKS: Final = re.compile("[\u0300-\u036f\u0489\u20d0-\u20ff]")


def plain_letters(value: str) -> str | None:
    """Returns `value` in plain letters and digits, without lookalikes and invisible ones."""
    text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", _INVISIBLE.sub("", value)))
    digits = (str(unicodedata.decimal(c)) if not c.isascii() and c.isdecimal() else c for c in text)
    return "".join(digits).translate(_LOOKALIKES)


def _no_marks(value: str) -> str | None:
    return _MARKS.sub("", unicodedata.normalize("NFD", value))


def _separated(value: str) -> str | None:
    return value[::2] if len(set(value[1::2])) == 1 else None


def _separated_widely(value: str) -> str | None:
    found = re.match(r"^[^\s](\s{2,4}|\s?[|,;:/*·•~_.\-]\s?)", value)
    return value.replace(found.group(1), "") if found else None


def _base64_backwards(value: str) -> str | None:
    return _base64(value[::-1])


def _repeated(value: str) -> str | None:
    for times in range(2, MOST_TIMES + 1):
        size, rest = divmod(len(value), times)
        if not rest and value[:size] * times == value:
            return value[:size]
    return None


def _reversed(value: str) -> str | None:
    return value[::-1]


def _rot13(value: str) -> str | None:
    return codecs.encode(value, "rot13")


def _rot18(value: str) -> str | None:
    return codecs.encode(value, "rot13").translate(_ROT5)


def _rot47(value: str) -> str | None:
    return "".join(chr(33 + (ord(c) + 14) % 94) if "!" <= c <= "~" else c for c in value)


def _other_at(value: str) -> str | None:
    return re.sub(
        r"(?<=[A-Za-z0-9])(?:#|\*|!|\$|&|~|\||\^|\+\+|::|==|__AT__|_at_|-at-)(?=[A-Za-z0-9])",
        "@",
        value,
        count=1,
    )


def _other_signs(value: str) -> str | None:
    """Undoes a swap of the sign between the groups of a number."""
    return re.sub(r"(?<=[0-9])[^0-9A-Za-z](?=[0-9])", "-", value)


def _atbash(value: str) -> str | None:
    return value.translate(_ATBASH)


_ROT5: Final = str.maketrans("0123456789", "5678901234")
_ATBASH: Final = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "zyxwvutsrqponmlkjihgfedcbaZYXWVUTSRQPONMLKJIHGFEDCBA",
)

_ODD_LETTERS = (
    r"[\x{00ad}\x{034f}\x{061c}\x{180b}-\x{180f}\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2060}-\x{206f}\x{3164}"
    r"\x{fe00}-\x{fe0f}\x{feff}\x{e0000}-\x{e01ef}\x{ff01}-\x{ff5e}\x{2070}-\x{209c}\x{2460}-\x{24ff}"
    r"\x{2776}-\x{2793}\x{1d400}-\x{1d7ff}\x{1f100}-\x{1f189}\x{0660}-\x{0669}\x{06f0}-\x{06f9}"
    r"\x{0966}-\x{096f}\x{09e6}-\x{09ef}\x{0e50}-\x{0e59}\x{0370}-\x{058f}\x{0261}\x{0251}]"
)

DISGUISES: Final = (
    Disguise(name="letters", shape=_ODD_LETTERS, decode=plain_letters),
    Disguise(
        name="marks",
        shape=r"(?:[^\s][\x{0300}-\x{036f}\x{0489}\x{20d0}-\x{20ff}]{1,9}){4}",
        decode=_no_marks,
    ),
    Disguise(
        name="hex",
        shape=r"^(?:0x|\\\\?x)?[0-9A-Fa-f]{2}(?:(?:\\x|0x|[\s:\-,]{1,2})?[0-9A-Fa-f]{2}){5,}$",
        decode=_hex,
        narrow=may_be_hex,
    ),
    Disguise(
        name="base64",
        shape=r"^[A-Za-z0-9+/_\-]{8}[A-Za-z0-9+/_\-\r\n]*={0,2}$",
        decode=_base64,
        narrow=may_be_base64,
    ),
    Disguise(
        name="base64_backwards", shape=r"^={1,2}[A-Za-z0-9+/_\-]{8,}$", decode=_base64_backwards
    ),
    Disguise(name="base32", shape=r"^[A-Za-z2-7]{8}[A-Za-z2-7]{2,}={0,6}$", decode=_base32),
    Disguise(name="base85", shape=r"^[!-~]{10,}$", decode=_base85, telling=False),
    Disguise(name="percent", shape=r"%[0-9A-Fa-f]{2}", decode=_percent),
    Disguise(
        name="entities", shape=r"&(?:#[0-9]{2,6}|#x[0-9A-Fa-f]{2,5}|[a-z]{3,8});", decode=_entities
    ),
    Disguise(
        name="escapes",
        shape=r"[\\%]u\{?[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|\\[0-7]{3}|U\+[0-9A-Fa-f]{4}",
        decode=_escapes,
    ),
    Disguise(name="quoted_printable", shape=r"=[0-9A-F]{2}", decode=_quoted_printable),
    Disguise(
        name="numbers",
        shape=r"^\W{0,2}[0-9]{2,3}(?:[\s,;|/\-.+_:]{1,2}[0-9]{2,3}){5,}\W{0,2}$",
        decode=_numbers(10),
    ),
    Disguise(
        name="calls",
        shape=r"^(?i:n?cha?r\$?\s?\(\s?[0-9]{2,3}\s?\)(?:\s?[|+&,.]{0,2}\s?)){5,}$",
        decode=_numbers(10),
    ),
    Disguise(
        name="octal",
        shape=r"^\W{0,2}[0-1]?[0-7]{2}(?:[\s,;|/\-.+_:\\]{1,2}[0-1]?[0-7]{2}){5,}\W{0,2}$",
        decode=_numbers(8),
    ),
    Disguise(name="bits", shape=r"^(?:[01]{7,8}[\s,_\-]?){6,}$", decode=_bits),
    Disguise(name="separated", shape=r"^(?:.[\s|.,;:_\-/*·•~+#]){5,}.$", decode=_separated),
    Disguise(
        name="separated_widely",
        shape=r"^(?:.(?:\s{2,4}|\s?[|,;:/*·•~_.\-]\s?)){5,}.$",
        decode=_separated_widely,
    ),
    Disguise(name="repeated", shape=r"^.{12,}$", decode=_repeated, narrow=may_repeat),
    Disguise(name="reversed", shape=r"[0-9@]", decode=_reversed, telling=False),
    Disguise(name="rot13", shape=r"[A-Za-z].*[0-9@.]", decode=_rot13, telling=False),
    Disguise(name="rot18", shape=r"[0-9].*[0-9]", decode=_rot18, telling=False),
    Disguise(name="atbash", shape=r"[A-Za-z].*[0-9@.]", decode=_atbash, telling=False),
    Disguise(name="rot47", shape=r"^[!-~]{8,}$", decode=_rot47, telling=False),
    Disguise(
        name="other_at",
        shape=r"[A-Za-z0-9](?:#|\*|!|\$|&|~|\||\^|\+\+|::|==|__AT__|_at_|-at-)[A-Za-z0-9\-]+\.[A-Za-z]{2,}",
        decode=_other_at,
        telling=False,
    ),
    Disguise(
        name="other_signs",
        shape=r"^[0-9]{2,6}(?:[^0-9A-Za-z\s.\-][0-9]{2,6}){1,4}$",
        decode=_other_signs,
        telling=False,
    ),
)


def _character(code: str) -> str:
    return re.escape(chr(int(code, 16)))


TELLING: Final = tuple(d for d in DISGUISES if d.telling)
_PATTERNS: Final = {
    d.name: re.compile(
        re.sub(r"\\x\{([0-9a-f]+)\}", lambda m: _character(m.group(1)), d.shape), re.DOTALL
    )
    for d in DISGUISES
}


def decodings(
    value: str, *, telling: bool = True, depth: int = MAX_DEPTH
) -> Iterator[tuple[str, str]]:
    """Yields what `value` could mean, each with the name of its outermost disguise.

    With `telling` only disguises that are unlikely to be an accident are tried at the first layer.
    """
    if len(value) > MAX_LENGTH:
        return
    for disguise in DISGUISES:
        if (disguise.telling or not telling) and _PATTERNS[disguise.name].search(value):
            for plain in meanings(value, disguise, depth):
                yield disguise.name, plain


def meanings(value: str, disguise: Disguise, depth: int = MAX_DEPTH) -> Iterator[str]:
    """Yields what `value` means behind one disguise, and behind one more under it."""
    plain = disguise.decode(value) if len(value) <= MAX_LENGTH else None
    if plain is None or plain == value or not plain.strip():
        return
    yield plain
    if depth > 1 and len(plain) <= MAX_INNER:
        for _, deeper in decodings(plain, telling=False, depth=depth - 1):
            yield deeper
