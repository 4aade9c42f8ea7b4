"""A question -> a plan, a question back, a refusal, or a change to propose."""

from __future__ import annotations

import logging

from agent.planner import audit_rule, cleanup, ratio, refusals, writes
from agent.planner.answers import Answer, AskBack, NotUnderstood, Option, Plan
from agent.planner.compile import compile_frame
from agent.planner.frame import Frame
from agent.planner.interpretation import interpret, steps_of
from agent.planner.reader import Rule, read
from agent.planner.reading import Unread
from agent.planner.refs import Tied, Unresolved
from agent.planner.resolve import resolve
from agent.planner.rules_bounds import bounded, column_test, comparative, missing
from agent.planner.rules_clause import connect, table, verb
from agent.planner.rules_duration import duration
from agent.planner.rules_group import calendar, group, target_column, which
from agent.planner.rules_measure import measure, transform, unit_behind
from agent.planner.rules_rank import more, number_first, rank, sort
from agent.planner.rules_tests import (
    flag,
    keyed,
    like,
    literal_value,
    part_of_name,
    period,
    person,
    value,
)
from agent.planner.tagging import Tag, tags_of
from agent.planner.vocabulary import Vocabulary

_LOG = logging.getLogger(__name__)

RULES: tuple[Rule, ...] = (
    period,
    sort,
    duration,
    unit_behind,
    keyed,
    transform,
    verb,
    rank,
    number_first,
    more,
    group,
    comparative,
    bounded,
    column_test,
    measure,
    calendar,
    missing,
    like,
    table,
    target_column,
    value,
    flag,
    person,
    literal_value,
    part_of_name,
    which,
    connect,
)


def plan(question: str, vocabulary: Vocabulary) -> Answer:
    """Returns what the question stands for; never raises, whatever the text.

    A `Plan` is given only when every word was understood and everything understood is in the
    statement.
    """
    try:
        return read_question(question, vocabulary)
    except Exception as error:
        # A fault in a rule is a no. The question itself may hold personal data and is not logged.
        _LOG.error("planning failed with %s", type(error).__name__)
        return refusals.faulty(vocabulary)


def read_question(question: str, vocabulary: Vocabulary) -> Answer:
    """Returns what `plan` returns, but lets a fault in a rule be seen. For tests."""
    return _plan(question, vocabulary, ask=True)


def _plan(question: str, vocabulary: Vocabulary, *, ask: bool) -> Answer:
    early = refusals.early(question, vocabulary) or writes.write(question, vocabulary)
    if early is not None:
        return early
    rest = cleanup.rest_of(question)
    tags = tags_of(question if rest is None else rest, vocabulary)
    unknown = tuple(t.text for t in tags if not t.known)
    if unknown or not tags:
        return refusals.unknown_words(tags, unknown, vocabulary)
    try:
        pair = ratio.split(tags)
        if pair is not None and rest is None:
            return _ratio(tags, pair, vocabulary)
        frame = resolve(read(tags, vocabulary, RULES), vocabulary)
        if rest is not None:
            return _cleaned(tags, frame, vocabulary)
    except Unread as error:
        return refusals.unused(tags, error.part, error.reason, vocabulary)
    except Unresolved as error:
        return refusals.unused(tags, error.part, error.reason, vocabulary)
    except Tied as tie:
        if rest is not None:
            return refusals.tied(tags, tie, vocabulary)
        return _ask(question, tags, tie, vocabulary) if ask else _still_tied(tags, vocabulary)
    compiled = compile_frame(frame, vocabulary)
    answer = Plan(
        sql=compiled.sql,
        interpretation=interpret(frame, vocabulary),
        steps=steps_of(frame, vocabulary),
        assumptions=frame.assumptions,
        chart=compiled.chart,
    )
    return _audited(tags, answer, vocabulary)


def _cleaned(tags: tuple[Tag, ...], frame: Frame, vocabulary: Vocabulary) -> Answer:
    """The rows that a question lists, as a change; every word of it must be in the statement."""
    request = cleanup.delete(frame, vocabulary)
    listed = compile_frame(frame, vocabulary).sql
    part = audit_rule.unused_part(tags, listed, vocabulary)
    if part is not None:
        return refusals.unused(tags, part, "", vocabulary)
    return request or refusals.unused(tags, "", writes.WIDE, vocabulary)


def _audited(tags: tuple[Tag, ...], answer: Plan, vocabulary: Vocabulary) -> Answer:
    part = audit_rule.unused_part(tags, answer.sql, vocabulary)
    return answer if part is None else refusals.unused(tags, part, "", vocabulary)


def _ratio(
    tags: tuple[Tag, ...], pair: tuple[tuple[Tag, ...], tuple[Tag, ...]], vocabulary: Vocabulary
) -> Answer:
    """Two numbers, each read and resolved by itself."""
    first, second = (resolve(read(side, vocabulary, RULES), vocabulary) for side in pair)
    return _audited(tags, ratio.plan_of(first, second, vocabulary), vocabulary)


def _ask(question: str, tags: tuple[Tag, ...], tie: Tied, vocabulary: Vocabulary) -> Answer:
    """A question back, with the options that plan without a further one."""
    options: list[Option] = []
    for choice in tie.choices:
        text = f"{question[: tie.start]}{choice.replacement}{question[tie.end :]}"
        if isinstance(_plan(text, vocabulary, ask=False), Plan):
            options.append(Option(label=choice.label, question=text))
    if len(options) < 2:
        return refusals.tied(tags, tie, vocabulary)
    return AskBack(
        understood=refusals.understood(tags),
        question=f"“{tie.text}” can mean several things. Which do you mean?",
        options=tuple(options),
    )


def _still_tied(tags: tuple[Tag, ...], vocabulary: Vocabulary) -> NotUnderstood:
    return refusals.unused(tags, "", "This can be read in several ways.", vocabulary)
