"""The only door to a source. Other packages use the names exported here and no module inside."""

from guard.caller import Caller, Channel
from guard.catalog import Catalog, Column, ForeignKey, Table
from guard.decision import Allow, Deny, Hold
from guard.engines.base import Cancel
from guard.errors import (
    ConfigurationError,
    Drifted,
    GuardError,
    Illegal,
    Interrupted,
    Refusal,
    Refused,
    SourceUnavailable,
)
from guard.gate import Gate, SourceView
from guard.limitrules import is_spent
from guard.logtext import log_safe
from guard.modelbudget import ModelBudget, ModelRequest, ModelSpending
from guard.modelpolicy import AgentPolicy
from guard.modelrules import STEPS, TIME
from guard.needs import Need
from guard.principal import Principal
from guard.proposals import Proposed
from guard.result import Plain, Result, plain_rows
from guard.reveal import Revealed, RevealRequest
from guard.templates import Template
from guard.toolpolicy import BUILT_IN, ToolEffect

__all__ = [
    "BUILT_IN",
    "STEPS",
    "TIME",
    "AgentPolicy",
    "Allow",
    "Caller",
    "Cancel",
    "Catalog",
    "Channel",
    "Column",
    "ConfigurationError",
    "Deny",
    "Drifted",
    "ForeignKey",
    "Gate",
    "GuardError",
    "Hold",
    "Illegal",
    "Interrupted",
    "ModelBudget",
    "ModelRequest",
    "ModelSpending",
    "Need",
    "Plain",
    "Principal",
    "Proposed",
    "Refusal",
    "Refused",
    "Result",
    "RevealRequest",
    "Revealed",
    "SourceUnavailable",
    "SourceView",
    "Table",
    "Template",
    "ToolEffect",
    "is_spent",
    "log_safe",
    "plain_rows",
]
