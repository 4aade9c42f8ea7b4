"""Redaction of a 10,000 x 20 result against Presidio's BatchAnalyzerEngine, in one process.

`python -m bench redaction` prints ratios of CPU time. Presidio reads a sample of the rows, scaled
up; we redact all of them. The bare RE2 scan of the same cells is the least that looking can cost.
"""

from __future__ import annotations

import datetime as dt
import random
import time
from collections.abc import Callable, Sequence
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from redaction import ColumnVerdict, SessionKey, redact_table, redact_text, warm_up

ROWS = 10_000
SAMPLE = 12
HOSTILE_BYTES = 20_000

_GIVEN = ("Anna", "John", "Maria", "Peter", "Laura", "James", "Emma", "David", "Julia", "Robert")
_LAST = ("Smith", "Garcia", "Müller", "Kowalski", "Rossi", "Dubois", "Jones", "Novak", "Silva")
_CITIES = ("Berlin", "Lyon", "Madrid", "Austin", "Lisbon", "Turin", "Oslo", "Ghent")
_STATUS = ("open", "shipped", "paid", "cancelled", "returned")
_STREETS = ("Oak Street", "Mill Road", "Station Avenue", "Lake Drive", "Hill Lane")
_GOODS = ("Desk Lamp", "Garden Chair", "Travel Mug", "Wool Rug", "Steel Kettle", "Paper Tray")


def _luhn(body: str) -> str:
    total = sum(
        sum(divmod(2 * int(d), 10)) if i % 2 == 0 else int(d) for i, d in enumerate(reversed(body))
    )
    return body + str(-total % 10)


def _person(r: random.Random) -> str:
    return f"{r.choice(_GIVEN)} {r.choice(_LAST)}"


def _ticket(r: random.Random) -> str:
    return (
        f"Customer {_person(r)} called about ORD-{r.randrange(10**6):06}: the {r.choice(_GOODS)} "
        f"never came. Call back on +1 201-555-{r.randrange(10**4):04} or write to "
        f"user{r.randrange(10**6)}@example.com, please refund {r.randrange(10, 400)}.90 EUR."
    )


def _note(r: random.Random) -> str:
    return (
        f"Parcel {r.randrange(10**6)} left the warehouse in {r.choice(_CITIES)} on day "
        f"{r.randrange(1, 28)} and was scanned {r.randrange(2, 9)} times, nothing else to report."
    )


def _columns(r: random.Random) -> dict[str, Callable[[int], object]]:
    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    return {
        "order_id": lambda i: 100_000 + i,
        "customer_name": lambda i: f"{_person(r)}-{i}",
        "email": lambda i: f"{r.choice(_GIVEN).lower()}.{i}@example.com",
        "phone": lambda i: f"+1 201-{r.randrange(200, 999)}-{i:04}",
        "city": lambda i: r.choice(_CITIES),
        "street_address": lambda i: f"{i + 1} {r.choice(_STREETS)}, {r.choice(_CITIES)}",
        "ssn": lambda i: f"{r.randrange(100, 650)}-{r.randrange(10, 99)}-{i + 1:04}"[:11],
        "card_number": lambda i: _luhn(f"4{r.randrange(10**9):09}{i:05}"),
        "last_login_ip": lambda i: (
            f"{r.randrange(11, 220)}.{r.randrange(255)}.{i // 250}.{i % 250}"
        ),
        "status": lambda i: r.choice(_STATUS),
        "amount": lambda i: Decimal(r.randrange(10**6)) / 100,
        "quantity": lambda i: r.randrange(1, 20),
        "ordered_at": lambda i: start + dt.timedelta(minutes=i),
        "order_no": lambda i: f"ORD-2024-{i:06}",
        "request_id": lambda i: (
            f"{r.getrandbits(32):08x}-{i:04x}-4000-8000-{r.getrandbits(48):012x}"
        ),
        "product": lambda i: r.choice(_GOODS),
        "sku": lambda i: f"{r.choice('ABCDEF')}{r.choice('KLMN')}-{i:04}-{r.randrange(10)}",
        "discount": lambda i: round(r.random(), 4),
        "ticket": lambda i: _ticket(r),
        "note": lambda i: _note(r),
    }


def table(columns: Sequence[str] | None = None, *, neutral: bool = False) -> pa.Table:
    """The mixed result, or some of its columns; `neutral` takes their names away."""
    made = _columns(random.Random(20_260_630))
    wanted = list(columns or made)
    arrays = [pa.array([made[name](i) for i in range(ROWS)]) for name in wanted]
    names = [f"c{i}" for i in range(len(wanted))] if neutral else wanted
    return pa.Table.from_arrays(arrays, names=names)


def _ours(data: pa.Table) -> float:
    verdicts = [ColumnVerdict(name=name) for name in data.column_names]
    key = SessionKey.new()
    best = float("inf")
    for _ in range(3):
        started = time.process_time()
        redact_table(data, verdicts, sink="screen", key=key)
        best = min(best, time.process_time() - started)
    return best


def _batch(data: pa.Table) -> float:
    """CPU seconds of Presidio for all rows, from a sample of them."""
    import tldextract
    from presidio_analyzer import AnalyzerEngine, BatchAnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import NoOpNlpEngine

    # Its e-mail recognizer would fetch a list of domains from the network.
    offline = tldextract.TLDExtract(suffix_list_urls=())
    tldextract.extract = offline
    nlp = NoOpNlpEngine([{"lang_code": "en", "model_name": "none"}])
    nlp.load()
    registry = RecognizerRegistry(supported_languages=["en"])
    registry.load_predefined_recognizers(languages=["en"], nlp_engine=nlp)
    batch = BatchAnalyzerEngine(AnalyzerEngine(registry=registry, nlp_engine=nlp))
    rows = data.take(pa.array(range(0, ROWS, ROWS // SAMPLE)))
    columns = {
        n: [str(v) for v in rows.column(i).to_pylist()] for i, n in enumerate(rows.column_names)
    }
    list(batch.analyze_dict(columns, language="en"))
    started = time.process_time()
    list(batch.analyze_dict(columns, language="en"))
    return (time.process_time() - started) * ROWS / rows.num_rows


def _bare(data: pa.Table) -> float:
    """CPU seconds to run one RE2 pattern over every cell as text."""
    texts = [column.cast(pa.string()) for column in data.columns]
    pattern = r"@|[0-9](?:[ .\-]?[0-9]){6}|-----BEGIN|://[^/ ]+:[^/ ]+@"
    started = time.process_time()
    for column in texts:
        pc.match_substring_regex(column, pattern)
    return time.process_time() - started


def _hostile() -> tuple[str, float, float]:
    """The slowest cell of 20 kB, and its CPU seconds at 20 and at 10 kB."""
    seeds = (
        "a.",
        "1.",
        "1 ",
        "+1 (",
        "a@",
        "eyJ",
        "Aa ",
        "-----BEGIN ",
        "12 Oak ",
        "&#64;",
        "%40",
        "::",
    )
    worst = ("", 0.0, 1.0)
    for seed in seeds:
        whole = _time_cell(seed * (HOSTILE_BYTES // len(seed)))
        if whole > worst[1]:
            half = _time_cell(seed * (HOSTILE_BYTES // 2 // len(seed)))
            worst = (seed, whole, half)
    return worst


def _time_cell(cell: str) -> float:
    data = pa.table({"x": [cell]})
    key = SessionKey.new()
    started = time.process_time()
    redact_table(data, [ColumnVerdict(name="x")], sink="screen", key=key)
    return time.process_time() - started


def run() -> list[tuple[str, float, str]]:
    """Rows of name, ratio and note; of Presidio's time to ours, more is better."""
    warm_up()
    redact_text("warm", sink="log", key=SessionKey.new())
    mixed = table()
    structured = mixed.drop_columns(["ticket", "note"])
    cases = (
        ("mixed 10,000 x 20", mixed),
        ("structured 10,000 x 18", structured),
        ("mixed, no telling names", table(neutral=True)),
    )
    rows = []
    for name, data in cases:
        ours, theirs = _ours(data), _batch(data)
        speed = f"{data.num_rows * data.num_columns / ours:,.0f} cells/s, {ours:.2f} s CPU"
        rows.append((f"{name}: Presidio / ours", theirs / ours, speed))
    bare = _bare(mixed)
    rows.append(("mixed: ours / bare RE2 scan", _ours(mixed) / bare, f"bare scan {bare:.3f} s CPU"))
    seed, whole, half = _hostile()
    note = f"worst of the hostile cells, {seed!r} repeated: {whole * 1000:.0f} ms CPU"
    rows.append(("20 kB cell / 10 kB cell", whole / half, note))
    return rows
