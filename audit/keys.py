"""The log's keys: made once, one file each, readable by the owner only, never in the database.

`signing.key` signs checkpoints (Ed25519, the text form that signed-note tools use), `head.key`
protects the head row between writes, `digest.key` makes digests of guessable values, `payload.key`
wraps the keys of payloads. `log.vkey` is public: give it to whoever will verify, before they need
it. `retired.vkeys` holds the public keys from before a rotation.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from audit.errors import AuditError, KeyUnusable

_ED25519: Final = b"\x01"
_PREFIX: Final = "PRIVATE+KEY+"
_SECRET_BYTES: Final = 32
NEXT: Final = "signing.key.next"
RETIRED: Final = "retired.vkeys"


class PublicKey:
    """The public half of a signing key, as text `name+id+key`."""

    def __init__(self, name: str, public: bytes) -> None:
        self.name = name
        self._public = Ed25519PublicKey.from_public_bytes(public)
        self.id = hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]
        self.vkey = f"{name}+{self.id.hex()}+{base64.b64encode(_ED25519 + public).decode()}"

    @classmethod
    def parse_vkey(cls, text: str) -> PublicKey:
        """Returns the key in `text`.

        Raises:
            ValueError: the text is not such a key or was damaged.
        """
        name, _, encoded = text.strip().split("+", 2)
        key = PublicKey(name, base64.b64decode(encoded, validate=True)[1:])
        if key.vkey != text.strip():
            raise ValueError("not a public key of this form")
        return key

    def verify(self, signature: bytes, text: bytes) -> bool:
        """True when this key made `signature` over `text`."""
        try:
            self._public.verify(signature, text)
        except InvalidSignature:
            return False
        return True


class SigningKey(PublicKey):
    """An Ed25519 key of a signed note: its name is the log's origin."""

    def __init__(self, name: str, seed: bytes) -> None:
        self._seed = seed
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        super().__init__(name, self._key.public_key().public_bytes_raw())

    @classmethod
    def make(cls, name: str) -> Self:
        """Returns a new key."""
        return cls(name, secrets.token_bytes(_SECRET_BYTES))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Returns the key in `text`, as `render` writes it.

        Raises:
            ValueError: the text is not such a key or was damaged.
        """
        name, key_id, encoded = text.removeprefix(_PREFIX).split("+", 2)
        raw = base64.b64decode(encoded, validate=True)
        if not text.startswith(_PREFIX) or raw[:1] != _ED25519:
            raise ValueError("not an Ed25519 note key")
        key = cls(name, raw[1:])
        if key.id.hex() != key_id:
            raise ValueError("the key does not match its id")
        return key

    def render(self) -> str:
        """Returns the private key as text. Secret."""
        encoded = base64.b64encode(_ED25519 + self._seed).decode()
        return f"{_PREFIX}{self.name}+{self.id.hex()}+{encoded}"

    def sign(self, text: bytes) -> bytes:
        """Returns the signature, 64 bytes."""
        return self._key.sign(text)


@dataclass(frozen=True, kw_only=True)
class Keys:
    """What a log needs to write. `retired` are the public keys it signed with before."""

    signing: SigningKey
    head: bytes
    digest: bytes
    payload: bytes
    retired: tuple[PublicKey, ...] = ()

    @property
    def known(self) -> tuple[PublicKey, ...]:
        """Every key whose signature is this log's, the newest first."""
        return (self.signing, *self.retired)

    def mac(self, text: bytes) -> bytes:
        """Returns the code that shows the head row was written by this log (keyed BLAKE2)."""
        return hashlib.blake2b(text, key=self.head, digest_size=_SECRET_BYTES).digest()

    def digest_of(self, text: str) -> str:
        """Returns 64 hex digits: equal for equal texts, and telling nobody without the key more."""
        return hmac.digest(self.digest, text.encode(errors="surrogatepass"), "sha256").hex()


def load(folder: Path) -> Keys:
    """Returns the keys in `folder`.

    Raises:
        KeyUnusable: a file is missing, damaged, or readable by others.
    """
    if not (folder / "payload.key").exists() and (folder / "signing.key").exists():
        _write(folder / "payload.key", secrets.token_hex(_SECRET_BYTES))  # of an older version
    signing = _signing(folder / "signing.key")
    head, digest, payload = (_secret(folder / f"{n}.key") for n in ("head", "digest", "payload"))
    return Keys(
        signing=signing, head=head, digest=digest, payload=payload, retired=_retired(folder)
    )


def begin_rotation(folder: Path, current: Keys) -> SigningKey:
    """Returns a new signing key, kept beside the current one until `end_rotation`.

    Raises:
        KeyUnusable: its file cannot be written.
    """
    (folder / NEXT).unlink(missing_ok=True)
    fresh = SigningKey.make(current.signing.name)
    _write(folder / NEXT, fresh.render())
    return fresh


def end_rotation(folder: Path, old: PublicKey) -> Keys:
    """Puts the new signing key in the place of the old one, whose public half is kept.

    Call it once a durable record says so. Every step can be done again after a crash.

    Raises:
        KeyUnusable: a file cannot be read or written.
    """
    kept = {key.vkey: key for key in (old, *_retired(folder))}
    _replace(folder / RETIRED, "\n".join(kept))
    fresh = _signing(folder / NEXT)
    _replace(folder / "log.vkey", fresh.vkey, mode=0o644)
    (folder / NEXT).replace(folder / "signing.key")
    return load(folder)


def next_key(folder: Path) -> SigningKey | None:
    """Returns the key of a rotation that was begun and not ended, or None.

    Raises:
        KeyUnusable: its file is damaged or readable by others.
    """
    return _signing(folder / NEXT) if (folder / NEXT).exists() else None


def _signing(path: Path) -> SigningKey:
    text = _read(path)
    try:
        return SigningKey.parse(text)
    except (ValueError, binascii.Error) as error:
        raise KeyUnusable(f"{path} does not hold a signing key.") from error


def _retired(folder: Path) -> tuple[PublicKey, ...]:
    path = folder / RETIRED
    if not path.exists():
        return ()
    try:
        return tuple(map(PublicKey.parse_vkey, _read(path).splitlines()))
    except (ValueError, binascii.Error) as error:
        raise KeyUnusable(f"{path} does not hold public keys.") from error


def create(folder: Path, origin: str) -> None:
    """Makes the keys of a new log in `folder`; files that are there already are kept.

    Raises:
        AuditError: `origin` cannot name a key, or a file cannot be written.
    """
    if not origin or any(c.isspace() or c == "+" or not c.isprintable() for c in origin):
        raise AuditError("The name of an audit log has no spaces and no plus sign.")
    signing = SigningKey.make(origin)
    for name in ("head", "digest", "payload"):
        _write(folder / f"{name}.key", secrets.token_hex(_SECRET_BYTES))
    _write(folder / "signing.key", signing.render())
    _write(folder / "log.vkey", load(folder).signing.vkey, mode=0o644)


def _secret(path: Path) -> bytes:
    try:
        secret = bytes.fromhex(_read(path))
    except ValueError as error:
        raise KeyUnusable(f"{path} does not hold a key.") from error
    if len(secret) != _SECRET_BYTES:
        raise KeyUnusable(f"{path} does not hold a key of {_SECRET_BYTES} bytes.")
    return secret


def _read(path: Path) -> str:
    try:
        mode = path.stat().st_mode & 0o777
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyUnusable(f"The key file {path} cannot be read. Put it back.") from error
    if mode & 0o077:
        raise KeyUnusable(f"{path} can be read by others. Run: chmod 600 {path}")
    return text


def _replace(path: Path, text: str, mode: int = 0o600) -> None:
    """Writes a file whole or not at all, over one that is there."""
    try:
        _draft(path, text, mode).replace(path)
    except OSError as error:
        raise KeyUnusable(f"The key file {path} cannot be written.") from error


def _draft(path: Path, text: str, mode: int) -> Path:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())
    return draft


def _write(path: Path, text: str, mode: int = 0o600) -> None:
    """Writes a file whole or not at all, and never over one that is there."""
    try:
        draft = _draft(path, text, mode)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    except OSError as error:
        raise KeyUnusable(f"The key file {path} cannot be written.") from error
