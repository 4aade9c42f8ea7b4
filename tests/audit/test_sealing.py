"""Old records in sealed segments: provable with the live part, without it, and once expired."""

from __future__ import annotations

import gzip
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from audit import SYSTEM, AuditError, AuditLog, Filter, Tampered, pgschema, verify
from audit.retention import _event
from audit.verifypg import verify_postgres
from tests.audit.events import asked, executed, fill, intent
from tests.audit.test_postgres import ROLE, Shared
from tests.audit.test_tamper import codes
from tests.servers import ServerDatabase

NOW = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.sequencer.KEEP_EVERY", 10)
    monkeypatch.setattr("audit.sealing.next_segment.__defaults__", (20,))


def check(folder: Path, *, sealed: bool, deep: bool = True) -> verify.Report:
    key = verify.parse_vkey((folder / "log.vkey").read_text())
    return verify.verify_database(
        folder / "audit.sqlite",
        [key],
        folder / "anchors.jsonl",
        deep=deep,
        segments=folder / "segments" if sealed else None,
        patience_s=0,
    )


def good(report: verify.Report) -> bool:
    return (report.status, report.findings) == (verify.OK, ())


def test_sealed_records_leave_the_database_and_both_parts_verify(log: AuditLog, folder: Path):
    fill(log, 45)
    made = log.seal(NOW)
    assert [(s.first, s.last) for s in made] == [(1, 20), (21, 40)]
    assert log.record(40) is None
    assert log.record(41) is not None
    assert [r.event.type for r in log.tail(4)] == ["log.sealed"] * 2 + ["log.pruned"] * 2
    fill(log, 52)
    log.flush()
    together, live = check(folder, sealed=True), check(folder, sealed=False)
    assert good(together)
    assert (together.first, together.records, together.sealed_through) == (1, 52, 0)
    assert good(live)
    assert (live.first, live.records, live.sealed_through) == (41, 12, 40)
    assert good(log.verify(deep=True))


def test_what_was_sealed_is_searched_no_more_and_the_rest_still_is(log: AuditLog):
    fill(log, 45)
    assert log.search(Filter()).total == 45
    log.seal(NOW)
    assert log.search(Filter()).total == 9
    found = log.search(Filter(text="hr.employees"), limit=100)
    assert found.total == len(found.records)
    assert [r.seq for r in log.search(Filter(), limit=100).records] == list(range(49, 40, -1))


def test_sealing_again_goes_on_where_it_ended(log: AuditLog, folder: Path):
    fill(log, 25)
    assert [s.last for s in log.seal(NOW)] == [20]
    assert log.seal(NOW) == []
    fill(log, 65)
    assert [(s.first, s.last) for s in log.seal(NOW)] == [(21, 40), (41, 60)]
    log.flush()
    assert good(check(folder, sealed=True))
    assert good(check(folder, sealed=False))


def test_only_records_older_than_the_moment_are_sealed(log: AuditLog):
    fill(log, 45)
    record = log.record(25)
    assert record is not None
    assert [s.last for s in log.seal(record.logged)] == [20]


def test_nothing_from_an_open_intent_on_is_sealed(log: AuditLog):
    fill(log, 24)
    begun = intent()
    log.append(begun)
    fill(log, 45)
    assert [s.last for s in log.seal(NOW)] == [20]
    log.append(executed(begun))
    assert [s.last for s in log.seal(NOW)] == [40]


def test_nothing_that_is_not_anchored_is_sealed(log: AuditLog, monkeypatch: pytest.MonkeyPatch):
    fill(log, 45)
    monkeypatch.setattr(AuditLog, "_anchored", lambda self: 15)
    assert [s.last for s in log.seal(NOW)] == [10]


STEPS = {
    "file written": ("sealing.Archive._described", 1),
    "file checked": ("retention.Retention._append", 1),
    "sealed recorded": ("sealing.Archive.confirm", 1),
    "second file": ("sealing.Archive.write", 2),
    "manifests written": ("retention.Retention.prune", 1),
    "in the removal": ("sequencer.Sequencer._checked", 3),
    "removed, not committed": ("sequencer._Batch.head", 3),
}
CRASH = """
import os, sys; from pathlib import Path; from datetime import datetime, UTC
import audit.sealing, audit.retention, audit.sequencer
from audit import AuditLog
from tests.audit.events import fill
audit.sequencer.KEEP_EVERY = 10
audit.sealing.next_segment.__defaults__ = (20,)
log = AuditLog.open(Path(sys.argv[1]), app_version="1")
fill(log, 45)
module, cls, name = sys.argv[2].split(".")
owner = getattr(getattr(audit, module), cls)
left = [int(sys.argv[3])]
if name == "_append":
    real = log._retention._append
    log._retention._append = lambda event: os._exit(9)
else:
    real = getattr(owner, name)
    def cut(*given, **named):
        left[0] -= 1
        return real(*given, **named) if left[0] else os._exit(9)
    setattr(owner, name, cut)
log.seal(datetime(2100, 1, 1, tzinfo=UTC))
"""


@pytest.mark.parametrize("step", STEPS)
def test_sealing_that_was_killed_at_any_step_loses_nothing_and_can_be_repeated(
    folder: Path, step: str
):
    what, times = STEPS[step]
    killed = subprocess.run(
        [sys.executable, "-c", CRASH, str(folder), what, str(times)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == 9, killed.stderr
    with AuditLog.open(folder, app_version="2") as log:
        assert good(log.verify(deep=True))
        log.seal(NOW)
        log.flush()
        report = check(folder, sealed=True)
        assert good(report)
        assert report.first == 1
        assert good(check(folder, sealed=False))
        assert log.record(40) is None
    assert not list((folder / "segments").glob("*.part"))


def test_expired_records_are_gone_and_what_follows_is_still_proven(log: AuditLog, folder: Path):
    fill(log, 45)
    log.seal(NOW)
    assert log.expire(6) == []
    gone = log.expire(-100)
    assert [(s.first, s.last) for s in gone] == [(1, 20), (21, 40)]
    assert not list((folder / "segments").glob("*.gz"))
    assert len(list((folder / "segments").glob("*.json"))) == 2
    assert log.expire(-100) == []
    log.flush()
    report = check(folder, sealed=True)
    assert good(report)
    assert report.sealed_through == 40


def test_a_part_that_expired_is_said_and_the_rest_verifies(log: AuditLog, folder: Path):
    fill(log, 45)
    first, _ = log.seal(NOW)
    log.append(_event("log.pruned", first, "nowhere", SYSTEM))
    log._archive.expire(first)
    log.flush()
    report = check(folder, sealed=True)
    assert good(report)
    assert (report.first, report.sealed_through) == (21, 20)


def test_records_that_vanished_without_a_word_are_a_finding(log: AuditLog, folder: Path):
    fill(log, 45)
    log.seal(NOW)
    log.flush()
    for path in sorted((folder / "segments").glob("*.gz")):
        path.unlink()
        report = check(folder, sealed=True)
        assert report.status == verify.TAMPERED
        assert codes(report) == {"NOT_SEALED"}


def bend(change: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    def attack(path: Path) -> None:
        lines = gzip.decompress(path.read_bytes()).decode().splitlines()
        path.write_bytes(gzip.compress("".join(f"{x}\n" for x in change(lines)).encode()))

    return attack


ATTACKS: dict[str, tuple[Callable[[Path], None], str]] = {
    "edit": (bend(lambda x: [*x[:5], x[5].replace("a", "b", 1), *x[6:]]), "CHAIN_BREAK"),
    "delete": (bend(lambda x: x[:5] + x[6:]), "CHAIN_BREAK"),
    "swap": (bend(lambda x: [*x[:5], x[6], x[5], *x[7:]]), "CHAIN_BREAK"),
    "cut": (bend(lambda x: x[:-3]), "CHAIN_BREAK"),
    "not compressed": (lambda path: path.write_bytes(b"x"), "UNREADABLE"),
    "half": (lambda path: path.write_bytes(path.read_bytes()[:400]), "UNREADABLE"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_changed_segment_is_found(log: AuditLog, folder: Path, attack: str):
    fill(log, 45)
    log.seal(NOW)
    log.flush()
    change, code = ATTACKS[attack]
    change(min((folder / "segments").glob("*.gz")))
    report = check(folder, sealed=True)
    assert report.status == verify.TAMPERED
    assert code in codes(report)


def test_the_first_records_cannot_be_deleted_as_if_they_had_been_sealed(
    log: AuditLog, folder: Path
):
    """There is a signed checkpoint at 20, but no record says that the records before it left."""
    fill(log, 45)
    log.close()
    with sqlite3.connect(folder / "audit.sqlite") as db:
        db.execute("DROP TRIGGER audit_event_no_delete")
        db.execute("DELETE FROM audit_event WHERE seq <= 20")
    report = check(folder, sealed=False)
    assert report.status == verify.TAMPERED
    assert "NOT_SEALED" in codes(report)


def test_a_damaged_file_keeps_the_records_in_the_database(
    log: AuditLog, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    fill(log, 45)
    with monkeypatch.context() as patch:
        patch.setattr("audit.retention.Retention.prune", lambda *_: 0)
        log.seal(NOW)
    path = min((folder / "segments").glob("*.gz"))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(Tampered, match="Put back a copy"):
        log.seal(NOW)
    assert log.record(1) is not None
    assert json.loads(min((folder / "segments").glob("*.json")).read_text())["first"] == 1


def test_a_saved_state_is_good_after_sealing(log: AuditLog, folder: Path):
    fill(log, 45)
    state = log.verify().state
    log.seal(NOW)
    fill(log, 60)
    report = log.verify(since=state)
    assert good(report)
    assert report.records == 15
    key = [verify.parse_vkey(log.vkey)]
    old = verify.State.load(state.dump(), key) if state else None
    live_only = verify.verify_database(
        folder / "audit.sqlite", key, folder / "anchors.jsonl", since=old
    )
    assert good(live_only)


@pytest.mark.parametrize("expired", [False, True])
def test_an_export_after_sealing_is_complete_from_where_records_exist(
    log: AuditLog, tmp_path: Path, expired: bool
):
    fill(log, 45)
    log.rotate_key()
    log.seal(NOW)
    if expired:
        log.expire(-100)
    log.append(asked(77))
    for name, wanted in (("all", None), ("some", Filter(text="log.pruned"))):
        log.export(tmp_path / name, wanted)
        command = "verify.py --jsonl . --vkey log.vkey --anchors anchors.jsonl --deep"
        done = subprocess.run(
            [sys.executable, "-I", "-S", *command.split()],
            cwd=tmp_path / name,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    count = len((tmp_path / "all" / "records.jsonl").read_text().splitlines())
    assert count == log.changed() - (46 if expired else 0)


def test_sealing_in_postgresql_needs_the_owner(postgres: ServerDatabase, tmp_path: Path):
    postgres.execute(pgschema.DDL)
    postgres.execute(
        f"DO $$ BEGIN CREATE ROLE {ROLE} LOGIN PASSWORD 'secret';"
        " EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    )
    postgres.execute(pgschema.grants(ROLE))
    shared = Shared(database=postgres, folder=tmp_path / "audit")
    with shared.open() as log:
        fill(log, 45)
        with pytest.raises(AuditError, match="does not let this role"):
            log.seal(NOW)
        assert log.record(1) is not None
        assert log.verify(deep=True).status == 0
    with AuditLog.open(shared.folder, app_version="1", url=postgres.url()) as log:
        log.seal(NOW)
        assert log.record(40) is None
        log.append(asked(1))
        assert good(log.verify(deep=True))
        live = verify_postgres(postgres.url(), [verify.parse_vkey(log.vkey)], log.anchors)
        assert good(live)
        assert live.sealed_through == 40
    postgres.execute(f"DROP OWNED BY {ROLE}")
