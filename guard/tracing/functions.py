"""Calls that are known to read their arguments and nothing else."""

from __future__ import annotations

from sqlglot import exp

from guard.functions import functions_of

_SPREADING = (
    exp.Explode,
    exp.Flatten,
    exp.GenerateDateArray,
    exp.GenerateTimestampArray,
    exp.SplitToTable,
    exp.Unnest,
)


def is_pure(name: str, dialect: str) -> bool:
    """True for a function of the engine's own that reads its arguments and nothing else."""
    listed = functions_of(dialect)
    called = name.casefold()
    return called in listed.scalar and called not in listed.introspection


def is_spread(called: exp.Expr, dialect: str) -> bool:
    """True for a table function whose rows are made of its arguments alone."""
    if not isinstance(called, exp.Anonymous):
        return isinstance(called, _SPREADING)
    listed = functions_of(dialect)
    name = called.name.casefold()
    return name in listed.tables and name not in listed.introspection
