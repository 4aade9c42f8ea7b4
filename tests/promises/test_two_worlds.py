"""Two databases that differ only in what a person may not see answer each statement alike.

`two_worlds.txt` has one statement a line, after the engine it is for.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import duckdb
import pytest

from audit import AuditLog
from guard import Caller, GuardError, Refused
from store import Store, accounts
from ui.parts import Parts, open_parts

STATEMENTS = [
    tuple(line.split(": ", 1))
    for line in Path(__file__).with_name("two_worlds.txt").read_text(encoding="utf-8").splitlines()
]
POLICY = """
version = 1
[limits]
calls_per_minute = 100_000
[sources.shop]
engine = "{engine}"
environment = "production"
database = "shop.db"
[sources.shop.tags]
"people.email" = "EMAIL_ADDRESS"
"people.birth" = "DATE_TIME"
"people.salary" = "MASKED"
[roles.analysts]
members = ["ana"]
[roles.analysts.sources.shop]
tables = ["people", "orders"]
hide = ["people.ssn"]
[roles.analysts.sources.shop.row_filters]
people = "city = 'Bern'"
"""
TABLES = """
CREATE TABLE people (id INT PRIMARY KEY, name VARCHAR, city VARCHAR, email VARCHAR, birth DATE,
  salary INT, ssn VARCHAR);
CREATE TABLE orders (id INT PRIMARY KEY, person INT, total INT, placed TIMESTAMP);
CREATE TABLE secrets (id INT PRIMARY KEY, word VARCHAR);
INSERT INTO orders VALUES (10, 1, 5, '2026-01-01 10:00:00'), (11, 2, 7, '2026-01-02 10:00:00'),
  (12, 3, 9, '2026-01-03 10:00:00'), (13, 9, 11, NULL);
"""
WORLDS = (
    """
INSERT INTO people VALUES (1, 'p1', 'Bern', 'anna@x.example', '1971-03-04', 1000, '111'),
  (2, 'p2', 'Bern', 'bea@x.example', '1985-06-07', 2000, '222'),
  (3, 'p3', 'Oslo', 'cid@x.example', '1999-01-01', 3000, '333'),
  (5, 'p5', 'Bern', NULL, NULL, NULL, NULL);
INSERT INTO secrets VALUES (1, 'alpha');
""",
    """
INSERT INTO people VALUES (1, 'p1', 'Bern', 'zzannaxx@x.example', '2001-12-31', 99000, '9999999'),
  (2, 'p2', 'Bern', 'ab@x.example', '1960-02-02', 5, '1'),
  (3, 'p3', 'Oslo', 'qq@x.example', '1980-01-01', 7, ''),
  (4, 'p4', 'Oslo', 'd@x.example', '1990-01-01', 1, '4'),
  (5, 'p5', 'Bern', NULL, NULL, NULL, NULL);
INSERT INTO secrets VALUES (1, 'omega beta');
""",
)


def _opened(engine: str, world: str, home: Path, stack: ExitStack) -> Parts:
    home.mkdir()
    if engine == "duckdb":
        with duckdb.connect(str(home / "shop.db")) as duck:
            duck.execute(TABLES + world)
    else:
        with closing(sqlite3.connect(home / "shop.db")) as lite:
            lite.executescript(TABLES + world)
    (home / "policy.toml").write_text(POLICY.format(engine=engine), encoding="utf-8")
    store = stack.enter_context(closing(Store.open(home)))
    log = stack.enter_context(AuditLog.open(home / "audit", app_version="test"))
    with store.write() as conn:
        accounts.create(
            conn,
            name="ana",
            display_name="Ana",
            roles={"analyst"},
            password_hash="unused",
            now=store.now(),
        )
    return stack.enter_context(closing(open_parts(home, store, log, {})))


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Parts, Parts]]]:
    """For each engine the gates of both worlds."""
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("worlds")
        made = {
            engine: [
                _opened(engine, world, folder / f"{engine}{n}", stack)
                for n, world in enumerate(WORLDS)
            ]
            for engine in ("sqlite", "duckdb")
        }
        yield {engine: (one, other) for engine, (one, other) in made.items()}


def _answer(parts: Parts, sql: str) -> object:
    """What the person learns; a pseudonym is another one in each house."""
    person = parts.people.by_name("ana")
    assert person is not None
    caller = Caller(principal=person, channel="agent")
    try:
        result = parts.gate.query(sql, source="shop", caller=caller)
    except Refused as error:
        return error.refusal
    except GuardError as error:
        return str(error)
    return [tuple(re.sub(r"e_\w+@", "e_@", str(cell)) for cell in row) for row in result.rows()]


@pytest.mark.parametrize(("engine", "sql"), STATEMENTS)
def test_promise_08_what_nobody_may_see_changes_no_answer(
    worlds: dict[str, tuple[Parts, Parts]], engine: str, sql: str
) -> None:
    one, other = worlds[engine]
    assert _answer(one, sql) == _answer(other, sql)


def test_some_of_these_statements_run(worlds: dict[str, tuple[Parts, Parts]]) -> None:
    answers = [_answer(worlds[engine][0], sql) for engine, sql in STATEMENTS]
    assert sum(isinstance(answer, list) for answer in answers) > 60
