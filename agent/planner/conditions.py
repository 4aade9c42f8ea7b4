"""Clauses -> conditions over a base table: filters on the way, rows that must exist, counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from agent.planner.frame import (
    Condition,
    InPeriod,
    IsFlag,
    IsMissing,
    IsNumber,
    IsText,
    IsValue,
    Ref,
)
from agent.planner.numbers import heads_of, unit_factor
from agent.planner.reading import (
    Bound,
    FlagTest,
    KeyTest,
    NameTest,
    NullTest,
    NumberTest,
    PeriodTest,
    Test,
    TextTest,
    ValueTest,
)
from agent.planner.refs import (
    Choice,
    Found,
    Scope,
    Tied,
    Unresolved,
    best,
    masked_reason,
)
from agent.planner.schema import Field, kind_of, name_stems, name_words, spoken
from agent.planner.timegrammar import Period
from agent.planner.vocabulary import Vocabulary

FAR = 3.0
"""What a condition on rows that point here costs, beside one on the way."""


_TOGETHER = "Say “A vs B” for each of the periods, or “from A to B” for all of them together."


@dataclass
class Resolved:
    """Conditions of one query level; `part` are those after "that are", for shares."""

    conditions: list[Condition] = field(default_factory=list)
    part: list[Condition] = field(default_factory=list)
    cost: float = 0
    assumptions: list[str] = field(default_factory=list)

    def add(self, condition: Condition, *, part: bool, cost: float = 0) -> None:
        """Adds a condition unless it is there already."""
        place = self.part if part else self.conditions
        if condition not in place:
            place.append(condition)
        self.cost += cost


def direct(test: Test, scope: Scope) -> tuple[Condition, float]:
    """The condition on a column of the base or on the way from it."""
    match test:
        case ValueTest():
            return _value(test, scope)
        case FlagTest():
            return _flag(test, scope)
        case NumberTest():
            return _number(test, scope)
        case NullTest():
            found = scope.column(test.item, "filter")
            return IsMissing(ref=found.ref, present=test.present), found.cost
        case TextTest():
            return _text(test, scope)
        case KeyTest():
            return _key(test, scope)
        case NameTest() | PeriodTest():
            raise Unresolved(test.text)


def fields_of(test: ValueTest) -> list[Field]:
    """Returns the columns in which every one of the values is stored."""
    shared = [{v.field for v in option} for option in test.options]
    return [v.field for v in test.options[0] if all(v.field in s for s in shared)]


def _values_in(test: ValueTest, column: Field) -> tuple[str, ...]:
    return tuple(dict.fromkeys(v.value for o in test.options for v in o if v.field == column))


def _value(test: ValueTest, scope: Scope) -> tuple[Condition, float]:
    found = [
        Found(f.ref, f.cost + _vagueness(c, test, scope))
        for c in dict.fromkeys(fields_of(test))
        for f in scope.find(c)
    ]
    if test.all_of and not test.negated and (scope.alone or scope.inside):
        raise _either_or_each(test, scope)
    chosen = _best_value(_as_near(found, test, scope), test, scope)
    values = _values_in(test, chosen.ref.field)
    return IsValue(ref=chosen.ref, values=values, negated=test.negated), chosen.cost


def _as_near(found: list[Found], test: ValueTest, scope: Scope) -> list[Found]:
    """Names of rows of two other tables are equally likely, however near the tables are."""
    own = scope.near or scope.base
    near = [f for f in found if f.ref.path and f.ref.field.table in scope.mentioned]
    if near and scope.near is None and any(f.ref.field.table == scope.base for f in found):
        return [Found(f.ref, 0) for f in found if f in near or not f.ref.path]
    names = [
        f
        for f in found
        if f.ref.field in scope.vocabulary.label(f.ref.field.table) and f.ref.field.table != own
    ]
    tables = {f.ref.field.table for f in names}
    lowest = min((f.cost for f in found), default=0)
    if len(tables) < 2 or all(f.cost > lowest for f in names):
        return found
    return [Found(f.ref, lowest) if f in names else f for f in found]


def _vagueness(column: Field, test: ValueTest, scope: Scope) -> float:
    """What makes a column a less likely place of a value than its distance says.

    A title is seldom used to pick among rows of its own table, and a text that is no name of a row
    (a composer) less likely than the name of a row elsewhere (an artist).
    """
    label = column in scope.vocabulary.label(column.table)
    others = any(
        f.table != column.table and f in scope.vocabulary.label(f.table) for f in fields_of(test)
    )
    rare = any(v.rare for option in test.options for v in option if v.field == column)
    if label and others and not scope.titles and column.table == (scope.near or scope.base):
        return 2
    return 5 if rare and not label else 0


def _either_or_each(test: ValueTest, scope: Scope) -> Exception:
    """“Revenue in A and B” may be of both together or of each, “who bought A and B” any or all."""
    either = " or ".join(test.words)
    if scope.inside:
        reason = (
            f"“{' and '.join(test.words)}” can mean all of them or any of them. Say “{either}”."
        )
        return Unresolved(test.text, reason)
    each = " vs ".join(test.words)
    choices = (Choice("both together", either), Choice("each by itself", each))
    return Tied(" and ".join(test.words), test.start, test.end, choices)


def _best_value(found: list[Found], test: ValueTest, scope: Scope) -> Found:
    try:
        return best(found, test.text, test.start, test.end)
    except Tied as tie:
        choices = tuple(_choice(f, test, scope.vocabulary) for f in tie.fields)
        raise Tied(tie.text, tie.start, tie.end, choices) from tie


def _choice(field: Field, test: ValueTest, vocabulary: Vocabulary) -> Choice:
    """`artist Queen` for the name of a row, `customer city Paris` for another column."""
    words = " ".join(name_words(field.table))
    if field not in vocabulary.label(field.table):
        words = f"{words} {spoken(field.column)}"
    return Choice(f"{words} {test.text}", f"{words} {test.text}")


def _flag(test: FlagTest, scope: Scope) -> tuple[Condition, float]:
    found = [(e, f) for e in test.entries for f in scope.find(e.field)]
    chosen = best([f for _, f in found], test.text, 0, 0)
    entry = next(e for e, f in found if f == chosen)
    return IsFlag(ref=chosen.ref, value=entry.value is not test.negated), chosen.cost


def _number(test: NumberTest, scope: Scope) -> tuple[Condition, float]:
    found = _measured(test, scope)
    factor = unit_factor(found.ref.field, test.bound.unit)
    if factor is None:
        raise Unresolved(test.bound.text)
    return IsNumber(ref=found.ref, bound=test.bound, factor=factor), found.cost


def _measured(test: NumberTest, scope: Scope) -> Found:
    vocabulary = scope.vocabulary
    if test.item is not None:
        return scope.column(test.item, "filter", vocabulary.is_measure)
    table = scope.near or scope.base
    fields = heads_of(vocabulary, table, test.heads or ("size",))
    if not fields and not test.heads:
        fields = [f for f in heads_of(vocabulary, table, ("price",)) if _is_price(f)]
    found = [f for column in fields for f in scope.find(column)]
    return best(found, test.bound.text, 0, 0)


def _is_price(column: Field) -> bool:
    """What "products under 20" is about, where the table has no other usual measure."""
    return name_stems(column.column)[-1] == "price"


def _text(test: TextTest, scope: Scope) -> tuple[Condition, float]:
    exact = test.mode == "equals"
    vocabulary = scope.vocabulary

    def textual(column: Field) -> bool:
        return column.until is None and kind_of(vocabulary.column(column)) == "text"

    if test.item is not None:
        found = scope.column(test.item, "lookup" if exact else "filter", textual)
    else:
        label = vocabulary.label(scope.near or scope.base)
        if len(label) != 1:
            raise Unresolved(test.literal)
        if vocabulary.masked(label[0]) and not (exact and vocabulary.looks_up(label[0])):
            raise Unresolved(test.literal, masked_reason(spoken(label[0].column)))
        found = best(scope.find(label[0]), test.literal, 0, 0)
    if exact:
        return IsValue(ref=found.ref, values=(test.literal,), negated=test.negated), found.cost
    condition = IsText(ref=found.ref, mode=test.mode, literal=test.literal, negated=test.negated)
    return condition, found.cost


def _key(test: KeyTest, scope: Scope) -> tuple[Condition, float]:
    path = scope.path(test.table, test.text)
    keys = scope.vocabulary.table(test.table.table).primary_key
    if len(keys) != 1 or not _numeric(scope.vocabulary, test.table.table, keys[0]):
        raise Unresolved(test.text)
    bound = Bound(comparison="<>" if test.negated else "=", number=test.number)
    return IsNumber(ref=Ref(path, Field(test.table.table, keys[0])), bound=bound), len(path)


def _numeric(vocabulary: Vocabulary, table: str, key: str) -> bool:
    return kind_of(vocabulary.column(Field(table, key))) == "number"


def name_conditions(test: NameTest, vocabulary: Vocabulary, first: Ref) -> tuple[Condition, ...]:
    """Returns the two equalities that look a person up."""
    last = Ref(first.path, vocabulary.label(first.field.table)[1])
    return (
        IsValue(ref=first, values=(test.first,)),
        IsValue(ref=last, values=(test.last,)),
    )


def add_periods(tests: Sequence[PeriodTest], scope: Scope, out: Resolved) -> None:
    """Adds the periods, each to its date; those of one date that are apart are alternatives."""
    by_ref: dict[Ref, list[Period]] = {}
    for test in tests:
        found = scope.date(test.fields, test.text)
        by_ref.setdefault(found.ref, []).append(test.period)
        if test.period.assumed:
            out.assumptions.append(test.period.assumed)
    for ref, periods in by_ref.items():
        if len(periods) > 1 and _apart(periods):
            if scope.alone:
                raise Unresolved("", _TOGETHER)
            out.add(InPeriod(ref=ref, periods=tuple(periods)), part=False)
            continue
        if len(periods) > 1 and not _open_pair(periods):
            raise Unresolved("", "Two periods are named for one date. Name one, or compare them.")
        for period in periods:
            out.add(InPeriod(ref=ref, periods=(period,)), part=False)


def _open_pair(periods: Sequence[Period]) -> bool:
    """True for "since A" with "until B"."""
    starts = [p for p in periods if p.start is not None and p.end is None]
    ends = [p for p in periods if p.end is not None and p.start is None]
    return len(periods) == 2 and len(starts) == len(ends) == 1


def _apart(periods: Sequence[Period]) -> bool:
    """True when the periods do not overlap, so that together they are meant one by one."""
    if any(p.start is None or p.end is None for p in periods):
        return False
    ordered = sorted((p.start, p.end) for p in periods if p.start and p.end)
    return all(a[1] <= b[0] for a, b in pairwise(ordered))
