"""The audit rule: everything recognised in the question must be visible in the statement.

It reads only the tags and the finished text, so it shares no reasoning with the rules that built
it: a part that any of them dropped is found here and the question is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from agent.planner.lexicon import (
    ColumnEntry,
    DateVerb,
    Entry,
    FlagEntry,
    MetricEntry,
    MetricVerb,
    RoleVerb,
    RowsVerb,
    TableEntry,
    ValueEntry,
)
from agent.planner.operators import Op
from agent.planner.schema import Field
from agent.planner.tagging import Tag
from agent.planner.timegrammar import Grain, Period, floor
from agent.planner.vocabulary import Vocabulary
from agent.planner.words import fold, stem

_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_LITERAL = re.compile(r"'((?:[^']|'')*)'")
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")
_FACTORS = tuple(
    Decimal(f) for f in (1, 7, 60, 1_000, 3_600, 24, 60_000, 86_400, 3_600_000, 86_400_000)
)
_GRAINS: tuple[Grain, ...] = ("day", "week", "month", "quarter", "year")
_GRAIN_MARKS: dict[str, tuple[str, ...]] = {
    "day": ("date(", "%Y-%m-%d", "YYYY-MM-DD", "AS day"),
    "week": ("week_start",),
    "month": ("%Y-%m'", "YYYY-MM'"),
    "quarter": ("-Q'", '"Q"Q'),
    "year": ("'%Y'", "'YYYY'"),
    "weekday": ("weekday_name",),
    "hour": ("%H", "HH24", "24"),
}


@dataclass(frozen=True)
class _Text:
    """A statement taken apart: its names, its text literals and its numbers."""

    sql: str
    names: frozenset[str]
    literals: frozenset[str]
    numbers: frozenset[Decimal]

    def has(self, *marks: str) -> bool:
        """True when any of the marks stands in the statement."""
        return any(m in self.sql for m in marks)


def _taken_apart(sql: str) -> _Text:
    literals = [m.replace("''", "'") for m in _LITERAL.findall(sql)]
    bare = _LITERAL.sub("''", sql)
    return _Text(
        sql=sql,
        names=frozenset(n.casefold() for n in _IDENTIFIER.findall(bare)),
        literals=frozenset(literals),
        numbers=frozenset(Decimal(n) for n in _NUMBER.findall(bare)),
    )


def unused_part(tags: Sequence[Tag], sql: str, vocabulary: Vocabulary) -> str | None:
    """Returns the first recognised part that is not in `sql`, or None when all of them are."""
    text = _taken_apart(sql)
    for at, tag in enumerate(tags):
        before = tags[at - 1] if at else None
        if not _shown(tag, before, tags[at + 1 : at + 4], text, vocabulary):
            return tag.text
    return None


def _shown(
    tag: Tag, before: Tag | None, after: Sequence[Tag], text: _Text, vocabulary: Vocabulary
) -> bool:
    """Words whose trace depends on those beside them; all others leave a trace of their own."""
    following = after[0] if after else None
    if before is not None and before.op == "like" and _in_literal(tag.text, text):
        return True
    if before is not None and before.op in _NEGATIONS and tag.metrics:
        return any(t.casefold() in text.names for t in _tables_of(tag, vocabulary))
    if tag.op == "by" and not tag.entries:
        return _names_a_row(after) or text.has("GROUP BY", "PARTITION BY", "LIMIT ", " DESC")
    if tag.op == "each" and following is not None and following.tables and text.has("AVG("):
        return _visible(following, None, text, vocabulary)
    if tag.op == "count" and following is not None and following.op in {"grain", "unit"}:
        return True
    if tag.text.casefold() in {"date", "dates"} and before is not None and before.tables:
        return _visible(before, None, text, vocabulary)
    if tag.op == "distinct" and following is not None and following.tables:
        return True
    return _visible(tag, before, text, vocabulary)


def _in_literal(words: str, text: _Text) -> bool:
    return any(words in literal.replace("!", "") for literal in text.literals)


def _names_a_row(after: Sequence[Tag]) -> bool:
    """True when a condition follows "by", and no group or order."""
    for at, tag in enumerate(after):
        if tag.values or tag.flags or tag.name or tag.literal:
            return True
        if tag.number is not None:
            return at > 0
        if not (tag.tables or tag.columns or tag.op == "noise"):
            return False
    return False


_NEGATIONS = {"without", "no", "never"}


def _tables_of(tag: Tag, vocabulary: Vocabulary) -> set[str]:
    """The tables of a metric: "no sales" is said by its rows that do not exist."""
    metrics = [vocabulary.lexicon.metrics.get(m.name) for m in tag.metrics]
    return {d.table for m in metrics if m is not None for d in m.by}


def _visible(tag: Tag, before: Tag | None, text: _Text, vocabulary: Vocabulary) -> bool:
    if tag.period is not None:
        return _period_visible(tag.period, text)
    if tag.literal is not None:
        return _in_literal(tag.literal, text)
    if tag.part_of is not None:
        wanted = stem(fold(tag.text))
        return any(wanted in fold(literal) for literal in text.literals)
    if tag.name is not None:
        return set(tag.name) <= text.literals
    entries = tag.entries
    if tag.flags and not text.has("GROUP BY"):
        entries = tag.flags
    if any(_entry_visible(e, text, vocabulary) for e in entries):
        return True
    if tag.op is not None:
        return _operator_visible(tag, before, text)
    if tag.number is not None and not tag.entries:
        return _number_visible(tag.number, text)
    return not tag.entries


def _period_visible(period: Period, text: _Text) -> bool:
    """Growth compares whole units, so there a period may begin earlier."""
    grains = _GRAINS if text.has("growth_percent") else ()
    return all(
        day is None
        or day.isoformat() in text.literals
        or any(floor(day, g).isoformat() in text.literals for g in grains)
        for day in (period.start, period.end)
    )


def _number_visible(number: Decimal, text: _Text) -> bool:
    return any(number * f in text.numbers or number / f in text.numbers for f in _FACTORS)


def _column_visible(field: Field, text: _Text) -> bool:
    names = [field.column, *([field.until] if field.until else [])]
    return all(n.casefold() in text.names for n in names)


def _entry_visible(entry: Entry, text: _Text, vocabulary: Vocabulary) -> bool:
    match entry:
        case TableEntry(table, hop):
            if hop is not None:
                return all(n.casefold() in text.names for n in (hop.table, *hop.columns))
            return table.casefold() in text.names or _key_visible(table, text, vocabulary)
        case RowsVerb(table):
            return table.casefold() in text.names
        case ColumnEntry(field) | DateVerb(field):
            return _column_visible(field, text)
        case FlagEntry(field):
            test = rf"\b{re.escape(field.column)}[`\"]? = (?:0|1|TRUE|FALSE)"
            return re.search(test, text.sql) is not None
        case ValueEntry(field, value):
            return value in text.literals and _column_visible(field, text)
        case RoleVerb(hop):
            return all(c.casefold() in text.names for c in hop.columns)
        case MetricEntry(name) | MetricVerb(name):
            return _metric_visible(name, text, vocabulary)


def _key_visible(table: str, text: _Text, vocabulary: Vocabulary) -> bool:
    """A row may be picked or counted by the key that points at it, without its table."""
    hops = (h for t in vocabulary.catalog.tables for h in vocabulary.graph.hops(t.name))
    return any(
        h.target == table
        and h.table.casefold() in text.names
        and all(c.casefold() in text.names for c in h.columns)
        for h in hops
    )


def _metric_visible(name: str, text: _Text, vocabulary: Vocabulary) -> bool:
    metric = vocabulary.lexicon.metrics.get(name)
    if metric is None:
        return False
    return any(
        d.table.casefold() in text.names
        and all(c.casefold() in text.names for _, c in d.columns)
        and all(t.column.split(".")[1].casefold() in text.names for t in d.when)
        for d in metric.by
    )


def _operator_visible(tag: Tag, before: Tag | None, text: _Text) -> bool:
    if tag.op in {"grain", "unit"}:
        counted = before is not None and (
            before.number is not None or before.op in {"prep", "count", "avg"}
        )
        return counted or text.has(*_GRAIN_MARKS.get(tag.argument, ()))
    if tag.op == "cmp":
        return text.has(f" {tag.argument} ")
    if tag.op == "comparative":
        return text.has(f" {tag.argument.partition(':')[2]} ")
    if tag.op == "top" and tag.argument != "rank":
        return text.has(*_END) and _direction_visible(tag, text)
    check = _CHECKS.get(tag.op) if tag.op else None
    if check is None:
        return True
    return check(text) and _direction_visible(tag, text)


_END = ("LIMIT ", "ROW_NUMBER()")
_NOT = ("NOT ", "<>", "IS NULL", "= 0", "= FALSE", "<= 0")


def _any(*marks: str) -> Callable[[_Text], bool]:
    return lambda text: text.has(*marks)


_CHECKS: dict[Op, Callable[[_Text], bool]] = {
    "avg": _any("AVG(", "/ NULLIF(COUNT"),
    "between": _any("BETWEEN"),
    "compare": _any("GROUP BY"),
    "count": _any("COUNT(", "SUM("),
    "distinct": lambda text: text.has("DISTINCT", "GROUP BY") or not text.has("COUNT("),
    "distribution": _any("OVER ()"),
    "each": _any("GROUP BY", "PARTITION BY"),
    "earliest": _any(*_END, "MIN("),
    "extreme": _any(*_END, "MAX(", "MIN("),
    "growth": _any("growth_percent"),
    "howlong": _any("julianday", "date_diff", "extract(", "timestampdiff"),
    "latest": _any(*_END, "MAX("),
    "like": _any("LIKE ", "= "),
    "max": _any("MAX("),
    "min": _any("MIN("),
    "more": _any("LIMIT 1", ">"),
    "most": _any(*_END),
    "never": _any(*_NOT),
    "no": _any(*_NOT),
    "not": _any(*_NOT),
    "null": _any("IS NULL", "IS NOT NULL"),
    "only": _any(" = "),
    "or": _any(" IN (", " OR "),
    "ormore": _any(">="),
    "orless": _any("<="),
    "popular": _any(*_END),
    "ratio": _any(" / "),
    "running": _any("OVER ("),
    "selling": _any(*_END),
    "share": _any("100.0 *"),
    "sort": _any("ORDER BY"),
    "sum": _any("SUM(", "COUNT("),
    "superlative": _any(*_END, "MAX(", "MIN("),
    "times": _any("COUNT("),
    "top": _any(*_END, " DESC"),
    "trend": _any("GROUP BY"),
    "without": _any(*_NOT),
}


def _direction_visible(tag: Tag, text: _Text) -> bool:
    if tag.op not in {"top", "most", "extreme", "selling", "latest", "more", "desc"}:
        return True
    if tag.argument == "asc":
        return True
    return text.has(" DESC", "MAX(", "MIN(", " > ")
