"""Checkpoints: the size and root of the tree, signed, as text anybody's tools can read.

A checkpoint is a signed note with three lines, without extension lines.
https://c2sp.org/signed-note  https://c2sp.org/tlog-checkpoint
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from audit.keys import SigningKey


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A signed tree head. `note` is the whole text with its signature lines."""

    origin: str
    size: int
    root: bytes
    note: str


def sign(key: SigningKey, size: int, root: bytes) -> str:
    """Returns the signed note for the tree of `size` records with that root.

    The log MUST NOT sign two roots for one size: call this only under the append lock.
    """
    body = f"{key.name}\n{size}\n{base64.b64encode(root).decode()}\n"
    signature = base64.b64encode(key.id + key.sign(body.encode())).decode()
    return f"{body}\n— {key.name} {signature}\n"


def open_note(note: str, key: SigningKey) -> Checkpoint | None:
    """Returns the checkpoint in `note` if `key` signed it for its own log, else None."""
    body, separator, signatures = note.rpartition("\n\n")
    lines = body.split("\n")
    if not separator or len(lines) != 3 or lines[0] != key.name:
        return None
    try:
        size, root = int(lines[1]), base64.b64decode(lines[2], validate=True)
        signed = any(
            key.verify(_signature(line, key), f"{body}\n".encode())
            for line in signatures.splitlines()
        )
    except (ValueError, binascii.Error):
        return None
    return Checkpoint(origin=lines[0], size=size, root=root, note=note) if signed else None


def _signature(line: str, key: SigningKey) -> bytes:
    prefix = f"— {key.name} "
    if not line.startswith(prefix):
        return b""
    raw = base64.b64decode(line.removeprefix(prefix), validate=True)
    return raw[4:] if raw[:4] == key.id else b""
