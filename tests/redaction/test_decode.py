import base64
import codecs
import gzip
import urllib.parse

import pyarrow as pa
import pytest

from redaction import ColumnVerdict, redact_table

VALUES = [f"ann.{w}@example.org" for w in ("oak", "elm", "fir", "ash", "yew")]
DISGUISES = {
    "hex": lambda v: v.encode().hex(),
    "hex with 0x": lambda v: "0x" + v.encode().hex().upper(),
    "hex of bytea": lambda v: "\\x" + v.encode().hex(),
    "hex of UTF-16": lambda v: v.encode("utf-16-le").hex(),
    "hex in pairs": lambda v: v.encode().hex(" "),
    "hex of UTF-16, big end first": lambda v: v.encode("utf-16-be").hex(),
    "percent and u": lambda v: "".join(f"%u{ord(c):04x}" for c in v),
    "calls of chr": lambda v: "||".join(f"chr({ord(c)})" for c in v),
    "calls of CHAR": lambda v: " + ".join(f"CHAR({ord(c)})" for c in v),
    "two marks a letter": lambda v: "".join(c + "\u0301\u0323" for c in v),
    "base64": lambda v: base64.b64encode(v.encode()).decode(),
    "base64 without padding": lambda v: base64.urlsafe_b64encode(v.encode()).decode().rstrip("="),
    "base64 of UTF-16": lambda v: base64.b64encode(v.encode("utf-16-le")).decode(),
    "base64 twice": lambda v: base64.b64encode(base64.b64encode(v.encode())).decode(),
    "base64 of gzip": lambda v: base64.b64encode(gzip.compress(v.encode())).decode(),
    "base64 backwards": lambda v: base64.b64encode(v.encode()).decode()[::-1],
    "backwards in base64": lambda v: base64.b64encode(v[::-1].encode()).decode(),
    "base32": lambda v: base64.b32encode(v.encode()).decode(),
    "base85": lambda v: base64.b85encode(v.encode()).decode(),
    "percent": lambda v: "".join(f"%{ord(c):02X}" for c in v),
    "percent three times": lambda v: urllib.parse.quote(
        urllib.parse.quote("".join(f"%{ord(c):02X}" for c in v))
    ),
    "entities": lambda v: "".join(f"&#{ord(c)};" for c in v),
    "hex entities": lambda v: "".join(f"&#x{ord(c):x};" for c in v),
    "escapes": lambda v: "".join(f"\\u{ord(c):04x}" for c in v),
    "quoted printable": lambda v: "".join(f"={ord(c):02X}" for c in v),
    "character codes": lambda v: ",".join(str(ord(c)) for c in v),
    "octal": lambda v: " ".join(f"{ord(c):o}" for c in v),
    "bits": lambda v: " ".join(f"{ord(c):08b}" for c in v),
    "backwards": lambda v: v[::-1],
    "rot13": lambda v: codecs.encode(v, "rot13"),
    "another at": lambda v: v.replace("@", "#"),
    "spaces": " ".join,
    "pipes": "|".join,
    "soft hyphens": "\u00ad".join,
    "word joiners": "\u2060".join,
    "struck through": lambda v: "".join(c + "\u0336" for c in v),
    "full width": lambda v: "".join(chr(ord(c) + 0xFEE0) for c in v),
    "circled": lambda v: "".join(chr(0x24D0 + ord(c) - 97) if c.islower() else c for c in v),
    "lookalikes": lambda v: v.translate(str.maketrans("aeopcx", "аеорсх")),
    "twice": lambda v: v * 2,
}  # fmt: skip


@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_disguised_address_does_not_get_through(disguise, key):
    cells = [DISGUISES[disguise](v) for v in VALUES]
    table = pa.table({"x": cells})
    result = redact_table(table, [ColumnVerdict(name="x")], sink="screen", key=key)
    assert not set(result.table.column(0).to_pylist()) & set(cells)
    assert result.columns[0].masked_cells == len(cells)


def test_a_telephone_number_in_percent_signs_keeps_its_plus(key):
    cells = ["".join(f"%{ord(c):02X}" for c in f"+1415555{n}") for n in (2233, 6871, 9011, 1208)]
    table = pa.table({"x": cells})
    result = redact_table(table, [ColumnVerdict(name="x")], sink="screen", key=key)
    assert result.columns[0].masked_cells == len(cells)


@pytest.mark.parametrize(
    "cells",
    [
        ["Ναυπηγός Μηχανικός", "Αναλυτής Πωλήσεων"],
        ["2b03e7f5f5f1f38fb97fe8a953c06e1f", "0acaaec700ed30f7f0f62721c4103822"],
        ["01AF1A0GHRYHNP54K8NBYX0CAQ", "01MCQM57JC79QB8Y6096P45H71"],
        ["pi_S4RZ2wadMFQZQ48In7Cmleok", "pi_5qfsjCzce3BJg60xyn32QRHC"],
        ["checkout_started", "spring_sale_2024", "report_final.xlsx"],
        ["10,20,30,40,50,60,70", "11,21,31,41,51,61,71"],
        ["/api/v2/orders/6407?step=1&amp;x=2", "Tom &amp; Co; 50%25 off"],
        ["iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"],
    ],
)
def test_what_only_looks_disguised_comes_back_unchanged(cells, key):
    table = pa.table({"x": cells})
    result = redact_table(table, [ColumnVerdict(name="x")], sink="screen", key=key)
    assert result.table.column(0).to_pylist() == cells
