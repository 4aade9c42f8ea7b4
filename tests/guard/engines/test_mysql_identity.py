"""Roles of the database: what the server itself refuses, with the guard gone round."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator

import pytest

from guard.address import server_address
from guard.engines import Cancel
from guard.engines.mysql_session import Session, login_of
from guard.errors import Refused
from tests.guard.engines.mysqlshop import Shop, asked, read, reading, rows, shop_on
from tests.guard.engines.support import CANARY
from tests.servers import ServerDatabase


@pytest.fixture
def roles(mariadb: ServerDatabase) -> Iterator[tuple[Shop, str, str]]:
    """A login that may do nothing itself, and two roles: one reads orders, one reads secrets."""
    with shop_on(mariadb) as shop:
        mariadb.execute(f"REVOKE ALL, GRANT OPTION FROM {shop.reader}@localhost")
        orders, words = (f"{kind}_{secrets.token_hex(6)}" for kind in ("orders", "words"))
        mariadb.execute(
            f"CREATE ROLE {orders}; CREATE ROLE {words};"
            f"GRANT SELECT ON orders TO {orders}; GRANT SELECT ON secrets TO {words};"
            f"GRANT {orders} TO {shop.reader}@localhost; GRANT {words} TO {shop.reader}@localhost"
        )
        yield shop, orders, words
        mariadb.execute(f"DROP ROLE {orders}; DROP ROLE {words}")


def test_the_server_refuses_what_the_persons_role_may_not_read(
    roles: tuple[Shop, str, str],
) -> None:
    shop, orders, words = roles
    with reading(shop.url, roles=(orders, words), sessions=1) as engine:
        assert rows(engine, "SELECT COUNT(*) FROM orders", role=orders) == [(3,)]
        assert rows(engine, "SELECT word FROM secrets", role=words) == [(CANARY,)]
        for role, table in ((orders, "secrets"), (words, "orders"), (None, "orders")):
            with pytest.raises(Refused) as caught:
                read(engine, f"SELECT * FROM {shop.database.name}.{table}", role=role)
            assert caught.value.refusal.rule == "engine.not_allowed"
        assert rows(engine, "SELECT COUNT(*) FROM orders", role=orders) == [(3,)]


def test_a_role_the_policy_does_not_name_is_not_taken(roles: tuple[Shop, str, str]) -> None:
    shop, orders, words = roles
    with reading(shop.url, roles=(orders,)) as engine, pytest.raises(Refused) as caught:
        read(engine, "SELECT word FROM secrets", role=words)
    assert caught.value.refusal.rule == "engine.not_allowed"


@pytest.mark.parametrize(
    "sql",
    [
        "SET ROLE {words}",
        "BEGIN NOT ATOMIC SET ROLE {words}; SELECT word FROM {db}.secrets; END",
        "EXECUTE IMMEDIATE 'SET ROLE {words}'",
        "SET STATEMENT max_statement_time = 1 FOR SET ROLE {words}",
        "SELECT word FROM {db}.secrets; SET ROLE {words}",
        "IF 1 THEN SET ROLE {words}; SELECT word FROM {db}.secrets; END IF",
    ],
)
def test_the_text_of_a_statement_cannot_change_its_role(
    roles: tuple[Shop, str, str], sql: str
) -> None:
    shop, orders, words = roles
    text = sql.format(words=words, db=shop.database.name)
    with reading(shop.url, roles=(orders, words), sessions=1) as engine:
        with pytest.raises(Refused):
            read(engine, text, role=orders)
        with pytest.raises(Refused):
            read(engine, f"SELECT word FROM {shop.database.name}.secrets", role=orders)


def test_the_server_alone_would_let_one_text_change_its_role(
    roles: tuple[Shop, str, str],
) -> None:
    """Why only text that begins as a query is sent, and why the role is set for each statement."""
    shop, orders, words = roles
    login = login_of(server_address(shop.url, "mysql"))
    with contextlib.closing(Session(login, database=False)) as session:
        session.use(orders, (orders, words))
        database = shop.database.name
        text = f"BEGIN NOT ATOMIC SET ROLE {words}; SELECT word FROM {database}.secrets; END"
        assert session.texts(text) == [(CANARY,)]
        session._execute_command(0x03, b"DO 0")
        session._read_packet()
        session.reset()
        assert session.texts("SELECT CURRENT_ROLE()") == [(words,)]


def test_the_catalog_holds_what_any_of_the_roles_may_read(roles: tuple[Shop, str, str]) -> None:
    shop, orders, words = roles
    with reading(shop.url, roles=(orders, words)) as engine:
        assert {t.name for t in engine.reflect().tables} == {"orders", "secrets"}
        assert [p for p in engine.probe() if not p.passed] == []


def test_variables_are_not_taken_as_an_identity(roles: tuple[Shop, str, str]) -> None:
    """`SELECT @person := 'x'` sets one in passing, so nothing may rest on them."""
    shop, orders, words = roles
    query = asked("SELECT 1", role=orders)
    object.__setattr__(
        query, "identity", query.identity.__class__(role=orders, variables=(("app.id", "1"),))
    )
    with reading(shop.url, roles=(orders, words)) as engine, pytest.raises(Refused):
        engine.run(query, Cancel())
