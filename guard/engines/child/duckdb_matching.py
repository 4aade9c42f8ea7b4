"""The SELECT of the rows that a plain change in DuckDB seems to name: a guess to be checked.

Cut out of the statement along the engine's own tokens. Nothing rests on it: whoever asks compares
what it gives with what the statement itself then did.
"""

from __future__ import annotations

import duckdb

from guard.engines.child.duckdb_tables import Table


def matching(sql: str, table: Table, cells: str | None = None) -> str | None:
    """Returns a SELECT, each value as text, of the rows that an UPDATE or DELETE seems to name.

    With `cells` it selects these instead. None where it is no plain one of a single table.
    """
    text = sql.encode()
    words = _outer_keywords(text)
    starts = [at for at, _ in words]
    names = [word for _, word in words]
    first_where = starts[names.index("where")] if "where" in names else len(text)
    if names[:1] == ["update"] and "set" in names and "from" not in _sources(names):
        target = text[len("update") + starts[0] : starts[names.index("set")]]
    elif names[:2] == ["delete", "from"] and "using" not in names:
        target = text[len("from") + starts[1] : first_where]
    else:
        return None
    parts = (part.decode().rstrip().rstrip(";") for part in (target, text[first_where:]))
    return f"SELECT {cells or table.texts} FROM" + "\n".join(parts)


def _sources(names: list[str]) -> list[str]:
    """Leaves out the FROM of `IS DISTINCT FROM`."""
    pairs = zip(names, ["", *names], strict=False)
    return [name for name, before in pairs if before != "distinct"]


def _outer_keywords(text: bytes) -> list[tuple[int, str]]:
    """Returns the keywords outside all brackets, each with its place."""
    tokens = duckdb.tokenize(text.decode())
    ends = [at for at, _ in tokens[1:]] + [len(text)]
    found, depth = [], 0
    for (at, kind), end in zip(tokens, ends, strict=True):
        first = text[at : at + 1]
        depth += first in (b"(", b"[", b"{")
        depth -= first in (b")", b"]", b"}")
        if depth == 0 and kind == duckdb.token_type.keyword:
            found.append((at, text[at:end].decode().strip().lower()))
    return found
