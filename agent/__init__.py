"""Turns a question into calls on the gate. It holds no credential and never the review desk."""

from agent.analyst import Analyst, Asked
from agent.answer import Answer, AskBack, Chart, NotAnswerable, Option, Refusal
from agent.connection import ModelConnection, Tried
from agent.layerdesk import LayerDesk, LayerView
from agent.layers import Layers
from agent.models import ModelChoice, choose
from agent.rowset import unpack
from agent.runs import Runs
from agent.saved import Questions, SavedCard
from agent.savedtrail import SavedTrail
from agent.templated import TemplateCall, call_in
from agent.trace import Told, notebook, rows_hash, trace
from agent.vocabulary import Vocabularies

__all__ = [
    "Analyst",
    "Answer",
    "AskBack",
    "Asked",
    "Chart",
    "LayerDesk",
    "LayerView",
    "Layers",
    "ModelChoice",
    "ModelConnection",
    "NotAnswerable",
    "Option",
    "Questions",
    "Refusal",
    "Runs",
    "SavedCard",
    "SavedTrail",
    "TemplateCall",
    "Told",
    "Tried",
    "Vocabularies",
    "call_in",
    "choose",
    "notebook",
    "rows_hash",
    "trace",
    "unpack",
]
