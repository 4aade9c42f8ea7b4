"""What the gate hands on of a held write, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from guard.decision import Hold
from guard.engines.base import Cancel
from guard.judging import Judgement
from guard.trail import Heard


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A held write on its way to a preview. `call_id` makes a repeated proposal the same one."""

    judgement: Judgement
    hold: Hold
    heard: Heard
    reason: str
    call_id: str | None = None
    cancel: Cancel | None = None


@dataclass(frozen=True, kw_only=True)
class Proposed:
    """What became of a proposal: the number of the change request, its state and its rows."""

    change: int
    state: str
    rows: int


class Proposals(Protocol):
    """Where held writes go, behind the door: the preview and the store (`guard.review`)."""

    def propose(self, proposal: Proposal) -> Proposed:
        """Returns what became of it. Raises `Refused` where no exact preview is possible."""
        ...
