"""What the tools of one turn work with. It holds a gate and no credential."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from agent.answer import Chart, Refusal
from agent.content import Moderation, Where, signals
from agent.journal import Journal
from agent.layers import NOTHING
from agent.planner import Semantics
from agent.trail import AgentTrail
from guard import Caller, Cancel, Gate, SourceView

MAX_REPAIRS = 2
"""Statements that may be mended in one turn after a mistake that another statement can avoid."""


class Stopped(Exception):
    """The person stopped the turn, or its time was up; nothing more was run."""


class Leaving(Exception):  # not an error: the turn goes on elsewhere
    """This process shuts down, so the turn stays where it is until another one goes on with it."""


@dataclass
class Progress:
    """What the turn has come to. `final` ends the run: a denial is explained, never retried."""

    query: str | None = None
    chart: Chart | None = None
    change: int | None = None
    applied: bool = False
    final: Refusal | None = None
    repairs: int = 0
    overtime: bool = False

    @property
    def over(self) -> bool:
        """True when nothing more may be called: a denial is explained, a proposal ends the turn."""
        return self.final is not None or self.change is not None


@dataclass(frozen=True, kw_only=True)
class Deps:
    """One turn. `caller` is the signed-in person; no tool argument can name another."""

    gate: Gate
    caller: Caller
    view: SourceView
    journal: Journal
    trail: AgentTrail
    cancel: Cancel
    leaving: Cancel
    """Set once this process shuts down; `cancel` is set then too, to end what runs."""
    progress: Progress = field(default_factory=Progress)
    moderation: Moderation | None = None
    semantics: Semantics = NOTHING
    """What words mean in the source, as an admin has confirmed it."""
    examples: tuple[tuple[str, str], ...] = ()
    """Verified questions like the one asked, with their SQL; nothing personal is in them."""
    rights: str = ""
    """What differs whenever the policy or what the person may do does."""
    flags: dict[Where, tuple[str, ...]] = field(default_factory=dict)
    """What in the question or in the data looks like orders to the agent (`agent.content`)."""

    def screen(self, text: str, where: Where, *, redacted: str | None = None) -> None:
        """Looks for orders to the agent in a text; what is found is recorded and lowers the turn.

        Only `redacted` goes to a moderation service.
        """
        found = [*signals(text)]
        if self.moderation is not None and redacted:
            found += self.moderation.signals(redacted, where)
        known = self.flags.get(where, ())
        fresh = tuple(name for name in dict.fromkeys(found) if name not in known)
        if fresh:
            self.flags[where] = (*known, *fresh)
            self.trail.flagged(where, fresh)

    @property
    def mark(self) -> str:
        """What stands in the delimiters of this turn's data: nobody who writes data knows it."""
        return hashlib.sha256(f"data {self.journal.turn}".encode()).hexdigest()[:12]

    def go_on(self) -> None:
        """Ends the run here where it may not go on.

        Raises:
            Leaving, Stopped: as they say.
        """
        if self.leaving.is_set():
            raise Leaving
        if self.cancel.is_set():
            raise Stopped

    def time_is_up(self) -> None:
        """Stops whatever runs; the run is halted."""
        self.progress.overtime = True
        self.cancel.set()

    @property
    def source(self) -> str:
        """The source of the conversation, fixed when it began."""
        return self.view.name
