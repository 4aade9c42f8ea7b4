"""A server that is restarted under a running gate: told, recorded, settled, and used again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from guard import GuardError
from store.schema import reservations
from tests.ownservers import OwnServer, own_server
from tests.promises.postgres_shop import PostgresShop
from tests.servers import ServerName

POLICY = """
version = 1
[sources.shop]
engine = "{engine}"
environment = "production"
database_secret = "SHOP_READ"
write_secret = "SHOP_WRITE"
writes = true
[sources.shop.limits]
parallel = 1
timeout_seconds = 60
[roles.analysts]
members = ["ana", "@reviewer"]
[roles.analysts.sources.shop]
tables = ["orders"]
propose = ["orders"]
"""
SHOPS = {
    "postgres": """
CREATE TABLE orders (id int PRIMARY KEY, total numeric NOT NULL);
INSERT INTO orders SELECT n, n FROM generate_series(1, 2000) n;
CREATE ROLE reader LOGIN; GRANT SELECT ON orders TO reader;
CREATE ROLE writer LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO writer;
GRANT SET ON PARAMETER session_replication_role TO writer;
""",
    "mysql": """
CREATE TABLE orders (id int PRIMARY KEY, total int NOT NULL);
INSERT INTO orders SELECT seq, seq FROM seq_1_to_2000;
CREATE USER reader@localhost; GRANT SELECT, SHOW VIEW ON shop.orders TO reader@localhost;
CREATE USER writer@localhost; GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO writer@localhost;
GRANT REFERENCES ON *.* TO writer@localhost;
""",
}
LONG = (
    "SELECT COUNT(*) AS n FROM orders a, orders b, orders c, orders d "
    "WHERE a.id + b.id > c.id + d.id"
)
SHORT = "SELECT COUNT(*) AS n FROM orders"


@pytest.fixture(params=["postgres", "mysql"])
def server(request: pytest.FixtureRequest) -> Iterator[OwnServer]:
    engine: ServerName = request.param
    with own_server(engine) as made:
        made.execute(SHOPS[engine])
        yield made


@pytest.fixture
def shop(server: OwnServer, tmp_path: Path) -> Iterator[PostgresShop]:
    secrets = {"SHOP_READ": server.url("reader", ""), "SHOP_WRITE": server.url("writer", "")}
    with closing(PostgresShop(tmp_path, secrets, POLICY.format(engine=server.engine))) as opened:
        yield opened


def ask(shop: PostgresShop, sql: str) -> list[tuple[object, ...]]:
    result = shop.parts.gate.query(sql, source="shop", caller=shop.caller("ana"))
    return [tuple(row) for row in result.rows()]


def running(server: OwnServer) -> bool:
    """True while the reader's long statement runs on the server."""
    seen = (
        "SELECT count(*) FROM pg_stat_activity WHERE usename = 'reader' AND state = 'active'"
        if server.engine == "postgres"
        else "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'reader' "
        "AND INFO LIKE '%orders%'"
    )
    return server.execute(seen) != [(0,)]


def wait_until(true: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def unended(shop: PostgresShop) -> set[str]:
    """The intents of the trail that have no outcome."""
    records = shop.log.tail(1_000)
    return {r.event.id for r in records if r.event.type == "query.intent"} - {
        r.event.closes for r in records if r.event.closes is not None
    }


def last_outcomes(shop: PostgresShop) -> list[str]:
    """How the statements ended, in order."""
    return [r.event.type for r in shop.log.tail(1_000) if r.event.closes is not None]


def open_reservations(shop: PostgresShop) -> int:
    with shop.store.read() as conn:
        return len(conn.execute(reservations.select()).all())


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_promise_12_a_restarted_server_ends_a_statement_and_serves_the_next(
    server: OwnServer, shop: PostgresShop, kill: bool
) -> None:
    assert ask(shop, SHORT) == [(2000,)]
    errors: list[GuardError] = []

    def run() -> None:
        try:
            ask(shop, LONG)
        except GuardError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert wait_until(lambda: running(server))
    server.stop(kill=kill)
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert "shop" in str(errors[0])
    assert "ended the connection" in str(errors[0])
    with pytest.raises(GuardError, match=r"The server of shop") as away:
        ask(shop, SHORT)  # the server is away
    assert "reader" not in str(away.value)
    server.start()
    assert ask(shop, SHORT) == [(2000,)]
    assert last_outcomes(shop) == [
        "query.executed",
        "query.failed",
        "query.failed",
        "query.executed",
    ]
    assert unended(shop) == set()
    assert open_reservations(shop) == 0


def test_a_change_goes_on_after_the_server_was_restarted(
    server: OwnServer, shop: PostgresShop
) -> None:
    change = shop.propose("UPDATE orders SET total = 7 WHERE id = 1")
    shop.approve(change)
    server.stop()
    server.start()
    shop.parts.review.apply(change, shop.caller("rita"))
    assert shop.state(change) == "executed"
    assert server.execute("SELECT COUNT(*) FROM orders WHERE total = 7 AND id = 1") == [(1,)]
    assert open_reservations(shop) == 0
