"""The secret behind pseudonyms: one per conversation, in memory only."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import unicodedata
from typing import Final, Literal, NoReturn

Place = Literal["column", "text"]
"""Where a pseudonym stands. The two never agree: whoever could type a guess into one place and look
for its pseudonym in the other could confirm any value."""

LETTERS: Final = "bcdfghjklmnpqrstvwxyz"
"""No vowels but y, so that a pseudonym never spells a name or a word."""
ALPHABET: Final = "0123456789" + LETTERS
TOKEN_LENGTH: Final = 8
_MIN_BYTES: Final = 16


class SessionKey:
    """The key of one conversation. Equal values get equal pseudonyms under one key only.

    It is never shown: `repr` hides it and pickling is refused.
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        """Takes at least 16 bytes of secret.

        Raises:
            ValueError: The secret is too short to withstand guessing.
        """
        if len(secret) < _MIN_BYTES:
            raise ValueError(f"A session key needs at least {_MIN_BYTES} bytes.")
        self._secret = bytes(secret)

    @classmethod
    def new(cls) -> SessionKey:
        """Returns a fresh random key of 32 bytes."""
        return cls(secrets.token_bytes(32))

    def token(self, entity: str, value: str, place: Place = "column") -> str:
        """Returns the 8 characters that stand for `value` (39 bits), a letter first.

        Case, width and surrounding space do not matter. Among 10,000 different values the chance
        that any two share a token is below 0.01 %.
        """
        folded = unicodedata.normalize("NFKC", value).casefold().strip()
        message = f"{place}\0{entity}\0{folded}".encode("utf-8", "surrogatepass")
        number = int.from_bytes(hmac.digest(self._secret, message, hashlib.sha256)[:8], "big")
        number, first = divmod(number, len(LETTERS))
        out = [LETTERS[first]]
        for _ in range(TOKEN_LENGTH - 1):
            number, index = divmod(number, len(ALPHABET))
            out.append(ALPHABET[index])
        return "".join(out)

    def __repr__(self) -> str:
        return "SessionKey(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A session key is not pickled: it never leaves the process.")


class NotingKey(SessionKey):
    """The same key, which notes what it made pseudonyms for: (entity, value, token)."""

    __slots__ = ("noted",)

    def __init__(self, key: SessionKey) -> None:
        """Takes the key to use."""
        super().__init__(key._secret)  # noqa: SLF001 - its own class's secret, in one module
        self.noted: list[tuple[str, str, str]] = []

    def token(self, entity: str, value: str, place: Place = "column") -> str:
        """Returns the characters that stand for `value`, and notes them."""
        made = super().token(entity, value, place)
        self.noted.append((entity, value, made))
        return made
