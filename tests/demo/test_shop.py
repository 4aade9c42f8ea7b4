from __future__ import annotations

import sqlite3

import pytest

VALUES = {
    "customers.segment": {"consumer", "enterprise", "small business"},
    "customers.country": {
        "Brazil",
        "Canada",
        "France",
        "Germany",
        "Italy",
        "Japan",
        "Portugal",
        "Spain",
        "United Kingdom",
        "United States",
    },
    "products.category": {
        "Beauty",
        "Books",
        "Electronics",
        "Home & Kitchen",
        "Office",
        "Sports",
        "Toys",
    },
    "products.brand": {"Acme", "Bluebird", "Kasa", "Lumen", "Northpeak", "Orbit"},
    "products.discontinued": {0, 1},
    "customers.is_active": {0, 1},
    "customers.marketing_opt_in": {0, 1},
    "orders.status": {"pending", "shipped", "delivered", "cancelled", "returned"},
    "orders.channel": {"web", "mobile app", "store", "phone"},
    "payments.method": {"credit card", "paypal", "bank transfer", "gift card"},
    "payments.status": {"captured", "failed", "refunded"},
    "support_tickets.priority": {"low", "medium", "high", "urgent"},
    "support_tickets.category": {"account", "billing", "delivery", "product quality", "other"},
    "support_tickets.status": {"open", "in progress", "closed"},
    "support_tickets.satisfaction": {None, 1, 2, 3, 4, 5},
}
ROWS = {
    "customers": (1_900, 2_100),
    "products": (130, 130),
    "orders": (8_500, 9_500),
    "order_items": (17_000, 19_500),
    "payments": (8_500, 10_500),
    "support_tickets": (850, 950),
}
TIMES = ("orders.order_date", "payments.paid_at", "billing_records.billed_at")


def count(db: sqlite3.Connection, sql: str) -> int:
    (n,) = db.execute(sql).fetchone()
    assert isinstance(n, int)
    return n


@pytest.mark.parametrize("name", sorted(VALUES))
def test_a_column_holds_its_whole_vocabulary_and_nothing_else(
    shop: sqlite3.Connection, name: str
) -> None:
    table, column = name.split(".")

    assert {v for (v,) in shop.execute(f"SELECT DISTINCT {column} FROM {table}")} == VALUES[name]


@pytest.mark.parametrize("table", sorted(ROWS))
def test_a_table_has_about_the_size_it_should(shop: sqlite3.Connection, table: str) -> None:
    low, high = ROWS[table]

    assert low <= count(shop, f"SELECT count(*) FROM {table}") <= high


def test_the_file_is_sound_and_its_keys_hold(shop: sqlite3.Connection) -> None:
    assert shop.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert shop.execute("PRAGMA foreign_key_check").fetchall() == []
    assert shop.execute("PRAGMA journal_mode").fetchone() == ("delete",)


@pytest.mark.parametrize("name", TIMES)
def test_times_are_text_that_sqlite_understands(shop: sqlite3.Connection, name: str) -> None:
    table, column = name.split(".")

    odd = f"SELECT count(*) FROM {table} WHERE datetime({column}) IS NOT {column}"
    assert count(shop, odd) == 0
    assert count(shop, f"SELECT count(*) FROM {table} WHERE {column} > '2026-06-30 23:59:59'") == 0


def test_orders_fill_every_day_from_january_2024_to_june_2026(shop: sqlite3.Connection) -> None:
    days = shop.execute("SELECT DISTINCT date(order_date) FROM orders ORDER BY 1").fetchall()

    assert days[0] == ("2024-01-01",)
    assert days[-1] == ("2026-06-30",)
    assert len(days) == 912


def test_revenue_grows_every_year_and_peaks_before_the_holidays(shop: sqlite3.Connection) -> None:
    by_month = dict(
        shop.execute(
            "SELECT strftime('%Y-%m', order_date), sum(total_amount) FROM orders "
            "WHERE status <> 'cancelled' GROUP BY 1"
        ).fetchall()
    )
    halves = [sum(by_month[f"{y}-{m:02d}"] for m in range(1, 7)) for y in (2024, 2025, 2026)]

    assert halves[0] * 1.1 < halves[1]
    assert halves[1] * 1.1 < halves[2]
    assert max(by_month, key=lambda month: by_month[month]) == "2025-12"
    assert by_month["2024-12"] > by_month["2024-10"] * 1.1


def test_every_total_is_its_lines_and_its_shipping(shop: sqlite3.Connection) -> None:
    wrong = """
    SELECT count(*) FROM orders AS o WHERE round(o.total_amount - o.shipping_cost, 2) IS NOT
        (SELECT round(sum(line_total), 2) FROM order_items AS i WHERE i.order_id = o.id)"""
    lines = (
        "SELECT count(*) FROM order_items WHERE round(quantity * unit_price - line_total, 2) <> 0"
    )

    assert count(shop, wrong) == 0
    assert count(shop, lines) == 0


def test_payments_tell_the_story_of_their_order(shop: sqlite3.Connection) -> None:
    tries = (
        "SELECT count(*) FROM payments AS p JOIN orders AS o ON o.id = p.order_id "
        "WHERE round(p.amount - o.total_amount, 2) <> 0 OR p.paid_at < o.order_date"
    )
    per_order = """
    SELECT o.status, sum(p.status = 'captured') AS captured, sum(p.status = 'refunded') AS refunded
    FROM orders AS o LEFT JOIN payments AS p ON p.order_id = o.id GROUP BY o.id"""
    stories = {(s, c or 0, r or 0) for s, c, r in shop.execute(per_order).fetchall()}

    assert count(shop, tries) == 0
    assert stories == {
        ("pending", 0, 0),
        ("pending", 1, 0),
        ("shipped", 1, 0),
        ("delivered", 1, 0),
        ("returned", 1, 1),
        ("cancelled", 0, 0),
        ("cancelled", 1, 1),
    }


def test_a_refund_comes_after_its_payment(shop: sqlite3.Connection) -> None:
    early = """
    SELECT count(*) FROM payments AS r JOIN payments AS c ON c.order_id = r.order_id
    WHERE r.status = 'refunded' AND c.status = 'captured' AND r.paid_at <= c.paid_at"""

    assert count(shop, early) == 0


def test_old_orders_are_settled_and_young_ones_under_way(shop: sqlite3.Connection) -> None:
    old = (
        "SELECT count(*) FROM orders WHERE status IN ('pending', 'shipped') "
        "AND order_date < '2026-05-30'"
    )
    soon = "SELECT count(*) FROM orders WHERE status = 'returned' AND order_date > '2026-06-10'"
    today = (
        "SELECT count(*) FROM orders WHERE date(order_date) = '2026-06-30' AND status = 'pending'"
    )

    assert count(shop, old) == 0
    assert count(shop, soon) == 0
    assert count(shop, today) > 3


def test_nobody_orders_before_signing_up(shop: sqlite3.Connection) -> None:
    early = (
        "SELECT count(*) FROM orders AS o JOIN customers AS c ON c.id = o.customer_id "
        "WHERE date(o.order_date) <= c.signup_date"
    )

    assert count(shop, early) == 0


def test_nothing_sells_before_its_launch(shop: sqlite3.Connection) -> None:
    early = (
        "SELECT count(*) FROM order_items AS i JOIN orders AS o ON o.id = i.order_id "
        "JOIN products AS p ON p.id = i.product_id WHERE date(o.order_date) <= p.launched_on"
    )

    assert count(shop, early) == 0


def test_the_quirks_that_questions_need_are_there(shop: sqlite3.Connection) -> None:
    never_ordered = (
        "SELECT count(*) FROM customers WHERE id NOT IN (SELECT customer_id FROM orders)"
    )
    never_sold = (
        "SELECT count(*) FROM products WHERE id NOT IN (SELECT product_id FROM order_items)"
    )
    no_stock = "SELECT count(*) FROM products WHERE stock_quantity = 0 AND NOT discontinued"
    loyal = "SELECT count(*) FROM (SELECT 1 FROM orders GROUP BY customer_id HAVING count(*) > 20)"
    names = {n for (n,) in shop.execute("SELECT name FROM products")}

    assert 100 < count(shop, never_ordered) < 600
    assert 3 <= count(shop, never_sold) <= 12
    assert count(shop, no_stock) >= 3
    assert 8 <= count(shop, "SELECT count(*) FROM products WHERE discontinued") <= 25
    assert 20 <= count(shop, loyal) <= 90
    assert {"Kasa Headphones", "Orbit Webcam"} <= names
    assert len(names) == 130
    assert count(shop, "SELECT count(*) FROM products WHERE unit_cost >= unit_price") == 0


def test_every_country_has_two_to_four_cities(shop: sqlite3.Connection) -> None:
    rows = shop.execute("SELECT country, count(DISTINCT city) FROM customers GROUP BY 1").fetchall()

    assert all(2 <= cities <= 4 for _, cities in rows)
    assert count(shop, "SELECT count(*) FROM customers WHERE city = 'Berlin'") > 50


def test_the_order_that_examples_change_is_delivered(shop: sqlite3.Connection) -> None:
    assert shop.execute("SELECT status FROM orders WHERE id = 118").fetchall() == [("delivered",)]


def test_test_billing_records_of_may_are_more_than_one_change_may_touch(
    shop: sqlite3.Connection,
) -> None:
    by_month = dict(
        shop.execute(
            "SELECT strftime('%Y-%m', billed_at), count(*) FROM billing_records "
            "WHERE is_test GROUP BY 1"
        ).fetchall()
    )

    assert by_month == {"2026-04": 870, "2026-05": 14_200, "2026-06": 640}


def test_every_captured_payment_is_billed_once(shop: sqlite3.Connection) -> None:
    billed = shop.execute(
        "SELECT order_id, billed_amount FROM billing_records WHERE NOT is_test ORDER BY 1"
    ).fetchall()
    captured = shop.execute(
        "SELECT order_id, amount FROM payments WHERE status = 'captured' ORDER BY 1"
    ).fetchall()

    assert billed == captured
    assert count(shop, "SELECT count(*) FROM billing_records WHERE is_test AND order_id > 0") == 0


RANKINGS = {
    "cities by customers": "SELECT count(*) AS n FROM customers GROUP BY city ORDER BY n DESC",
    "countries by customers": (
        "SELECT count(*) AS n FROM customers GROUP BY country ORDER BY n DESC"
    ),
    "customers by orders": "SELECT count(*) AS n FROM orders GROUP BY customer_id ORDER BY n DESC",
    "products by units": (
        "SELECT sum(quantity) AS n FROM order_items GROUP BY product_id ORDER BY n DESC"
    ),
    "products by units, from below": (
        "SELECT sum(quantity) AS n FROM order_items GROUP BY product_id ORDER BY n"
    ),
    "countries by orders": (
        "SELECT count(*) AS n FROM orders GROUP BY shipping_country ORDER BY n DESC"
    ),
}


@pytest.mark.parametrize("name", sorted(RANKINGS))
def test_a_ranking_of_one_three_or_five_has_no_tie_at_its_end(
    shop: sqlite3.Connection, name: str
) -> None:
    values = [n for (n,) in shop.execute(RANKINGS[name])]

    assert [cut for cut in (1, 3, 5) if values[cut - 1] == values[cut]] == []
