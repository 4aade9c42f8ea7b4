"""Which functions a server of MySQL or MariaDB has built in, and what a text calls besides.

A name the server does not know as its own may be a loadable function, which runs code of its own
inside the server and which every login may call. A built-in function cannot be shadowed.
https://mariadb.com/kb/en/create-function-udf/,
https://mariadb.com/kb/en/information-schema-sql_functions-table/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import Token, TokenType

from guard.calls import is_syntax
from guard.engines.child.faults import Fault
from guard.engines.mysql_session import Session
from guard.functions import functions_of
from guard.lexical import instance

_DOCUMENTED = ((8, 0, 24), (9, 0, 0))
"""The versions of MySQL whose documented functions are listed."""
_LISTS = (
    "SELECT LOWER(FUNCTION) FROM information_schema.SQL_FUNCTIONS",
    "SELECT LOWER(PLUGIN_NAME) FROM information_schema.PLUGINS "
    "WHERE PLUGIN_TYPE = 'FUNCTION' AND PLUGIN_LIBRARY IS NOT NULL",
)
_WORD = re.compile(r"[^\W\d][\w$]*")
_NAMING = frozenset({TokenType.ALIAS, TokenType.R_PAREN, TokenType.WITH, TokenType.RECURSIVE})
"""A name that follows one of these is given, not called."""


def own_functions(session: Session) -> frozenset[str]:
    """Returns the names, lower-case, that the server takes for its own functions."""
    listed = functions_of("mysql").servers
    if not session.is_mariadb:
        first, end = _DOCUMENTED
        documented = first <= _version(session) < end
        return listed["mysql"] if documented else frozenset()
    built_in, loaded = (_names(session, sql) for sql in _LISTS)
    ((geometry,),) = session.texts("SELECT @@GLOBAL.have_geometry")
    if geometry == "YES":
        built_in |= listed["mariadb_geometry"]
    return (built_in - loaded) | listed["mariadb"]


def _names(session: Session, sql: str) -> frozenset[str]:
    return frozenset(name for (name,) in session.texts(sql) if name is not None)


def _version(session: Session) -> tuple[int, ...]:
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", str(session.server_version))
    return tuple(int(part) for part in found.groups()) if found else ()


def check_calls(sql: str, own: frozenset[str]) -> None:
    """Refuses a text that calls anything the server does not have built in. Raises `Fault`."""
    if next(_strangers(sql, own), None) is not None:
        raise Fault("not_allowed")


def _strangers(sql: str, own: frozenset[str]) -> Iterator[str]:
    try:
        found: Sequence[Token] = instance("mysql").tokenizer().tokenize(sql)
    except TokenError as error:
        raise Fault("syntax") from error
    for place, after in enumerate(found[1:]):
        word = found[place]
        if after.token_type != TokenType.L_PAREN or not _is_name(word):
            continue
        if place and found[place - 1].token_type in _NAMING:
            continue
        quoted = word.token_type == TokenType.IDENTIFIER
        name = word.text.lower()
        if (quoted or (name not in own and not is_syntax(name))) and not _is_cte(found, place):
            yield name


def _is_name(word: Token) -> bool:
    return word.token_type == TokenType.IDENTIFIER or _WORD.fullmatch(word.text) is not None


def _is_cte(found: Sequence[Token], place: int) -> bool:
    """True for `name (columns) AS (`, which no call can be followed by."""
    depth = 0
    for at in range(place + 1, len(found)):
        kind = found[at].token_type
        depth += (kind == TokenType.L_PAREN) - (kind == TokenType.R_PAREN)
        if depth == 0:
            following = [t.token_type for t in found[at + 1 : at + 3]]
            return following == [TokenType.ALIAS, TokenType.L_PAREN]
    return False
