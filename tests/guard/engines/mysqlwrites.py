"""A database on MariaDB with a write login, and everything it holds, byte for byte."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from guard.address import server_address
from guard.diff import Diff
from guard.engines.base import Captured, Change, ChangeCaps
from guard.engines.mysql_changes import MysqlChanges
from tests.servers import ServerDatabase

CAPS = ChangeCaps(max_rows=100, shown_rows=50, timeout_ms=20_000, lock_timeout_ms=1_000)

TABLES = """
SET NAMES utf8mb4; SET sql_mode = '';
CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(20) CHARACTER SET utf8mb4, d DECIMAL(12, 4),
  f FLOAT, g DOUBLE, b VARBINARY(20), dt DATETIME(3), day DATE, tm TIME(2), y YEAR, bits BIT(9),
  e ENUM('x', 'y'), s SET('p', 'q'), u BIGINT UNSIGNED, j JSON, l VARCHAR(20) CHARACTER SET latin1,
  stamp TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  twice INT AS (id * 2) STORED, KEY (a));
CREATE TABLE auto (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(20), at DATETIME(6) DEFAULT NOW(6));
CREATE TABLE pair (k1 VARCHAR(10) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci, k2 DATE,
  n INT, PRIMARY KEY (k1, k2));
CREATE TABLE tree (id INT PRIMARY KEY, parent INT, v INT,
  FOREIGN KEY (parent) REFERENCES tree (id));
INSERT INTO t (id, a, d, f, g, b, dt, day, tm, y, bits, e, s, u, j, l, stamp) VALUES
  (1, 'Ann', 1.5, 0.1, 0.1, x'00ff', '2026-01-02 03:04:05.678', '2026-01-02', '10:11:12.34', 2026,
   b'101', 'x', 'p,q', 18446744073709551615, '{"a": 1}', 'Zürich', '2020-01-01 00:00:00'),
  (2, 'ann', -0.0001, -1e-30, 1e300, '', '0000-00-00', '0000-00-00', '-25:00:00', 0, b'0', 'y', '',
   0, '[]', '', '2020-01-01 00:00:00'),
  (3, '😀''"\\\\', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
   NULL, '2020-01-01 00:00:00'),
  (4, '', 12345678.9012, 3.4e38, -0.0, x'27', '9999-12-31 23:59:59.999', '9999-12-31',
   '838:59:59', 2155, b'111111111', 'x', 'q', 7, '"x"', 'é', '2037-01-01 00:00:00');
INSERT INTO auto (v, at) VALUES ('one', '2026-01-01'), ('two', '2026-01-01'), ('three', NULL);
INSERT INTO pair VALUES ('a', '2026-01-01', 1), ('b', '2026-01-01', 2), ('a', '2026-01-02', 3);
INSERT INTO tree VALUES (1, NULL, 1), (2, 1, 2), (3, 2, 3);
"""
NAMES = ("t", "auto", "pair", "tree")


def content(database: ServerDatabase, names: tuple[str, ...] = NAMES) -> str:
    """Every row of the tables, and the server's own checksums over their bytes."""
    rows = [database.execute(f"SELECT * FROM `{name}` ORDER BY 1") for name in names]
    sums = database.execute("CHECKSUM TABLE " + ", ".join(f"`{name}`" for name in names))
    return repr((rows, sums))


@contextmanager
def writing(
    database: ServerDatabase, script: str = TABLES, names: tuple[str, ...] = NAMES
) -> Iterator[MysqlChanges]:
    """The write role of the tables, with the grants that it needs and no others."""
    database.execute(script)
    login = f"w_{secrets.token_hex(6)}"
    database.execute(f"CREATE USER {login}@localhost IDENTIFIED BY 'w'")
    database.execute(f"GRANT REFERENCES ON *.* TO {login}@localhost")
    for name in names:
        database.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON `{name}` TO {login}@localhost")
    engine = MysqlChanges(server_address(database.url(login, "w"), "mysql"), "s")
    try:
        yield engine
    finally:
        engine.close()
        database.execute(f"DROP USER {login}@localhost")


def statement(sql: str, diff: Diff | None = None) -> Change:
    """The change that a request would carry."""
    decided = tuple((t.table, t.decided) for t in diff.tables) if diff else ()
    return Change(source="s", sql=sql, decided=decided)


def back(image: bytes) -> Change:
    """The change that takes another back."""
    return Change(source="s", sql=None, undo_image=image)


def nothing(_: Captured) -> None:
    """Accepts whatever was captured."""


def counts(diff: Diff) -> dict[str, tuple[int, int, int]]:
    """Rows inserted, updated and deleted, by table."""
    return {t.table: (t.inserted, t.updated, t.deleted) for t in diff.tables}
