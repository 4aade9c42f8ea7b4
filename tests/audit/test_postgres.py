"""Several instances on one PostgreSQL log, by a role that may only append and read."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from audit import (
    AuditError,
    AuditLog,
    Filter,
    KeyUnusable,
    RolledBack,
    Tampered,
    Unavailable,
    pgappend,
    pgschema,
)
from audit.pgconnect import Connection
from tests.audit.events import asked, executed, fill, intent
from tests.servers import ServerDatabase

ROLE = "gatehouse_app"
WRITER = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from audit import AuditLog
from tests.audit.events import asked

folder, url, count, threads = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
log = AuditLog.open(folder, app_version="1", url=url)
print("ready", flush=True)

def work(number):
    begun = time.monotonic()
    receipt = log.append(asked(number))
    took = time.monotonic() - begun
    sys.stdout.write(f"{receipt.seq} {receipt.hash} {took}\\n")
    sys.stdout.flush()

with ThreadPoolExecutor(threads) as pool:
    list(pool.map(work, range(count)))
"""


@dataclass
class Shared:
    """A log in a database whose schema another role owns."""

    database: ServerDatabase
    folder: Path

    @property
    def url(self) -> str:
        return self.database.url(ROLE, "secret")

    def open(self, folder: Path | None = None, **options: object) -> AuditLog:
        return AuditLog.open(folder or self.folder, app_version="1", url=self.url)

    def another_instance(self, name: str) -> Path:
        """A folder of its own, with the same keys."""
        folder = self.folder.with_name(name)
        folder.mkdir(mode=0o700)
        for path in [*self.folder.glob("*.key"), *self.folder.glob("*.vkey*")]:
            shutil.copy2(path, folder / path.name)
        return folder


@pytest.fixture
def shared(postgres: ServerDatabase, tmp_path: Path) -> Iterator[Shared]:
    postgres.execute(pgschema.DDL)
    postgres.execute(
        f"DO $$ BEGIN CREATE ROLE {ROLE} LOGIN PASSWORD 'secret';"
        " EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    )
    postgres.execute(pgschema.grants(ROLE))
    yield Shared(database=postgres, folder=tmp_path / "audit")
    postgres.execute(f"DROP OWNED BY {ROLE}")


def test_the_log_is_written_read_searched_and_verified(shared: Shared):
    with shared.open() as log:
        fill(log, 30)
        begun = intent()
        log.append_many((begun, executed(begun)))
        assert log.changed() == 32
        assert [r.seq for r in log.tail(3)] == [30, 31, 32]
        assert log.search(Filter(text="hr.employees")).total > 0
        report = log.verify(deep=True)
        assert (report.status, report.findings, report.records) == (0, (), 32)
        assert log.head().anchored == 32


def test_what_was_written_is_there_after_a_restart_and_an_old_receipt_comes_back(shared: Shared):
    event = asked(1)
    with shared.open() as log:
        receipt = log.append(event)
    with shared.open() as log:
        assert log.append(event) == receipt
        assert log.changed() == 2


def test_an_export_verifies_with_nothing_but_the_standard_library(shared: Shared, tmp_path: Path):
    with shared.open() as log:
        fill(log, 20)
        log.export(tmp_path / "export")
    command = "verify.py --jsonl . --vkey log.vkey --anchors anchors.jsonl --deep"
    checked = subprocess.run(
        [sys.executable, "-I", "-S", *command.split()],
        cwd=tmp_path / "export",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, checked.stderr), checked.stdout


REFUSED = {
    "update": "UPDATE audit.event SET record = 'x' WHERE seq = 3",
    "delete": "DELETE FROM audit.event WHERE seq = 3",
    "truncate": "TRUNCATE audit.event",
    "drop": "DROP TABLE audit.event",
    "drop the schema": "DROP SCHEMA audit CASCADE",
    "insert": "INSERT INTO audit.event SELECT 7, 'new', leaf_hash, leaf_hash, record, logged,"
    " etype, actor, session, request, outcome FROM audit.event WHERE seq = 6",
    "switch the triggers off": "ALTER TABLE audit.event DISABLE TRIGGER ALL",
    "replica mode": "SET session_replication_role = replica",
    "change the head": "UPDATE audit.head SET size = 3",
    "remove the head": "DELETE FROM audit.head",
    "change a checkpoint": "UPDATE audit.checkpoint SET note = 'x'",
    "remove checkpoints": "TRUNCATE audit.checkpoint",
    "forget an intent": "DELETE FROM audit.open_intent",
    "remove a key": "DELETE FROM audit.subject_key",
    "prune": "SELECT audit.prune(1)",
    "replace the function": "CREATE OR REPLACE FUNCTION audit.refuse() RETURNS trigger"
    " LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
    "a table of its own": "CREATE TABLE audit.other (x int)",
}


@pytest.mark.parametrize("attempt", REFUSED)
def test_the_application_role_can_only_append_and_read(shared: Shared, attempt: str):
    with shared.open() as log:
        fill(log, 6)
        with (
            psycopg.connect(shared.url, autocommit=True) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(REFUSED[attempt])
        assert log.verify(deep=True).status == 0


@pytest.mark.parametrize("attempt", ["update", "delete", "truncate", "remove the head"])
def test_even_the_owner_is_stopped_by_the_triggers(shared: Shared, attempt: str):
    with shared.open() as log:
        fill(log, 6)
    with pytest.raises(psycopg.errors.IntegrityError, match="append-only"):
        shared.database.execute(REFUSED[attempt])


CALL = """
SELECT audit.append(ARRAY['new'], {prev}, {record}, ARRAY['e'], ARRAY['a'], ARRAY[NULL],
  ARRAY[NULL], ARRAY['o'], {size}, {leaf}, ''::bytea, 't', 'n', 0, ''::bytea, false,
  '{{}}', '{{}}', '{{}}', '{{}}')
FROM audit.head"""
RECORD = """format('{"prev":"%s","seq":%s,"v":1}', encode(leaf_hash, 'hex'), size + 1)"""
FOLLOWS = {"prev": "leaf_hash", "record": RECORD, "size": "size + 1"}
LEAF = "sha256('\\x00'::bytea || convert_to({record}, 'UTF8'))"


def call(**changes: str) -> str:
    given = {**FOLLOWS, **changes}
    given.setdefault("leaf", LEAF.replace("{record}", given["record"]))
    return CALL.format(**given)


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("prev", "sha256('x')"),
        ("leaf", "sha256('x')"),
        ("record", "'{}'"),
        ("record", RECORD.replace("size + 1", "size + 2")),
        ("record", RECORD.replace("leaf_hash", "sha256('x')")),
        ("record", f"{RECORD} || E'\\n' || {RECORD}"),
        ("size", "size + 2"),
        ("size", "size"),
    ],
)
def test_the_function_takes_only_what_continues_the_chain(shared: Shared, what: str, value: str):
    with shared.open() as log:
        fill(log, 6)
    with psycopg.connect(shared.url, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.IntegrityError):
            connection.execute(call(**{what: value}))
        connection.execute("BEGIN")
        connection.execute(call())
        connection.execute("ROLLBACK")


def start(folder: Path, url: str, count: int, threads: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), url, str(count), str(threads)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def told(output: str) -> dict[int, tuple[str, float]]:
    lines = [line.split() for line in output.splitlines(keepends=True) if line.endswith("\n")]
    return {int(seq): (stored, float(took)) for seq, stored, took in lines[1:]}


def test_sixteen_writers_in_four_instances_make_one_chain(shared: Shared):
    shared.open().close()
    folders = [shared.another_instance(f"instance-{n}") for n in range(4)]
    children = [start(folder, shared.url, 60, 4) for folder in folders]
    receipts: dict[int, tuple[str, float]] = {}
    for child in children:
        output, _ = child.communicate(timeout=120)
        assert child.returncode == 0
        mine = told(output)
        assert len(mine) == 60
        assert not receipts.keys() & mine.keys()
        receipts |= mine
    with shared.open() as log:
        records = {record.seq: record.hash for record in log.tail(1000)}
        assert sorted(records) == list(range(1, 242))
        assert {seq: found for seq, (found, _) in receipts.items()}.items() <= records.items()
        assert log.verify(deep=True).status == 0
    # Nobody starves: the queue is the server's, and everybody's turn comes within a few rounds.
    waits = sorted(took for _, took in receipts.values())
    assert waits[-1] < 100 * waits[len(waits) // 2]


def killed(shared: Shared, folders: list[Path], after: int) -> dict[int, tuple[str, float]]:
    children = [start(folder, shared.url, 100_000, 4) for folder in folders]
    outputs = []
    for child in children:
        assert child.stdout is not None
        outputs.append("".join(child.stdout.readline() for _ in range(after)))
    for child in children:
        child.send_signal(signal.SIGKILL)
    receipts: dict[int, tuple[str, float]] = {}
    for child, output in zip(children, outputs, strict=True):
        assert child.stdout is not None
        receipts |= told(output + child.stdout.read())
        child.wait(30)
    return receipts


def test_promise_09_kill_nine_loses_no_acknowledged_record_on_postgresql(shared: Shared):
    shared.open().close()
    folders = [shared.another_instance(f"instance-{n}") for n in range(2)]
    receipts: dict[int, tuple[str, float]] = {}
    for number in range(2):
        receipts |= killed(shared, folders, 30 + 11 * number)
        with shared.open() as log:
            records = {record.seq: record.hash for record in log.tail(100_000)}
            assert {seq: h for seq, (h, _) in receipts.items()}.items() <= records.items()
            assert sorted(records) == list(range(1, len(records) + 1))
            report = log.verify(deep=True)
            assert (report.status, report.findings) == (0, ())
    assert len(receipts) >= 120


def test_an_intent_left_by_a_dead_instance_becomes_unknown_and_a_living_ones_stays(shared: Shared):
    with shared.open() as log:
        script = (
            "import os, sys; from pathlib import Path; from audit import AuditLog\n"
            "from tests.audit.events import intent\n"
            "log = AuditLog.open(Path(sys.argv[1]), app_version='1', url=sys.argv[2])\n"
            "log.append(intent()); os._exit(9)"
        )
        folder = shared.another_instance("dying")
        subprocess.run([sys.executable, "-c", script, str(folder), shared.url], check=False)
        with shared.open(shared.another_instance("living")) as living:
            living.append(intent())
            deadline = time.monotonic() + 20
            while [i.alive for i in log.open_intents()] != [False, True]:
                assert time.monotonic() < deadline, "the server noticed the death of no connection"
                time.sleep(0.05)
            assert len(log.reconcile()) == 1
            assert [i.alive for i in log.open_intents()] == [True]


def test_who_writes_alone_asks_for_no_lock_and_notices_when_another_wrote(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
):
    locks: list[bytes] = []
    run = pgappend._run

    def watched(connection: Connection, statements: bytes):
        if b"lock_head" in statements:
            locks.append(statements)
        return run(connection, statements)

    with shared.open() as log, shared.open(shared.another_instance("other")) as other:
        fill(log, 5)
        known = asked(1)
        monkeypatch.setattr(pgappend, "_run", watched)
        log.append(asked(2))
        assert locks == []
        first = other.append(known)
        assert len(locks) == 1
        # Overtaken: the records are linked anew, and an event that is there keeps its receipt.
        assert log.append(known) == first
        assert log.append(asked(3)).seq == first.seq + 1
        assert log.append(known) == first
        assert log.append(asked(4)).seq == first.seq + 2
        report = log.verify(deep=True)
        assert (report.status, report.findings, report.records) == (0, (), 9)


def test_a_head_that_went_back_is_found_by_who_writes_alone(shared: Shared):
    with shared.open() as log:
        fill(log, 5)
        copy = "CREATE TABLE public.kept AS SELECT * FROM audit.head"
        shared.database.execute(copy)
        log.append(asked(1))
        shared.database.execute(
            "ALTER TABLE audit.head DISABLE TRIGGER ALL;"
            "ALTER TABLE audit.event DISABLE TRIGGER ALL;"
            "DELETE FROM audit.event WHERE seq > (SELECT size FROM public.kept);"
            "UPDATE audit.head h SET size = k.size, leaf_hash = k.leaf_hash,"
            " frontier = k.frontier, logged = k.logged, note = k.note, kept = k.kept, mac = k.mac"
            " FROM public.kept k; DROP TABLE public.kept"
        )
        with pytest.raises(RolledBack):
            log.append(asked(2))


def test_an_instance_without_the_keys_is_told_to_copy_them(shared: Shared, tmp_path: Path):
    shared.open().close()
    with pytest.raises(KeyUnusable, match="Copy"):
        shared.open(tmp_path / "elsewhere")


def test_an_instance_with_keys_of_its_own_cannot_write(shared: Shared, tmp_path: Path):
    from audit import keys

    shared.open().close()
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    keys.create(folder, "example.com/other")
    with pytest.raises(Tampered):
        shared.open(folder)


def test_a_role_that_may_not_make_the_schema_is_told_who_can(
    postgres: ServerDatabase, tmp_path: Path
):
    postgres.execute(
        f"DO $$ BEGIN CREATE ROLE {ROLE} LOGIN PASSWORD 'secret';"
        " EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    )
    with pytest.raises(Unavailable, match="gatehouse audit schema"):
        AuditLog.open(tmp_path / "audit", app_version="1", url=postgres.url(ROLE, "secret"))


def test_when_the_server_ends_the_connection_the_next_append_works_again(shared: Shared):
    with shared.open() as log:
        log.append(asked(1))
        shared.database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'gatehouse audit' AND datname = current_database()"
        )
        with pytest.raises(AuditError):
            log.append(asked(2))
        mine = intent()
        log.append(mine)
        assert [i.alive for i in log.open_intents()] == [True]
        assert log.verify(deep=True).status == 0


def test_a_hung_instance_holds_the_others_up_for_a_bounded_time(shared: Shared):
    with shared.open() as log:
        with psycopg.connect(shared.url) as hung:
            hung.execute("SELECT * FROM audit.lock_head()")
            begun = time.monotonic()
            with pytest.raises(Unavailable):
                log.append(asked(1))
            waited = time.monotonic() - begun
        assert waited < 20
        log.append(asked(2))


def test_the_key_can_be_changed_and_the_others_are_told(shared: Shared):
    with shared.open() as log:
        first = log.vkey
        other = shared.open(shared.another_instance("other"))
        log.rotate_key()
        with pytest.raises(KeyUnusable, match="Copy"):
            other.append(asked())
        for path in [shared.folder / "signing.key", shared.folder / "retired.vkeys"]:
            shutil.copy2(path, shared.folder.with_name("other") / path.name)
        other.append(asked())
        other.close()
        report = log.verify(deep=True)
        assert (report.status, report.findings) == (0, ())
        assert first in log.vkeys


def test_many_threads_share_commits(shared: Shared):
    with shared.open() as log:
        with ThreadPoolExecutor(16) as pool:
            receipts = list(pool.map(lambda n: log.append(asked(n)), range(200)))
        assert len({r.seq for r in receipts}) == 200
        log.flush()
        assert log.anchors.read_text().count("\n") < 150
    assert os.listdir(shared.folder / "instances") == []
