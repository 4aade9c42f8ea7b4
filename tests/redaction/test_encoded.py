"""What is ruled out for a whole column is nothing that a decoder would read."""

from __future__ import annotations

import base64
import random
import zlib

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redaction.detect import decode
from redaction.detect.encoded import may_be_base64, may_be_hex

_PLAIN = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]), min_size=6)
_WRITE = {
    "utf-8": lambda t: t.encode(),
    "utf-16-le": lambda t: t.encode("utf-16-le"),
    "utf-16-be": lambda t: t.encode("utf-16-be"),
    "zlib": lambda t: zlib.compress(t.encode()),
}
_FILL = [f"{n:04d}{'ab' * 8}" for n in range(40)]


@pytest.mark.parametrize("written", _WRITE)
@settings(deadline=None)
@given(text=_PLAIN.filter(lambda t: len(t) < 60))
def test_whatever_a_decoder_reads_is_looked_at(written: str, text: str) -> None:
    raw = _WRITE[written](text)
    for narrow, name, cell in (
        (may_be_hex, "hex", raw.hex()),
        (may_be_hex, "hex", raw.hex("-")),
        (may_be_base64, "base64", base64.b64encode(raw).decode().rstrip("=")),
        (may_be_base64, "base64", base64.urlsafe_b64encode(raw).decode()),
    ):
        disguise = next(d for d in decode.DISGUISES if d.name == name)
        if disguise.decode(cell) is None:
            continue
        # Among enough others of its length to be looked at together with them.
        others = [cell[::-1]] * 40
        assert narrow(pa.array([*others, cell]))[-1], cell


def test_random_identifiers_are_ruled_out() -> None:
    r = random.Random(3)
    ids = [f"{r.getrandbits(128):032x}" for _ in range(200)]
    uuids = [f"{i[:8]}-{i[8:12]}-{i[12:16]}-{i[16:20]}-{i[20:]}" for i in ids]
    assert may_be_hex(pa.array(ids)).sum() < 50
    assert may_be_hex(pa.array(uuids)).sum() < 50
    assert may_be_base64(
        pa.array([base64.b64encode(i[:24].encode("latin-1")).decode() for i in ids])
    ).all()
    assert may_be_base64(pa.array(uuids)).sum() < 50
