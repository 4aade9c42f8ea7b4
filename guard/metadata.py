"""EXPLAIN, SHOW and DESCRIBE, most of which the parser leaves as text.

EXPLAIN is judged by what it explains. It is recognised here, its options are checked against a list
(ANALYZE in any spelling is on none of them, because it executes), and the rest is parsed and judged
as a statement of its own that must be a query.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from guard import lexical
from guard.errors import Refused, refuse


@dataclass(frozen=True, kw_only=True)
class Form:
    """A recognised statement: either its `tree`, or the `inner` tokens of `text` it explains."""

    tree: exp.Expression
    inner: list[Token] | None = None
    text: str = ""


_QUERY_STARTS = frozenset(
    (
        TokenType.SELECT,
        TokenType.WITH,
        TokenType.VALUES,
        TokenType.TABLE,
        TokenType.FROM,
        TokenType.L_PAREN,
    )
)
_EXPLAIN_WORDS = {"mysql": ("EXPLAIN", "DESCRIBE", "DESC")}

# Options in brackets, `EXPLAIN (COSTS off, VERBOSE) ...`.
_OPTIONS = {
    "postgres": lexical.words(
        "verbose costs settings generic_plan buffers timing summary format memory"
    ),
    "duckdb": frozenset(("format",)),
}
_VALUES = lexical.words("on off true false 0 1 text json xml yaml tree html graphviz mermaid")
# Words before the explained statement; each tuple is one way to write it.
_WORDS: dict[str, tuple[tuple[str, ...], ...]] = {
    "sqlite": (("QUERY", "PLAN"),),
    "postgres": (("VERBOSE",),),
    "mysql": (
        ("EXTENDED",),
        ("PARTITIONS",),
        ("FORMAT", "=", "JSON"),
        ("FORMAT", "=", "TRADITIONAL"),
    ),
    "snowflake": (("USING", "TEXT"), ("USING", "JSON"), ("USING", "TABULAR")),
    "databricks": (("EXTENDED",), ("FORMATTED",), ("COST",), ("CODEGEN",)),
}

# Names of PostgreSQL settings that tell where files lie, or hold commands and keys.
_SECRET_SETTING = re.compile(
    r"file|directory|directories|command|conninfo|passphrase|^all$|libraries"
)
_SETTING = re.compile(r"[A-Za-z_][A-Za-z_0-9]*(?:\.[A-Za-z_][A-Za-z_0-9]*)*(?: [A-Za-z]+){0,3}")
_DUCKDB_LISTS = lexical.words("TABLES DATABASES SCHEMAS")


def recognise(found: Sequence[Token], text: str, dialect: str) -> Form | None:
    """Returns what kind of metadata statement the tokens are, or None for everything else.

    Raises:
        Refused: `statement.explain` where EXPLAIN would execute or explains no query, or
            `statement.unmodelled` for a SHOW the guard does not know.
    """
    first = found[0]
    if first.token_type in lexical.QUOTED:
        return None
    word = first.text.upper()
    if word in _EXPLAIN_WORDS.get(dialect, ("EXPLAIN",)):
        return _explain(found, text, dialect)
    if word == "SHOW" and dialect == "postgres":
        return _setting(found)
    if word == "SHOW" and dialect == "duckdb":
        return _show_duckdb(found)
    if word == "SHOW" and dialect == "mysql":
        return _show_mysql(found)
    if word == "CHECKSUM" and dialect == "mysql":
        return _checksum(found)
    return None


def _explain(found: Sequence[Token], text: str, dialect: str) -> Form | None:
    rest, inner = text, list(found[1:])
    if found[0].token_type == TokenType.COMMAND:
        rest = text[found[0].end + 1 :]
        if not rest.strip():
            raise _executes()
        inner = lexical.tokenize(rest, dialect)
    inner = inner[_options(inner, dialect) :]
    if inner and inner[0].token_type in _QUERY_STARTS:
        return Form(tree=exp.Describe(), inner=inner, text=rest)
    if dialect == "mysql":
        return _describe_mysql(inner)
    raise _executes()


def _executes() -> Refused:
    return refuse(
        "statement.explain",
        "EXPLAIN may only explain a query, and without ANALYZE, which executes it.",
        part="EXPLAIN",
        fixable=True,
    )


def _options(inner: Sequence[Token], dialect: str) -> int:
    """Returns how many tokens of `inner` are options of EXPLAIN."""
    if dialect in _OPTIONS and len(inner) > 2 and inner[0].token_type == TokenType.L_PAREN:
        return 0 if inner[1].token_type in _QUERY_STARTS else _bracketed(inner, _OPTIONS[dialect])
    words = [t.text.upper() for t in inner[:3] if t.token_type not in lexical.QUOTED]
    return max((len(w) for w in _WORDS.get(dialect, ()) if tuple(words[: len(w)]) == w), default=0)


def _bracketed(inner: Sequence[Token], known: frozenset[str]) -> int:
    expects_name = True
    for index, token in enumerate(inner[1:], start=1):
        if token.token_type == TokenType.R_PAREN:
            return index + 1
        if token.token_type == TokenType.COMMA:
            expects_name = True
            continue
        allowed = known if expects_name else _VALUES
        if token.text.lower() not in allowed or token.token_type == TokenType.IDENTIFIER:
            raise _executes()
        expects_name = False
    raise _executes()


def _describe_mysql(inner: Sequence[Token]) -> Form:
    """`DESCRIBE table` and `DESCRIBE table column`; nothing else may follow."""
    name, rest = _path(inner)
    if name is None or len(rest) > 1 or any(not _is_name(t) for t in rest):
        raise _executes()
    return Form(tree=exp.Describe(this=name))


def _path(found: Sequence[Token]) -> tuple[exp.Table | None, Sequence[Token]]:
    """Returns the table that `found` starts with, `a` or `a.b`, and the tokens after it."""
    if not found or not _is_name(found[0]):
        return None, found
    if len(found) < 3 or found[1].token_type != TokenType.DOT or not _is_name(found[2]):
        return exp.Table(this=_identifier(found[0])), found[1:]
    return exp.Table(this=_identifier(found[2]), db=_identifier(found[0])), found[3:]


def _is_name(token: Token) -> bool:
    if token.token_type == TokenType.IDENTIFIER:
        return True
    return token.token_type not in lexical.QUOTED and token.text.isidentifier()


def _identifier(token: Token) -> exp.Identifier:
    return exp.Identifier(this=token.text, quoted=token.token_type == TokenType.IDENTIFIER)


def _setting(found: Sequence[Token]) -> Form:
    name = found[1].text.strip() if len(found) == 2 else ""
    if not _SETTING.fullmatch(name) or _SECRET_SETTING.search(name.lower()):
        raise _unknown_show()
    return Form(tree=exp.Show(this=name))


def _show_duckdb(found: Sequence[Token]) -> Form | None:
    rest = found[1:]
    if len(rest) == 1 and rest[0].text.upper() in _DUCKDB_LISTS:
        return Form(tree=exp.Show(this=rest[0].text.upper()))
    if len(rest) > 3 and rest[0].token_type == TokenType.L_PAREN:
        return Form(tree=exp.Describe(), inner=list(rest), text="")
    name, after = _path(rest)
    if name is None or after:
        raise _unknown_show()
    return Form(tree=exp.Describe(this=name))


def _show_mysql(found: Sequence[Token]) -> Form | None:
    words = [t.text.upper() for t in found if t.token_type not in lexical.QUOTED]
    if words[1:2] == ["FULL"]:
        words.pop(1)
    if (
        words[1:2]
        and words[1] in ("FIELDS", "COLUMNS")
        and words[2:3]
        and words[2] in ("FROM", "IN")
    ):
        name, after = _path(found[len(found) - len(words) + 3 :])
        if name is not None and not after:
            return Form(tree=exp.Describe(this=name))
    return None


def _checksum(found: Sequence[Token]) -> Form:
    """`CHECKSUM TABLE name`, which reads the table and answers one number."""
    name, after = _path(found[2:])
    if found[1:2] and found[1].token_type == TokenType.TABLE and name is not None and not after:
        return Form(tree=exp.Describe(this=name, kind="TABLE"))
    raise refuse(
        "statement.unmodelled",
        "The guard does not know this form of CHECKSUM, so it is refused.",
        part="CHECKSUM",
    )


def _unknown_show() -> Refused:
    return refuse(
        "statement.unmodelled",
        "The guard does not know this form of SHOW, so it is refused.",
        part="SHOW",
    )
