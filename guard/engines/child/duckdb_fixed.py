"""Whether a change in DuckDB gives the same values when it runs a second time, told without it.

The answer is no for everything but a plain change of one table that reads no other rows and calls
nothing but functions of the engine that are constant. A file with a macro under the name of one of
them is refused before (`duckdb_words.check_macros`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

import duckdb

from guard.engines.child.duckdb_tables import Table

_NAME = r'(?:"(?:[^"]|"")+"|\w+)'
_PLAIN = re.compile(
    rf"\s*(?:(update)\b|(delete)\s+from\b|(insert)\s+into\s+{_NAME}(?:\s*\.\s*{_NAME})*)",
    re.IGNORECASE,
)
_DISTINCT = re.compile(r"\bdistinct\s+from\b", re.IGNORECASE)
_MOMENT = re.compile(r"\bcurrent_|\blocaltime|\btoday\b", re.IGNORECASE)
_LITERAL = re.compile(r"'(?:[^']|'')*'|[-+]?[\d.]+|null|true|false", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")
_READING = {
    *("select", "from", "using", "with", "table", "pivot", "unpivot", "merge", "returning"),
    *("limit", "offset", "fetch", "order", "over", "qualify", "sample", "tablesample"),
}
"""What reads rows, which may come in another order or number, or from a view that moves."""
_BEFORE_BRACKETS = {
    *("and", "as", "between", "by", "cast", "coalesce", "else", "in", "not", "or", "set"),
    *("then", "values", "when", "where"),
}
"""Keywords that no macro can be called by."""
_UNTOLD = ("age",)
"""Depends on the day, though the engine calls it constant."""

_constant: set[str] = set()
"""The engine's functions that give the same value the second time; asked once a process."""


def is_fixed(connection: duckdb.DuckDBPyConnection, sql: str, tables: Sequence[Table]) -> bool:
    """True when nothing that the statement runs can give another value the second time."""
    plain = _PLAIN.match(sql)
    if plain is None or _MOMENT.search(sql) or any("GENERATED" in t.definition for t in tables):
        return False
    rest = _DISTINCT.sub(" ", sql[plain.end() :])
    words = {w.lower() for w in _WORD.findall(rest)}
    if words & _READING:
        return False
    if plain[3] is not None or "default" in words:
        defaults = (d for t in tables for d in t.defaults if d is not None)
        if not all(_LITERAL.fullmatch(d) for d in defaults):
            return False
    return all(n in _BEFORE_BRACKETS or n in constant(connection) for n in _called(rest))


def _called(sql: str) -> Iterator[str]:
    """Yields whatever stands before an opening bracket and is no sign."""
    text = sql.encode()
    tokens = [t for t in duckdb.tokenize(sql) if t[1] != duckdb.token_type.comment]
    for (at, kind), (end, _) in pairwise(tokens):
        if text[end : end + 1] == b"(" and kind != duckdb.token_type.operator:
            found = _WORD.match(text[at:end].decode())
            yield found[0].lower() if found else ""


def constant(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Returns the engine's functions that are constant. Takes some 60 ms the first time."""
    if not _constant:
        _constant.update(_of_the_engine(connection))
    return _constant


def _of_the_engine(connection: duckdb.DuckDBPyConnection) -> set[str]:
    found = connection.execute(
        "SELECT function_name, stability, macro_definition, function_type "
        "FROM system.main.duckdb_functions() WHERE internal"
    ).fetchall()
    found = [(name.lower(), *rest) for name, *rest in found]
    bodies = {name: body or "" for name, _, body, kind in found if kind == "macro"}
    names = {name for name, _, _, kind in found if kind == "scalar"}
    moving = {name for name, told, _, kind in found if told != "CONSISTENT" and kind != "macro"}
    moving.update(_UNTOLD)
    macros = {
        name
        for name, body in bodies.items()
        if not _MOMENT.search(body)
        and {w.lower() for w in _WORD.findall(body)}.isdisjoint(moving | bodies.keys() | _READING)
    }
    return (names | macros) - moving
