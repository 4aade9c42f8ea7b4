"""The states of turns, steps and change requests, and which follow which, as data.

A transition that is not listed does not exist. The schema's CHECK constraints are made from these
types, so a state cannot be stored that is not named here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

ConsoleRole = Literal["analyst", "reviewer", "admin"]

TurnKind = Literal["question", "sql", "change", "template"]

TurnState = Literal[
    "queued",
    "running",
    "waiting",
    "done",
    "failed",
    "halted",
    "cancelled",
    "interrupted",
]

TURN_MOVES: Mapping[TurnState, frozenset[TurnState]] = {
    "queued": frozenset({"running", "cancelled", "interrupted"}),
    "running": frozenset({"waiting", "done", "failed", "halted", "cancelled", "interrupted"}),
    "waiting": frozenset({"running", "done", "cancelled"}),
    "interrupted": frozenset({"running"}),
}

StepState = Literal["started", "done"]
Verdict = Literal["allow", "hold", "deny"]

ChangeState = Literal[
    "draft",
    "previewing",
    "pending",
    "approved",
    "executing",
    "executed",
    "undoing",
    "undone",
    "undo_failed",
    "rejected",
    "expired",
    "withdrawn",
    "drifted",
    "failed",
    "unknown",
]

CHANGE_MOVES: Mapping[ChangeState, frozenset[ChangeState]] = {
    "draft": frozenset({"previewing"}),
    "previewing": frozenset({"pending", "failed"}),
    "pending": frozenset({"approved", "rejected", "expired", "withdrawn", "drifted"}),
    "approved": frozenset({"executing", "expired", "withdrawn", "previewing"}),
    "executing": frozenset({"executed", "drifted", "failed", "unknown", "approved"}),
    "drifted": frozenset({"previewing"}),
    "unknown": frozenset({"executed", "approved"}),
    "executed": frozenset({"undoing"}),
    "undoing": frozenset({"undone", "undo_failed"}),
}

UndoKind = Literal["exact", "partial", "none"]
Vote = Literal["approve", "reject"]
NoticeEvent = Literal["new", "decided", "expired", "drifted", "reminder"]
NoticeState = Literal["waiting", "sending", "sent", "given_up"]
PromotionState = Literal["proposed", "active", "revoked", "expired", "declined"]
LapseRule = Literal["spend", "release"]
AttemptScope = Literal["account", "address"]

AccessState = Literal[
    "pending",
    "granted",
    "rejected",
    "withdrawn",
    "expired",
    "revoked",
    "ended",
]

ACCESS_MOVES: Mapping[AccessState, frozenset[AccessState]] = {
    "pending": frozenset({"granted", "rejected", "withdrawn", "expired"}),
    "granted": frozenset({"revoked", "ended"}),
}

CandidateOrigin = Literal["file", "edit", "rollback"]
CandidateState = Literal["pending", "activated", "rejected", "withdrawn"]

CANDIDATE_MOVES: Mapping[CandidateState, frozenset[CandidateState]] = {
    "pending": frozenset({"activated", "rejected", "withdrawn"}),
}

SavedState = Literal["private", "offered", "verified", "stale"]

SAVED_MOVES: Mapping[SavedState, frozenset[SavedState]] = {
    "private": frozenset({"offered"}),
    "offered": frozenset({"private", "verified"}),
    "verified": frozenset({"stale"}),
    "stale": frozenset({"verified"}),
}
