"""DuckDB's types come back exactly, or as the engine's own text."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from decimal import Decimal

import pyarrow as pa
import pytest

from guard.engines.embedded import EmbeddedEngine
from tests.guard.engines.support import make, opened, read

_BIG = 2**127 - 1


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedEngine]:
    """An adapter for any DuckDB file: the values come from the statements."""
    path = make("duckdb", tmp_path_factory.mktemp("values") / "v.duckdb")
    with opened("duckdb", path) as opened_adapter:
        yield opened_adapter


def value(adapter: EmbeddedEngine, expression: str) -> tuple[pa.DataType, object]:
    """The type and the value of one expression."""
    got = read(adapter, f"SELECT {expression} AS x").table["x"]
    return got.type, got[0].as_py()


@pytest.mark.parametrize(
    ("expression", "kind", "expected"),
    [
        ("true", pa.bool_(), True),
        ("1::TINYINT", pa.int8(), 1),
        ("9223372036854775807", pa.int64(), 2**63 - 1),
        ("18446744073709551615::UBIGINT", pa.uint64(), 2**64 - 1),
        ("5::HUGEINT", pa.int64(), 5),
        ("NULL::HUGEINT", pa.int64(), None),
        (f"{10**30}::HUGEINT", pa.decimal128(38, 0), Decimal(10**30)),
        (f"{_BIG}::HUGEINT", pa.string(), str(_BIG)),
        (f"{2**128 - 1}::UHUGEINT", pa.string(), str(2**128 - 1)),
        (f"'{10**41 + 7}'::BIGNUM", pa.string(), str(10**41 + 7)),
        ("1.5::FLOAT", pa.float32(), 1.5),
        ("'inf'::DOUBLE", pa.float64(), float("inf")),
        ("12.345::DECIMAL(18, 3)", pa.decimal128(18, 3), Decimal("12.345")),
        ("repeat('9', 38)::DECIMAL(38, 0)", pa.decimal128(38, 0), Decimal("9" * 38)),
        ("'a' || chr(0) || 'b'", pa.string(), "a\0b"),
        ("'\\x00\\xFF'::BLOB", pa.binary(), b"\0\xff"),
        ("DATE '2026-01-02'", pa.date32(), dt.date(2026, 1, 2)),
        ("DATE '0001-01-01'", pa.date32(), dt.date(1, 1, 1)),
        ("DATE '9999-12-31'", pa.date32(), dt.date(9999, 12, 31)),
        ("'infinity'::DATE", pa.string(), "infinity"),
        ("'0044-03-15 (BC)'::DATE", pa.string(), "0044-03-15 (BC)"),
        ("'10000-01-01'::DATE", pa.string(), "10000-01-01"),
        (
            "TIMESTAMP '2026-01-02 03:04:05.678901'",
            pa.timestamp("us"),
            dt.datetime(2026, 1, 2, 3, 4, 5, 678901),
        ),
        ("'-infinity'::TIMESTAMP", pa.string(), "-infinity"),
        ("'2026-01-02'::TIMESTAMP_S", pa.timestamp("s"), dt.datetime(2026, 1, 2)),
        ("'2026-01-02'::TIMESTAMP_MS", pa.timestamp("ms"), dt.datetime(2026, 1, 2)),
        ("TIME '01:02:03.5'", pa.time64("us"), dt.time(1, 2, 3, 500000)),
        ("'24:00:00'::TIME", pa.string(), "24:00:00"),
        ("'01:02:03+02'::TIMETZ", pa.string(), "01:02:03+02"),
        ("INTERVAL '1 month 2 days 3 seconds'", pa.string(), "1 month 2 days 00:00:03"),
        ("'1010'::BIT", pa.string(), "1010"),
        ("'b'::ENUM('a', 'b')", pa.string(), "b"),
        ("union_value(n := 1)", pa.string(), "1"),
        ("'{\"a\": 1}'::JSON", pa.string(), '{"a": 1}'),
        ("NULL", pa.null(), None),
        ("[1, 2, NULL]", None, [1, 2, None]),
        ("[]::INTEGER[]", None, []),
        ("array_value(1, 2)", None, [1, 2]),
        ("{'a': 1, 'b': 'x'}", None, {"a": 1, "b": "x"}),
        ("MAP {'k': [1.5]}", None, [("k", [Decimal("1.5")])]),
        ("[{'a': [DATE '2026-01-02']}]", None, [{"a": [dt.date(2026, 1, 2)]}]),
        ("[DATE 'infinity', NULL]", pa.string(), "[infinity, NULL]"),
        ("{'t': '01:02:03+02'::TIMETZ}", pa.string(), "{'t': '01:02:03+02'}"),
        (f"[{_BIG}::HUGEINT]", pa.string(), f"[{_BIG}]"),
        ("[5::HUGEINT]", None, [Decimal(5)]),
        ("['a'::ENUM('a', 'b'), NULL]", None, ["a", None]),
    ],
)
def test_a_value_crosses_exactly(
    adapter: EmbeddedEngine, expression: str, kind: pa.DataType | None, expected: object
) -> None:
    got_kind, got = value(adapter, expression)
    if kind is not None:
        assert got_kind == kind
    assert got == expected


def test_a_time_with_a_zone_is_that_instant_in_utc(adapter: EmbeddedEngine) -> None:
    kind, got = value(adapter, "TIMESTAMPTZ '2026-01-02 00:00:00+02'")
    assert pa.types.is_timestamp(kind)
    assert kind.tz is not None
    assert isinstance(got, dt.datetime)
    assert got.astimezone(dt.UTC) == dt.datetime(2026, 1, 1, 22, tzinfo=dt.UTC)


def test_not_a_number_stays_one(adapter: EmbeddedEngine) -> None:
    _, got = value(adapter, "'nan'::DOUBLE")
    assert isinstance(got, float)
    assert math.isnan(got)


def test_a_sum_of_integers_is_an_integer(adapter: EmbeddedEngine) -> None:
    table = read(adapter, "SELECT sum(range) AS s FROM range(100)").table
    assert table["s"].type == pa.int64()
    assert table["s"].to_pylist() == [4950]


def test_columns_of_one_name_keep_name_and_order_when_some_become_text(
    adapter: EmbeddedEngine,
) -> None:
    sql = "SELECT range AS x, INTERVAL 1 DAY AS x, 'a' AS y FROM range(4) ORDER BY range DESC"
    table = read(adapter, sql).table
    assert table.column_names == ["x", "x", "y"]
    assert table[0].to_pylist() == [3, 2, 1, 0]
    assert table[1].to_pylist() == ["1 day"] * 4


def test_nulls_and_many_batches_keep_every_row(adapter: EmbeddedEngine) -> None:
    sql = (
        "SELECT range AS i, CASE WHEN range % 3 = 0 THEN NULL ELSE 'v' || range END AS t, "
        "(['a', 'b', NULL][1 + range % 3])::ENUM('a', 'b') AS e FROM range(50000) ORDER BY range"
    )
    table = read(adapter, sql, max_rows=100_000).table
    assert table["i"].to_pylist() == list(range(50_000))
    assert table["t"].null_count == 16_667
    assert table["e"].to_pylist()[:3] == ["a", "b", None]
