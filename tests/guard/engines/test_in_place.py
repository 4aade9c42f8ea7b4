"""A large SQLite file is previewed where it lies: it stays as it is, and readers go on."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from guard.engines.child.reader import Stop
from guard.engines.child.sqlite_writer import SqliteWriter
from guard.engines.child.writing import Order

ROWS = 8_000
"""Of about 6 MiB, three times what the engine keeps in memory of a file by itself."""


@pytest.mark.parametrize(
    ("sql", "large_steps"),
    [
        ("UPDATE t SET a = a + 1", ROWS),
        ("UPDATE t SET a = a + 1 + 0 * random()", ROWS),  # run twice
        ("UPDATE t SET a = a + 1", 10),
        ("DELETE FROM t", 10),
    ],
)
def test_promise_06_nothing_of_a_preview_reaches_the_file_at_any_time(
    tmp_path: Path, sql: str, large_steps: int
) -> None:
    """A process that is killed then leaves nothing that a reader cannot take back."""
    path = tmp_path / "t.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, b TEXT)")
        db.executemany("INSERT INTO t VALUES (?, 1, ?)", ((i, "x" * 600) for i in range(ROWS)))
        db.commit()
    content, steps = path.read_bytes(), []

    def heard(line: Mapping[str, object]) -> None:
        reached = line["reached"]
        assert isinstance(reached, dict)
        steps.append(reached["step"])
        assert path.read_bytes() == content
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=0)) as reader:
            assert reader.execute("SELECT sum(a) FROM t").fetchone() == (ROWS,)

    order = Order(
        sql=sql, image=None, targets=("t",), max_rows=2 * ROWS, timeout_ms=60_000,
        lock_timeout_ms=100, shown_rows=5,
    )  # fmt: skip
    writer = SqliteWriter(path, copy_bytes=0, large_steps=large_steps)
    found = writer.preview(order, Stop(writer.interrupt, heard))
    assert found.total == ROWS
    assert found.verified
    assert "back" in steps
    assert path.read_bytes() == content
