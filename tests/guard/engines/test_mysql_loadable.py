"""Loadable functions: code of somebody's own in the server, which every login may call."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pymysql
import pytest

from guard.address import server_address
from guard.catalog import Catalog
from guard.classify import classify
from guard.engines import mysql_functions
from guard.engines.child.faults import Fault
from guard.engines.mysql_session import Session, login_of
from guard.errors import Refused
from guard.functions.lists import functions_of
from guard.statement import parse
from tests.guard.engines.mysqlshop import read, reading, shop_on
from tests.guard.engines.test_mysql_functions import ELSEWHERE
from tests.servers import ServerDatabase

MARK = 424242
CODE = """
__attribute__((visibility("default"))) long long f{n}(void *a, void *b, char *c, char *d)
  __asm__("{name}");
long long f{n}(void *a, void *b, char *c, char *d) {{ return {mark}; }}
__attribute__((visibility("default"))) char i{n}(void *a, void *b, char *m) __asm__("{name}_init");
char i{n}(void *a, void *b, char *m) {{ return 0; }}
"""


@contextmanager
def loaded(database: ServerDatabase, names: list[str]) -> Iterator[frozenset[str]]:
    """Makes a loadable function of each name that the server gives away; which these are."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("NOT TESTED: a loadable function needs a C compiler, and there is none")
    ((folder,),) = database.execute("SELECT @@plugin_dir")
    library = Path(str(folder)) / "functions.so"
    code = library.with_suffix(".c")
    code.write_text("".join(CODE.format(n=n, name=x, mark=MARK) for n, x in enumerate(names)))
    command = [compiler, "-shared", "-fPIC", "-nostdlib", "-o", str(library), str(code)]
    subprocess.run(command, check=True)
    made = []
    try:
        for name in names:
            with contextlib.suppress(pymysql.err.OperationalError):  # the name is the server's own
                database.execute(f"CREATE FUNCTION `{name}` RETURNS INTEGER SONAME 'functions.so'")
                made.append(name)
        yield frozenset(made)
    finally:
        for name in made:
            database.execute(f"DROP FUNCTION `{name}`")


def called(catalog: Catalog, text: str) -> list[str]:
    """The rules that refuse a statement."""
    return [p.rule for p in classify(parse(text, "mysql"), catalog).problems]


def test_promise_02_a_loadable_function_under_an_allowed_name_is_not_called(
    mariadb: ServerDatabase,
) -> None:
    """No grant keeps a login from calling one: only a name the server has built in is safe."""
    with shop_on(mariadb) as shop, loaded(mariadb, ["to_date", "regexp_like"]) as made:
        assert made == {"to_date", "regexp_like"}
        assert mariadb.execute("SELECT to_date(1)") == [(MARK,)]
        with reading(shop.url) as engine:
            catalog = engine.reflect()
            for call in ("to_date(1)", "TO_DATE (1)", "regexp_like('a', 'b')"):
                sql = f"SELECT {call} FROM people"
                assert "function.unknown" in called(catalog, sql)
                assert called(replace(catalog, functions=None), sql) == []
                with pytest.raises(Refused, match="may not do or read"):  # the adapter alone
                    read(engine, sql)
            assert called(catalog, "SELECT UPPER(name), COUNT(*) FROM people GROUP BY 1") == []


def test_a_view_over_a_loadable_function_is_refused(mariadb: ServerDatabase) -> None:
    with loaded(mariadb, ["trunc"]):
        made = "CREATE VIEW truncated AS SELECT trunc(id) AS id FROM people;"
        with shop_on(mariadb, made) as shop:
            mariadb.execute(f"GRANT SELECT, SHOW VIEW ON truncated TO {shop.reader}@localhost")
            with reading(shop.url) as engine:
                # Its definition comes as `trunc(id AS id)`, which is no SQL the guard can read.
                assert called(engine.reflect(), "SELECT id FROM truncated")


def test_what_the_server_gives_away_is_what_is_refused_there(mariadb: ServerDatabase) -> None:
    """The server itself says which names are its own: it lets nobody else take them."""
    listed = functions_of("mysql")
    names = sorted(listed.scalar | listed.tables)
    with loaded(mariadb, names) as given_away:
        session = Session(login_of(server_address(mariadb.url(), "mysql")))
        own = mysql_functions.own_functions(session)
        session.close()
        assert given_away == frozenset(names) - own
        assert given_away <= ELSEWHERE


@pytest.mark.parametrize(
    "sql",
    [
        "WITH `c` (`a`, `b`) AS (SELECT 1, 2) SELECT UPPER(`a`) FROM `c`",
        "WITH RECURSIVE c AS (SELECT 1), d (a) AS (SELECT 2) SELECT COUNT(*) FROM d",
        "SELECT `x`.`a` FROM (VALUES ROW(1)) AS `x`(`a`) WHERE `x`.`a` IN (1, 2)",
        "SELECT CAST(1 AS DECIMAL(10, 2)), SUM(1) OVER (PARTITION BY 1), 'f(x)' AS `g (`",
    ],
)
def test_names_that_are_given_are_not_calls(sql: str) -> None:
    mysql_functions.check_calls(sql, frozenset({"upper", "count", "sum"}))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT to_date(1)",
        "SELECT 1, To_Date (1)",
        "SELECT `upper`(1)",
        "SELECT 1 FROM a WHERE EXISTS (SELECT trunc(1))",
        "WITH c AS (SELECT to_date(1)) SELECT 1",
        "SELECT `schema`.f(1)",
    ],
)
def test_a_call_of_anything_else_is_not_sent(sql: str) -> None:
    with pytest.raises(Fault) as caught:
        mysql_functions.check_calls(sql, frozenset({"upper"}))
    assert caught.value.code == "not_allowed"
