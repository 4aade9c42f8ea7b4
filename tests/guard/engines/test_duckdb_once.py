"""A plain change of a DuckDB table is tried in one transaction; a wrong guess changes no diff."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from guard.engines.child import duckdb_quick
from guard.engines.child.duckdb_matching import matching
from guard.engines.child.duckdb_tables import table_of
from guard.engines.child.duckdb_writer import DuckdbWriter
from guard.engines.child.faults import Fault
from guard.engines.child.reader import Stop
from guard.engines.child.writing import Capture, Order

SCRIPT = """
CREATE TABLE t(id INTEGER PRIMARY KEY, name VARCHAR, size INTEGER);
INSERT INTO t SELECT i, 'Größe ' || i, i % 3 FROM range(9) r(i);
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "t.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(SCRIPT)
    return path


def _previewed(file: Path, sql: str) -> Capture:
    order = Order(
        sql=sql, image=None, targets=("t",), max_rows=100, timeout_ms=9_000, lock_timeout_ms=100
    )
    writer = DuckdbWriter(file, memory=1 << 28, threads=1)
    return writer.preview(order, Stop(writer.interrupt))


def _kinds(capture: Capture) -> Counter[str]:
    return Counter(row.kind for table in capture.tables for row in table.rows)


@pytest.mark.parametrize(
    ("sql", "condition"),
    [
        ("UPDATE t SET size = 1 WHERE id = 2;", " t\nWHERE id = 2"),
        ("update main.t as x set name = 'where' where x.id in (select 1 where true)",
         " main.t as x\nwhere x.id in (select 1 where true)"),
        ("UPDATE t SET name = 'Ü where' -- where\n WHERE name = 'ä'", " t\nWHERE name = 'ä'"),
        ("UPDATE t SET size = CASE WHEN id IS DISTINCT FROM 3 THEN 1 END", " t\n"),
        ("DELETE FROM t", " t\n"),
        ("DELETE FROM t WHERE id > (SELECT min(id) FROM t)",
         " t\nWHERE id > (SELECT min(id) FROM t)"),
    ],
)  # fmt: skip
def test_the_rows_that_a_plain_change_names_can_be_asked_for(
    file: Path, sql: str, condition: str
) -> None:
    with duckdb.connect(str(file)) as connection:
        table = table_of(connection, "t")
        assert matching(sql, table) == f"SELECT {table.texts} FROM{condition}"
        connection.execute(matching(sql, table) or "").fetchall()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE t SET size = o.size FROM t AS o WHERE o.id = t.id",
        "DELETE FROM t USING t AS o WHERE o.id = t.id",
        "INSERT INTO t VALUES (20, 'a', 1)",
    ],
)
def test_no_guess_is_made_of_anything_else(file: Path, sql: str) -> None:
    with duckdb.connect(str(file)) as connection:
        assert matching(sql, table_of(connection, "t")) is None


@pytest.mark.parametrize(
    ("sql", "kinds"),
    [
        ("UPDATE t SET size = 7 WHERE id < 4", {"updated": 4}),
        ("DELETE FROM t WHERE size = 1", {"deleted": 3}),
        ("UPDATE t SET size = 1", {"updated": 6}),  # three rows stay as they are
        ("UPDATE t SET id = id + 100 WHERE id > 6", {"inserted": 2, "deleted": 2}),
        ("INSERT INTO t VALUES (20, 'a', 1)", {"inserted": 1}),
    ],
)
@pytest.mark.parametrize("guess", ["right", "other rows", "most rows", "no rows", "nonsense"])
def test_promise_6_a_wrong_guess_of_the_rows_never_shows_in_the_diff(
    file: Path, monkeypatch: pytest.MonkeyPatch, sql: str, kinds: dict[str, int], guess: str
) -> None:
    def guessed(text: str, table: duckdb_quick.Table, cells: str | None = None) -> str | None:
        wrong = {
            "right": matching(text, table),
            "other rows": f"SELECT {table.texts} FROM t ORDER BY id DESC LIMIT 4",
            "most rows": f"SELECT {table.texts} FROM t WHERE id BETWEEN 1 AND 4",
            "no rows": f"SELECT {table.texts} FROM t WHERE false",
            "nonsense": "SELECT FROM WHERE",
        }
        return wrong[guess] if cells is None else matching(text, table, cells)

    monkeypatch.setattr(duckdb_quick, "matching", guessed)
    found = _previewed(file, sql)
    assert _kinds(found) == kinds
    assert found.verified


def test_a_preview_commits_nothing_and_leaves_no_file(file: Path) -> None:
    content, names = file.read_bytes(), sorted(p.name for p in file.parent.iterdir())
    _previewed(file, "UPDATE t SET size = 7 WHERE id < 4")
    assert file.read_bytes() == content
    assert sorted(p.name for p in file.parent.iterdir()) == names


def test_a_file_that_another_process_writes_is_busy(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held(*_: object) -> None:
        raise BlockingIOError

    monkeypatch.setattr("fcntl.lockf", held)
    with pytest.raises(Fault, match="busy"):
        _previewed(file, "UPDATE t SET size = 7")


@pytest.mark.parametrize("where", [" WHERE id = 1", " WHERE id < 4", ""])
def test_promise_06_a_row_that_others_refer_to_is_changed_as_it_was_shown(
    file: Path, where: str
) -> None:
    """With RETURNING the engine moves the row, which then is still referred to."""
    with duckdb.connect(str(file)) as connection:
        connection.execute("CREATE TABLE c(x INTEGER REFERENCES t(id)); INSERT INTO c VALUES (1)")
    order = Order(
        sql=f"UPDATE t SET size = size + 1{where}", image=None, targets=("t",), max_rows=100,
        timeout_ms=9_000, lock_timeout_ms=100,
    )  # fmt: skip
    writer = DuckdbWriter(file, memory=1 << 28, threads=1)
    shown = writer.preview(order, Stop(writer.interrupt))
    assert shown.verified
    done = writer.run(order, Stop(writer.interrupt))
    writer.commit()
    assert done.tables == shown.tables
    back = replace(order, sql=None, image=done.image)
    assert writer.preview(back, Stop(writer.interrupt)).verified
    writer.run(back, Stop(writer.interrupt))
    writer.commit()
    assert writer.find(done.image) == "before"
