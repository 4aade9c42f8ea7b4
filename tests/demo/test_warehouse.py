from __future__ import annotations

import sqlite3
from ipaddress import ip_address, ip_network

import duckdb


def rows(db: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[object, ...]]:
    return db.execute(sql).fetchall()


def test_a_year_of_some_hundred_thousand_events(warehouse: duckdb.DuckDBPyConnection) -> None:
    [(events, first, last, days)] = rows(
        warehouse,
        "SELECT count(*), min(occurred_at)::DATE::TEXT, max(occurred_at)::DATE::TEXT, "
        "count(DISTINCT occurred_at::DATE) FROM web_events",
    )

    assert isinstance(events, int)
    assert 250_000 < events < 400_000
    assert (first, last, days) == ("2025-07-01", "2026-06-30", 365)


def test_events_are_numbered_in_order_of_time(warehouse: duckdb.DuckDBPyConnection) -> None:
    assert rows(
        warehouse,
        "SELECT count(*) FROM (SELECT occurred_at < lag(occurred_at) OVER (ORDER BY id) AS back "
        "FROM web_events) WHERE back",
    ) == [(0,)]


def test_a_session_has_one_visitor_one_device_and_one_address(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    mixed = """
    SELECT count(*) FROM (SELECT session_id FROM web_events GROUP BY 1 HAVING
        count(DISTINCT (visitor_id, device, browser, country, referrer, ip_address)) > 1)"""

    assert rows(warehouse, mixed) == [(0,)]


def test_a_purchase_follows_a_checkout_and_a_cart_in_its_session(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    funnel = dict(
        rows(warehouse, "SELECT event_type, count(DISTINCT session_id) FROM web_events GROUP BY 1")
    )
    broken = """
    SELECT count(*) FROM (
        SELECT session_id,
               max(occurred_at) FILTER (event_type = 'add_to_cart') AS cart,
               max(occurred_at) FILTER (event_type = 'checkout') AS checkout,
               max(occurred_at) FILTER (event_type = 'purchase') AS purchase
        FROM web_events GROUP BY 1)
    WHERE purchase IS NOT NULL AND NOT coalesce(cart < checkout AND checkout < purchase, false)"""

    assert rows(warehouse, broken) == [(0,)]
    assert set(funnel) == {
        "page_view",
        "search",
        "add_to_cart",
        "checkout",
        "purchase",
        "newsletter_signup",
    }
    assert funnel["purchase"] < funnel["checkout"] < funnel["add_to_cart"] < funnel["page_view"]


def test_known_visitors_are_customers_of_that_country_after_signing_up(
    warehouse: duckdb.DuckDBPyConnection, shop: sqlite3.Connection
) -> None:
    signed_up = {
        i: (country, day)
        for i, country, day in shop.execute("SELECT id, country, signup_date FROM customers")
    }
    seen = rows(
        warehouse,
        "SELECT customer_id, country, min(occurred_at)::DATE::TEXT FROM web_events "
        "WHERE customer_id IS NOT NULL GROUP BY 1, 2",
    )

    assert len(seen) > 500
    for customer, country, first in seen:
        assert signed_up[customer][0] == country  # type: ignore[index]  # an id of the table
        assert signed_up[customer][1] < str(first)  # type: ignore[index]  # an id of the table


def test_addresses_are_of_a_range_that_no_person_has(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    reserved = ip_network("198.18.0.0/15")
    addresses = rows(warehouse, "SELECT DISTINCT ip_address FROM web_events")

    assert len(addresses) > 5_000
    assert all(ip_address(str(a)) in reserved for (a,) in addresses)


def test_daily_traffic_adds_up_the_events(warehouse: duckdb.DuckDBPyConnection) -> None:
    views = "SELECT count(*) FROM web_events WHERE event_type = 'page_view'"
    days = "SELECT count(DISTINCT day), count(DISTINCT country) FROM daily_traffic"

    assert rows(warehouse, "SELECT sum(page_views) FROM daily_traffic") == rows(warehouse, views)
    assert rows(warehouse, days) == [(365, 10)]


def test_visits_from_a_campaign_fall_into_its_days(warehouse: duckdb.DuckDBPyConnection) -> None:
    outside = """
    SELECT count(*) FROM (SELECT campaign_id, min(occurred_at)::DATE AS day FROM web_events
                          WHERE campaign_id IS NOT NULL GROUP BY campaign_id, session_id) AS v
    JOIN campaigns AS c ON c.id = v.campaign_id WHERE v.day NOT BETWEEN c.starts_on AND c.ends_on"""

    assert rows(warehouse, outside) == [(0,)]
    assert rows(
        warehouse,
        "SELECT count(*) FROM campaigns WHERE id NOT IN "
        "(SELECT campaign_id FROM web_events WHERE campaign_id IS NOT NULL)",
    ) == [(0,)]
