"""Texts to the server and their answers, watched: the cancel flag and the clock, while they run.

The driver's own cursors wait in C until the server has answered. Here the socket is watched from
outside, so that a stop takes effect whatever the server does, and rows come one by one, so that an
answer which grows too large is dropped while it comes.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import psycopg
from psycopg import capabilities
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGconn, PGresult

from guard.engines.base import Cancel

Step = Callable[[PGconn], None]
"""Sends one statement of a journey."""
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
    text = script.encode()
    found = _checked(connection, watch, _one(connection.pgconn, watch, text))
    return [answer for answer in found if answer is not None]


def asking(statement: str) -> Step:
    """Returns the step that runs exactly one statement, by the extended protocol, as text."""
    text = statement.encode()
    return lambda pgconn: pgconn.send_query_params(text, None)


def ask(connection: psycopg.Connection, statement: str, watch: Watch) -> PGresult:
    """Returns the answer to exactly one statement, by the extended protocol, as text values.

    Raises:
        Stopped, Lost, Failed: see there.
    """
    ((_, answer),) = together(connection, (asking(statement),), watch)
    return answer


def columns(connection: psycopg.Connection, statement: str, watch: Watch) -> PGresult:
    """Returns what the answer to a statement would look like; the statement does not run.

    Raises:
        Stopped, Lost, Failed: see there.
    """
    text = statement.encode()
    _, (_, answer) = together(
        connection,
        (
            lambda pgconn: pgconn.send_prepare(b"", text),
            lambda pgconn: pgconn.send_describe_prepared(b""),
        ),
        watch,
    )
    return answer


def together(
    connection: psycopg.Connection,
    steps: Sequence[Step],
    watch: Watch,
    *,
    streamed: Mapping[int, int] = MappingProxyType({}),
) -> Iterator[tuple[int, PGresult]]:
    """Yields each answer with the number of its step; all steps go to the server in one journey.

    Each step sends one statement by the extended protocol. Behind one that fails the server skips
    all others. The rows of a step in `streamed` come as they are made, so many in an answer, and
    then an empty one. Whoever stops before the end MUST drop the connection.

    Raises:
        Stopped, Lost, Failed: see there.
    """
    number = 0
    for answer in _checked(connection, watch, _journey(connection.pgconn, watch, steps, streamed)):
        if answer is None:
            number += 1
        else:
            yield number, answer


def leave(connection: psycopg.Connection, statements: Sequence[str]) -> bool:
    """Sends the adapter's own statements, each on its own, and waits for no answer; True if sent.

    Nothing else MUST be sent before `collect` has the answers.
    """
    pgconn = connection.pgconn
    try:
        pgconn.enter_pipeline_mode()
        for statement in statements:
            asking(statement)(pgconn)
            pgconn.pipeline_sync()
        return pgconn.flush() == 0
    except psycopg.Error:
        return False


def collect(connection: psycopg.Connection, count: int, watch: Watch) -> None:
    """Takes in the answers to the `count` statements of `leave`.

    Raises:
        Stopped, Lost, Failed: see there. Drop the connection.
    """
    for _ in _checked(connection, watch, _pending(connection.pgconn, watch, count)):
        pass


def _checked(
    connection: psycopg.Connection, watch: Watch, answers: Iterator[PGresult | None]
) -> Iterator[PGresult | None]:
    """Yields the server's answers; where one of them is an error, the rest is taken in first."""
    failure: Exception | None = None
    try:
        watch.check()
        for answer in answers:
            if answer is None or answer.status in _DONE:
                yield answer
            elif answer.status != ExecStatus.PIPELINE_ABORTED:
                failure = failure or _failure(answer)
    except Stopped:
        _cancel(connection)
        raise
    except (psycopg.Error, OSError, ValueError) as error:
        raise Lost from error
    if failure is not None:
        raise failure


def _one(pgconn: PGconn, watch: Watch, text: bytes) -> Iterator[PGresult]:
    pgconn.send_query(text)
    yield from _answers(pgconn, watch)


def _journey(
    pgconn: PGconn, watch: Watch, steps: Sequence[Step], streamed: Mapping[int, int]
) -> Iterator[PGresult | None]:
    """Yields the answers, None after those of each step."""
    pgconn.enter_pipeline_mode()
    for step in steps:
        step(pgconn)
    pgconn.pipeline_sync()
    skipped = False
    for number in range(len(steps)):
        if number in streamed and not skipped:
            _stream(pgconn, streamed[number])
        for answer in _answers(pgconn, watch):
            skipped = skipped or answer.status not in _DONE
            yield answer
        yield None
    yield from _pending(pgconn, watch, 1)


def _pending(pgconn: PGconn, watch: Watch, syncs: int) -> Iterator[PGresult]:
    """Yields what is still to come up to so many marks; then the connection is free again."""
    while syncs:
        answer = _next(pgconn, watch)
        if answer is None:
            if pgconn.status != ConnStatus.OK:
                raise OSError("the connection ended")
        elif answer.status == ExecStatus.PIPELINE_SYNC:
            syncs -= 1
        else:
            yield answer
    pgconn.exit_pipeline_mode()


def _stream(pgconn: PGconn, at_once: int) -> None:
    if at_once > 1 and capabilities.has_stream_chunked():
        pgconn.set_chunked_rows_mode(at_once)
    else:
        pgconn.set_single_row_mode()


def _failure(answer: PGresult) -> Exception:
    code = answer.error_field(psycopg.pq.DiagnosticField.SQLSTATE)
    return Lost() if code is None else Failed(code.decode("ascii", "replace"))


def _answers(pgconn: PGconn, watch: Watch) -> Iterator[PGresult]:
    while (answer := _next(pgconn, watch)) is not None:
        yield answer
        if answer.status in (ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH):
            raise OSError("a copy was started")


def _next(pgconn: PGconn, watch: Watch) -> PGresult | None:
    while pgconn.flush():
        _ready(pgconn, watch, writing=True)
    while pgconn.is_busy():
        _ready(pgconn, watch, writing=False)
    return pgconn.get_result()


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
