"""Statements that go to the server together, and what a read leaves for the next one."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from guard.engines import postgres_reading
from guard.engines.postgres import PostgresReader
from guard.errors import GuardError, Refused
from tests.guard.engines.postgres_shop import PostgresShop, postgres_shop, rows
from tests.servers import ServerDatabase

PARTS = """
CREATE TABLE parts (id int, day date) PARTITION BY RANGE (day);
CREATE TABLE parts_26 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE INDEX parts_day ON parts (day);
INSERT INTO parts VALUES (1, '2026-05-01');
"""
READABLE = {"people": ("id", "name", "city"), "parts": ("id", "day")}
BY_INDEX = "SELECT id FROM public.people WHERE id = 1"


@pytest.fixture
def shop(postgres: ServerDatabase) -> Iterator[PostgresShop]:
    with postgres_shop(postgres) as made:
        yield made


@pytest.fixture
def adapter(shop: PostgresShop) -> Iterator[PostgresReader]:
    with shop.opened() as opened:
        yield opened


def _held(shop: PostgresShop) -> list[tuple[object, ...]]:
    """Relations that a connection of the reader still has locked."""
    return shop.server.execute(
        "SELECT relation FROM pg_locks JOIN pg_stat_activity USING (pid) "
        f"WHERE usename = '{shop.reader}' AND locktype = 'relation'"
    )


def test_locks_end_with_the_read_and_not_with_the_next_one(
    shop: PostgresShop, adapter: PostgresReader
) -> None:
    assert rows(adapter, BY_INDEX) == [(1,)]
    end = time.monotonic() + 20
    while _held(shop):
        assert time.monotonic() < end, "still locked"
        time.sleep(0.02)


@pytest.mark.parametrize("broken", ["SELECT 1/0", "SELECT pg_terminate_backend(pg_backend_pid())"])
def test_a_connection_that_could_not_be_cleaned_is_not_used_again(
    shop: PostgresShop, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    monkeypatch.setattr(postgres_reading, "_FORGET", ("ROLLBACK", broken))
    with shop.opened() as adapter:
        pids = {rows(adapter, "SELECT pg_backend_pid()")[0] for _ in range(4)}
    assert len(pids) == 4


def test_a_clean_connection_is_used_again(adapter: PostgresReader) -> None:
    assert len({rows(adapter, "SELECT pg_backend_pid()")[0] for _ in range(4)}) == 1


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1/0",
        "SELECT id / (id - 2) FROM public.people ORDER BY id",
        "SELECT nothing FROM public.people",
        "SELECT word FROM public.secrets",
        "SELECT id FROM",
        "DELETE FROM public.visits",
        "SELECT 1; SELECT 2",
        "SELECT repeat('x', 3000000)",
    ],
)
def test_a_statement_that_fails_at_any_step_fails_alone(adapter: PostgresReader, sql: str) -> None:
    for _ in range(2):
        with pytest.raises(GuardError):
            rows(adapter, sql, max_bytes=1_000_000)
        assert rows(adapter, BY_INDEX) == [(1,)]


def test_promise_04_an_index_once_seen_hides_no_table(
    shop: PostgresShop, adapter: PostgresReader
) -> None:
    shop.server.execute(f"GRANT SELECT ON secrets TO {shop.reader}")
    adapter.reflect()
    hidden = (
        "SELECT word FROM public.secrets WHERE id = 1",
        "SELECT p.id FROM public.people p JOIN public.secrets s ON s.id = p.id WHERE p.id = 1",
        "SELECT count(*) FROM pg_catalog.pg_class",
    )
    for _ in range(2):
        assert rows(adapter, BY_INDEX) == [(1,)]
        for sql in hidden:
            with pytest.raises(Refused) as caught:
                rows(adapter, sql)
            assert caught.value.refusal.rule == "engine.not_allowed"


def test_promise_04_no_answer_about_locks_is_no_leave_to_show_rows(
    shop: PostgresShop, adapter: PostgresReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.server.execute(f"GRANT SELECT ON secrets TO {shop.reader}")
    together = postgres_reading.together

    def without_the_last(*args: object, **more: object) -> Iterator[tuple[int, object]]:
        return (pair for pair in together(*args, **more) if pair[0] != 2)  # type: ignore[arg-type]

    monkeypatch.setattr(postgres_reading, "together", without_the_last)
    assert rows(adapter, BY_INDEX) == [(1,)]
    with pytest.raises(Refused) as caught:
        rows(adapter, "SELECT word FROM public.secrets")
    assert caught.value.refusal.rule == "engine.not_allowed"


def test_promise_04_a_partition_counts_as_its_table_only_while_it_is_one(
    shop: PostgresShop, adapter: PostgresReader
) -> None:
    shop.server.execute(PARTS)
    shop.server.execute(f"GRANT SELECT ON parts, parts_26 TO {shop.reader}")
    adapter.reflect()
    for _ in range(2):
        assert rows(adapter, "SELECT id FROM public.parts", readable=READABLE) == [(1,)]
        assert rows(adapter, "SELECT id FROM public.parts_26", readable=READABLE) == [(1,)]
    shop.server.execute("ALTER TABLE parts DETACH PARTITION parts_26")
    assert rows(adapter, "SELECT id FROM public.parts", readable=READABLE) == []
    with pytest.raises(Refused) as caught:
        rows(adapter, "SELECT id FROM public.parts_26", readable=READABLE)
    assert caught.value.refusal.rule == "engine.not_allowed"
