"""`gatehouse lineage`: one answer a line, whatever the line is."""

from __future__ import annotations

import json

import pytest

from guard.errors import ConfigurationError
from guard.lineagelines import lineage_lines

SCHEMA = """
CREATE TABLE guests(id INTEGER PRIMARY KEY, name VARCHAR, mail VARCHAR, room INTEGER);
CREATE VIEW listed(k, who) AS SELECT id, upper(name) FROM guests;
"""
TAGS = {"guests": {"name": "PERSON", "mail": "EMAIL_ADDRESS"}}


def answers(*lines: object) -> list[dict[str, object]]:
    text = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    return [json.loads(answer) for answer in lineage_lines(text, SCHEMA, TAGS)]


def asked(sql: str, dialect: str = "duckdb") -> dict[str, object]:
    (answer,) = answers({"id": "q", "dialect": dialect, "sql": sql})
    assert answer.pop("id") == "q"
    return answer


@pytest.mark.parametrize("dialect", ["duckdb", "sqlite", "postgres", "mysql", "snowflake"])
def test_an_answer_has_one_flag_a_column(dialect: str) -> None:
    assert asked("SELECT id, upper(mail) AS x FROM guests", dialect) == {
        "sensitive": [False, True],
        "predicate_pii": False,
    }


@pytest.mark.parametrize("dialect", ["duckdb", "sqlite", "postgres", "mysql"])
def test_views_of_the_schema_are_expanded_in_every_dialect(dialect: str) -> None:
    assert asked("SELECT * FROM listed", dialect)["sensitive"] == [False, True]


def test_a_filter_on_personal_data_is_flagged() -> None:
    assert asked("SELECT room FROM guests WHERE mail LIKE 'a%'") == {
        "sensitive": [False],
        "predicate_pii": True,
    }


@pytest.mark.parametrize("sql", ["SELECT COLUMNS('x') FROM guests", "SELECT * FROM nowhere"])
def test_an_unknown_width_is_said(sql: str) -> None:
    assert asked(sql) == {"unknown": True}


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "SELECT 1; SELECT 2",
        "DELETE FROM guests",
        "WITH d AS (DELETE FROM guests RETURNING mail) SELECT * FROM d",
        "SELECT * INTO copied FROM guests",
        "SELECT * FROM guests FOR UPDATE",
        "DROP TABLE guests",
        "EXPLAIN SELECT * FROM guests",
        "SET x = 1",
        "SELECT " + "(" * 5_000 + "1" + ")" * 5_000,
        "SELECT '\x00'",
    ],
)
def test_what_is_not_one_plain_read_is_refused(sql: str) -> None:
    assert asked(sql, "postgres") == {"refused": True}


def test_executable_comments_are_refused() -> None:
    assert asked("SELECT /*!50000 mail */ FROM guests", "mysql") == {"refused": True}


@pytest.mark.parametrize("dialect", ["nonsense", "", "tsql"])
def test_a_dialect_the_guard_does_not_know_is_refused(dialect: str) -> None:
    assert asked("SELECT 1", dialect) == {"refused": True}


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("", None),
        ("not json", None),
        ("[1]", None),
        ("null", None),
        ('{"id": 7}', 7),
        ('{"id": 7, "dialect": "duckdb", "sql": 1}', 7),
        ('{"id": 7, "dialect": null, "sql": "SELECT 1"}', 7),
        ('{"id": 7, "sql": "SELECT 1"}', 7),
        ("[" * 100_000, None),
        ('{"id": "\\ud800", "dialect": "duckdb"}', "\ud800"),
    ],
)
def test_a_line_that_is_no_question_is_answered_all_the_same(line: str, number: object) -> None:
    assert answers(line) == [{"id": number, "refused": True}]


def test_answers_keep_the_order_and_the_ids() -> None:
    ids: list[object] = ["a", 1, None, {"k": [1]}, 2.5]
    found = answers(*({"id": i, "dialect": "sqlite", "sql": "SELECT 1"} for i in ids))
    assert [answer["id"] for answer in found] == ids


def test_a_fault_while_judging_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("guard.lineagelines.trace", fail)
    assert asked("SELECT 1") == {"refused": True}


def test_a_tag_that_names_no_column_stops_the_command() -> None:
    with pytest.raises(ConfigurationError, match=r"guests\.male names no column"):
        lineage_lines([], SCHEMA, {"guests": {"male": "EMAIL_ADDRESS"}})


def test_a_schema_that_cannot_be_read_stops_the_command() -> None:
    with pytest.raises(ConfigurationError, match="schema"):
        lineage_lines([], "CREATE TABLE (", {})
