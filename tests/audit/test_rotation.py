"""A change of the signing key: recorded, followed by the verifier, finished after a crash."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from audit import AuditLog, KeyUnusable, keys, rotation, verify
from audit.keys import SigningKey
from tests.audit.events import asked, fill
from tests.audit.test_tamper import codes


def check(folder: Path, vkey: str) -> verify.Report:
    return verify.verify_database(
        folder / "audit.sqlite",
        [verify.parse_vkey(vkey)],
        folder / "anchors.jsonl",
        deep=True,
        patience_s=0,
    )


def test_the_log_goes_on_with_the_new_key_and_verifies_with_either(log: AuditLog, folder: Path):
    first = log.vkey
    fill(log, 5)
    second = log.rotate_key()
    fill(log, 9)
    third = log.rotate_key()
    fill(log, 12)
    log.flush()
    assert len({first, second, third}) == 3
    assert log.vkeys == (third, second, first)
    assert (folder / "log.vkey").read_text().strip() == third
    for known in (first, second, third):
        report = check(folder, known)
        assert (report.status, report.findings) == (verify.OK, ())
        assert len(report.keys) == 3
    assert log.verify(deep=True).status == verify.OK


def test_the_record_of_the_change_is_signed_by_both_keys(log: AuditLog):
    first = log.vkey
    log.rotate_key()
    record = log.tail(1)[0]
    assert record.event.type == "key.rotated"
    note = verify.parse_note(log.head().note)
    assert note is not None
    for vkey in (first, log.vkey):
        assert verify.signed_by(note, [verify.parse_vkey(vkey)])
    facts = json.loads(record.line)["event"]["key"]
    assert (facts["old"], facts["new"]) == (first, log.vkey)
    assert verify.rotation_text(first, log.vkey) == (
        f"gatehouse key rotation\n{first}\n{log.vkey}\n".encode()
    )


def test_a_reopened_log_signs_with_the_new_key(folder: Path):
    with AuditLog.open(folder, app_version="1") as log:
        fresh = log.rotate_key()
    with AuditLog.open(folder, app_version="2") as log:
        log.append(asked())
        assert log.vkey == fresh
        assert log.head().anchored >= 2
        assert log.verify().status == verify.OK


def test_another_process_on_the_folder_finds_the_new_key(log: AuditLog, folder: Path):
    with AuditLog.open(folder, app_version="2") as other:
        fresh = other.rotate_key()
        log.append(asked(1))
        assert log.vkey == fresh
        other.append(asked(2))
    assert log.verify(deep=True).status == verify.OK


@pytest.mark.parametrize("step", ["before_commit", "after_commit", "between_files"])
def test_a_rotation_cut_off_at_any_step_is_done_or_never_happened(folder: Path, step: str):
    patches = {
        "before_commit": "sequencer._Batch.sign_with",
        "after_commit": "sequencer.keyfiles.end_rotation",
        "between_files": "keys.load",
    }
    script = (
        "import os, sys; from pathlib import Path; import audit.sequencer, audit.keys\n"
        "from audit import AuditLog\n"
        "log = AuditLog.open(Path(sys.argv[1]), app_version='1')\n"
        "print(log.vkey, flush=True)\n"
        f"audit.{patches[step]} = lambda *_: os._exit(9)\n"
        "log.rotate_key()"
    )
    child = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=False
    )
    assert child.returncode == 9, child.stderr
    before = child.stdout.strip()
    with AuditLog.open(folder, app_version="2") as log:
        assert (log.vkey == before) == (step == "before_commit")
        log.append(asked())
        report = log.verify(deep=True)
        assert (report.status, report.findings) == (verify.OK, ())
    assert check(folder, before).status == verify.OK


def forge(folder: Path, **facts: str) -> None:
    """Writes a change of the key into the log with the log's own means, but other facts."""
    with AuditLog.open(folder, app_version="1") as log:
        event = rotation.rotated(log._keys.signing, SigningKey.make(log.origin))
        part = event.parts[0]
        object.__setattr__(part, "old_signature", facts.get("old", part.old_signature))
        object.__setattr__(part, "new_signature", facts.get("new", part.new_signature))
        log.append(event)


@pytest.mark.parametrize("which", ["old", "new"])
def test_a_change_that_one_of_the_keys_did_not_sign_is_refused(folder: Path, which: str):
    with AuditLog.open(folder, app_version="1") as log:
        vkey = log.vkey
    other = SigningKey.make("x")
    forge(folder, **{which: base64.b64encode(other.sign(b"something")).decode()})
    report = check(folder, vkey)
    assert report.status == verify.TAMPERED
    assert "BAD_ROTATION" in codes(report)


def test_the_old_key_signs_nothing_after_it_was_replaced(folder: Path):
    with AuditLog.open(folder, app_version="1") as log:
        first = log.vkey
        old = log._keys
        log.rotate_key()
        log._sequencer.keys = old
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("audit.sequencer.signed_last_by", lambda *_: True)
            log.append(asked())
    report = check(folder, first)
    assert report.status == verify.TAMPERED
    assert "BAD_SIGNATURE" in codes(report)


def test_a_key_of_a_stranger_verifies_nothing(log: AuditLog, folder: Path):
    log.rotate_key()
    log.flush()
    report = check(folder, SigningKey.make(log.origin).vkey)
    assert report.status == verify.TAMPERED
    assert codes(report) == {"BAD_SIGNATURE"}


def test_without_the_key_that_signed_last_nothing_is_written(log: AuditLog, folder: Path):
    old = (folder / "signing.key").read_text()
    log.rotate_key()
    log.close()
    (folder / "signing.key").write_text(old)
    with pytest.raises(KeyUnusable, match="changed by another instance, or is lost"):
        AuditLog.open(folder, app_version="1")


def test_a_saved_state_is_good_across_a_change_of_the_key(log: AuditLog, folder: Path):
    first = verify.parse_vkey(log.vkey)
    fill(log, 4)
    log.rotate_key()
    state = log.verify().state
    assert state is not None
    with pytest.raises(ValueError, match="not signed"):
        verify.State.load(state.dump(), [verify.parse_vkey(SigningKey.make(log.origin).vkey)])
    lines = [r.line.encode() for r in log.tail(50) if r.event.type == "key.rotated"]
    again = verify.State.load(state.dump(), [first], lines)
    fill(log, 9)
    assert log.verify(since=again).status == verify.OK
    assert keys.next_key(folder) is None
