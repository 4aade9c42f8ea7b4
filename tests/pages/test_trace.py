"""The card that says how an answer came about, and its files."""

from __future__ import annotations

import ast
import hashlib
import json
import re

from agent import Answer
from audit import Filter
from tests.company import EMAIL, SURNAME
from tests.pages.conftest import EVIL, Tab, Tabs, stored_turn
from ui import exports, session
from ui.webparts import ExportRequest

LINK = re.compile(r"/\?trace=(\w+)")


def linked(tab: Tab) -> str:
    found = LINK.search(tab.html())
    assert found is not None
    return found[1]


def answered(tabs: Tabs, question: str = "Orders by status") -> str:
    return linked(tabs.of("ana").open("ask").ask(question))


def file(tabs: Tabs, turn: str, name: str = "ana", kind: str = "json") -> str | None:
    made = exports.exporters(session.parts, session.audit_log, session.store)["trace"].make(
        ExportRequest(principal=tabs.company.person(name), name=turn, query={"format": kind})
    )
    return None if made is None else b"".join(made.chunks).decode()


def test_each_answer_leads_to_its_card(tabs: Tabs) -> None:
    turn = answered(tabs)
    said = tabs.of("ana").open("ask", trace=turn).text()
    for words in ("How this was answered", "Orders by status", "read.select", "run_query"):
        assert words in said
    assert "query.executed" in said
    assert "SELECT" in said


def test_a_card_of_somebody_else_is_not_there(tabs: Tabs) -> None:
    turn = answered(tabs)
    for name in ("gerd", "rita"):
        assert "There is no such answer." in tabs.of(name).open("ask", trace=turn).text()
        assert file(tabs, turn, name) is None
    assert "There is no such answer." in tabs.of("ana").open("ask", trace="nothing").text()


def test_an_admin_opens_it_redacted_and_that_is_recorded(tabs: Tabs) -> None:
    turn = answered(tabs, f"orders of {EMAIL}")
    said = tabs.of("adam").open("ask", trace=turn).text()
    assert "Shown to you as an admin, redacted" in said
    assert EMAIL not in said
    viewed = session.audit_log().search(Filter(request=turn, types=("audit.viewed",))).records
    assert len(viewed) == 1
    assert EMAIL not in (file(tabs, turn, "adam") or "")


def test_the_record_holds_the_statement_and_a_hash_of_the_masked_rows(tabs: Tabs) -> None:
    tab = tabs.of("ana").open("ask").run_sql("SELECT id, last_name FROM customers ORDER BY id")
    record = json.loads(file(tabs, linked(tab)) or "")
    (step,) = [s for s in record["steps"] if s["sql"]]
    rows = [[int(i), name] for i, name in tab.frames()[0].itertuples(index=False)]
    text = json.dumps([["id", "last_name"], rows], separators=(",", ":"))
    assert step["rows_sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert record["tables"] == ["customers"]
    assert step["audit"] in [event["seq"] for event in record["audit"]]
    assert SURNAME not in json.dumps(record)


def test_taking_it_along_is_recorded_as_an_export(tabs: Tabs) -> None:
    turn = answered(tabs)
    assert file(tabs, turn, kind="ipynb")
    exported = session.audit_log().search(Filter(request=turn, types=("export.created",))).records
    assert [r.event.summary for r in exported] == ["Downloaded the trace of an answer as ipynb"]
    assert file(tabs, turn, kind="exe") is None


def test_a_notebook_draws_nothing_of_what_was_said(tabs: Tabs) -> None:
    kept = tabs.company.conversation("ana")
    evil = " ".join(EVIL) + "\n\"\"\"'''\\"
    answer = Answer(status="answered", text=evil, interpretation=evil)
    turn = stored_turn(tabs.company, kept, answer, question=evil)
    cells = json.loads(file(tabs, turn, kind="ipynb") or "")["cells"]
    drawn = [c["source"] for c in cells if c["cell_type"] == "markdown"]
    assert all("leak" not in source and "script" not in source for source in drawn)
    for cell in cells:
        if cell["cell_type"] == "code":
            ast.parse(cell["source"])


def test_hostile_words_stand_on_the_card_as_text(tabs: Tabs) -> None:
    kept = tabs.company.conversation("ana")
    answer = Answer(status="answered", text=" ".join(EVIL))
    turn = stored_turn(tabs.company, kept, answer, question=EVIL[1])
    html = tabs.of("ana").open("ask", trace=turn).html()
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html
