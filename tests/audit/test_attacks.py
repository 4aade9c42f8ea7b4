"""Attacks beside the 24 cases: on segments, keys, anchors, the clock, the index and the payloads.

The attacker writes every file but the keys. What only a copy elsewhere can show is here as well, so
that nobody takes it for shown.
"""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit import AuditLog, Filter, Message, Tampered, verify
from audit import keys as keyfiles
from audit.checkpoint import sign
from audit.keys import SigningKey
from audit.rotation import rotated
from tests.audit.attacker import Stolen
from tests.audit.events import ANA, BEN, asked, fill

NOW = datetime(2100, 1, 1, tzinfo=UTC)
OWN_KEY = bytes(range(32))
ORIGIN = "example.com/log"


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.sequencer.KEEP_EVERY", 10)
    monkeypatch.setattr("audit.sealing.next_segment.__defaults__", (20,))


def check(
    folder: Path, *, vkey: str | None = None, anchors: Path | None = None, sealed: bool = True
) -> verify.Report:
    return verify.verify_database(
        folder / "audit.sqlite",
        [verify.parse_vkey(vkey or (folder / "log.vkey").read_text())],
        anchors or folder / "anchors.jsonl",
        deep=True,
        segments=folder / "segments" if sealed else None,
        patience_s=0,
    )


def codes(report: verify.Report) -> set[str]:
    return {finding.code for finding in report.findings}


def stolen(folder: Path) -> Stolen:
    key = SigningKey.parse((folder / "signing.key").read_text().strip())
    found = Stolen(folder=folder, key=key, fork=folder)
    found.read()
    return found


# --- Sealed segments ---


@pytest.fixture
def sealed(folder: Path) -> Path:
    """The segments of a log: records 1 to 60 in three files, and a few in the database."""
    with AuditLog.open(folder, app_version="1", origin=ORIGIN) as log:
        fill(log, 65)
        log.seal(NOW)
        fill(log, 75)
    assert check(folder).status == verify.OK
    return folder / "segments"


def files(segments: Path, ending: str) -> list[Path]:
    return sorted(segments.glob(f"*{ending}"))


def drop(segments: Path, *places: int) -> None:
    for ending in (".json", ".jsonl.gz"):
        found = files(segments, ending)
        for place in places:
            found[place].unlink()


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def swap(one: Path, other: Path) -> None:
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)


def another_logs_checkpoint(segments: Path) -> None:
    path = files(segments, ".json")[0]
    note = json.loads(path.read_text())["note"]
    forged = sign(SigningKey(ORIGIN, OWN_KEY), 20, base64.b64decode(note.split("\n")[2]))
    change(path, note=forged)


def an_invented_rotation(segments: Path) -> None:
    old, new = SigningKey(ORIGIN, bytes(32)), SigningKey(ORIGIN, OWN_KEY)
    event = rotated(old, new).document({})
    line = f'{{"event":{json.dumps(event)},"logged":"","prev":"{"0" * 64}","seq":9,"v":1}}'
    change(files(segments, ".json")[0], marks=[line])


ON_SEGMENTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "all of them removed": (lambda s: drop(s, 0, 1, 2), "NOT_SEALED"),
    "with their folder": (shutil.rmtree, "NOT_SEALED"),
    "the newest removed": (lambda s: drop(s, 2), "NOT_SEALED"),
    "the oldest removed": (lambda s: drop(s, 0), "SEQ_GAP"),
    "records removed as if they had expired": (
        lambda s: files(s, ".jsonl.gz")[0].unlink(),
        "NOT_SEALED",
    ),
    "two files swapped": (lambda s: swap(*files(s, ".jsonl.gz")[:2]), "SEQ_MISMATCH"),
    "a manifest that says another time": (
        lambda s: change(files(s, ".json")[0], last_logged="2000-01-01T00:00:00.000000Z"),
        "UNREADABLE",
    ),
    "a manifest with another log's checkpoint": (another_logs_checkpoint, "BAD_SIGNATURE"),
    "a manifest with another hash at its end": (
        lambda s: change(files(s, ".json")[2], last_hash="0" * 64),
        "OK",
    ),
    "a manifest with a change of the key that never was": (an_invented_rotation, "BAD_ROTATION"),
}


@pytest.mark.parametrize("attack", ON_SEGMENTS)
def test_promise_10_what_happened_to_sealed_records_is_found(sealed: Path, attack: str):
    act, code = ON_SEGMENTS[attack]
    act(sealed)
    report = check(sealed.parent)
    if code == "OK":  # nobody goes by it while the records are there
        assert report.status == verify.OK
    else:
        assert report.status == verify.TAMPERED
        assert code in codes(report)


def test_a_manifest_in_the_middle_that_is_gone_is_no_log_to_verify(sealed: Path):
    drop(sealed, 1)
    with pytest.raises(ValueError, match="does not follow"):
        check(sealed.parent)


def test_without_the_segments_the_live_part_verifies_and_says_what_is_not_here(sealed: Path):
    report = check(sealed.parent, sealed=False)
    assert (report.status, report.sealed_through) == (verify.OK, 60)


def test_a_manifest_cannot_make_records_expire_early(sealed: Path):
    change(files(sealed, ".json")[0], last_logged="2000-01-01T00:00:00.000000Z")
    with (
        AuditLog.open(sealed.parent, app_version="1") as log,
        pytest.raises(Tampered, match="manifest"),
    ):
        log.expire(6)
    assert len(files(sealed, ".jsonl.gz")) == 3


# --- Keys ---


def test_a_change_of_the_key_that_the_old_key_did_not_sign_is_found(folder: Path):
    with AuditLog.open(folder, app_version="1", origin=ORIGIN) as log:
        fill(log, 15)
        log.rotate_key()
        fill(log, 20)
    found, own = stolen(folder), SigningKey(ORIGIN, OWN_KEY)
    (row,) = [row for row in found.rows if row["etype"] == "key.rotated"]
    facts = json.loads(row["record"])["event"]["key"]
    row["record"] = row["record"].replace(facts["new"], own.vkey)
    found.relink(row["seq"])
    found.notes = {n: note for n, note in found.notes.items() if n < row["seq"]}
    found.head = sign(own, len(found.rows), found.root(len(found.rows)))
    found.write()
    for vkey in (facts["old"], facts["new"], own.vkey):
        report = check(folder, vkey=vkey)
        assert report.status == verify.TAMPERED
        assert {"BAD_ROTATION", "BAD_SIGNATURE"} & codes(report)


def test_a_retired_key_signs_nothing_more(folder: Path):
    """Who stole the old key writes on from before the change, as if there had been none."""
    with AuditLog.open(folder, app_version="1", origin=ORIGIN) as log:
        fill(log, 15)
        retired = SigningKey.parse((folder / "signing.key").read_text().strip())
        log.rotate_key()
        fill(log, 25)
    found = stolen(folder)
    del found.rows[15:]
    found.rows += [found.copy_of(n, f"forged-{n}") for n in range(3, 14)]
    found.relink(16)
    found.notes = {}
    found.head = sign(retired, len(found.rows), found.root(len(found.rows)))
    found.write()
    for vkey in (retired.vkey, (folder / "log.vkey").read_text()):
        assert check(folder, vkey=vkey).status == verify.TAMPERED


def test_a_second_log_of_the_same_name_is_not_taken_for_the_first(folder: Path, tmp_path: Path):
    with AuditLog.open(folder, app_version="1", origin=ORIGIN) as log:
        fill(log, 15)
        vkey = log.vkey
    with AuditLog.open(tmp_path / "second", app_version="1", origin=ORIGIN) as log:
        fill(log, 25)
    for path in [*folder.glob("audit.sqlite*"), folder / "anchors.jsonl"]:
        path.unlink()
    for name in ("audit.sqlite", "anchors.jsonl"):
        shutil.copy2(tmp_path / "second" / name, folder / name)
    report = check(folder, vkey=vkey)
    assert (report.status, codes(report) & {"BAD_SIGNATURE"}) == (
        verify.TAMPERED,
        {"BAD_SIGNATURE"},
    )
    with pytest.raises(Tampered):
        AuditLog.open(folder, app_version="1")


# --- Anchors ---


def test_an_older_file_of_anchors_leaves_records_that_are_not_anchored(folder: Path):
    with AuditLog.open(folder, app_version="1") as log:
        fill(log, 10)
        log.flush()
        older = log.anchors.read_bytes()
        fill(log, 15)
    (folder / "anchors.jsonl").write_bytes(older)
    report = check(folder)
    assert report.status == verify.WEAK
    assert report.weaknesses == ("Records 11 to 15 are not anchored.",)


def test_an_older_log_with_its_older_anchors_is_shown_by_a_copy_elsewhere_only(
    folder: Path, tmp_path: Path
):
    with AuditLog.open(folder, app_version="1") as log:
        fill(log, 10)
    shutil.copytree(folder, tmp_path / "older")
    with AuditLog.open(folder, app_version="1") as log:
        fill(log, 15)
    elsewhere = tmp_path / "elsewhere.jsonl"
    shutil.copy2(folder / "anchors.jsonl", elsewhere)
    older = tmp_path / "older"
    assert check(older).status == verify.OK  # nothing on this machine contradicts it
    assert codes(check(older, anchors=elsewhere)) == {"TRUNCATED"}


# --- The clock ---


def test_a_clock_that_was_ahead_is_said_until_its_time_comes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    class Ahead(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(days=400)

    with AuditLog.open(folder, app_version="1") as log:
        log.append(asked(1))
        assert log.warnings() == ()
        with monkeypatch.context() as patch:
            patch.setattr("audit.sequencer.datetime", Ahead)
            log.append(asked(2))
        log.append(asked(3))
        (said,) = log.warnings()
        assert "a clock was ahead" in said
        assert log.verify(deep=True).status == 0
    with AuditLog.open(folder, app_version="1") as log:
        log.append(asked(4))
        assert log.warnings() == (said,)


# --- The search index, which is no evidence ---


def test_an_index_that_hides_events_is_made_anew(folder: Path):
    with AuditLog.open(folder, app_version="1") as log:
        fill(log, 20)
        before = log.search(Filter(person=ANA.id)).total
        with sqlite3.connect(folder / "search.sqlite") as db:
            db.execute("INSERT INTO entry(entry) VALUES ('delete-all')")
            db.execute("DELETE FROM decision")
        assert log.search(Filter(person=ANA.id)).total == 0
        assert log.verify(deep=True).status == 0
        log.renew_search()
        assert log.search(Filter(person=ANA.id)).total == before > 0


def test_an_index_that_names_other_records_shows_what_they_are(folder: Path):
    with AuditLog.open(folder, app_version="1") as log:
        fill(log, 6)
        log.append(asked(1, actor=BEN, summary="Another question"))
        log.search(Filter(text="warm"))
        with sqlite3.connect(folder / "search.sqlite") as db:
            db.execute("INSERT INTO entry(entry) VALUES ('delete-all')")
            db.execute("INSERT INTO entry (rowid, words, keys) VALUES (7, 'nothing', '')")
        (record,) = log.search(Filter(text="nothing")).records
        assert record.event.actor == BEN
        assert record.fits


# --- Whose a payload is ---


@pytest.fixture
def two(folder: Path):
    """A log with a long event of each of two persons."""
    with AuditLog.open(folder, app_version="1") as log:
        long = (Message(question="Whole sentence. " * 3000),)
        mine = log.append(asked(1, parts=long, actor=ANA))
        others = log.append(asked(2, parts=long, actor=BEN))
        yield log, log.record(mine.seq), log.record(others.seq)


def in_payloads(folder: Path, *statements: str) -> None:
    with sqlite3.connect(folder / "payloads.sqlite") as db:
        for statement in statements:
            db.execute(statement)


def swapped(table: str) -> tuple[str, ...]:
    return (
        f"UPDATE {table} SET subject = 'x' WHERE subject = '{ANA.id}'",
        f"UPDATE {table} SET subject = '{ANA.id}' WHERE subject = '{BEN.id}'",
        f"UPDATE {table} SET subject = '{BEN.id}' WHERE subject = 'x'",
    )


@pytest.mark.parametrize("tables", [("subject_key",), ("payload",), ("subject_key", "payload")])
def test_erasing_refuses_where_two_persons_were_swapped(two, folder: Path, tables):
    log, mine, _ = two
    in_payloads(folder, *(one for table in tables for one in swapped(table)))
    with pytest.raises(Tampered, match="another person"):
        log.erase(ANA.id)
    with sqlite3.connect(folder / "payloads.sqlite") as db:
        assert db.execute("SELECT count(*) FROM subject_key").fetchone() == (2,)
    with pytest.raises(Tampered):
        log.payload(mine)


def test_a_payload_that_is_gone_is_not_taken_for_erased(two, folder: Path):
    log, mine, others = two
    in_payloads(folder, f"DELETE FROM payload WHERE subject = '{ANA.id}'")
    log.erase(BEN.id)
    with pytest.raises(Tampered, match="does not say"):
        log.payload(mine)
    assert log.payload(others) is None


def test_keys_that_are_made_anew_are_those_of_another_log(folder: Path):
    with AuditLog.open(folder, app_version="1", origin=ORIGIN) as log:
        fill(log, 5)
    for path in folder.glob("*.key"):
        path.unlink()
    (folder / "log.vkey").unlink()
    keyfiles.create(folder, ORIGIN)
    with pytest.raises(Tampered):
        AuditLog.open(folder, app_version="1")
