"""Two sessions on one snapshot: one that changes rows, one that still sees them as they were.

1 the writer begins and exports its snapshot  2 the witness imports it, read only
3 the writer is given its transaction number; all before the statement
https://www.postgresql.org/docs/18/functions-admin.html#FUNCTIONS-SNAPSHOT-SYNCHRONIZATION
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import psycopg
from psycopg.pq import ExecStatus

from guard.engines.base import Cancel, ChangeCaps
from guard.engines.postgres_login import parameters, unreached
from guard.engines.postgres_tables import Connection, rows
from guard.engines.postgres_writelogin import check_login
from guard.errors import refuse

_CONNECT_SECONDS = 10
_TICK_SECONDS = 0.05
_READING = (
    "SET LOCAL DateStyle = 'ISO, YMD'",
    "SET LOCAL IntervalStyle = 'postgres'",
    "SET LOCAL TimeZone = 'UTC'",
    "SET LOCAL extra_float_digits = 1",
    "SET LOCAL bytea_output = 'hex'",
    "SET LOCAL xmloption = 'content'",
)
"""So that values as text read back as themselves, whatever the role's own settings are."""

_AS_PARSED = {
    "standard_conforming_strings": "on",
    "backslash_quote": "safe_encoding",
    "transform_null_equals": "off",
}
"""A change runs as it stands, so the server must read it as the guard's parser does."""


@dataclass(frozen=True, kw_only=True)
class Login:
    """The write role's address and where it looks names up.

    `ddl` says that the policy lets changes of the schema be proposed, so the login may own things.
    """

    url: str = field(repr=False)
    schemas: Sequence[str] = ()
    ddl: bool = False


@dataclass(frozen=True, kw_only=True)
class Pair:
    """An open transaction and its witness. `xid` is the full 64-bit transaction number."""

    writer: Connection
    witness: Connection
    xid: int
    silent: bool
    """True when the role may switch triggers off (`session_replication_role`)."""


def _parameters(login: Login) -> Mapping[str, str]:
    return {"connect_timeout": str(_CONNECT_SECONDS), **parameters(login.url, source="this source")}


def connected(login: Login) -> Connection:
    """Returns a new session in autocommit, for fixed statements and for `paired`.

    Raises:
        SourceUnavailable: no connection; the driver's text is not passed on.
    """
    try:
        connection: Connection = psycopg.connect(
            **_parameters(login),  # type: ignore[arg-type]
            autocommit=True,
            prepare_threshold=None,
            application_name="gatehouse-write",
            client_encoding="utf8",
        )
    except (psycopg.Error, OSError, UnicodeError) as error:
        raise unreached(
            error,
            "this source",
            "The database server did not accept the write login. Check that it runs and that the "
            "secret is right.",
        ) from None
    return connection


@contextlib.contextmanager
def paired(
    login: Login, caps: ChangeCaps, cancel: Cancel, *, seeing: Pair | None = None
) -> Iterator[Pair]:
    """Gives an open transaction and its witness; both sessions end with the block.

    Whatever is not committed inside is rolled back by the server. With `seeing` both see the rows
    as the witness of that pair does.

    Raises:
        Refused: the server is a standby or keeps no counts, so no preview can be exact.
        SourceUnavailable: see `connected`.
    """
    with contextlib.ExitStack() as stack:
        writer = stack.enter_context(contextlib.closing(connected(login)))
        witness = stack.enter_context(contextlib.closing(connected(login)))
        stack.enter_context(_watched((writer, witness), caps, cancel))
        _check(writer)
        check_counts(writer)
        check_login(writer, ddl=login.ddl)
        writer.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        if seeing is not None:
            _see(writer, seeing.witness)
        _limit(writer, caps, login)
        witness.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        _see(witness, writer)
        _limit(witness, caps, login)
        reading(witness)
        xid = int(rows(writer, "SELECT pg_current_xact_id()::text")[0][0])
        yield Pair(writer=writer, witness=witness, xid=xid, silent=_may_be_silent(writer))


def _see(connection: Connection, other: Connection) -> None:
    """Lets a transaction that has not begun to read see what another one does."""
    snapshot = rows(other, "SELECT pg_export_snapshot()")[0][0]
    connection.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")


def _may_be_silent(writer: Connection) -> bool:
    if writer.info.server_version >= 150_000:
        question = "SELECT has_parameter_privilege('session_replication_role', 'SET')"
    else:
        question = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
    return bool(rows(writer, question)[0][0])


def _check(writer: Connection) -> None:
    if rows(writer, "SELECT pg_is_in_recovery()")[0][0]:
        raise refuse(
            "preview.standby",
            "The write login leads to a standby server, where nothing can be run.",
            alternative="Point write_secret at the primary server.",
        )


_COUNTS = """
SELECT current_setting('track_counts') = 'on', EXISTS (SELECT FROM pg_proc
  WHERE EXISTS (SELECT FROM unnest(proconfig) AS s WHERE lower(s) LIKE 'track_counts=%'))
"""


def check_counts(writer: Connection) -> None:
    """Raises `Refused` where the server counts no rows, or a function may switch counting off."""
    counts, switched = rows(writer, _COUNTS)[0]
    if not counts:
        raise refuse(
            "preview.no_counts",
            "The server counts no rows (track_counts is off), so no preview can be checked.",
        )
    if switched:
        raise refuse(
            "preview.no_counts",
            "A function in this database switches the counting of rows off (track_counts), so no "
            "preview can be checked.",
            alternative="Take that setting off the function.",
        )


def _limit(connection: Connection, caps: ChangeCaps, login: Login) -> None:
    settings = {
        "lock_timeout": str(caps.lock_timeout_ms),
        "statement_timeout": str(caps.timeout_ms),
        "idle_in_transaction_session_timeout": str(max(caps.timeout_ms * 4, 60_000)),
        "synchronous_commit": "on",
        **_AS_PARSED,
    }
    if login.schemas:
        path = ", ".join('"' + s.replace('"', '""') + '"' for s in login.schemas)
        settings["search_path"] = path
    names, values = list(settings), list(settings.values())
    rows(
        connection,
        "SELECT set_config(n, v, true) FROM unnest($1::text[], $2::text[]) AS u(n, v)",
        names,
        values,
    )


def reading(connection: Connection) -> None:
    """Sets the forms in which values are told, until the transaction ends."""
    for statement in _READING:
        connection.execute(statement)


@contextlib.contextmanager
def _watched(connections: Sequence[Connection], caps: ChangeCaps, cancel: Cancel) -> Iterator[None]:
    """Cancels what runs on the server once the flag is set or the whole time is up."""
    done = threading.Event()
    deadline = time.monotonic() + 4 * caps.timeout_ms / 1000

    def watch() -> None:
        while not done.wait(_TICK_SECONDS):
            if cancel.is_set() or time.monotonic() > deadline:
                for connection in connections:
                    with contextlib.suppress(psycopg.Error):
                        connection.cancel_safe(timeout=2)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def run_one(connection: Connection, statement: str) -> bytes | None:
    """Runs one statement that somebody wrote; returns the first value it gives, if any.

    The driver's cursors may send it in a form that takes several statements; the server takes one
    here, whatever the text holds.

    Raises:
        psycopg.Error: the server refused it.
    """
    result = connection.pgconn.exec_params(statement.encode(), [])
    if result.status not in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
        raise psycopg.errors.error_from_result(result)
    return result.get_value(0, 0) if result.ntuples else None
