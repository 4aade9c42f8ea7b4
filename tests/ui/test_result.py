"""Rows and charts as the page draws them."""

from __future__ import annotations

import datetime as dt
import decimal
import json

import pyarrow as pa
import pytest

from agent import Chart
from ui.asking import chart, result
from ui.stored import ColumnNote, Ran


def ran(**given: object) -> Ran:
    kept = {
        "sql": "SELECT 1",
        "rule": "read.select",
        "reason": "",
        "columns": (),
        "rows": 1,
        "truncated": False,
        "limit": 1_000,
        "elapsed_us": 5,
        "audit": 1,
    }
    return Ran.model_validate(kept | given)


def test_a_result_that_shows_everything_has_no_notes() -> None:
    assert result.notes(ran(columns=(ColumnNote(name="city"),))) == ""


def test_a_masked_column_without_a_name_is_still_named() -> None:
    said = result.notes(ran(columns=(ColumnNote(name="", masked=1, reason=None),)))
    assert "1 cell in <strong>a column without a name</strong> is masked by policy." in said


def test_a_revealed_column_says_so() -> None:
    note = ColumnNote(name="email", reason="customers.email is shown because you may see it.")
    assert "shown because you may see it" in result.notes(ran(columns=(note,)))


def test_names_in_notes_are_escaped() -> None:
    note = ColumnNote(name="<img src=x>", masked=2, reason="2 cells are masked: <b>why</b>.")
    said = result.notes(ran(columns=(note,)))
    assert "<img" not in said
    assert "<b>" not in said


def test_types_a_browser_cannot_show_become_text_and_decimals_lose_nothing() -> None:
    rows = pa.table(
        {
            "bytes": pa.array([b"\x00\xff", None]),
            "exact": pa.array([decimal.Decimal("1.50"), decimal.Decimal("0.10")]),
            "long": pa.array([decimal.Decimal("1.00000000000000000001"), None]),
            "list": pa.array([[1, 2], None]),
            "when": pa.array([dt.timedelta(seconds=1), None]),
        }
    )
    shown = result.presentable(rows).to_pydict()
    assert shown["bytes"] == ["00ff", None]
    assert shown["exact"] == [1.5, 0.1]
    assert shown["long"] == ["1.00000000000000000001", None]
    assert shown["list"] == ["[1, 2]", None]
    assert shown["when"][0] == "0:00:01"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (["a", "a", "a"], ["a", "a (2)", "a (3)"]),
        (["", "x", ""], ["column 1", "x", "column 3"]),
        (["a", "a", "a (2)"], ["a", "a (3)", "a (2)"]),
    ],
)
def test_every_column_has_a_name_of_its_own(given: list[str], shown: list[str]) -> None:
    assert result.names(given) == shown
    assert len(set(shown)) == len(shown)


ROWS = pa.table({"city": ["Rome", "Oslo", None], "sum": [3, None, 1], "mask": ["<X>"] * 3})


def test_bars_are_drawn_in_the_order_of_the_rows() -> None:
    made = chart.build(Chart(kind="bar", x=0, y=1, title="t"), ROWS)
    assert made is not None
    spec = json.loads(made[0].to_json())
    [data] = spec["datasets"].values()
    assert [row["x"] for row in data] == ["Rome", "Oslo", "(none)"]
    assert spec["encoding"]["y"]["sort"] is None
    assert made[1] == ""


@pytest.mark.parametrize(("x", "y"), [(0, 2), (0, 9), (9, 1)])
def test_masked_or_missing_columns_are_not_drawn(x: int, y: int) -> None:
    assert chart.build(Chart(kind="bar", x=x, y=y, title="t"), ROWS) is None


def test_months_are_drawn_on_a_time_axis() -> None:
    rows = pa.table({"month": ["2026-01", "2026-02"], "n": [1, 2]})
    made = chart.build(Chart(kind="line", x=0, y=1, title="t"), rows)
    assert made is not None
    assert json.loads(made[0].to_json())["encoding"]["x"]["type"] == "temporal"


def test_what_a_chart_leaves_out_is_said() -> None:
    rows = pa.table({"k": [str(i) for i in range(100)], "n": list(range(100))})
    made = chart.build(Chart(kind="bar", x=0, y=1, title="t"), rows)
    assert made is not None
    assert made[1] == "The chart shows the first 40 of 100 rows."


@pytest.mark.parametrize("name", ["image", "title", "IMAGE"])
def test_a_column_cannot_make_the_tooltip_load_a_picture(name: str) -> None:
    rows = pa.table({name: ["http://127.0.0.1:9/leak", "b"], "n": [1, 2]})
    made = chart.build(Chart(kind="bar", x=0, y=1, title="t"), rows)
    assert made is not None
    tips = json.loads(made[0].to_json())["encoding"]["tooltip"]
    assert {t["title"] for t in tips}.isdisjoint({"image", "title"})
