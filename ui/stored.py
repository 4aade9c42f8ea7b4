"""What the store keeps of steps, read back: the journal's JSON -> plain values for drawing."""

from __future__ import annotations

import json
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from agent import Answer, Refusal
from store.steps import Step
from store.turns import Turn


class _Kept(BaseModel):
    # A newer version may keep more than this one draws.
    model_config = ConfigDict(extra="ignore", frozen=True)


class Said(_Kept):
    """A step that only says something: the plan."""

    text: str


class ColumnNote(_Kept):
    """One column of a result: how many of its cells are masked, and why."""

    name: str
    masked: int = 0
    reason: str | None = None


class Ran(_Kept):
    """A query that ran: what was sent, by which rule, what came back."""

    sql: str
    rule: str
    reason: str
    columns: tuple[ColumnNote, ...]
    rows: int
    truncated: bool
    limit: int
    elapsed_us: int
    audit: int


class Statement(_Kept):
    """What a query or a proposal was asked with."""

    sql: str = ""
    why: str = ""
    reason: str = ""


class Asked(_Kept):
    """A request that a proposal made."""

    change: int
    state: str
    rows: int


class _Refused(_Kept):
    refused: Refusal


class Tables(_Kept):
    """Which tables were looked at: all of them, or one."""

    class Listed(_Kept):
        """One of all."""

        name: str

    tables: tuple[Listed, ...] = ()
    table: str | None = None
    columns: tuple[dict[str, object], ...] = ()
    unknown: str | None = None


Kept = TypeVar("Kept", bound=BaseModel)


def statement(step: Step) -> Statement:
    """Returns what a step was asked with."""
    return _read(Statement, step.args_json) or Statement()


def arguments(step: Step) -> tuple[tuple[str, object], ...]:
    """Returns what a template was called with, by name."""
    try:
        found = json.loads(step.args_json)
    except ValueError:
        return ()
    return tuple(found.items()) if isinstance(found, dict) else ()


def refusal(step: Step) -> Refusal | None:
    """Returns why a step was refused, or None."""
    found = _read(_Refused, step.result_json)
    return found.refused if found else None


def ran(step: Step) -> Ran | None:
    """Returns what a query gave, or None while it runs and where it was refused."""
    return _read(Ran, step.result_json)


def asked(step: Step) -> Asked | None:
    """Returns the request a proposal made, or None."""
    return _read(Asked, step.result_json)


def said(step: Step) -> str:
    """Returns the text of a step that only says something."""
    found = _read(Said, step.result_json) or _read(Said, step.args_json)
    return found.text if found else ""


def tables(step: Step) -> Tables | None:
    """Returns which tables a step looked at, or None."""
    return _read(Tables, step.result_json)


def answer(turn: Turn) -> Answer | None:
    """Returns how a turn ended, or None while it runs and after an interruption."""
    return _read(Answer, turn.answer_json)


def _read(model: type[Kept], kept: str | None) -> Kept | None:
    if kept is None:
        return None
    try:
        return model.model_validate_json(kept)
    except ValidationError:
        return None  # another kind of step, or one a newer version wrote: nothing to draw
