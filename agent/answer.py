"""What a question gives, as plain values that the store, the page and the command line share."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, field_validator

from agent.content import Where
from guard import Need, is_spent
from guard import Refusal as GuardRefusal

Status = Literal["answered", "asked_back", "refused", "proposed", "halted", "stopped", "failed"]
"""`halted`: a budget or rate was used up, so the run ended there."""
ChartKind = Literal["bar", "line"]


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Option(_Plain):
    """One way to go on: a button's text and the full question it asks."""

    label: str
    question: str


def receipt(change: int, *, applied: bool) -> str:
    """Returns what became of a proposal, as a sentence."""
    if applied:
        return f"Applied as request #{change}. Here the policy needs no other person for it."
    return f"Waiting for review as request #{change}. Nothing has changed yet."


class Chart(_Plain):
    """How to draw a result: columns by position, the numbers on `y`."""

    kind: ChartKind
    x: int
    y: int
    title: str


class Refusal(_Plain):
    """Why something did not run; the same facts as the guard's own refusal."""

    rule: str
    reason: str
    part: str | None = None
    alternative: str | None = None
    access_request: Need | None = None

    @classmethod
    def of(cls, refusal: GuardRefusal) -> Refusal:
        """Returns the guard's refusal as it is kept and shown."""
        return cls(
            rule=refusal.rule,
            reason=refusal.reason,
            part=refusal.part,
            alternative=refusal.alternative,
            access_request=refusal.access_request,
        )

    @field_validator("access_request", mode="before")
    @classmethod
    def _older(cls, value: object) -> object:
        # Earlier versions stored a bare name, which asks for nothing.
        return None if isinstance(value, str) else value


class Answer(_Plain):
    """The end of a turn.

    `text` is what is said, drawn without links or markup. `query` names the step whose rows
    answer, `change` the request that was made. `options` are buttons when the agent asks back,
    `suggestions` other questions when it refuses. `interpretation` is how the question was read.
    `notice` says aloud what else was, such as that the chosen model did not answer.
    """

    status: Status
    text: str
    interpretation: str | None = None
    query: str | None = None
    chart: Chart | None = None
    change: int | None = None
    options: tuple[Option, ...] = ()
    suggestions: tuple[str, ...] = ()
    refusal: Refusal | None = None
    notice: str | None = None
    flags: dict[Where, tuple[str, ...]] = {}
    """What in the question or the data reads like orders to the agent, which proposed nothing."""


def rows_said(count: int) -> str:
    """Returns how many rows there are, as a sentence, like `1,200 rows.`."""
    return f"{count:,} {'row' if count == 1 else 'rows'}."


def turned_down(refusal: Refusal, interpretation: str | None = None) -> Answer:
    """Returns the answer that a question ends with after a refusal."""
    halted = is_spent(refusal.rule)
    alternative = f" {refusal.alternative}" if refusal.alternative else ""
    return Answer(
        status="halted" if halted else "refused",
        text=f"{'Halted' if halted else 'Not run'}. {refusal.reason}{alternative}",
        interpretation=interpretation,
        refusal=refusal,
    )


class AskBack(_Plain):
    """The model's way to ask the person a question back, with the answers to choose from."""

    question: str
    options: tuple[Option, ...] = ()


class NotAnswerable(_Plain):
    """The model's way to say that it cannot answer, and what it can answer instead."""

    reason: str
    suggestions: tuple[str, ...] = ()
    off_topic: bool = False
    """True when the question is not about this database at all."""
