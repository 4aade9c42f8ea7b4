"""Who a statement runs as: the database itself keeps rows in scope, whatever the text says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from guard.address import ServerReach
from guard.engines.postgres import PostgresReader
from guard.errors import GuardError, Refused, SourceUnavailable
from guard.identity import Identity
from tests.guard.engines.postgres_shop import PostgresShop, postgres_shop, rows
from tests.servers import fresh_database


@pytest.fixture(scope="module")
def shop() -> Iterator[PostgresShop]:
    """Rome and Oslo each have a role of their own and see their own people; so do variables."""
    with fresh_database("postgres") as server, postgres_shop(server) as made:
        rome, oslo = made.role("NOLOGIN"), made.role("NOLOGIN")
        login = made.role("LOGIN NOINHERIT")
        server.execute(
            f"""
            GRANT {rome}, {oslo} TO {login};
            GRANT SELECT (id, name, city) ON people TO {rome}, {oslo}, {made.reader};
            ALTER TABLE people ENABLE ROW LEVEL SECURITY;
            CREATE POLICY rome ON people FOR SELECT TO {rome} USING (city = 'Rome');
            CREATE POLICY oslo ON people FOR SELECT TO {oslo} USING (city = 'Oslo');
            CREATE POLICY own ON people FOR SELECT TO {made.reader}
              USING (city = current_setting('app.city', true));
            """
        )
        yield made


@pytest.fixture
def roles(shop: PostgresShop) -> Iterator[tuple[PostgresReader, str, str]]:
    rome, oslo, login = shop.roles[1:4]
    with shop.opened(login, reach=ServerReach(roles=(rome, oslo))) as adapter:
        yield adapter, rome, oslo


EVERYBODY = "SELECT name FROM public.people ORDER BY id"


def test_the_database_filters_rows_by_role_with_the_guard_bypassed(
    roles: tuple[PostgresReader, str, str],
) -> None:
    adapter, rome, oslo = roles
    assert rows(adapter, EVERYBODY, identity=Identity(role=rome)) == [("Ann",), ("Cid",)]
    assert rows(adapter, EVERYBODY, identity=Identity(role=oslo)) == [("Ben",)]


def test_the_database_refuses_a_column_out_of_scope_with_the_guard_bypassed(
    roles: tuple[PostgresReader, str, str],
) -> None:
    adapter, rome, _ = roles
    with pytest.raises(Refused) as caught:
        rows(adapter, "SELECT ssn FROM public.people", identity=Identity(role=rome))
    assert caught.value.refusal.rule == "engine.not_allowed"


def test_a_statement_that_runs_as_nobody_reads_nothing(
    roles: tuple[PostgresReader, str, str],
) -> None:
    adapter, _, _ = roles
    with pytest.raises(Refused) as caught:
        rows(adapter, EVERYBODY)
    assert caught.value.refusal.rule == "engine.not_allowed"


def test_a_role_the_login_is_no_member_of_runs_nothing(
    roles: tuple[PostgresReader, str, str],
) -> None:
    adapter, _, _ = roles
    with pytest.raises(SourceUnavailable, match="as the policy asks"):
        rows(adapter, EVERYBODY, identity=Identity(role="postgres"))


@pytest.mark.parametrize(
    "sql",
    [
        "RESET ROLE",
        "SET ROLE {oslo}",
        "SET LOCAL ROLE {oslo}",
        "SET SESSION AUTHORIZATION DEFAULT",
        "SELECT 1; RESET ROLE; SELECT name FROM public.people",
        "COMMIT",
        "SELECT name FROM public.people WHERE set_config('role', '{oslo}', true) <> ''",
        "SELECT name FROM (SELECT set_config('role', 'none', true) OFFSET 0) s, public.people",
        "WITH x AS MATERIALIZED (SELECT set_config('app.city', 'Oslo', true)) "
        "SELECT name FROM x, public.people",
        "SELECT (SELECT string_agg(name, ',') FROM public.people) FROM "
        "pg_catalog.set_config('app.city', 'Oslo', false)",
        "SELECT 1) AS q(c0); RESET ROLE; --",
        "DO $$ BEGIN EXECUTE 'RESET ROLE'; END $$",
        "UPDATE pg_settings SET setting = 'none' WHERE name = 'role'",
    ],
)
def test_no_text_changes_who_it_runs_as(
    roles: tuple[PostgresReader, str, str], shop: PostgresShop, sql: str
) -> None:
    adapter, rome, oslo = roles
    with pytest.raises(GuardError):
        rows(adapter, sql.format(oslo=oslo), identity=Identity(role=rome))
    assert rows(adapter, EVERYBODY, identity=Identity(role=rome)) == [("Ann",), ("Cid",)]
    with shop.opened() as variables, pytest.raises(GuardError):
        rows(
            variables,
            sql.format(oslo=oslo),
            identity=Identity(variables=(("app.city", "Rome"),)),
        )


def test_a_session_variable_keeps_rows_in_scope_and_is_gone_afterwards(shop: PostgresShop) -> None:
    with shop.opened() as adapter:
        oslo = Identity(variables=(("app.city", "Oslo"),))
        assert rows(adapter, EVERYBODY, identity=oslo) == [("Ben",)]
        assert rows(adapter, EVERYBODY) == []


@pytest.mark.parametrize(
    "value",
    ["Oslo'; RESET ROLE; SELECT '", "Oslo\\'; RESET ROLE; --", "it's", "\\", "\u2028'", "''"],
)
def test_a_persons_name_is_a_value_and_never_sql(shop: PostgresShop, value: str) -> None:
    with shop.opened() as adapter:
        who = Identity(variables=(("app.city", value),))
        assert rows(adapter, "SELECT current_setting('app.city')", identity=who) == [(value,)]
        assert rows(adapter, EVERYBODY, identity=who) == []


def test_where_a_statement_could_change_who_it_runs_as_none_is_run(shop: PostgresShop) -> None:
    shop.server.execute(f"GRANT EXECUTE ON FUNCTION set_config(text, text, bool) TO {shop.reader}")
    try:
        with shop.opened() as adapter:
            assert rows(adapter, "SELECT 1") == [(1,)]
            with pytest.raises(SourceUnavailable, match="could change who it runs as"):
                rows(adapter, EVERYBODY, identity=Identity(variables=(("app.city", "Oslo"),)))
    finally:
        shop.server.execute(
            f"REVOKE EXECUTE ON FUNCTION set_config(text, text, bool) FROM {shop.reader}"
        )
