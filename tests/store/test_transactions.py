from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from store import Store, StoreConflict, StoreError, accounts, conversations
from store.accounts import Account
from tests.store import processes
from tests.store.conftest import Clock


def _names(store: Store) -> list[str]:
    with store.read() as conn:
        return [account.name for account in accounts.list_all(conn)]


def test_an_error_inside_a_write_rolls_everything_back(store: Store, ana: Account) -> None:
    with pytest.raises(ZeroDivisionError), store.write() as conn:  # noqa: PT012
        accounts.set_roles(conn, ana.id, {"admin"})
        accounts.set_disabled(conn, ana.id, disabled=True)
        _ = 1 / 0
    with store.read() as conn:
        assert accounts.get(conn, ana.id) == ana


def test_a_read_cannot_write(store: Store, ana: Account) -> None:
    with pytest.raises(StoreError), store.read() as conn:
        accounts.set_disabled(conn, ana.id, disabled=True)
    assert _names(store) == ["ana"]


def test_a_read_sees_one_moment(store: Store, ana: Account) -> None:
    with store.read() as before:
        assert not accounts.get(before, ana.id).disabled
        with store.write() as conn:
            accounts.set_disabled(conn, ana.id, disabled=True)
        assert not accounts.get(before, ana.id).disabled
    with store.read() as after:
        assert accounts.get(after, ana.id).disabled


def test_an_unclosed_reader_does_not_block_writers(home: Path, store: Store, ana: Account) -> None:
    other = Store.open(home, busy_seconds=0.05)
    with other.read() as conn:
        accounts.get(conn, ana.id)
        with store.write() as writing:
            accounts.set_roles(writing, ana.id, {"admin"})
    other.close()
    with store.read() as conn:
        assert accounts.get(conn, ana.id).roles == {"admin"}


def test_a_write_inside_a_write_is_a_mistake_told_at_once(store: Store) -> None:
    with (
        store.write(),
        pytest.raises(RuntimeError, match="already inside"),
        store.write(),
    ):
        pytest.fail("the inner transaction must not begin")
    with store.write() as conn:
        conn.exec_driver_sql("SELECT 1")


def test_threads_never_interleave_their_transactions(store: Store) -> None:
    with store.write() as conn:
        conn.exec_driver_sql("CREATE TABLE counter (n INTEGER)")
        conn.exec_driver_sql("INSERT INTO counter VALUES (0)")
    start = threading.Barrier(8)

    def count() -> None:
        start.wait()
        for _ in range(10):
            with store.write() as conn:
                (n,) = conn.exec_driver_sql("SELECT n FROM counter").one()
                conn.execute(text("UPDATE counter SET n = :n"), {"n": n + 1})

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(count) for _ in range(8)]:
            done.result()
    with store.read() as conn:
        assert conn.exec_driver_sql("SELECT n FROM counter").scalar_one() == 80


def test_a_constraint_is_a_conflict_without_the_values(store: Store, ana: Account) -> None:
    with pytest.raises(StoreConflict) as caught, store.write() as conn:
        conn.execute(
            text("INSERT INTO account_roles (account, role) VALUES (:a, :r)"),
            {"a": ana.id, "r": "emperor"},
        )
    assert "emperor" not in str(caught.value)
    assert "emperor" not in str(caught.value.__cause__)


def test_what_points_nowhere_is_refused(store: Store, clock: Clock) -> None:
    with pytest.raises(StoreConflict), store.write() as conn:
        conversations.create(conn, owner="nobody", source="shop", title="Hello", now=clock())


def test_a_store_is_not_taken_along_into_another_process(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.database.os.getpid", lambda: -1)
    with pytest.raises(StoreError, match="another process"), store.read():
        pytest.fail("the connection must not be handed out")


_UNFINISHED = """
import sys
from store import Store, accounts
store = Store.open(sys.argv[1])
with store.write() as conn:
    accounts.set_disabled(conn, sys.argv[2], disabled=True)
with store.write() as conn:
    accounts.set_roles(conn, sys.argv[2], {"admin"})
    print("in the middle", flush=True)
    sys.stdin.readline()
"""


def test_promise_12_a_kill_keeps_what_was_committed_and_nothing_else(
    home: Path, store: Store, ana: Account
) -> None:
    with processes.process(_UNFINISHED, home, ana.id) as running:
        assert processes.line(running) == "in the middle"
        processes.kill(running)
    with store.read() as conn:
        after = accounts.get(conn, ana.id)
    assert after.disabled
    assert after.roles == {"analyst"}
    with store.write() as conn:
        accounts.set_disabled(conn, ana.id, disabled=False)
    with sqlite3.connect(home / "state.sqlite") as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    raw.close()


def test_counters_wait_for_no_disk_but_are_there_after_a_kill(where: str, store: Store) -> None:
    with processes.process(_COUNTED, where) as running:
        assert processes.line(running) == "counted"
        processes.kill(running)
    with store.read() as conn:
        assert conn.execute(text("SELECT spent FROM budgets")).scalars().all() == [7]


_COUNTED = """
import datetime as dt, sys
from sqlalchemy import text
from store import Store
store = Store.open(sys.argv[1])
embedded = "://" not in sys.argv[1]
with store.write_unsynced() as conn:
    setting = conn.exec_driver_sql("PRAGMA synchronous" if embedded else "SHOW synchronous_commit")
    assert str(setting.scalar_one()) in ("1", "off")
    conn.execute(
        text(
            'INSERT INTO budgets (scope, \"window\", resource, reserved, spent, updated_at)'
            " VALUES ('person:a', 'now', 'rows', 0, 7, '2026-06-30T09:00:00.000000Z')"
        )
    )
print("counted", flush=True)
sys.stdin.readline()
"""


def test_commits_are_synced_to_disk(home: Path, store: Store) -> None:
    with store.write() as conn:
        assert conn.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
        assert conn.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
