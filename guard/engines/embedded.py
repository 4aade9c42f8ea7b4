"""What the SQLite and DuckDB adapters share: a pool of workers, the way in, the way out."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import pyarrow as pa
from pydantic import ValidationError

from guard.catalog import Catalog
from guard.engines import faults, probes, reflected
from guard.engines.base import Cancel, Estimate, Probe, Rows
from guard.engines.child.faults import FaultCode
from guard.engines.child.probes import BY_ENGINE
from guard.engines.pool import AllBusy, Displaced, Pool, Suspended
from guard.engines.worker import Reply, Stopped, Worker, WorkerDied, WorkerSettings
from guard.errors import refuse
from guard.rewrite import GuardedQuery

_log = logging.getLogger(__name__)

DRAIN_SECONDS = 10.0
"""How long an approved change waits for the reads that run, before they have to give way."""
_REFLECT_MS = 60_000
_MAX_CATALOG_BYTES = 64 * 1024 * 1024
_SLACK_BYTES = 4 * 1024 * 1024
"""What the framing of a result may take beyond a quarter more than `max_bytes`."""


@dataclass(frozen=True, kw_only=True)
class _Job:
    request: Mapping[str, object]
    timeout_ms: int
    max_payload: int


class EmbeddedEngine:
    """A database file as the read role. Safe to use from any number of threads.

    Processes start with the first statement that needs them; up to `workers` statements run at once
    and the others wait for as long as they may take themselves.
    """

    def __init__(
        self, path: Path, *, source: str, settings: WorkerSettings, workers: int = 2
    ) -> None:
        self.dialect: str = settings.engine
        self._path = path
        self._source = source
        self._pool = Pool(lambda: Worker(path, settings), size=workers)

    def reflect(self) -> Catalog:
        """Returns the catalog, untagged. Raises what `Engine.reflect` does."""
        job = _Job(
            request={"op": "reflect"}, timeout_ms=_REFLECT_MS, max_payload=_MAX_CATALOG_BYTES
        )
        reply = self._done(self._call(job, Cancel()))
        try:
            found = reflected.Reflected.model_validate_json(bytes(reply.payload))
        except ValidationError as error:
            raise faults.to_error("engine", self._source) from error
        return reflected.to_catalog(found, source=self._source, dialect=self.dialect)

    def run(self, query: GuardedQuery, cancel: Cancel) -> Rows:
        """Returns the rows of a guarded read. Raises what `Engine.run` does."""
        job = self._job("run", query)
        return self._rows(self._done(self._call(job, cancel)))

    def estimate(self, query: GuardedQuery) -> Estimate | None:
        """Returns how many rows DuckDB expects; SQLite says nothing, which is None.

        Raises what `Engine.estimate` does.
        """
        if self.dialect == "sqlite":
            return None
        reply = self._done(self._call(self._job("estimate", query), Cancel()))
        rows = json.loads(bytes(reply.payload))
        return Estimate(rows=rows, bytes=None) if isinstance(rows, int) else None

    def probe(self) -> Sequence[Probe]:
        """Attacks the adapter itself with fixed statements and says what held.

        Raises:
            SourceUnavailable: the source cannot be opened, so nothing can be tried.
        """
        self.reflect()
        return probes.attempt(BY_ENGINE[self.dialect], self._path, self._attack)

    def suspend(self, *, drain_seconds: float = DRAIN_SECONDS) -> Suspension:
        """Ends every worker, so that the file can be opened for writing, until `resume`.

        Reads that run get `drain_seconds` to finish and are then ended; new ones wait. Use it as a
        context manager, or call `resume` yourself, whatever happens. MUST NOT be followed by a read
        of the same engine in the same thread before that.
        """
        self._pool.suspend(drain_seconds=drain_seconds)
        return Suspension(self)

    def resume(self) -> None:
        """Lets reads run again; the file is opened afresh."""
        self._pool.resume()

    def close(self) -> None:
        """Ends the worker processes. A later statement would start new ones."""
        self._pool.close()

    def _job(self, op: str, query: GuardedQuery) -> _Job:
        if not isinstance(query, GuardedQuery):
            raise TypeError("An engine runs guarded queries only.")
        if (query.source, query.dialect) != (self._source, self.dialect):
            raise refuse(
                "engine.wrong_source", f"This statement was not judged for {self._source}."
            )
        return _Job(
            request={
                "op": op,
                "sql": query.sql,
                "readable": query.readable,
                "max_rows": query.max_rows,
                "max_bytes": query.max_bytes,
                "timeout_ms": query.timeout_ms,
            },
            timeout_ms=query.timeout_ms,
            max_payload=query.max_bytes + query.max_bytes // 4 + _SLACK_BYTES,
        )

    def _call(self, job: _Job, cancel: Cancel) -> Reply:
        try:
            with self._pool.lend(wait_seconds=job.timeout_ms / 1000, cancel=cancel) as worker:
                return worker.call(
                    job.request,
                    timeout_ms=job.timeout_ms,
                    max_payload=job.max_payload,
                    cancel=cancel,
                )
        except Stopped as stop:
            raise faults.stopped(stop.cause) from None
        except WorkerDied as error:
            _log.warning("a worker of source %s ended on its own", self._source)
            raise faults.died(self._source) from error
        except Displaced:
            raise faults.displaced(self._source) from None
        except Suspended:
            raise faults.to_error("busy", self._source) from None
        except AllBusy:
            raise faults.all_busy(self._source) from None

    def _done(self, reply: Reply) -> Reply:
        code = reply.header.fault
        if code is None:
            return reply
        if reply.header.kind:
            _log.warning("source %s failed with %s", self._source, reply.header.kind)
        raise faults.to_error(code, self._source)

    def _rows(self, reply: Reply) -> Rows:
        try:
            table = pa.ipc.open_stream(pa.py_buffer(reply.payload)).read_all()
            table.validate(full=True)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise faults.to_error("engine", self._source) from error
        return Rows(
            table=table, truncated=reply.header.truncated, elapsed_us=reply.header.elapsed_us
        )

    def _attack(self, number: int, folder: Path) -> FaultCode | None:
        attack = BY_ENGINE[self.dialect][number]
        job = _Job(
            request={
                "op": "probe",
                "engine": self.dialect,
                "number": number,
                "folder": str(folder),
            },
            timeout_ms=attack.timeout_ms,
            max_payload=_SLACK_BYTES,
        )
        try:
            with self._pool.lend(wait_seconds=60.0, cancel=Cancel()) as worker:
                reply = worker.call(
                    job.request,
                    timeout_ms=job.timeout_ms,
                    max_payload=job.max_payload,
                    cancel=Cancel(),
                )
        except Stopped:
            return "interrupted"
        except WorkerDied:
            return "memory" if "memory" in attack.expected else "engine"
        return reply.header.fault


class Suspension:
    """A context manager whose end lets the reads of an engine run again."""

    def __init__(self, engine: EmbeddedEngine) -> None:
        self._engine = engine

    def __enter__(self) -> None:
        """Does nothing: reads are suspended already."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Resumes."""
        self._engine.resume()
