"""What the guard writes anew gives the same as what was written: every function, sampled."""

from __future__ import annotations

import itertools
import random
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing

import duckdb
import psycopg
import pymysql
import pytest

from guard.address import server_address
from guard.classify import classify
from guard.engines.mysql_session import Session, login_of
from guard.errors import Refused
from guard.functions.lists import functions_of
from guard.rewriting.spelling import faithful, render
from guard.statement import parse
from tests.servers import fresh_database

Run = Callable[[str], object]
SAMPLES = 4
VALUES: Mapping[str, str] = {
    "sqlite": "2|-1|0|'abc'|'b'|2.5|'2024-03-05'|NULL|'[1,2]'|'$.a'|x'6162'|10|'%Y'|'a%'",
    "duckdb": "2|-1|0|'abc'|'a,b'|2.5::double|date '2024-03-05'|timestamp '2024-03-05 10:20:30'|"
    "[1,2,3]|NULL|'b'|interval 1 day|true|'\\x61'::blob|'month'|['b','a']|{'a':1}|10",
    "postgres": "2|-1|0|'abc'::text|2.5::float8|2.5::numeric|date '2024-03-05'|NULL|'a'|'month'|"
    "timestamp '2024-03-05 10:20:30'|ARRAY[1,2,3]|'{\"a\": 1}'::jsonb|interval '1 day'|true|10|"
    "'\\x61'::bytea|'UTF8'|'abc'",
    "mysql": "2|-1|0|'abc'|'b'|2.5|2.5e0|'2024-03-05'|'2024-03-05 10:20:30'|NULL|'[1,2]'|'$.a'|"
    "x'6162'|10|'%Y'",
}
MOVING = frozenset(
    [
        "random",
        "uuid",
        "gen_random_uuid",
        "now",
        "current_timestamp",
        "clock_timestamp",
        "uuidv4",
        "uuidv7",
        "sysdate",
        "rand",
        "random_bytes",
        "uuid_short",
        "sys_guid",
        "randomblob",
        "transaction_timestamp",
        "statement_timestamp",
        "timeofday",
        "get_current_time",
        "today",
        "get_current_timestamp",
        "current_time",
        "current_localtime",
        "current_localtimestamp",
        "localtime",
        "localtimestamp",
        "curtime",
        "utc_time",
        "utc_timestamp",
        "random_normal",
        "pg_backend_pid",
        "txid_current_snapshot",
        "array_shuffle",
        "array_sample",
        "connection_id",
        "unix_timestamp",
        "pg_current_snapshot",
        "datetime",
        "julianday",
        "date",
        "time",
        "strftime",
        "unixepoch",
        "timediff",
    ]
)
"""Differ from call to call, the last ones where they are given no moment."""
KNOWN: Mapping[str, frozenset[str]] = {
    # Of integers a whole number instead of a real one; of texts that are no numbers a number.
    "sqlite": frozenset({"mod", "log10", "log2"}),
    # A text of one byte string as bytes; numbers of days where another type is asked for; an
    # encoding that is NULL.
    "duckdb": frozenset({"concat_ws", "date_add", "decode"}),
    # A decimal number instead of a real one; a place given as a text.
    "postgres": frozenset({"date_part", "substr"}),
    # A number for a path, which the server takes for no path; bytes that are no text.
    "mysql": frozenset({"chr", "json_extract", "json_keys", "json_value", "to_char", "log10"}),
}


@pytest.fixture(params=["sqlite", "duckdb", "postgres", "mysql"])
def engine(request: pytest.FixtureRequest) -> Iterator[tuple[str, Run]]:
    name: str = request.param
    if name == "sqlite":
        with closing(sqlite3.connect(":memory:")) as lite:
            yield name, lambda sql: lite.execute(sql).fetchall()
    elif name == "duckdb":
        with duckdb.connect(config={"memory_limit": "500MB"}) as duck:
            yield name, lambda sql: duck.execute(sql).fetchall()
    elif name == "postgres":
        with (
            fresh_database("postgres") as made,
            psycopg.connect(made.url(), autocommit=True) as server,
        ):
            server.execute("SET statement_timeout = 2000")
            yield name, lambda sql: server.execute(sql.encode()).fetchall()
    else:
        with fresh_database("mysql") as made:
            session = Session(login_of(server_address(made.url(), "mysql")))
            session.settle({"max_statement_time": "2"})
            yield name, session.rows
            session.abandon()


def _asked(dialect: str) -> Iterator[str]:
    """Calls of every allowed function with arguments of every kind."""
    chance = random.Random(7)
    values = VALUES[dialect].split("|")
    for name in sorted(functions_of(dialect).scalar - MOVING - KNOWN[dialect]):
        for count in range(4):
            every = list(itertools.product(values, repeat=min(count, 1)))
            some = [tuple(chance.choice(values) for _ in range(count)) for _ in range(SAMPLES)]
            for arguments in every if count < 2 else some:
                yield f"SELECT {name}({', '.join(arguments)}) AS x"


def _written(sql: str, dialect: str) -> str | None:
    try:
        statement = parse(sql, dialect)
        access = classify(statement, None)
        if access.tier != "read" or access.problems:
            return None
        return render(faithful(statement.tree.copy(), dialect), dialect)
    except Refused:
        return None


def _answer(run: Run, sql: str) -> str | None:
    try:
        return repr(run(sql))
    except (sqlite3.Error, duckdb.Error, psycopg.Error, pymysql.err.MySQLError):
        return None


@pytest.mark.slow
def test_what_is_written_anew_answers_alike(engine: tuple[str, Run]) -> None:
    dialect, run = engine
    compared, other = 0, []
    for sql in _asked(dialect):
        written = _written(sql, dialect)
        if written is None or written == sql:
            continue
        answer = _answer(run, sql)
        if answer is None:
            continue
        compared += 1
        if _answer(run, written) != answer:
            other.append((sql, written))
    print(dialect, "compared", compared)
    assert compared > 300
    assert other == []
