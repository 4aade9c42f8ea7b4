"""Looks for planted values in whatever left the guard, in the disguises they may have taken."""

from __future__ import annotations

import base64
import io
import sqlite3
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote


def disguises(canary: str) -> dict[str, bytes]:
    """Returns the forms a value may have taken, by name."""
    raw = canary.encode()
    forms = {
        "as it is": raw,
        "lower case": raw.lower(),
        "upper case": raw.upper(),
        "reversed": raw[::-1],
        "UTF-16": canary.encode("utf-16-le"),
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "percent": quote(canary, safe="").encode(),
    }
    for shift in range(3):
        # The middle of it stands at one of three places in the groups of base64.
        inside = base64.b64encode(b"\0" * shift + raw)[4 if shift else 0 :]
        forms[f"base64 {shift}"] = inside[: len(inside) // 4 * 4 - 4]
    if canary.isdigit():
        forms["number"] = int(canary).to_bytes(8, "little")
    return forms


def found(canaries: Iterable[str], places: Iterable[tuple[str, bytes]]) -> list[str]:
    """Returns a line for each canary in each place where it stands; empty when nothing leaked."""
    wanted = [(c, name, form) for c in canaries for name, form in disguises(c).items()]
    return [
        f"{canary} ({name}) in {place}"
        for place, content in places
        for canary, name, form in wanted
        if form in content
    ]


def files(folder: Path, but: Iterable[str] = ()) -> Iterator[tuple[str, bytes]]:
    """Yields every file in a folder, and what is in the databases and archives among them."""
    left_out = set(but)
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name in left_out:
            continue
        name, data = str(path.relative_to(folder)), path.read_bytes()
        yield name, data
        yield from _inside(name, data)
        if data.startswith(b"SQLite format 3"):
            yield from _rows(name, path)


def _rows(name: str, path: Path) -> Iterator[tuple[str, bytes]]:
    with closing(sqlite3.connect(path)) as db:
        tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for row in db.execute(f'SELECT * FROM "{table}"'):  # names come from the file itself
                for value in row:
                    if value is not None:
                        data = value if isinstance(value, bytes) else str(value).encode()
                        yield f"{name}: {table}", data
                        yield from _inside(f"{name}: {table}", data)


def _inside(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    if data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.namelist():
                yield f"{name}: {member}", archive.read(member)
    elif data[:2] in (b"\x78\x9c", b"\x78\xda", b"\x78\x01", b"\x1f\x8b"):
        try:
            yield f"{name}: inflated", zlib.decompress(data, zlib.MAX_WBITS | 32)
        except zlib.error:
            return
