"""`gatehouse classify`: one answer for each line, whatever the line holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.classifylines import classify_lines
from guard.lexical import DIALECTS

KEYS = ["id", "decision", "kind", "tables", "columns", "functions", "rule", "reason", "ms"]


def answer(**question: object) -> dict[str, Any]:
    """The answer to one question."""
    (line,) = classify_lines([json.dumps(question)])
    return dict(json.loads(line))


def test_an_answer_has_the_keys_of_the_command_in_order() -> None:
    found = answer(id="a", dialect="sqlite", sql="SELECT count(*) FROM T WHERE x = 1")
    assert list(found) == KEYS
    assert found.pop("ms") > 0
    assert found == {
        "id": "a",
        "decision": "allow_read",
        "kind": "read",
        "tables": ["t"],
        "columns": ["t.x"],
        "functions": ["count"],
        "rule": "read.select",
        "reason": "Only reads.",
    }


@pytest.mark.parametrize(
    ("sql", "decision", "kind"),
    [
        ("SELECT 1", "allow_read", "read"),
        ("UPDATE t SET a = 1", "needs_approval", "write"),
        ("DELETE FROM t", "needs_approval", "write"),
        ("DROP TABLE t", "deny", "ddl"),
        ("COMMIT", "deny", "session"),
        ("ATTACH 'f' AS x", "deny", "admin"),
        ("SELECT bump()", "deny", "read"),
        ("UPDATE t SET a = bump()", "deny", "write"),
        ("nonsense", "deny", "unknown"),
    ],
)
def test_the_effect_decides(sql: str, decision: str, kind: str) -> None:
    found = answer(dialect="sqlite", sql=sql)
    assert (found["decision"], found["kind"]) == (decision, kind)
    assert found["rule"]
    assert found["reason"].endswith(".")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\n",
        "{",
        "[]",
        "null",
        "1",
        '"text"',
        "{}",
        '{"id": 1}',
        '{"id": 1, "sql": "SELECT 1"}',
        '{"id": 1, "dialect": 2, "sql": "SELECT 1"}',
        '{"id": 1, "dialect": "sqlite", "sql": null}',
        "[" * 100_000,
        '{"id": ' + "[" * 100_000,
        '{"sql": "\\ud800", "dialect": "sqlite"}',
        "\x00",
    ],
)
def test_a_line_that_is_no_question_is_denied(line: str) -> None:
    (text,) = classify_lines([line])
    found = json.loads(text)
    assert (found["decision"], found["rule"]) == ("deny", "line.unreadable")


def test_an_unknown_dialect_is_denied() -> None:
    assert answer(id=1, dialect="oracle", sql="SELECT 1")["rule"] == "statement.dialect"


def test_the_id_comes_back_as_it_was() -> None:
    for key in (None, 0, "x", 1.5, True, {"a": [1]}, [None]):
        assert answer(id=key, dialect="sqlite", sql="SELECT 1")["id"] == key
    assert answer(id="x", dialect="sqlite")["id"] == "x"


def test_an_id_that_is_no_json_value_is_left_out() -> None:
    (line,) = classify_lines(['{"id": NaN, "dialect": "sqlite", "sql": "SELECT 1"}'])
    assert json.loads(line)["id"] is None


def test_answers_come_one_for_each_line_and_in_order() -> None:
    lines = [
        json.dumps({"id": n, "dialect": DIALECTS[n % len(DIALECTS)], "sql": sql})
        for n, sql in enumerate(
            [
                "SELECT 1",
                "x" * 1_000_000,
                "SELECT " + "(" * 10_000 + "1" + ")" * 10_000,
                "SELECT 'a",
                "SELECT 1" + " UNION SELECT 1" * 5_000,
                "",
                ";" * 60_000,
                "SELECT 1 FROM t" + " JOIN t" * 30,
            ]
        )
    ]
    lines.insert(3, "no json")
    found = [json.loads(line) for line in classify_lines(lines)]
    assert [f["id"] for f in found] == [0, 1, 2, None, 3, 4, 5, 6, 7]
    assert [f["decision"] for f in found] == ["allow_read"] + ["deny"] * 8


@given(line=st.one_of(st.text(), st.binary().map(lambda b: b.decode("utf-8", "replace"))))
def test_any_line_is_answered(line: str) -> None:
    (text,) = classify_lines([line])
    assert list(json.loads(text)) == KEYS
