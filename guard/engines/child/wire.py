"""Frames between the console and its workers: two lengths, a JSON header, raw bytes.

Both sides use this module. JSON and Arrow are the only formats; nothing that can carry code is
ever decoded.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping

_LENGTHS = struct.Struct("!IQ")

MAX_REQUEST_BYTES = 257 * 1024 * 1024
"""A statement and every readable column of a wide source fit, and any image that a change gave."""
_TOGETHER = 32 * 1024
"""A payload up to this is sent with its header at once, so that the other side wakes once."""
MAX_REPLY_HEADER_BYTES = 64 * 1024


class BrokenFrame(Exception):
    """The other side closed the line or sent something longer than agreed. Do not use it again."""


def send(
    sock: socket.socket, header: Mapping[str, object], payload: memoryview | None = None
) -> None:
    """Sends one frame and returns when all of it is on its way.

    Raises:
        OSError: the other side is gone.
    """
    text = json.dumps(header, ensure_ascii=True).encode("ascii")
    size = 0 if payload is None else payload.nbytes
    head = _LENGTHS.pack(len(text), size) + text
    if payload is None:
        sock.sendall(head)
    elif size <= _TOGETHER:
        sock.sendall(head + payload)
    else:
        sock.sendall(head)
        sock.sendall(payload)


class FrameReader:
    """Puts one frame together, from as many reads as it takes. Each frame needs a new one."""

    def __init__(self, *, max_header: int, max_payload: int) -> None:
        self._limits = (max_header, max_payload)
        self._parts: list[bytearray] = [bytearray(_LENGTHS.size)]
        self._filled = 0

    def read(self, sock: socket.socket) -> bool:
        """Reads what is there, waiting for at least one byte; true when the frame is complete.

        Raises:
            BrokenFrame: the line was closed, or a length is over its limit.
            OSError: the line broke.
        """
        part = self._parts[-1]
        if self._filled < len(part):
            count = sock.recv_into(memoryview(part)[self._filled :])
            if count == 0:
                raise BrokenFrame("closed")
            self._filled += count
        while self._filled == len(self._parts[-1]) and len(self._parts) < 3:
            self._parts.append(bytearray(self._next_length()))
            self._filled = 0
        return len(self._parts) == 3 and self._filled == len(self._parts[2])

    def _next_length(self) -> int:
        which = len(self._parts) - 1
        length: int = _LENGTHS.unpack(self._parts[0])[which]
        if length > self._limits[which]:
            raise BrokenFrame("too long")
        return length

    @property
    def header(self) -> bytes:
        """The JSON text of a complete frame."""
        return bytes(self._parts[1])

    @property
    def payload(self) -> bytearray:
        """The raw bytes of a complete frame."""
        return self._parts[2]


def receive(sock: socket.socket, *, max_header: int, max_payload: int) -> FrameReader:
    """Returns one complete frame, however long it takes. Raises what `FrameReader.read` does."""
    reader = FrameReader(max_header=max_header, max_payload=max_payload)
    while not reader.read(sock):
        pass
    return reader
