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
from agent.planner.items import Item, items_of, merged, only, problems
from agent.planner.planner import plan
from agent.planner.proposal import Evidence, discounts, guessed_joins, propose_semantics
from agent.planner.semantics import Semantics, SemanticsError, load_semantics, parse_semantics
from agent.planner.vocabulary import Vocabulary
from agent.planner.written import write_semantics

__all__ = [
    "Answer",
    "AskBack",
    "ChartHint",
    "Evidence",
    "Item",
    "NotUnderstood",
    "Option",
    "Plan",
    "Semantics",
    "SemanticsError",
    "Vocabulary",
    "WriteRequest",
    "discounts",
    "guessed_joins",
    "items_of",
    "load_semantics",
    "merged",
    "only",
    "parse_semantics",
    "plan",
    "problems",
    "propose_semantics",
    "write_semantics",
]
