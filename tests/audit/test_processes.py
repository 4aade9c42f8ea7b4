"""Several processes on one log, some of them killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from audit import AuditLog, Record
from tests.audit.events import intent

WRITER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from audit import AuditLog
from tests.audit.events import asked

folder, count, threads = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
log = AuditLog.open(folder, app_version="1")

def work(number):
    receipt = log.append(asked(number))
    sys.stdout.write(f"{receipt.seq} {receipt.hash}\\n")
    sys.stdout.flush()

with ThreadPoolExecutor(threads) as pool:
    list(pool.map(work, range(count)))
"""


def start(folder: Path, count: int, threads: int = 1) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(folder), str(count), str(threads)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def acknowledged(lines: list[str]) -> dict[int, str]:
    """What the children were told; a line cut by the kill was never told to anybody."""
    whole = [line.split() for line in lines if line.endswith("\n")]
    return {int(seq): stored for seq, stored in whole}


def stored(log: AuditLog) -> dict[int, str]:
    return {record.seq: record.hash for record in log.tail(100_000)}


def test_several_processes_make_one_chain_without_fork_or_gap(folder):
    children = [start(folder, 60, threads) for threads in (1, 4, 1, 4)]
    told: dict[int, str] = {}
    for child in children:
        output, _ = child.communicate(timeout=120)
        assert child.returncode == 0
        mine = acknowledged(output.splitlines(keepends=True))
        assert len(mine) == 60
        assert not told.keys() & mine.keys()
        told |= mine
    with AuditLog.open(folder, app_version="1") as log:
        records = stored(log)
        assert sorted(records) == list(range(1, 242))
        assert records.items() >= told.items()
        assert log.verify(deep=True).status == 0


def killed_while_appending(folder: Path, after: int) -> dict[int, str]:
    """Kills two writing processes once each has told of `after` receipts; returns what was told."""
    children = [start(folder, 100_000, threads) for threads in (1, 3)]
    lines: list[str] = []
    for child in children:
        assert child.stdout is not None
        lines += [child.stdout.readline() for _ in range(after)]
    for child in children:
        child.send_signal(signal.SIGKILL)
    for child in children:
        assert child.stdout is not None
        lines += child.stdout.readlines()
        child.stdout.close()
        child.wait(30)
    return acknowledged(lines)


def check_nothing_is_lost(folder: Path, rounds: int, after: int) -> None:
    told: dict[int, str] = {}
    for number in range(rounds):
        told |= killed_while_appending(folder, after + 7 * number)
        with AuditLog.open(folder, app_version="1") as log:
            records = stored(log)
            assert records.items() >= told.items()
            assert sorted(records) == list(range(1, len(records) + 1))
            assert log.verify(deep=True).status == 0
    assert len(told) >= 2 * rounds * after


def test_promise_09_kill_nine_loses_no_acknowledged_record(folder):
    check_nothing_is_lost(folder, rounds=2, after=25)


@pytest.mark.slow
def test_kill_nine_twenty_times_loses_no_acknowledged_record(folder):
    check_nothing_is_lost(folder, rounds=20, after=100)


LEAVER = """
import os, sys
from pathlib import Path
from audit import AuditLog
from tests.audit.events import executed, intent

log = AuditLog.open(Path(sys.argv[1]), app_version="1")
finished, left = intent(), intent()
log.append(finished), log.append(left), log.append(executed(finished))
print(left.id, flush=True)
if sys.argv[2] == "die":
    os._exit(9)
sys.stdin.read()
log.append(executed(left))
"""


def leave_an_intent(folder: Path, how: str) -> tuple[subprocess.Popen[str], str]:
    child = subprocess.Popen(
        [sys.executable, "-c", LEAVER, str(folder), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    return child, child.stdout.readline().strip()


def last(log: AuditLog) -> Record:
    return log.tail(1)[0]


def test_an_intent_left_by_a_dead_process_becomes_outcome_unknown_once(folder):
    child, left = leave_an_intent(folder, "die")
    child.communicate(timeout=60)
    with AuditLog.open(folder, app_version="2") as log:
        (open_one,) = log.open_intents()
        assert (open_one.record.event.id, open_one.alive) == (left, False)
        (receipt,) = log.reconcile()
        unknown = last(log)
        assert unknown.seq == receipt.seq
        assert (unknown.event.type, unknown.event.outcome) == ("query.outcome_unknown", "unknown")
        assert (unknown.event.closes, unknown.event.session) == (left, "s-1")
        assert log.open_intents() == ()
        assert log.reconcile() == []
        assert [p.name for p in (folder / "instances").iterdir() if len(p.name) == 32] == [
            log._instance.boot
        ]


def test_an_intent_of_a_process_that_still_runs_is_left_alone(folder):
    child, left = leave_an_intent(folder, "wait")
    with AuditLog.open(folder, app_version="2") as log:
        mine = intent()
        log.append(mine)
        assert [(i.record.event.id, i.alive) for i in log.open_intents()] == [
            (left, True),
            (mine.id, True),
        ]
        assert log.reconcile() == []
        child.communicate(input="", timeout=60)
        assert child.returncode == 0
        assert [i.record.event.id for i in log.open_intents()] == [mine.id]
    assert last_type(folder) == "query.executed"


def last_type(folder: Path) -> str:
    with AuditLog.open(folder, app_version="3") as log:
        return last(log).event.type


def test_two_starting_processes_close_a_left_intent_once(folder):
    child, _ = leave_an_intent(folder, "die")
    child.communicate(timeout=60)
    script = (
        "import sys; from pathlib import Path; from audit import AuditLog\n"
        "with AuditLog.open(Path(sys.argv[1]), app_version='1') as log:\n"
        "    print(len(log.reconcile()))"
    )
    starting = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    closed = [int(child.communicate(timeout=60)[0]) for child in starting]
    assert sorted(closed) == [0, 0, 1]


def test_a_file_that_pretends_to_be_an_instance_is_not_followed(folder, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("")
    from audit.locks import is_alive

    assert not is_alive(folder, f"../{outside.name}")
    assert outside.exists()
    assert os.listdir(tmp_path) == ["outside"]
