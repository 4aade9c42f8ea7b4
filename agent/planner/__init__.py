"""A deterministic semantic parser: one English question -> one SELECT, or an honest no."""

from agent.planner.answers import (
    Answer,
    AskBack,
    ChartHint,
    NotUnderstood,
    Option,
    Plan,
    WriteRequest,
)
from agent.planner.planner import plan
from agent.planner.proposal import propose_semantics
from agent.planner.semantics import Semantics, SemanticsError, load_semantics
from agent.planner.vocabulary import Vocabulary

__all__ = [
    "Answer",
    "AskBack",
    "ChartHint",
    "NotUnderstood",
    "Option",
    "Plan",
    "Semantics",
    "SemanticsError",
    "Vocabulary",
    "WriteRequest",
    "load_semantics",
    "plan",
    "propose_semantics",
]
