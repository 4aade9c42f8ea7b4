"""The promises on MariaDB, with the whole console around it and logins made as it prints them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from guard import Refused
from guard.errors import Drifted, GuardError
from tests.guard.engines import attacks
from tests.killing import killed
from tests.promises.mysql_shop import EMAIL, POLICY, SALARY, MysqlShop, content, logins
from tests.promises.writing import (
    KILL_POINTS,
    ONE_MORE,
    approved,
    killer,
    settles_once,
    taken_back,
)
from tests.servers import ServerDatabase


@pytest.fixture
def secrets(mariadb: ServerDatabase) -> Iterator[dict[str, str]]:
    with logins(mariadb) as found:
        yield found


@pytest.fixture
def shop(tmp_path: Path, secrets: dict[str, str]) -> Iterator[MysqlShop]:
    opened = MysqlShop(_home(tmp_path), secrets)
    yield opened
    opened.close()


def _home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home


def asked(shop: MysqlShop, sql: str) -> list[tuple[object, ...]]:
    result = shop.parts.gate.query(sql, source="shop", caller=shop.caller("ana"))
    return [tuple(row) for row in result.rows()]


def test_the_printed_statements_make_logins_that_pass_every_probe(shop: MysqlShop) -> None:
    engine = shop.parts.sources.get("shop").engine
    assert [p for p in engine.probe() if not p.passed] == []
    catalog = engine.reflect()
    assert {t.name for t in catalog.tables} == {"customers", "orders", "late"}
    customers = catalog.table("customers")
    assert customers is not None
    assert "ssn" not in [c.name for c in customers.columns]


def test_promise_08_pii_stays_in_on_mysql_views_included(shop: MysqlShop) -> None:
    assert asked(shop, "SELECT id, total FROM orders WHERE id = 1")[0][0] == 1
    for sql in (
        "SELECT email FROM customers",
        "SELECT * FROM late",
        "SELECT CONCAT(email, '') AS country FROM late",
        "SELECT GROUP_CONCAT(email) FROM customers",
        "WITH c AS (SELECT email AS x FROM customers) SELECT x FROM c",
    ):
        shown = str(asked(shop, sql))
        assert EMAIL not in shown, sql
    with pytest.raises(Refused):
        asked(shop, "SELECT HEX(email), REVERSE(email) FROM customers")


def test_promise_03_a_hostile_model_changes_and_learns_nothing_on_mysql(
    shop: MysqlShop, mariadb: ServerDatabase, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir(mode=0o777)
    names = {"people": "customers", "secrets": "salaries", "cities": "late"}
    before, tried = content(mariadb), 0
    for text in attacks.MYSQL:
        sql = text.replace("{folder}", str(out)).replace("{canary}", str(tmp_path / "c"))
        for old, new in names.items():
            sql = sql.replace(old, new)
        shown = ""
        try:
            shown = str(asked(shop, sql))
        except GuardError as error:
            shown = str(error)
        tried += 1
        assert EMAIL not in shown, sql
        assert str(SALARY) not in shown, sql
    assert tried == len(attacks.MYSQL)
    assert content(mariadb) == before
    assert list(out.iterdir()) == []
    assert shop.log.verify().status == 0


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("SELECT bump(1)", "function.unknown"),
        ("SELECT `bump`(id) FROM orders", "function.unknown"),
        ("SELECT * FROM salaries", "table.not_allowed"),
        ("SELECT LOAD_FILE('/etc/passwd')", "function.refused"),
        ("SELECT @a := 1", "statement.assignment"),
        ("SELECT 1 /*! INTO OUTFILE '/tmp/x' */", "statement.comment"),
        ("SELECT 1; SELECT 2", "statement.several"),
    ],
)
def test_what_the_guard_does_not_know_is_refused_on_mysql(
    shop: MysqlShop, sql: str, rule: str
) -> None:
    with pytest.raises(Refused) as caught:
        asked(shop, sql)
    assert caught.value.refusal.rule == rule


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT COUNT(*) FROM orders WHERE placed REGEXP '^2026'", [(2,)]),
        (
            "SELECT o.id FROM orders o LEFT JOIN customers c ON c.id = o.customer_id "
            "WHERE c.country = 'germany'",
            [(2,)],
        ),
        ("SELECT YEAR(placed), COUNT(*) FROM orders GROUP BY YEAR(placed)", [(2026, 2)]),
        ("SELECT id FROM orders WHERE placed > DATE_SUB('2026-07-02', INTERVAL 2 DAY)", [(2,)]),
        (
            "SELECT id, ROW_NUMBER() OVER (ORDER BY total DESC) AS r FROM orders ORDER BY id",
            [(1, 2), (2, 1)],
        ),
        (
            "SELECT IF(total > 15, 'big', 'small') AS size FROM orders ORDER BY id",
            [("small",), ("big",)],
        ),
        ("SELECT id FROM late", [(1,)]),
        (
            "SELECT DATE_FORMAT(placed, '%Y-%m') AS m FROM orders ORDER BY 1",
            [("2026-01",), ("2026-07",)],
        ),
    ],
)
def test_honest_questions_are_answered_on_mysql(
    shop: MysqlShop, sql: str, expected: list[tuple[object, ...]]
) -> None:
    assert asked(shop, sql) == expected


LOOKUP = POLICY.replace("propose =", 'lookup = ["customers.email"]\npropose =')


@pytest.mark.parametrize(
    "constant", ["0", "-1", "TRUE", "CAST('5' AS DATE)", "CAST(0 AS SIGNED)", "('a', 0)"]
)
def test_promise_08_a_look_up_on_mysql_finds_the_whole_text_or_nothing(
    tmp_path: Path, mariadb: ServerDatabase, constant: str
) -> None:
    with logins(mariadb, LOOKUP) as secrets:
        shop = MysqlShop(_home(tmp_path), secrets, LOOKUP)
        try:
            assert asked(shop, f"SELECT id FROM customers WHERE email = '{EMAIL}'") == [(1,)]
            operator = "IN" if constant.startswith("(") else "="
            with pytest.raises(Refused) as caught:
                asked(shop, f"SELECT id FROM customers WHERE email {operator} {constant}")
            assert caught.value.refusal.rule == "masked.predicate"
        finally:
            shop.close()


FILTERED = (
    POLICY + "[roles.analysts.sources.shop.row_filters]\ncustomers = \"country = 'Germany'\"\n"
)


def test_row_filters_hold_on_mysql(tmp_path: Path, mariadb: ServerDatabase) -> None:
    with logins(mariadb, FILTERED) as secrets:
        shop = MysqlShop(_home(tmp_path), secrets, FILTERED)
        try:
            assert asked(shop, "SELECT id FROM customers") == [(2,)]
            assert asked(shop, "SELECT id FROM customers UNION SELECT id FROM customers") == [(2,)]
            assert asked(shop, "SELECT id FROM late") == []
        finally:
            shop.close()


def test_promise_06_a_write_on_mysql_waits_for_someone_else_and_can_be_taken_back(
    shop: MysqlShop, mariadb: ServerDatabase
) -> None:
    before = content(mariadb)
    change = shop.propose(ONE_MORE)
    assert content(mariadb) == before
    shop.approve(change)
    shop.parts.review.apply(change, shop.caller("rita"))
    assert mariadb.execute("SELECT CAST(total AS CHAR) FROM orders WHERE id = 2") == [("21.00",)]
    taken_back(shop, change)
    assert content(mariadb) == before


def test_promise_06_what_drifted_on_mysql_does_not_run(
    shop: MysqlShop, mariadb: ServerDatabase
) -> None:
    change = approved(shop)
    mariadb.execute("UPDATE orders SET total = 99 WHERE id = 2")
    with pytest.raises(Drifted):
        shop.parts.review.apply(change, shop.caller("rita"))
    assert mariadb.execute("SELECT CAST(total AS CHAR) FROM orders WHERE id = 2") == [("99.00",)]


def test_a_change_that_cannot_be_previewed_on_mysql_cannot_be_approved(shop: MysqlShop) -> None:
    with pytest.raises(Refused) as caught:
        shop.propose("INSERT INTO orders SELECT id + 10, 1, 5, NULL FROM orders")
    assert caught.value.refusal.rule == "preview.insert_select"


KILLER = killer(
    shop="tests.promises.mysql_shop:MysqlShop",
    engine="guard.engines.mysql_changes:MysqlChanges",
    captured="captured",
)


@pytest.mark.parametrize("point", KILL_POINTS)
def test_promise_12_on_mysql_a_write_takes_effect_exactly_once_across_kill_9(
    tmp_path: Path, mariadb: ServerDatabase, secrets: dict[str, str], point: str
) -> None:
    home = _home(tmp_path)
    shop = MysqlShop(home, secrets)
    change = approved(shop)
    shop.close()
    killed(KILLER, home, point, str(change), secrets=secrets)
    shop = MysqlShop(home, secrets)
    try:
        settles_once(shop, change, point)
        total = mariadb.execute("SELECT CAST(total AS CHAR) FROM orders WHERE id = 2")
        assert total == [("21.00",)]
    finally:
        shop.close()
