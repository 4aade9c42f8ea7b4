"""Reading MariaDB: values, caps, faults without the server's words, catalogs, lost connections."""

from __future__ import annotations

import datetime as dt
import decimal
import threading
import time
from collections.abc import Iterator

import pyarrow as pa
import pytest

from guard.address import server_address
from guard.engines import Cancel
from guard.engines.mysql import MysqlEngine
from guard.errors import ConfigurationError, GuardError, Interrupted, Refused, SourceUnavailable
from tests.guard.engines.mysqlshop import Shop, asked, read, reading, rows, shop_on
from tests.guard.engines.support import CANARY
from tests.servers import ServerDatabase

NUMBERS = "CREATE TABLE numbers AS SELECT seq FROM seq_1_to_10000;"
ENDLESS = "SELECT COUNT(*) FROM numbers a, numbers b, numbers c, numbers d"


@pytest.fixture
def shop(mariadb: ServerDatabase) -> Iterator[Shop]:
    with shop_on(mariadb, NUMBERS) as made:
        mariadb.execute(f"GRANT SELECT ON numbers TO {made.reader}@localhost")
        yield made


@pytest.fixture
def adapter(shop: Shop) -> Iterator[MysqlEngine]:
    with reading(shop.url) as engine:
        yield engine


D = decimal.Decimal
VALUES: list[tuple[str, str, object, pa.DataType]] = [
    ("BIGINT UNSIGNED", "18446744073709551615", 2**64 - 1, pa.uint64()),
    ("BIGINT", "-9223372036854775808", -(2**63), pa.int64()),
    ("TINYINT(1)", "2", 2, pa.int64()),
    ("DECIMAL(10, 2)", "12.50", D("12.50"), pa.decimal128(38, 2)),
    ("DECIMAL(65, 30)", "1e-30", D("1e-30"), pa.decimal128(38, 30)),
    ("DECIMAL(65, 2)", "9" * 63, D("9" * 63), pa.decimal256(76, 2)),
    ("DOUBLE", "1.7976931348623157e308", 1.7976931348623157e308, pa.float64()),
    ("FLOAT", "0.1", 0.1, pa.float64()),
    ("DATE", "'2026-02-28'", dt.date(2026, 2, 28), pa.date32()),
    ("DATE", "'0000-00-00'", "0000-00-00", pa.string()),
    ("DATE", "'2026-00-10'", "2026-00-10", pa.string()),
    ("DATETIME(6)", "'9999-12-31 23:59:59.999999'", dt.datetime.max, pa.timestamp("us")),
    ("DATETIME", "'0000-00-00'", "0000-00-00 00:00:00", pa.string()),
    ("TIME(3)", "'10:11:12.5'", dt.time(10, 11, 12, 500_000), pa.time64("us")),
    ("TIME", "'25:00:00'", "25:00:00", pa.string()),
    ("TIME", "'-00:00:01'", "-00:00:01", pa.string()),
    ("YEAR", "2026", 2026, pa.int64()),
    ("BIT(1)", "b'1'", True, pa.bool_()),
    ("BIT(64)", "b'1" + "0" * 63 + "'", 2**63, pa.uint64()),
    ("JSON", """'{"a": [1, 2]}'""", '{"a": [1, 2]}', pa.string()),
    ("BLOB", "x'00ff'", b"\x00\xff", pa.binary()),
    ("BINARY(2)", "x'ff'", b"\xff\x00", pa.binary()),
    ("ENUM('s', 'm')", "'m'", "m", pa.string()),
    ("SET('p', 'q')", "'p,q'", "p,q", pa.string()),
    ("VARCHAR(9) CHARACTER SET latin1", "'Zürich'", "Zürich", pa.string()),
    ("TEXT CHARACTER SET utf8mb4", "'😀'", "😀", pa.string()),
    (
        "UUID",
        "'123e4567-e89b-12d3-a456-426655440000'",
        "123e4567-e89b-12d3-a456-426655440000",
        pa.string(),
    ),
]


@pytest.mark.parametrize(("kind", "text", "expected", "arrow"), VALUES)
def test_values_arrive_as_they_are_stored(
    shop: Shop, kind: str, text: str, expected: object, arrow: pa.DataType
) -> None:
    shop.database.execute(
        f"SET NAMES utf8mb4; SET sql_mode = ''; CREATE TABLE v (id INT PRIMARY KEY, x {kind});"
        f"INSERT INTO v VALUES (1, {text}); INSERT INTO v (id) VALUES (2);"
        f"GRANT SELECT ON v TO {shop.reader}@localhost"
    )
    with reading(shop.url) as engine:
        table = read(engine, "SELECT x FROM v ORDER BY id").table
    assert table.column(0).to_pylist() == [expected, None]
    assert table.schema.field(0).type == arrow


def test_geometry_is_its_bytes(adapter: MysqlEngine) -> None:
    ((value,),) = rows(adapter, "SELECT POINT(1, 2)")
    assert isinstance(value, bytes)
    assert len(value) == 25


def test_names_and_duplicates_are_the_servers_own(adapter: MysqlEngine) -> None:
    table = read(adapter, "SELECT 1 AS `é`, 2 AS a, 3 AS a").table
    assert table.column_names == ["é", "a", "a"]


def test_no_rows_keep_their_columns(adapter: MysqlEngine) -> None:
    table = read(adapter, "SELECT id, name FROM people WHERE id < 0").table
    assert (table.num_rows, table.column_names) == (0, ["id", "name"])


def test_rows_past_the_cap_are_cut_and_said_to_be(adapter: MysqlEngine) -> None:
    cut = read(adapter, "SELECT seq FROM numbers", max_rows=10)
    assert (cut.table.num_rows, cut.truncated) == (10, True)
    whole = read(adapter, "SELECT seq FROM numbers LIMIT 10", max_rows=10)
    assert (whole.table.num_rows, whole.truncated) == (10, False)


def test_a_result_past_the_byte_cap_is_refused_and_ended(adapter: MysqlEngine, shop: Shop) -> None:
    with pytest.raises(Interrupted) as caught:
        read(adapter, "SELECT REPEAT('x', 10000) FROM numbers", max_bytes=100_000)
    assert caught.value.cause == "bytes"
    assert nothing_runs(shop)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT REPEAT('x', 1000000000)",
        "SELECT GROUP_CONCAT(REPEAT('x', 1000)) FROM numbers",
    ],
)
def test_a_value_the_server_would_cut_is_refused(adapter: MysqlEngine, sql: str) -> None:
    with pytest.raises(Refused) as caught:
        read(adapter, sql)
    assert caught.value.refusal.rule == "engine.value_too_large"


def nothing_runs(shop: Shop) -> bool:
    """Waits a little for the server to notice."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        found = shop.database.execute(
            f"SELECT id FROM information_schema.PROCESSLIST WHERE user = '{shop.reader}' "
            "AND command <> 'Sleep'"
        )
        if not found:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("sql", ["SELECT SLEEP(60)", ENDLESS])
def test_a_statement_past_its_time_is_ended_on_the_server(
    adapter: MysqlEngine, shop: Shop, sql: str
) -> None:
    with pytest.raises(Interrupted) as caught:
        read(adapter, sql, timeout_ms=300)
    assert caught.value.cause == "timeout"
    assert nothing_runs(shop)


def test_lifting_the_servers_limit_in_passing_does_not_help(
    adapter: MysqlEngine, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watch ends a statement whose own limit is gone."""
    monkeypatch.setattr("guard.engines.mysql.settle", lambda session, timeout_ms: None)
    with pytest.raises(Interrupted) as caught:
        read(adapter, "SELECT SLEEP(60)", timeout_ms=300)
    assert caught.value.cause == "timeout"
    assert nothing_runs(shop)


def test_cancel_ends_a_statement_on_the_server(adapter: MysqlEngine, shop: Shop) -> None:
    cancel = Cancel()
    timer = threading.Timer(0.3, cancel.set)
    timer.start()
    with pytest.raises(Interrupted) as caught:
        adapter.run(asked("SELECT SLEEP(60)", timeout_ms=60_000), cancel)
    timer.join()
    assert caught.value.cause == "cancelled"
    assert nothing_runs(shop)
    assert rows(adapter, "SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("SELECT nothing FROM orders", "engine.no_such_name"),
        ("SELECT * FROM nothing", "engine.not_allowed"),
        ("SELECT FROM", "engine.syntax"),
        ("SELECT ssn FROM people", "engine.not_allowed"),
        ("SELECT id FROM people, orders", "engine.meaning"),
        ("SELECT 9223372036854775807 + 1", "engine.arithmetic"),
        ("SELECT (SELECT id FROM people)", "engine.meaning"),
    ],
)
def test_errors_carry_a_rule_and_none_of_the_servers_words(
    adapter: MysqlEngine, sql: str, rule: str
) -> None:
    with pytest.raises(Refused) as caught:
        read(adapter, sql)
    assert caught.value.refusal.rule == rule
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_error_made_to_carry_data_carries_none(adapter: MysqlEngine) -> None:
    sql = "SELECT EXTRACTVALUE('<a/>', CONCAT('//', (SELECT MAX(name) FROM people), '['))"
    with pytest.raises(GuardError) as caught:
        read(adapter, sql)
    assert "Cid" not in str(caught.value)


def test_the_catalog_holds_what_the_login_may_read_and_no_more(adapter: MysqlEngine) -> None:
    catalog = adapter.reflect()
    assert {t.name for t in catalog.tables} == {"people", "orders", "cities", "numbers"}
    people = catalog.table("PEOPLE")
    assert people is not None
    assert [c.name for c in people.columns] == ["id", "name", "city"]
    assert people.primary_key == ("id",)
    orders = catalog.table("orders")
    assert orders is not None
    assert [(k.columns, k.table, k.references) for k in orders.foreign_keys] == [
        (("person_id",), "people", ("id",))
    ]
    cities = catalog.table("cities")
    assert cities is not None
    assert cities.kind == "view"
    assert cities.definition is not None
    assert cities.definition.startswith("select")


def test_a_view_whose_definition_may_not_be_seen_has_none(shop: Shop) -> None:
    shop.database.execute(f"REVOKE SHOW VIEW ON cities FROM {shop.reader}@localhost")
    with reading(shop.url) as engine:
        cities = engine.reflect().table("cities")
    assert cities is not None
    assert cities.definition is None


def test_the_catalog_says_which_columns_no_two_rows_may_share(shop: Shop) -> None:
    shop.database.execute(
        "CREATE TABLE keyed (id INT PRIMARY KEY, a INT UNIQUE, b INT, c INT, UNIQUE (c, b));"
        f"GRANT SELECT ON keyed TO {shop.reader}@localhost"
    )
    with reading(shop.url) as engine:
        keyed = engine.reflect().table("keyed")
    assert keyed is not None
    assert set(keyed.unique) == {("a",), ("c", "b")}


def test_two_tables_whose_names_differ_in_case_only_are_neither(shop: Shop) -> None:
    shop.database.execute(
        "CREATE TABLE Twin (x INT); CREATE TABLE tWIN (x INT);"
        f"GRANT SELECT ON Twin TO {shop.reader}@localhost;"
        f"GRANT SELECT ON tWIN TO {shop.reader}@localhost"
    )
    with reading(shop.url) as engine:
        assert engine.reflect().table("twin") is None


def test_the_planner_says_how_much_a_read_would_take(adapter: MysqlEngine, shop: Shop) -> None:
    shop.database.execute(
        "INSERT INTO orders (person_id, amount) SELECT 1, seq FROM seq_1_to_2000; "
        "ANALYZE TABLE orders"
    )
    alone = adapter.estimate(asked("SELECT id FROM orders"))
    joined = adapter.estimate(
        asked("SELECT a.id FROM orders a JOIN orders b ON a.amount < b.amount")
    )
    one = adapter.estimate(asked("SELECT id FROM orders WHERE id = 10"))
    assert alone is not None
    assert joined is not None
    assert one is not None
    assert 1_000 <= (alone.rows or 0) <= 4_000
    assert (joined.rows or 0) >= 1_000_000
    assert (one.rows or 0) <= 2
    with pytest.raises(GuardError):
        adapter.estimate(asked("SELECT word FROM secrets"))


def test_a_probe_finds_a_login_that_may_do_too_much(adapter: MysqlEngine, shop: Shop) -> None:
    assert [p for p in adapter.probe() if not p.passed] == []
    shop.database.execute(f"GRANT FILE ON *.* TO {shop.reader}@localhost")
    shop.database.execute(f"GRANT DELETE ON people TO {shop.reader}@localhost")
    with reading(shop.url) as engine:
        failed = {p.name for p in engine.probe() if not p.passed}
    assert "hold no right but to read" in failed
    assert "write a file" in failed


@pytest.mark.parametrize("right", ["INSERT ON orders", "FILE ON *.*", "SELECT ON orders"])
def test_promise_05_a_login_that_may_do_more_than_read_runs_nothing(shop: Shop, right: str) -> None:
    option = " WITH GRANT OPTION" if right.startswith("SELECT") else ""
    shop.database.execute(f"GRANT {right} TO {shop.reader}@localhost{option}")
    with reading(shop.url) as engine, pytest.raises(SourceUnavailable, match="more than read"):
        read(engine, "SELECT id FROM orders")


@pytest.mark.parametrize(
    "option", ["local_infile=1", "init_command=x", "charset=latin1", "read_default_file=/etc/x"]
)
def test_options_that_would_undo_the_settings_are_refused(option: str) -> None:
    address = server_address(f"mysql://u:p@h/d?{option}", "mysql")
    with pytest.raises(ConfigurationError, match="Leave out the others"):
        MysqlEngine(address, source="shop")


def test_a_wrong_password_says_neither_user_nor_password(shop: Shop) -> None:
    url = shop.database.url(shop.reader, "qzwrong")
    with reading(url) as engine, pytest.raises(SourceUnavailable) as caught:
        engine.reflect()
    assert shop.reader not in str(caught.value)
    assert "qzwrong" not in str(caught.value)


def test_a_server_that_is_not_there_is_said_to_be(tmp_path: object) -> None:
    url = f"mysql://u:p@localhost/d?unix_socket={tmp_path}/none"
    with reading(url) as engine, pytest.raises(SourceUnavailable, match="cannot be reached"):
        engine.reflect()


def test_connections_the_server_closed_are_replaced(adapter: MysqlEngine, shop: Shop) -> None:
    def ask() -> None:
        rows(adapter, "SELECT SLEEP(0.2)")

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = shop.database.execute(
        f"SELECT id FROM information_schema.PROCESSLIST WHERE user = '{shop.reader}'"
    )
    assert len(kept) == 2
    for (number,) in kept:
        shop.database.execute(f"KILL {number}")
    assert rows(adapter, "SELECT 1") == [(1,)]
    assert rows(adapter, "SELECT 2") == [(2,)]


def test_many_threads_share_few_connections(adapter: MysqlEngine, shop: Shop) -> None:
    found: list[object] = []

    def ask(number: int) -> None:
        found.extend(rows(adapter, f"SELECT {number}, SLEEP(0.02)"))

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [(n, 0) for n in range(8)]
    kept = shop.database.execute(
        f"SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE user = '{shop.reader}'"
    )
    assert kept[0][0] <= 2  # type: ignore[operator]
