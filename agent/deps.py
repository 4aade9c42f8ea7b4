"""What the tools of one turn work with. It holds a gate and no credential."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.answer import Chart, Refusal
from agent.journal import Journal
from guard import Caller, Cancel, Gate, SourceView

MAX_REPAIRS = 2
"""Statements that may be mended in one turn after a mistake that another statement can avoid."""


@dataclass
class Progress:
    """What the turn has come to. `final` ends the run: a denial is explained, never retried."""

    query: str | None = None
    chart: Chart | None = None
    change: int | None = None
    final: Refusal | None = None
    repairs: int = 0


@dataclass(frozen=True, kw_only=True)
class Deps:
    """One turn. `caller` is the signed-in person; no tool argument can name another."""

    gate: Gate
    caller: Caller
    view: SourceView
    journal: Journal
    cancel: Cancel
    progress: Progress = field(default_factory=Progress)

    @property
    def source(self) -> str:
        """The source of the conversation, fixed when it began."""
        return self.view.name
