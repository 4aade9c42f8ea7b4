"""SQL as the audit trail and messages may carry it: shape without values.

A statement's literals can be anybody's e-mail address, so every string and number becomes `?`. The
exact text is known by its SHA-256.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection

from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from guard.errors import Refused
from guard.lexical import tokenizer
from redaction import SessionKey, redact_text

_LONGEST = 4_000
_KEY = SessionKey.new()
_VALUES = {
    t
    for t in TokenType
    if t.name in {"STRING", "NUMBER", "HEX_STRING", "BIT_STRING", "BYTE_STRING", "RAW_STRING"}
    or t.name in {"NATIONAL_STRING", "UNICODE_STRING", "HEREDOC_STRING"}
}
_QUOTED = re.compile(r"'(?:[^']|'')*'?|\$\w*\$.*|\d{3,}", re.DOTALL)


def log_safe(text: str) -> str:
    """Returns `text` as the audit trail may carry it, personal data masked.

    Raises:
        redaction.RedactionError: it could not be looked at, so nothing of it may be written.
    """
    return redact_text(text, sink="log", key=_KEY)


def counted(number: int, noun: str) -> str:
    """Returns a number with its noun: `1 row`, `1,200 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def sha256_of(text: str) -> str:
    """Returns the hex SHA-256 of the text's UTF-8 bytes; lone surrogates are kept apart."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def without_literals(text: str, dialect: str, known: Collection[str] = ()) -> str:
    """Returns `text` with every literal and comment taken out, at most 4,000 characters.

    A quoted name stays only when it is in `known` (casefolded table and column names), because
    SQLite reads an unknown one as a string. Text that cannot be tokenised loses everything between
    quotes, everything after `$`, and every run of three or more digits.
    """
    shortened = text[: _LONGEST * 4]
    try:
        tokens = tokenizer(dialect).tokenize(shortened)
    except (Refused, SqlglotError, ValueError, RecursionError):
        return _QUOTED.sub("?", shortened)[:_LONGEST]
    return " ".join(_shown(shortened, t, known) for t in tokens)[:_LONGEST]


def _shown(text: str, token: Token, known: Collection[str]) -> str:
    written = text[token.start : token.end + 1]
    if token.token_type in _VALUES or "$" in written:
        return "?"
    if written[:1] in {'"', "`", "["} and len(written) > 1:
        return written if written[1:-1].casefold() in known else '"?"'
    return written
