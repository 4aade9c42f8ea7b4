"""The PostgreSQL adapter. How a statement is fenced is in `postgres_reading.py`."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager

import pyarrow as pa
from pydantic import ValidationError

from guard.address import ServerAddress, ServerReach
from guard.catalog import Catalog
from guard.engines import faults, postgres_plan, postgres_probes
from guard.engines import postgres_faults as pg_faults
from guard.engines.base import Cancel, Estimate, Probe, Rows
from guard.engines.postgres_catalog import Seen, reflect
from guard.engines.postgres_facts import facts
from guard.engines.postgres_login import connect
from guard.engines.postgres_reading import Readers, Session
from guard.engines.postgres_role import may_set, powers
from guard.engines.postgres_values import column
from guard.errors import refuse
from guard.grants import ServerFacts
from guard.identity import NO_IDENTITY, Identity
from guard.rewrite import GuardedQuery

_REFLECT_MS = 60_000
_PLAN_MS = 10_000


class PostgresReader:
    """A database as a login that reads, whatever else the login may do.

    Every statement is fenced, but nothing is asked of the role: for looking at a database that has
    no policy yet, and for showing in tests what the fence alone holds. Sources are read through
    `PostgresEngine`.
    """

    def __init__(
        self, address: ServerAddress, *, source: str, reach: ServerReach | None = None
    ) -> None:
        """Connects nothing yet."""
        reach = reach or ServerReach()
        self.dialect = "postgres"
        self._source = source
        self._schemas = reach.schemas or ("public",)
        self._roles = reach.roles
        self._readers = Readers(
            lambda: connect(address, source=source, application="gatehouse-read"),
            source=source,
            admit=self._admit,
        )
        self._lock = threading.Lock()
        self._seen: Seen | None = None

    def _admit(self, session: Session, identity: Identity) -> None:
        """Looks at a connection's role; here every role will do."""

    def reflect(self) -> Catalog:
        """Returns the catalog, untagged. Raises what `Engine.reflect` does."""
        with self._session(_REFLECT_MS, NO_IDENTITY, Cancel()) as session:
            seen = self._reflected(session)
        with self._lock:
            self._seen = seen
        return seen.catalog

    def _reflected(self, session: Session) -> Seen:
        try:
            return reflect(session, source=self._source, schemas=self._schemas, roles=self._roles)
        except (ValidationError, ValueError) as error:
            raise faults.to_error("engine", self._source) from error

    def facts(self) -> ServerFacts:
        """Returns what the statements for the source's two logins need to know.

        Raises:
            SourceUnavailable: the server cannot be reached.
        """
        with self._session(_REFLECT_MS, NO_IDENTITY, Cancel()) as session:
            return facts(session, self._reflected(session))

    def run(self, query: GuardedQuery, cancel: Cancel) -> Rows:
        """Returns the rows of a guarded read. Raises what `Engine.run` does."""
        allowed = self._numbers(self._checked(query))
        started = time.perf_counter_ns()
        with self._session(query.timeout_ms, query.identity, cancel) as session:
            portion = session.read(query.sql, query.max_rows, query.max_bytes)
            self._hold_to(session, allowed)
        elapsed_us = (time.perf_counter_ns() - started) // 1_000
        arrays = [column(cells, oid) for _, oid, cells in portion.columns]
        names = [name for name, _, _ in portion.columns]
        table = pa.Table.from_arrays(arrays, names=names)
        return Rows(table=table, truncated=portion.truncated, elapsed_us=elapsed_us)

    def estimate(self, query: GuardedQuery) -> Estimate | None:
        """Returns what the planner expects of the read. Raises what `Engine.estimate` does."""
        self._checked(query)
        limit_ms = min(query.timeout_ms, _PLAN_MS)
        with self._session(limit_ms, query.identity, Cancel()) as session:
            try:
                return postgres_plan.estimate(session, query.sql)
            except (ValidationError, ValueError) as error:
                raise faults.to_error("engine", self._source) from error

    def probe(self) -> Sequence[Probe]:
        """Attacks the adapter and its login with fixed statements and says what held.

        Raises:
            SourceUnavailable: the source cannot be reached, so nothing can be tried.
        """
        return postgres_probes.attempt(self._readers, self._roles)

    def close(self) -> None:
        """Closes the connections. A later statement would open new ones."""
        self._readers.close()

    def _checked(self, query: GuardedQuery) -> GuardedQuery:
        if not isinstance(query, GuardedQuery):
            raise TypeError("An engine runs guarded queries only.")
        if (query.source, query.dialect) != (self._source, self.dialect):
            raise refuse(
                "engine.wrong_source", f"This statement was not judged for {self._source}."
            )
        return query

    def _numbers(self, query: GuardedQuery) -> frozenset[int]:
        """The server's numbers of the tables a query may touch."""
        with self._lock:
            seen = self._seen
        if seen is None or any(name not in seen.numbers for name, _ in query.readable):
            self.reflect()
            with self._lock:
                seen = self._seen
        numbers = {} if seen is None else seen.numbers
        return frozenset(numbers[name] for name, _ in query.readable if name in numbers)

    def _hold_to(self, session: Session, allowed: frozenset[int]) -> None:
        """Compares what the server has locked with what the guard allowed, before a row is shown.

        Raises:
            Refused: `engine.not_allowed` for any table, view or catalog of the server besides.
        """
        if session.touches_others(allowed):
            raise faults.to_error("not_allowed", self._source)

    def _session(
        self, timeout_ms: int, identity: Identity, cancel: Cancel
    ) -> AbstractContextManager[Session]:
        return self._readers.lend(timeout_ms=timeout_ms, cancel=cancel, identity=identity)


class PostgresEngine(PostgresReader):
    """A database as its read role. Safe to use from any number of threads.

    Every new connection is asked what its role may do: one that may write, that owns something or
    that is a member of roles the policy does not name runs nothing. Where the policy says who a
    statement runs as, the role must not be able to change that from inside a statement.

    Extensions' own operators are not used: `citext` compares with case, and a `hstore` or geometry
    is the text the server writes for it.
    """

    def _admit(self, session: Session, identity: Identity) -> None:
        if powers(session, self._roles):
            raise pg_faults.too_powerful(self._source)
        if identity != NO_IDENTITY and may_set(session, self._roles):
            raise pg_faults.identity_open(self._source)
