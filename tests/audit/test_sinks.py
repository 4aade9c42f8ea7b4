from __future__ import annotations

import io
import json
import shutil
import sqlite3
import threading
from collections.abc import Sequence

import pytest

from audit import Anchor, AuditLog, RolledBack, StreamSink, Tampered
from audit.sinks import FileSink
from tests.audit.events import asked, fill


class BrokenSink:
    name = "broken"

    def __init__(self) -> None:
        self.broken = True
        self.sizes: list[int] = []

    def send(self, anchors: Sequence[Anchor]) -> None:
        if self.broken:
            raise ConnectionError("secret address in the text of the error")
        self.sizes += [anchor.size for anchor in anchors]


def test_anchors_go_to_every_sink_as_lines_of_json(folder):
    stream = io.StringIO()
    with AuditLog.open(folder, app_version="1", sinks=[StreamSink(stream)]) as log:
        fill(log, 5)
        log.flush()
        lines = stream.getvalue().splitlines()
        assert log.anchors.read_text().splitlines() == lines
        assert json.loads(lines[-1])["note"] == log.head().note


def test_a_failing_sink_is_recorded_once_and_shown_until_it_works(folder):
    sink = BrokenSink()
    with AuditLog.open(folder, app_version="1", sinks=[sink]) as log:
        fill(log, 5)
        log.flush()
        log.append(asked())
        log.flush()
        failures = [r for r in log.tail(50) if r.event.type == "log.anchor_failed"]
        assert len(failures) == 1
        assert "secret" not in failures[0].line
        assert '"sink":"broken"' in failures[0].line
        assert log.head().failing == {"broken": "ConnectionError"}
        sink.broken = False
        log.append(asked())
        log.flush()
        assert log.head().failing == {}
        assert sink.sizes[-1] == log.changed()
        assert log.verify().status == 0


def test_a_slow_sink_does_not_hold_up_appends(folder):
    held = threading.Event()

    class SlowSink:
        name = "slow"

        def send(self, anchors: Sequence[Anchor]) -> None:
            held.wait(60)

    log = AuditLog.open(folder, app_version="1")
    log.close()
    log = AuditLog.open(folder, app_version="1", sinks=[SlowSink()])
    try:
        for number in range(20):
            log.append(asked(number))
        assert log.changed() == 21
    finally:
        held.set()
        log.close()


def test_an_anchor_is_written_on_its_own_line_after_one_that_a_crash_cut(tmp_path):
    path = tmp_path / "anchors.jsonl"
    path.write_text('{"logged":"2026-11-20T')
    FileSink(path).send([Anchor(size=1, note="n", logged="l")])
    assert path.read_text().splitlines() == ['{"logged":"2026-11-20T', '{"logged":"l","note":"n"}']


def test_an_older_copy_is_refused_at_start(folder, tmp_path):
    with AuditLog.open(folder, app_version="1") as log:
        fill(log, 3)
    shutil.copytree(folder, tmp_path / "backup")
    with AuditLog.open(folder, app_version="1") as log:
        fill(log, 6)
    shutil.copy(tmp_path / "backup" / "audit.sqlite", folder / "audit.sqlite")
    for leftover in ("audit.sqlite-wal", "audit.sqlite-shm"):
        (folder / leftover).unlink(missing_ok=True)
    with pytest.raises(RolledBack, match="holds 3 records, but 6 were anchored"):
        AuditLog.open(folder, app_version="1")


def test_a_log_other_than_the_anchored_one_is_refused_at_start(folder, tmp_path):
    with AuditLog.open(folder, app_version="1") as log:
        fill(log, 4)
    shutil.copytree(folder, tmp_path / "copy")
    with AuditLog.open(folder, app_version="1") as log:
        log.append(asked(1))
    with AuditLog.open(tmp_path / "copy", app_version="1") as other:
        fill(other, 9)
    anchors = folder / "anchors.jsonl"
    with pytest.raises(Tampered, match="not those that were anchored"):
        AuditLog.open(tmp_path / "copy", app_version="1", anchors=anchors)


def test_anchors_that_are_behind_are_caught_up_at_start(folder):
    with AuditLog.open(folder, app_version="1") as log:
        fill(log, 4)
    anchors = folder / "anchors.jsonl"
    anchors.write_text("".join(anchors.read_text().splitlines(keepends=True)[:2]))
    with AuditLog.open(folder, app_version="1") as log:
        log.flush()
        assert log.head().anchored == 4
        assert log.changed() == 4


def test_lost_anchors_are_recorded_at_start(folder):
    with AuditLog.open(folder, app_version="1") as log:
        fill(log, 4)
    (folder / "anchors.jsonl").unlink()
    with AuditLog.open(folder, app_version="1") as log:
        assert log.tail(1)[0].event.type == "log.anchor_failed"


def test_anchors_of_others_and_torn_lines_are_passed_over_at_start(folder, tmp_path):
    with AuditLog.open(tmp_path / "other", app_version="1") as other:
        fill(other, 9)
    with AuditLog.open(folder, app_version="1") as log:
        fill(log, 4)
    with (folder / "anchors.jsonl").open("a") as file:
        file.write((tmp_path / "other" / "anchors.jsonl").read_text())
        file.write('{"note":"not a note"}\n[]\n{"no')
    with AuditLog.open(folder, app_version="1") as log:
        assert log.head().anchored == 4
        assert log.verify().status == 0


def test_anchors_can_lie_elsewhere(folder, tmp_path):
    elsewhere = tmp_path / "elsewhere" / "anchors.jsonl"
    elsewhere.parent.mkdir()
    with AuditLog.open(folder, app_version="1", anchors=elsewhere) as log:
        fill(log, 3)
        log.flush()
        assert log.head().anchored == 3
    assert not (folder / "anchors.jsonl").exists()


def test_a_start_compares_with_an_anchor_between_kept_checkpoints(folder):
    """The root at an anchor older than the head is made from the kept frontier and the leaves."""
    with AuditLog.open(folder, app_version="1") as log:
        fill(log, 8)
    anchors = folder / "anchors.jsonl"
    anchors.write_text("".join(anchors.read_text().splitlines(keepends=True)[:6]))
    AuditLog.open(folder, app_version="1").close()
    with sqlite3.connect(folder / "audit.sqlite") as db:
        db.execute("DROP TRIGGER audit_event_no_update")
        db.execute("UPDATE audit_event SET leaf_hash = randomblob(32) WHERE seq = 5")
    anchors.write_text("".join(anchors.read_text().splitlines(keepends=True)[:6]))
    with pytest.raises(Tampered, match="first 6 records"):
        AuditLog.open(folder, app_version="1")
