"""Reading PostgreSQL: rows, caps, stops, a server that goes away, a login that may do too much."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from guard.address import server_address
from guard.engines import Cancel
from guard.engines.postgres import PostgresEngine, PostgresReader
from guard.engines.postgres_login import parameters
from guard.errors import ConfigurationError, Interrupted, Refused, SourceUnavailable
from tests.guard.engines.postgres_shop import PostgresShop, postgres_shop, query, read, rows
from tests.servers import ServerDatabase

ENDLESS = "SELECT count(*) FROM generate_series(1, 1000000000) a, generate_series(1, 1000000000) b"


@pytest.fixture
def shop(postgres: ServerDatabase) -> Iterator[PostgresShop]:
    with postgres_shop(postgres) as made:
        yield made


@pytest.fixture
def adapter(shop: PostgresShop) -> Iterator[PostgresReader]:
    with shop.opened() as opened:
        yield opened


def wait_until(check: object, seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if check():  # type: ignore[operator]
            return True
        time.sleep(0.05)
    return False


def test_a_read_returns_its_rows_in_order(adapter: PostgresReader) -> None:
    assert rows(adapter, "SELECT id, name FROM public.people ORDER BY id") == [
        (1, "Ann"),
        (2, "Ben"),
        (3, "Cid"),
    ]


def test_an_empty_result_keeps_its_columns(adapter: PostgresReader) -> None:
    table = read(adapter, "SELECT id, name FROM public.people WHERE id < 0").table
    assert (table.column_names, table.num_rows) == (["id", "name"], 0)


def test_columns_of_one_name_all_come_back(adapter: PostgresReader) -> None:
    sql = "SELECT name, name, city AS name FROM public.people WHERE id = 1"
    assert rows(adapter, sql) == [("Ann", "Ann", "Rome")]


@pytest.mark.parametrize(("cap", "count", "cut"), [(2, 2, True), (3, 3, False), (50, 3, False)])
def test_the_row_cap_cuts_and_says_so(
    adapter: PostgresReader, cap: int, count: int, cut: bool
) -> None:
    found = read(adapter, "SELECT id FROM public.people", max_rows=cap)
    assert (found.table.num_rows, found.truncated) == (count, cut)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT repeat('x', 3000000)",
        "SELECT repeat('x', 100000) FROM generate_series(1, 100)",
        "SELECT array_agg(n) FROM generate_series(1, 400000) n",
        "SELECT decode(repeat('ff', 800000), 'hex')",
        "SELECT n FROM generate_series(1, 900000) n",
    ],
    ids=["one value", "many rows", "an array", "bytes", "numbers"],
)
def test_what_passes_the_byte_cap_is_not_returned(adapter: PostgresReader, sql: str) -> None:
    with pytest.raises(Interrupted) as caught:
        read(adapter, sql, max_bytes=1_000_000, max_rows=1_000_000)
    assert caught.value.cause not in ("timeout", "cancelled")
    assert rows(adapter, "SELECT 1") == [(1,)]


def test_a_value_over_the_cap_is_not_even_sent(adapter: PostgresReader) -> None:
    """The server itself refuses it: a row is in memory before a client can look at its size."""
    seen: list[int] = []
    original = PostgresReader._hold_to

    def hold_to(self: PostgresReader, session: object, allowed: object) -> None:
        seen.append(1)
        original(self, session, allowed)  # type: ignore[arg-type]

    PostgresReader._hold_to = hold_to  # type: ignore[method-assign,assignment]
    try:
        with pytest.raises(Interrupted):
            read(adapter, "SELECT repeat('x', 3000000)", max_bytes=1_000)
    finally:
        PostgresReader._hold_to = original  # type: ignore[method-assign]
    assert not seen


def test_the_time_limit_ends_the_statement_on_the_server(
    shop: PostgresShop, adapter: PostgresReader
) -> None:
    with pytest.raises(Interrupted) as caught:
        read(adapter, ENDLESS, timeout_ms=200)
    assert caught.value.cause == "timeout"
    assert wait_until(lambda: not shop.running())


def test_the_client_ends_a_statement_that_the_server_would_let_run(
    shop: PostgresShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from guard.engines import postgres_reading

    real = postgres_reading.prologue
    monkeypatch.setattr(
        postgres_reading, "prologue", lambda ms, who: real(ms, who).replace(str(ms), "0")
    )
    with shop.opened() as adapter:
        with pytest.raises(Interrupted) as caught:
            read(adapter, ENDLESS, timeout_ms=231)
        assert caught.value.cause == "timeout"
        assert wait_until(lambda: not shop.running())


@pytest.mark.parametrize("how", ["cancel", "close"])
def test_a_stop_ends_the_statement_on_the_server(shop: PostgresShop, how: str) -> None:
    cancel, errors = Cancel(), []
    with shop.opened() as adapter:

        def run() -> None:
            try:
                adapter.run(query(ENDLESS, timeout_ms=60_000), cancel)
            except Interrupted as error:
                errors.append(error.cause)

        thread = threading.Thread(target=run)
        thread.start()
        assert wait_until(lambda: any("gatehouse" in str(r[1]) for r in shop.running()))
        if how == "close":
            adapter.close()
        cancel.set()
        thread.join(timeout=20)
        assert not thread.is_alive()
    assert errors == ["cancelled"]
    assert wait_until(lambda: not shop.running())


def test_a_statement_whose_console_died_ends_too(shop: PostgresShop) -> None:
    import psycopg

    from guard.engines.postgres_reading import prologue
    from guard.identity import NO_IDENTITY

    lost = psycopg.connect(shop.server.url(shop.reader), autocommit=True)
    lost.pgconn.exec_(prologue(60_000, NO_IDENTITY).encode())
    lost.pgconn.send_query(ENDLESS.encode())
    assert wait_until(lambda: shop.running())
    lost.pgconn.finish()
    assert wait_until(lambda: not shop.running())


def test_after_the_server_dropped_every_connection_the_next_read_connects_again(
    shop: PostgresShop, adapter: PostgresReader
) -> None:
    assert rows(adapter, "SELECT 1") == [(1,)]
    shop.server.execute(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{shop.reader}'"
    )
    assert rows(adapter, "SELECT 2") == [(2,)]


def test_a_connection_cut_in_the_middle_is_said_to_be(
    shop: PostgresShop, adapter: PostgresReader
) -> None:
    errors: list[SourceUnavailable] = []

    def run() -> None:
        try:
            read(adapter, ENDLESS, timeout_ms=60_000)
        except SourceUnavailable as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert wait_until(lambda: shop.running())
    for _ in range(20):
        # A connection that ends before the statement is sent is replaced by another one.
        shop.server.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE usename = '{shop.reader}'"
        )
        thread.join(timeout=1)
        if not thread.is_alive():
            break
    assert "ended the connection" in str(errors[0])
    assert rows(adapter, "SELECT 1") == [(1,)]


def test_a_server_that_is_not_there_is_said_to_be_without_the_login() -> None:
    address = server_address("postgresql://zelda:hunter2@/shop?host=/nowhere", "postgres")
    with pytest.raises(SourceUnavailable) as caught:
        PostgresEngine(address, source="shop").reflect()
    assert "hunter2" not in f"{caught.value!r} {address!r} {caught.value.__cause__!r}"
    assert "zelda" not in f"{caught.value} {address!r}"


def test_more_statements_than_connections_wait_their_turn(adapter: PostgresReader) -> None:
    found: list[object] = []

    def run(n: int) -> None:
        found.append(rows(adapter, f"SELECT {n}, pg_sleep(0.02)")[0][0])

    threads = [threading.Thread(target=run, args=(n,)) for n in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(found) == list(range(24))  # type: ignore[type-var]


def test_nothing_of_a_session_is_left_for_the_next_statement(shop: PostgresShop) -> None:
    """Even what a SELECT may do to its session: a lock, and settings where they can be set."""
    shop.server.execute("GRANT EXECUTE ON FUNCTION set_config(text, text, boolean) TO PUBLIC")
    with shop.opened() as adapter:
        rows(
            adapter,
            "SELECT set_config('app.x', 'left', false), set_config('work_mem', '1MB', false), "
            "pg_try_advisory_lock(77)::text",
        )
        assert rows(
            adapter, "SELECT current_setting('app.x', true), current_setting('work_mem')"
        ) in (
            [("", "4MB")],
            [(None, "4MB")],
        )
        held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        assert shop.server.execute(held) == [(0,)]


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("SELECT nope FROM public.people", "engine.no_such_name"),
        ("SELECT * FROM public.nothing_here", "engine.no_such_name"),
        ("SELECT 1 / 0", "engine.arithmetic"),
        ("SELECT 'qzx'::int", "engine.types"),
        ("SELECT name, count(*) FROM public.people", "engine.meaning"),
        ("SELECT FROM FROM", "engine.syntax"),
        ("SELECT ssn FROM public.people", "engine.not_allowed"),
    ],
)
def test_an_error_of_the_server_is_ours_and_quotes_nothing(
    adapter: PostgresReader, sql: str, rule: str
) -> None:
    with pytest.raises(Refused) as caught:
        read(adapter, sql)
    assert caught.value.refusal.rule == rule
    told = f"{caught.value} {caught.value.refusal} {caught.value.__cause__!r}"
    assert not any(word in told for word in ("qzx", "people", "nothing_here", "ssn"))


def test_a_query_judged_for_another_source_is_refused(adapter: PostgresReader) -> None:
    with pytest.raises(Refused) as caught:
        adapter.run(query("SELECT 1", source="other"), Cancel())
    assert caught.value.refusal.rule == "engine.wrong_source"
    with pytest.raises(TypeError):
        adapter.run("SELECT 1", Cancel())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("give", "what"),
    [
        ("ALTER ROLE {role} SUPERUSER", "superuser"),
        ("ALTER ROLE {role} BYPASSRLS", "bypass"),
        ("ALTER ROLE {role} CREATEDB", "databases"),
        ("GRANT pg_write_all_data TO {role}", "member"),
        ("GRANT pg_read_server_files TO {role}", "member"),
        ("GRANT UPDATE ON visits TO {role}", "change"),
        ("GRANT UPDATE (day) ON visits TO {role}", "change one column"),
        ("GRANT INSERT ON visits TO PUBLIC", "change through everybody"),
        ("GRANT CREATE ON SCHEMA public TO {role}", "make objects"),
        ("GRANT USAGE ON SEQUENCE counter TO {role}", "sequence"),
        ("ALTER TABLE secrets OWNER TO {role}", "owner"),
    ],
    ids=lambda text: text if " " not in text or "{" not in text else "",
)
def test_promise_05_a_login_that_may_do_more_than_read_reads_nothing(
    shop: PostgresShop, give: str, what: str
) -> None:
    with shop.opened() as adapter:
        assert rows(adapter, "SELECT 1") == [(1,)], what
    shop.server.execute(give.format(role=shop.reader))
    try:
        with shop.opened() as adapter:
            with pytest.raises(SourceUnavailable, match="may do more than read"):
                read(adapter, "SELECT 1")
            with pytest.raises(SourceUnavailable, match="may do more than read"):
                adapter.reflect()
            probes = {p.name: p for p in adapter.probe()}
            assert not probes["the read login may only read"].passed
    finally:
        shop.server.execute("ALTER TABLE secrets OWNER TO postgres")


def test_a_server_elsewhere_must_show_its_certificate() -> None:
    far = parameters("postgresql://a:b@db.example/shop", source="s")
    assert (far["sslmode"], far["sslrootcert"]) == ("verify-full", "system")
    near = parameters("postgresql://a:b@localhost/shop", source="s")
    assert "sslmode" not in near
    chosen = parameters("postgresql://a:b@db.example/shop?sslmode=require", source="s")
    assert chosen["sslmode"] == "require"
    for option in ("options=-csearch_path%3Dx", "service=x", "passfile=/x"):
        with pytest.raises(ConfigurationError) as caught:
            parameters(f"postgresql://a:hunter2@h/shop?{option}", source="s")
        assert "hunter2" not in str(caught.value)
