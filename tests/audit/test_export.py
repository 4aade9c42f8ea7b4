from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path

import pytest

from audit import AuditError, AuditLog, Filter, export, verify
from tests.audit.events import fill
from tests.audit.test_verify import alone

FILES = {"records.jsonl", "checkpoint.txt", "anchors.jsonl", "log.vkey", "verify.py", "README.txt"}


@pytest.fixture
def filled(log: AuditLog) -> AuditLog:
    fill(log, 40)
    return log


def run(bundle: Path, log: AuditLog, **other: str) -> tuple[int, dict]:
    given = {"vkey": log.vkey, "anchors": log.anchors, **other}
    options = [text for name, value in given.items() for text in (f"--{name}", value)]
    done = alone(bundle / "verify.py", "--jsonl", bundle, *options, "--deep", "--json")
    return done.returncode, json.loads(done.stdout or "{}")


def test_a_complete_export_is_verified_elsewhere_with_nothing_installed(filled, tmp_path):
    exported = filled.export(tmp_path / "bundle")
    assert (exported.records, exported.first, exported.last, exported.complete) == (40, 1, 40, True)
    names = {path.name for path in (tmp_path / "bundle").iterdir()}
    assert names == FILES | {"checkpoints.jsonl"}
    status, report = run(tmp_path / "bundle", filled)
    assert (status, report["records"], report["anchored_through"]) == (verify.OK, 40, 40)
    readme = (tmp_path / "bundle" / "README.txt").read_text()
    assert "complete and in order" in readme


def test_the_bundles_own_anchors_and_key_work_too(filled, tmp_path):
    bundle = tmp_path / "bundle"
    filled.export(bundle)
    own = {"vkey": str(bundle / "log.vkey"), "anchors": str(bundle / "anchors.jsonl")}
    assert run(bundle, filled, **own)[0] == verify.OK
    done = alone(bundle / "verify.py", "--jsonl", bundle, "--quiet")
    assert done.returncode == verify.WEAK


def test_the_lines_are_the_ones_that_were_hashed(filled, tmp_path):
    filled.export(tmp_path / "bundle")
    lines = (tmp_path / "bundle" / "records.jsonl").read_text().splitlines()
    assert lines == [record.line for record in filled.tail(100)]


def test_an_export_as_a_stream_is_the_same_bundle_in_a_zip_file(filled, tmp_path):
    stream = io.BytesIO()
    filled.export(stream)
    with zipfile.ZipFile(stream) as archive:
        archive.extractall(tmp_path)
    assert run(tmp_path / "audit-export", filled)[0] == verify.OK


@pytest.mark.parametrize(
    "wanted",
    [
        Filter(outcome="denied"),
        Filter(text="orders"),
        Filter(types=("log.created",)),
        Filter(table="hr.employees", actors=("u-ben",)),
    ],
    ids=lambda wanted: ",".join(wanted.used),
)
def test_a_filtered_export_proves_each_record_and_says_what_it_cannot(filled, tmp_path, wanted):
    bundle = tmp_path / "bundle"
    exported = filled.export(bundle, wanted)
    assert not exported.complete
    assert exported.records == filled.search(wanted).total > 0
    names = {path.name for path in bundle.iterdir() if path.suffix != ".tlog-proof"}
    assert names == FILES | {"proofs.jsonl"}
    status, report = run(bundle, filled)
    assert (status, report["filtered"], report["records"]) == (verify.OK, True, exported.records)
    assert report["last"] == 40
    assert "It does not prove that no\nrecord was left out" in (bundle / "README.txt").read_text()


def test_a_filter_on_nothing_is_a_complete_export(filled, tmp_path):
    assert filled.export(tmp_path / "bundle", Filter()).complete


def test_a_filter_that_fits_nothing_is_an_export_of_nothing(filled, tmp_path):
    assert filled.export(tmp_path / "bundle", Filter(text="absent")).records == 0
    assert run(tmp_path / "bundle", filled)[0] == verify.WEAK


def tampered(bundle: Path, change: str) -> None:
    records = bundle / "records.jsonl"
    lines = records.read_text().splitlines(keepends=True)
    if change == "edited":
        lines[2] = lines[2].replace("hr.employees", "hr.vacancies", 1)
    elif change == "moved":
        lines[2], lines[3] = lines[3], lines[2]
    elif change == "copied":
        lines.insert(3, lines[2])
    elif change == "proofless":
        shutil.copy(bundle / "anchors.jsonl", bundle / "proofs.jsonl")
        (bundle / "proofs.jsonl").write_text("")
    elif change == "unproven":
        (bundle / "proofs.jsonl").unlink()
    elif change == "checkpoint":
        note = bundle / "checkpoint.txt"
        note.write_text(note.read_text().replace("\n40\n", "\n41\n"))
    records.write_text("".join(lines))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("edited", "NOT_INCLUDED"),
        ("moved", "SEQ_MISMATCH"),
        ("copied", "SEQ_MISMATCH"),
        ("proofless", "NOT_INCLUDED"),
        ("unproven", "SEQ_GAP"),
        ("checkpoint", "BAD_SIGNATURE"),
    ],
)
def test_a_changed_filtered_export_is_found(filled, tmp_path, change, code):
    bundle = tmp_path / "bundle"
    filled.export(bundle, Filter(outcome="denied"))
    tampered(bundle, change)
    status, report = run(bundle, filled)
    assert status == verify.TAMPERED
    assert code in {finding["code"] for finding in report["findings"]}


def test_a_record_removed_from_a_complete_export_is_found(filled, tmp_path):
    bundle = tmp_path / "bundle"
    filled.export(bundle)
    records = bundle / "records.jsonl"
    lines = records.read_text().splitlines(keepends=True)
    for kept, code in ((lines[:10] + lines[11:], "SEQ_GAP"), (lines[:-1], "TRUNCATED")):
        records.write_text("".join(kept))
        status, report = run(bundle, filled)
        assert status == verify.TAMPERED
        assert code in {finding["code"] for finding in report["findings"]}


def test_an_export_of_a_log_that_grows_meanwhile_is_of_one_moment(filled, tmp_path):
    bundle = tmp_path / "bundle"
    with filled._storage.reading() as log:
        head = log.head()
        fill(filled, 50)
        filled.flush()
        export.write(
            bundle,
            log,
            head,
            vkey=filled.vkey,
            anchors=filled.anchors,
            archive=filled._archive,
            seqs=None,
        )
    own = {"anchors": str(bundle / "anchors.jsonl")}
    status, report = run(bundle, filled, **own)
    assert (status, report["records"], report["anchored_through"]) == (verify.OK, 40, 40)


def test_an_export_does_not_mix_with_what_is_there(filled, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(AuditError, match="not empty"):
        filled.export(tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name != "audit"] == ["notes.txt"]
