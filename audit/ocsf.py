"""A record as an event of the Open Cybersecurity Schema Framework, 1.9.0. Names only are mapped.

`raw_data` is the line as it was hashed, so what is sent to another system can still be checked: the
fingerprint in `attestation_list` is the leaf hash of exactly those bytes, not of the OCSF event
around them. What OCSF has no name for stands under `unmapped`, by our own name.

https://schema.ocsf.io/1.9.0/
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from audit.encoding import Json
from audit.event import EventType
from audit.fields import Fields, Flat, millis, text

VERSION: Final = "1.9.0"
_PROFILES: Final = ("ai_operation", "record_integrity", "security_control", "trace")


@dataclass(frozen=True, kw_only=True)
class Class:
    """An event class: `uid` begins with its category, `activity` is one of its activities."""

    uid: int
    activity: int
    name: str

    @property
    def type_uid(self) -> int:
        """What OCSF calls the type: class and activity in one number."""
        return self.uid * 100 + self.activity


def _of(uid: int, name: str, **activities: int) -> dict[str, Class]:
    return {
        type_.replace("__", "."): Class(uid=uid, activity=activity, name=name)
        for type_, activity in activities.items()
    }


_OTHER: Final = 99
CLASSES: Final[Mapping[str, Class]] = {
    # 1 Logon, 2 Logoff
    **_of(3002, "Authentication", auth__failed=1, session__started=1, session__ended=2),
    # 1 Create, 2 Read, 3 Update, 4 Delete of a request, a policy, an account, a key
    **_of(
        3004,
        "Entity Management",
        access__requested=1,
        approval__decided=3,
        approval__drifted=3,
        approval__expired=3,
        approval__flagged=3,
        approval__requested=1,
        approval__withdrawn=4,
        config__changed=3,
        erasure__performed=4,
        key__rotated=3,
        policy__proposed=1,
    ),
    # 1 Install, 3 Start, 4 Stop of the log
    **_of(
        6002,
        "Application Lifecycle",
        log__anchor_failed=_OTHER,
        log__closed=4,
        log__created=1,
        log__opened=3,
        log__pruned=_OTHER,
        log__sealed=_OTHER,
    ),
    # 1 Create, 2 Read, 99 Other: what people and the agent ask of the console
    **_of(
        6003,
        "API Activity",
        agent__failed=_OTHER,
        agent__message=1,
        agent__replayed=2,
        agent__started=1,
        agent__step=_OTHER,
        answer__returned=2,
        audit__exported=2,
        audit__searched=2,
        audit__verified=2,
        audit__viewed=2,
        export__created=2,
        policy__replayed=2,
        policy__tried=2,
        request__classified=_OTHER,
        request__received=1,
    ),
    # 1 Read, 2 Update, 4 Query
    **_of(
        6005,
        "Datastore Activity",
        data__revealed=1,
        policy__decided=4,
        query__cancelled=4,
        query__executed=4,
        query__failed=4,
        query__intent=4,
        query__outcome_unknown=4,
        query__undone=2,
    ),
}
"""The class of every event type."""

_UNKNOWN: Final = Class(uid=0, activity=_OTHER, name="Base Event")
_CHANGES: Final = 2
_STATUS: Final = {"success": (1, "Success"), "failure": (2, "Failure"), "denied": (2, "Failure")}
_SEVERITY: Final = {"success": 1, "pending": 1, "denied": 2, "unknown": 3, "failure": 3}
# Action (allowed, denied, observed, modified) and disposition (allowed, blocked, delayed, other).
_ACTIONS: Final = {"allow": (1, 1), "deny": (2, 2), "needs_approval": (3, 14), "modified": (4, 1)}
_LEAF: Final = "SHA-256 of a zero byte and raw_data (RFC 6962 leaf)"


def class_of(type_: EventType | str, kind: str | None = None) -> Class:
    """Returns the class of an event type; `kind` is that of its action."""
    found = CLASSES.get(type_, _UNKNOWN)
    if found.uid == 6005 and kind == "change":  # Datastore Activity
        return Class(uid=found.uid, activity=_CHANGES, name=found.name)
    return found


def event(flat: Flat, previous: tuple[str, int] | None, origin: str) -> dict[str, Json]:
    """Returns the record as an OCSF event.

    `previous` is the id and the type of the record before, where the export holds it, `origin` the
    name of the log.
    """
    fields = Fields(flat)
    kind = class_of(flat.type, text(fields.look("action.kind")))
    made: dict[str, Json] = {
        "activity_id": kind.activity,
        "category_uid": kind.uid // 1000,
        "class_name": kind.name,
        "class_uid": kind.uid,
        "severity_id": _SEVERITY.get(flat.outcome, 0),
        "time": millis(flat.time),
        "type_uid": kind.type_uid,
        **_status(flat.outcome),
        "message": flat.summary,
        "metadata": _metadata(flat, fields, origin),
        "actor": _actor(flat, fields),
        "src_endpoint": {"name": "gatehouse", "uid": flat.app.get("instance", "")},
        **_agent(fields),
        **_control(fields),
        **_store(fields, kind),
        **_entity(fields, kind),
        **_call(flat, fields, kind),
        **_rest(fields),
        "raw_data": flat.line,
        "raw_data_hash": {
            "algorithm_id": 3,
            "algorithm": "SHA-256",
            "value": hashlib.sha256(flat.line.encode()).hexdigest(),
        },
        "attestation_list": [_attestation(flat, previous, origin)],
    }
    if left := fields.left():
        made["unmapped"] = {"gatehouse": left}
    return made


def _status(outcome: str) -> dict[str, Json]:
    found = _STATUS.get(outcome)
    number, caption = found or (_OTHER, outcome.capitalize())
    return {"status_id": number, "status": caption, "status_code": outcome}


def _metadata(flat: Flat, fields: Fields, origin: str) -> dict[str, Json]:
    return {
        "version": VERSION,
        "profiles": list(_PROFILES),
        "product": {
            "name": "Gatehouse",
            "vendor_name": "Gatehouse",
            "version": flat.app.get("version", ""),
        },
        "uid": flat.id,
        "event_code": flat.type,
        "sequence": flat.seq,
        "logged_time": millis(flat.logged),
        "original_time": flat.time,
        "log_name": origin,
        **_some(
            log_version=fields.take("event.schema"), correlation_uid=fields.take("event.request")
        ),
    }


def _actor(flat: Flat, fields: Fields) -> dict[str, Json]:
    behalf, roles = fields.take("actor.on_behalf_of"), fields.take("actor.roles")
    name = text(fields.take("actor.id")) or "unknown"
    type_ = text(fields.take("actor.type")) or "unknown"
    number = {"user": 1, "admin": 2, "system": 3}.get(type_, 1 if behalf else _OTHER)
    groups = [{"name": role} for role in roles] if isinstance(roles, list) else []
    user: dict[str, Json] = {"uid": behalf or name, "type": type_, "type_id": number}
    if groups:
        user["groups"] = groups
    made: dict[str, Json] = {"user": user, "app_uid": flat.app.get("boot", "")}
    if type_ in ("agent", "system"):
        made["app_name"] = name
    session = fields.take("event.session")
    return {**made, "session": {"uid": session}} if session else made


def _agent(fields: Fields) -> dict[str, Json]:
    name, model = fields.take("agent.name"), fields.take("agent.model")
    tokens = _some(
        prompt_tokens=fields.take("agent.tokens_in"),
        completion_tokens=fields.take("agent.tokens_out"),
        prompt_text=fields.take("message.question"),
        response_text=fields.take("message.answer"),
    )
    made: dict[str, Json] = {"message_context": tokens} if tokens else {}
    if name or model:
        agent: dict[str, Json] = {"uid": name or "agent", **_some(name=name)}
        agent |= _some(version=fields.take("agent.version"))
        if model:
            provider = fields.take("agent.provider")
            agent["ai_model"] = {"name": model, **_some(ai_provider=provider)}
        made["ai_agent"] = agent
    return made


def _control(fields: Fields) -> dict[str, Json]:
    decision = text(fields.take("policy.decision"))
    rule, reasons = fields.take("policy.rule"), fields.take("policy.reasons")
    policy = _some(
        name=rule, uid=fields.take("policy.bundle_sha256"), version=fields.take("policy.version")
    )
    made: dict[str, Json] = {}
    if isinstance(reasons, list) and reasons:
        made["status_detail"] = " ".join(map(str, reasons))
    if decision:
        action, disposition = _ACTIONS.get(decision, (_OTHER, _OTHER))
        made |= {"action_id": action, "action": decision, "disposition_id": disposition}
        made["authorizations"] = [{"decision": decision, **({"policy": policy} if policy else {})}]
    elif vote := fields.take("approval.decision"):
        made["authorizations"] = [{"decision": vote}]
    if policy:
        made["policy"] = policy
    return {**made, **_some(risk_level=fields.take("policy.risk"))}


def _store(fields: Fields, kind: Class) -> dict[str, Json]:
    source, tables = fields.take("action.source"), fields.take("access.tables")
    statement = fields.take("action.statement")
    made: dict[str, Json] = {}
    if source or kind.uid == 6005:  # Datastore Activity must name one
        dialect = fields.take("action.dialect")
        made["database"] = {"name": source or "unknown", "type_id": 1, **_some(type=dialect)}
    if isinstance(tables, list) and len(tables) == 1:
        made["table"] = {"name": tables[0]}
    if isinstance(tables, list) and tables:
        made["resources"] = [{"name": table, "type": "table"} for table in tables]
    if statement:
        made["query_info"] = {
            "query_string": statement,
            **_some(
                uid=fields.take("action.template_sha256"),
                name=fields.take("action.verb"),
                bytes=fields.take("effect.bytes"),
            ),
        }
    classes = fields.take("access.classes")
    if isinstance(classes, list) and classes:
        made["data_classifications"] = [{"category": one} for one in classes]
    return {**made, **_some(count=fields.take("repeats.count"))}


def _entity(fields: Fields, kind: Class) -> dict[str, Json]:
    if kind.uid != 3004:  # Entity Management
        return {}
    request = fields.take("approval.id")
    uid = request or fields.take("config.name") or "unknown"
    what = fields.take("config.kind") or ("change request" if request else "access request")
    return {
        "entity": {"type": what, "uid": uid},
        **_some(comment=fields.take("approval.reason") or fields.take("config.change")),
    }


def _call(flat: Flat, fields: Fields, kind: Class) -> dict[str, Json]:
    if kind.uid == 3002:  # Authentication
        return {
            "user": {"uid": text(fields.look("actor.id")) or "unknown"},
            "service": {"name": "Gatehouse"},
            **_some(auth_protocol=fields.take("actor.auth")),
        }
    if kind.uid == 6002:  # Application Lifecycle
        product = {"name": "Gatehouse audit log", "version": flat.app.get("version", "")}
        return {"app": {**product, "vendor_name": "Gatehouse"}, "application": product}
    if kind.uid == 6003:  # API Activity
        tool = text(fields.take("agent.tool"))
        call = _some(uid=fields.take("agent.tool_call"))
        operation: dict[str, Json] = {"operation": tool or flat.type}
        return {"api": {**operation, **({"request": call} if call else {})}}
    return {}


def _rest(fields: Fields) -> dict[str, Json]:
    took = fields.look("timing.duration_us")  # it stays as it is too: these are milliseconds
    micros = took if isinstance(took, int) else None
    trace = _some(uid=fields.take("trace.trace_id"))
    span = _some(uid=fields.take("trace.span_id"))
    if span:
        trace["span"] = span
    return {
        **({"trace": trace} if trace else {}),
        **({"duration": micros // 1000} if micros is not None else {}),
        **_some(error=fields.take("error.code"), error_message=fields.take("error.message")),
    }


def _attestation(flat: Flat, previous: tuple[str, int] | None, origin: str) -> dict[str, Json]:
    before: dict[str, Json] = {"fingerprint": _leaf(flat.prev)}
    if previous is not None:
        before |= {"uid": previous[0], "type_uid": previous[1]}
    return {
        "uid": f"{origin}/{flat.seq}",
        "chain_uid": origin,
        "fingerprint": _leaf(flat.hash),
        "prev_event": before,
    }


def _leaf(value: str) -> dict[str, Json]:
    return {"algorithm_id": _OTHER, "algorithm": _LEAF, "value": value}


def _some(**values: Json) -> dict[str, Json]:
    return {name: value for name, value in values.items() if value is not None}
