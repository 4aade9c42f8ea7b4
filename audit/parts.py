"""What an event can say beyond who, what and when: small groups of facts, one class each.

Each class is one group of the record (`Agent` becomes `"agent": {...}`). Absent facts are left out.
Every number is an integer: durations in microseconds, money in minor units, ratios in basis points.
Every text must be free of personal data before it comes here; this package cannot tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import ClassVar, Literal, Self

from audit.encoding import Json, present, spelled_present

Verdict = Literal["allow", "deny", "needs_approval", "modified"]
ApprovalDecision = Literal["approved", "rejected", "withdrawn", "expired", "drifted"]


@dataclass(frozen=True, kw_only=True)
class Part:
    """Base of the groups. A subclass names its `group`, the key it has in the record."""

    group: ClassVar[str]
    known: ClassVar[dict[str, type[Part]]] = {}

    def __init_subclass__(cls, *, group: str) -> None:
        cls.group = group
        Part.known[group] = cls

    def encode(self) -> dict[str, Json]:
        """Returns the facts that are there, by name.

        Raises:
            Malformed: a fact has a value that no record can hold.
        """
        return present(vars(self))

    def spell(self) -> str:
        """Returns the canonical text of what `encode` returns, and raises the same."""
        return spelled_present(vars(self))

    @classmethod
    def decode(cls, values: Mapping[str, Json]) -> Self:
        """Returns the part that `encode` wrote; facts this version does not know are left out."""
        names = {f.name: str(f.type) for f in fields(cls)}
        return cls(**{k: _typed(v, names[k]) for k, v in values.items() if k in names})


def _typed(value: Json, annotation: str) -> object:
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, str) and annotation.startswith("datetime"):
        return datetime.fromisoformat(value)
    return value


@dataclass(frozen=True, kw_only=True)
class Message(Part, group="message"):
    """What was said, redacted: the person's question, the agent's reading, its plan, the answer."""

    question: str | None = None
    interpretation: str | None = None
    plan: str | None = None
    answer: str | None = None


@dataclass(frozen=True, kw_only=True)
class Agent(Part, group="agent"):
    """Which agent and model acted, with which tool and for which reason.

    `tool_args` are redacted; `prompt_hmac` is `AuditLog.digest` of the prompt. `attempt` counts
    from 1.
    """

    name: str | None = None
    version: str | None = None
    provider: str | None = None
    model: str | None = None
    step: int | None = None
    attempt: int | None = None
    tool: str | None = None
    tool_call: str | None = None
    tool_args: str | None = None
    reason_summary: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    prompt_hmac: str | None = None


@dataclass(frozen=True, kw_only=True)
class Action(Part, group="action"):
    """What was to be done: `statement` with its literals stripped, never bind values.

    `statement_hmac` is `AuditLog.digest` of the full text, because a bare hash of a text with a
    name or number in it can be guessed; `template_sha256` is of the text without literals.
    """

    kind: str | None = None
    verb: str | None = None
    dialect: str | None = None
    source: str | None = None
    statement: str | None = None
    statement_hmac: str | None = None
    template_sha256: str | None = None
    params_count: int | None = None


@dataclass(frozen=True, kw_only=True)
class Access(Part, group="access"):
    """Which tables, columns and functions were touched and which classes of data they hold."""

    tables: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PolicyFacts(Part, group="policy"):
    """What the policy said, by which rule, in which version."""

    decision: Verdict | None = None
    rule: str | None = None
    reasons: tuple[str, ...] = ()
    risk: str | None = None
    version: str | None = None
    bundle_sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class Limits(Part, group="limits"):
    """The limits in force and what was left of the budgets: today's, `queries_left` the minute's.

    Money is in minor units.
    """

    max_rows: int | None = None
    max_bytes: int | None = None
    timeout_ms: int | None = None
    queries_left: int | None = None
    parallel_left: int | None = None
    rows_left: int | None = None
    bytes_left: int | None = None
    tokens_left: int | None = None
    cost_left: int | None = None


@dataclass(frozen=True, kw_only=True)
class ApprovalFacts(Part, group="approval"):
    """A change request and what was decided on it.

    `required` is how many people must say yes, `by` the person who decided. `shown_hmac` equals the
    `statement_hmac` of the intent that runs; `fingerprint` is the diff that was seen.
    """

    id: str | None = None
    required: int | None = None
    by: str | None = None
    decision: ApprovalDecision | None = None
    reason: str | None = None
    expires: datetime | None = None
    shown_hmac: str | None = None
    fingerprint: str | None = None


@dataclass(frozen=True, kw_only=True)
class Effect(Part, group="effect"):
    """What came of it, in counts. `intent_id` is the id of the intent event that led to it."""

    intent_id: str | None = None
    rows: int | None = None
    rows_estimated: int | None = None
    inserted: int | None = None
    updated: int | None = None
    deleted: int | None = None
    bytes: int | None = None
    truncated: bool | None = None
    result_hmac: str | None = None
    before_image_ref: str | None = None
    undo_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Redactions(Part, group="redaction"):
    """How many cells or spans of each entity were masked, by which engine."""

    counts: Mapping[str, int] = field(default_factory=dict)
    engine: str | None = None


@dataclass(frozen=True, kw_only=True)
class ErrorFacts(Part, group="error"):
    """What went wrong. `message` is ours, never a driver's text, which quotes values."""

    type: str | None = None
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, kw_only=True)
class Timing(Part, group="timing"):
    """How long it took, in microseconds: altogether, waiting, in the source, in the model."""

    duration_us: int | None = None
    queue_us: int | None = None
    db_us: int | None = None
    model_us: int | None = None


@dataclass(frozen=True, kw_only=True)
class ConfigFacts(Part, group="config"):
    """What of the set-up changed: `kind` such as policy, grant, account or source, and its name."""

    kind: str | None = None
    name: str | None = None
    change: str | None = None
    before_sha256: str | None = None
    after_sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class ExportFacts(Part, group="export"):
    """A file that left: its format, rows and bytes."""

    format: str | None = None
    rows: int | None = None
    bytes: int | None = None
    sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class ReadFacts(Part, group="read"):
    """Reading of this log: which filter fields were used, how many records, which range."""

    filters: tuple[str, ...] = ()
    records: int | None = None
    first: int | None = None
    last: int | None = None
    status: int | None = None
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LogFacts(Part, group="log"):
    """What a new log is: its name, public key and the rules a verifier needs."""

    origin: str | None = None
    vkey: str | None = None
    hash: str | None = None
    canonicalization: str | None = None
    format: int | None = None


@dataclass(frozen=True, kw_only=True)
class AnchorFacts(Part, group="anchor"):
    """A sink that could not take checkpoints. `size` is how many records were written by then."""

    sink: str | None = None
    size: int | None = None


@dataclass(frozen=True, kw_only=True)
class KeyFacts(Part, group="key"):
    """A change of the signing key: both public keys and what each signed over the two."""

    old: str | None = None
    new: str | None = None
    old_signature: str | None = None
    new_signature: str | None = None


@dataclass(frozen=True, kw_only=True)
class SegmentFacts(Part, group="segment"):
    """Records that were sealed, taken out of the database, or expired, and the file of them.

    `kept` says where they are: `archive` or, once they expired, `nowhere`.
    """

    first: int | None = None
    last: int | None = None
    last_hash: str | None = None
    sha256: str | None = None
    bytes: int | None = None
    kept: str | None = None


@dataclass(frozen=True, kw_only=True)
class BlobFacts(Part, group="blob"):
    """The whole of an event that is too long for a record, encrypted beside the log.

    `sha256` is of the ciphertext, `bytes` its size, `key_id` names the key that erasure destroys.
    """

    sha256: str | None = None
    bytes: int | None = None
    key_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Repeats(Part, group="repeats"):
    """How often the same was refused since the last event that was written in full or counted."""

    count: int | None = None
    total: int | None = None
    since: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Trace(Part, group="trace"):
    """W3C trace context, where the caller has one."""

    trace_id: str | None = None
    span_id: str | None = None
