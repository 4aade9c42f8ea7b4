"""A small company on MariaDB, its two logins, and adapters for them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from guard.address import ServerReach, server_address
from guard.engines import Cancel, Rows
from guard.engines.mysql import MysqlEngine
from guard.identity import Identity
from guard.rewrite import GuardedQuery
from tests.guard.engines.support import CANARY, unjudged
from tests.servers import ServerDatabase

SHOP = f"""
CREATE TABLE people (id INT PRIMARY KEY, name VARCHAR(40) NOT NULL, city VARCHAR(40),
  ssn VARCHAR(40)) CHARACTER SET utf8mb4;
CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY, person_id INT, amount DECIMAL(10, 2),
  placed DATE, FOREIGN KEY (person_id) REFERENCES people (id));
CREATE TABLE secrets (id INT PRIMARY KEY, word VARCHAR(40));
CREATE VIEW cities AS SELECT city, COUNT(*) AS people FROM people GROUP BY city;
CREATE FUNCTION bump(x INT) RETURNS INT MODIFIES SQL DATA
  BEGIN UPDATE people SET city = 'bumped' WHERE id = x; RETURN x; END;
INSERT INTO people VALUES (1, 'Ann', 'Bern', '{CANARY}'), (2, 'Bob', 'Oslo', '{CANARY}'),
  (3, 'Cid', NULL, NULL);
INSERT INTO orders VALUES (10, 1, 12.50, '2026-01-02'), (11, 1, 3, '2026-02-03'),
  (12, 2, 7.25, NULL);
INSERT INTO secrets VALUES (1, '{CANARY}');
"""


@dataclass(frozen=True, kw_only=True)
class Shop:
    """The company: its database, and a login that may read what `support.READABLE` says."""

    database: ServerDatabase
    reader: str
    password: str

    @property
    def url(self) -> str:
        """The address of the read login."""
        return self.database.url(self.reader, self.password)

    def content(self) -> str:
        """Everything the database holds and is made of, and who may enter the server."""
        names = [
            str(row[0])
            for row in self.database.execute(
                "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() "
                "AND TABLE_TYPE = 'BASE TABLE' ORDER BY 1"
            )
        ]
        rows = [self.database.execute(f"SELECT * FROM `{n}` ORDER BY 1") for n in names]
        made = [self.database.execute(f"SHOW CREATE TABLE `{n}`") for n in names]
        rest = [
            self.database.execute(sql)
            for sql in (
                "SELECT User, Host FROM mysql.global_priv WHERE User NOT LIKE 't\\_%' ORDER BY 1",
                "SHOW DATABASES",
                "SHOW FULL TABLES",
                "SELECT ROUTINE_NAME FROM information_schema.ROUTINES ORDER BY 1",
                "SELECT * FROM information_schema.GLOBAL_VARIABLES WHERE VARIABLE_NAME NOT LIKE "
                "'%GTID%' AND VARIABLE_NAME NOT LIKE '%TIMESTAMP%' ORDER BY 1",
            )
        ]
        return repr((names, rows, made, rest))


@contextmanager
def shop_on(database: ServerDatabase, extra: str = "") -> Iterator[Shop]:
    """Makes the company, and takes its login away at the end."""
    database.execute(SHOP + extra)
    login = f"r_{secrets.token_hex(6)}"
    grants = (
        "GRANT SELECT (id, name, city) ON people TO {0}",
        "GRANT SELECT ON orders TO {0}",
        "GRANT SELECT, SHOW VIEW ON cities TO {0}",
    )
    database.execute(f"CREATE USER {login}@localhost IDENTIFIED BY 'pass word@1'")
    for grant in grants:
        database.execute(grant.format(f"{login}@localhost"))
    try:
        yield Shop(database=database, reader=login, password="pass word@1")
    finally:
        database.execute(f"DROP USER {login}@localhost")


@contextmanager
def reading(url: str, *, roles: tuple[str, ...] = (), sessions: int = 2) -> Iterator[MysqlEngine]:
    """An adapter for the login in `url`, closed at the end."""
    address = server_address(url, "mysql")
    engine = MysqlEngine(address, source="shop", reach=ServerReach(roles=roles), sessions=sessions)
    try:
        yield engine
    finally:
        engine.close()


def asked(sql: str, *, role: str | None = None, **changes: object) -> GuardedQuery:
    """A guarded query that no guard has seen."""
    query = unjudged(sql, "mysql", **changes)  # type: ignore[arg-type]
    object.__setattr__(query, "identity", Identity(role=role))
    return query


def read(engine: MysqlEngine, sql: str, **changes: object) -> Rows:
    """Runs one unjudged statement."""
    return engine.run(asked(sql, **changes), Cancel())  # type: ignore[arg-type]


def rows(engine: MysqlEngine, sql: str, **changes: object) -> list[tuple[object, ...]]:
    """The rows of one unjudged statement."""
    table = read(engine, sql, **changes).table
    columns = [column.to_pylist() for column in table.columns]
    return list(zip(*columns, strict=True)) if columns else []
