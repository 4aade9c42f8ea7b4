"""Turns a question into calls on the gate. It holds no credential and never the review desk."""

from agent.analyst import Analyst, Asked
from agent.answer import Answer, AskBack, Chart, NotAnswerable, Option, Refusal
from agent.models import ModelChoice, choose
from agent.rowset import unpack
from agent.runs import Runs
from agent.vocabulary import Vocabularies

__all__ = [
    "Analyst",
    "Answer",
    "AskBack",
    "Asked",
    "Chart",
    "ModelChoice",
    "NotAnswerable",
    "Option",
    "Refusal",
    "Runs",
    "Vocabularies",
    "choose",
    "unpack",
]
