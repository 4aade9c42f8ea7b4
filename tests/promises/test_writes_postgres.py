"""A write on PostgreSQL takes effect exactly once, with real processes that really die."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from guard.errors import Drifted
from tests.killing import PRELUDE, killed, started
from tests.promises.postgres_shop import PostgresShop, logins
from tests.promises.writing import KILL_POINTS, approved, killer, settles_once, taken_back
from tests.servers import ServerDatabase

KILLER = killer(
    shop="tests.promises.postgres_shop:PostgresShop",
    engine="guard.engines.postgres_changes:PostgresChanges",
    captured="run_one",
)
RACER = """
from guard.errors import Illegal
from tests.promises.postgres_shop import PostgresShop, wait_until
shop = PostgresShop(home, secrets)
print("ready", flush=True)
wait_until(float(sys.stdin.readline()))
try:
    shop.parts.review.apply(int(given[0]), shop.caller(given[1]))
except Illegal:
    sys.exit(7)
"""


@pytest.fixture
def secrets(postgres: ServerDatabase) -> Iterator[dict[str, str]]:
    with logins(postgres) as found:
        yield found


@pytest.fixture
def shop(tmp_path: Path, secrets: dict[str, str]) -> Iterator[PostgresShop]:
    opened = PostgresShop(_home(tmp_path), secrets)
    yield opened
    opened.close()


def _home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home


@pytest.mark.parametrize("point", KILL_POINTS)
def test_promise_12_on_postgres_a_write_takes_effect_exactly_once_across_kill_9(
    tmp_path: Path, postgres: ServerDatabase, secrets: dict[str, str], point: str
) -> None:
    home = _home(tmp_path)
    shop = PostgresShop(home, secrets)
    change = approved(shop)
    shop.close()
    killed(KILLER, home, point, str(change), secrets=secrets)
    shop = PostgresShop(home, secrets)
    try:
        settles_once(shop, change, point)
        assert postgres.execute("SELECT total FROM orders WHERE id = 2") == [(21,)]
        assert postgres.execute("SELECT count(*) FROM audit_log") == [(1,)]
    finally:
        shop.close()


def test_promise_12_on_postgres_of_racing_processes_one_applies(
    tmp_path: Path, shop: PostgresShop, postgres: ServerDatabase, secrets: dict[str, str]
) -> None:
    change = approved(shop)
    processes = [
        started(PRELUDE + RACER, str(tmp_path / "home"), "", str(change), name, secrets=secrets)
        for name in ("rita", "rob", "ana", "rita")
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    moment = f"{time.time() + 0.3}\n"
    codes = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(moment)
        process.stdin.flush()
    for process in processes:
        _, said = process.communicate(timeout=120)
        assert process.returncode in (0, 7), said
        codes.append(process.returncode)
    assert sorted(codes) == [0, 7, 7, 7]
    assert postgres.execute("SELECT total FROM orders WHERE id = 2") == [(21,)]
    assert shop.state(change) == "executed"


def test_promise_6_on_postgres_what_runs_is_what_was_approved_or_nothing(
    shop: PostgresShop, postgres: ServerDatabase
) -> None:
    change = approved(shop)
    postgres.execute("ALTER TABLE orders DISABLE TRIGGER noted")
    postgres.execute("UPDATE orders SET total = 99 WHERE id = 2")
    with pytest.raises(Drifted):
        shop.parts.review.apply(change, shop.caller("rita"))
    view = shop.parts.review.inbox.view(change, shop.caller("rita"))
    assert view.card.state == "pending"
    assert [r.before for t in view.earlier for r in t.rows if t.table == "orders"] == [(2, "20")]
    assert [r.before for t in view.diff for r in t.rows if t.table == "orders"] == [(2, "99")]
    assert [t.table for t in view.earlier] == ["audit_log", "orders"]
    assert [t.table for t in view.diff] == ["orders"]
    assert postgres.execute("SELECT total FROM orders WHERE id = 2") == [(99,)]


def test_a_request_on_postgres_is_taken_back_through_the_same_review(
    shop: PostgresShop, postgres: ServerDatabase
) -> None:
    change = approved(shop)
    shop.parts.review.apply(change, shop.caller("rita"))
    taken_back(shop, change)
    assert postgres.execute("SELECT total FROM orders ORDER BY id") == [(10,), (20,)]
    assert postgres.execute("SELECT count(*) FROM audit_log") == [(0,)]
