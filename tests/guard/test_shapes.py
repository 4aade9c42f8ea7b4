"""Statements that differ in their values alone have one template; all others have their own."""

from __future__ import annotations

import pytest

from guard.shapes import shape_of

BASE = "UPDATE orders SET status = 'x' WHERE id IN (1, 2, 3)"


def same(one: str, other: str, dialect: str = "sqlite") -> bool:
    return shape_of(one, dialect).template == shape_of(other, dialect).template


@pytest.mark.parametrize(
    "other",
    [
        "update ORDERS set Status = 'y' where ID in (9) -- hello",
        "UPDATE orders /* x */ SET status = '' WHERE id IN (1, 2, 3, 4)",
        "UPDATE orders SET status = 'it''s' WHERE id IN (-1)",
    ],
)
def test_values_comments_and_spelling_do_not_make_another_template(other: str) -> None:
    assert same(BASE, other)


@pytest.mark.parametrize(
    "other",
    [
        "UPDATE orders SET status = 'x' WHERE id IN (1, 2, 3) OR 1 = 1",
        "UPDATE orders SET status = 'x'",
        "UPDATE orders SET status = 'x' WHERE id NOT IN (1, 2, 3)",
        "UPDATE orders SET status = 'x' WHERE total IN (1, 2, 3)",
        "UPDATE orders SET status = 'x' WHERE id IN ('1')",
        "UPDATE orders SET status = 1 WHERE id IN (1)",
        "UPDATE orders SET status = 'x', total = 1 WHERE id IN (1)",
        "UPDATE orders SET status = NULL WHERE id IN (1)",
        "UPDATE orders SET status = upper('x') WHERE id IN (1)",
        "UPDATE orders SET status = 'x' WHERE id IN (SELECT 1)",
        "UPDATE orders SET status = 'x' WHERE id IN (1, total)",
        "UPDATE customers SET status = 'x' WHERE id IN (1)",
        "DELETE FROM orders WHERE id IN (1)",
    ],
)
def test_anything_else_is_another_template(other: str) -> None:
    assert not same(BASE, other)


def test_is_null_is_a_test_and_not_a_value() -> None:
    assert not same("DELETE FROM t WHERE a IS NULL", "DELETE FROM t WHERE a IS TRUE")


def test_quoted_names_and_those_of_mysql_keep_their_case() -> None:
    assert not same('DELETE FROM "T" WHERE a = 1', 'DELETE FROM "t" WHERE a = 1', "postgres")
    assert not same("DELETE FROM T WHERE a = 1", "DELETE FROM t WHERE a = 1", "mysql")


@pytest.mark.parametrize(
    ("sql", "assigned"),
    [
        ("UPDATE t SET A = 1, b = 2 WHERE c = 3", {"a", "b"}),
        ("INSERT INTO t(a, B) VALUES (1, 2)", {"a", "b"}),
        ("INSERT INTO t VALUES (1, 2)", None),
        ("INSERT INTO t(a) VALUES (1) ON CONFLICT(a) DO UPDATE SET b = 2", {"a", "b"}),
        ("DELETE FROM t WHERE a = 1", set()),
    ],
)
def test_the_columns_a_statement_sets_are_known(sql: str, assigned: set[str] | None) -> None:
    found = shape_of(sql, "sqlite").assigned
    assert found == (None if assigned is None else frozenset(assigned))
