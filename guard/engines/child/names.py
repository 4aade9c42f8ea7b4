"""How the embedded engines compare names: without case in ASCII, exactly otherwise."""

from __future__ import annotations

import string

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def fold(name: str) -> str:
    """Returns the name as SQLite and DuckDB compare it. `É` and `é` are two names for both."""
    return name.translate(_LOWER)


def quoted(name: str) -> str:
    """Returns the name as an identifier that cannot end early."""
    return '"' + name.replace('"', '""') + '"'
