"""`ratio of A to B`: two numbers side by side and the first divided by the second."""

from __future__ import annotations

from agent.planner.answers import Plan
from agent.planner.compile import compile_number
from agent.planner.frame import Frame
from agent.planner.interpretation import interpret, steps_of
from agent.planner.level import Aliases
from agent.planner.refs import Unresolved
from agent.planner.tagging import Tag
from agent.planner.vocabulary import Vocabulary


def split(tags: tuple[Tag, ...]) -> tuple[tuple[Tag, ...], tuple[Tag, ...]] | None:
    """Returns the tags of both sides, or None when no ratio is asked for.

    A period at the end belongs to both sides.
    """
    start = next((n for n, t in enumerate(tags) if t.op == "ratio"), None)
    if start is None:
        return None
    middle = next((n for n, t in enumerate(tags) if n > start and t.op == "to"), None)
    if middle is None or any(t.op not in {"noise", "which", "be"} for t in tags[:start]):
        raise Unresolved(tags[start].text, "Ask for a ratio as “ratio of ... to ...”.")
    first, second = tags[start + 1 : middle], tags[middle + 1 :]
    periods = tuple(t for t in second if t.period is not None)
    if not any(t.period is not None for t in first):
        first = (*first, *periods)
    head = next((t for t in second if t.tables), None)
    if head is not None and not any(t.tables or t.metrics for t in first):
        first = (*first, head)
    return _counted(first), _counted(second)


def _counted(side: tuple[Tag, ...]) -> tuple[Tag, ...]:
    """Puts "number of" before a side that names rows only."""
    numbers = {"count", "sum", "avg", "min", "max", "howmuch"}
    if any(t.op in numbers or (t.metrics and not t.tables) for t in side) or not side:
        return side
    count = Tag(text="number of", start=side[0].start, end=side[0].start, op="count")
    return (count, *side)


def plan_of(first: Frame, second: Frame, vocabulary: Vocabulary) -> Plan:
    """Returns the plan that divides one number by another.

    Raises:
        Unresolved: a side is not a single number.
    """
    for frame in (first, second):
        if len(frame.numbers) != 1 or frame.groups or frame.transform or frame.order:
            raise Unresolved("ratio", "I can divide one number by another, without groups.")
    aliases = Aliases()
    upper = compile_number(first, vocabulary, aliases)
    lower = compile_number(second, vocabulary, aliases)
    sql = (
        f"SELECT ({upper}) AS first_number,\n  ({lower}) AS second_number,\n"
        f"  1.0 * ({upper}) / NULLIF(({lower}), 0) AS ratio"
    )
    said = [interpret(f, vocabulary).rstrip(".") for f in (first, second)]
    return Plan(
        sql=sql,
        interpretation=f"Ratio of two numbers. First: {said[0]}. Second: {said[1]}.",
        steps=(
            *steps_of(first, vocabulary),
            *steps_of(second, vocabulary),
            "Divide the first number by the second.",
        ),
        assumptions=tuple(dict.fromkeys((*first.assumptions, *second.assumptions))),
    )
