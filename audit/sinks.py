"""Where checkpoints go besides the database: what an attacker on the database cannot take back.

An anchor is one line of JSON: `{"logged":"...","note":"<checkpoint>"}`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TextIO

from audit.checkpoint import Checkpoint, open_note
from audit.encoding import canonical
from audit.keys import PublicKey

_TAIL_BYTES: Final = 16 * 1024


@dataclass(frozen=True, kw_only=True)
class Anchor:
    """A checkpoint on its way out. `logged` is when its last record was written."""

    size: int
    note: str
    logged: str

    @property
    def line(self) -> str:
        """The anchor as text, without a line end."""
        return f'{{"logged":{canonical(self.logged)},"note":{canonical(self.note)}}}'


class Sink(Protocol):
    """A place outside the database that keeps anchors. `name` stands in the record of a failure."""

    name: str

    def send(self, anchors: Sequence[Anchor]) -> None:
        """Keeps `anchors`. Any exception counts as a failure, which is recorded in the log."""
        ...


class FileSink:
    """A file of anchors, best on another disk and append-only (`chattr +a`)."""

    def __init__(self, path: Path) -> None:
        self.name = "file"
        self.path = path

    def send(self, anchors: Sequence[Anchor]) -> None:
        """Appends the anchors in one write, so that several processes do not mix their lines."""
        data = "".join(f"{anchor.line}\n" for anchor in anchors).encode()
        descriptor = os.open(
            self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        try:
            # A line that a crash cut short must not swallow the next one.
            if os.write(descriptor, _mend(self.path) + data) < len(data):
                raise OSError(f"{self.path} took only part of an anchor")
        finally:
            os.close(descriptor)

    def newest(self, keys: Sequence[PublicKey]) -> Checkpoint | None:
        """Returns the largest checkpoint signed by one of `keys` among the last lines, or None.

        Raises:
            OSError: the file is there and cannot be read.
        """
        notes = sorted(self._last_notes(), key=claimed_size, reverse=True)
        opened = (open_note(note, key) for note in notes for key in keys)
        return next((c for c in opened if c), None)

    def empty(self) -> bool:
        """True when there is no anchor at all."""
        return not self.path.exists() or self.path.stat().st_size == 0

    def _last_notes(self) -> Iterator[str]:
        if self.empty():
            return
        with self.path.open("rb") as file:
            file.seek(max(0, self.path.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
        for line in lines:
            try:
                yield str(json.loads(line)["note"])
            except (KeyError, TypeError, ValueError):
                continue  # cut by a crash, or by the place where reading began


class StreamSink:
    """Anchors as lines on a text stream, such as the standard output of a service."""

    def __init__(self, stream: TextIO, name: str = "stdout") -> None:
        self.name = name
        self._stream = stream

    def send(self, anchors: Sequence[Anchor]) -> None:
        """Writes the anchors and flushes."""
        self._stream.write("".join(f"{anchor.line}\n" for anchor in anchors))
        self._stream.flush()


def claimed_size(note: str) -> int:
    """Returns the size a checkpoint names, believed or not; 0 when it is none."""
    try:
        return int(note.split("\n")[1])
    except (IndexError, ValueError):
        return 0


def _mend(path: Path) -> bytes:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return b""
        file.seek(-1, os.SEEK_END)
        return b"" if file.read(1) == b"\n" else b"\n"
