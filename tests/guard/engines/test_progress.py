"""A preview says how far it is, on every engine, and stops where it is when it is asked to."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from guard.address import FileAddress
from guard.engines import open_change_engine, open_engine
from guard.engines.base import Cancel, Change, ChangeCaps, ChangeEngine, Reached
from guard.engines.postgres_changes import PostgresChanges
from guard.engines.postgres_session import Login
from guard.errors import Interrupted
from tests.guard.engines.mysqlwrites import writing
from tests.servers import fresh_database

ROWS = 30_000
CAPS = ChangeCaps(max_rows=ROWS, shown_rows=5, timeout_ms=60_000, lock_timeout_ms=2_000)
ADD = Change(source="s", sql="UPDATE t SET a = a + 1 WHERE id > 0", targets=("t",))
SUM = "SELECT CAST(sum(a) AS CHAR(20)) FROM t"


@dataclass
class Place:
    """A database with a table of `ROWS` rows, and its write role."""

    engine: ChangeEngine
    total: Callable[[], int]


@contextmanager
def _file(name: str, folder: Path) -> Iterator[Place]:
    path = folder / f"t.{name}"
    numbers = (
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS}) "
        "INSERT INTO t SELECT i, i FROM n"
    )
    connect = sqlite3.connect if name == "sqlite" else duckdb.connect
    with closing(connect(str(path))) as db:
        db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER)")
        db.execute(numbers)
        db.commit()

    def total() -> int:
        with closing(connect(str(path))) as db:
            found = db.execute(SUM).fetchone()
            return int(found[0]) if found else 0

    address = FileAddress(path=path)
    reader = open_engine(name, address, source="s")  # type: ignore[arg-type]
    engine = open_change_engine(name, address, source="s", reader=reader)  # type: ignore[arg-type]
    yield Place(engine, total)
    engine.close()
    reader.close()


@contextmanager
def _postgres() -> Iterator[Place]:
    with fresh_database("postgres") as database:
        role = f"w_{secrets.token_hex(4)}"
        database.execute(
            "CREATE TABLE t(id int PRIMARY KEY, a int);"
            f"INSERT INTO t SELECT i, i FROM generate_series(1, {ROWS}) i; ANALYZE t;"
            f"CREATE ROLE {role} LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON t TO {role}"
        )
        engine = PostgresChanges(Login(url=database.url(role)), "s")
        yield Place(engine, lambda: int(str(database.execute(SUM)[0][0])))
        database.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


@contextmanager
def _mariadb() -> Iterator[Place]:
    script = (
        "CREATE TABLE t(id INT PRIMARY KEY, a INT) ENGINE=InnoDB;"
        f"INSERT INTO t SELECT seq, seq FROM seq_1_to_{ROWS};"
    )
    with fresh_database("mysql") as database, writing(database, script, ("t",)) as engine:
        yield Place(engine, lambda: int(str(database.execute(SUM)[0][0])))


@pytest.fixture(scope="module", params=["sqlite", "duckdb", "postgres", "mysql"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    opened = {"postgres": _postgres, "mysql": _mariadb}.get(request.param)
    made = opened() if opened else _file(request.param, tmp_path_factory.mktemp("progress"))
    with made as found:
        yield found


def test_a_preview_says_what_it_does_and_how_many_rows_it_has_read(place: Place) -> None:
    heard: list[Reached] = []
    diff = place.engine.preview(ADD, CAPS, Cancel(), heard.append)
    assert diff.total == ROWS
    steps = {r.step for r in heard}
    assert {"run", "back"} <= steps
    assert steps & {"rows", "before", "after"}
    assert all(r.of is None or r.rows <= r.of <= 2 * ROWS for r in heard)
    assert ROWS in {r.of for r in heard} | {r.rows for r in heard}


@pytest.mark.parametrize("step", ["run", "rows", "back"])
def test_a_preview_that_is_stopped_on_the_way_leaves_nothing(place: Place, step: str) -> None:
    """The person has seen how far it is, and stops it there."""
    stop, before = Cancel(), place.total()

    def heard(reached: Reached) -> None:
        if reached.step == step or (step == "rows" and reached.step in ("before", "after")):
            stop.set()

    with pytest.raises(Interrupted, match="you asked"):
        place.engine.preview(ADD, CAPS, stop, heard)
    assert place.total() == before
    assert place.engine.preview(ADD, CAPS, Cancel()).total == ROWS
