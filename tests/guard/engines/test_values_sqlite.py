"""SQLite stores any value in any column; every one of them comes back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from guard.engines.child import columns
from guard.engines.embedded import EmbeddedEngine
from guard.errors import Refused
from tests.guard.engines.support import make, opened, read

_SCRIPT = """
CREATE TABLE v (
  id INTEGER PRIMARY KEY, i INTEGER, r REAL, t TEXT, b BLOB, n NUMERIC, empty TEXT,
  mixed, when_date DATE, when_time TIMESTAMP, flag BOOLEAN
);
INSERT INTO v VALUES
  (1, 9223372036854775807, 0.1, 'a' || char(0) || 'b', X'00FF', 10, NULL, 1, '2026-01-02',
   '2026-01-02 03:04:05', 1),
  (2, -9223372036854775808, 9e999, 'Ünïcødé 🦊', X'', 10.5, NULL, 'two', 20260102, 1767323045, 0),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (4, 0, -1.5, '', X'41', 12, NULL, X'DEAD', 'not a date', '', 'maybe'),
  (5, 0, -0.0, '1', NULL, 13, NULL, 2.5, '2026-01-02', NULL, 1);
CREATE TABLE broken (id INTEGER PRIMARY KEY, t TEXT);
INSERT INTO broken VALUES (1, CAST(X'61FF62' AS TEXT)), (2, 'fine'), (3, NULL);
"""
_READABLE = {
    "v": ("id", "i", "r", "t", "b", "n", "empty", "mixed", "when_date", "when_time", "flag"),
    "broken": ("id", "t"),
}


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedEngine]:
    """An adapter for a table of difficult values."""
    path = make("sqlite", tmp_path_factory.mktemp("values") / "v.sqlite", _SCRIPT)
    with opened("sqlite", path) as opened_adapter:
        yield opened_adapter


def column(adapter: EmbeddedEngine, expression: str) -> pa.ChunkedArray:
    """One expression over the rows of `v`, in order."""
    return read(adapter, f"SELECT {expression} FROM v ORDER BY id", readable=_READABLE).table[0]


@pytest.mark.parametrize(
    ("expression", "kind", "values"),
    [
        ("i", pa.int64(), [2**63 - 1, -(2**63), None, 0, 0]),
        ("r", pa.float64(), [0.1, float("inf"), None, -1.5, -0.0]),
        ("t", pa.string(), ["a\0b", "Ünïcødé 🦊", None, "", "1"]),
        ("b", pa.binary(), [b"\0\xff", b"", None, b"A", None]),
        ("empty", pa.null(), [None] * 5),
        # Whole and broken numbers in one column: floats carry all of these exactly.
        ("n", pa.float64(), [10.0, 10.5, None, 12.0, 13.0]),
        # No common type: text, each value readable.
        ("mixed", pa.string(), ["1", "two", None, "X'DEAD'", "2.5"]),
        # What a declared type says does not change what is stored.
        ("when_date", pa.string(), ["2026-01-02", "20260102", None, "not a date", "2026-01-02"]),
        (
            "when_time",
            pa.string(),
            ["2026-01-02 03:04:05", "1767323045", None, "", None],
        ),
        ("flag", pa.string(), ["1", "0", None, "maybe", "1"]),
    ],
)
def test_a_column_comes_back_as_it_is_stored(
    adapter: EmbeddedEngine, expression: str, kind: pa.DataType, values: list[object]
) -> None:
    got = column(adapter, expression)
    assert got.type == kind
    assert got.to_pylist() == values


def test_a_large_integer_beside_a_float_is_not_rounded(adapter: EmbeddedEngine) -> None:
    got = column(adapter, "CASE id WHEN 1 THEN 9007199254740993 ELSE r END")
    assert got.to_pylist() == ["9007199254740993", "inf", None, "-1.5", "0.0"]


def test_text_that_is_not_utf_8_is_shown_with_its_bytes(adapter: EmbeddedEngine) -> None:
    got = read(adapter, "SELECT id, t FROM broken ORDER BY id", readable=_READABLE)
    assert got.table.to_pydict() == {"id": [1, 2, 3], "t": ["a\\xffb", "fine", None]}


def test_types_that_change_after_the_first_rows_are_carried_too(adapter: EmbeddedEngine) -> None:
    sql = (
        "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 1000) "
        "SELECT CASE WHEN i < 900 THEN NULL WHEN i < 950 THEN i WHEN i < 990 THEN i + 0.5 "
        "ELSE 'text' END AS x, CASE WHEN i < 900 THEN i ELSE i + 0.5 END AS y, "
        "CASE WHEN i < 500 THEN NULL ELSE i END AS z FROM r"
    )
    table = read(adapter, sql).table
    assert table["x"].type == pa.string()
    assert table["x"].to_pylist()[898:900] == [None, "900"]
    assert table["x"].to_pylist()[948:951] == ["949", "950.5", "951.5"]
    assert table["x"][999].as_py() == "text"
    assert table["y"].type == pa.float64()
    assert table["y"].to_pylist()[898:901] == [899.0, 900.5, 901.5]
    assert table["z"].type == pa.int64()
    assert table["z"].null_count == 499


def test_numbers_computed_by_the_engine_keep_their_type(adapter: EmbeddedEngine) -> None:
    table = read(adapter, "SELECT count(*), avg(i), sum(id), max(t) FROM v", readable=_READABLE)
    assert [c.type for c in table.table.columns] == [
        pa.int64(),
        pa.float64(),
        pa.int64(),
        pa.string(),
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([b"a", "a"], ["X'61'", "a"]),
        (["a", b"a"], ["a", "X'61'"]),
        ([1, b"a", None], ["1", "X'61'", None]),
        ([1.0, "x"], ["1.0", "x"]),
        ([1, 2.5, None], [1.0, 2.5, None]),
        ([2**53 + 1, 2.5], ["9007199254740993", "2.5"]),
        ([None, None], [None, None]),
    ],
)
def test_mixed_values_become_text_or_exact_floats(
    values: list[columns.Value], expected: list[object]
) -> None:
    whole = columns.column([columns.part(values)])
    pieces = columns.column([columns.part([value]) for value in values])
    assert whole.to_pylist() == expected
    assert pieces.to_pylist() == expected


def test_full_text_tables_are_read_by_those_who_may_read_all_of_them(tmp_path: Path) -> None:
    script = (
        "CREATE VIRTUAL TABLE notes USING fts5(title, body);"
        "INSERT INTO notes VALUES ('cats', 'all about cats'), ('dogs', 'all about dogs');"
    )
    path = make("sqlite", tmp_path / "f.sqlite", script)
    sql = "SELECT title, highlight(notes, 1, '[', ']') AS h FROM notes WHERE notes MATCH 'cats'"
    with opened("sqlite", path) as fresh:
        got = read(fresh, sql, readable={"notes": ("title", "body")}).table.to_pylist()
        assert got == [{"title": "cats", "h": "all about [cats]"}]
        for readable in ({"notes": ("title",)}, {"people": ("id",)}):
            with pytest.raises(Refused):
                read(fresh, sql, readable=readable)
        with pytest.raises(Refused):
            read(fresh, "SELECT * FROM notes_content", readable={"notes": ("title",)})
        names = {t.name for t in fresh.reflect().tables}
    assert "notes" in names
    assert not {n for n in names if n.startswith(("notes_", "sqlite_"))}


def test_a_table_is_described_to_those_who_may_read_all_of_it(tmp_path: Path) -> None:
    path = make("sqlite", tmp_path / "f.sqlite")
    sql = "PRAGMA table_info(people)"
    with opened("sqlite", path) as fresh:
        whole = {"people": ("id", "name", "city", "ssn")}
        assert read(fresh, sql, readable=whole).table.num_rows == 4
        with pytest.raises(Refused):
            read(fresh, sql, readable={"people": ("id", "name")})
