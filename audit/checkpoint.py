"""Checkpoints: the size and root of the tree, signed, as text anybody's tools can read.

A checkpoint is a signed note with three lines, without extension lines.
https://c2sp.org/signed-note  https://c2sp.org/tlog-checkpoint
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Final

from audit.keys import SigningKey

_LINES: Final = 6


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
    body = _body(key, size, root)
    return _note(body, key, key.sign(body.encode()))


def open_note(note: str, key: SigningKey) -> Checkpoint | None:
    """Returns the checkpoint in `note` if `key` signed it for its own log, else None."""
    lines = note.split("\n")
    if len(lines) != _LINES:
        return None
    try:
        size, root = int(lines[1]), base64.b64decode(lines[2])
        signature = base64.b64decode(lines[4].rpartition(" ")[2])[len(key.id) :]
    except ValueError:
        return None
    body = _body(key, size, root)
    # Spelled again, so that only the one spelling of the same bytes is let through.
    if note != _note(body, key, signature) or not key.verify(signature, body.encode()):
        return None
    return Checkpoint(origin=key.name, size=size, root=root, note=note)


def _body(key: SigningKey, size: int, root: bytes) -> str:
    return f"{key.name}\n{size}\n{base64.b64encode(root).decode()}\n"


def _note(body: str, key: SigningKey, signature: bytes) -> str:
    line = base64.b64encode(key.id + signature).decode()
    return f"{body}\n\N{EM DASH} {key.name} {line}\n"
