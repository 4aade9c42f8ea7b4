"""A browser tab without a browser: the real shell and pages over a small company."""

from __future__ import annotations

import html
import os
import re
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from agent import Answer
from audit import AuditLog
from store import Store, accounts, turns, websessions
from store.states import TurnKind, TurnState
from tests.company import POLICY, Company, make_company
from tests.ui.server import Server, free_port, running
from ui import identity, session
from ui.setup import make_home

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
CHROMIUM_ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


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


# In a real browser --------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    """Debian's Chromium; without it these tests are skipped, or fail where it is required."""
    chromium = shutil.which("chromium")
    if chromium is None:
        missing = "chromium is not on the PATH, so no page was tried in a real browser"
        if "chromium" in os.environ.get("GATEHOUSE_REQUIRE_ENGINES", "").replace(",", " ").split():
            pytest.fail(missing)
        pytest.skip(missing)
    return {"executable_path": chromium, "args": list(CHROMIUM_ARGS)}


@pytest.fixture(scope="session")
def browser_context_args() -> dict[str, object]:
    """One size, one language, no animation."""
    return {
        "viewport": {"width": 1440, "height": 900},
        "reduced_motion": "reduce",
        "timezone_id": "UTC",
        "locale": "en-GB",
    }


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder as `gatehouse init --demo` makes it, made once; copy it before using it."""
    home = tmp_path_factory.mktemp("demo") / "home"
    store = Store.open(home)
    with AuditLog.open(home / "audit", app_version="test") as log:
        make_home(home, demo=True, log=log, store=store, progress=lambda _what, _part: None)
    store.close()
    return home


@pytest.fixture(scope="module")
def served(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The console as `streamlit run app.py` serves it, over a demo company of its own."""
    folder = tmp_path_factory.mktemp("served")
    home = shutil.copytree(demo_home, folder / "home")
    with running(ROOT, home, free_port(), folder / "server.log") as server:
        yield server
