"""Query templates on the real engines: each argument arrives as the value it is."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import duckdb
import psycopg
import pymysql
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard import Refused
from guard.result import Result
from tests.promises import mysql_shop
from tests.promises.postgres_shop import PostgresShop
from tests.servers import ServerDatabase, fresh_database

Engine = Literal["sqlite", "duckdb", "postgres", "mysql"]
ENGINES: tuple[Engine, ...] = get_args(Engine)
ONE, TWO, THREE, FOUR = (f"6f9619ff-8b86-4011-b42d-00c04fc9640{n}" for n in (1, 2, 3, 4))

TEXTS = (
    "O'Brien",
    "' OR '1'='1",
    "'; DROP TABLE bookings; --",
    "x' UNION SELECT amount FROM wages --",
    "\\",
    "\\'",
    "\\' OR 1=1 -- ",
    "ends with \\",
    "\\\\' OR 1=1 #",
    "\\n is two characters",
    "a\nb\tc",
    '"quoted" and `ticked`',
    "$$ || amount || $$",
    "$tag$x$tag$",
    "E'\\x41'",
    "/* x */ -- y",
    "/*! 1 */",
    ":kind :id ::text",
    "%s %(x)s {0} ?",
    "100% _ \\%",
    "NULL",
    "null",
    "0x41",
    "b'1'",
    "\u02bc \u2019 \uff07 OR 1=1",
    "\u00e4\u00f6 \u4e2d\u6587 \U0001f600",
    "a" * 200,
    " spaces at both ends ",
)
"""Texts that would break out of a literal somewhere, or be read as something else."""

POLICY = """
version = 1
[limits]
calls_per_minute = 100000
[sources.shop]
engine = "{engine}"
environment = "production"
{address}
writes = true
[roles.analysts]
members = ["ana", "@reviewer"]
[roles.analysts.sources.shop]
tables = ["bookings"]
propose = ["bookings"]
[templates.of_id]
source = "shop"
description = "One booking."
sql = "SELECT n, kind, note FROM bookings WHERE id = :id"
roles = ["analysts"]
arguments.id = {{ type = "uuid" }}
[templates.of_kind]
source = "shop"
description = "Bookings of a kind."
sql = "SELECT n FROM bookings WHERE kind = :kind ORDER BY n LIMIT :most"
roles = ["analysts"]
[templates.of_kind.arguments]
kind = {{ type = "enum", values = ["sea", "air", "o'er land", "it's rail"] }}
most = {{ type = "int", min = 1, max = 10, default = 10 }}
[templates.in_days]
source = "shop"
description = "Bookings of some days."
sql = "SELECT n FROM bookings WHERE day >= :first AND day <= :last AND day <= :today ORDER BY n"
roles = ["analysts"]
[templates.in_days.arguments]
first = {{ type = "date", min = "2026-01-01" }}
last = {{ type = "date", max = "2026-12-31" }}
[templates.costing]
source = "shop"
description = "Bookings of a price."
sql = "SELECT n FROM bookings WHERE amount - :less > :least ORDER BY n"
roles = ["analysts"]
[templates.costing.arguments]
less = {{ type = "int", min = -100, max = 100 }}
least = {{ type = "decimal", min = -1000, max = 1000 }}
[templates.saying]
source = "shop"
description = "Bookings with a note."
sql = "SELECT n FROM bookings WHERE note = :note"
roles = ["analysts"]
arguments.note = {{ type = "text", max_length = 200 }}
[templates.note_down]
source = "shop"
description = "Writes a note."
sql = "UPDATE bookings SET note = :note, kind = :kind, day = :day, amount = :amount WHERE id = :id"
roles = ["analysts"]
effect = "write"
[templates.note_down.arguments]
note = {{ type = "text", max_length = 200 }}
kind = {{ type = "enum", values = ["sea", "air", "o'er land", "it's rail"] }}
day = {{ type = "date" }}
amount = {{ type = "decimal", min = -1000, max = 1000 }}
id = {{ type = "uuid" }}
"""

_ID: dict[Engine, str] = {"sqlite": "TEXT", "duckdb": "UUID", "postgres": "UUID", "mysql": "UUID"}
_KINDS = "('sea', 'air', 'o''er land', 'it''s rail')"
_KIND: dict[Engine, str] = {
    "sqlite": "TEXT",
    "duckdb": f"ENUM{_KINDS}",
    "postgres": "kinds",
    "mysql": f"ENUM{_KINDS}",
}
_NOTE: dict[Engine, str] = {
    "sqlite": "TEXT",
    "duckdb": "TEXT",
    "postgres": "text",
    # NO PAD: else spaces at the end make no difference on the server.
    "mysql": "VARCHAR(400) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
}
_ROWS = (
    (1, ONE, "sea", "2026-01-31", "10.50", "first"),
    (2, TWO, "o'er land", "2026-06-30", "-3.25", None),
    (3, THREE, None, None, None, None),
    (4, FOUR, None, None, None, None),
)


def tables(engine: Engine) -> list[str]:
    """The statements that make the company's tables."""
    made = [
        f"CREATE TABLE bookings (n INT PRIMARY KEY, id {_ID[engine]}, kind {_KIND[engine]}, "
        f"day DATE, amount DECIMAL(10, 2), note {_NOTE[engine]})",
        "CREATE TABLE wages (amount INT)",
        "INSERT INTO wages VALUES (987654321)",
    ]
    return [f"CREATE TYPE kinds AS ENUM {_KINDS}", *made] if engine == "postgres" else made


class Connection:
    """The database past the guard, values sent as parameters by its own driver."""

    def __init__(self, driver: object, mark: str) -> None:
        self._driver = driver
        self._mark = mark

    def run(self, sql: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        """Runs one statement, `?` standing for a value; returns its rows."""
        cursor = self._driver.cursor()  # type: ignore[attr-defined]  # four drivers, one DB-API
        cursor.execute(sql.replace("?", self._mark), values)
        rows = [tuple(r) for r in cursor.fetchall()] if cursor.description else []
        self._driver.commit()  # type: ignore[attr-defined]
        return rows


@dataclass
class Ground:
    """The company on one engine. `connect` opens the database past the guard, for a moment."""

    engine: Engine
    path: Path | None
    server: ServerDatabase | None

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """Yields a connection; to DuckDB, one to a copy once the guard holds the file."""
        match self.engine:
            case "sqlite":
                assert self.path is not None
                with closing(sqlite3.connect(self.path)) as driver:
                    yield Connection(driver, "?")
            case "duckdb":
                assert self.path is not None
                where = self.path
                if where.exists():
                    where = Path(shutil.copy(where, where.with_suffix(".copy")))
                with closing(duckdb.connect(str(where))) as driver:
                    yield Connection(driver, "?")
            case "postgres":
                assert self.server is not None
                with closing(psycopg.connect(self.server.url())) as driver:
                    yield Connection(driver, "%s")
            case "mysql":
                assert self.server is not None
                with closing(
                    pymysql.connect(
                        unix_socket=self.server.socket,
                        user=self.server.admin,
                        database=self.server.name,
                        charset="utf8mb4",
                    )
                ) as driver:
                    yield Connection(driver, "%s")

    def make(self) -> None:
        """Makes the tables and fills them."""
        with self.connect() as past:
            for statement in tables(self.engine):
                past.run(statement)
            said = [(100 + n, None, None, None, None, text) for n, text in enumerate(TEXTS)]
            for row in (*_ROWS, *said):
                past.run("INSERT INTO bookings VALUES (?, ?, ?, ?, ?, ?)", tuple(row))


@contextmanager
def _addressed(ground: Ground, policy: str) -> Iterator[dict[str, str]]:
    if ground.server is None:
        yield {}
    elif ground.engine == "mysql":
        with mysql_shop.logins(ground.server, policy) as secrets:
            yield secrets
    else:
        reader, writer = f"r_{ground.server.name}", f"w_{ground.server.name}"
        ground.server.execute(
            f"CREATE ROLE {reader} LOGIN; CREATE ROLE {writer} LOGIN;"
            f"GRANT SELECT ON bookings TO {reader}, {writer};"
            f"GRANT INSERT, UPDATE, DELETE ON bookings TO {writer};"
            f"GRANT SET ON PARAMETER session_replication_role TO {writer}"
        )
        yield {
            "SHOP_READ": ground.server.url(reader),
            "SHOP_WRITE": ground.server.url(writer),
        }
        ground.server.execute(
            f"DROP OWNED BY {reader}, {writer};"
            f"REVOKE SET ON PARAMETER session_replication_role FROM {writer};"
            f"DROP ROLE {reader}; DROP ROLE {writer}"
        )


@dataclass
class Shop:
    """An opened data folder over the ground."""

    ground: Ground
    opened: PostgresShop

    def use(self, template: str, **arguments: object) -> list[list[object]]:
        """Returns the rows of a template."""
        found = self.opened.parts.gate.use(
            template, arguments, source="shop", caller=self.opened.caller("ana"), why="A test"
        )
        assert isinstance(found, Result)
        return found.rows()

    def refused(self, template: str, **arguments: object) -> str:
        """Returns the rule that refuses it."""
        with pytest.raises(Refused) as caught:
            self.use(template, **arguments)
        return caught.value.refusal.rule

    def content(self) -> str:
        """Everything the company holds, and which tables there are."""
        with self.ground.connect() as past:
            return repr([past.run(f"SELECT * FROM {t} ORDER BY 1") for t in ("bookings", "wages")])


@pytest.fixture(scope="module", params=ENGINES)
def shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    """The company on one engine."""
    engine: Engine = request.param
    home = tmp_path_factory.mktemp(engine)
    embedded = engine in ("sqlite", "duckdb")
    address = (
        f'database = "shop.{engine}"\ntoday = 2026-06-30'
        if embedded
        else 'database_secret = "SHOP_READ"\nwrite_secret = "SHOP_WRITE"\ntoday = 2026-06-30'
    )
    policy = POLICY.format(engine=engine, address=address)
    with ExitStack() as stack:
        server = None if embedded else stack.enter_context(fresh_database(engine))  # type: ignore[arg-type]
        ground = Ground(
            engine=engine, path=home / f"shop.{engine}" if embedded else None, server=server
        )
        ground.make()
        secrets = stack.enter_context(_addressed(ground, policy))
        opened = PostgresShop(home, secrets, policy)
        stack.callback(opened.close)
        yield Shop(ground=ground, opened=opened)


def test_a_uuid_finds_its_row_however_it_is_written(shop: Shop) -> None:
    for said in (ONE, ONE.upper(), f"{{{ONE}}}", ONE.replace("-", "")):
        assert shop.use("of_id", id=said) == [[1, "sea", "first"]]
    assert shop.use("of_id", id=THREE) == [[3, None, None]]
    assert shop.use("of_id", id="00000000-0000-0000-0000-000000000000") == []


def test_an_enum_value_with_a_quote_in_it_is_that_value(shop: Shop) -> None:
    assert shop.use("of_kind", kind="o'er land") == [[2]]
    assert shop.use("of_kind", kind="sea", most=1) == [[1]]
    assert shop.use("of_kind", kind="air") == []


def test_days_are_a_range_that_rows_without_a_day_are_not_in(shop: Shop) -> None:
    assert shop.use("in_days", first="2026-01-31", last="2026-06-30") == [[1], [2]]
    assert shop.use("in_days", first="2026-02-01", last="2026-12-31") == [[2]]
    assert shop.use("in_days", first="2026-02-01", last="2026-06-29") == []


def test_numbers_keep_their_sign_and_places(shop: Shop) -> None:
    assert shop.use("costing", less=-100, least="96.74") == [[1], [2]]
    assert shop.use("costing", less=-100, least="96.75") == [[1]]
    assert shop.use("costing", less=0, least="-3.25") == [[1]]
    assert shop.use("costing", less=0, least="-3.26") == [[1], [2]]


@pytest.mark.parametrize("number", range(len(TEXTS)))
def test_a_text_finds_the_row_that_holds_exactly_it(shop: Shop, number: int) -> None:
    assert shop.use("saying", note=TEXTS[number]) == [[100 + number]]


def test_promise_03_no_text_becomes_anything_but_itself(shop: Shop) -> None:
    """Whatever text is sent finds the rows the driver's own parameters find, and changes none."""
    before = shop.content()
    awkward = st.text(alphabet="'\\\"`$-/*#;:%_ \n\tnNuUxX0EeBb\u02bc\u00e4\U0001f600", max_size=40)
    mixed = st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3).map("".join)

    @given(st.one_of(awkward, mixed, st.text(max_size=40)))
    @settings(max_examples=150, deadline=None)
    def holds(text: str) -> None:
        expected = [[100 + TEXTS.index(text)]] if text in TEXTS else _first(text)
        assert found(text) in (expected, "not sent")

    def found(text: str) -> object:
        try:
            return shop.use("saying", note=text)
        except Refused as refused:
            # What cannot be read back as the same value is not sent.
            known = ("template.arguments", "template.binding")
            return "not sent" if refused.refusal.rule in known else refused.refusal

    holds()
    assert shop.content() == before


@pytest.mark.parametrize(
    ("template", "arguments"),
    [
        ("of_id", {"id": None}),
        ("of_id", {"id": f"{ONE}' OR '1'='1"}),
        ("of_kind", {"kind": "SEA"}),
        ("of_kind", {"kind": "sea' OR '1'='1"}),
        ("of_kind", {"kind": None}),
        ("of_kind", {"kind": "sea", "most": "1 OFFSET 2"}),
        ("in_days", {"first": "2025-12-31", "last": "2026-01-01"}),
        ("in_days", {"first": "2026-01-01", "last": "2026-01-01'::text"}),
        ("in_days", {"first": "2026-01-01", "last": None}),
        ("costing", {"less": 101, "least": 0}),
        ("costing", {"less": 0, "least": "NaN"}),
        ("saying", {"note": None}),
        ("saying", {"note": "a\0b"}),
        ("saying", {"note": ""}),
    ],
    ids=str,
)
def test_wrong_arguments_reach_no_source(
    shop: Shop, template: str, arguments: dict[str, object]
) -> None:
    sent = _intents(shop)
    assert shop.refused(template, **arguments) == "template.arguments"
    assert _intents(shop) == sent


@pytest.mark.parametrize("text", [TEXTS[2], TEXTS[6], TEXTS[10], TEXTS[25]])
def test_a_write_puts_down_exactly_the_values_and_only_once_approved(shop: Shop, text: str) -> None:
    opened, before = shop.opened, shop.content()
    proposed = opened.parts.gate.use(
        "note_down",
        {"note": text, "kind": "it's rail", "day": "2027-02-28", "amount": "-7.05", "id": FOUR},
        source="shop",
        caller=opened.caller("ana"),
        why="A test",
    )
    assert not isinstance(proposed, Result)
    assert (proposed.state, proposed.rows) == ("pending", 1)
    assert shop.content() == before
    opened.approve(proposed.change)
    opened.parts.review.apply(proposed.change, opened.caller("rita"))
    with shop.ground.connect() as past:
        ((note, kind, day, amount),) = past.run(
            "SELECT note, kind, day, amount FROM bookings WHERE n = 4"
        )
        others = past.run("SELECT n, note FROM bookings WHERE n <> 4 ORDER BY n")
    assert (note, kind, str(day), float(str(amount))) == (text, "it's rail", "2027-02-28", -7.05)
    assert [row[1] for row in others] == ["first", None, None, *TEXTS]


def _first(text: str) -> list[list[object]]:
    return [[1]] if text == "first" else []


def _intents(shop: Shop) -> int:
    log = shop.opened.log
    return sum(r.event.type == "query.intent" for r in log.tail(100_000))
