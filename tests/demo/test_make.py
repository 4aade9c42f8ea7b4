from __future__ import annotations

import hashlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import duckdb
import faker.generator
import numpy as np
import pytest

import demo

ROOT = Path(__file__).parents[2]


def shop_checksums(home: Path) -> dict[str, str]:
    with closing(sqlite3.connect(home / "shop.sqlite")) as db:
        schema = db.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
        tables = [n for n, sql in schema if sql and sql.startswith("CREATE TABLE")]
        rows = {t: db.execute(f"SELECT * FROM {t} ORDER BY rowid").fetchall() for t in tables}
    return {t: checksum(r) for t, r in rows.items()} | {"schema": checksum(schema)}


def warehouse_checksums(home: Path) -> dict[str, str]:
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as db:
        tables = [t for (t,) in db.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        return {t: checksum(db.execute(f"SELECT * FROM {t}").fetchall()) for t in tables}


def checksum(rows: list[tuple[object, ...]]) -> str:
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def test_two_makes_in_two_processes_give_the_same_tables(home: Path, tmp_path: Path) -> None:
    # Another hash seed, because an order that hangs on a set would show only then.
    code = "import sys, demo; from pathlib import Path; demo.make(Path(sys.argv[1]))"
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "4711"},
    )

    assert shop_checksums(tmp_path) == shop_checksums(home)
    assert warehouse_checksums(tmp_path) == warehouse_checksums(home)


def test_making_again_keeps_what_people_changed(home: Path, tmp_path: Path) -> None:
    for file in home.iterdir():
        shutil.copy(file, tmp_path)
    with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as db, db:
        db.execute("UPDATE orders SET status = 'cancelled' WHERE id = 118")
    (tmp_path / "policy.toml").write_text("# mine\n", encoding="utf-8")
    before = {f.name: f.read_bytes() for f in tmp_path.iterdir()}

    demo.make(tmp_path)

    assert {f.name: f.read_bytes() for f in tmp_path.iterdir()} == before


def test_a_missing_source_is_made_anew_beside_the_others(home: Path, tmp_path: Path) -> None:
    for file in home.iterdir():
        shutil.copy(file, tmp_path)
    (tmp_path / "warehouse.duckdb").unlink()

    demo.make(tmp_path)

    assert warehouse_checksums(tmp_path) == warehouse_checksums(home)


@pytest.mark.parametrize("stage", ["shop tables", "support tickets"])
def test_an_interrupted_make_leaves_nothing_half_made(tmp_path: Path, stage: str) -> None:
    def stop(what: str, part: float) -> None:
        if what == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        demo.make(tmp_path, stop)

    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_warehouse_leaves_the_whole_shop(home: Path, tmp_path: Path) -> None:
    def stop(what: str, part: float) -> None:
        if what == "warehouse tables":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        demo.make(tmp_path, stop)

    assert [f.name for f in tmp_path.iterdir()] == ["shop.sqlite"]
    assert shop_checksums(tmp_path) == shop_checksums(home)


def test_progress_only_rises_and_ends_at_one(tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []

    demo.make(tmp_path, lambda what, part: told.append((what, part)))

    parts = [part for _, part in told]
    assert parts == sorted(parts)
    assert parts[0] == 0.0
    assert parts[-1] == 1.0
    assert all(what for what, _ in told)


def test_making_leaves_the_shared_random_states_alone(tmp_path: Path) -> None:
    shared = faker.generator.random
    before = (random.getstate(), shared.getstate(), np.random.get_state()[1].tolist())

    demo.make(tmp_path)

    assert (random.getstate(), shared.getstate(), np.random.get_state()[1].tolist()) == before


def test_policy_and_vocabularies_are_copied_beside_the_sources(home: Path) -> None:
    shipped = {f.name for f in (ROOT / "demo").glob("*.toml")}

    assert {f.name for f in home.iterdir()} == shipped | {"shop.sqlite", "warehouse.duckdb"}
    for name in shipped:
        assert (home / name).read_bytes() == (ROOT / "demo" / name).read_bytes()


def test_who_needs_only_the_accounts_loads_neither_drivers_nor_faker() -> None:
    code = "import demo, sys; print({'duckdb', 'sqlite3', 'faker', 'numpy'} & set(sys.modules))"

    done = subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True, text=True
    )

    assert done.stdout.strip() == "set()"


def test_every_demo_account_is_one_person_with_a_password_that_says_demo() -> None:
    names = [a.name for a in demo.ACCOUNTS]

    assert names == ["analyst", "analyst2", "reviewer", "reviewer2", "admin", "admin2"]
    assert len({a.display_name for a in demo.ACCOUNTS}) == len(names)
    assert len({a.password for a in demo.ACCOUNTS}) == len(names)
    assert all(a.password.startswith("demo-only-") for a in demo.ACCOUNTS)
    assert all(a.roles == {a.name.rstrip("2")} for a in demo.ACCOUNTS)
