"""Any text gives one of the four answers; nothing raises and nothing but a SELECT comes out."""

from __future__ import annotations

import sqlite3

import sqlglot
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from agent.planner import AskBack, NotUnderstood, Plan, Vocabulary, WriteRequest
from agent.planner.operators import PHRASES
from agent.planner.planner import read_question as plan
from tests.agent.planner.support import own_cases

OPERATORS = sorted(" ".join(p) for p in PHRASES)
TEXT = """
customers orders products tickets payments items revenue units profit country city category brand
status channel price stock satisfaction segment Germany Books Acme cancelled urgent customer 42
order 118 bought sold never opened closed 2025 March Q1 last month between and or
"""
WORDS = TEXT.split()
QUESTIONS = [case.question.split() for case in own_cases()]
SETTINGS = settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def check(question: str, vocabulary: Vocabulary, db: sqlite3.Connection | None = None) -> None:
    answer = plan(question, vocabulary)
    if isinstance(answer, Plan) and db is not None:
        db.execute(f"explain {answer.sql}")
    assert isinstance(answer, Plan | AskBack | NotUnderstood | WriteRequest)
    if isinstance(answer, Plan):
        trees = sqlglot.parse(answer.sql, dialect="sqlite")
        assert len(trees) == 1
        assert isinstance(trees[0], exp.Select)
        assert answer.interpretation
    if isinstance(answer, WriteRequest):
        trees = sqlglot.parse(answer.sql, dialect="sqlite")
        assert len(trees) == 1
        assert isinstance(trees[0], exp.Update | exp.Delete)
        assert trees[0].args.get("where") is not None


@SETTINGS
@given(st.text(max_size=200))
@example("")
@example("\x00\x00")
@example("'" * 50)
@example("customers in '; drop table customers; --'")
@example("orders over " + "9" * 400)
@example("last 999999999999 days")
@example("top 0 customers by revenue")
@example("revenue in 0000-00-00")
@example("a" * 5_000)
def test_any_text_gets_an_answer(shop: Vocabulary, question: str) -> None:
    check(question, shop)


@settings(SETTINGS, max_examples=500)
@given(st.lists(st.one_of(st.sampled_from(WORDS), st.sampled_from(OPERATORS)), max_size=12))
def test_any_row_of_known_words_gets_an_answer(
    shop: Vocabulary, databases: dict[str, sqlite3.Connection], words: list[str]
) -> None:
    check(" ".join(words), shop, databases["shop"])


@settings(SETTINGS, max_examples=500)
@given(st.sampled_from(QUESTIONS), st.sampled_from(QUESTIONS), st.floats(0, 1), st.floats(0, 1))
def test_halves_of_two_questions_get_an_answer(
    shop: Vocabulary,
    databases: dict[str, sqlite3.Connection],
    first: list[str],
    second: list[str],
    upto: float,
    since: float,
) -> None:
    words = first[: int(len(first) * upto)] + second[int(len(second) * since) :]
    check(" ".join(words), shop, databases["shop"])


@settings(SETTINGS, max_examples=200)
@given(st.text(min_size=1, max_size=40))
def test_quoted_text_is_a_literal_and_never_a_part_of_the_statement(
    shop: Vocabulary, text: str
) -> None:
    answer = plan(f'products whose name contains "{text}"', shop)
    if isinstance(answer, Plan):
        tree = sqlglot.parse_one(answer.sql, dialect="sqlite")
        assert isinstance(tree, exp.Select)
        assert {t.name for t in tree.find_all(exp.Table)} == {"products"}


@settings(SETTINGS, max_examples=200)
@given(st.text(min_size=1, max_size=40))
def test_new_values_are_literals_and_never_a_part_of_the_change(
    shop: Vocabulary, text: str
) -> None:
    answer = plan(f"set the city of customer 5 to {text}", shop)
    if isinstance(answer, WriteRequest):
        tree = sqlglot.parse_one(answer.sql, dialect="sqlite")
        assert isinstance(tree, exp.Update)
        assert len(tree.expressions) == 1
        assert tree.args["where"].this.sql() == "id = 5"
