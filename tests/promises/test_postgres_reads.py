"""The whole gate on PostgreSQL as a hostile model uses it; the data is watched from outside."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit import AuditLog
from guard import Caller, GuardError, Refused
from store import Store, accounts
from tests.guard.engines.postgres_shop import CANARY, PostgresShop, postgres_shop
from tests.guard.engines.test_postgres_alone import CHANGES, FILES, LOOKS
from tests.servers import fresh_database
from ui.parts import Parts, open_parts

POLICY = """
version = 1
[sources.shop]
engine = "postgres"
environment = "production"
database_secret = "SHOP_READ"
[sources.shop.tags]
"people.name" = "PERSON"
[sources.shop.identity]
roles = {{ romans = "{rome}", all = "{all}" }}
variables = {{ "app.user" = "name" }}
[roles.romans]
members = ["ana"]
[roles.romans.sources.shop]
tables = ["people", "visits"]
[roles.romans.sources.shop.row_filters]
people = "city = 'Rome'"
[roles.all]
members = ["ben"]
[roles.all.sources.shop]
tables = ["people", "visits"]
"""


class House:
    """The gate before the shop."""

    def __init__(self, home: Path, shop: PostgresShop, login: str, policy: str) -> None:
        home.mkdir(parents=True, exist_ok=True)
        (home / "policy.toml").write_text(policy, encoding="utf-8")
        self.shop = shop
        self.store = Store.open(home)
        self.log = AuditLog.open(home / "audit", app_version="test")
        with self.store.write() as conn:
            for name in ("ana", "ben"):
                accounts.create(
                    conn,
                    name=name,
                    display_name=name.title(),
                    roles={"analyst"},
                    password_hash="unused",
                    now=self.store.now(),
                )
        secrets = {"SHOP_READ": shop.server.url(login)}
        self.parts: Parts = open_parts(home, self.store, self.log, secrets)

    def ask(self, sql: str, name: str = "ana") -> list[tuple[object, ...]]:
        """The rows that person is shown."""
        person = self.parts.people.by_name(name)
        assert person is not None
        caller = Caller(principal=person, channel="agent")
        result = self.parts.gate.query(sql, source="shop", caller=caller)
        return [tuple(row) for row in result.rows()]

    def close(self) -> None:
        """Ends everything."""
        self.parts.close()
        self.log.close()
        self.store.close()


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with (
        tempfile.TemporaryDirectory() as folder,
        fresh_database("postgres") as server,
        postgres_shop(server) as shop,
    ):
        rome, everybody = shop.role(), shop.role()
        login = shop.role("LOGIN NOINHERIT")
        server.execute(
            f"GRANT {rome}, {everybody} TO {login};"
            f"GRANT SELECT (id, name, city) ON people TO {rome}, {everybody};"
            f"GRANT SELECT ON visits TO {rome}, {everybody}"
        )
        policy = POLICY.format(rome=rome, all=everybody)
        opened = House(Path(folder) / "home", shop, login, policy)
        yield opened
        opened.close()


@pytest.mark.parametrize("sql", [*CHANGES, *FILES, *LOOKS])
def test_promise_03_a_hostile_model_gets_and_changes_nothing_on_postgres(
    house: House, sql: str
) -> None:
    before = house.shop.checksum()
    try:
        shown = str(house.ask(sql.replace("{folder}", tempfile.gettempdir())))
    except GuardError as error:
        shown = f"{error} {getattr(error, 'refusal', '')}"
    assert CANARY not in shown
    assert "Ben" not in shown
    assert house.shop.checksum() == before


def test_promise_03_two_people_ask_the_same_and_get_their_own_rows(house: House) -> None:
    sql = "SELECT id, city FROM people ORDER BY id"
    assert house.ask(sql) == [(1, "Rome"), (3, "Rome")]
    assert house.ask(sql, "ben") == [(1, "Rome"), (2, "Oslo"), (3, "Rome")]
    joined = "SELECT count(p.id), count(*) FROM visits v LEFT JOIN people p ON p.id = v.person"
    assert house.ask(joined) == [(20, 30)]


def test_promise_08_masks_hold_on_postgres(house: House) -> None:
    for sql in (
        "SELECT name FROM people",
        "SELECT upper(name) || '!' FROM people",
        "SELECT n FROM (SELECT name AS n FROM people) x",
        "SELECT string_agg(name, ',') FROM people",
        "SELECT max(name) FROM people",
    ):
        assert not any(n in str(house.ask(sql)) for n in ("Ann", "ANN", "Cid", "CID")), sql
    for sql in (
        "SELECT id FROM people WHERE name LIKE 'A%'",
        "SELECT substring(name from '^A') FROM people",
        "SELECT substring(name, city) FROM people",
        "SELECT JSON_OBJECT(name: 1, 'Ann': 2 WITH UNIQUE KEYS) FROM people",
        "SELECT left(repeat('x', 9), strpos(name, 'A')) FROM people",
    ):
        with pytest.raises(Refused) as caught:
            house.ask(sql)
        assert caught.value.refusal.rule == "masked.predicate", sql


def test_promise_09_every_read_on_postgres_is_recorded_before_it_runs(house: House) -> None:
    house.ask("SELECT count(*) FROM visits")
    types = [r.event.type for r in house.log.tail(3)]
    assert types[-2:] == ["query.intent", "query.executed"]
