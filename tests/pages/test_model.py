"""A hosted model on the pages: its connection test, its words as they come, its absence aloud."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pydantic_ai.models
import pytest

from agent import Answer, ModelConnection, choose
from store import turns
from tests.agent.sse import Fail, ModelServer, Say, runs_against, serving
from tests.company import Company
from tests.pages.conftest import Tabs, stored_turn

KEY = "sk-canary-4711"


@pytest.fixture(autouse=True)
def _models_allowed() -> Iterator[None]:
    with pydantic_ai.models.override_allow_model_requests(True):
        yield


def use(company: Company, server: ModelServer) -> None:
    """Has the console answer by that server."""
    choice = choose(server.setting)
    connection = ModelConnection(
        choice=choice,
        environment={"GATEHOUSE_MODEL_KEY": KEY},
        budget=company.parts.models,
        log=company.log,
    )
    runs = runs_against(company, server)
    company.parts = replace(company.parts, choice=choice, connection=connection, runs=runs)


def test_an_admin_tests_the_model_and_sees_no_key(tabs: Tabs, company: Company) -> None:
    ready = Say(text="Ready.", calls=[("ready", {"ok": True})])
    with serving(ready, Fail(status=401)) as server:
        use(company, server)
        tab = tabs.of("adam").open("admin")
        tab.press("test_model")
        assert "m at 127.0.0.1 answers and calls tools." in tab.text()
        assert "It streams." in tab.text()
        tab.press("test_model")
        assert "It does not answer: status 401. Host: 127.0.0.1." in tab.text()
        assert KEY not in tab.everything()


def test_without_a_model_there_is_nothing_to_test(tabs: Tabs) -> None:
    assert "Test the model" not in tabs.of("adam").open("admin").buttons()


def test_an_answer_of_the_planner_in_the_models_place_says_so(tabs: Tabs, company: Company) -> None:
    with serving(Fail(status=503)) as server:
        use(company, server)
        tab = tabs.of("ana").open("ask")
        tab.ask("How many orders are there?")
    assert "The model is away. m at 127.0.0.1 could not be reached." in tab.text()
    assert "without an AI model" in tab.text()


def test_what_a_model_is_saying_stands_on_the_page(tabs: Tabs, company: Company) -> None:
    conversation = company.conversation()
    store = company.store
    with store.write() as conn:
        turn = turns.add(
            conn, conversation, kind="question", question="Who?", model="m", now=store.now()
        )
        turns.claim(conn, turn.id, owner=store.instance, now=store.now())
        turns.say(conn, turn.id, owner=store.instance, text="I look at ![x](http://evil/)")
    tab = tabs.of("ana").open("ask", c=conversation)
    assert [t.value for t in tab.app.text] == ["Who?", "I look at ![x](http://evil/)"]


def test_a_question_that_was_given_up_says_why(tabs: Tabs, company: Company) -> None:
    conversation = company.conversation()
    stored_turn(company, conversation, None, state="interrupted")
    tab = tabs.of("ana").open("ask", c=conversation)
    assert "The server restarted while this was running." in tab.text()


def test_an_older_answer_without_a_notice_is_still_read() -> None:
    assert Answer.model_validate({"status": "failed", "text": "x"}).notice is None
