"""The SQL spellings that differ between engines: names, literals, dates, parts of text."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal

from agent.planner.reading import TextMode
from agent.planner.timegrammar import Grain
from agent.planner.vocabulary import Dialect

_WORDS = """
    all alter and any as asc at between both by case cast check collate column constraint create
    cross current date default delete desc distinct do drop else end escape except exists false
    fetch for foreign from full glob grant group having if in index inner insert intersect
    interval into is isnull join key left like limit match natural no not notnull null of offset
    on or order outer over partition primary qualify range rank references returning right row
    rows select set some table then time timestamp to true union unique update user using values
    view when where window with year month day hour
"""
RESERVED = frozenset(_WORDS.split())
_SIMPLE = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
_LOWER = re.compile(r"^[a-z_][a-z0-9_]*$")
_FORMATS = {"month": "%Y-%m", "year": "%Y", "hour": "%H", "weekday": "%w", "day": "%Y-%m-%d"}
_TO_CHAR = {"month": "YYYY-MM", "year": "YYYY", "hour": "HH24", "day": "YYYY-MM-DD"}
_STEPS = {
    "day": "1 day",
    "week": "7 day",
    "month": "1 month",
    "quarter": "3 month",
    "year": "1 year",
}


class Sql:
    """Spells parts of a statement for one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect

    def name(self, identifier: str) -> str:
        """Returns an identifier, quoted only where it must be."""
        plain = _LOWER if self.dialect == "postgres" else _SIMPLE
        if plain.match(identifier) and identifier.casefold() not in RESERVED:
            return identifier
        quote = "`" if self.dialect == "mysql" else '"'
        return quote + identifier.replace(quote, quote * 2) + quote

    def text(self, value: str) -> str:
        """Returns a text literal."""
        escaped = value.replace("'", "''")
        if self.dialect == "mysql":
            escaped = escaped.replace("\\", "\\\\")
        return f"'{escaped}'"

    def number(self, value: Decimal) -> str:
        """Returns a number literal without exponent or needless zeros."""
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text

    def day(self, value: dt.date) -> str:
        """Returns a date literal that compares with dates and with moments."""
        literal = f"'{value.isoformat()}'"
        return literal if self.dialect in {"sqlite", "mysql"} else f"DATE {literal}"

    def flag(self, column: str, *, value: bool, integer: bool = False) -> str:
        """Returns the test of a boolean column, or of an integer that stands for one."""
        if integer or self.dialect in {"sqlite", "mysql"}:
            return f"{column} = {int(value)}"
        return f"{column} = {'TRUE' if value else 'FALSE'}"

    def like(self, column: str, mode: TextMode, literal: str, *, negated: bool) -> str:
        """Returns the test that a part of a text is there, in any case."""
        special = any(c in literal for c in "%_!")
        safe = re.sub(r"([%_!])", r"!\1", literal)
        pattern = {"contains": f"%{safe}%", "starts": f"{safe}%", "ends": f"%{safe}"}.get(
            mode, safe
        )
        word = "LIKE" if self.dialect in {"sqlite", "mysql"} else "ILIKE"
        escape = " ESCAPE '!'" if special else ""
        return f"{column} {'NOT ' if negated else ''}{word} {self.text(pattern)}{escape}"

    def label(self, column: str, grain: Grain) -> str:
        """Returns the name of the calendar unit a date lies in: `2026-06`, `2026-Q2`."""
        if grain == "week":
            return self.floor(column, "week")
        if grain == "quarter":
            return self._quarter(column)
        if self.dialect == "sqlite":
            return (
                f"date({column})" if grain == "day" else f"strftime('{_FORMATS[grain]}', {column})"
            )
        if self.dialect == "duckdb":
            return f"strftime({column}, '{_FORMATS[grain]}')"
        if self.dialect == "mysql":
            return f"date_format({column}, '{_FORMATS[grain]}')"
        if grain == "weekday":
            return f"CAST(extract(dow FROM {column}) AS VARCHAR)"
        return f"to_char({column}, '{_TO_CHAR[grain]}')"

    def _quarter(self, column: str) -> str:
        if self.dialect == "sqlite":
            month = f"CAST(strftime('%m', {column}) AS INTEGER)"
            return f"strftime('%Y', {column}) || '-Q' || (({month} + 2) / 3)"
        if self.dialect == "mysql":
            return f"concat(year({column}), '-Q', quarter({column}))"
        if self.dialect == "postgres":
            return f"to_char({column}, 'YYYY-\"Q\"Q')"
        return f"strftime({column}, '%Y') || '-Q' || CAST(quarter({column}) AS VARCHAR)"

    def week_number(self, column: str) -> str | None:
        """Returns the number of the week, as `2026-25`, where the engine has one."""
        if self.dialect == "sqlite":
            return f"strftime('%Y-%W', {self.floor(column, 'week')})"
        return None

    def floor(self, column: str, grain: Grain) -> str:
        """Returns the first day of the calendar unit a date lies in, as a date."""
        if self.dialect == "sqlite":
            return self._sqlite_floor(column, grain)
        if self.dialect == "mysql":
            return self._mysql_floor(column, grain)
        return f"CAST(date_trunc('{grain}', {column}) AS DATE)"

    def _sqlite_floor(self, column: str, grain: Grain) -> str:
        if grain == "quarter":
            back = f"(CAST(strftime('%m', {column}) AS INTEGER) - 1) % 3"
            return f"date({column}, 'start of month', '-' || ({back}) || ' months')"
        steps = {"week": ", 'weekday 0', '-6 days'", "day": ""}
        return f"date({column}{steps.get(grain, f', {chr(39)}start of {grain}{chr(39)}')})"

    def _mysql_floor(self, column: str, grain: Grain) -> str:
        if grain == "week":
            return f"date({column}) - INTERVAL weekday({column}) DAY"
        if grain == "quarter":
            return f"makedate(year({column}), 1) + INTERVAL (quarter({column}) - 1) QUARTER"
        formats = {"month": "%Y-%m-01", "year": "%Y-01-01"}
        return f"date(date_format({column}, '{formats.get(grain, '%Y-%m-%d')}'))"

    def before(self, start: str, grain: Grain) -> str:
        """Returns the first day of the unit before the one that begins at `start`."""
        step = _STEPS[grain]
        if self.dialect == "sqlite":
            return f"date({start}, '-{step}')"
        count, unit = step.split()
        interval = f"INTERVAL {count} {unit.upper()}"
        if self.dialect == "postgres":
            interval = f"INTERVAL '{step}'"
        return f"CAST({start} - {interval} AS DATE)"

    def days(self, start: str, end: str) -> str:
        """Returns the days from one moment to another, with fractions."""
        if self.dialect == "sqlite":
            return f"(julianday({end}) - julianday({start}))"
        if self.dialect == "duckdb":
            return f"(date_diff('second', {start}, {end}) / 86400.0)"
        if self.dialect == "mysql":
            return f"(timestampdiff(SECOND, {start}, {end}) / 86400.0)"
        # Two dates differ by a whole number, two moments by an interval.
        span = f"CAST({end} AS TIMESTAMP) - CAST({start} AS TIMESTAMP)"
        return f"(extract(epoch FROM ({span})) / 86400.0)"
