"""Changes that may call somebody's own function where the server's is meant.

PostgreSQL looks a change's names up along the search path, because its text runs as it stands, and
takes the function or operator whose types fit best: `lower(integer)` of a schema before the
server's `lower(text)`. Reads see no schema but the server's own.
https://www.postgresql.org/docs/18/typeconv-func.html
"""

from __future__ import annotations

from collections.abc import Iterator

from guard.catalog import Catalog
from guard.errors import Refusal
from guard.lexical import tokenize, unquoted
from guard.statement import Statement
from guard.survey import Survey


def shadowing_problems(statement: Statement, found: Survey, catalog: Catalog) -> Iterator[Refusal]:
    """Yields what of a change may be somebody's own function or operator."""
    if found.tier != "write" or not catalog.shadowed:
        return
    for name in found.functions:
        if name in catalog.shadowed:
            yield _refusal("function", name)
    signs = sorted(s for s in catalog.shadowed if not (s[:1].isalpha() or s[:1] == "_"))
    if signs:
        text = unquoted(statement.text, tokenize(statement.text, statement.dialect))
        for sign in signs:
            if sign in text:
                yield _refusal("operator", sign)


def _refusal(kind: str, name: str) -> Refusal:
    return Refusal(
        rule=f"{kind}.unknown",
        reason=f"Somebody's own {kind} has the name {name} too, and a change might call that one.",
        part=name,
        fixable=True,
    )
