"""MySQL and MariaDB as the read role.

For every statement, in this order: a session of a login that may SELECT and nothing else; the role
of the database the person is mapped to; settings and `SET SESSION TRANSACTION READ ONLY`, read
back; the text, which must begin as a query and call only what is built in; rows under a row and a
byte cap; then the session is reset. A read-only transaction alone would not stop DDL, and nothing
here stops INTO OUTFILE or SET GLOBAL but the grants: `probe` tries them.

https://mariadb.com/kb/en/set-transaction/, https://mariadb.com/kb/en/aborting-statements/
"""

from __future__ import annotations

import contextlib
import functools
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pyarrow as pa
import pymysql

from guard.address import ServerAddress, ServerReach
from guard.catalog import Catalog
from guard.engines import (
    faults,
    mysql_catalog,
    mysql_faults,
    mysql_functions,
    mysql_plan,
    mysql_probes,
    mysql_rights,
)
from guard.engines.base import Cancel, Estimate, Probe, Rows
from guard.engines.child.faults import Fault
from guard.engines.mysql_running import SessionPool, Stopped, kill, watched
from guard.engines.mysql_session import SESSION_BYTES, Session, TooLarge, login_of, quoted
from guard.engines.mysql_values import table
from guard.errors import SourceUnavailable, refuse
from guard.grants import ServerFacts
from guard.identity import Identity
from guard.rewrite import GuardedQuery

_REFLECT_MS = 60_000
_LOOK_SECONDS = 300.0
"""How long what was seen of the login's rights is taken to hold."""
_LOCK_SECONDS = 5
_SLACK_BYTES = 4 * 1024 * 1024
"""What the framing of a result may take beyond a quarter more than `max_bytes`."""
_LATE_MS = 500
"""How long after its own limit the server may still answer before it is told to stop."""
_QUERY = re.compile(r"[\s(]*(?:SELECT|WITH|VALUES|TABLE)\b", re.IGNORECASE)
"""A text of one statement may still hold several: BEGIN NOT ATOMIC, EXECUTE IMMEDIATE, CALL."""
_CUT = frozenset({"1260", "1301"})
"""Warnings that a value was shortened or lost: GROUP_CONCAT, and results over the packet size."""


class MysqlEngine:
    """A database on a server as the read role. Safe to use from any number of threads."""

    dialect: str = "mysql"

    def __init__(
        self,
        address: ServerAddress,
        *,
        source: str,
        reach: ServerReach | None = None,
        sessions: int = 4,
        owner: bool = False,
    ) -> None:
        """Opens nothing yet. With `owner` the login's rights are not looked at: for a survey only.

        Raises:
            ConfigurationError: the address carries an option that is not passed on.
        """
        self._source = source
        self._login = login_of(address)
        self._roles = (reach or ServerReach()).roles
        self._connect = functools.partial(Session, self._login, database=not self._roles)
        self._pool = SessionPool(self._connect, size=sessions)
        self._owner = owner
        self._looked_at = -_LOOK_SECONDS
        self._own: dict[str, frozenset[str]] = {}

    def reflect(self) -> Catalog:
        """Returns the catalog, untagged. Raises what `Engine.reflect` does."""
        with self._told():
            found = mysql_catalog.reflect(
                [self._listed(role) for role in (None, *self._roles)],
                source=self._source,
            )
            with self._session(Identity(), _REFLECT_MS, Cancel()) as session:
                return replace(found, functions=mysql_functions.own_functions(session))

    def run(self, query: GuardedQuery, cancel: Cancel) -> Rows:
        """Returns the rows of a guarded read. Raises what `Engine.run` does."""
        self._check(query)
        self._check_login()
        started = time.perf_counter_ns()
        with self._told(), self._session(query.identity, query.timeout_ms, cancel) as session:
            self._check_calls(session, query.sql)
            found, truncated = _read(session, self._connect, query)
        elapsed_us = (time.perf_counter_ns() - started) // 1000
        return Rows(table=found, truncated=truncated, elapsed_us=elapsed_us)

    def estimate(self, query: GuardedQuery) -> Estimate | None:
        """Returns what the server's planner expects. Raises what `Engine.run` does."""
        self._check(query)
        with self._told(), self._session(query.identity, query.timeout_ms, Cancel()) as session:
            self._check_calls(session, query.sql)
            return mysql_plan.estimate(session.texts(f"EXPLAIN FORMAT=JSON {query.sql}"))

    def probe(self) -> Sequence[Probe]:
        """Attacks the adapter itself with fixed statements and says what held.

        Raises:
            SourceUnavailable: the source cannot be opened, so nothing can be tried.
        """
        tables = [
            f"{quoted(t.schema or '')}.{quoted(t.name)}"
            for t in self.reflect().tables
            if t.kind == "table"
        ]
        with self._told():
            return mysql_probes.attempt(
                self._connect,
                lambda role, timeout_ms: self._session(Identity(role=role), timeout_ms, Cancel()),
                self._roles,
                tables,
            )

    def facts(self) -> ServerFacts:
        """Returns what the statements for the source's two logins need to know.

        Raises:
            SourceUnavailable: the server cannot be reached.
        """
        with self._told(), self._session(Identity(), _REFLECT_MS, Cancel()) as session:
            ((database, version),) = session.texts("SELECT DATABASE(), VERSION()")
        number = re.match(r"\d+", version or "")
        return ServerFacts(database=database or "", version=int(number[0]) if number else 0)

    def close(self) -> None:
        """Closes the connections. A later statement would open new ones."""
        self._pool.close()

    def _check(self, query: GuardedQuery) -> None:
        if not isinstance(query, GuardedQuery):
            raise TypeError("An engine runs guarded queries only.")
        if (query.source, query.dialect) != (self._source, self.dialect):
            raise refuse(
                "engine.wrong_source", f"This statement was not judged for {self._source}."
            )
        if _QUERY.match(query.sql) is None or query.identity.variables:
            # A statement can set the server's variables in passing, so nothing may rest on them.
            raise faults.to_error("not_allowed", self._source)

    def _check_login(self) -> None:
        """Runs nothing with a login that can do more than read. Raises `SourceUnavailable`."""
        if self._owner or time.monotonic() - self._looked_at < _LOOK_SECONDS:
            return
        held: set[str] = set()
        with self._told():
            for role in (None, *self._roles):
                with self._session(Identity(role=role), _REFLECT_MS, Cancel()) as session:
                    held |= mysql_rights.excess(session, role)
                    self._own = {}
        if held:
            raise SourceUnavailable(
                f"The read login of {self._source} may do more than read ({', '.join(sorted(held))}"
                "), so nothing is run with it. Take these rights away from it."
            )
        self._looked_at = time.monotonic()

    def _check_calls(self, session: Session, sql: str) -> None:
        """Sends no name that may be a loadable function's: no grant keeps one from being called."""
        version = str(session.server_version)
        own = self._own.get(version)
        if own is None:
            own = self._own[version] = mysql_functions.own_functions(session)
        mysql_functions.check_calls(sql, own)

    @contextlib.contextmanager
    def _session(self, identity: Identity, timeout_ms: int, cancel: Cancel) -> Iterator[Session]:
        """Lends a session with every setting made, and watches over it."""

        def ready(session: Session) -> None:
            session.use(identity.role, self._roles)
            settle(session, timeout_ms)

        wait = timeout_ms / 1000
        with (
            self._pool.lend(ready, wait_seconds=wait, cancel=cancel) as session,
            watched(session, self._connect, timeout_ms=timeout_ms + _LATE_MS, cancel=cancel),
        ):
            yield session

    def _listed(self, role: str | None) -> mysql_catalog.Listed:
        with self._session(Identity(role=role), _REFLECT_MS, Cancel()) as session:
            return mysql_catalog.listed(session, self._login.database)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Turns what goes wrong below into the errors of `Engine`, without the server's words."""
        try:
            yield
        except Stopped as stop:
            raise faults.stopped(stop.cause) from None
        except TooLarge:
            raise faults.to_error("result_too_large", self._source) from None
        except (Fault, pymysql.err.MySQLError) as error:
            known = bool(self._login.password)
            raise mysql_faults.to_error(error, self._source, password=known) from None
        except (pa.ArrowException, UnicodeDecodeError):
            raise faults.to_error("engine", self._source) from None


def settle(session: Session, timeout_ms: int) -> None:
    """Makes a session safe to read with and proves it. Raises `Fault`."""
    settings = {
        "lock_wait_timeout": str(_LOCK_SECONDS),
        "innodb_lock_wait_timeout": str(_LOCK_SECONDS),
    }
    if session.is_mariadb:
        settings["max_statement_time"] = f"{timeout_ms / 1000:.3f}"
        settings["max_session_mem_used"] = str(SESSION_BYTES)
        settings["tx_read_only"] = "1"
    else:
        settings["max_execution_time"] = str(timeout_ms)
        settings["transaction_read_only"] = "1"
    session.settle(settings)


def _read(
    session: Session, connect: functools.partial[Session], query: GuardedQuery
) -> tuple[pa.Table, bool]:
    session.bytes_left = query.max_bytes + query.max_bytes // 4 + _SLACK_BYTES
    stream = session.start(query.sql)
    if stream is None:
        raise Fault("not_allowed")
    rows: list[tuple[bytes | None, ...]] = []
    size = 0
    truncated = False
    while (row := stream.next()) is not None:
        if len(rows) == query.max_rows:
            truncated = True
            if stream.next() is not None:
                session.abandon()
                kill(session.number, connect)
            break
        size += sum(len(value) for value in row if value is not None)
        if size > query.max_bytes:
            raise TooLarge
        rows.append(row)
    session.bytes_left = None
    if session.open:
        if stream.more_results:
            raise Fault("not_allowed")
        _refuse_cut(session, stream.warnings)
    return table(stream.fields, rows), truncated


def _refuse_cut(session: Session, warnings: int) -> None:
    """Refuses a result in which the server shortened a value and only warned of it."""
    if warnings and any(code in _CUT for _, code, _ in session.texts("SHOW WARNINGS")):
        raise Fault("value_too_large")
