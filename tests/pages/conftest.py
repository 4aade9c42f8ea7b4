"""A browser tab without a browser: the real shell and pages over a small company."""

from __future__ import annotations

import html
import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from agent import Answer
from store import accounts, turns, websessions
from store.states import TurnKind, TurnState
from tests.company import POLICY, Company, make_company
from ui import identity, session

ROOT = Path(__file__).resolve().parents[2]
STARTERS = ("How many orders are there?", "Orders by status")
EVIL = (
    "![x](http://127.0.0.1:9/leak)",
    "<script>alert(1)</script>",
    ":green-badge[Approved]",
)
"""What a hostile value would say: load a picture, run a script, look like a verdict of ours."""
_POLICY = POLICY.replace(
    "writes = true",
    'writes = true\ntitle = "Corner shop"\ndescription = "Orders and who made them."\n'
    f"starters = {list(STARTERS)!r}",
)
_TAG = re.compile(r"<[^>]+>")
PATIENCE_S = 60


class Tab:
    """One tab of one person."""

    def __init__(self, company: Company, token: str | None) -> None:
        self.company = company
        self.token = token
        self.app = AppTest.from_file(ROOT / "ui" / "main.py", default_timeout=60)

    def run(self) -> Tab:
        """Runs the script once more, as a click or a timer would."""
        identity.cookie_token = lambda: self.token  # type: ignore[attr-defined]  # put back by `tabs`
        self.app.run()
        assert not self.app.exception, self.app.exception
        return self

    def open(self, page: str, **query: str) -> Tab:
        """Goes to a page, as a link with this query would."""
        self.run()
        self.app.query_params.clear()
        self.app.query_params.update(query)
        self.app.switch_page(f"../pages/{page}.py")
        return self.run()

    def settled(self) -> Tab:
        """Runs until no turn of the conversation is under way."""
        deadline = time.monotonic() + PATIENCE_S
        while "Stop" in self.buttons():
            assert time.monotonic() < deadline, self.text()
            self.run()
        return self

    def press(self, key: str) -> Tab:
        """Presses the button with this key."""
        self.app.button(key=key).click()
        return self.run()

    def ask(self, question: str) -> Tab:
        """Types a question and waits for its answer."""
        self.app.chat_input[0].set_value(question)
        return self.run().settled()

    def run_sql(self, sql: str) -> Tab:
        """Types a statement into the SQL tab, runs it and waits."""
        self.app.text_area(key="sql_text").set_value(sql)
        return self.press("run_sql").settled()

    def buttons(self) -> list[str]:
        """The labels of all buttons."""
        return [b.label for b in self.app.button]

    def html(self) -> str:
        """Our own HTML on the page."""
        return "\n".join(piece.proto.body for piece in self.app.get("html"))

    def text(self) -> str:
        """What the page says: our HTML without its tags, plain texts and code."""
        said = [html.unescape(_TAG.sub("", self.html()))]
        said += [t.value for t in self.app.text]
        said += [c.value for c in self.app.code]
        return "\n".join(said)

    def frames(self) -> list[Any]:
        """The tables on the page."""
        return [d.value for d in self.app.dataframe]

    def everything(self) -> str:
        """All that was sent to the browser, tables included."""
        sent = [str(block) for block in self.app.main] + [str(block) for block in self.app.sidebar]
        return "\n".join([*sent, self.html(), *(f.to_csv() for f in self.frames())])


class Tabs:
    """Opens tabs for the people of one company."""

    def __init__(self, company: Company) -> None:
        self.company = company

    def of(self, name: str | None) -> Tab:
        """Returns a new tab of this person, or of nobody."""
        return Tab(self.company, self._token(name) if name else None)

    def _token(self, name: str) -> str:
        store = self.company.store
        with store.write() as conn:
            account = accounts.by_name(conn, name)
            assert account is not None
            return websessions.start(conn, account.id, now=store.now())


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    """The small company, with a title and starter questions, and hostile text in its rows."""
    opened = make_company(tmp_path / "home", _POLICY)
    with sqlite3.connect(opened.database) as db:
        rows = [(100 + i, "x", f"e{i}@mail.example", evil) for i, evil in enumerate(EVIL)]
        db.executemany("INSERT INTO customers VALUES (?, ?, ?, ?)", rows)
    db.close()
    yield opened
    opened.close()


@pytest.fixture
def tabs(company: Company, monkeypatch: pytest.MonkeyPatch) -> Tabs:
    """Tabs onto the company."""
    monkeypatch.setattr(session, "home", lambda: company.home)
    monkeypatch.setattr(session, "store", lambda: company.store)
    monkeypatch.setattr(session, "audit_log", lambda: company.log)
    monkeypatch.setattr(session, "parts", lambda: company.parts)
    monkeypatch.setattr(identity, "cookie_token", identity.cookie_token)
    return Tabs(company)


def stored_turn(
    company: Company,
    conversation: str,
    answer: Answer | None,
    *,
    state: TurnState = "done",
    kind: TurnKind = "question",
    question: str = "A question",
) -> str:
    """Writes a turn that ended like this, without anybody having run it; returns its id."""
    store = company.store
    with store.write() as conn:
        now = store.now()
        turn = turns.add(
            conn, conversation, kind=kind, question=question, model="Test model", now=now
        )
        turns.claim(conn, turn.id, owner=store.instance, now=now)
        outcome = turns.Outcome(answer_json=answer.model_dump_json() if answer else None)
        turns.finish(conn, turn.id, state, outcome, owner=store.instance, now=now)
    return turn.id
