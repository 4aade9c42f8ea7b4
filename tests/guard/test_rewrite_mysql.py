"""What runs on MySQL is written so that MariaDB reads it too."""

from __future__ import annotations

import pytest

from guard.catalog import Catalog, Column, Table
from guard.decision import Allow, Terms
from guard.errors import Refused
from guard.policyfile import Limits
from guard.rewrite import rewrite
from guard.statement import parse

CATALOG = Catalog(
    source="s",
    dialect="mysql",
    tables=(
        Table(
            name="t",
            schema="shop",
            columns=(Column(name="id", type="int"), Column(name="n", type="text")),
        ),
    ),
)
ALLOW = Allow(
    rule="r", reason="A test.", terms=Terms(limits=Limits(), readable=(("t", ("id", "n")),))
)


@pytest.mark.parametrize(
    ("sql", "written"),
    [
        ("SELECT 1 FROM DUAL", "SELECT 1 LIMIT 1001"),
        ("SELECT id, (SELECT 2 FROM dual) AS x FROM t", "SELECT id, (SELECT 2) AS x FROM `shop`.t"),
        ("SELECT id FROM t WHERE n REGEXP '^a'", "WHERE (REGEXP_INSTR(n, '^a') > 0)"),
        ("SELECT 1 = n RLIKE 'a' FROM t", "SELECT 1 = (REGEXP_INSTR(n, 'a') > 0) FROM"),
        ("SELECT id FROM t WHERE NOT n REGEXP 'a'", "WHERE NOT (REGEXP_INSTR(n, 'a') > 0)"),
        ("SELECT `count`(1) FROM t", "SELECT COUNT(1) FROM"),
        ("SELECT utc_date() AS d FROM t", "SELECT UTC_DATE() AS d FROM"),
    ],
)
def test_mysql_is_written_without_what_mariadb_does_not_have(sql: str, written: str) -> None:
    assert written in rewrite(parse(sql, "mysql"), ALLOW, CATALOG).sql


def test_a_table_that_is_called_dual_in_quotes_is_a_table() -> None:
    with pytest.raises(Refused):
        rewrite(parse("SELECT id FROM `dual`", "mysql"), ALLOW, CATALOG)
