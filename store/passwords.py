"""Argon2id hashes of passwords, with the library's defaults (RFC 9106, low memory).

A check costs the same for a name nobody has: it is made against a hash of a password nobody knows.
"""

from __future__ import annotations

import functools
import secrets
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from store.errors import StoreError

MIN_LENGTH = 8
MAX_LENGTH = 256

_hasher = PasswordHasher()
# Each check takes 64 MiB; more at once than this would let strangers fill the memory.
_at_once = threading.BoundedSemaphore(4)


def hash_password(password: str) -> str:
    """Returns the hash to store. Slow on purpose: call it outside a transaction.

    Raises:
        StoreError: the password is too short or too long.
    """
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise StoreError(f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters.")
    return _hasher.hash(password)


def verify(password_hash: str | None, password: str) -> bool:
    """Returns whether the password is the one hashed; `None` takes as long and is always False."""
    if len(password) > MAX_LENGTH:
        password, password_hash = "", None
    with _at_once:
        stranger = _stranger()
        try:
            matches = _hasher.verify(password_hash or stranger, password)
        except (VerificationError, InvalidHashError):
            return False
    return matches and password_hash is not None


@functools.cache
def _stranger() -> str:
    # Made at the first check, whoever it is for, so its delay tells nothing; no start waits for it.
    return PasswordHasher().hash(secrets.token_urlsafe(32))


def is_outdated(password_hash: str) -> bool:
    """Returns whether the hash was made with weaker settings than today's."""
    return _hasher.check_needs_rehash(password_hash)
