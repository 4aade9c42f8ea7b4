"""Two databases on any engine that differ only in what a person may not see."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Literal

import duckdb

from audit import AuditLog
from guard import Caller, GuardError, Refused
from store import Store, accounts
from tests.servers import ServerDatabase, fresh_database
from ui.parts import Parts, open_parts

Engine = Literal["sqlite", "duckdb", "postgres", "mysql"]
Worlds = tuple[Parts, Parts]

POLICY = """
version = 1
[limits]
calls_per_minute = 100_000
[sources.shop]
engine = "{engine}"
environment = "production"
{database}
[sources.shop.tags]
"people.email" = "EMAIL_ADDRESS"
"people.salary" = "MASKED"
[roles.analysts]
members = ["ana"]
[roles.analysts.sources.shop]
tables = ["people", "orders", "visits", "countries", "v_orders"]
hide = ["people.ssn"]
[roles.analysts.sources.shop.row_filters]
people = "city = 'Bern'"
orders = "person IN (SELECT p.id FROM people p WHERE p.city = 'Bern')"
visits = '''region = 'Bern' AND EXISTS
  (SELECT 1 FROM people WHERE id = visits.person AND city = 'Bern')'''
"""
TABLES = """
CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR(40), city VARCHAR(40), email VARCHAR(60),
  salary INTEGER, ssn VARCHAR(20));
CREATE TABLE orders (id INTEGER PRIMARY KEY, person INTEGER, total INTEGER);
CREATE TABLE visits (id INTEGER PRIMARY KEY, person INTEGER, region VARCHAR(40), note VARCHAR(40));
CREATE TABLE countries (id INTEGER PRIMARY KEY, city VARCHAR(40), label VARCHAR(40));
CREATE TABLE vault (id INTEGER PRIMARY KEY, word VARCHAR(40));
CREATE VIEW v_orders AS SELECT o.id, o.total, p.name FROM orders o
  LEFT JOIN people p ON p.id = o.person;
INSERT INTO countries VALUES (1, 'Bern', 'CH'), (2, 'Oslo', 'NO'), (3, 'Rome', 'IT');
"""
ROWS = (
    """
INSERT INTO people VALUES (1, 'p1', 'Bern', 'anna@x.example', 1000, '111'),
  (2, 'p2', 'Bern', 'bea@x.example', 2000, '222'), (3, 'p3', 'Oslo', 'cid@x.example', 3000, '333');
INSERT INTO orders VALUES (10, 1, 5), (11, 2, 7), (12, 3, 9), (13, 9, 82);
INSERT INTO visits VALUES (20, 1, 'Bern', 'n1'), (21, 2, 'Oslo', 'n2'), (22, 3, 'Bern', 'n3');
INSERT INTO vault VALUES (1, 'alpha');
""",
    """
INSERT INTO people VALUES (1, 'p1', 'Bern', 'zz@x.example', 99, '9'),
  (2, 'p2', 'Bern', 'ab@x.example', 5, '1'), (3, 'q3', 'Rome', 'qq@x.example', 7, ''),
  (4, 'q4', 'Oslo', 'd@x.example', 1, '4');
INSERT INTO orders VALUES (10, 1, 5), (11, 2, 7), (12, 3, 737), (13, 4, 7), (14, 4, 6);
INSERT INTO visits VALUES (20, 1, 'Bern', 'n1'), (21, 2, 'Rome', 'x2'), (22, 4, 'Bern', 'x3'),
  (23, 3, 'Bern', 'c');
INSERT INTO vault VALUES (1, 'omega'), (2, 'beta');
""",
)


@contextmanager
def worlds(engine: Engine, folder: Path, extra: str = "") -> Iterator[Worlds]:
    """The gates of both; `extra` is run on each database, before its login is made."""
    with ExitStack() as stack:
        one, other = (
            _opened(engine, TABLES + extra + rows, folder / f"{engine}{n}", stack)
            for n, rows in enumerate(ROWS)
        )
        yield one, other


def _opened(engine: Engine, script: str, home: Path, stack: ExitStack) -> Parts:
    home.mkdir()
    secrets = {}
    database = 'database = "shop.db"'
    if engine == "duckdb":
        with duckdb.connect(str(home / "shop.db")) as duck:
            duck.execute(script)
    elif engine == "sqlite":
        with closing(sqlite3.connect(home / "shop.db")) as lite:
            lite.executescript(script)
    else:
        database = 'database_secret = "SHOP_READ"'
        server = stack.enter_context(fresh_database(engine))
        server.execute(script)
        secrets["SHOP_READ"] = _reader(server, stack)
    policy = POLICY.format(engine=engine, database=database)
    (home / "policy.toml").write_text(policy, encoding="utf-8")
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
    return stack.enter_context(closing(open_parts(home, store, log, secrets)))


def _reader(server: ServerDatabase, stack: ExitStack) -> str:
    """A login that may read everything, so that only the guard is in the way."""
    name = f"r_{server.name}"
    if server.engine == "postgres":
        server.execute(
            f"CREATE ROLE {name} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name};"
            "REVOKE EXECUTE ON FUNCTION set_config(text, text, boolean) FROM PUBLIC"
        )
        stack.callback(server.execute, f"DROP OWNED BY {name}; DROP ROLE {name}")
        return server.url(name)
    server.execute(
        f"CREATE USER {name}@localhost IDENTIFIED BY 'p';"
        f"GRANT SELECT, SHOW VIEW ON {server.name}.* TO {name}@localhost"
    )
    stack.callback(server.execute, f"DROP USER {name}@localhost")
    return server.url(name, "p")


def answer(parts: Parts, sql: str) -> object:
    """What the person learns: rows, or the refusal. A pseudonym is another one in each house."""
    person = parts.people.by_name("ana")
    assert person is not None
    try:
        result = parts.gate.query(
            sql, source="shop", caller=Caller(principal=person, channel="agent")
        )
    except Refused as error:
        return error.refusal
    except GuardError as error:
        return str(error)
    return [tuple(re.sub(r"e_\w+@", "e_@", str(cell)) for cell in row) for row in result.rows()]
