r"""The way back from a change of very many rows, as it is stored: a header, then compressed rows.

The header is one line of JSON. After it come, for each table in the header's order, the rows before
and the rows after as COPY writes them, each list closed by `\.`. The form never changes without a
new name.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal

from guard.engines.child.faults import Fault
from guard.engines.postgres_back import Rows, stand_as
from guard.engines.postgres_images import table_in
from guard.engines.postgres_large import Sum
from guard.engines.postgres_session import Pair
from guard.engines.postgres_stage import Stage
from guard.engines.postgres_stream import Block, copied_out
from guard.engines.postgres_tables import Connection

_START = b'{"engine":"postgres","form":"copied 1",'
_END = b"\\.\n"
_PIECE = 1 << 18
_KINDS = ("inserted", "updated", "deleted")


def is_copied(image: bytes) -> bool:
    """True for an image of this form."""
    return image.startswith(_START)


def packed(writer: Connection, sums: Sequence[Sum], xid: int, kept: Collection[str]) -> bytes:
    """Returns the image of a change that is still open. `kept` are tables that stay as they are."""
    header = {
        "engine": "postgres",
        "form": "copied 1",
        "xid": str(xid),
        "tables": {s.staged.table.name: _described(s, kept) for s in sums},
    }
    line = json.dumps(header, separators=(",", ":")).encode() + b"\n"
    return b"".join([line, *_compressed(writer, sums)])


def _described(found: Sum, kept: Collection[str]) -> dict[str, object]:
    table = found.staged.table
    return {
        "schema": table.schema,
        "relation": table.relation,
        "columns": list(table.names),
        "types": [c.type for c in table.columns],
        "kept": table.name in kept,
        **found.counts,
    }


def _compressed(writer: Connection, sums: Sequence[Sum]) -> Iterator[bytes]:
    packer = zlib.compressobj(level=1)
    for found in sums:
        for name in (found.staged.before, found.staged.after):
            for block in copied_out(writer, f"SELECT {found.staged.cells('x')} FROM {name} x"):
                yield packer.compress(b"".join(block))
            yield packer.compress(_END)
    yield packer.flush()


def header_of(image: bytes) -> Mapping[str, Any]:
    """Returns the header: what it is the way back from."""
    found: Mapping[str, Any] = json.loads(image[: image.index(b"\n")])
    return found


def staged(connection: Connection, stage: Stage, image: bytes, *, kept: bool = False) -> list[Rows]:
    """Returns the rows of an image, on the server again; those of kept tables only with `kept`.

    Raises:
        Fault: a table is another one now (`changed_since`), or the image is not whole.
    """
    wanted = [
        (table_in(connection, given), given)
        for given in header_of(image)["tables"].values()
        if kept or not given["kept"]
    ]
    made = iter(stage.make([table for table, _ in wanted]))
    sections = _Sections(image)
    found = []
    for given in header_of(image)["tables"].values():
        if not kept and given["kept"]:
            sections.skip()
            sections.skip()
            continue
        one = next(made)
        counts = {kind: int(given[kind]) for kind in _KINDS}
        olds = stage.take_in(one.before, one, sections.next(), at=False)
        news = stage.take_in(one.after, one, sections.next(), at=False)
        if olds != counts["updated"] + counts["deleted"]:
            raise Fault("not_exact")
        if news != counts["updated"] + counts["inserted"]:
            raise Fault("not_exact")
        found.append(Rows(staged=one, **counts))
    return found


class _Sections:
    """Reads the lists of rows one after the other, a block at a time."""

    def __init__(self, image: bytes) -> None:
        self._lines = _lines(image)

    def next(self) -> Iterator[Block]:
        """Yields the next list in blocks. It MUST be read to its end."""
        block: Block = []
        for line in self._lines:
            if line == _END:
                break
            block.append(line)
            if len(block) == 2_000:
                yield block
                block = []
        else:
            raise Fault("not_exact")
        if block:
            yield block

    def skip(self) -> None:
        """Leaves the next list out."""
        for _ in self.next():
            pass


def _lines(image: bytes) -> Iterator[bytes]:
    rest = b""
    for data in _unpacked(image):
        *whole, rest = (rest + data).split(b"\n")
        yield from (line + b"\n" for line in whole)


def _unpacked(image: bytes) -> Iterator[bytes]:
    unpacker, view = zlib.decompressobj(), memoryview(image)
    for start in range(image.index(b"\n") + 1, len(image), _PIECE):
        data: bytes | memoryview = view[start : start + _PIECE]
        while data:
            yield unpacker.decompress(data, _PIECE)
            data = unpacker.unconsumed_tail
    yield unpacker.flush()


def stands_as(connection: Connection, image: bytes) -> Literal["before", "after", "neither"]:
    """Returns whether the rows stand as before the change, as after it, or neither."""
    stage = Stage(Pair(writer=connection, witness=connection, xid=0, silent=False))
    befores = afters = True
    try:
        parts = staged(connection, stage, image, kept=True)
    except Fault:
        return "neither"
    for part in parts:
        gone, new = part.updated + part.deleted, part.updated + part.inserted
        as_before, as_after = stand_as(connection, part.staged, gone, new)
        befores, afters = befores and as_before, afters and as_after
    if befores == afters:
        return "neither"
    return "before" if befores else "after"
