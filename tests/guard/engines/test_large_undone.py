"""A large change of a SQLite file: what moves by itself is found, and it can be taken back."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guard.address import FileAddress
from guard.diff import Diff
from guard.engines import open_change_engine, open_engine
from guard.engines.base import Cancel, Change, ChangeCaps, ChangeEngine, Reached
from guard.engines.changing import EmbeddedChanges
from guard.engines.child import sqlite_back, sqlite_steps, writing
from guard.engines.child.faults import Fault
from guard.engines.child.reader import Stop
from guard.engines.child.sqlite_session import Seen
from guard.engines.child.sqlite_writer import SqliteWriter
from guard.engines.child.writing import Capture, Order
from guard.errors import Interrupted

ROWS = 400
SCRIPT = f"""
CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT UNIQUE, n INT, x, y REAL, g AS (n * 2) STORED,
  m TEXT DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE code(c TEXT PRIMARY KEY, v NUMERIC);
CREATE TABLE log(what, at TEXT DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE d(v INT, r INT DEFAULT (random()), again REFERENCES code(c) ON UPDATE CASCADE);
CREATE TABLE kind(id INTEGER PRIMARY KEY, v);
CREATE TABLE leaf(kind REFERENCES kind(id) ON DELETE CASCADE);
CREATE INDEX leaves ON leaf(kind);
CREATE TRIGGER told AFTER UPDATE OF x ON t WHEN new.id % 2 BEGIN
  INSERT INTO log(what) VALUES (old.n); END;
CREATE TRIGGER stamps AFTER UPDATE OF y ON t BEGIN
  UPDATE t SET x = abs(random()) WHERE id = new.id; END;
WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < {ROWS})
INSERT INTO t(id, a, n, x, y, m) SELECT 3 * i, 'a' || i, i, i, i, '' FROM r;
INSERT INTO code SELECT a, n FROM t;
INSERT INTO d SELECT n, n, a FROM t;
INSERT INTO log SELECT n, '' FROM t;
INSERT INTO kind SELECT id, n FROM t;
INSERT INTO leaf SELECT id FROM t;
CREATE TRIGGER shouted AFTER UPDATE ON LEAF BEGIN INSERT INTO log(what, at) VALUES (1, ''); END;
"""
ORDER = Order(
    sql=None, image=None, targets=("t",), max_rows=20 * ROWS, timeout_ms=60_000,
    lock_timeout_ms=500, shown_rows=5,
)  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "t.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(SCRIPT)
    return path


@pytest.fixture
def writer(file: Path) -> SqliteWriter:
    return SqliteWriter(file, copy_bytes=0, large_steps=0)


def _rows(file: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(file)) as db:
        return {
            name: db.execute(f"SELECT rowid, * FROM {name} ORDER BY rowid").fetchall()
            for name in ("t", "code", "log", "d", "kind", "leaf")
        }


def _order(sql: str, decided: Mapping[str, Any] | None = None) -> Order:
    return replace(ORDER, sql=sql, targets=(_target(sql),), decided=decided or {})


def _target(sql: str) -> str:
    words = sql.split()
    return (
        words[2] if words[0] in ("INSERT", "DELETE", "REPLACE") else words[words.index("SET") - 1]
    )


def _stop(writer: SqliteWriter) -> Stop:
    return Stop(writer.interrupt)


def _told(capture: Capture, decided: Mapping[str, Any]) -> Any:
    return json.loads(writing.told(capture, decided, 5, 0))


def _bound(capture: Capture, decided: Mapping[str, Any]) -> Any:
    """What the fingerprint is made of."""
    told = _told(capture, decided)["diff"]
    return told["schema_hash"], [
        [t[k] for k in ("table", "inserted", "updated", "deleted", "before_hash", "after_hash")]
        for t in told["tables"]
    ]


def _image(capture: Capture) -> Any:
    return json.loads(json.dumps(capture.image))


@pytest.mark.parametrize(
    ("sql", "decided"),
    [
        ("UPDATE t SET n = random()", {"t": ["n"]}),
        ("UPDATE t SET m = datetime('now'), n = n + 1", {"t": ["m"]}),
        ("UPDATE t SET m = CURRENT_TIMESTAMP || id", {"t": ["m"]}),
        ("UPDATE t SET n = n + (SELECT abs(random()) % 1000000)", {"t": ["n"]}),
        ("UPDATE t SET x = x + 1", {"log": ["at"]}),  # a default of a trigger's table
        ("UPDATE t SET y = y + 1", {"t": ["x"], "log": ["at"]}),  # triggers
        ("INSERT INTO d(v) SELECT n FROM t", {"d": ["r"]}),  # a default
        ("INSERT INTO d(v, r) SELECT n, 1 FROM t", {}),
        ("INSERT INTO t(id, a, n, m) SELECT abs(random()), 'new' || n, 5, '' FROM t",
         {"t": ["id", "a"]}),
        ("UPDATE t SET m = u.v FROM (SELECT c, v FROM code UNION ALL SELECT c, -v FROM code) AS u "
         "WHERE u.c = t.a", {}),
        ("UPDATE t SET n = -n WHERE id IN (SELECT id FROM t LIMIT 100)", {}),
        ("UPDATE code SET c = c || 'x'", {}),  # cascades
        ("REPLACE INTO t(id, a, n, m) SELECT id, 'a' || (n + 1), n, '' FROM t WHERE n < 50", {}),
        ("UPDATE t SET id = id + 1", {}),
        ("UPDATE d SET v = v + 0.5", {}),  # nothing but its rowid is unique
        ("UPDATE kind SET v = -v WHERE id > 9", {}),  # the same, and rows refer to it
        ("UPDATE leaf SET kind = 3", {}),  # a trigger that spells its table in another way
        ("DELETE FROM t WHERE id > 9", {}),
    ],
)  # fmt: skip
def test_promise_06_what_moves_by_itself_is_found_and_all_else_is_bound(
    file: Path, writer: SqliteWriter, sql: str, decided: dict[str, list[str]]
) -> None:
    before = _rows(file)
    shown = writer.preview(_order(sql), _stop(writer))
    assert shown.decided == decided
    assert shown.verified
    assert all(t.summed for t in shown.tables)
    assert _rows(file) == before
    done = writer.run(_order(sql, decided), _stop(writer))
    writer.commit()
    assert _bound(done, decided) == _bound(shown, decided)
    assert writer.find(_image(done)) == "after"
    back = replace(ORDER, image=_image(done))
    undo = writer.preview(back, _stop(writer))
    assert undo.verified
    undone = writer.run(back, _stop(writer))
    writer.commit()
    assert _bound(undone, {}) == _bound(undo, {})
    assert _rows(file) == before
    assert writer.find(_image(done)) == "before"


@pytest.mark.parametrize(
    "meanwhile",
    [
        "UPDATE t SET n = n + 1 WHERE id = 300",
        "UPDATE t SET x = CAST(x AS TEXT) WHERE id = 300",
        "DELETE FROM t WHERE id = 300",
        "INSERT INTO t(id, a) VALUES (3, 'new')",
    ],
)
def test_promise_06_a_row_that_was_changed_since_is_never_overwritten(
    file: Path, writer: SqliteWriter, meanwhile: str
) -> None:
    sql = "UPDATE t SET x = x + 1.5, n = n + 1 WHERE id > 3"
    if "INSERT" in meanwhile:
        sql = "DELETE FROM t WHERE id < 9"
    done = writer.run(_order(sql), _stop(writer))
    writer.commit()
    with closing(sqlite3.connect(file)) as db:
        db.execute(meanwhile)
        db.commit()
    held = _rows(file)
    assert writer.find(_image(done)) == "neither"
    back = replace(ORDER, image=_image(done))
    for act in (writer.preview, writer.run):
        with pytest.raises(Fault, match="changed_since"):
            act(back, _stop(writer))
    assert _rows(file) == held


def test_what_others_add_meanwhile_makes_no_difference(file: Path, writer: SqliteWriter) -> None:
    order = _order("INSERT INTO log(what, at) SELECT n, 'x' FROM t")
    shown = writer.preview(order, _stop(writer))
    with closing(sqlite3.connect(file)) as db:
        db.execute("INSERT INTO log VALUES ('another', '')")
        db.commit()
    done = writer.run(order, _stop(writer))
    writer.rollback()
    assert _bound(done, {}) == _bound(shown, {})


def test_promise_06_a_column_the_engine_did_not_say_it_writes_is_found_all_the_same(
    writer: SqliteWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the engine says while it compiles is a hint; that nothing else differs is looked at."""
    order = _order("UPDATE t SET n = n + 1, m = 'x'")
    shown = writer.preview(order, _stop(writer))
    monkeypatch.setattr(Seen, "written", lambda *_: ("m",))
    without = writer.preview(order, _stop(writer))
    row = without.tables[0].rows[0]
    assert (without.total, row) == (shown.total, shown.tables[0].rows[0])


def test_a_change_of_every_row_is_not_run_first_to_see_how_many_there_are(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tried(*_: object, **__: object) -> None:
        raise Fault("tried")

    monkeypatch.setattr(sqlite_steps, "logged", tried)
    writer = SqliteWriter(file, copy_bytes=0, large_steps=ROWS - 1)
    assert writer.preview(_order("UPDATE t SET n = n + 1"), _stop(writer)).verified
    few = SqliteWriter(file, copy_bytes=0, large_steps=ROWS)
    with pytest.raises(Fault, match="tried"):
        few.preview(_order("UPDATE t SET n = n + 1"), _stop(few))
    with pytest.raises(Fault, match="tried"):
        writer.preview(_order("UPDATE t SET n = n + 1 WHERE id = 9"), _stop(writer))


def test_a_trigger_made_later_is_drift_however_it_spells_its_table(
    file: Path, writer: SqliteWriter
) -> None:
    order = _order("UPDATE kind SET v = 0")
    shown = writer.preview(order, _stop(writer))
    with closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TRIGGER later AFTER UPDATE ON KIND WHEN false BEGIN SELECT 1; END")
    again = writer.preview(order, _stop(writer))
    assert again.schema_hash != shown.schema_hash


def test_a_way_back_that_leaves_one_row_different_is_not_called_proven(
    writer: SqliteWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = sqlite_back._backwards

    def wrong(*given: Any) -> Iterator[tuple[str, int]]:
        for text, count in own(*given):
            yield text + " WHERE excluded.id > 3", count - 1

    monkeypatch.setattr(sqlite_back, "_backwards", wrong)
    shown = writer.preview(_order("UPDATE t SET n = n + 1"), _stop(writer))
    assert not shown.verified
    assert shown.notes == (writing.NOT_PROVEN,)


@pytest.mark.parametrize("kind", ["encoding = 'UTF-16le'", "journal_mode = WAL"])
def test_a_file_of_another_kind_is_previewed_and_taken_back_as_well(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(f"PRAGMA {kind};" + SCRIPT)
    before = _rows(path)
    writer = SqliteWriter(path, copy_bytes=0, large_steps=0)
    moves = _order("UPDATE t SET m = a || 'é' || random()")
    assert writer.preview(moves, _stop(writer)).decided == {"t": ["m"]}
    order = _order("UPDATE t SET m = a || 'é'")
    assert writer.preview(order, _stop(writer)).verified
    assert _rows(path) == before
    done = writer.run(order, _stop(writer))
    writer.commit()
    back = replace(ORDER, image=_image(done))
    assert writer.preview(back, _stop(writer)).verified
    writer.run(back, _stop(writer))
    writer.commit()
    assert _rows(path) == before
    with closing(sqlite3.connect(path)) as db:
        name, _, value = kind.partition(" = ")
        assert db.execute(f"PRAGMA {name}").fetchone()[0].lower() == value.strip("'").lower()


MANY = 200_000
CAPS = ChangeCaps(max_rows=2 * MANY, shown_rows=5, timeout_ms=60_000, lock_timeout_ms=500)
ALL = Change(source="s", sql="UPDATE t SET a = a + 1, b = 'x' || b", targets=("t",))


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("big") / "t.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, b TEXT)")
        db.executemany("INSERT INTO t VALUES (?, 1, ?)", ((i, f"row {i}") for i in range(MANY)))
        db.commit()
    return path


@pytest.fixture(scope="module")
def engine(big: Path) -> Iterator[ChangeEngine]:
    reader = open_engine("sqlite", FileAddress(path=big), source="s")
    engine = open_change_engine("sqlite", FileAddress(path=big), source="s", reader=reader)
    yield engine
    engine.close()
    reader.close()


def _sum(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("SELECT sum(a) FROM t").fetchone()[0])


def _previewed(engine: ChangeEngine, change: Change, stop: Cancel, step: str) -> tuple[Diff, float]:
    """Returns the diff, stopping when a step is reached, and when that was."""
    asked = [0.0]

    def heard(reached: Reached) -> None:
        if reached.step == step and not asked[0]:
            asked[0] = time.monotonic()
            stop.set()

    try:
        return engine.preview(change, CAPS, stop, heard), 0
    except Interrupted as error:
        error.args = (*error.args, time.monotonic() - asked[0])
        raise


@pytest.mark.parametrize("step", ["run", "rows", "back"])
def test_a_preview_of_very_many_rows_stops_within_a_second_of_being_asked(
    big: Path, engine: ChangeEngine, step: str
) -> None:
    before = _sum(big)
    with pytest.raises(Interrupted) as stopped:
        _previewed(engine, ALL, Cancel(), step)
    assert stopped.value.args[-1] < 1
    assert _sum(big) == before


def test_very_many_rows_are_changed_and_taken_back_without_holding_them_all(
    big: Path, engine: ChangeEngine
) -> None:
    """As objects of the interpreter they would take more than a gibibyte."""
    before = _sum(big)
    done = engine.apply(ALL, CAPS, lambda _: None, Cancel())
    back = Change(source="s", sql=None, undo_image=done.undo_image)
    heard: list[Reached] = []
    assert engine.preview(back, CAPS, Cancel(), heard.append).undo_verified
    assert {"back", "rows"} <= {r.step for r in heard}
    engine.apply(back, CAPS, lambda _: None, Cancel())
    assert _sum(big) == before
    assert isinstance(engine, EmbeddedChanges)
    assert engine._worker is not None
    status = Path(f"/proc/{engine._worker.pid}/status")
    if status.exists():
        peak = next(line for line in status.read_text().splitlines() if "VmHWM" in line)
        assert int(peak.split()[1]) < 200 * 1024
