"""What is too long for a record is kept encrypted, and can be erased without breaking the chain."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit import AuditLog, Filter, Message, Record, Tampered
from tests.audit.events import ANA, BEN, asked, executed, intent
from tests.servers import ServerDatabase

LONG = "Whole sentence number one. " * 3000
CANARY = "qzcanarypayload"


@pytest.fixture(params=["sqlite", "postgres"])
def log(request: pytest.FixtureRequest, folder: Path) -> Iterator[AuditLog]:
    url = None
    if request.param == "postgres":
        database: ServerDatabase = request.getfixturevalue("postgres")
        url = database.url()
    with AuditLog.open(folder, app_version="1", url=url) as opened:
        yield opened


def long(actor=ANA, text: str = LONG) -> Message:
    return Message(question=f"{text} {CANARY}")


def written(log: AuditLog, **changes: object) -> Record:
    receipt = log.append(asked(parts=(long(),), **changes))
    record = log.record(receipt.seq)
    assert record is not None
    return record


def test_a_record_has_the_beginning_and_the_payload_all_of_it(log: AuditLog):
    record = written(log)
    assert len(record.line.encode()) <= 32 * 1024
    assert '"clipped":true' in record.line
    assert CANARY not in record.line
    whole = log.payload(record)
    assert whole is not None
    assert f"{LONG} {CANARY}" in whole
    assert log.verify(deep=True).status == 0


def test_what_fits_is_kept_in_the_record_alone(log: AuditLog):
    receipt = log.append(asked())
    record = log.record(receipt.seq)
    assert record is not None
    assert log.payload(record) is None


def test_the_same_event_again_gives_its_old_receipt(log: AuditLog):
    event = asked(parts=(long(),))
    assert log.append(event) == log.append(event)


def test_erasing_a_person_leaves_the_chain_and_the_others(log: AuditLog, folder: Path):
    mine, others = written(log), written(log, actor=BEN)
    assert log.erase(ANA.id) == 1
    assert log.payload(mine) is None
    assert log.payload(others) is not None
    assert log.verify(deep=True).status == 0
    events = [r.event for r in log.tail(10) if r.event.type == "erasure.performed"]
    assert [e.outcome for e in events] == ["pending", "success"]
    assert written(log) != mine
    assert log.search(Filter(text=CANARY)).total == 0


def test_a_closed_or_agents_event_is_about_the_person_behind_it(log: AuditLog):
    from audit import Actor

    agent = Actor(id="agent", type="agent", on_behalf_of=ANA.id)
    record = written(log, actor=agent)
    log.append(executed(intent()))
    assert log.erase("agent") == 0
    assert log.payload(record) is not None
    assert log.erase(ANA.id) == 1
    assert log.payload(record) is None


def test_nothing_readable_lies_on_the_disk_before_or_after(folder: Path):
    with AuditLog.open(folder, app_version="1") as log:
        record = written(log)
        with sqlite3.connect(folder / "payloads.sqlite") as db:
            (wrapped,) = db.execute("SELECT wrapped FROM subject_key").fetchone()
            (body,) = db.execute("SELECT body FROM payload").fetchone()
        log.erase(ANA.id)
        found = (folder / "payloads.sqlite").read_bytes()
        assert wrapped not in found
        assert body[:64] not in found
        assert log.payload(record) is None
    for path in folder.rglob("*"):
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes(), path


def test_a_changed_payload_is_refused(folder: Path):
    with AuditLog.open(folder, app_version="1") as log:
        record = written(log)
        with sqlite3.connect(folder / "payloads.sqlite") as db:
            (body,) = db.execute("SELECT body FROM payload").fetchone()
            db.execute("UPDATE payload SET body = ?", (body[:-1] + bytes([body[-1] ^ 1]),))
        with pytest.raises(Tampered, match="payload"):
            log.payload(record)


def test_without_its_key_file_nothing_too_long_is_written(folder: Path):
    with AuditLog.open(folder, app_version="1") as log:
        written(log)
    (folder / "payload.key").unlink()
    with AuditLog.open(folder, app_version="1") as log:
        with pytest.raises(Tampered, match=r"payload\.key"):
            written(log)
        log.append(asked())
