"""The requests of the write role: preview, run, commit, roll back, find."""

from __future__ import annotations

import contextlib
import functools
import gc
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from guard.engines.child.reader import Answer, Stop, Work
from guard.engines.child.writing import Order, WriteRole, told


def open_role(engine: str, path: Path, *, memory: int, threads: int) -> WriteRole:
    """Returns the write role of the file. Opens nothing yet."""
    if engine == "sqlite":
        from guard.engines.child.sqlite_writer import SqliteWriter

        return SqliteWriter(path)
    from guard.engines.child.duckdb_writer import DuckdbWriter

    return DuckdbWriter(path, memory=memory, threads=threads)


def work(role: WriteRole) -> Mapping[str, Work]:
    """Returns what answers each request."""
    return {op: functools.partial(do, role) for op, do in _ORDERS.items()}


def _preview(role: WriteRole, stop: Stop, fields: Mapping[str, Any]) -> Answer:
    started = time.perf_counter_ns()
    with _without_collector():
        capture = role.preview(_order(fields), stop)
    elapsed_us = (time.perf_counter_ns() - started) // 1000
    # Nobody takes back what was rolled back.
    text = told(replace(capture, image={}), capture.decided or {}, fields["shown_rows"], elapsed_us)
    return {}, memoryview(text)


def _run(role: WriteRole, stop: Stop, fields: Mapping[str, Any]) -> Answer:
    started = time.perf_counter_ns()
    with _without_collector():
        capture = role.run(_order(fields), stop)
    elapsed_us = (time.perf_counter_ns() - started) // 1000
    return {}, memoryview(told(capture, fields["decided"], fields["shown_rows"], elapsed_us))


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    """Looks for no circles among the rows of a large change: there are none, and many rows."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _commit(role: WriteRole, _stop: Stop, _fields: Mapping[str, Any]) -> Answer:
    role.commit()
    return {}, memoryview(b"")


def _rollback(role: WriteRole, _stop: Stop, _fields: Mapping[str, Any]) -> Answer:
    role.rollback()
    return {}, memoryview(b"")


def _find(role: WriteRole, _stop: Stop, fields: Mapping[str, Any]) -> Answer:
    return {}, memoryview(json.dumps(role.find(fields["image"])).encode())


def _order(fields: Mapping[str, Any]) -> Order:
    return Order(
        sql=fields["sql"],
        image=fields["image"],
        targets=tuple(fields["targets"]),
        max_rows=fields["max_rows"],
        timeout_ms=fields["timeout_ms"],
        lock_timeout_ms=fields["lock_timeout_ms"],
        shown_rows=fields.get("shown_rows", 0),
        schema=fields.get("schema", False),
        decided=fields.get("decided", {}),
    )


_ORDERS: Mapping[str, Callable[[WriteRole, Stop, Mapping[str, Any]], Answer]] = {
    "preview": _preview,
    "run": _run,
    "commit": _commit,
    "rollback": _rollback,
    "find": _find,
}
