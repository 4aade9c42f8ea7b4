"""Measures -> numbers over a base table, and the tables they can be counted from."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from agent.planner.frame import Condition, IsValue, Number, NumberKind, Ref
from agent.planner.joins import Path
from agent.planner.reading import Aggregate, Measure
from agent.planner.refs import Choice, Scope, Tied, Unresolved, entry_of, is_date
from agent.planner.schema import Field, name_stems, spoken
from agent.planner.semantics import Definition, Metric, Test
from agent.planner.units import SECONDS, Unit, length_unit
from agent.planner.vocabulary import Vocabulary

_ADDITIVE = {"amount", "total", "quantity", "cost", "byte", "sale", "revenue", "visit", "view"}
_ADDITIVE |= {"purchase", "click", "spend", "fee", "stock", "budget"}
_AVERAGED = {"price", "rate", "rating", "satisfaction", "score", "age", "length", "duration"}
_AVERAGED |= {"millisecond", "second", "minute", "salary", "percent", "percentage", "temperature"}
_HEADS = {
    "price": ("price",),
    "length": ("millisecond", "second", "minute", "hour", "duration", "length"),
    "weight": ("weight", "byte"),
    "profit": ("profit", "margin"),
}
DEEPER = 4.0
"""What counting distinct rows over a table below costs, beside counting rows."""


def bases_of(measure: Measure, vocabulary: Vocabulary) -> list[str]:
    """Returns the tables whose rows the measure can be computed over, the natural ones first."""
    item = measure.item
    if measure.aggregate == "metric":
        definitions = (d for m in item.metrics for d in vocabulary.lexicon.metrics[m.name].by)
        return list(dict.fromkeys(d.table for d in definitions))
    if measure.aggregate == "count":
        entry = entry_of(item)
        return vocabulary.graph.bases([entry.table]) if entry else []
    tables = [e.field.table for e in item.columns]
    if not tables and item.tables:
        tables = [t.table for t in item.tables]
    if measure.aggregate == "distinct":
        below = [b for t in tables for b in vocabulary.graph.bases([t])]
        return list(dict.fromkeys([*tables, *below]))
    return list(dict.fromkeys(tables))


def number_of(measure: Measure, scope: Scope) -> tuple[Number, float]:
    """Returns the number over the base of `scope`, and what it costs.

    Raises:
        Unresolved: it cannot be computed there without counting rows twice.
        Tied: it could be a sum or an average, or two columns.
    """
    match measure.aggregate:
        case "metric":
            return _metric(measure, scope)
        case "count":
            return _count(measure, scope)
        case "distinct":
            found = scope.column(measure.item, "filter")
            name = f"number of distinct {spoken(found.ref.field.column)} values"
            return Number(kind="distinct", name=name, ref=found.ref), found.cost
        case _:
            return _column(measure, scope)


def _count(measure: Measure, scope: Scope) -> tuple[Number, float]:
    entry = entry_of(measure.item)
    if entry is None:
        raise Unresolved(measure.item.text)
    number = rows_number(scope.vocabulary, scope.base, entry.table)
    if entry.table == scope.base:
        return number, 0
    return number, DEEPER + (scope.vocabulary.graph.distance(scope.base, entry.table) or 0)


def rows_number(vocabulary: Vocabulary, base: str, table: str) -> Number:
    """Returns the number of rows of `table`, counted over `base` without counting one twice.

    Raises:
        Unresolved: `table` has no key of one column, or is not on one way from `base`.
    """
    name = f"number of {plural(spoken(table))}"
    if base == table:
        return Number(kind="count", name=name)
    paths = vocabulary.graph.paths(base, table)
    keys = vocabulary.table(table).primary_key
    if len(paths) != 1 or len(keys) != 1:
        raise Unresolved(spoken(table))
    return Number(kind="distinct", name=name, ref=Ref(paths[0], Field(table, keys[0])))


def plural(words: str) -> str:
    """Returns the plural of the last word, which may be one already."""
    if words.endswith(("s", "data", "staff", "media")):
        return words
    if words.endswith("y") and words[-2:-1] not in set("aeiou"):
        return words[:-1] + "ies"
    return words + ("es" if words.endswith(("x", "ch", "sh")) else "s")


def _column(measure: Measure, scope: Scope) -> tuple[Number, float]:
    vocabulary = scope.vocabulary
    item = measure.item
    found = scope.column(item, "filter", lambda f: _can(vocabulary, f, measure))
    column = found.ref.field
    aggregate = measure.aggregate
    if aggregate == "default":
        aggregate = default_aggregate(vocabulary, column)
        if aggregate == "default":
            choices = tuple(
                Choice(f"{w} {item.text}", f"{w} {item.text}") for w in ("total", "average")
            )
            raise Tied(item.text, item.start, item.end, choices)
    factor = unit_factor(column, measure.unit)
    if factor is None or aggregate not in {"sum", "avg", "min", "max"}:
        raise Unresolved(item.text)
    words = _DATE_WORDS if is_date(vocabulary, column) else _WORDS
    name = f"{words[aggregate]} {_spoken_column(vocabulary, column)}".strip()
    if measure.unit is not None:
        name += f" in {measure.unit}s"
    elif column.until is not None:
        name += " in days"
    kind = _KINDS[aggregate]
    return Number(kind=kind, name=name, ref=found.ref, factor=1 / factor), found.cost


_WORDS = {"sum": "total", "avg": "average", "min": "lowest", "max": "highest"}
_DATE_WORDS = _WORDS | {"min": "earliest", "max": "latest"}
_KINDS: dict[str, NumberKind] = {"sum": "sum", "avg": "avg", "min": "min", "max": "max"}


def _can(vocabulary: Vocabulary, column: Field, measure: Measure) -> bool:
    if measure.aggregate in {"min", "max"} and is_date(vocabulary, column):
        return True
    return vocabulary.is_measure(column)


def _spoken_column(vocabulary: Vocabulary, column: Field) -> str:
    if column.until is None:
        words = spoken(column.column)
        return words.removeprefix("total ")
    for name, duration in vocabulary.semantics.durations.items():
        if duration.start == f"{column.table}.{column.column}" and duration.end.endswith(
            f".{column.until}"
        ):
            return name
    return f"time from {spoken(column.column)} to {spoken(column.until)}"


def default_aggregate(vocabulary: Vocabulary, column: Field) -> Aggregate:
    """Returns `sum` or `avg` for a column, or `default` when its name does not tell."""
    meaning = vocabulary.semantics.columns.get(f"{column.table}.{column.column}")
    if meaning is not None and meaning.aggregate is not None:
        return "default" if meaning.aggregate == "ask" else meaning.aggregate
    if column.until is not None:
        return "avg"
    stems = set(name_stems(column.column))
    if stems & _AVERAGED:
        return "avg"
    return "sum" if stems & _ADDITIVE else "default"


def unit_factor(column: Field, unit: Unit | None) -> Fraction | None:
    """Returns how many of the column's own units one `unit` is, None when that means nothing."""
    if unit is None:
        return Fraction(1)
    own: Unit | None = "day" if column.until is not None else length_unit(column.column)
    return None if own is None else SECONDS[unit] / SECONDS[own]


def heads_of(vocabulary: Vocabulary, table: str, heads: Sequence[str]) -> list[Field]:
    """Returns the columns of a table an adjective is about: `price` for expensive things."""
    if "size" in heads:
        measure = vocabulary.meaning(table).measure
        return (
            [Field(table, measure)] if measure and vocabulary.table(table).column(measure) else []
        )
    numbers = [
        Field(table, c.name)
        for c in vocabulary.table(table).columns
        if vocabulary.is_measure(Field(table, c.name)) and c.tag is None
    ]
    for word in (w for head in heads for w in _HEADS.get(head, (head,))):
        found = [f for f in numbers if name_stems(f.column)[-1:] == (word,)]
        if found:
            return found
    return heads_of(vocabulary, table, ("size",)) if "price" in heads else []


def _metric(measure: Measure, scope: Scope) -> tuple[Number, float]:
    vocabulary = scope.vocabulary
    found: list[tuple[Number, float]] = []
    for entry in measure.item.metrics:
        metric = vocabulary.lexicon.metrics[entry.name]
        for order, definition in enumerate(metric.by):
            if definition.table == scope.base:
                found.append((_defined(entry.name, metric, definition, scope), order * 0.1))
                break
    if not found:
        raise Unresolved(measure.item.text)
    if len(found) > 1:
        names = tuple(Choice(n.name, n.name) for n, _ in found)
        raise Tied(measure.item.text, measure.item.start, measure.item.end, names)
    return found[0]


def _defined(name: str, metric: Metric, definition: Definition, scope: Scope) -> Number:
    tables = {t for t, _ in definition.columns}
    return Number(
        kind="metric",
        name=name,
        definition=definition,
        aggregate=metric.aggregate_of(definition),
        paths=tuple((t, _one(scope, t)) for t in sorted(tables)),
        where=tuple(_tested(t, scope) for t in definition.where),
        when=tuple(_tested(t, scope) for t in definition.when),
        note=metric.note,
    )


def _one(scope: Scope, table: str) -> Path:
    paths = scope.vocabulary.graph.paths(scope.base, table)
    if len(paths) != 1:
        raise Unresolved(spoken(table))
    return paths[0]


def _tested(test: Test, scope: Scope) -> Condition:
    table, column = test.column.split(".")
    ref = Ref(_one(scope, table), Field(table, column))
    return IsValue(ref=ref, values=test.is_ or test.not_, negated=bool(test.not_))
