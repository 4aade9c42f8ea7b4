"""The `shop` source: its schema and its rows, written to one SQLite file."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from operator import attrgetter
from pathlib import Path

from demo.billing import billing_records
from demo.catalogue import Product, products
from demo.people import Customer, cards, employees
from demo.sales import Order, orders
from demo.tickets import tickets
from demo.world import Progress

Value = str | int | float | dt.date | None

_SCHEMA = """
CREATE TABLE customers (
    id integer primary key, first_name text not null, last_name text not null, email text unique,
    phone text, city text, country text, segment text, signup_date date not null,
    is_active boolean not null, marketing_opt_in boolean not null,
    birth_date date, national_id text, address text, postcode text
);
CREATE TABLE products (
    id integer primary key, name text not null, sku text unique not null, category text not null,
    brand text, unit_price numeric(10,2) not null, unit_cost numeric(10,2) not null,
    stock_quantity integer not null, discontinued boolean not null, launched_on date
);
CREATE TABLE orders (
    id integer primary key, customer_id integer not null references customers(id),
    order_date timestamp not null, status text not null, channel text not null,
    shipping_country text, shipping_cost numeric(10,2) not null, total_amount numeric(10,2) not null
);
CREATE TABLE order_items (
    id integer primary key, order_id integer not null references orders(id) on delete cascade,
    product_id integer not null references products(id), quantity integer not null,
    unit_price numeric(10,2) not null, line_total numeric(10,2) not null
);
CREATE TABLE payments (
    id integer primary key, order_id integer not null references orders(id),
    paid_at timestamp not null, amount numeric(10,2) not null, method text not null,
    status text not null
);
CREATE TABLE support_tickets (
    id integer primary key, customer_id integer not null references customers(id),
    order_id integer references orders(id), opened_at timestamp not null, closed_at timestamp,
    priority text not null, category text not null, status text not null, satisfaction integer,
    subject text, body text
);
CREATE TABLE billing_records (
    id integer primary key, customer_id integer references customers(id),
    order_id integer references orders(id), billed_at timestamp not null, reference text not null,
    billed_amount numeric(10,2) not null, is_test boolean not null
);
CREATE TABLE payment_cards (
    id integer primary key, customer_id integer not null references customers(id),
    holder text not null, card_brand text not null, card_number text not null,
    expires text not null, added_on date not null
);
CREATE TABLE employees (
    id integer primary key, first_name text not null, last_name text not null,
    email text unique not null, job_title text not null, department text not null,
    country text not null, hired_on date not null, salary integer not null,
    manager_id integer references employees(id)
);
"""
_MONEY = frozenset(
    [
        "unit_price",
        "unit_cost",
        "shipping_cost",
        "total_amount",
        "line_total",
        "amount",
        "billed_amount",
    ]
)
"""Columns whose values the generator counts in cents."""
_INDEXES = """
CREATE INDEX ix_orders_customer on orders(customer_id);
CREATE INDEX ix_items_order on order_items(order_id);
CREATE INDEX ix_pay_order on payments(order_id);
CREATE INDEX ix_tickets_order on support_tickets(order_id);
CREATE INDEX ix_billing_order on billing_records(order_id);
CREATE INDEX ix_cards_customer on payment_cards(customer_id);
"""


def write_shop(path: Path, people: Sequence[Customer], progress: Progress) -> None:
    """Writes the whole shop to `path`, which must not exist yet."""
    progress("products and orders", 0.1)
    goods = products()
    sold = orders(people, goods)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        # Nothing reads the file before it is whole, so it need not survive a crash half-way.
        db.execute("PRAGMA synchronous = off")
        db.execute("PRAGMA journal_mode = memory")
        db.executescript(_SCHEMA)
        db.execute("BEGIN")
        progress("shop tables", 0.3)
        _write_catalogue(db, people, goods)
        _write_orders(db, sold)
        _write_payments(db, sold)
        progress("support tickets", 0.5)
        _write_support(db, people, sold)
        _write_staff(db)
        db.execute("COMMIT")
        db.executescript(_INDEXES)


def _write_catalogue(
    db: sqlite3.Connection, people: Sequence[Customer], goods: Sequence[Product]
) -> None:
    _insert_all(
        db,
        "customers",
        "id first_name last_name email phone city country segment signup_date is_active "
        "marketing_opt_in birth_date national_id address postcode",
        people,
    )
    _insert_all(
        db,
        "products",
        "id name sku category brand unit_price unit_cost stock_quantity discontinued launched_on",
        goods,
    )


def _write_orders(db: sqlite3.Connection, sold: Sequence[Order]) -> None:
    _insert_all(
        db,
        "orders",
        "id customer_id order_date status channel shipping_country shipping_cost total_amount",
        sold,
    )
    items = ((o.id, i) for o in sold for i in o.items)
    _insert(
        db,
        "order_items",
        "id order_id product_id quantity unit_price line_total",
        (
            (n, order, i.product.id, i.quantity, i.unit_price, i.line_total)
            for n, (order, i) in enumerate(items, start=1)
        ),
    )


def _write_payments(db: sqlite3.Connection, sold: Sequence[Order]) -> None:
    payments = sorted((p for o in sold for p in o.payments), key=lambda p: (p.paid_at, p.order_id))
    _insert(
        db,
        "payments",
        "id order_id paid_at amount method status",
        (
            (n, p.order_id, p.paid_at, p.amount, p.method, p.status)
            for n, p in enumerate(payments, start=1)
        ),
    )
    _insert_all(
        db,
        "billing_records",
        "id customer_id order_id billed_at reference billed_amount is_test",
        billing_records(sold),
    )


def _write_support(
    db: sqlite3.Connection, people: Sequence[Customer], sold: Sequence[Order]
) -> None:
    on_file = cards(people)
    _insert_all(
        db,
        "payment_cards",
        "id customer_id holder card_brand card_number expires added_on",
        on_file,
    )
    _insert_all(
        db,
        "support_tickets",
        "id customer_id order_id opened_at closed_at priority category status satisfaction subject "
        "body",
        tickets(people, sold, on_file),
    )


def _write_staff(db: sqlite3.Connection) -> None:
    _insert_all(
        db,
        "employees",
        "id first_name last_name email job_title department country hired_on salary manager_id",
        employees(),
    )


def _insert_all(db: sqlite3.Connection, table: str, columns: str, things: Iterable[object]) -> None:
    """Fills `table` with `things`, whose attributes have the names of the columns."""
    _insert(db, table, columns, map(attrgetter(*columns.split()), things))


def _insert(
    db: sqlite3.Connection, table: str, columns: str, rows: Iterable[Sequence[Value]]
) -> None:
    names = columns.split()
    cents = [name in _MONEY for name in names]
    marks = ", ".join("?" * len(names))
    db.executemany(
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})",  # noqa: S608 - own names
        [tuple(map(_stored, row, cents)) for row in rows],
    )


def _stored(value: Value, cents: bool) -> str | int | float | None:
    """Returns the value as the tables hold it: times as ISO text, truth as 0 or 1."""
    if cents and isinstance(value, int):
        return value / 100
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, dt.date):
        return value.isoformat()
    return int(value) if isinstance(value, bool) else value
