"""The audit trail: an append-only record whose change after the fact becomes evident.

`AuditLog.open` gives the log, `AuditLog.append` makes one `AuditEvent` durable, `verify` checks it
all without trusting the writer. The package knows neither SQL nor policy and cannot tell personal
data: whoever appends has redacted before.
"""

from audit.encoding import clip
from audit.errors import (
    AuditError,
    Flooded,
    KeyUnusable,
    Malformed,
    NewerFormat,
    RolledBack,
    Tampered,
    Unavailable,
)
from audit.event import (
    EVENT_TYPES,
    SYSTEM,
    Actor,
    ActorType,
    AuditEvent,
    EventType,
    Outcome,
    new_id,
    shorten,
)
from audit.export import Exported
from audit.flood import Flood
from audit.gitsink import GitSink
from audit.interchange import FORMATS, Format, translated
from audit.log import AuditLog
from audit.parts import (
    Access,
    Action,
    Agent,
    ApprovalDecision,
    ApprovalFacts,
    ConfigFacts,
    Effect,
    ErrorFacts,
    ExportFacts,
    Limits,
    Message,
    Part,
    PolicyFacts,
    ReadFacts,
    Redactions,
    Timing,
    Trace,
    Verdict,
)
from audit.reading import LogHead
from audit.reconcile import Intent
from audit.record import Receipt, Record
from audit.remote import S3Access, S3Sink, WebhookSink
from audit.remotes import RemoteState
from audit.room import Watermark
from audit.sealedsearch import SealedPage
from audit.sealing import Segment
from audit.search import Filter, Hour, Page
from audit.sinks import Anchor, FileSink, Sink, StreamSink
from audit.verify import Finding, Report, State

__all__ = [
    "EVENT_TYPES",
    "FORMATS",
    "SYSTEM",
    "Access",
    "Action",
    "Actor",
    "ActorType",
    "Agent",
    "Anchor",
    "ApprovalDecision",
    "ApprovalFacts",
    "AuditError",
    "AuditEvent",
    "AuditLog",
    "ConfigFacts",
    "Effect",
    "ErrorFacts",
    "EventType",
    "ExportFacts",
    "Exported",
    "FileSink",
    "Filter",
    "Finding",
    "Flood",
    "Flooded",
    "Format",
    "GitSink",
    "Hour",
    "Intent",
    "KeyUnusable",
    "Limits",
    "LogHead",
    "Malformed",
    "Message",
    "NewerFormat",
    "Outcome",
    "Page",
    "Part",
    "PolicyFacts",
    "ReadFacts",
    "Receipt",
    "Record",
    "Redactions",
    "RemoteState",
    "Report",
    "RolledBack",
    "S3Access",
    "S3Sink",
    "SealedPage",
    "Segment",
    "Sink",
    "State",
    "StreamSink",
    "Tampered",
    "Timing",
    "Trace",
    "Unavailable",
    "Verdict",
    "Watermark",
    "WebhookSink",
    "clip",
    "new_id",
    "shorten",
    "translated",
]
