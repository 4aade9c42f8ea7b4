"""When the log cannot be written nothing gets a receipt, and whatever was acknowledged is there."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from audit import AuditError, AuditLog, FileSink, NewerFormat, RolledBack, Tampered, Unavailable
from audit.entry import Entry, prepare
from audit.locks import FileLock
from audit.record import Receipt
from audit.sequencer import Take
from audit.writer import Results, Writer
from tests.audit.events import asked, fill

APP = {"boot": "b", "version": "1"}


@contextlib.contextmanager
def files_may_grow_to(size: int) -> Iterator[None]:
    """Every write past `size` fails in the kernel, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def append_until_refused(log: AuditLog) -> int:
    for number in range(500):
        try:
            log.append(asked(number))
        except Unavailable:
            return number
    raise AssertionError("the database took more than it has room for")


def test_promise_09_what_cannot_be_recorded_gets_no_receipt(log: AuditLog):
    fill(log, 5)
    event = asked(99)
    with files_may_grow_to(4096), pytest.raises(Unavailable, match="Nothing may run"):
        log.append(event)
    assert log.changed() == 5
    assert log.append(event).seq == 6
    assert log.verify(deep=True).findings == ()


def test_promise_09_a_full_database_refuses_and_goes_on_when_there_is_room(log: AuditLog):
    fill(log, 5)
    writer = log._storage._writer
    assert writer is not None
    pages = writer.execute("PRAGMA page_count").fetchone()[0]
    writer.execute(f"PRAGMA max_page_count = {pages}")
    acknowledged = append_until_refused(log)
    assert log.changed() == 5 + acknowledged
    assert log.append(asked(1000)).seq == 6 + acknowledged
    assert log.verify(deep=True).status == 0


def test_a_closed_log_refuses(folder):
    log = AuditLog.open(folder, app_version="1")
    log.close()
    with pytest.raises(Unavailable, match="closed"):
        log.append(asked())
    with pytest.raises(Unavailable, match="closed"):
        log.tail()


def test_closing_twice_is_harmless(folder):
    log = AuditLog.open(folder, app_version="1")
    log.append(asked())
    log.close()
    log.close()


def test_a_database_that_was_moved_away_is_noticed(log: AuditLog, folder):
    fill(log, 3)
    folder.rename(folder.with_name("moved"))
    with pytest.raises(Unavailable, match="moved or replaced"):
        log.append(asked())


def test_an_older_copy_put_under_a_running_log_is_noticed(log: AuditLog, tmp_path):
    fill(log, 3)
    copy = tmp_path / "copy.sqlite"
    with sqlite3.connect(log.database) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    fill(log, 6)
    with sqlite3.connect(copy) as source, sqlite3.connect(log.database) as target:
        source.backup(target)
    with pytest.raises(RolledBack, match="from 6 to 3"):
        log.append(asked())


def test_a_head_that_the_log_did_not_write_is_refused(log: AuditLog, folder):
    fill(log, 3)
    with sqlite3.connect(log.database) as db:
        db.execute("DROP TRIGGER audit_head_forward")
        db.execute("UPDATE audit_head SET logged = '2020-01-01T00:00:00.000000Z'")
    with pytest.raises(Tampered, match="head"):
        log.append(asked())
    with pytest.raises(Tampered, match="head"):
        AuditLog.open(folder, app_version="1")


@pytest.mark.parametrize(
    "column", ["size", "leaf_hash", "frontier", "logged", "note", "kept", "mac"]
)
def test_no_column_of_the_head_can_change_unnoticed(log: AuditLog, column):
    fill(log, 3)
    with sqlite3.connect(log.database) as db:
        db.execute("DROP TRIGGER audit_head_forward")
        value = {"size": 4, "logged": "x", "note": "x", "kept": 9}.get(column, bytes(64))
        db.execute(f"UPDATE audit_head SET {column} = ?", (value,))
    with pytest.raises(Tampered):
        log.append(asked())


def test_a_damaged_database_is_refused(folder):
    with AuditLog.open(folder, app_version="1") as log:
        fill(log, 3)
    (folder / "audit.sqlite").write_bytes(b"not a database" * 1000)
    with pytest.raises(Unavailable, match="Nothing may run"):
        AuditLog.open(folder, app_version="1")


def test_a_log_of_a_newer_version_is_refused(folder):
    AuditLog.open(folder, app_version="1").close()
    with sqlite3.connect(folder / "audit.sqlite") as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(NewerFormat):
        AuditLog.open(folder, app_version="1")


def test_a_log_is_not_opened_under_another_name(folder):
    AuditLog.open(folder, app_version="1", origin="example.com/one").close()
    with pytest.raises(AuditError, match=r"named example\.com/one"):
        AuditLog.open(folder, app_version="1", origin="example.com/two")


def test_a_folder_that_cannot_be_made_is_an_audit_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AuditError, match="cannot be used"):
        AuditLog.open(tmp_path / "file" / "audit", app_version="1")


def test_a_network_file_system_is_refused(folder, monkeypatch):
    monkeypatch.setattr("audit.sqlite._file_system", lambda folder: "nfs4")
    with pytest.raises(Unavailable, match="network file system"):
        AuditLog.open(folder, app_version="1")


def test_a_forked_child_does_not_write_with_its_parents_connection(log: AuditLog):
    log.append(asked())
    child = os.fork()
    if child == 0:
        try:
            log.append(asked())
        except Unavailable:
            os._exit(7)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7
    assert log.append(asked()).seq == 3


def test_a_lock_that_is_never_given_back_is_given_up(tmp_path):
    mine, theirs = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    with theirs.held(1), pytest.raises(Unavailable, match="locked"), mine.held(0.01):
        pytest.fail("the lock is somebody else's")
    with mine.held(5):
        pass
    with theirs.held(5):
        pass


class Late:
    """Says that nothing came although it did, once `before` has returned."""

    def __init__(self, answer: threading.Lock, before: Callable[[], object]) -> None:
        self._answer, self._before = answer, before
        self.release = answer.release

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if timeout < 0:
            return self._answer.acquire(blocking)
        self._before()
        return False


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_a_lock_that_comes_at_the_last_moment_is_not_lost(tmp_path, error):
    mine, theirs = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    queue, held = mine._queue, theirs.take(1)

    def before() -> None:
        theirs.free(held)
        while queue._wanted:
            time.sleep(0.001)
        if error is not None:
            raise error

    genuine = queue._answer
    queue._answer = Late(genuine, before)
    if error is None:
        mine.free(mine.take(1))
    else:
        with pytest.raises(error):
            mine.take(1)
    queue._answer = genuine
    held = theirs.take(1)
    with pytest.raises(Unavailable, match="locked"):
        mine.take(0.02)
    theirs.free(held)
    while queue._sent:  # until what had been waited for came, too late
        time.sleep(0.001)
    theirs.free(theirs.take(1))
    mine.free(mine.take(1))


def test_a_lock_given_up_at_the_last_moment_is_neither_lost_nor_held_twice(tmp_path):
    inside: list[int] = []
    came = [0, 0]

    def work(number: int) -> None:
        lock = FileLock(tmp_path / "lock")
        for turn in range(300):
            try:
                with lock.held(0.0001 * (turn % 12)):
                    inside.append(number)
                    time.sleep(0.0005)
                    assert inside == [number]
                    inside.clear()
                came[0] += 1
            except Unavailable:
                came[1] += 1
        with lock.held(30):
            pass
        lock.close()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    assert min(came) > 0
    with FileLock(tmp_path / "lock").held(1):
        assert not inside


def test_the_lock_goes_to_those_who_wait(tmp_path):
    held: list[int] = []

    def work(number: int) -> None:
        lock = FileLock(tmp_path / "lock")
        for _ in range(50):
            with lock.held(30):
                held.append(number)
                assert held[-1] == number
        lock.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert sorted(held) == [n for n in range(4) for _ in range(50)]


Groups = Sequence[Sequence[Entry]]


class Stuck:
    """A place that does not come back until it is let go."""

    def __init__(self) -> None:
        self.entered, self.go = threading.Event(), threading.Event()
        self.batches: list[int] = []

    def __call__(self, take: Take) -> Results:
        groups = take()
        self.entered.set()
        self.go.wait(30)
        self.batches.append(len(groups))
        return told(groups)


def told(groups: Groups) -> Results:
    return [[Receipt(seq=1, hash="", logged="") for _ in group] for group in groups]


def test_whoever_waits_too_long_is_told_whether_it_was_written():
    place = Stuck()
    slow, quick = Writer(place, 30), [prepare(asked(), APP)]
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(slow.append, quick)
        place.entered.wait(30)
        slow._timeout_s = 0.01
        with pytest.raises(Unavailable, match="It was not written"):
            slow.append(quick)
        slow._timeout_s = 30
        waiting = [pool.submit(slow.append, quick) for _ in range(3)]
        while len(slow._queue) < 3:
            pass
        place.go.set()
        assert isinstance(first.result(30)[0], Receipt)
        assert all(isinstance(w.result(30)[0], Receipt) for w in waiting)
    assert place.batches == [1, 3]


def test_who_comes_while_the_lock_is_waited_for_joins_the_batch():
    waits, go = threading.Event(), threading.Event()
    batches: list[int] = []

    def place(take: Take) -> Results:
        waits.set()
        go.wait(30)
        batches.append(len(take()))
        return told(take())

    writer, quick = Writer(place, 30), [prepare(asked(), APP)]
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(writer.append, quick)
        waits.wait(30)
        others = [pool.submit(writer.append, quick) for _ in range(3)]
        while len(writer._queue) < 4:
            pass
        go.set()
        assert all(one.result(30)[0].seq == 1 for one in [first, *others])
    assert batches == [4]


def test_who_waits_for_a_lock_that_never_comes_is_told():
    def place(take: Take) -> Results:
        raise Unavailable("locked")

    writer, quick = Writer(place, 30), [prepare(asked(), APP)]
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(writer.append, quick) for _ in range(4)]
        assert all(isinstance(one.exception(30), Unavailable) for one in futures)
    assert not writer._queue


def test_a_bug_below_is_told_to_every_caller_and_does_not_end_the_writing():
    calls: list[int] = []

    def place(take: Take) -> Results:
        groups = take()
        calls.append(len(groups))
        if len(calls) == 1:
            raise ZeroDivisionError
        return told(groups)

    writer = Writer(place, 5)
    with pytest.raises(Unavailable, match="ZeroDivisionError"):
        writer.append([prepare(asked(), APP)])
    assert writer.append([prepare(asked(), APP)])[0].seq == 1


def test_an_interrupt_while_writing_lets_the_next_one_write():
    def place(take: Take) -> Results:
        groups = take()
        if '"summary":"stop"' in groups[0][0].text:
            raise KeyboardInterrupt
        return told(groups)

    writer = Writer(place, 5)
    with pytest.raises(KeyboardInterrupt):
        writer.append([prepare(asked(summary="stop"), APP)])
    assert writer.append([prepare(asked(), APP)])[0].seq == 1


def test_leaving_without_closing_loses_no_anchor(folder):
    script = (
        "import sys; from pathlib import Path; from audit import AuditLog\n"
        "from tests.audit.events import asked\n"
        f"log = AuditLog.open(Path({str(folder)!r}), app_version='1')\n"
        "print(log.append(asked()).seq)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "2"
    assert (folder / "anchors.jsonl").read_text().count("\n") == 2
    assert list((folder / "instances").iterdir()) == []


def test_a_lost_database_is_not_begun_anew_over_its_anchors(folder):
    with AuditLog.open(folder, app_version="1") as log:
        fill(log, 3)
    for path in folder.glob("audit.sqlite*"):
        path.unlink()
    with pytest.raises(RolledBack, match="missing"):
        AuditLog.open(folder, app_version="1")
    shutil.move(folder, folder.with_name("kept"))
    with AuditLog.open(folder, app_version="1") as log:
        assert log.changed() == 1


def test_opening_while_another_process_appends_is_no_alarm(folder, monkeypatch):
    with AuditLog.open(folder, app_version="1") as other:
        read = FileSink.newest

        def newest(sink: FileSink, keys):
            other.append(asked())
            other.flush()
            return read(sink, keys)

        with monkeypatch.context() as patch:
            patch.setattr(FileSink, "newest", newest)
            with AuditLog.open(folder, app_version="2") as log:
                assert log.changed() == 2


def test_a_closed_log_keeps_no_file_open(tmp_path):
    AuditLog.open(tmp_path / "log", app_version="1").close()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with AuditLog.open(tmp_path / "log", app_version="1") as log:
            log.append(asked())
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_closed_lock_is_not_taken_and_may_be_closed_again(tmp_path):
    lock = FileLock(tmp_path / "lock")
    lock.close()
    lock.close()
    with pytest.raises(Unavailable, match="closed"), lock.held(0.1):
        pass
