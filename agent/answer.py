"""What a question gives, as plain values that the store, the page and the command line share."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Status = Literal["answered", "asked_back", "refused", "proposed", "stopped", "failed"]
ChartKind = Literal["bar", "line"]


class _Plain(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Option(_Plain):
    """One way to go on: a button's text and the full question it asks."""

    label: str
    question: str


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
    access_request: str | None = None


class Answer(_Plain):
    """The end of a turn.

    `text` is what is said, drawn without links or markup. `query` names the step whose rows
    answer, `change` the request that was made. `options` are buttons when the agent asks back,
    `suggestions` other questions when it refuses. `interpretation` is how the question was read.
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


class AskBack(_Plain):
    """The model's way to ask the person a question back, with the answers to choose from."""

    question: str
    options: tuple[Option, ...] = ()


class NotAnswerable(_Plain):
    """The model's way to say that it cannot answer, and what it can answer instead."""

    reason: str
    suggestions: tuple[str, ...] = ()
