"""One text to the server and its answer, watched: the cancel flag and the clock, while it runs.

The driver's own cursors wait in C until the server has answered. Here the socket is watched from
outside, so that a stop takes effect whatever the server does, and rows come one by one, so that an
answer which grows too large is dropped while it comes.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg
from psycopg import capabilities
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from guard.engines.base import Cancel

_TICK_SECONDS = 0.02
_CANCEL_SECONDS = 3.0
_DONE = (
    ExecStatus.TUPLES_OK,
    ExecStatus.SINGLE_TUPLE,
    ExecStatus.TUPLES_CHUNK,
    ExecStatus.COMMAND_OK,
    ExecStatus.EMPTY_QUERY,
)


class Stopped(Exception):  # a signal inside the adapter
    """The statement was stopped: `cancelled`, `timeout` or `too_large`. Drop the connection."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class Lost(Exception):
    """The connection is gone."""


class Failed(Exception):
    """The server answered with an error. Only its code is kept: its text quotes values."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(kw_only=True)
class Watch:
    """When an exchange has to end. `deadline` is of `time.monotonic`."""

    deadline: float
    cancel: Cancel

    def check(self) -> None:
        """Raises `Stopped` when it is time."""
        if self.cancel.is_set():
            raise Stopped("cancelled")
        if time.monotonic() > self.deadline:
            raise Stopped("timeout")


def batch(connection: psycopg.Connection, script: str, watch: Watch) -> list[PGresult]:
    """Runs the adapter's own statements, several in one text. MUST NOT get a caller's text.

    Raises:
        Stopped, Lost, Failed: see there.
    """
    return list(_exchange(connection, watch, lambda pgconn: pgconn.send_query(script.encode())))


def ask(connection: psycopg.Connection, statement: str, watch: Watch) -> PGresult:
    """Returns the answer to exactly one statement, by the extended protocol, as text values.

    Raises:
        Stopped, Lost, Failed: see there.
    """
    (answer,) = _exchange(
        connection, watch, lambda pgconn: pgconn.send_query_params(statement.encode(), None)
    )
    return answer


def columns(connection: psycopg.Connection, statement: str, watch: Watch) -> PGresult:
    """Returns what the answer to a statement would look like; the statement does not run.

    Raises:
        Stopped, Lost, Failed: see there.
    """
    list(_exchange(connection, watch, lambda pgconn: pgconn.send_prepare(b"", statement.encode())))
    (answer,) = _exchange(connection, watch, lambda pgconn: pgconn.send_describe_prepared(b""))
    return answer


def stream(
    connection: psycopg.Connection, statement: str, watch: Watch, *, at_once: int
) -> Iterator[PGresult]:
    """Yields the rows of one statement as they come, `at_once` in an answer, then an empty one.

    Whoever stops before the end MUST drop the connection.

    Raises:
        Stopped, Lost, Failed: see there.
    """

    def send(pgconn: PGconn) -> None:
        pgconn.send_query_params(statement.encode(), None)
        if at_once > 1 and capabilities.has_stream_chunked():
            pgconn.set_chunked_rows_mode(at_once)
        else:
            pgconn.set_single_row_mode()

    yield from _exchange(connection, watch, send)


def _exchange(
    connection: psycopg.Connection, watch: Watch, send: Callable[[PGconn], None]
) -> Iterator[PGresult]:
    """Yields the server's answers; where one of them is an error, the rest is taken in first."""
    failure: Exception | None = None
    try:
        watch.check()
        send(connection.pgconn)
        for answer in _answers(connection.pgconn, watch):
            if answer.status in _DONE:
                yield answer
            else:
                failure = failure or _failure(answer)
    except Stopped:
        _cancel(connection)
        raise
    except (psycopg.Error, OSError, ValueError) as error:
        raise Lost from error
    if failure is not None:
        raise failure


def _failure(answer: PGresult) -> Exception:
    code = answer.error_field(psycopg.pq.DiagnosticField.SQLSTATE)
    return Lost() if code is None else Failed(code.decode("ascii", "replace"))


def _answers(pgconn: PGconn, watch: Watch) -> Iterator[PGresult]:
    while pgconn.flush():
        _ready(pgconn, watch, writing=True)
    while True:
        while pgconn.is_busy():
            _ready(pgconn, watch, writing=False)
        answer = pgconn.get_result()
        if answer is None:
            return
        yield answer
        if answer.status in (ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH):
            raise OSError("a copy was started")


def _ready(pgconn: PGconn, watch: Watch, *, writing: bool) -> None:
    """Waits a moment for the socket and takes in what is there."""
    watch.check()
    socket = pgconn.socket
    poll = select.poll()
    poll.register(socket, select.POLLIN | (select.POLLOUT if writing else 0))
    if poll.poll(_TICK_SECONDS * 1000):
        pgconn.consume_input()


def _cancel(connection: psycopg.Connection) -> None:
    """Asks the server to stop what runs; closing the connection does the rest."""
    try:
        connection.cancel_safe(timeout=_CANCEL_SECONDS)
    except (psycopg.Error, OSError):
        return
    deadline = time.monotonic() + _CANCEL_SECONDS
    quiet = Watch(deadline=deadline, cancel=Cancel())
    try:
        for _ in _answers(connection.pgconn, quiet):
            pass
    except (Stopped, psycopg.Error, OSError, ValueError):
        return
