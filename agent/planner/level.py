"""One level of a statement: its base, its joins, and conditions as text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import assert_never

from agent.planner.dialects import RESERVED, Sql
from agent.planner.frame import (
    Condition,
    Counted,
    Exists,
    InPeriod,
    IsFlag,
    IsMissing,
    IsNumber,
    IsText,
    IsValue,
    Linked,
    Number,
    Ref,
    Sub,
)
from agent.planner.joins import Path
from agent.planner.reading import Bound
from agent.planner.schema import name_words
from agent.planner.vocabulary import Vocabulary


class Aliases:
    """Short names for tables, each given once in a statement."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def new(self, table: str) -> str:
        """Returns the initials of a table's words, with a number where they are taken."""
        initials = "".join(w[0] for w in name_words(table) if w[0].isalpha()) or "t"
        alias, count = initials, 1
        while alias in self._taken or alias in RESERVED:
            count += 1
            alias = f"{initials}{count}"
        self._taken.add(alias)
        return alias


class Level:
    """A SELECT in the making: tables are joined when a column of them is first used."""

    def __init__(self, base: str, vocabulary: Vocabulary, aliases: Aliases) -> None:
        self.vocabulary = vocabulary
        self.sql = Sql(vocabulary.dialect)
        self.aliases = aliases
        self._names: dict[Path, str] = {(): aliases.new(base)}
        self._joins: list[str] = [f"{self.sql.name(base)} AS {self._names[()]}"]
        self.counts: dict[int, str] = {}
        """The column of each joined count, by the identity of its condition."""

    def alias(self, path: Path, *, left: bool = False) -> str:
        """Returns the alias of the table at a path, joining what is on the way."""
        if path not in self._names:
            hop = path[-1]
            owner = self.alias(path[:-1], left=left)
            alias = self.aliases.new(hop.target)
            self._names[path] = alias
            pairs = zip(hop.references, hop.columns, strict=True)
            on = " AND ".join(
                f"{alias}.{self.sql.name(r)} = {owner}.{self.sql.name(c)}" for r, c in pairs
            )
            word = "LEFT JOIN" if left else "JOIN"
            self._joins.append(f"{word} {self.sql.name(hop.target)} AS {alias} ON {on}")
        return self._names[path]

    def source(self) -> str:
        """Returns the FROM clause with all joins so far."""
        return "FROM " + "\n  ".join(self._joins)

    def column(self, ref: Ref) -> str:
        """Returns a column, or the days of a duration."""
        alias = self.alias(ref.path)
        start = f"{alias}.{self.sql.name(ref.field.column)}"
        if ref.field.until is None:
            return start
        return self.sql.days(start, f"{alias}.{self.sql.name(ref.field.until)}")

    def _tested(self, ref: Ref) -> str:
        """A column to compare: the key at hand instead of the same key one join further."""
        if ref.path and ref.path[-1].references == (ref.field.column,):
            hop = ref.path[-1]
            return f"{self.alias(ref.path[:-1])}.{self.sql.name(hop.columns[0])}"
        return self.column(ref)

    def where(self, conditions: Iterable[Condition]) -> list[str]:
        """Returns the conditions as text, each fit to stand beside AND."""
        texts = [self.condition(c) for c in conditions]
        return list(dict.fromkeys(t for t in texts if t))

    def condition(self, condition: Condition, *, optional: bool = False) -> str:
        """Returns one condition as text; `optional` when rows that fail it must stay."""
        match condition:
            case IsValue():
                return self._value(condition)
            case IsFlag():
                declared = self.vocabulary.column(condition.ref.field).type.casefold()
                return self.sql.flag(
                    self.column(condition.ref), value=condition.value, integer="int" in declared
                )
            case IsNumber():
                column = self._tested(condition.ref)
                return self.bound(column, condition.bound, condition.factor)
            case IsMissing():
                word = "IS NOT NULL" if condition.present else "IS NULL"
                return f"{self._tested(condition.ref)} {word}"
            case IsText():
                column = self.column(condition.ref)
                return self.sql.like(
                    column, condition.mode, condition.literal, negated=condition.negated
                )
            case InPeriod():
                return self._periods(condition)
            case Linked():
                self.alias(condition.path)
                return ""
            case Exists():
                return self._exists(condition)
            case Counted():
                return self._counted(condition, optional=optional)
            case _:
                assert_never(condition)

    def _value(self, condition: IsValue) -> str:
        column = self.column(condition.ref)
        values = [self.sql.text(v) for v in condition.values]
        if len(values) == 1:
            return f"{column} {'<>' if condition.negated else '='} {values[0]}"
        return f"{column} {'NOT IN' if condition.negated else 'IN'} ({', '.join(values)})"

    def bound(self, column: str, bound: Bound, factor: Fraction = Fraction(1)) -> str:
        """Returns the comparison of an expression with a bound."""
        low = self.sql.number(_times(bound.number, factor))
        if bound.high is not None:
            high = self.sql.number(_times(bound.high, factor))
            return f"{column} BETWEEN {low} AND {high}"
        return f"{column} {bound.comparison} {low}"

    def _periods(self, condition: InPeriod) -> str:
        column = self.column(condition.ref)
        ranges = []
        for period in condition.periods:
            ends = [f"{column} >= {self.sql.day(period.start)}"] if period.start else []
            ends += [f"{column} < {self.sql.day(period.end)}"] if period.end else []
            ranges.append(" AND ".join(ends))
        if len(ranges) == 1:
            return ranges[0]
        return "(" + " OR ".join(f"({r})" for r in ranges) + ")"

    def _inner(self, sub: Sub) -> tuple[Level, list[str], list[str]]:
        """The level of a sub-query, the columns it is joined by, and those of this level."""
        level = Level(sub.base, self.vocabulary, self.aliases)
        hop = sub.link[-1]
        own = level.alias(sub.link[:-1])
        outer = self.alias(sub.anchor)
        keys = [f"{own}.{self.sql.name(c)}" for c in hop.columns]
        return level, keys, [f"{outer}.{self.sql.name(r)}" for r in hop.references]

    def _exists(self, condition: Exists) -> str:
        level, keys, outer = self._inner(condition.sub)
        near = self.vocabulary.graph.paths(condition.sub.base, condition.sub.about)
        if len(near) == 1:
            level.alias(near[0])
        tests = [f"{a} = {b}" for a, b in zip(keys, outer, strict=True)]
        tests += level.where(condition.sub.conditions)
        word = "NOT EXISTS" if condition.negated else "EXISTS"
        return f"{word} (SELECT 1 {flat(level.source())} WHERE {' AND '.join(tests)})"

    def _counted(self, condition: Counted, *, optional: bool) -> str:
        zero = optional or holds_for_zero(condition.bound)
        column = self.counts.get(id(condition)) or self._join_count(condition, left=zero)
        value = f"COALESCE({column}, 0)" if zero else column
        return self.bound(value, condition.bound)

    def _join_count(self, condition: Counted, *, left: bool) -> str:
        level, keys, outer = self._inner(condition.sub)
        tests = level.where(condition.sub.conditions)
        number = level.number(condition.number)
        alias = self.aliases.new("counted rows")
        names = [f"key_{n}" for n in range(1, len(keys) + 1)]
        shown = ", ".join(f"{k} AS {n}" for k, n in zip(keys, names, strict=True))
        where = f" WHERE {' AND '.join(tests)}" if tests else ""
        inner = (
            f"SELECT {shown}, {number} AS total {flat(level.source())}{where}"
            f" GROUP BY {', '.join(keys)}"
        )
        on = " AND ".join(f"{alias}.{n} = {o}" for n, o in zip(names, outer, strict=True))
        self._joins.append(f"{'LEFT JOIN' if left else 'JOIN'} ({inner}) AS {alias} ON {on}")
        self.counts[id(condition)] = f"{alias}.total"
        return f"{alias}.total"

    def number(self, number: Number, only: Iterable[Condition] = ()) -> str:
        """Returns the aggregate of a number, over the rows that meet `only`."""
        tests = [self.condition(c, optional=True) for c in only]
        when = " AND ".join(t for t in tests if t)
        if number.kind == "count":
            return f"SUM(CASE WHEN {when} THEN 1 ELSE 0 END)" if when else "COUNT(*)"
        if number.kind == "metric" and number.aggregate in {"share", "count"}:
            return self._rate(number, when)
        value = self._value_of(number)
        value = f"CASE WHEN {when} THEN {value} END" if when else value
        if number.kind == "distinct" or number.aggregate == "distinct":
            return f"COUNT(DISTINCT {value})"
        function = (number.aggregate if number.kind == "metric" else number.kind).upper()
        return f"{function}({value})"

    def _rate(self, number: Number, when: str) -> str:
        tests = " AND ".join(t for t in (*self.where(number.when), when) if t)
        hits = f"SUM(CASE WHEN {tests} THEN 1 ELSE 0 END)" if tests else "COUNT(*)"
        return hits if number.aggregate == "count" else f"100.0 * {hits} / NULLIF(COUNT(*), 0)"

    def _value_of(self, number: Number) -> str:
        if number.definition is not None:
            paths = dict(number.paths)
            spell = {
                (t, c): f"{self.alias(paths[t])}.{self.sql.name(c)}"
                for t, c in number.definition.columns
            }
            return number.definition.expression(spell)
        if number.ref is None:
            return "*"
        if number.kind == "distinct":
            return self._tested(number.ref)
        value = self.column(number.ref)
        if number.factor == 1:
            return value
        sign, by = ("/", 1 / number.factor) if number.factor < 1 else ("*", number.factor)
        return f"{value} {sign} {float(by)}"


def holds_for_zero(bound: Bound) -> bool:
    """Returns True when rows without anything to count meet the bound."""
    if bound.high is not None:
        return bound.number <= 0
    return {
        "=": bound.number == 0,
        "<>": bound.number != 0,
        ">": bound.number < 0,
        ">=": bound.number <= 0,
        "<": bound.number > 0,
        "<=": bound.number >= 0,
    }[bound.comparison]


def flat(text: str) -> str:
    """Returns a statement on one line; text literals hold no line breaks."""
    return re.sub(r"\n *", " ", text)


def _times(number: Decimal, factor: Fraction) -> Decimal:
    exact = number * factor.numerator / factor.denominator
    return exact if factor.denominator == 1 else exact.quantize(Decimal("1e-9"))
