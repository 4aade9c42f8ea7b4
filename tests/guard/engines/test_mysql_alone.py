"""The MySQL adapter alone, its settings alone and its grants alone, against hostile statements."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest
from pymysql.constants import CLIENT

from guard.address import server_address
from guard.engines import Cancel
from guard.engines.child.faults import Fault
from guard.engines.mysql import MysqlEngine, settle
from guard.engines.mysql_session import Session, login_of
from guard.errors import GuardError
from tests.guard.engines import attacks
from tests.guard.engines.mysqlshop import Shop, asked, read, reading, shop_on
from tests.guard.engines.support import CANARY
from tests.servers import ServerDatabase

TIMEOUT_MS = 400
STOPS_THE_SERVER = ("SHUTDOWN", "KILL", "SET GLOBAL", "FLUSH TABLES WITH", "LOCK TABLES")
"""What the control does not run: other tests use the same server."""


@pytest.fixture
def shop(mariadb: ServerDatabase) -> Iterator[Shop]:
    with shop_on(mariadb) as made:
        yield made


@pytest.fixture
def adapter(shop: Shop) -> Iterator[MysqlEngine]:
    with reading(shop.url) as engine:
        yield engine


@pytest.fixture
def texts(tmp_path: Path) -> list[str]:
    """The attacks, with a folder to write into and a file that must not be read."""
    canary = tmp_path / "canary.txt"
    canary.write_text(CANARY, encoding="ascii")
    canary.chmod(0o644)
    out = tmp_path / "out"
    out.mkdir(mode=0o777)
    return [t.replace("{folder}", str(out)).replace("{canary}", str(canary)) for t in attacks.MYSQL]


def written(tmp_path: Path) -> list[str]:
    return sorted(p.name for p in (tmp_path / "out").iterdir())


def powerful(shop: Shop) -> str:
    """Makes an account that may do everything to this database, and files."""
    login = f"p_{secrets.token_hex(6)}"
    shop.database.execute(
        f"CREATE USER {login}@localhost IDENTIFIED BY 'x';"
        f"GRANT ALL ON {shop.database.name}.* TO {login}@localhost WITH GRANT OPTION;"
        f"GRANT FILE ON *.* TO {login}@localhost"
    )
    return login


def plain(shop: Shop, user: str, password: str) -> pymysql.Connection:
    """A connection as a careless program makes it: several statements at once, local files."""
    return pymysql.connect(
        unix_socket=shop.database.socket,
        user=user,
        password=password,
        database=shop.database.name,
        autocommit=True,
        local_infile=True,
        client_flag=CLIENT.MULTI_STATEMENTS,
        read_timeout=2,
    )


def careless(shop: Shop, user: str, password: str, sql: str) -> str:
    """Whatever one text gives on such a connection, all its results, up to an error."""
    shown = ""
    with (
        contextlib.suppress(pymysql.err.MySQLError, OSError),
        contextlib.closing(plain(shop, user, password)) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)
        shown += repr(cursor.fetchall())
        while cursor.nextset():
            shown += repr(cursor.fetchall())
    return shown


def marks(database: ServerDatabase) -> object:
    """Something that changes with most of what an attack can do."""
    return [
        database.execute("CHECKSUM TABLE people, orders, secrets"),
        database.execute("SHOW FULL TABLES"),
        database.execute("SELECT COUNT(*) FROM information_schema.COLUMNS"),
        database.execute("SELECT COUNT(*) FROM information_schema.ROUTINES"),
        database.execute("SELECT COUNT(*) FROM mysql.global_priv"),
    ]


def test_the_attacks_bite_where_nothing_holds(
    mariadb: ServerDatabase, tmp_path: Path, texts: list[str]
) -> None:
    """The control: without it the tests below could pass against statements that do nothing."""
    shown, changed = "", 0
    with shop_on(mariadb) as shop:
        login = powerful(shop)
        before = marks(mariadb)
        for sql in texts:
            if sql.startswith(STOPS_THE_SERVER):
                continue
            shown += careless(shop, login, "x", sql)
            after = marks(mariadb)
            changed += after != before
            before = after
        mariadb.execute(f"DROP USER {login}@localhost")
    assert changed >= 15
    assert len(written(tmp_path)) >= 5
    assert CANARY in shown


def test_promise_05_reads_cannot_write_through_the_mysql_adapter(
    adapter: MysqlEngine, shop: Shop, tmp_path: Path, texts: list[str]
) -> None:
    before = shop.content()
    for sql in texts:
        shown = ""
        with contextlib.suppress(GuardError):
            result = adapter.run(asked(sql, timeout_ms=TIMEOUT_MS), Cancel())
            shown = str(result.table.to_pylist())
        assert CANARY not in shown, sql
    assert shop.content() == before
    assert written(tmp_path) == []


def test_promise_04_the_grants_alone_stop_what_the_attacks_do(
    shop: Shop, tmp_path: Path, texts: list[str]
) -> None:
    before = shop.content()
    for sql in texts:
        if sql.startswith("LOAD") and "LOCAL" in sql:
            continue  # a file of the client's own, which this client gives away
        if sql.startswith(("SET PASSWORD", "ALTER USER CURRENT_USER")):
            continue  # everybody may change their own password
        shown = careless(shop, shop.reader, shop.password, sql)
        assert CANARY not in shown, sql
    assert shop.content() == before
    assert written(tmp_path) == []


WRITES = ("INSERT", "REPLACE", "UPDATE", "DELETE", "TRUNCATE", "CREATE", "DROP", "ALTER", "RENAME")


def test_promise_04_the_settings_alone_stop_every_write_of_an_all_powerful_account(
    shop: Shop, texts: list[str]
) -> None:
    login = powerful(shop)
    address = login_of(server_address(shop.database.url(login, "x"), "mysql"))
    before = shop.content()
    tried = 0
    for sql in texts:
        if not sql.startswith(WRITES) or "USER" in sql:
            continue
        with contextlib.closing(Session(address)) as session:
            settle(session, 2_000)
            with pytest.raises(pymysql.err.MySQLError):
                session.query(sql)
        tried += 1
    assert tried >= 25
    assert shop.content() == before
    shop.database.execute(f"DROP USER {login}@localhost")


def test_nothing_of_one_statement_is_left_for_the_next(shop: Shop) -> None:
    with reading(shop.url, sessions=1) as engine:
        read(engine, "SELECT @kept := 7, GET_LOCK('gatehouse_t', 0)")
        left = read(engine, "SELECT @kept, IS_FREE_LOCK('gatehouse_t'), @@tx_read_only")
        assert list(left.table.to_pylist()[0].values()) == [None, 1, 1]


@pytest.mark.parametrize(
    "sql",
    [
        "SET SESSION TRANSACTION READ WRITE",
        "BEGIN NOT ATOMIC SELECT 1; END",
        "EXECUTE IMMEDIATE 'SELECT 1'",
        "CALL p()",
        "/* SELECT */ DELETE FROM orders",
        "EXPLAIN SELECT 1",
        "SELECTED",
    ],
)
def test_text_that_does_not_begin_as_a_query_is_not_sent(
    adapter: MysqlEngine, shop: Shop, sql: str
) -> None:
    with pytest.raises(GuardError) as caught:
        read(adapter, sql)
    assert caught.value.refusal.rule == "engine.not_allowed"  # type: ignore[attr-defined]


def test_a_session_whose_settings_did_not_take_is_not_used(shop: Shop) -> None:
    address = login_of(server_address(shop.url, "mysql"))
    with contextlib.closing(Session(address)) as session, pytest.raises(Fault) as caught:
        session.settle({"sql_warnings": "1", "max_statement_time": "0.0000001"})
    assert caught.value.code == "engine"


CASES = Path(os.environ.get("GATEHOUSE_CASES", Path(__file__).parents[3] / "../shared/cases"))
CASE_TABLES = f"""
CREATE TABLE users (id INT PRIMARY KEY, name VARCHAR(40), email VARCHAR(40), ssn VARCHAR(40),
  balance DOUBLE);
CREATE TABLE audit_log (id INT AUTO_INCREMENT PRIMARY KEY, msg VARCHAR(40));
CREATE SEQUENCE s1;
CREATE FUNCTION f_write() RETURNS INT MODIFIES SQL DATA
  BEGIN INSERT INTO audit_log (msg) VALUES ('x'); RETURN 1; END;
INSERT INTO users VALUES (1, 'Ann', 'ann@shop.example', '{CANARY}', 12.5);
"""


@pytest.mark.parametrize("name", ["attacks_mysql", "engine_tests_mysql"])
def test_promise_05_reads_cannot_write_in_any_of_the_mysql_cases(
    mariadb: ServerDatabase, name: str
) -> None:
    path = CASES / "guard" / f"{name}.jsonl"
    if not path.exists():
        pytest.skip("the cases are not here; set GATEHOUSE_CASES to their folder")
    cases = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    unsafe = [c for c in cases if c["safe_read"] is False]
    with shop_on(mariadb, CASE_TABLES) as shop:
        mariadb.execute(f"GRANT SELECT (id, name, balance) ON users TO {shop.reader}@localhost")
        before = shop.content()
        with reading(shop.url) as engine:
            for case in unsafe:
                shown = ""
                with contextlib.suppress(GuardError):
                    result = engine.run(asked(case["sql"], timeout_ms=TIMEOUT_MS), Cancel())
                    shown = str(result.table.to_pylist())
                assert CANARY not in shown, case["id"]
        assert shop.content() == before
