"""The audit log against the least that could do the job, as ratios measured in one run.

`python -m bench.audit` prints them. A ratio of 1 means as fast as the bare thing.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from audit import Access, Action, Actor, AuditEvent, AuditLog, Effect, Filter, PolicyFacts, Timing
from audit.verify import Anchors, open_export, parse_vkey, verify

ACTOR = Actor(id="u-7f3a", type="user", roles=("analyst",), auth="password")
APPENDS = 400
ROUNDS = 5
WRITERS = 4
RECORDS = 20_000


def event(number: int) -> AuditEvent:
    return AuditEvent(
        type="query.executed",
        actor=ACTOR,
        outcome="success",
        summary=f"Read {number} rows of orders, customers.",
        session=f"c-{number % 50}",
        request=f"t-{number % 400}",
        parts=(
            Action(
                kind="read",
                verb="select",
                dialect="sqlite",
                source="shop",
                statement="SELECT c.region, SUM(o.total) FROM orders o JOIN customers c"
                " ON o.customer_id = c.id WHERE o.placed_at >= ? GROUP BY c.region LIMIT ?",
                statement_hmac="0" * 64,
            ),
            Access(tables=("customers", "orders"), columns=("customers.region", "orders.total")),
            PolicyFacts(decision="allow", rule="read.select", version="12"),
            Effect(intent_id=f"intent-{number}", rows=number, truncated=False),
            Timing(duration_us=8400, db_us=5200),
        ),
    )


def append_all(folder: Path, count: int) -> float:
    with AuditLog.open(folder / "audit", app_version="bench") as log:
        log.append(event(0))
        begun = time.perf_counter()
        for number in range(count):
            log.append(event(number))
        return time.perf_counter() - begun


def insert_all(folder: Path, count: int) -> float:
    """The bare thing: durable inserts of a text of the same length, with the same settings."""
    db = sqlite3.connect(folder / "plain.sqlite", isolation_level=None)
    db.execute("PRAGMA page_size = 8192")
    db.execute("PRAGMA busy_timeout = 60000")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE IF NOT EXISTS entry (seq INTEGER PRIMARY KEY, record TEXT NOT NULL)")
    text = "x" * 1274
    begun = time.perf_counter()
    for _ in range(count):
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT INTO entry (record) VALUES (?)", (text,))
        db.execute("COMMIT")
    took = time.perf_counter() - begun
    db.close()
    return took


def in_processes(work: Callable[[Path, int], float], folder: Path, count: int) -> float:
    """Runs `work` in several processes at once; returns the time of the slowest."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(WRITERS) as pool:
        pool.starmap(work, [(folder, 1)] * WRITERS)  # the interpreters start before the clock does
        return max(pool.starmap(work, [(folder, count)] * WRITERS, chunksize=1))


def ratio(bare: Callable[[], float], ours: Callable[[], float], rounds: int = ROUNDS) -> float:
    """Returns the median of bare / ours over rounds that alternate, so that both see the same
    noise."""
    return statistics.median(bare() / ours() for _ in range(rounds))


def measure_appends(folder: Path) -> list[tuple[str, float, str]]:
    one = ratio(lambda: insert_all(folder, APPENDS), lambda: append_all(folder, APPENDS))
    four = ratio(
        lambda: in_processes(insert_all, folder, APPENDS),
        lambda: in_processes(append_all, folder, APPENDS),
        rounds=3,
    )
    return [
        ("append, 1 writer / plain durable insert", one, "at least 0.5"),
        (f"append, {WRITERS} processes / plain durable insert", four, "at least 0.6"),
    ]


def measure_verify(folder: Path) -> list[tuple[str, float, str]]:
    with AuditLog.open(folder / "audit", app_version="bench") as log:
        fill(log, RECORDS)
        vkey = log.vkey
        search = measure_search(log)
        log.export(folder / "export")
    source = open_export(folder / "export")
    lines = [line for _, line, _ in source.rows(0)]
    key = parse_vkey(vkey)

    def bare() -> float:
        begun = time.perf_counter()
        for line in lines:
            hashlib.sha256(b"\x00" + line).digest()
        return time.perf_counter() - begun

    def checked(anchors: Anchors | None = None, *, deep: bool = False) -> float:
        held = source._replace(rows=lambda skip: ((0, line, None) for line in lines[skip:]))
        begun = time.perf_counter()
        report = verify(held, [key], anchors, deep=deep)
        took = time.perf_counter() - begun
        if report.findings:
            raise RuntimeError(report.as_text())
        return took

    anchors = Anchors(folder / "export" / "anchors.jsonl", [key.name])
    anchors.read()
    return [
        ("verify / bare hashlib loop", ratio(bare, checked), "at least 0.28"),
        ("verify with all anchors / bare hashlib loop", ratio(bare, lambda: checked(anchors)), ""),
        ("verify deep / bare hashlib loop", ratio(bare, lambda: checked(deep=True), 3), ""),
        *search,
    ]


def fill(log: AuditLog, count: int) -> None:
    """Appends from many threads, so that the writer makes batches."""
    with ThreadPoolExecutor(64) as pool:
        list(pool.map(lambda number: log.append(event(number)), range(count)))


def measure_search(log: AuditLog) -> list[tuple[str, float, str]]:
    """The same page from a log a tenth as long: 1 means that it did not get slower."""
    kinds: dict[str, Callable[[AuditLog], object]] = {
        "tail of 30": lambda x: x.tail(30, session="c-7"),
        "text search": lambda x: x.search(Filter(text="customers region", outcome="success")),
        "search by table": lambda x: x.search(Filter(table="orders")),
    }
    with (
        tempfile.TemporaryDirectory() as small,
        AuditLog.open(Path(small) / "audit", app_version="bench") as short,
    ):
        fill(short, RECORDS // 10)
        return [
            (
                f"{name}, {RECORDS // 10:,} / {RECORDS:,} events",
                clock(work, short) / clock(work, log),
                "must stay near a constant: counting stops at 10,000",
            )
            for name, work in kinds.items()
        ]


def clock(work: Callable[[AuditLog], object], log: AuditLog) -> float:
    """Returns the median time of a question, once the index has caught up."""
    work(log)
    times = []
    for _ in range(50):
        begun = time.perf_counter()
        work(log)
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def run() -> list[tuple[str, float, str]]:
    """Returns what was measured: name, ratio, and the goal or a note."""
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        return measure_appends(Path(first)) + measure_verify(Path(second))


if __name__ == "__main__":
    for name, value, note in run():
        print(f"{value:8.2f}  {name}  ({note})" if note else f"{value:8.2f}  {name}")
