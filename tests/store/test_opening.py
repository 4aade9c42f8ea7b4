from __future__ import annotations

import hashlib
import re
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from store import Store, StoreBusy, StoreError, migrate
from store.schema import metadata
from tests.store import processes

_ADDED = re.compile(r", (?=[a-z_]+ [A-Z])")


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _tables(path: Path) -> dict[str, str]:
    with sqlite3.connect(path) as raw:
        rows = raw.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    raw.close()
    return dict(rows)


def _parts(sql: str) -> list[str]:
    """The clauses of a CREATE statement; a migration may give them in another order.

    SQLite writes added columns on the line of the last one, and quotes a table made anew.
    """
    sql = re.sub(r'^CREATE TABLE "(\w+)"', r"CREATE TABLE \1", sql)
    lines = (part for line in sql.splitlines() for part in _ADDED.split(line))
    return sorted(line.strip().rstrip(",") for line in lines)


def _migrations_with(tmp_path: Path, body: str) -> Path:
    """A copy of the scripts with one more version after the newest."""
    scripts = tmp_path / "migrations"
    shutil.copytree(migrate._SCRIPTS, scripts)
    (scripts / "versions" / "9999_next.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        f'revision = "9999"\ndown_revision = "{migrate.HEAD}"\n'
        f"def upgrade():\n{body}"
    )
    return scripts


def test_a_fresh_folder_becomes_a_store_of_this_version(home: Path) -> None:
    Store.open(home).close()
    with sqlite3.connect(home / "state.sqlite") as raw:
        assert raw.execute("SELECT version_num FROM alembic_version").fetchall() == [
            (migrate.HEAD,)
        ]
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    raw.close()


def test_the_migrations_make_exactly_the_tables_of_the_schema(home: Path, tmp_path: Path) -> None:
    Store.open(home).close()
    drawn = tmp_path / "drawn.sqlite"
    engine = create_engine(f"sqlite:///{drawn}")
    metadata.create_all(engine)
    engine.dispose()
    migrated = _tables(home / "state.sqlite")
    del migrated["alembic_version"]
    expected = _tables(drawn)
    assert sorted(migrated) == sorted(expected)
    for name, sql in expected.items():
        assert _parts(migrated[name]) == _parts(sql), name


def test_the_constant_names_the_newest_migration() -> None:
    assert ScriptDirectory(str(migrate._SCRIPTS)).get_current_head() == migrate.HEAD


def test_opening_again_keeps_everything(home: Path, store: Store) -> None:
    before = _tables(home / "state.sqlite")
    Store.open(home).close()
    assert _tables(home / "state.sqlite") == before


def test_folder_and_files_are_private(home: Path, store: Store) -> None:
    with store.write() as conn:
        conn.exec_driver_sql("CREATE TABLE something (x)")
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for file in home.glob("state.sqlite*"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_a_store_from_a_newer_version_is_refused_and_untouched(home: Path) -> None:
    Store.open(home).close()
    path = home / "state.sqlite"
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '7777'")
    raw.close()
    before = _sha(path)
    with pytest.raises(StoreError, match=r"newer version of Gatehouse .*7777.*Nothing was changed"):
        Store.open(home)
    assert _sha(path) == before


def test_somebody_elses_database_is_refused_and_untouched(home: Path) -> None:
    home.mkdir()
    path = home / "state.sqlite"
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE recipes (x)")
    raw.close()
    before = _sha(path)
    with pytest.raises(StoreError, match="not a Gatehouse store"):
        Store.open(home)
    assert _sha(path) == before


def test_a_file_that_is_no_database_is_refused(home: Path) -> None:
    home.mkdir()
    (home / "state.sqlite").write_text("name,amount\nx,1\n")
    with pytest.raises(StoreError, match="is not a Gatehouse store"):
        Store.open(home)


def test_a_damaged_database_is_refused_without_the_drivers_words(home: Path) -> None:
    Store.open(home).close()
    path = home / "state.sqlite"
    path.write_bytes(path.read_bytes()[:100] + b"\x00" * 4000)
    with pytest.raises(StoreError, match="could not be used") as caught:
        Store.open(home)
    assert "malformed" not in str(caught.value)


def test_a_data_folder_that_is_a_file_is_refused(home: Path) -> None:
    home.write_text("")
    with pytest.raises(StoreError, match="is a file"):
        Store.open(home)


def test_a_store_held_by_another_process_is_busy_not_broken(home: Path) -> None:
    Store.open(home).close()
    path = home / "state.sqlite"
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    store = Store.open(home, busy_seconds=0.05)
    with pytest.raises(StoreBusy, match="in use by another process"), store.write():
        pytest.fail("the transaction must not begin")
    holder.execute("ROLLBACK")
    with store.write() as conn:
        conn.exec_driver_sql("SELECT 1")
    holder.close()
    store.close()


def test_a_failing_migration_leaves_nothing_behind(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Store.open(home).close()
    before = _tables(home / "state.sqlite")
    scripts = _migrations_with(
        tmp_path,
        "    op.create_table('half', sa.Column('x', sa.Integer()))\n"
        '    op.execute("INSERT INTO half VALUES (1)")\n'
        "    op.execute('SELECT no_such_column FROM half')\n",
    )
    monkeypatch.setattr(migrate, "_SCRIPTS", scripts)
    monkeypatch.setattr(migrate, "HEAD", "9999")
    with pytest.raises(StoreError, match="could not be used"):
        Store.open(home)
    assert _tables(home / "state.sqlite") == before
    monkeypatch.undo()
    Store.open(home).close()


def test_a_migration_that_would_orphan_rows_is_undone(
    home: Path,
    store: Store,
    ana: object,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store.close()
    scripts = _migrations_with(tmp_path, "    op.execute('DELETE FROM accounts')\n")
    monkeypatch.setattr(migrate, "_SCRIPTS", scripts)
    monkeypatch.setattr(migrate, "HEAD", "9999")
    with pytest.raises(StoreError, match="rows would lose what they point at"):
        Store.open(home)
    with sqlite3.connect(home / "state.sqlite") as raw:
        assert raw.execute("SELECT name FROM accounts").fetchall() == [("ana",)]
    raw.close()


def test_an_older_store_is_brought_up_to_date(
    home: Path, store: Store, ana: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.close()
    scripts = _migrations_with(
        tmp_path,
        "    with op.batch_alter_table('accounts') as table:\n"
        "        table.add_column(sa.Column('nickname', sa.String(20)))\n"
        "        table.alter_column('display_name', type_=sa.String(200))\n",
    )
    monkeypatch.setattr(migrate, "_SCRIPTS", scripts)
    monkeypatch.setattr(migrate, "HEAD", "9999")
    Store.open(home).close()
    with sqlite3.connect(home / "state.sqlite") as raw:
        assert raw.execute("SELECT name, nickname FROM accounts").fetchall() == [("ana", None)]
        assert raw.execute("SELECT role FROM account_roles").fetchall() == [("analyst",)]
    raw.close()


def _open(home: str, number: int) -> str:
    Store.open(home).close()
    return "opened"


def test_processes_that_open_a_fresh_folder_at_once_all_succeed(home: Path) -> None:
    assert processes.run_in_processes(4, _open, home) == ["opened"] * 4
