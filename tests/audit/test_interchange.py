"""The trail for other systems: every type and every field is accounted for, and stays provable."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from itertools import count, pairwise
from pathlib import Path
from typing import Any

import pytest

from audit import EVENT_TYPES, FORMATS, Actor, AuditEvent, AuditLog, Filter, Format, Part, Tampered
from audit import translated as translate
from audit.encoding import canonical
from audit.ocsf import CLASSES
from audit.otel import NAMES
from audit.record import line_of
from tests.audit.events import fill
from tests.audit.test_verify import alone

APP = {"version": "1.2.3", "instance": "i-1", "boot": "b-1"}
ACTOR = Actor(
    id="agent", type="agent", roles=("r-1",), auth="a-1", on_behalf_of="u-1", ip_prefix="192.0.2.0"
)


def full(type_: str, number: Iterator[int]) -> AuditEvent:
    """An event of that type with every part and every field of it, each with a value of its own."""
    parts = tuple(
        kind(**{f.name: value(str(f.type), number) for f in fields(kind)}) for kind in PARTS
    )
    return AuditEvent(
        type=type_,  # type: ignore[arg-type]  # one of them
        actor=ACTOR,
        outcome="denied",
        summary="what happened",
        session="s-1",
        request="q-1",
        parent="p-1",
        parts=parts,
        time=datetime(2026, 6, 30, 8, 50, 9, 123456, tzinfo=UTC),
    )


PARTS = tuple(Part.known[name] for name in sorted(Part.known))


def value(annotation: str, number: Iterator[int]) -> Any:
    given = next(number)
    for start, made in (
        ("int", given),
        ("bool", True),
        ("tuple", (f"v-{given}",)),
        ("Mapping", {f"V{given}": given}),
        ("datetime", datetime(2026, 6, 30, tzinfo=UTC)),
        ("Verdict", "deny"),
        ("ApprovalDecision", "rejected"),
    ):
        if annotation.startswith(start):
            return made
    return f"v-{given}"


def line(event: AuditEvent, seq: int = 7) -> str:
    return line_of(canonical(event.document(APP)), "2026-06-30T08:50:10.000001Z", b"\7" * 32, seq)


def leaves(thing: object) -> Iterator[object]:
    if isinstance(thing, Mapping):
        for one in thing.values():
            yield from leaves(one)
    elif isinstance(thing, list):
        for one in thing:
            yield from leaves(one)
    else:
        yield thing


def one(event: AuditEvent, format_: Format) -> dict[str, Any]:
    (made,) = translate([line(event)], format_, "gatehouse/1")
    found: dict[str, Any] = json.loads(made)
    return found


def attributes(made: Mapping[str, Any]) -> dict[str, Any]:
    (record,) = made["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    return {pair["key"]: next(iter(pair["value"].values())) for pair in record["attributes"]}


def test_every_event_type_has_its_ocsf_class() -> None:
    assert set(CLASSES) == EVENT_TYPES


def test_every_opentelemetry_name_is_of_a_field_there_is() -> None:
    known = {f"{kind.group}.{f.name}" for kind in PARTS for f in fields(kind)}
    known |= {f"actor.{f.name}" for f in fields(Actor)} | {"event.session"}
    assert set(NAMES) <= known


@pytest.mark.parametrize("type_", sorted(EVENT_TYPES))
@pytest.mark.parametrize("format_", FORMATS)
def test_no_field_of_any_event_type_is_lost(type_: str, format_: Format) -> None:
    event = full(type_, count(100_000))
    made = one(event, format_)
    if format_ == "ocsf":
        assert made.pop("raw_data") == line(event)
    else:
        (record,) = made["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
        assert record.pop("body") == {"stringValue": line(event)}
    said = {str(leaf) for leaf in leaves(made)}
    texts = " ".join(sorted(said))
    document = json.loads(line(event))["event"]
    for leaf in leaves({k: v for k, v in document.items() if k not in ("id", "time")}):
        assert str(leaf) in said or (isinstance(leaf, str) and leaf in texts), leaf
    assert document["id"] in texts


@pytest.mark.parametrize("type_", sorted(EVENT_TYPES))
def test_an_ocsf_event_has_what_its_class_demands(type_: str) -> None:
    bare = AuditEvent(type="request.received", actor=ACTOR, outcome="success", summary="x")
    document = {**bare.document(APP), "type": type_}
    text = line_of(canonical(document), "2026-06-30T08:50:10.000001Z", b"\7" * 32, 7)
    (made,) = map(json.loads, translate([text], "ocsf", "gatehouse/1"))
    assert made["type_uid"] == made["class_uid"] * 100 + made["activity_id"]
    assert made["category_uid"] == made["class_uid"] // 1000
    assert made["metadata"]["version"] == "1.9.0"
    assert made["metadata"]["product"]["name"]
    assert isinstance(made["time"], int)
    assert made["actor"]["user"]["uid"] == "u-1"
    demanded = {
        3002: ("user", "service"),
        3004: ("entity",),
        6002: ("app",),
        6003: ("api", "src_endpoint"),
        6005: ("database", "src_endpoint"),
    }
    assert all(made[name] for name in demanded[made["class_uid"]])


def test_decisions_and_outcomes_get_their_ocsf_numbers() -> None:
    made = one(full("policy.decided", count(1)), "ocsf")
    assert (made["action_id"], made["disposition_id"], made["status_id"]) == (2, 2, 2)
    assert made["authorizations"][0]["policy"]["name"] == made["policy"]["name"]
    assert made["time"] == 1782809409123
    assert made["metadata"]["sequence"] == 7
    assert made["attestation_list"][0]["prev_event"]["fingerprint"]["value"] == "07" * 32


def test_a_log_record_has_the_names_of_the_semantic_conventions() -> None:
    made = one(full("agent.step", count(1)), "otel")
    names = attributes(made)
    assert names["gen_ai.operation.name"] == "execute_tool"
    assert names["gen_ai.conversation.id"] == "s-1"
    assert names["user.id"] == "u-1"
    assert names["gatehouse.log.seq"] == "7"
    assert set(NAMES.values()) <= set(names)
    (record,) = made["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    assert record["timeUnixNano"] == "1782809409123456000"
    assert (record["severityText"], record["eventName"]) == ("WARN", "agent.step")


@pytest.mark.parametrize("format_", FORMATS)
def test_what_was_translated_still_verifies(log: AuditLog, tmp_path: Path, format_: Format) -> None:
    fill(log, 30)
    for name, wanted in (("all", None), ("some", Filter(outcome="denied"))):
        bundle = tmp_path / name
        log.export(bundle, wanted)
        records = bundle / "records.jsonl"
        before = records.read_text()
        made = list(translate(before.splitlines(), format_, log.origin))
        back = [original(json.loads(text), format_) for text in made]
        records.write_text("".join(f"{text}\n" for text in back))
        assert records.read_text() == before
        done = alone(
            bundle / "verify.py",
            "--jsonl",
            bundle,
            "--vkey",
            log.vkey,
            "--anchors",
            log.anchors,
            "--deep",
        )
        assert done.returncode == 0, done.stdout


def original(made: Mapping[str, Any], format_: Format) -> str:
    if format_ == "ocsf":
        return str(made["raw_data"])
    (record,) = made["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
    return str(record["body"]["stringValue"])


def test_each_ocsf_event_names_the_one_before(log: AuditLog) -> None:
    fill(log, 10)
    records = log.tail(20)
    made = [json.loads(t) for t in translate([r.line for r in records], "ocsf", log.origin)]
    assert "uid" not in made[0]["attestation_list"][0]["prev_event"]
    for before, after in pairwise(made):
        linked = after["attestation_list"][0]["prev_event"]
        assert linked["uid"] == before["metadata"]["uid"]
        assert linked["type_uid"] == before["type_uid"]
        assert linked["fingerprint"] == before["attestation_list"][0]["fingerprint"]
    assert [m["attestation_list"][0]["fingerprint"]["value"] for m in made] == [
        r.hash for r in records
    ]


def test_a_line_that_is_no_record_is_not_exported() -> None:
    with pytest.raises(Tampered, match="Verify the log"):
        list(translate(['{"seq": 1}'], "ocsf", "gatehouse/1"))
