"""Every type of PostgreSQL arrives: exact, or as the text the server writes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pyarrow as pa
import pytest

from guard.engines.postgres import PostgresReader
from guard.errors import Refused
from tests.guard.engines.postgres_shop import postgres_shop, read
from tests.servers import fresh_database

UTC = dt.UTC


@pytest.fixture(scope="module")
def adapter() -> Iterator[PostgresReader]:
    with fresh_database("postgres") as server, postgres_shop(server) as shop:
        server.execute(
            """
            CREATE TYPE mood AS ENUM ('sad', 'happy');
            CREATE TYPE pair AS (a int, b text);
            CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%');
            CREATE DOMAIN small AS int;
            """
        )
        with shop.opened() as opened:
            yield opened


@pytest.mark.parametrize(
    ("expression", "kind", "value"),
    [
        ("true", pa.bool_(), True),
        ("1::int2", pa.int64(), 1),
        ("9223372036854775807", pa.int64(), 9223372036854775807),
        ("4294967295::oid", pa.int64(), 4294967295),
        ("1.5::float8", pa.float64(), 1.5),
        ("'-Infinity'::float4", pa.float64(), float("-inf")),
        ("1.50::numeric(10,2)", pa.decimal128(38, 2), Decimal("1.50")),
        ("sum(n) FROM (VALUES (1::bigint), (2)) v(n)", pa.int64(), 3),
        ("12345678901234567890123", pa.decimal128(38, 0), Decimal(12345678901234567890123)),
        ("1e-40", pa.decimal256(76, 40), Decimal("1e-40")),
        ("'NaN'::numeric", pa.string(), "NaN"),
        ("10::numeric ^ 100", pa.string(), None),
        ("DATE '2026-02-03'", pa.date32(), dt.date(2026, 2, 3)),
        ("DATE 'infinity'", pa.string(), "infinity"),
        ("DATE '0044-03-15 BC'", pa.string(), "0044-03-15 BC"),
        ("DATE '12026-01-01'", pa.string(), "12026-01-01"),
        ("TIME '10:11:12.5'", pa.time64("us"), dt.time(10, 11, 12, 500000)),
        ("TIME '24:00'", pa.string(), "24:00:00"),
        (
            "TIMESTAMP '2026-02-03 04:05:06.000007'",
            pa.timestamp("us"),
            dt.datetime(2026, 2, 3, 4, 5, 6, 7),
        ),
        (
            "TIMESTAMPTZ '2026-02-03 04:05:06+02'",
            pa.timestamp("us", "UTC"),
            dt.datetime(2026, 2, 3, 2, 5, 6, tzinfo=UTC),
        ),
        ("TIMESTAMPTZ '-infinity'", pa.string(), "-infinity"),
        ("TIMETZ '10:00+02'", pa.string(), "10:00:00+02"),
        ("INTERVAL '1 year 2 days'", pa.string(), "1 year 2 days"),
        ("'\\x00ff'::bytea", pa.binary(), b"\x00\xff"),
        ("''::bytea", pa.binary(), b""),
        ("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", pa.string(), None),
        ("'{\"a\": 1}'::jsonb", pa.string(), '{"a": 1}'),
        ("ARRAY[1, NULL, 3]", pa.string(), "{1,NULL,3}"),
        ("ARRAY['a,b', 'c']", pa.string(), '{"a,b",c}'),
        ("int4range(1, 5)", pa.string(), "[1,5)"),
        ("'{[1,2),[5,9)}'::int4multirange", pa.string(), "{[1,2),[5,9)}"),
        ("'happy'::public.mood", pa.string(), "happy"),
        ("'10.0.0.1/8'::inet", pa.string(), "10.0.0.1/8"),
        ("12.34::money", pa.string(), "$12.34"),
        ("'a@b.c'::public.email", pa.string(), "a@b.c"),
        ("7::public.small", pa.int64(), 7),
        ("ROW(1, 'x')::public.pair", pa.string(), "(1,x)"),
        ("ROW(1, NULL)", pa.string(), "(1,)"),
        ("B'101'", pa.string(), "101"),
        ("to_tsvector('simple', 'a cat')", pa.string(), "'a':1 'cat':2"),
        ("point(1, 2)", pa.string(), "(1,2)"),
        ("'x'::char(3)", pa.string(), "x  "),
        ("'x'::\"char\"", pa.string(), "x"),
        ("'people'::name", pa.string(), "people"),
        ("'pg_catalog.lower(text)'::regprocedure", pa.string(), "lower(text)"),
        ("NULL", pa.string(), None),
        ("NULL::int", pa.int64(), None),
        ("NULL::timestamptz", pa.timestamp("us", "UTC"), None),
        ("NULL::int[]", pa.string(), None),
        ("'a\u00e9\U0001f600'", pa.string(), "a\u00e9\U0001f600"),
        ("pg_lsn '0/1'", pa.string(), None),
        ("'<a/>'::text", pa.string(), "<a/>"),
        ("void_value FROM (SELECT pg_catalog.pg_sleep(0) AS void_value) s", pa.string(), ""),
    ],
)
def test_a_value_arrives_as_it_is(
    adapter: PostgresReader, expression: str, kind: pa.DataType, value: object
) -> None:
    table = read(adapter, f"SELECT {expression}").table
    assert table.schema.types == [kind]
    if value is not None or "NULL" in expression:
        assert table.column(0).to_pylist() == [value]


def test_not_a_number_stays_one(adapter: PostgresReader) -> None:
    (value,) = read(adapter, "SELECT 'NaN'::float8").table.column(0).to_pylist()
    assert value != value


def test_numbers_of_many_widths_keep_every_digit(adapter: PostgresReader) -> None:
    sql = "SELECT x FROM (VALUES (1.5), (2), (-0.0625), (NULL), (123456789012345.25)) v(x)"
    assert read(adapter, sql).table.column(0).to_pylist() == [
        Decimal("1.5"),
        Decimal(2),
        Decimal("-0.0625"),
        None,
        Decimal("123456789012345.25"),
    ]


def test_one_value_that_does_not_fit_makes_the_whole_column_text(adapter: PostgresReader) -> None:
    sql = "SELECT d FROM (VALUES (DATE '2026-01-01'), ('infinity'), (NULL)) v(d)"
    table = read(adapter, sql).table
    assert table.column(0).to_pylist() == ["2026-01-01", "infinity", None]


def test_text_that_is_not_in_the_databases_encoding_is_refused_and_not_guessed() -> None:
    with fresh_database("postgres") as server:
        name = f"{server.name}_ascii"
        server.execute(
            f"CREATE DATABASE {name} ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' "
            "TEMPLATE template0"
        )
        bare = replace(server, name=name)
        try:
            with postgres_shop(bare) as shop, shop.opened() as opened:
                bare.execute("CREATE TABLE odd AS SELECT convert_from('\\xff41', 'SQL_ASCII') AS x")
                bare.execute(f"GRANT SELECT ON odd TO {shop.reader}")
                with pytest.raises(Refused) as caught:
                    read(opened, "SELECT x FROM public.odd", readable={"odd": ("x",)})
                assert caught.value.refusal.rule == "engine.types"
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")
