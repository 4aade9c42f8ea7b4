"""What is refused before parsing, from the characters and tokens alone.

The compiled parser can be killed, or kept busy for seconds, by a few kilobytes of crafted text, and
some characters read differently in the parser and in an engine. Both are settled here:

1. `check_characters` looks at the text,
2. `tokenize` turns it into tokens of one dialect,
3. `check_tokens` looks at what is left: several statements, depth, executable comments.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from sqlglot import parser, tokens
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from guard.errors import ConfigurationError, Refused, refuse

MAX_BYTES = 64 * 1024
"""Length of a statement in UTF-8 bytes."""
MAX_DEPTH = 100
"""Brackets, runs of prefix operators, chains of subscripts and types inside one another."""
MAX_TREE_DEPTH = 300
"""Nodes of the tree above one another; `a AND b AND c` adds one for each AND."""
MAX_REPEATS = 500
"""How often one operator or keyword may stand in a statement; names, values and commas are free."""
MAX_TYPED = 8
"""Brackets inside one another that follow a type, `struct(a struct(...))`. The parser reads each of
them as a type and then as a call, so every level doubles the work."""
MAX_RARE = 50
"""The same for what is slow to parse and never stands often in honest text."""
MAX_SIGNS = 24_000
"""Characters that are neither letter, digit nor blank; each may be a token of its own."""
MAX_TOKENS = 12_000
"""Words, values and signs of a statement. What fits is parsed in well under a tenth of a second."""

DIALECTS = ("sqlite", "duckdb", "postgres", "mysql", "snowflake", "bigquery", "databricks")
"""Every dialect the guard judges, by sqlglot's name."""

if not tokens.SQLGLOTC_INSTALLED:
    raise ConfigurationError(
        "The guard needs sqlglot's compiled parser: the interpreted one stops at nesting that "
        "honest queries reach. Install it with `pip install 'sqlglot[c]'`."
    )

_INSTANCES = {name: Dialect.get_or_raise(name) for name in DIALECTS}

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
# Comment openers that sqlglot drops and a server may run, or that only sqlglot takes for a comment.
_OPENERS = {"mysql": ("/*!", "/*M!", "/*m!", "{#"), "": ("{#",)}

_OPEN = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE}
_CLOSE = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE}
_PREFIX = {TokenType.NOT, TokenType.DASH, TokenType.PLUS, TokenType.TILDE, TokenType.EXCLAMATION}
_PREFIX |= {TokenType.PARAMETER, TokenType.INTERVAL, TokenType.RLIKE, TokenType.DOLLAR}
_PREFIX |= {TokenType.FROM, TokenType.HASH, TokenType.CARET}
_TYPED = parser.Parser.TYPE_TOKENS | {TokenType.UNION}
_RARE = {TokenType.PIVOT, TokenType.UNPIVOT, TokenType.QUALIFY, TokenType.LATERAL}
# Pairs of tokens that lead one level deeper without a bracket: `a[1][1]`, `array<array<int>>`.
_DEEPER = {
    (TokenType.R_BRACKET, TokenType.L_BRACKET),
    (TokenType.ARRAY, TokenType.LT),
    (TokenType.STRUCT, TokenType.LT),
    (TokenType.MAP, TokenType.LT),
    (TokenType.LIST, TokenType.LT),
}
_SIGNS = str.maketrans("", "", "!\"#$%&'()*+,-./:;<=>?@[\\]^`{|}~")
QUOTED = {
    TokenType.STRING,
    TokenType.IDENTIFIER,
    TokenType.HEREDOC_STRING,
    TokenType.NATIONAL_STRING,
    TokenType.NATIONAL_RAW_STRING,
    TokenType.RAW_STRING,
    TokenType.UNICODE_STRING,
    TokenType.BYTE_STRING,
    TokenType.BIT_STRING,
    TokenType.HEX_STRING,
}
_FREE = QUOTED | {
    TokenType.VAR,
    TokenType.NUMBER,
    TokenType.COMMA,
    TokenType.DOT,
    TokenType.L_PAREN,
    TokenType.R_PAREN,
    TokenType.NULL,
    TokenType.TRUE,
    TokenType.FALSE,
    TokenType.DASH,
}
_ASSIGN = TokenType.COLON_EQ
_TEMPLATE = {TokenType.BLOCK_START, TokenType.BLOCK_END}


def instance(dialect: str) -> Dialect:
    """Returns the one instance of a dialect; it holds no state of a parse.

    Raises:
        Refused: the dialect is not one the guard judges.
    """
    found = _INSTANCES.get(dialect)
    if found is None:
        raise refuse(
            "statement.dialect",
            f"The dialect is not one of {', '.join(DIALECTS)}.",
        )
    return found


def words(text: str) -> frozenset[str]:
    """Returns the words of `text`, to write long sets readably."""
    return frozenset(text.split())


def check_characters(text: str) -> None:
    """Refuses text that is empty, too long, or holds characters that engines read differently.

    Raises:
        Refused: `statement.empty`, `statement.too_long` or `statement.character`.
    """
    if len(text) > MAX_BYTES or (not text.isascii() and _utf8_length(text) > MAX_BYTES):
        raise refuse(
            "statement.too_long",
            f"The statement is longer than {MAX_BYTES // 1024} KiB. Shorten it.",
            fixable=True,
        )
    if not text or text.isspace():
        raise _empty()
    if len(text) > MAX_SIGNS and len(text) - len(text.translate(_SIGNS)) > MAX_SIGNS:
        raise too_deep()
    if _CONTROL.search(text):
        raise refuse(
            "statement.character",
            "The statement holds a control character. Only tab and line breaks may stand in it.",
            fixable=True,
        )


def _utf8_length(text: str) -> int:
    if _SURROGATE.search(text):
        raise refuse(
            "statement.character", "The statement is not valid Unicode text.", fixable=True
        )
    return len(text.encode())


def _empty() -> Refused:
    return refuse("statement.empty", "There is no statement in the text.", fixable=True)


def tokenize(text: str, dialect: str) -> list[Token]:
    """Returns the tokens of `text` without the separators that end it.

    Raises:
        Refused: `statement.syntax` for a quote or comment that never ends, or any refusal of
            `check_tokens`.
    """
    try:
        found = tokenizer(dialect).tokenize(text)
    except TokenError as error:
        raise refuse(
            "statement.syntax",
            "The statement has a quote that never ends, or a character that is no SQL.",
            fixable=True,
        ) from error
    while found and found[-1].token_type == TokenType.SEMICOLON:
        found.pop()
    if not found:
        raise _empty()
    check_tokens(found, text, dialect)
    return found


def tokenizer(dialect: str) -> tokens.Tokenizer:
    """Returns the thread's own tokenizer of a dialect; making one costs as much as using it.

    Raises:
        Refused: the dialect is not one the guard judges.
    """
    kept: dict[str, tokens.Tokenizer] = _KEPT.__dict__
    if dialect not in kept:
        kept[dialect] = instance(dialect).tokenizer()
    return kept[dialect]


_KEPT = threading.local()


def check_tokens(found: Sequence[Token], text: str, dialect: str) -> None:
    """Refuses several statements, text that only one side takes for a comment, and depth.

    Raises:
        Refused: `statement.several`, `statement.comment`, `statement.character`,
            `statement.number`, `statement.template` or `statement.too_deep`.
    """
    if ";" in text:
        _one_only(found)
    openers = _OPENERS.get(dialect, _OPENERS[""])
    if any(o in text for o in openers) and any(o in unquoted(text, found) for o in openers):
        raise refuse(
            "statement.comment",
            "The statement holds a comment that some servers execute. Leave it out.",
            fixable=True,
        )
    if '&"' in text and dialect == "postgres":
        _check_escaped_names(found)
    if ":=" in text and dialect == "mysql" and any(t.token_type == _ASSIGN for t in found):
        raise refuse(
            "statement.assignment", "The statement sets a variable of the session.", part=":="
        )
    if dialect in _COUNTED:
        _check_numbers(found, text, dialect)
    if "{" in text and any(t.token_type in _TEMPLATE for t in found):
        raise refuse("statement.template", "The statement is a template, not SQL.", fixable=True)
    if not text.isascii():
        _check_letters(text, found)
    if len(found) > MAX_DEPTH or text.count("(") > MAX_TYPED:
        _check_depth(found)


def _one_only(found: Sequence[Token]) -> None:
    # After a separator the parser may stop early (a chunk that starts with ELSE is dropped), so
    # separators are counted on the tokens.
    if any(t.token_type == TokenType.SEMICOLON for t in found):
        raise refuse(
            "statement.several",
            "The text holds more than one statement. Send them one at a time.",
            part=";",
            fixable=True,
        )


def unquoted(text: str, found: Sequence[Token]) -> str:
    """Returns `text` with every quoted token blanked, positions kept."""
    parts = []
    position = 0
    for token in found:
        if token.token_type in QUOTED:
            parts.append(text[position : token.start])
            parts.append(" " * (token.end + 1 - token.start))
            position = token.end + 1
    parts.append(text[position:])
    return "".join(parts)


def _check_escaped_names(found: Sequence[Token]) -> None:
    # PostgreSQL reads U&"\0061" as the name a, the parser as U & "\0061".
    for prefix, sign, name in zip(found, found[1:], found[2:], strict=False):
        if (
            prefix.text.upper() == "U"
            and sign.token_type == TokenType.AMP
            and name.token_type == TokenType.IDENTIFIER
            and prefix.end + 1 == sign.start
            and sign.end + 1 == name.start
        ):
            raise refuse(
                "statement.escaped_name",
                'A name is written with escapes, as in U&"...". Write it plainly.',
                part=name.text,
                fixable=True,
            )


_COUNTED = frozenset(("mysql", "postgres", "sqlite"))


def _check_numbers(found: Sequence[Token], text: str, dialect: str) -> None:
    # The parser reads 1_000 as 1 called _000, and PostgreSQL's 0x1F as a string of bits.
    for number, word in pairwise(found):
        joined = number.token_type == TokenType.NUMBER and number.end + 1 == word.start
        if joined and (text[word.start].isalpha() or text[word.start] == "_"):
            raise _unreadable(text[number.start : word.end + 1])
    if dialect == "postgres" and ("0x" in text or "0X" in text or "0b" in text or "0B" in text):
        for token in found:
            if token.token_type in _BITS and text[token.start] == "0":
                raise _unreadable(text[token.start : token.end + 1])


_BITS = (TokenType.HEX_STRING, TokenType.BIT_STRING)


def _unreadable(part: str) -> Refused:
    return refuse(
        "statement.number",
        "A number is written in a way that the guard may read as another one.",
        part=part,
        alternative="Write it in plain digits.",
        fixable=True,
    )


def _check_letters(text: str, found: Sequence[Token]) -> None:
    outside = unquoted(text, found)
    for char in dict.fromkeys(outside):
        if not char.isascii() and not char.isalnum() and unicodedata.category(char)[0] != "M":
            raise refuse(
                "statement.character",
                f"The character U+{ord(char):04X} may stand only between quotes.",
                fixable=True,
            )
    for token in found:
        # The parser changes case before it compares: with U+017F, a long s, "set" passes for SET.
        word = outside[token.start : token.end + 1]
        if not word.isascii() and (word.upper().isascii() or word.lower().isascii()):
            raise refuse(
                "statement.character",
                "A name holds a letter that can pass for another one. Put the name in quotes.",
                part=word,
                fixable=True,
            )


def _check_depth(found: Sequence[Token]) -> None:
    counts = Counter(t.token_type for t in found if t.token_type not in _FREE)
    repeated = any(n > MAX_REPEATS or (n > MAX_RARE and k in _RARE) for k, n in counts.items())
    if repeated or len(found) > MAX_TOKENS or _depth(found) > MAX_DEPTH:
        raise too_deep()


def _depth(found: Sequence[Token]) -> int:
    """Returns how deep the tokens nest; over `MAX_DEPTH` also for what only multiplies work."""
    deepest = run = deeper = typed = 0
    opened: list[bool] = []
    kind = TokenType.SPACE
    for token in found:
        before, kind = kind, token.token_type
        run = run + 1 if kind in _PREFIX else 0
        deeper += (before, kind) in _DEEPER
        if kind in _OPEN:
            opened.append(before in _TYPED)
            typed += opened[-1]
        elif kind in _CLOSE and opened:
            typed -= opened.pop()
        deepest = max(deepest, len(opened) + deeper + run)
        if typed > MAX_TYPED:
            return MAX_DEPTH + 1
    return deepest


def too_deep() -> Refused:
    """Returns the refusal of a statement that is nested too deeply or repeats too much."""
    return refuse(
        "statement.too_deep",
        f"The statement nests more than {MAX_DEPTH} levels, repeats one operator more than "
        f"{MAX_REPEATS} times or has more than {MAX_TOKENS:,} words. Split it.",
        fixable=True,
    )
