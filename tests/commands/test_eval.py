"""`gatehouse eval`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent import Runs
from guard import Gate, Result
from tests.commands.conftest import Shell

QUESTIONS = [
    {"id": "q1", "question": "How many orders are there?", "sql": "SELECT count(*) FROM orders",
     "tag": "count"},
    {"id": "q2", "question": "Orders by status", "tag": "group",
     "sql": "SELECT status, count(*) FROM orders GROUP BY status"},
    {"id": "q3", "question": "How many customers are there?", "tag": "count",
     "sql": "SELECT count(*) + 1 FROM customers"},
    {"id": "q4", "question": "Why did sales fall?", "sql": None, "tag": "refuse"},
    {"id": "q5", "question": "Total by moon phase", "sql": "SELECT 1", "tag": "group"},
    {"id": "q6", "question": "How many orders are there?", "sql": "SELECT amount FROM salaries",
     "tag": "count"},
    {"id": "q7", "question": "x", "sql": None, "db": "other"},
    {"id": "q8", "question": "x", "sql": None, "today": "2020-01-01"},
]  # fmt: skip


@pytest.fixture(autouse=True)
def _model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEHOUSE_MODEL", "offline")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "questions.jsonl"
    lines = [json.dumps({"db": "company", **q}) for q in QUESTIONS]
    made.write_text("\n".join(lines), encoding="utf-8")
    return made


def run(shell: Shell, file: Path, *more: str):
    return shell("eval", str(file), "--as", "ana", "--source", "company=shop", *more)


def test_a_set_is_scored_question_by_question(shell: Shell, file: Path) -> None:
    said = run(shell, file, "--json")
    assert said.status == 0, said.err
    verdicts = {q["id"]: q["verdict"] for q in said.json["questions"]}
    assert verdicts == {
        "q1": "right",
        "q2": "right",
        "q3": "wrong",
        "q4": "refused_rightly",
        "q5": "refused",
        "q6": "failed",
    }
    whole = said.json["report"]
    assert (whole["right"], whole["answerable"], whole["precision"]) == (2, 5, 2 / 3)
    assert said.json["by_tag"]["count"]["precision"] == 0.5
    assert said.json["model"] == "Rule-based planner, no AI model"
    assert len(said.json["skipped"]) == 2


def test_a_reference_the_guard_refuses_is_said(shell: Shell, file: Path) -> None:
    found = {q["id"]: q["said"] for q in run(shell, file, "--json").json["questions"]}
    assert found["q6"].startswith("the reference did not run: ")


def test_each_reference_has_limits_of_a_task_for_itself(
    shell: Shell, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks: list[str] = []
    original = Gate.query

    def noted(self: Gate, sql: str, **given: Any) -> Result:
        if given["why"] == "Reference of an evaluation":
            tasks.append(given["caller"].request)
        return original(self, sql, **given)

    monkeypatch.setattr(Gate, "query", noted)
    run(shell, file)
    assert len(tasks) == len(set(tasks)) == 4


def test_the_report_names_every_miss(shell: Shell, file: Path) -> None:
    said = run(shell, file).out
    for words in ("wrong: q3", "refused: q5", "2 lines skipped", "Rightly refused: 1 of 1"):
        assert words in " ".join(said.split())


def test_stopping_keeps_what_was_done(
    shell: Shell, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, original = [], Runs.run

    def run_(self: Runs, text: str, **more: object):
        asked.append(text)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return original(self, text, **more)

    monkeypatch.setattr(Runs, "run", run_)
    said = run(shell, file, "--json")
    assert said.status == 130
    assert said.json["stopped"] is True
    assert [q["id"] for q in said.json["questions"]] == ["q1", "q2"]
    assert "Stopped after 2 of 6 questions." in said.err


def test_a_line_that_cannot_be_read_is_named(shell: Shell, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"question": "x"}\n{"sql": null}\n', encoding="utf-8")
    said = run(shell, bad)
    assert said.status == 1
    assert "line 2: question: Field required" in said.err


def test_another_model_can_be_named(shell: Shell, file: Path) -> None:
    said = run(shell, file, "--model", "nobody")
    assert said.status == 1
    assert "offline" in said.err
