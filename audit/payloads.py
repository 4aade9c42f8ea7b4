"""What is too long for a record, encrypted with a key of the person it is about.

Erasure destroys the person's key and the ciphertext. The record keeps the digest of the ciphertext,
so the chain stays valid, and it says itself what it lost. The keys are wrapped with `payload.key`,
which lies outside every database: a copy of the database alone opens nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from audit.encoding import Json
from audit.errors import Tampered
from audit.event import AuditEvent
from audit.parts import BlobFacts

_SWAPPED: Final = (
    "What the audit log keeps beside its records is under another person than it was kept for. Put"
    " back a copy, and keep what is there."
)
_NONCE: Final = 12
_KEY: Final = 32


class Vault(Protocol):
    """Where keys and ciphertexts lie: deletable, and no evidence."""

    def key_of(self, subject: str) -> tuple[str, bytes] | None:
        """Returns the id of the subject's key and the key as wrapped, None when there is none."""
        ...

    def keep_key(self, subject: str, key_id: str, wrapped: bytes) -> None:
        """Keeps a key, unless the subject has one already."""
        ...

    def keep(self, sha256: str, subject: str, key_id: str, body: bytes) -> None:
        """Keeps a ciphertext, durably."""
        ...

    def find(self, sha256: str) -> tuple[str, bytes] | None:
        """Returns whom a ciphertext is about and the ciphertext, None when it is gone."""
        ...

    def strays(self, subject: str, key_id: str) -> int:
        """Returns how many ciphertexts are either the subject's or under that key, but not both."""
        ...

    def erase(self, subject: str) -> int:
        """Removes the subject's key and ciphertexts for good; returns how many those were."""
        ...

    def close(self) -> None:
        """Frees what the vault holds."""
        ...


class Payloads:
    """Seals and opens payloads of one log."""

    def __init__(self, vault: Vault, master: bytes) -> None:
        self._vault = vault
        self._master = AESGCM(master)

    def seal(self, subject: str, text: str) -> BlobFacts:
        """Returns where `text` is kept now, encrypted and durable. The same text gives the same.

        Raises:
            Unavailable: it could not be kept.
        """
        key_id, key = self._key(subject)
        raw = text.encode()
        # The nonce is a code over the text: equal texts repeat themselves, different ones never
        # share a nonce.
        nonce = hmac.digest(key, raw, "sha256")[:_NONCE]
        body = nonce + AESGCM(key).encrypt(nonce, raw, key_id.encode())
        digest = hashlib.sha256(body).hexdigest()
        self._vault.keep(digest, subject, key_id, body)
        return BlobFacts(sha256=digest, bytes=len(body), key_id=key_id)

    def open(self, facts: BlobFacts) -> str | None:
        """Returns the text, None when it was erased.

        Raises:
            Tampered: what is kept, or whose it is said to be, is not what was sealed.
        """
        found = self._vault.find(facts.sha256 or "")
        if found is None:
            return None
        subject, body = found
        known = self._vault.key_of(subject)
        if known is None:
            return None
        if known[0] != facts.key_id:
            raise Tampered(_SWAPPED)
        try:
            key = self._unwrapped(subject, known[1])
            text = AESGCM(key).decrypt(body[:_NONCE], body[_NONCE:], known[0].encode())
        except InvalidTag as error:
            raise Tampered("A payload of the audit log was changed. Keep its files.") from error
        return text.decode()

    def erase(self, subject: str) -> int:
        """Returns how many payloads can never be read again.

        Raises:
            Tampered: keys or payloads were put under other persons, so the wrong ones would go.
            Unavailable: they could not be removed.
        """
        known = self._vault.key_of(subject)
        if self._vault.strays(subject, known[0] if known else ""):
            raise Tampered(_SWAPPED)
        if known is None:
            return 0
        try:
            self._unwrapped(subject, known[1])
        except InvalidTag as error:
            raise Tampered(_SWAPPED) from error
        return self._vault.erase(subject)

    def _key(self, subject: str) -> tuple[str, bytes]:
        known = self._vault.key_of(subject)
        if known is None:
            nonce, key = secrets.token_bytes(_NONCE), secrets.token_bytes(_KEY)
            wrapped = nonce + self._master.encrypt(nonce, key, subject.encode())
            self._vault.keep_key(subject, secrets.token_hex(8), wrapped)
            known = self._vault.key_of(subject)  # another process may have been quicker
        if known is None:
            raise Tampered("The audit log does not keep the keys of its payloads.")
        try:
            return known[0], self._unwrapped(subject, known[1])
        except InvalidTag as error:
            raise Tampered(
                "payload.key is not the one that this audit log was written with. Put it back."
            ) from error

    def _unwrapped(self, subject: str, wrapped: bytes) -> bytes:
        return self._master.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], subject.encode())


def subject_of(event: AuditEvent) -> str:
    """Returns whom an event is about: the person behind it."""
    return event.actor.on_behalf_of or event.actor.id


def with_blob(document: Mapping[str, Json], facts: BlobFacts) -> dict[str, Json]:
    """Returns the document with the place of its whole text."""
    return {**document, facts.group: facts.encode()}
