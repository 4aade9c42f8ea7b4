"""What planning a question gives: a plan, a question back, a refusal or a change to propose.

A closed union; match it with `assert_never`. All of it is plain text: nothing here has touched a
source.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class ChartHint:
    """Which result columns make a useful picture. `x` and `y` are column names of the result."""

    kind: Literal["line", "bar"]
    x: str
    y: str
    series: str | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One SELECT and how the question was read.

    `interpretation` names everything that is in `sql`; print it beside the answer. `assumptions`
    are the choices the question left open.
    """

    sql: str
    interpretation: str
    steps: tuple[str, ...]
    assumptions: tuple[str, ...] = ()
    chart: ChartHint | None = None


@dataclass(frozen=True, kw_only=True)
class Option:
    """One way out of a tie: `question` is a whole question that plans without asking again."""

    label: str
    question: str


@dataclass(frozen=True, kw_only=True)
class AskBack:
    """Two or more readings are equally good; the person chooses one of the options."""

    understood: str
    question: str
    options: tuple[Option, ...]


@dataclass(frozen=True, kw_only=True)
class NotUnderstood:
    """The question is not answered. `unknown` are the words that matched nothing.

    `reason` is a sentence for the person; `suggestions` are whole questions or words to try.
    """

    understood: str
    unknown: tuple[str, ...]
    reason: str
    suggestions: tuple[str, ...] = ()
    off_topic: bool = False
    """True when not one word of it names anything of this source."""


@dataclass(frozen=True, kw_only=True)
class WriteRequest:
    """A change asked for in words, by primary key. It is proposed, never run from here."""

    sql: str
    interpretation: str


Answer = Plan | AskBack | NotUnderstood | WriteRequest
