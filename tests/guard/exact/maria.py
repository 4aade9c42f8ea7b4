"""Random changes of a MariaDB database, its write role, and a reader of all rows of its own."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random

import pymysql
import pymysql.cursors

from guard.diff import Cell
from guard.engines.base import ChangeEngine
from tests.guard.engines.mysqlwrites import writing
from tests.guard.exact.grounds import Dump
from tests.servers import ServerDatabase, fresh_database

SCRIPT = """
SET NAMES utf8mb4; SET sql_mode = '';
CREATE TABLE wide (id INT PRIMARY KEY, a VARCHAR(30) CHARACTER SET utf8mb4 COLLATE
  utf8mb4_unicode_ci, n DECIMAL(20, 6), f FLOAT, g DOUBLE, b VARBINARY(30), m DATETIME(6),
  d DATE, t TIME(6), y YEAR, w BIT(20), e ENUM('red', 'green', ''), s SET('p', 'q', 'r'),
  u BIGINT UNSIGNED, l TEXT CHARACTER SET latin1, k TINYINT, c CHAR(5) CHARACTER SET utf8mb4,
  made INT AS (id + 1) VIRTUAL, KEY (a), KEY (n));
CREATE TABLE stamped (id BIGINT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(30) CHARACTER SET utf8mb4,
  born TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  seen TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  u INT, UNIQUE (u));
CREATE TABLE pairs (x VARCHAR(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin, z DATE, n INT NOT NULL,
  PRIMARY KEY (z, x), CHECK (n < 1000));
CREATE TABLE nodes (id INT PRIMARY KEY, up INT, v DOUBLE, FOREIGN KEY (up) REFERENCES nodes (id));
"""
NAMES = ("wide", "stamped", "pairs", "nodes")
_REAL = frozenset({("wide", "f"), ("wide", "g"), ("nodes", "v")})
_BYTES = frozenset({("wide", "b"), ("wide", "w")})
_WHOLE = frozenset(
    {("wide", "id"), ("wide", "y"), ("wide", "u"), ("wide", "k"), ("stamped", "id")}
    | {("stamped", "u"), ("pairs", "n"), ("nodes", "id"), ("nodes", "up")}
)


@dataclass
class Maria:
    """MariaDB. Rows are read by the owner, each column in a form that loses nothing."""

    database: ServerDatabase
    engine: ChangeEngine

    def __post_init__(self) -> None:
        self._names: dict[str, list[str]] = {}
        self._reader = pymysql.connect(
            unix_socket=self.database.socket,
            user=self.database.admin,
            database=self.database.name,
            use_unicode=False,
            conv={},
            autocommit=None,
            ssl_disabled=True,
            init_command="SET time_zone = '+00:00'",
        )

    def columns(self, table: str) -> list[str]:
        """The table's stored columns."""
        if table not in self._names:
            found = self.database.execute(
                "SELECT COLUMN_NAME FROM information_schema.COLUMNS "
                f"WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '{table}' "
                "AND IS_GENERATED = 'NEVER' ORDER BY ORDINAL_POSITION"
            )
            self._names[table] = [str(name) for (name,) in found]
        return self._names[table]

    def dump(self) -> Dump:
        """Returns all rows."""
        return {name: Counter(self._rows(name)) for name in NAMES}

    def whole(self) -> object:
        """Returns all rows and the server's checksums over their bytes."""
        sums = self.database.execute("CHECKSUM TABLE " + ", ".join(NAMES))
        return self.dump(), sums

    def told(self, cell: Cell) -> str:
        """Returns a cell of a diff in the dump's form."""
        return json.dumps(cell)

    def _rows(self, table: str) -> Iterator[tuple[str, ...]]:
        names = self.columns(table)
        cells = ", ".join(f"`{n}` * 1e0" if (table, n) in _REAL else f"`{n}`" for n in names)
        with self._reader.cursor() as cursor:
            cursor.execute(f"SELECT {cells} FROM `{table}`")
            for row in cursor.fetchall():
                yield tuple(_cell(table, n, v) for n, v in zip(names, row, strict=True))


def _cell(table: str, name: str, value: bytes | None) -> str:
    if value is None:
        return "null"
    if (table, name) in _BYTES:
        return json.dumps(f"x'{value.hex()}'")
    if (table, name) in _REAL:
        return json.dumps(float(value))
    return json.dumps(int(value) if (table, name) in _WHOLE else value.decode())


@contextmanager
def maria() -> Iterator[Maria]:
    """A database with some rows, for as long as the tests of a module run."""
    with fresh_database("mysql") as database, writing(database, SCRIPT, NAMES) as engine:
        ground = Maria(database=database, engine=engine)
        dice = Random(7)
        for number in range(12):
            database.execute("SET NAMES utf8mb4; SET sql_mode = '';" + _new_wide(dice, number))
            database.execute(f"SET NAMES utf8mb4; INSERT INTO stamped (v) VALUES ({_text(dice)})")
            database.execute(
                f"INSERT INTO pairs VALUES ('k{number}', '2026-0{number % 9 + 1}-01', {number})"
            )
            above = "NULL" if number < 3 else str(number // 3)
            database.execute(f"INSERT INTO nodes VALUES ({number}, {above}, {_real(dice)})")
        yield ground


def _text(dice: Random) -> str:
    some = ["", "a", "A", "ä", "😀", "it''s", 'say \\"x\\"', "back\\\\slash", " end ", "NULL", "%_"]
    return f"'{dice.choice(some)}'" if dice.random() < 0.9 else "NULL"


def _real(dice: Random) -> str:
    some = [
        "0e0",
        "-0e0",
        "0.1",
        "1e300",
        "-1e-300",
        "3.4e38",
        "1e-45",
        "123456789.123456789",
        "NULL",
    ]
    return dice.choice([*some, repr(dice.uniform(-1e6, 1e6))])


def _values(dice: Random) -> dict[str, str]:
    return {
        "a": _text(dice),
        "n": dice.choice(["0", "-0.000001", "99999999999999.999999", "1.5", "NULL"]),
        "f": dice.choice(["0.1", "-0e0", "1e-38", "3.4e38", "16777217", "NULL"]),
        "g": _real(dice),
        "b": dice.choice(["''", "X'00'", "X'ff00fe'", "'a'", "X'2727'", "NULL"]),
        "m": dice.choice(["'9999-12-31 23:59:59.999999'", "'2026-03-29 02:30:00'", "NULL"]),
        "d": dice.choice(["'2024-02-29'", "'0001-01-01'", "NULL"]),
        "t": dice.choice(["'838:59:59'", "'-00:00:00.000001'", "'12:30'", "NULL"]),
        "y": dice.choice(["0", "1901", "2155", "NULL"]),
        "w": dice.choice(["b'0'", "b'11111111111111111111'", "5", "NULL"]),
        "e": dice.choice(["'red'", "''", "'green'", "NULL"]),
        "s": dice.choice(["''", "'p,r'", "'q'", "NULL"]),
        "u": dice.choice(["0", "18446744073709551615", "NULL"]),
        "l": dice.choice(["'Zürich'", "'€'", "''", "'plain'", "NULL"]),
        "k": dice.choice(["-128", "127", "0", "NULL"]),
        "c": dice.choice(["'ab   '", "'é'", "''", "NULL"]),
    }


def _new_wide(dice: Random, number: int) -> str:
    values = _values(dice)
    names = ", ".join(["id", *values])
    return f"INSERT INTO wide ({names}) VALUES ({', '.join([str(number), *values.values()])})"


def _condition(dice: Random, key: str) -> str:
    low = dice.randrange(-2, 14)
    return dice.choice(
        [
            f" WHERE {key} = {low}",
            f" WHERE {key} >= {low}",
            f" WHERE {key} IN ({low}, {low + 1}, {low + 5})",
            f" WHERE {key} IN (SELECT id FROM nodes WHERE up IS NOT NULL)"
            if key != "nodes.id"
            else " WHERE id > 3",
            f" WHERE NOT ({key} % 2) OR {key} = 3",
            f" WHERE {key} > {low} ORDER BY {key} DESC LIMIT {dice.randrange(4)}",
            f" ORDER BY {key} LIMIT 2",
            "",
        ]
    )


def insert_wide(dice: Random) -> str:
    """New rows of every type under named keys."""
    first = dice.randrange(-50, 100_000)
    rows = []
    for number in range(dice.randrange(1, 4)):
        rows.append(_new_wide(dice, first + number))
    head = rows[0].partition(" VALUES ")[0]
    return head + " VALUES " + ", ".join(r.partition(" VALUES ")[2] for r in rows)


def insert_counted(dice: Random) -> str:
    """New rows whose keys the server makes."""
    rows = ", ".join(f"({_text(dice)})" for _ in range(dice.randrange(1, 5)))
    return dice.choice(
        [
            f"INSERT INTO stamped (v) VALUES {rows}",
            f"INSERT INTO stamped (id, v) VALUES (NULL, {_text(dice)}), (0, {_text(dice)})",
            f"INSERT INTO stamped SET v = LEFT(UUID(), {8 * (dice.randrange(9) % 2)})",
        ]
    )


def insert_pairs(dice: Random) -> str:
    """New rows under a key of a text and a day."""
    word = dice.choice(["k1", "K1", "é", "", "a''b"])
    return (
        f"INSERT INTO pairs (x, z, n) VALUES ('{word}', '2026-0{dice.randrange(1, 10)}-0"
        f"{dice.randrange(1, 10)}', {dice.choice([1, 5, 5000])})"
    )


def insert_nodes(dice: Random) -> str:
    """Rows that refer to one another."""
    top = dice.randrange(100, 900_000)
    return (
        f"INSERT INTO nodes VALUES ({top}, {dice.choice(['NULL', '1', '-77'])}, {_real(dice)}), "
        f"({top + 1}, {top}, 1)"
    )


def update_wide(dice: Random) -> str:
    """Some columns set to values or to what other columns make."""
    values = _values(dice)
    chosen = dice.sample(sorted(values), dice.randrange(1, 5))
    sets = [f"{name} = {values[name]}" for name in chosen]
    sets.append(
        dice.choice(["k = k", "n = n / 3", "g = g / 7", "a = CONCAT(LEFT(a, 9), id)", "u = id * id",
                     "a = UPPER(a)", "f = f / 3", "m = NOW(6)", "g = RAND()"])
    )  # fmt: skip
    return f"UPDATE wide SET {', '.join(sets)}{_condition(dice, 'wide.id')}"


def update_stamped(dice: Random) -> str:
    """Rows whose time of change the server sets."""
    change = dice.choice(["v = 'z'", f"v = {_text(dice)}", "u = id", "u = NULL", "u = 7"])
    return f"UPDATE stamped AS s SET s.{change}{_condition(dice, 's.id')}"


def update_pairs(dice: Random) -> str:
    """Numbers that a check keeps below a thousand."""
    return f"UPDATE pairs SET n = n + {dice.choice([1, -3, 999])}{_condition(dice, 'n')}"


def delete_wide(dice: Random) -> str:
    """Rows of every type."""
    return f"DELETE FROM wide{_condition(dice, 'wide.id')}"


def delete_stamped(dice: Random) -> str:
    """Rows under keys that the server made."""
    return f"DELETE FROM stamped{_condition(dice, 'stamped.id')}"


def delete_pairs(dice: Random) -> str:
    """Rows under a key of two columns."""
    return f"DELETE FROM pairs{_condition(dice, 'n')}"


def delete_nodes(dice: Random) -> str:
    """Rows that others may refer to."""
    return f"DELETE FROM nodes WHERE id >= {dice.randrange(14)} ORDER BY id DESC"


FAMILIES: tuple[Callable[[Random], str], ...] = (
    insert_wide,
    insert_counted,
    insert_pairs,
    insert_nodes,
    update_wide,
    update_stamped,
    update_pairs,
    delete_wide,
    delete_stamped,
    delete_pairs,
    delete_nodes,
)


def statement(dice: Random) -> tuple[str, str]:
    """Returns a family's name and one of its statements."""
    family = dice.choice(FAMILIES)
    return family.__name__, family(dice)
