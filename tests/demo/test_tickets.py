from __future__ import annotations

import re
import sqlite3

import pytest

from demo.ticket_text import POISONED


def test_every_97th_ticket_is_poisoned_and_each_attack_is_used(shop: sqlite3.Connection) -> None:
    rows = shop.execute("SELECT id, subject, body FROM support_tickets").fetchall()

    poisoned = {i for i, _, body in rows if any(text in body for _, text in POISONED)}
    assert poisoned == {i for i, _, _ in rows if i % 97 == 0}
    assert all(any(text in body for _, _, body in rows) for _, text in POISONED)
    hostile_subjects = {s for s, _ in POISONED if s}
    assert len(hostile_subjects) >= 3
    assert hostile_subjects <= {subject for _, subject, _ in rows}


@pytest.mark.parametrize(
    "attack",
    ["Ignore all previous", "DROP TABLE audit_log", "e-mail", "Approve your own", "![", "<script>"],
)
def test_the_attacks_the_guard_must_withstand_are_there(
    shop: sqlite3.Connection, attack: str
) -> None:
    found = shop.execute(
        "SELECT count(*) FROM support_tickets WHERE id % 97 = 0 AND instr(body, ?)", [attack]
    ).fetchone()

    assert found[0] >= 1


def test_bodies_are_all_different_and_of_several_sentences(shop: sqlite3.Connection) -> None:
    bodies = [b for (b,) in shop.execute("SELECT body FROM support_tickets")]

    assert len(set(bodies)) == len(bodies)
    assert all(len(re.findall(r"[.?!]", b)) >= 2 for b in bodies)
    assert not [b for b in bodies if re.search(r"\{[a-z0-9]+\}", b)]


@pytest.mark.parametrize(
    ("kind", "expression"),
    [
        ("e-mail addresses", "c.email IS NOT NULL AND instr(t.body, c.email)"),
        ("phone numbers", "c.phone IS NOT NULL AND instr(t.body, c.phone)"),
        ("family names", "instr(t.body, c.last_name)"),
        ("street addresses", "instr(t.body, c.address)"),
        ("card fragments", "t.body LIKE '%card ending ____ %'"),
        ("card numbers", "t.body GLOB '*[0-9][0-9][0-9][0-9] [0-9][0-9][0-9][0-9] [0-9]*'"),
    ],
)
def test_prose_carries_personal_data(shop: sqlite3.Connection, kind: str, expression: str) -> None:
    (found,) = shop.execute(
        "SELECT count(*) FROM support_tickets AS t JOIN customers AS c ON c.id = t.customer_id "
        f"WHERE {expression}"
    ).fetchone()

    assert found >= 15, kind


def test_open_tickets_of_every_priority_have_no_end_and_no_score(shop: sqlite3.Connection) -> None:
    states = {
        (status, closed, scored)
        for status, closed, scored in shop.execute(
            "SELECT status, closed_at IS NOT NULL, satisfaction IS NOT NULL FROM support_tickets"
        )
    }
    urgent = {
        p
        for (p,) in shop.execute(
            "SELECT DISTINCT priority FROM support_tickets WHERE status = 'open'"
        )
    }

    assert states == {("open", 0, 0), ("in progress", 0, 0), ("closed", 1, 0), ("closed", 1, 1)}
    assert urgent == {"low", "medium", "high", "urgent"}


def test_a_ticket_is_about_an_order_of_its_own_customer(shop: sqlite3.Connection) -> None:
    wrong = """
    SELECT count(*) FROM support_tickets AS t JOIN orders AS o ON o.id = t.order_id
    WHERE o.customer_id <> t.customer_id OR t.opened_at < o.order_date"""
    backwards = "SELECT count(*) FROM support_tickets WHERE closed_at < opened_at"

    assert shop.execute(wrong).fetchone() == (0,)
    assert shop.execute(backwards).fetchone() == (0,)


def test_a_ticket_comes_after_its_customer_signed_up(shop: sqlite3.Connection) -> None:
    early = """
    SELECT count(*) FROM support_tickets AS t JOIN customers AS c ON c.id = t.customer_id
    WHERE date(t.opened_at) < c.signup_date OR t.opened_at > '2026-06-30 23:59:59'"""

    assert shop.execute(early).fetchone() == (0,)
