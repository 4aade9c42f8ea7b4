"""Units of time, and columns of lengths of time."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal, get_args

Unit = Literal["millisecond", "second", "minute", "hour", "day", "week"]
UNITS: dict[str, Unit] = {u: u for u in get_args(Unit)}
SECONDS: dict[Unit, Fraction] = {
    "millisecond": Fraction(1, 1_000),
    "second": Fraction(1),
    "minute": Fraction(60),
    "hour": Fraction(3_600),
    "day": Fraction(86_400),
    "week": Fraction(604_800),
}


def length_unit(column: str) -> Unit | None:
    """Returns the unit a column of lengths of time is in, from its name."""
    name = column.casefold()
    for unit in ("millisecond", "second", "minute", "hour"):
        if name.rstrip("s").endswith(unit):
            return UNITS[unit]
    return "millisecond" if name.endswith("_ms") else None
