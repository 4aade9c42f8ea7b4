"""A record as an OpenTelemetry log record, in the JSON of OTLP: one `LogsData` a line.

The body is the line as it was hashed. Attributes have the names of the semantic conventions where
there is one (`gen_ai.*` is still in development there) and `gatehouse.group.name` where not.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
https://opentelemetry.io/docs/specs/semconv/registry/attributes/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from audit.encoding import Json
from audit.fields import Fields, Flat, nanos, text

NAMES: Final[Mapping[str, str]] = {
    "action.dialect": "db.system.name",
    "action.source": "db.namespace",
    "action.statement": "db.query.text",
    "action.verb": "db.operation.name",
    "agent.model": "gen_ai.request.model",
    "agent.name": "gen_ai.agent.name",
    "agent.provider": "gen_ai.provider.name",
    "agent.tokens_in": "gen_ai.usage.input_tokens",
    "agent.tokens_out": "gen_ai.usage.output_tokens",
    "agent.tool": "gen_ai.tool.name",
    "agent.tool_args": "gen_ai.tool.call.arguments",
    "agent.tool_call": "gen_ai.tool.call.id",
    "agent.version": "gen_ai.agent.version",
    "effect.rows": "db.response.returned_rows",
    "error.code": "db.response.status_code",
    "error.message": "error.message",
    "error.type": "error.type",
    "actor.roles": "user.roles",
    "event.session": "gen_ai.conversation.id",
}
"""Our name -> theirs, for fields whose value stays as it is."""

_SYSTEMS: Final = {"postgres": "postgresql"}
_OPERATIONS: Final = {"agent.started": "invoke_agent", "agent.step": "execute_tool"}
_SEVERITY: Final = {"failure": (17, "ERROR"), "denied": (13, "WARN"), "unknown": (13, "WARN")}
_INFO: Final = (9, "INFO")
SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.41.0"


def logs_data(flat: Flat, origin: str) -> dict[str, Json]:
    """Returns the record as `LogsData`; `origin` is the name of the log."""
    resource = {
        "service.name": "gatehouse",
        "service.version": flat.app.get("version", ""),
        "service.instance.id": flat.app.get("instance", ""),
    }
    return {
        "resourceLogs": [
            {
                "resource": {"attributes": _pairs(resource)},
                "scopeLogs": [
                    {
                        "scope": {"name": "gatehouse.audit"},
                        "logRecords": [_record(flat, origin)],
                        "schemaUrl": SCHEMA_URL,
                    }
                ],
                "schemaUrl": SCHEMA_URL,
            }
        ]
    }


def _record(flat: Flat, origin: str) -> dict[str, Json]:
    fields = Fields(flat)
    trace, span = fields.take("trace.trace_id"), fields.take("trace.span_id")
    number, word = _SEVERITY.get(flat.outcome, _INFO)
    return {
        "timeUnixNano": str(nanos(flat.time)),
        "observedTimeUnixNano": str(nanos(flat.logged)),
        "severityNumber": number,
        "severityText": word,
        "eventName": flat.type,
        "body": {"stringValue": flat.line},
        "attributes": _pairs(_attributes(flat, fields, origin)),
        **({"traceId": trace} if trace else {}),
        **({"spanId": span} if span else {}),
    }


def _attributes(flat: Flat, fields: Fields, origin: str) -> dict[str, Json]:
    made: dict[str, Json] = {
        "event.id": flat.id,
        "event.outcome": flat.outcome,
        "gatehouse.summary": flat.summary,
        "gatehouse.log.origin": origin,
        "gatehouse.log.seq": flat.seq,
        "gatehouse.log.prev": flat.prev,
        "gatehouse.log.hash": flat.hash,
        "gatehouse.app.boot": flat.app.get("boot", ""),
        "user.id": fields.look("actor.on_behalf_of") or fields.look("actor.id"),
    }
    if flat.type in _OPERATIONS:
        made["gen_ai.operation.name"] = _OPERATIONS[flat.type]
    tables = fields.look("access.tables")
    if isinstance(tables, list) and len(tables) == 1:
        made["db.collection.name"] = tables[0]
    for ours, theirs in NAMES.items():
        made[theirs] = fields.take(ours)
    system = text(made["db.system.name"])
    made["db.system.name"] = _SYSTEMS.get(system, system) if system else None
    made |= {f"gatehouse.{name}": value for name, value in fields.left().items()}
    return {name: value for name, value in made.items() if value is not None}


def _pairs(values: Mapping[str, Json]) -> list[Json]:
    return [{"key": name, "value": _value(value)} for name, value in sorted(values.items())]


def _value(value: Json) -> dict[str, Json]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}  # 64-bit integers are texts in this JSON
    if isinstance(value, Mapping):
        return {"kvlistValue": {"values": _pairs(value)}}
    if isinstance(value, str):
        return {"stringValue": value}
    return {"arrayValue": {"values": [_value(one) for one in value or ()]}}
