"""The tamper cases: what an attacker with full write access can do, with and without the key."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from audit import AuditLog, Report, new_id, verify
from audit.checkpoint import sign
from audit.keys import SigningKey
from audit.verifypg import verify_postgres
from tests.audit.attacker import PgStolen, Stolen
from tests.audit.events import asked, fill
from tests.servers import ServerDatabase, fresh_database

SIZE = 45
"""Kept checkpoints lie at 1, 10, 20, 30 and 40, the head's at 45."""
OWN_KEY = bytes(range(32))


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean log with two copies of its database beside it: an older one, and one that went on."""
    place = tmp_path_factory.mktemp("original")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("audit.sequencer.KEEP_EVERY", 10)
        with AuditLog.open(place / "audit", app_version="1") as log:
            fill(log, 30)
        shutil.copytree(place / "audit", place / "older")
        with AuditLog.open(place / "audit", app_version="1") as log:
            fill(log, SIZE)
        (place / "older" / "anchors.jsonl").unlink()
        with AuditLog.open(place / "older", app_version="1", anchors=place / "fork.jsonl") as log:
            for number in range(SIZE - 30 + 4):
                log.append(asked(number, summary="Another past"))
    return place


@pytest.fixture
def stolen(original: Path, tmp_path: Path) -> Stolen:
    shutil.copytree(original / "audit", tmp_path / "audit")
    key = SigningKey.parse((original / "audit" / "signing.key").read_text().strip())
    found = Stolen(folder=tmp_path / "audit", key=key, fork=original / "older" / "audit.sqlite")
    found.read()
    return found


def check(found: Stolen, *, anchored: bool, deep: bool = False) -> Report:
    key = verify.parse_vkey(found.key.vkey)
    anchors = found.anchors if anchored else None
    return verify.verify_database(found.database, [key], anchors, deep=deep, patience_s=0)


def codes(report: Report) -> set[str]:
    return {finding.code for finding in report.findings}


def edit_one(log: Stolen) -> None:
    log.edit(7, "Read 5 rows", "Read 6 rows")


def edit_and_rehash(log: Stolen) -> None:
    log.edit(7, "Read 5 rows", "Read 6 rows")
    log.rehash(7)


def edit_a_column(log: Stolen) -> None:
    log.row(7)["actor"] = "u-someone-else"


def one_look_alike_character(log: Stolen) -> None:
    log.edit(7, "Read", "R\N{CYRILLIC SMALL LETTER IE}ad")


def delete_one(log: Stolen) -> None:
    del log.rows[6]


def delete_the_first(log: Stolen) -> None:
    del log.rows[0]


def swap_two_bodies(log: Stolen) -> None:
    fifth, seventh = log.row(5), log.row(7)
    fifth["seq"], seventh["seq"] = 7, 5
    log.rows.sort(key=lambda row: row["seq"])


def set_the_clock_back(log: Stolen) -> None:
    logged = log.row(SIZE)["logged"]
    log.edit(SIZE, f'"logged":"{logged}"', '"logged":"2020-01-01T00:00:00.000000Z"')
    log.row(SIZE)["logged"] = "2020-01-01T00:00:00.000000Z"
    log.rehash(SIZE)


def replay_an_event(log: Stolen) -> None:
    copy = log.copy_of(7)
    copy["record"] = copy["record"].replace(copy["logged"], log.row(SIZE)["logged"])
    log.rows.append(copy | {"logged": log.row(SIZE)["logged"]})
    log.relink(SIZE + 1)


def say_a_key_twice(log: Stolen) -> None:
    log.edit(SIZE, '"outcome":"', '"outcome":"denied","outcome":"')
    log.rehash(SIZE)


def delete_and_relink(log: Stolen) -> None:
    del log.rows[24]
    log.relink(25)


def truncate_below_a_checkpoint(log: Stolen) -> None:
    del log.rows[25:]


def insert_and_relink(log: Stolen) -> None:
    log.rows.insert(24, log.copy_of(24, new_id()))
    log.relink(25)


def rewrite(log: Stolen) -> None:
    log.edit(7, "Read 5 rows", "Read 6 rows")
    log.relink(7)


def rewrite_and_sign_with_own_key(log: Stolen) -> None:
    rewrite(log)
    log.resign(SigningKey(log.key.name, OWN_KEY))


def checkpoint_of_another_log(log: Stolen) -> None:
    log.notes[20] = log.notes[20].replace(log.key.name, "example.com/other")


def truncate_with_its_checkpoints(log: Stolen) -> None:
    log.drop_notes_above(25)
    del log.rows[20:]


def rewrite_and_drop_checkpoints(log: Stolen) -> None:
    rewrite(log)
    log.notes, log.head = {}, ""


def rewrite_with_the_stolen_key(log: Stolen) -> None:
    rewrite(log)
    log.resign(log.key)


def put_an_older_copy_back(log: Stolen) -> None:
    del log.rows[30:]
    log.drop_notes_above(30)


def go_on_from_an_older_copy(log: Stolen) -> None:
    log.read(log.fork)


def wipe_and_begin_anew(log: Stolen) -> None:
    log.rows = [log.copy_of(seq, new_id()) for seq in (1, 2, 3)]
    log.relink()
    log.notes = {1: ""}
    log.resign(log.key)


def truncate_the_end(log: Stolen) -> None:
    log.drop_notes_above(40)
    del log.rows[40:]


def append_a_forgery(log: Stolen) -> None:
    log.rows.append(log.copy_of(SIZE, new_id()))
    log.relink(SIZE + 1)


class Case(NamedTuple):
    number: int
    attack: Callable[[Stolen], None]
    code: str
    anchors: bool = False
    deep: bool = False


CASES = [
    # The chain shows it.
    Case(1, edit_one, "HASH_MISMATCH"),
    Case(2, edit_and_rehash, "CHAIN_BREAK"),
    Case(3, edit_a_column, "PROJECTION", deep=True),
    Case(4, one_look_alike_character, "HASH_MISMATCH"),
    Case(5, delete_one, "SEQ_GAP"),
    Case(6, delete_the_first, "SEQ_GAP"),
    Case(7, swap_two_bodies, "SEQ_MISMATCH"),
    Case(8, set_the_clock_back, "CLOCK_BACK"),
    Case(9, replay_an_event, "DUP_ID", deep=True),
    Case(10, say_a_key_twice, "NOT_CANONICAL", deep=True),
    # Signed checkpoints show it.
    Case(11, delete_and_relink, "ROOT_MISMATCH"),
    Case(12, truncate_below_a_checkpoint, "TRUNCATED"),
    Case(13, insert_and_relink, "ROOT_MISMATCH"),
    Case(14, rewrite, "ROOT_MISMATCH"),
    Case(15, rewrite_and_sign_with_own_key, "BAD_SIGNATURE"),
    Case(16, checkpoint_of_another_log, "BAD_SIGNATURE"),
    # Anchors show it.
    Case(17, truncate_with_its_checkpoints, "TRUNCATED", anchors=True),
    Case(18, rewrite_and_drop_checkpoints, "ROOT_MISMATCH", anchors=True),
    Case(19, rewrite_with_the_stolen_key, "EQUIVOCATION", anchors=True),
    Case(20, put_an_older_copy_back, "TRUNCATED", anchors=True),
    Case(21, go_on_from_an_older_copy, "EQUIVOCATION", anchors=True),
    Case(22, wipe_and_begin_anew, "TRUNCATED", anchors=True),
    # A signature and an anchor at every commit show it.
    Case(23, truncate_the_end, "TRUNCATED", anchors=True),
    Case(24, append_a_forgery, "UNSIGNED_TAIL"),
]


def identify(case: Case) -> str:
    return f"{case.number:02}-{case.attack.__name__}"


def test_promise_10_history_cannot_be_quietly_changed_but_an_honest_one_raises_no_alarm(
    stolen: Stolen,
):
    """The rebuilding itself is no change: without an attack the verifier finds nothing."""
    stolen.write()
    for deep in (False, True):
        report = check(stolen, anchored=True, deep=deep)
        assert (report.status, report.findings, report.weaknesses) == (verify.OK, (), ())
        assert report.proven_through == report.anchored_through == SIZE


@pytest.mark.parametrize("case", CASES, ids=identify)
def test_promise_10_history_cannot_be_quietly_changed(stolen: Stolen, case: Case):
    case.attack(stolen)
    stolen.write()
    report = check(stolen, anchored=case.anchors, deep=case.deep)
    assert report.status == verify.TAMPERED
    assert case.code in codes(report)
    assert verify.MEANINGS[case.code] in report.as_text()
    everything = check(stolen, anchored=True, deep=True)
    assert everything.status == verify.TAMPERED


@pytest.fixture(scope="module")
def server() -> Iterator[ServerDatabase]:
    with fresh_database("postgres") as database:
        yield database


@pytest.fixture(scope="module")
def in_postgres(server: ServerDatabase, tmp_path_factory: pytest.TempPathFactory) -> PgStolen:
    """A clean log in PostgreSQL as an attacker reads it, and a copy that went on from an older."""
    place = tmp_path_factory.mktemp("postgres")
    second = replace(server, name=f"{server.name}_fork")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("audit.sequencer.KEEP_EVERY", 10)
        with AuditLog.open(place / "audit", app_version="1", url=server.url()) as log:
            fill(log, 30)
        server.execute(f"CREATE DATABASE {second.name} TEMPLATE {server.name}")
        shutil.copytree(place / "audit", place / "fork")
        (place / "fork" / "anchors.jsonl").unlink()
        with AuditLog.open(place / "audit", app_version="1", url=server.url()) as log:
            fill(log, SIZE)
        with AuditLog.open(place / "fork", app_version="1", url=second.url()) as log:
            for number in range(SIZE - 30 + 4):
                log.append(asked(number, summary="Another past"))
    key = SigningKey.parse((place / "audit" / "signing.key").read_text().strip())
    forked = PgStolen(folder=place / "fork", key=key, fork=place, server=second)
    forked.read()
    server.execute(f"DROP DATABASE {second.name} WITH (FORCE)")
    found = PgStolen(folder=place / "audit", key=key, fork=place, server=server, forked=forked)
    found.read()
    return found


@pytest.fixture
def stolen_pg(in_postgres: PgStolen) -> PgStolen:
    return in_postgres.copy()


def check_pg(found: PgStolen, *, anchored: bool, deep: bool = False) -> Report:
    return verify_postgres(
        found.server.url(),
        [verify.parse_vkey(found.key.vkey)],
        found.anchors if anchored else None,
        deep=deep,
        patience_s=0,
    )


def test_promise_10_an_honest_log_in_postgresql_raises_no_alarm(stolen_pg: PgStolen):
    stolen_pg.write()
    for deep in (False, True):
        report = check_pg(stolen_pg, anchored=True, deep=deep)
        assert (report.status, report.findings, report.weaknesses) == (verify.OK, (), ())
        assert report.proven_through == report.anchored_through == SIZE


@pytest.mark.parametrize("case", CASES, ids=identify)
def test_promise_10_history_in_postgresql_cannot_be_quietly_changed(
    stolen_pg: PgStolen, case: Case
):
    """The attacker is a superuser: he has dropped every trigger and constraint."""
    case.attack(stolen_pg)
    stolen_pg.write()
    report = check_pg(stolen_pg, anchored=case.anchors, deep=case.deep)
    assert report.status == verify.TAMPERED
    assert case.code in codes(report)
    assert check_pg(stolen_pg, anchored=True, deep=True).status == verify.TAMPERED


@pytest.mark.parametrize("case", [c for c in CASES if c.anchors], ids=identify)
def test_without_anchors_no_log_is_ever_called_verified(stolen: Stolen, case: Case):
    """Nothing in the database contradicts these attacks, so its word alone is not enough."""
    case.attack(stolen)
    stolen.write()
    assert check(stolen, anchored=False).status in (verify.WEAK, verify.TAMPERED)


@pytest.mark.parametrize(
    ("attack", "bad", "proven"),
    [
        (edit_one, 7, 1),
        (delete_one, 8, 1),
        (rewrite, 10, 1),
        (insert_and_relink, 30, 20),
        (append_a_forgery, SIZE + 1, SIZE),
    ],
)
def test_the_first_bad_record_and_what_is_still_proven_are_named(
    stolen: Stolen, attack, bad, proven
):
    attack(stolen)
    stolen.write()
    report = check(stolen, anchored=False)
    assert report.first_bad is not None
    assert (report.first_bad.seq, report.proven_through) == (bad, proven)


def test_a_fork_is_found_though_each_copy_has_anchors_of_its_own(stolen: Stolen, original: Path):
    """Both copies anchor to one file: whichever is checked, the anchors of the other object."""
    with stolen.anchors.open("a") as file:
        file.write((original / "fork.jsonl").read_text())
    assert "EQUIVOCATION" in codes(check(stolen, anchored=True))
    go_on_from_an_older_copy(stolen)
    stolen.write()
    assert "EQUIVOCATION" in codes(check(stolen, anchored=True))


def test_a_forged_anchor_is_no_anchor(stolen: Stolen):
    rewrite(stolen)
    stolen.resign(SigningKey(stolen.key.name, OWN_KEY))
    stolen.write()
    stolen.anchors.write_text(json.dumps({"logged": "", "note": stolen.head}) + "\n")
    report = check(stolen, anchored=True)
    assert report.status == verify.TAMPERED
    assert report.anchored_through == 0


@pytest.mark.parametrize("root_agrees", [True, False])
def test_an_anchor_that_the_log_did_not_sign_is_named(stolen: Stolen, root_agrees):
    """Even beside a clean log: somebody wrote into the anchors."""
    *others, _ = stolen.anchors.read_text().splitlines()
    root = stolen.root(SIZE) if root_agrees else bytes(32)
    forged = sign(SigningKey(stolen.key.name, OWN_KEY), SIZE, root)
    lines = [*others, json.dumps({"logged": "", "note": forged})]
    stolen.anchors.write_text("".join(f"{line}\n" for line in lines))
    report = check(stolen, anchored=True)
    assert (report.status, codes(report)) == (verify.TAMPERED, {"BAD_SIGNATURE"})
    assert report.anchored_through < SIZE


def every_flip(raw: bytes) -> list[bytes]:
    flipped = []
    for place in range(len(raw)):
        bent = bytearray(raw)
        bent[place] ^= 1
        flipped.append(bytes(bent))
    return flipped


def test_no_byte_of_a_record_or_checkpoint_can_change_unnoticed(stolen: Stolen):
    with sqlite3.connect(stolen.database) as db:
        source = verify.open_database(db)
        rows = list(source.rows(0, False))[:3]
    db.close()
    key = verify.parse_vkey(stolen.key.vkey)
    stolen.rows = stolen.rows[:3]
    stolen.notes = {1: "", 3: ""}
    stolen.resign(stolen.key)
    notes = (stolen.notes[1], stolen.head)

    def status(rows: list[verify.Row], notes: tuple[str, ...]) -> int:
        held = verify.Source(lambda skip, _: iter(rows[skip:]), notes, len(rows))
        return verify.verify(held, [key], None).status

    assert status(rows, notes) == verify.WEAK  # nothing but the anchors is missing
    for index, (seq, line, stored) in enumerate(rows):
        for bent in every_flip(line):
            rows_bent = [*rows[:index], (seq, bent, stored), *rows[index + 1 :]]
            assert status(rows_bent, notes) in (verify.TAMPERED, verify.CANNOT)
            leaf = verify.hashlib.sha256(b"\x00" + bent).digest()
            rehashed = [*rows[:index], (seq, bent, leaf), *rows[index + 1 :]]
            assert status(rehashed, notes) in (verify.TAMPERED, verify.CANNOT)
        for bent in every_flip(stored):
            rows_bent = [*rows[:index], (seq, line, bent), *rows[index + 1 :]]
            assert status(rows_bent, notes) == verify.TAMPERED
    for index, note in enumerate(notes):
        for bent in every_flip(note.encode()):
            replaced = [*notes[:index], bent.decode(errors="replace"), *notes[index + 1 :]]
            assert status(rows, tuple(replaced)) == verify.TAMPERED


@pytest.mark.parametrize(
    "column", ["logged", "etype", "actor", "session", "request", "outcome", "id"]
)
def test_a_deep_check_finds_any_changed_column(stolen: Stolen, column):
    for value in ("changed", None, b"\xff"):
        stolen.row(7)[column] = value
        stolen.write()
        assert codes(check(stolen, anchored=True, deep=True)) == {"PROJECTION"}


@pytest.mark.parametrize("value", [None, 12, b"\xff\xfe", "", "{}", "[]", '{"v":1}', "x" * 100_000])
def test_whatever_stands_in_place_of_a_record_is_a_finding_and_not_a_crash(stolen: Stolen, value):
    stolen.row(7)["record"] = value
    stolen.write()
    for deep in (False, True):
        report = check(stolen, anchored=True, deep=deep)
        assert report.status == verify.TAMPERED
        assert report.first_bad is not None
        assert report.first_bad.seq == 7


@pytest.mark.parametrize("text", ["1e3", "1.0", "NaN", "-0", "01", "Infinity", '"a"  '])
def test_a_deep_check_finds_another_spelling_even_of_a_record_that_was_signed(stolen, text):
    stolen.edit(SIZE, '"outcome":', f'"number":{text},"outcome":')
    stolen.relink(SIZE)
    stolen.resign(stolen.key)
    stolen.write()
    assert check(stolen, anchored=False).findings == ()
    assert codes(check(stolen, anchored=False, deep=True)) == {"NOT_CANONICAL"}


def test_a_record_of_an_unknown_version_is_not_judged(stolen: Stolen):
    stolen.row(SIZE)["record"] = stolen.row(SIZE)["record"].replace('"v":1}', '"v":2}')
    stolen.rehash(SIZE)
    stolen.write()
    report = check(stolen, anchored=True)
    assert report.status == verify.CANNOT
    assert codes(report) == {"UNKNOWN_VERSION"}


def test_an_unknown_version_does_not_hide_what_is_wrong_before_it(stolen: Stolen):
    edit_one(stolen)
    stolen.row(SIZE)["record"] = stolen.row(SIZE)["record"].replace('"v":1}', '"v":2}')
    stolen.write()
    assert check(stolen, anchored=True).status == verify.TAMPERED
