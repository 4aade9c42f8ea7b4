"""Checkpoints: the size and root of the tree, signed, as text anybody's tools can read.

A checkpoint is a signed note with three lines, without extension lines.
https://c2sp.org/signed-note  https://c2sp.org/tlog-checkpoint
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from audit.keys import PublicKey, SigningKey

_LINES: Final = 6


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A signed tree head. `note` is the whole text with its signature lines."""

    origin: str
    size: int
    root: bytes
    note: str


def sign(keys: SigningKey | Sequence[SigningKey], size: int, root: bytes) -> str:
    """Returns the note for the tree of `size` records with that root, signed with each key.

    The log MUST NOT sign two roots for one size: call this only under the append lock.
    """
    keys = [keys] if isinstance(keys, SigningKey) else keys
    body = _body(keys[0].name, size, root)
    lines = [_signature_line(key, key.sign(body.encode())) for key in keys]
    return f"{body}\n{''.join(lines)}"


def open_note(note: str, key: PublicKey) -> Checkpoint | None:
    """Returns the checkpoint in `note` if `key` signed it for its own log, else None."""
    lines = note.split("\n")
    if not _LINES <= len(lines) <= _LINES + 1:
        return None
    try:
        size, root = int(lines[1]), base64.b64decode(lines[2])
    except ValueError:
        return None
    body = _body(key.name, size, root)
    # Spelled again, so that only the one spelling of the same bytes is let through.
    if not note.startswith(f"{body}\n"):
        return None
    for line in lines[4:-1]:
        signature = signature_of(line, key)
        if signature is not None and key.verify(signature, body.encode()):
            return Checkpoint(origin=key.name, size=size, root=root, note=note)
    return None


def signature_of(line: str, key: PublicKey) -> bytes | None:
    """Returns the signature in a line of a note when it is that key's, unchecked, else None."""
    try:
        raw = base64.b64decode(line.rpartition(" ")[2])
    except ValueError:
        return None
    return raw[4:] if f"{line}\n" == _signature_line(key, raw[4:]) else None


def origin_of(note: str) -> str:
    """Returns the name of the log that `note` names, believed or not."""
    return note.partition("\n")[0]


def signed_last_by(note: str, key: PublicKey) -> bool:
    """True when the last line of `note` names `key`; nothing is checked."""
    return signature_of(note.rstrip("\n").rpartition("\n")[2], key) is not None


def _body(name: str, size: int, root: bytes) -> str:
    return f"{name}\n{size}\n{base64.b64encode(root).decode()}\n"


def _signature_line(key: PublicKey, signature: bytes) -> str:
    return f"\N{EM DASH} {key.name} {base64.b64encode(key.id + signature).decode()}\n"
