"""What the trail may carry of a statement."""

from __future__ import annotations

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st
from sqlglot.errors import SqlglotError

from guard.logtext import sha256_of, without_literals

CANARY = "Zq7Canary"


@pytest.mark.parametrize("dialect", ["sqlite", "duckdb", "postgres", "mysql"])
@pytest.mark.parametrize(
    "sql",
    [
        f"select * from t where a = '{CANARY}'",
        f"select 1 -- {CANARY}\n",
        f"select /* {CANARY} */ 1",
        f'select "{CANARY}" from t',
        f"select 'x' || '{CANARY}",
        f"select $q${CANARY}$q$",
        f"select x'{CANARY.encode().hex()}'",
    ],
)
def test_values_and_comments_leave_the_text(sql: str, dialect: str) -> None:
    shown = without_literals(sql, dialect)
    assert CANARY not in shown
    assert shown.startswith("select")


def test_names_known_to_the_catalog_stay() -> None:
    shown = without_literals('select "order" from "t u" where n = 42', "sqlite", {"order"})
    assert shown == 'select "order" from "?" where n = ?'


@pytest.mark.parametrize("hidden", [f"$q${CANARY}$q$", f"'{CANARY}'", "4929111"])
def test_text_that_has_no_tokens_loses_its_values_too(hidden: str) -> None:
    broken = f"select {hidden} /* never closed"
    with pytest.raises(SqlglotError):
        sqlglot.tokenize(broken, read="mysql")
    shown = without_literals(broken, "mysql")
    assert CANARY not in shown
    assert "4929111" not in shown


def test_the_text_is_cut() -> None:
    assert len(without_literals("select " + "a," * 9000 + "a", "sqlite")) <= 4000


def test_lone_surrogates_have_a_hash() -> None:
    assert len(sha256_of("\ud800")) == 64


@given(st.text(max_size=200))
def test_no_text_raises(text: str) -> None:
    assert isinstance(without_literals(text, "sqlite"), str)
