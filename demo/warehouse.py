"""The `warehouse` source: web analytics in one DuckDB file, generated column by column."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from demo.catalogue import CATEGORIES, PRODUCTS
from demo.people import Customer
from demo.world import COUNTRIES, TODAY, Progress

Ints = npt.NDArray[np.int64]
Times = npt.NDArray[np.datetime64]

FIRST_DAY = dt.date(2025, 7, 1)
SESSIONS = 62_000
VISITORS = 26_000

_SEED = 20260630
_NEVER = "2100-01-01"
_DEVICES = ("desktop", "mobile", "tablet")
_BROWSERS = ("Chrome", "Safari", "Firefox", "Edge", "Samsung Internet")
_REFERRERS = (
    "direct",
    "search.example.com",
    "news.example.org",
    "social.example.net",
    "mail.example.com",
)
_EVENTS = ("page_view", "search", "add_to_cart", "checkout", "purchase", "newsletter_signup")
_VIEW, _SEARCH, _CART, _CHECKOUT, _PURCHASE, _NEWSLETTER = range(len(_EVENTS))
_SEASON = (0.92, 0.88, 0.96, 0.97, 1.0, 1.0, 0.92, 0.88, 1.0, 1.06, 1.36, 1.42)
_HOURS = (2, 1, 1, 1, 1, 2, 4, 7, 10, 12, 13, 13, 14, 13, 12, 12, 13, 14, 17, 21, 22, 18, 10)
"""No visit starts after eleven, so that none lasts into July."""
_CAMPAIGNS = (
    ("Summer Sale", "2025-07-01", "2025-08-15"),
    ("Back to Office", "2025-08-20", "2025-09-30"),
    ("Autumn Sports", "2025-09-15", "2025-10-31"),
    ("Black Week", "2025-11-17", "2025-12-01"),
    ("Holiday Gifts", "2025-12-01", "2025-12-24"),
    ("New Year Tidy-up", "2026-01-02", "2026-01-31"),
    ("Valentine Beauty", "2026-02-01", "2026-02-14"),
    ("Spring Kitchen", "2026-03-10", "2026-04-12"),
    ("Outdoor Season", "2026-04-15", "2026-05-31"),
    ("Half-Year Clearance", "2026-06-08", "2026-06-30"),
)
_CAMPAIGN_CHANNELS = ("email", "search ads", "social ads")

_SCHEMA = """
CREATE TABLE campaigns (
    id INTEGER PRIMARY KEY, name VARCHAR NOT NULL, channel VARCHAR NOT NULL,
    starts_on DATE NOT NULL, ends_on DATE NOT NULL, budget DECIMAL(10,2) NOT NULL,
    owner_email VARCHAR NOT NULL
);
CREATE TABLE web_events (
    id BIGINT PRIMARY KEY, session_id BIGINT NOT NULL, visitor_id BIGINT NOT NULL,
    customer_id INTEGER, occurred_at TIMESTAMP NOT NULL, event_type VARCHAR NOT NULL,
    page VARCHAR NOT NULL, device VARCHAR NOT NULL, browser VARCHAR NOT NULL,
    country VARCHAR NOT NULL, referrer VARCHAR NOT NULL,
    campaign_id INTEGER REFERENCES campaigns(id), ip_address VARCHAR NOT NULL
);
CREATE TABLE daily_traffic (
    day DATE NOT NULL, country VARCHAR NOT NULL, device VARCHAR NOT NULL, visits BIGINT NOT NULL,
    page_views BIGINT NOT NULL, purchases BIGINT NOT NULL, PRIMARY KEY (day, country, device)
);
"""
_DAILY = """
INSERT INTO daily_traffic
SELECT CAST(occurred_at AS DATE), country, device, count(DISTINCT session_id),
       count(*) FILTER (event_type = 'page_view'), count(*) FILTER (event_type = 'purchase')
FROM web_events GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""


def write_warehouse(path: Path, people: Sequence[Customer], progress: Progress) -> None:
    """Writes the whole warehouse to `path`, which must not exist yet."""
    progress("web events", 0.65)
    rng = np.random.default_rng(_SEED)
    campaigns = _campaigns(rng)
    events = _events(people, rng)
    progress("warehouse tables", 0.8)
    with duckdb.connect(str(path), config={"threads": 2}) as db:
        db.execute(_SCHEMA)
        for name, table in (("campaigns", campaigns), ("web_events", events)):
            db.register("incoming", table)
            db.execute(f"INSERT INTO {name} SELECT * FROM incoming")  # noqa: S608 - names from above
            db.unregister("incoming")
        db.execute(_DAILY)
        db.execute("CHECKPOINT")


def _campaigns(rng: np.random.Generator) -> pa.Table:
    rows = [(n, c, s, e) for n, s, e in _CAMPAIGNS for c in _CAMPAIGN_CHANNELS]
    return pa.table(
        {
            "id": pa.array(range(1, len(rows) + 1), pa.int32()),
            "name": [f"{n} ({c})" for n, c, _, _ in rows],
            "channel": [c for _, c, _, _ in rows],
            "starts_on": [dt.date.fromisoformat(s) for _, _, s, _ in rows],
            "ends_on": [dt.date.fromisoformat(e) for _, _, _, e in rows],
            "budget": (rng.integers(8, 90, len(rows)) * 250).astype(np.float64),
            "owner_email": [f"marketing.{c.split()[0]}@shop.example" for _, c, _, _ in rows],
        }
    )


@dataclass(frozen=True, kw_only=True)
class _Visitors:
    """One entry a visitor; codes index the tuples above, `customer` is 0 for who is not known."""

    customer: Ints
    country: Ints
    device: Ints
    browser: Ints
    address: Ints


def _visitors(people: Sequence[Customer], rng: np.random.Generator) -> _Visitors:
    country = rng.choice(len(COUNTRIES), VISITORS, p=_shares([c.weight for c in COUNTRIES]))
    customer = np.zeros(VISITORS, np.int64)
    known = rng.permutation(VISITORS)[: len(people)]
    codes = {c.name: i for i, c in enumerate(COUNTRIES)}
    customer[known] = [p.id for p in people]
    country[known] = [codes[p.country] for p in people]
    device = rng.choice(len(_DEVICES), VISITORS, p=(0.44, 0.49, 0.07))
    return _Visitors(
        customer=customer,
        country=country,
        device=device,
        browser=np.where(
            device == 0,
            rng.choice((0, 1, 2, 3), VISITORS, p=(0.58, 0.14, 0.15, 0.13)),
            rng.choice((0, 1, 2, 4), VISITORS, p=(0.43, 0.38, 0.06, 0.13)),
        ),
        address=rng.integers(0, 1 << 17, VISITORS),
    )


@dataclass(frozen=True, kw_only=True)
class _Sessions:
    """One entry a session, in order of time. `reached` is how far down the funnel it got, 0-3."""

    started: Times
    visitor: Ints
    customer: Ints
    referrer: Ints
    campaign: Ints
    reached: Ints
    length: Ints


def _sessions(
    people: Sequence[Customer], visitors: _Visitors, rng: np.random.Generator
) -> _Sessions:
    started = _starts(rng)
    # The power makes some visitors come often and most of them once or twice.
    visitor = (VISITORS * rng.random(SESSIONS) ** 1.8).astype(np.int64)
    joined = np.array([_NEVER, *(p.signup_date.isoformat() for p in people)], "datetime64[D]")
    customer = visitors.customer[visitor]
    reached = rng.choice(4, SESSIONS, p=(0.78, 0.115, 0.045, 0.06))
    return _Sessions(
        started=started,
        visitor=visitor,
        customer=np.where(started.astype("datetime64[D]") > joined[customer], customer, 0),
        referrer=rng.choice(len(_REFERRERS), SESSIONS, p=(0.36, 0.34, 0.07, 0.15, 0.08)),
        campaign=_campaign_of(started, rng),
        reached=reached,
        length=1 + reached + rng.geometric(0.29, SESSIONS).clip(max=24),
    )


def _shares(weights: Sequence[float]) -> npt.NDArray[np.float64]:
    values: npt.NDArray[np.float64] = np.array(weights, np.float64)
    values /= values.sum()
    return values


def _starts(rng: np.random.Generator) -> Times:
    days = np.arange(np.datetime64(FIRST_DAY), np.datetime64(TODAY) + 1)
    months = days.astype("datetime64[M]").astype(np.int64) % 12
    weekday = (days.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
    growth = 1.28 ** (np.arange(len(days)) / 365.25)
    weight = growth * np.array(_SEASON)[months] * np.where(weekday >= 5, 0.84, 1.06)
    day = rng.choice(len(days), SESSIONS, p=_shares(list(weight)))
    hours = rng.choice(len(_HOURS), SESSIONS, p=_shares(_HOURS))
    seconds = hours * 3_600 + rng.integers(0, 3_600, SESSIONS)
    return np.sort(days[day].astype("datetime64[s]") + seconds.astype("timedelta64[s]"))


def _campaign_of(started: Times, rng: np.random.Generator) -> Ints:
    chosen = np.zeros(len(started), np.int64)
    day = started.astype("datetime64[D]")
    draw = rng.random(len(started))
    slot = rng.integers(0, len(_CAMPAIGN_CHANNELS), len(started))
    for n, (_, starts, ends) in enumerate(_CAMPAIGNS):
        on = (day >= np.datetime64(starts)) & (day <= np.datetime64(ends)) & (draw < 0.27)
        chosen = np.where(on, n * len(_CAMPAIGN_CHANNELS) + slot + 1, chosen)
    return chosen


def _events(people: Sequence[Customer], rng: np.random.Generator) -> pa.Table:
    visitors = _visitors(people, rng)
    sessions = _sessions(people, visitors, rng)
    session, kind, at = _steps(sessions, rng)
    visitor = sessions.visitor[session]
    return pa.table(
        {
            "id": np.arange(1, len(session) + 1),
            "session_id": session + 1,
            "visitor_id": visitor + 1,
            "customer_id": _or_null(sessions.customer[session]),
            "occurred_at": at,
            "event_type": _named(kind, _EVENTS),
            "page": _pages(kind, rng),
            "device": _named(visitors.device[visitor], _DEVICES),
            "browser": _named(visitors.browser[visitor], _BROWSERS),
            "country": _named(visitors.country[visitor], [c.name for c in COUNTRIES]),
            "referrer": _named(sessions.referrer[session], _REFERRERS),
            "campaign_id": _or_null(sessions.campaign[session]),
            "ip_address": _addresses(visitors.address[visitor]),
        }
    )


def _steps(sessions: _Sessions, rng: np.random.Generator) -> tuple[Ints, Ints, Times]:
    """Returns for each event its session, its kind and its time, in order of time."""
    session = np.repeat(np.arange(SESSIONS), sessions.length)
    first = np.cumsum(sessions.length) - sessions.length
    position = np.arange(len(session)) - first[session]
    from_end = sessions.length[session] - 1 - position
    kind = _kinds(sessions.reached[session], position, from_end, rng)
    pauses = rng.integers(4, 95, len(session))
    pauses[first] = 0
    elapsed = np.cumsum(pauses)
    elapsed -= elapsed[first][session]
    at = sessions.started[session] + elapsed.astype("timedelta64[s]")
    order = np.argsort(at, kind="stable")
    return session[order], kind[order], at[order]


def _kinds(reached: Ints, position: Ints, from_end: Ints, rng: np.random.Generator) -> Ints:
    """Returns what each event is: views and searches, then the funnel as far as it was reached."""
    draw = rng.random(len(position))
    browsing = np.where((draw < 0.11) & (position > 0), _SEARCH, _VIEW)
    browsing = np.where((draw > 0.992) & (position > 0), _NEWSLETTER, browsing)
    step = reached - from_end
    funnel = np.array([_CART, _CHECKOUT, _PURCHASE])
    return np.where(step >= 1, funnel[(step - 1).clip(0)], browsing)


def _pages(kind: Ints, rng: np.random.Generator) -> pa.Array:
    slugs = [c.lower().replace(" & ", "-").replace(" ", "-") for c in CATEGORIES]
    names = ["/", *(f"/category/{s}" for s in slugs)]
    names += [f"/product/{n}" for n in range(1, PRODUCTS + 1)]
    fixed = {"/search": _SEARCH, "/checkout": _CHECKOUT, "/thank-you": _PURCHASE}
    fixed["/newsletter"] = _NEWSLETTER
    products = 1 + len(slugs) + (PRODUCTS * rng.random(len(kind)) ** 1.6).astype(np.int64)
    browsing = (rng.integers(-7, 1 + len(slugs), len(kind))).clip(min=0)
    code = np.where(rng.random(len(kind)) < 0.54, products, browsing)
    code = np.where(kind == _CART, products, code)
    for offset, wanted in enumerate(fixed.values()):
        code = np.where(kind == wanted, len(names) + offset, code)
    return _named(code, [*names, *fixed])


def _addresses(number: Ints) -> pa.Array:
    # 198.18.0.0/15 is kept for benchmarks (RFC 2544), so no address belongs to a person.
    used, where = np.unique(number, return_inverse=True)
    names = [f"198.{18 + (n >> 16)}.{n >> 8 & 255}.{n & 255}" for n in used.tolist()]
    return _named(where, names)


def _named(code: npt.NDArray[Any], names: Sequence[str]) -> pa.Array:
    return pa.array(names, pa.string()).take(pa.array(code))


def _or_null(number: Ints) -> pa.Array:
    return pa.array(number, pa.int32(), mask=number == 0)
