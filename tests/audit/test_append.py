from __future__ import annotations

import json
import sqlite3
from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest

from audit import (
    EVENT_TYPES,
    Access,
    Action,
    Actor,
    AuditEvent,
    AuditLog,
    Effect,
    ErrorFacts,
    Malformed,
    Message,
    Part,
    Redactions,
    Timing,
    checkpoint,
    new_id,
    shorten,
)
from audit.encoding import canonical
from audit.parts import AnchorFacts, ApprovalFacts, SegmentFacts
from tests.audit.events import ANA, asked, executed, fill, intent


def test_the_first_record_says_what_the_log_is(log: AuditLog):
    created = log.record(1)
    assert created is not None
    assert created.event.type == "log.created"
    facts = json.loads(created.line)["event"]["log"]
    assert facts["vkey"] == log.vkey
    assert facts["origin"] == log.origin


def test_a_receipt_names_the_place_and_the_record_is_there(log: AuditLog):
    event = asked(4)
    receipt = log.append(event)
    record = log.record(receipt.seq)
    assert record is not None
    assert (record.seq, record.hash) == (2, receipt.hash)
    assert record.event == event
    before = log.record(1)
    assert before is not None
    assert record.prev == before.hash


def test_several_events_land_next_to_each_other_under_one_checkpoint(log: AuditLog):
    log.append(asked(0))
    log.flush()
    begun = intent()
    first, second, third = log.append_many((asked(1), begun, executed(begun)))
    assert [first.seq, second.seq, third.seq] == [3, 4, 5]
    assert log.open_intents() == ()
    log.flush()
    sizes = [json.loads(line)["note"].split("\n")[1] for line in log.anchors.open()]
    assert sizes == ["1", "2", "5"]
    assert log.append_many(()) == ()
    assert log.append_many((begun, asked(6)))[0] == second


def test_of_several_events_all_are_written_or_none(log: AuditLog):
    known = asked(1)
    log.append(known)
    for group in (
        (asked(2), replace(known, summary="Another")),
        (replace(asked(3), id="same"), replace(asked(4), id="same")),
        (asked(5), asked(6, summary="")),
    ):
        with pytest.raises(Malformed):
            log.append_many(group)
    assert log.changed() == 2


def test_every_part_reads_back_as_it_was_written(log: AuditLog):
    parts = (
        Message(question="Wie viele Bestellungen? \u00fc"),
        Action(kind="read", statement="SELECT ?", params_count=1),
        Access(tables=("a", "b"), columns=("a.x",)),
        ApprovalFacts(id="c-1", required=2, expires=datetime(2026, 7, 1, 12, tzinfo=UTC)),
        Effect(rows=3, truncated=False),
        Redactions(counts={"EMAIL_ADDRESS": 5, "PERSON": 2}, engine="presidio"),
        ErrorFacts(type="Interrupted", code="timeout", message="Stopped after 5 s."),
        Timing(duration_us=123, db_us=45),
        AnchorFacts(sink="file", size=9),
    )
    receipt = log.append(asked(parts=parts))
    record = log.record(receipt.seq)
    assert record is not None
    for part in parts:
        assert record.event.part(type(part)) == part


def test_what_is_written_is_the_canonical_text_of_every_part():
    parts = tuple(
        kind(**{f.name: f"\u00fc {f.name}" for f in fields(kind)}) for kind in Part.known.values()
    )
    event = asked(parts=parts, parent="p-1", actor=replace(ANA, roles=("b", "a")))
    app = {"version": "2\u00fc", "boot": "b", "instance": "i"}
    assert event.text(app) == canonical(event.document(app))
    bare = asked(parts=tuple(kind() for kind in Part.known.values()), session=None, request=None)
    assert bare.text(app) == canonical(bare.document(app))


def test_groups_of_parts_do_not_collide_with_the_fields_of_an_event():
    fields = {"actor", "app", "id", "outcome", "schema", "summary", "time", "type", "session"}
    assert not (fields | {"request", "parent", "clipped"}) & Part.known.keys()


def test_numbers_are_gapless_and_time_never_runs_back(log: AuditLog, monkeypatch):
    class Backwards(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(2020, 1, 1, tzinfo=UTC)

    log.append(asked(1))
    monkeypatch.setattr("audit.sequencer.datetime", Backwards)
    log.append(asked(2))
    monkeypatch.undo()
    log.append(asked(3))
    records = log.tail()
    assert [r.seq for r in records] == [1, 2, 3, 4]
    times = [r.logged for r in records]
    assert times == sorted(times)


def test_the_same_event_again_gives_the_first_receipt(log: AuditLog):
    event = asked(1)
    first = log.append(event)
    log.append(asked(2))
    assert log.append(event) == first
    assert log.changed() == 3


def test_a_second_root_of_one_size_is_never_signed(log: AuditLog, monkeypatch):
    signed: list[tuple[int, bytes]] = []
    genuine = checkpoint.sign

    def sign(keys, size, root):
        signed.append((size, root))
        return genuine(keys, size, root)

    monkeypatch.setattr(checkpoint, "sign", sign)
    event = asked(1)
    log.append(event)
    log.append(event)
    log.append_many([asked(2), event])
    log.append(asked(3))
    assert [size for size, _ in signed] == [2, 3, 4]


def test_the_same_event_again_after_a_restart_gives_the_first_receipt(folder):
    event = asked(1)
    with AuditLog.open(folder, app_version="1") as log:
        first = log.append(event)
    with AuditLog.open(folder, app_version="2") as log:
        assert log.append(event) == first


def test_another_event_under_a_used_id_is_refused(log: AuditLog):
    event = asked(1)
    log.append(event)
    with pytest.raises(Malformed, match="Another event with this id"):
        log.append(replace(event, summary="Something else"))
    assert log.changed() == 2


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"summary": "x" * 161}, "160"),
        ({"summary": ""}, "160"),
        ({"summary": "two\nlines"}, "one line"),
        ({"summary": "two\u2028lines"}, "one line"),
        ({"type": "query.invented"}, "not an event type"),
        ({"outcome": "great"}, "not an outcome"),
        ({"session": "s" * 129}, "128 bytes"),
        ({"request": ""}, "128 bytes"),
        ({"session": "lone \ud800"}, "NFC"),
        ({"actor": Actor(id="e\u0301", type="user")}, "NFC"),
        ({"parts": (Timing(duration_us=1), Timing(db_us=2))}, "one part of each kind"),
        ({"parts": (Timing(duration_us=1.5),)}, "type float"),
        ({"parts": (Effect(rows=2**53),)}, "2\\^53"),
        ({"parts": (Redactions(counts={"é": 1}),)}, "ASCII"),
        ({"time": datetime(2026, 1, 1)}, "time zone"),
        ({"type": "query.executed"}, "intent_id"),
    ],
)
def test_an_event_of_the_wrong_shape_is_refused_and_nothing_is_written(
    log: AuditLog, changes, says
):
    with pytest.raises(Malformed, match=says):
        log.append(asked(**changes))
    assert log.changed() == 1


def test_text_is_stored_in_nfc_without_lone_surrogates(log: AuditLog):
    receipt = log.append(asked(parts=(Message(question="e\u0301 \ud800 \x00"),)))
    record = log.record(receipt.seq)
    assert record is not None
    message = record.event.part(Message)
    assert message is not None
    assert message.question == "\u00e9 \ufffd \x00"
    assert log.verify(deep=True).status == 0


def test_a_statement_of_a_megabyte_is_recorded_cut(log: AuditLog):
    tables = tuple(f"table_{i}" for i in range(20_000))
    event = asked(parts=(Action(statement="x" * 1_000_000), Access(tables=tables)))
    record = log.record(log.append(event).seq)
    assert record is not None
    assert len(record.line.encode()) <= 32 * 1024
    assert json.loads(record.line)["event"]["clipped"] is True
    action = record.event.part(Action)
    assert action is not None
    assert action.statement is not None
    assert action.statement.startswith("xxx")
    assert "more bytes" in action.statement
    assert log.verify(deep=True).status == 0


def test_shorten_makes_a_summary_of_anything():
    assert shorten("  two\n lines\u2028here ") == "two lines here"
    assert len(shorten("word " * 100)) <= 160
    assert shorten("word " * 100).endswith("…")


def test_ids_are_uuids_of_version_7_in_order_of_time():
    ids = [new_id() for _ in range(100)]
    assert all(i[14] == "7" and i[19] in "89ab" for i in ids)
    assert len(set(ids)) == 100
    assert [i[:13] for i in ids] == sorted(i[:13] for i in ids)


def test_every_event_type_can_be_appended_and_read(log: AuditLog):
    log.rotate_key()
    for kind in sorted(EVENT_TYPES - {"key.rotated"}):
        parts = (Effect(intent_id="i-1"), SegmentFacts(last=1))
        log.append(AuditEvent(type=kind, actor=ANA, outcome="success", summary=kind, parts=parts))  # type: ignore[arg-type]  # one of the set
    assert {r.event.type for r in log.tail(100)} >= EVENT_TYPES - {"log.created"}
    assert log.verify(deep=True).status == 0


@pytest.mark.parametrize("kind", ["key.rotated", "log.pruned"])
def test_what_the_verifier_relies_on_cannot_be_left_out(log: AuditLog, kind):
    with pytest.raises(Malformed, match="must say"):
        log.append(asked(type=kind))


def test_every_commit_is_signed_and_anchored(log: AuditLog):
    fill(log, 12)
    log.flush()
    head = log.head()
    assert (head.size, head.anchored, head.failing) == (12, 12, {})
    assert head.note.split("\n")[:2] == [log.origin, "12"]
    sizes = [json.loads(line)["note"].split("\n")[1] for line in log.anchors.open()]
    assert sizes == [str(n) for n in range(1, 13)]


def test_the_tail_of_a_session_comes_in_order_and_after_a_number(log: AuditLog):
    for number in range(9):
        log.append(asked(number))
    assert [r.event.summary for r in log.tail(2, session="s-1")] == ["Question 4", "Question 7"]
    last = log.tail(1, session="s-1")[0].seq
    assert log.tail(session="s-1", after=last) == ()
    log.append(asked(10))
    assert [r.event.summary for r in log.tail(session="s-1", after=last)] == ["Question 10"]
    assert log.record(999) is None


def test_changed_grows_with_every_record_of_any_opening(log: AuditLog, folder):
    before = log.changed()
    with AuditLog.open(folder, app_version="other") as other:
        other.append(asked())
    assert log.changed() > before


def test_two_openings_in_one_process_share_one_chain(log: AuditLog, folder):
    with AuditLog.open(folder, app_version="other") as other:
        for number in range(5):
            log.append(asked(number))
            other.append(asked(number))
    assert log.changed() == 11
    assert log.verify(deep=True).status == 0


def test_the_store_is_durable_and_its_own(log: AuditLog):
    log.append(asked())
    writer = log._storage._writer
    assert writer is not None
    asked_for = {"journal_mode": "wal", "synchronous": 2, "page_size": 8192}
    for pragma, value in asked_for.items():
        assert writer.execute(f"PRAGMA {pragma}").fetchone()[0] == value
    with sqlite3.connect(log.database) as db:
        tables = db.execute("SELECT name, strict FROM pragma_table_list WHERE name LIKE 'audit%'")
        assert all(strict for _, strict in tables.fetchall())
    assert log.database.stat().st_mode & 0o077 == 0


def test_an_intent_stays_open_until_its_outcome(log: AuditLog):
    begun = intent()
    log.append(begun)
    assert [i.record.event.id for i in log.open_intents()] == [begun.id]
    log.append(executed(begun))
    assert log.open_intents() == ()
