"""The semantic layers of the demo answer the questions its pages suggest."""

from __future__ import annotations

import tomllib

import duckdb
import pytest

from agent.planner import Plan, Vocabulary, load_semantics, plan
from demo import warehouse
from guard import Catalog, Column, Table
from tests.agent.planner.support import ROOT, SHOP_TODAY

POLICY = tomllib.loads((ROOT / "demo" / "policy.toml").read_text("utf-8"))
EVENTS = ("page_view", "search", "add_to_cart", "checkout", "purchase", "newsletter_signup")


@pytest.fixture(scope="module")
def empty() -> duckdb.DuckDBPyConnection:
    db = duckdb.connect()
    db.execute(warehouse._SCHEMA)
    return db


@pytest.fixture(scope="module")
def web(empty: duckdb.DuckDBPyConnection) -> Vocabulary:
    tags = POLICY["sources"]["warehouse"]["tags"]
    catalog = Catalog(source="warehouse", dialect="duckdb", tables=tuple(tables(empty)))
    return Vocabulary(
        catalog=catalog.tagged(tags),
        values={("web_events", "event_type"): EVENTS, ("daily_traffic", "country"): ("Germany",)},
        today=SHOP_TODAY,
        dialect="duckdb",
        semantics=load_semantics(ROOT / "demo" / "warehouse.semantics.toml"),
    )


def tables(db: duckdb.DuckDBPyConnection) -> list[Table]:
    found = []
    for (name,) in db.execute("select table_name from duckdb_tables()").fetchall():
        rows = db.execute(f"pragma table_info('{name}')").fetchall()
        columns = tuple(Column(name=r[1], type=r[2], primary_key=bool(r[5])) for r in rows)
        found.append(Table(name=name, columns=columns))
    return found


@pytest.mark.parametrize("question", POLICY["sources"]["shop"]["starters"])
def test_every_starter_of_the_shop_plans(shop: Vocabulary, question: str) -> None:
    assert isinstance(plan(question, shop), Plan)


@pytest.mark.parametrize(
    "question",
    [
        *POLICY["sources"]["warehouse"]["starters"],
        "visits by campaign in March 2026",
        "page views by hour",
        "visitors by browser",
        "month over month growth of visits in 2026",
        "campaigns without events",
        "weekly visits in 2026",
    ],
)
def test_questions_about_the_website_run_on_duckdb(
    web: Vocabulary, empty: duckdb.DuckDBPyConnection, question: str
) -> None:
    answer = plan(question, web)

    assert isinstance(answer, Plan)
    empty.execute(answer.sql)


def test_a_number_is_taken_from_the_table_that_has_the_group(web: Vocabulary) -> None:
    by_device, by_browser = plan("visits by device", web), plan("visits by browser", web)

    assert isinstance(by_device, Plan)
    assert isinstance(by_browser, Plan)
    assert "SUM(dt.visits)" in by_device.sql
    assert "COUNT(DISTINCT we.session_id)" in by_browser.sql


def test_hours_are_not_read_from_a_date_without_a_time(web: Vocabulary) -> None:
    answer = plan("page views by hour", web)

    assert isinstance(answer, Plan)
    assert "web_events" in answer.sql
