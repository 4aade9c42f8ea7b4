from __future__ import annotations

import ast
import gzip
import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from audit import AuditLog, State, Unavailable, verify
from tests.audit.events import asked, fill, intent

VERIFIER = Path(verify.__file__)


def alone(*arguments: object, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    """Runs a copy of the verifier with nothing but the standard library."""
    command = [python, "-I", "-S", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_a_clean_log_is_verified_and_the_report_says_how_far(log: AuditLog):
    fill(log, 30)
    report = log.verify()
    assert (report.status, report.findings, report.weaknesses) == (verify.OK, (), ())
    assert (report.first, report.last, report.records) == (1, 30, 30)
    assert report.proven_through == report.anchored_through == 30
    assert report.first_bad is None
    assert "VERIFIED and anchored" in report.as_text()
    assert json.loads(report.as_json())["status"] == 0


def test_a_deep_check_counts_intents(log: AuditLog):
    fill(log, 10)
    log.append(intent())
    closed, unknown, left_open = log.verify(deep=True).intents or (0, 0, 0)
    assert (closed >= 1, unknown, left_open) == (True, 0, 1)


def test_progress_goes_from_nothing_to_all(log: AuditLog, monkeypatch):
    monkeypatch.setattr(verify, "PROGRESS_EVERY", 10)
    fill(log, 35)
    seen: list[tuple[int, int]] = []
    log.verify(progress=lambda done, total: seen.append((done, total)))
    assert seen == [(10, 35), (20, 35), (30, 35), (35, 35)]


def test_a_log_in_use_raises_no_alarm(log: AuditLog):
    """The verifier sees one moment of the log, and only anchors of it, while others append."""
    stop = threading.Event()

    def work() -> None:
        number = 0
        while not stop.is_set():
            log.append(asked(number := number + 1))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        reports = [log.verify(deep=bool(n % 2)) for n in range(12)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert [r.findings for r in reports] == [()] * 12
    assert {r.status for r in reports} == {verify.OK}


def test_a_check_goes_on_where_the_last_one_ended(log: AuditLog):
    fill(log, 20)
    state = log.verify().state
    assert state is not None
    kept = State.load(state.dump(), [verify.parse_vkey(log.vkey)])
    assert kept == state
    fill(log, 33)
    report = log.verify(since=kept)
    assert (report.status, report.since, report.records) == (verify.OK, 20, 13)
    assert (report.first, report.last, report.proven_through) == (21, 33, 33)
    again = log.verify(since=report.state)
    assert (again.status, again.records) == (verify.OK, 0)
    whole = log.verify().state
    assert whole is not None
    assert again.state == whole


def test_a_saved_state_that_the_log_did_not_sign_is_refused(log: AuditLog):
    fill(log, 20)
    state = log.verify().state
    assert state is not None
    keys = [verify.parse_vkey(log.vkey)]
    raw = json.loads(state.dump())
    for changed in (
        {"note": raw["note"].replace("\n20\n", "\n19\n")},
        {"frontier": raw["frontier"][::-1]},
        {"frontier": raw["frontier"][:1]},
    ):
        with pytest.raises(ValueError, match="saved state"):
            State.load(json.dumps(raw | changed), keys)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("DELETE FROM audit_event WHERE seq > 15", "TRUNCATED"),
        ("DELETE FROM audit_event WHERE seq > 20", "TRUNCATED"),
        ("DELETE FROM audit_event WHERE seq = 21", "SEQ_GAP"),
        ("UPDATE audit_event SET record = record || ' ' WHERE seq = 20", "HASH_MISMATCH"),
        ("UPDATE audit_event SET record = replace(record, 'Read', 'Lost')", "HASH_MISMATCH"),
    ],
)
def test_going_on_notices_a_log_that_is_no_longer_the_same(log: AuditLog, change, code):
    fill(log, 20)
    state = log.verify().state
    fill(log, 25)
    with sqlite3.connect(log.database) as db:
        db.execute("DROP TRIGGER audit_event_no_delete")
        db.execute("DROP TRIGGER audit_event_no_update")
        db.execute(change)
    db.close()
    report = log.verify(since=state)
    assert report.status == verify.TAMPERED
    assert code in {finding.code for finding in report.findings}
    assert report.state is None


def test_less_is_promised_than_was_shown(log: AuditLog):
    fill(log, 9)
    log.flush()
    key = verify.parse_vkey(log.vkey)
    cases: dict[str, tuple[list[verify.VerifierKey], Path | None]] = {
        "No public key": ([], log.anchors),
        "No anchors": ([key], None),
    }
    for says, (keys, anchors) in cases.items():
        report = verify.verify_database(log.database, keys, anchors)
        assert report.status == verify.WEAK
        assert any(says in weakness for weakness in report.weaknesses)
        assert "VERIFIED" not in report.as_text().replace("NOT FULLY", "")


def test_records_whose_anchor_did_not_arrive_are_named(log: AuditLog, tmp_path):
    fill(log, 9)
    log.flush()
    behind = tmp_path / "anchors.jsonl"
    behind.write_text("".join(log.anchors.read_text().splitlines(keepends=True)[:7]))
    key = verify.parse_vkey(log.vkey)
    report = verify.verify_database(log.database, [key], behind, patience_s=0)
    assert (report.status, report.anchored_through) == (verify.WEAK, 7)
    assert report.weaknesses == ("Records 8 to 9 are not anchored.",)


def test_a_damaged_page_is_a_finding(folder, tmp_path):
    with AuditLog.open(folder, app_version="1") as log:
        fill(log, 60)
        vkey = verify.parse_vkey(log.vkey)
    raw = bytearray((folder / "audit.sqlite").read_bytes())
    with sqlite3.connect(folder / "audit.sqlite") as db:
        query = "SELECT pageno FROM dbstat WHERE name = 'audit_event' AND pagetype = 'leaf'"
        try:
            page = db.execute(query).fetchall()[2][0]
        except sqlite3.OperationalError:
            page = db.execute("SELECT rootpage + 12 FROM sqlite_master LIMIT 1").fetchone()[0]
    db.close()
    raw[(page - 1) * 8192 : page * 8192] = bytes(8192)
    damaged = tmp_path / "damaged.sqlite"
    damaged.write_bytes(raw)
    report = verify.verify_database(damaged, [vkey], folder / "anchors.jsonl", patience_s=0)
    assert report.status == verify.TAMPERED


def test_what_is_no_database_cannot_be_verified(log: AuditLog, capsys, tmp_path):
    other = tmp_path / "other.sqlite"
    other.write_text("no database at all " * 100)
    assert verify.main(["--db", str(other), "--quiet"]) == verify.CANNOT
    assert verify.main(["--db", str(tmp_path / "absent"), "--quiet"]) == verify.CANNOT
    assert "Cannot verify" in capsys.readouterr().err
    fill(log, 3)
    log.close()
    log.database.write_bytes(b"x" * 100)
    with pytest.raises(Unavailable):
        log.verify()


def test_the_verifier_imports_nothing_of_the_house_and_runs_on_python_3_9():
    tree = ast.parse(VERIFIER.read_text(encoding="utf-8"), feature_version=(3, 9))
    modules = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            modules.add((node.module or "").split(".")[0])
    assert modules <= sys.stdlib_module_names | {"cryptography", "__future__"}


def test_nothing_of_the_writer_uses_the_verifier_to_write():
    """Only reading, exporting and the names the package exports know the verifier."""
    known = set()
    for path in VERIFIER.parent.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            names = {a.name for a in node.names} if isinstance(node, ast.ImportFrom) else set()
            if isinstance(node, ast.ImportFrom) and (
                node.module == "audit.verify" or (node.module == "audit" and "verify" in names)
            ):
                known.add(path.name)
    assert known == {"__init__.py", "export.py", "reading.py", "verifypg.py"}


def test_the_file_alone_verifies_a_database(log: AuditLog, folder, tmp_path):
    fill(log, 25)
    log.close()
    copy = shutil.copy(VERIFIER, tmp_path / "verify.py")
    given = ["--db", log.database, "--vkey", folder / "log.vkey", "--anchors", log.anchors]
    done = alone(copy, *given, "--deep", "--json")
    assert done.returncode == verify.OK, done.stderr
    assert json.loads(done.stdout)["records"] == 25
    with sqlite3.connect(log.database) as db:
        db.execute("DROP TRIGGER audit_event_no_update")
        db.execute("UPDATE audit_event SET record = replace(record, 'u-ben', 'u-eve')")
    db.close()
    done = alone(copy, *given, "--quiet")
    assert done.returncode == verify.TAMPERED
    assert "HASH_MISMATCH" in done.stdout


def test_the_file_alone_saves_a_state_and_goes_on_from_it(folder, tmp_path):
    state = tmp_path / "state.json"
    with AuditLog.open(folder, app_version="1") as log:
        fill(log, 10)
    given = ["--db", log.database, "--vkey", log.vkey, "--anchors", log.anchors, "--quiet"]
    assert alone(VERIFIER, *given, "--save", state).returncode == verify.OK
    with AuditLog.open(folder, app_version="1") as log:
        fill(log, 15)
    done = alone(VERIFIER, *given, "--since", state, "--json")
    assert done.returncode == verify.OK, done.stdout
    assert json.loads(done.stdout)["since"] == 10


def test_a_key_that_is_none_is_refused_in_words(capsys):
    with pytest.raises(SystemExit):
        verify.main(["--db", "x", "--vkey", "nonsense"])
    assert "no public key" in capsys.readouterr().err


def test_a_file_of_lines_is_enough_to_check_the_chain(log: AuditLog, tmp_path):
    fill(log, 12)
    log.flush()
    lines = "".join(f"{record.line}\n" for record in log.tail(100))
    plain, packed = tmp_path / "seg.jsonl", tmp_path / "seg.jsonl.gz"
    plain.write_text(lines)
    packed.write_bytes(gzip.compress(lines.encode()))
    given = ["--vkey", log.vkey, "--anchors", str(log.anchors), "--quiet"]
    assert verify.main(["--jsonl", str(plain), *given]) == verify.OK
    assert verify.main(["--jsonl", str(packed), *given]) == verify.OK
    assert verify.main(["--jsonl", str(plain), "--vkey", log.vkey, "--quiet"]) == verify.WEAK


@pytest.mark.slow
def test_a_hundred_thousand_clean_records_raise_no_alarm(folder):
    from bench.audit import fill as fill_fast

    with AuditLog.open(folder, app_version="1") as log:
        fill_fast(log, 100_000)
        report = log.verify(deep=True)
        assert (report.status, report.findings, report.records) == (verify.OK, (), 100_001)
