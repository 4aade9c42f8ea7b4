"""What the rows of a new source say about its numbers and keys, for proposing what words mean.

Like `guard.sampling`, this runs once, while an operator connects a database. Only counts and the
ends of ranges are read, and nothing of them is shown: they decide what is proposed.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from sqlglot import exp

from audit import AuditLog
from guard.catalog import Catalog
from guard.engines.base import Engine
from guard.errors import GuardError
from guard.limitpolicy import Limits
from guard.sampling import read_once
from guard.values import Place

MOST = 60
"""Columns and keys looked at; a schema with more guesses is proposed less."""
_LIMITS = Limits(display_rows=10, timeout_seconds=15)

Key = tuple[Place, Place]
"""A column, and the column whose values it may hold."""


def fractions(
    engine: Engine, catalog: Catalog, log: AuditLog, columns: Sequence[Place]
) -> frozenset[Place]:
    """Returns which columns hold a number between 0 and 1 in every row, of which there is one.

    What cannot be looked at in time is left out.

    Raises:
        audit.AuditError: the trail cannot be written, so nothing was read.
    """
    found = (c for c in columns[:MOST] if _is_fraction(engine, catalog, log, c))
    return frozenset(found)


def contained(
    engine: Engine, catalog: Catalog, log: AuditLog, keys: Sequence[Key]
) -> frozenset[Key]:
    """Returns the keys all of whose values stand in the column they may point at.

    Raises:
        audit.AuditError: as for `fractions`.
    """
    return frozenset(k for k in keys[:MOST] if _is_contained(engine, catalog, log, k))


def _is_fraction(engine: Engine, catalog: Catalog, log: AuditLog, place: Place) -> bool:
    table, name = place
    column = exp.column(name, quoted=True)
    missing = exp.Sub(this=exp.Count(this=exp.Star()), expression=exp.Count(this=column.copy()))
    query = exp.select(
        exp.Min(this=column).as_("low"), exp.Max(this=column.copy()).as_("high"), missing.as_("n")
    ).from_(exp.table_(table, quoted=True))
    row = _row(engine, catalog, log, query, "look at the range of a column")
    if len(row) != 3 or not all(isinstance(v, int | float | Decimal) for v in row[:2]):
        return False
    low, high, holes = row
    return bool(low >= 0 and high <= 1 and holes == 0)  # type: ignore[operator]  # numbers, as asked above


def _is_contained(engine: Engine, catalog: Catalog, log: AuditLog, key: Key) -> bool:
    (table, name), (target, referred) = key
    own, other = exp.column(name, "a", quoted=True), exp.column(referred, "b", quoted=True)
    query = (
        exp.select(exp.Count(this=own.copy()).as_("n"), exp.Count(this=other.copy()).as_("found"))
        .from_(exp.table_(table, quoted=True).as_("a"))
        .join(
            exp.table_(target, quoted=True).as_("b"),
            on=exp.EQ(this=own, expression=other),
            join_type="LEFT",
        )
    )
    row = _row(engine, catalog, log, query, "look for the values of a column in another")
    return len(row) == 2 and isinstance(row[0], int) and 0 < row[0] == row[1]


def _row(
    engine: Engine, catalog: Catalog, log: AuditLog, query: exp.Select, what: str
) -> tuple[object, ...]:
    """The one row, empty where it could not be read; what failed stands in the trail."""
    try:
        sql = query.sql(dialect=catalog.dialect)
        rows = read_once(engine, catalog, log, sql, _LIMITS, what)
    except GuardError:
        return ()
    return tuple(c.to_pylist()[0] for c in rows.columns) if rows.num_rows == 1 else ()
