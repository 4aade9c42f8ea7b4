"""The copy that a DuckDB preview works on: opened in an engine made ready before, closed in."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from guard.engines.child.duckdb_writer import DuckdbWriter
from guard.engines.child.faults import Fault
from guard.engines.child.reader import Stop
from guard.engines.child.writing import Capture, Order


@pytest.fixture
def writer(tmp_path: Path) -> DuckdbWriter:
    path = tmp_path / "it's.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a VARCHAR)")
        connection.execute("INSERT INTO t SELECT r, 'a' FROM range(9) q(r)")
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    return DuckdbWriter(path, memory=1 << 28, threads=1)


def _order(sql: str) -> Order:
    return Order(
        sql=sql, image=None, targets=("t",), max_rows=100, timeout_ms=9_000, lock_timeout_ms=100
    )


def _previewed(writer: DuckdbWriter, sql: str) -> Capture:
    return writer.preview(_order(sql), Stop(writer.interrupt))


@pytest.mark.parametrize("ready", [False, True])
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE t SET a = (SELECT content FROM read_text('{folder}/secret.txt'))",
        "COPY t TO '{folder}/out.csv'",
        "ATTACH '{folder}/other.duckdb' AS other",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "SET fsync_mode = 'FULL'",
        "DELETE FROM gatehouse_old.main.t",
    ],
)
def test_promise_05_nothing_outside_the_copy_is_reached_from_it(
    writer: DuckdbWriter, tmp_path: Path, sql: str, ready: bool
) -> None:
    if ready:
        writer.release()
    names = sorted(p.name for p in tmp_path.iterdir())
    with pytest.raises(Fault):
        _previewed(writer, sql.replace("{folder}", str(tmp_path)))
    assert sorted(p.name for p in tmp_path.iterdir()) == names


def test_each_preview_has_an_engine_of_its_own(writer: DuckdbWriter) -> None:
    for _ in range(3):
        writer.release()
        assert _previewed(writer, "UPDATE t SET a = 'b' WHERE id < 3").total == 3
        # in two transactions, committed to the copy
        assert _previewed(writer, "MERGE INTO t USING (SELECT 4 AS i) s ON s.i = t.id "
                          "WHEN MATCHED THEN DELETE").total == 1  # fmt: skip


def test_a_disk_without_second_names_gets_a_second_copy(
    writer: DuckdbWriter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refused(*_: object) -> None:
        raise OSError

    monkeypatch.setattr("os.link", refused)
    monkeypatch.setattr("os.copy_file_range", refused)
    names = sorted(p.name for p in tmp_path.iterdir())
    assert _previewed(writer, "DELETE FROM t WHERE id > 5").total == 3
    assert sorted(p.name for p in tmp_path.iterdir()) == names


def test_clearing_up_leaves_an_open_transaction_alone(writer: DuckdbWriter) -> None:
    _previewed(writer, "DELETE FROM t")
    writer.release()
    writer.run(_order("DELETE FROM t WHERE id = 1"), Stop(writer.interrupt))
    writer.release()
    writer.commit()
    assert _previewed(writer, "DELETE FROM t").total == 8


def test_what_is_only_in_the_log_is_in_both_copies(writer: DuckdbWriter, tmp_path: Path) -> None:
    path = tmp_path / "it's.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("SET checkpoint_threshold = '1GB'")
        connection.execute("INSERT INTO t SELECT r, 'b' FROM range(100, 30100) q(r)")
        log = path.with_name(path.name + ".wal").read_bytes()
        file = path.read_bytes()
    path.write_bytes(file)
    path.with_name(path.name + ".wal").write_bytes(log)
    order = Order(
        sql="UPDATE t SET a = 'c'", image=None, targets=("t",), max_rows=50_000,
        timeout_ms=9_000, lock_timeout_ms=100, shown_rows=3,
    )  # fmt: skip
    found = writer.preview(order, Stop(writer.interrupt))
    assert (found.total, found.verified) == (30_009, True)
    assert found.tables[0].summed is not None
