"""`clean up the test records of last month`: rows that a listing names, as one DELETE to propose.

The rest of the question is read like any other; only what lists the rows of one table, by
conditions on its own columns, becomes a change. A whole table is never cleaned up.
"""

from __future__ import annotations

from agent.planner.answers import WriteRequest
from agent.planner.frame import (
    Condition,
    Frame,
    InPeriod,
    IsFlag,
    IsMissing,
    IsNumber,
    IsText,
    IsValue,
)
from agent.planner.interpretation import interpret
from agent.planner.level import Aliases, Level
from agent.planner.vocabulary import Vocabulary
from agent.planner.words import words_of

_VERBS = {("clean", "up"), ("clear", "out"), ("tidy", "up")}
_POLITE = {"please", "can", "could", "you", "would", "kindly", "now", "just"}


class _Own(Aliases):
    """Every table under its own name: a DELETE has no short names."""

    def new(self, table: str) -> str:
        """Returns the table's name."""
        return table


def rest_of(question: str) -> str | None:
    """Returns what is to be cleaned up, in words, or None where the question asks for no such."""
    words = [w for w in words_of(question) if w.kind != "mark"]
    while words and words[0].norm in _POLITE:
        words = words[1:]
    if len(words) < 3 or (words[0].norm, words[1].norm) not in _VERBS:
        return None
    return question[words[1].end :].strip()


def delete(frame: Frame, vocabulary: Vocabulary) -> WriteRequest | None:
    """Returns the DELETE of exactly the rows that the frame lists, None where that is no delete."""
    plain = Frame(base=frame.base, conditions=frame.conditions)
    only_rows = not (frame.numbers or frame.groups or frame.having or frame.part or frame.order)
    if not only_rows or frame.transform or frame.distinct or frame.left_join:
        return None
    if not frame.conditions or not all(_is_own(c, frame.base) for c in plain.conditions):
        return None
    level = Level(frame.base, vocabulary, _Own())
    where = level.where(plain.conditions)
    if len(where) < len(frame.conditions):
        return None
    table = level.sql.name(frame.base)
    text = f"DELETE FROM {table}\nWHERE " + "\n  AND ".join(where)  # noqa: S608 - spelled by Sql, and proposed only
    listed, _, conditions = interpret(frame, vocabulary).partition("; ")
    which = listed.partition(" (")[0]
    said = f"Delete the {which[:1].lower()}{which[1:]} {conditions}"
    return WriteRequest(sql=text, interpretation=said)


def _is_own(condition: Condition, base: str) -> bool:
    if not isinstance(condition, IsValue | IsFlag | IsNumber | IsMissing | IsText | InPeriod):
        return False
    ref = condition.ref
    return ref.path == () and ref.field.table == base and ref.field.until is None
