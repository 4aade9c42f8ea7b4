"""The write role of an embedded engine: one killable process, one order at a time."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, assert_never

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from guard.address import Address, ServerAddress, ServerReach, file_of, server_of
from guard.diff import Diff
from guard.engines import duckdb, faults, sqlite
from guard.engines.base import (
    Cancel,
    Captured,
    Change,
    ChangeCaps,
    ChangeEngine,
    Engine,
    Found,
    Told,
    unheard,
)
from guard.engines.child.duckdb_folder import sweep
from guard.engines.embedded import EmbeddedEngine
from guard.engines.worker import Stopped, Worker, WorkerDied, WorkerSettings
from guard.errors import ConfigurationError, OutcomeUnknown, SourceUnavailable

if TYPE_CHECKING:
    from guard.policyfile import EngineName

_PAYLOAD = 256 * 1024 * 1024
_FILE_BYTES = 1 << 42
"""The write role writes: its process may make the file larger."""
_SLACK_MS = 2_000
_COMMIT_MS = 60_000
_REST_MS = 1
"""After an order the process clears up, and makes ready for the next one."""
_TURN_SECONDS = 0.1
"""How often an order that waits for its turn looks whether it was stopped."""
_FOUND = TypeAdapter(Literal["before", "after", "neither"])


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    diff: Diff
    image: dict[str, object]


def open_change_engine(
    name: EngineName,
    address: Address,
    *,
    source: str,
    reader: Engine,
    reach: ServerReach | None = None,
) -> ChangeEngine:
    """Returns the write role of the database at `address`. Opens nothing yet.

    `reader` is the read role of the same source: DuckDB needs it out of the way while it writes.

    Raises:
        ConfigurationError: the address is not of the engine's kind, or its driver is missing.
    """
    reach = reach or ServerReach()
    match name:
        case "sqlite":
            return EmbeddedChanges(file_of(address), source, sqlite.SETTINGS, None)
        case "duckdb":
            shared = reader if isinstance(reader, EmbeddedEngine) else None
            return EmbeddedChanges(file_of(address), source, duckdb.SETTINGS, shared)
        case "postgres":
            return _postgres(server_of(address), source, reach)
        case "mysql":
            return _mysql(server_of(address), source)
        case _:
            assert_never(name)


def _postgres(address: ServerAddress, source: str, reach: ServerReach) -> ChangeEngine:
    try:
        from guard.engines.postgres_changes import PostgresChanges
        from guard.engines.postgres_session import Login
    except ImportError as error:
        raise ConfigurationError(
            "PostgreSQL needs its driver. Install gatehouse[postgres]."
        ) from error
    login = Login(url=address.url, schemas=reach.schemas, ddl=reach.ddl)
    return PostgresChanges(login, source)


def _mysql(address: ServerAddress, source: str) -> ChangeEngine:
    try:
        from guard.engines.mysql_changes import MysqlChanges
    except ImportError as error:
        raise ConfigurationError("MySQL needs its driver. Install gatehouse[mysql].") from error
    return MysqlChanges(address, source)


class EmbeddedChanges:
    """A database file as the write role. Safe to share between threads: orders wait in line."""

    def __init__(
        self, path: Path, source: str, settings: WorkerSettings, reader: EmbeddedEngine | None
    ) -> None:
        """`reader` is suspended while the file is open for writing, where there is one."""
        self._path = path
        self._source = source
        idle = _REST_MS if settings.engine == "duckdb" else 0
        self._settings = replace(settings, writes=True, file_size=_FILE_BYTES, idle_ms=idle)
        self._reader = reader
        self._lock = threading.Lock()
        self._worker: Worker | None = None
        self._sweep()

    def preview(
        self, change: Change, caps: ChangeCaps, cancel: Cancel, told: Told = unheard
    ) -> Diff:
        """Returns the exact diff of a change. Raises what `ChangeEngine.preview` does."""
        with self._waited(cancel):
            return self._captured("preview", change, caps, cancel, told).diff

    def apply(
        self,
        change: Change,
        caps: ChangeCaps,
        ready: Callable[[Captured], None],
        cancel: Cancel,
    ) -> Captured:
        """Runs the change for good. Raises what `ChangeEngine.apply` does."""
        with self._lock, self._alone():
            captured = self._captured("run", change, caps, cancel)
            try:
                ready(captured)
            except BaseException:
                self._end("rollback")
                raise
            self._end("commit")
            return captured

    def find(self, undo_image: bytes) -> Found:
        """Says what the source holds. Raises `SourceUnavailable` when it cannot be asked."""
        with self._lock:
            payload = self._call(
                {"op": "find", "image": json.loads(undo_image)}, _COMMIT_MS, Cancel()
            )
            return _FOUND.validate_json(payload)

    def close(self) -> None:
        """Ends the process; an open transaction is rolled back by the engine."""
        with self._lock:
            self._drop()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keeps the readers off the file and lets go of it afterwards, whatever happens."""
        if self._reader is None:
            yield
            return
        with self._reader.suspend():
            try:
                yield
            finally:
                self._drop()

    @contextlib.contextmanager
    def _waited(self, cancel: Cancel) -> Iterator[None]:
        """Holds the order's turn; one that is stopped while it waits never gets it."""
        while not self._lock.acquire(timeout=_TURN_SECONDS):
            if cancel.is_set():
                raise faults.stopped("cancelled")
        try:
            yield
        finally:
            self._lock.release()

    def _captured(
        self, op: str, change: Change, caps: ChangeCaps, cancel: Cancel, told: Told = unheard
    ) -> Captured:
        request = {
            "op": op,
            "sql": change.sql,
            "image": None if change.undo_image is None else json.loads(change.undo_image),
            "targets": change.targets,
            "schema": change.schema,
            "decided": dict(change.decided),
            "max_rows": caps.max_rows,
            "shown_rows": caps.shown_rows,
            "timeout_ms": caps.timeout_ms,
            "lock_timeout_ms": caps.lock_timeout_ms,
        }
        payload = self._call(request, 4 * caps.timeout_ms + _SLACK_MS, cancel, told)
        try:
            found = _Told.model_validate_json(payload)
        except ValidationError as error:
            self._drop()
            raise faults.to_error("engine", self._source) from error
        image = json.dumps(found.image, separators=(",", ":")).encode()
        return Captured(diff=found.diff, undo_image=image)

    def _end(self, op: Literal["commit", "rollback"]) -> None:
        """Ends the open transaction; a process that dies in a commit leaves its outcome unknown."""
        try:
            self._call({"op": op}, _COMMIT_MS, Cancel())
        except Exception as error:
            self._drop()
            if op == "commit":
                raise OutcomeUnknown(
                    f"The engine of {self._source} ended while it committed. What became of the "
                    "change is being found out."
                ) from error

    def _call(
        self,
        request: Mapping[str, object],
        timeout_ms: int,
        cancel: Cancel,
        told: Told = unheard,
    ) -> bytes:
        try:
            if self._worker is None or not self._worker.alive:
                self._worker = Worker(self._path, self._settings)
            reply = self._worker.call(
                request, timeout_ms=timeout_ms, max_payload=_PAYLOAD, cancel=cancel, told=told
            )
        except Stopped as stop:
            self._drop()
            raise faults.stopped(stop.cause) from None
        except WorkerDied as error:
            self._drop()
            raise SourceUnavailable(
                f"The engine of {self._source} ended while it ran this change. Nothing was changed."
            ) from error
        if reply.header.fault is not None:
            raise faults.to_error(reply.header.fault, self._source)
        return bytes(reply.payload)

    def _drop(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.discard()
            self._sweep()

    def _sweep(self) -> None:
        """Removes the copies that killed processes left."""
        if self._settings.engine == "duckdb":
            sweep(self._path.parent)
