"""Opaque ids: random, so that none can be guessed from another and none says anything."""

from __future__ import annotations

import hashlib
import secrets


def new_id() -> str:
    """Returns 80 random bits as 20 hex digits."""
    return secrets.token_hex(10)


def digest(text: str) -> str:
    """Returns the SHA-256 of the text as 64 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()
