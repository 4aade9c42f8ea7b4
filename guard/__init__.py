"""The only door to a source. Other packages use the names exported here and no module inside."""

from guard.caller import Caller, Channel
from guard.catalog import Catalog, Column, ForeignKey, Table
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
from guard.gate import Gate, Proposed, SourceView
from guard.logtext import log_safe
from guard.policy import Allow, Deny, Hold, Principal
from guard.result import Plain, Result, plain_rows

__all__ = [
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
    "Plain",
    "Principal",
    "Proposed",
    "Refusal",
    "Refused",
    "Result",
    "SourceUnavailable",
    "SourceView",
    "Table",
    "log_safe",
    "plain_rows",
]
