"""The connection test says which model, where, and what works of it, and never a key."""

from __future__ import annotations

from collections.abc import Iterator

import pydantic_ai.models
import pytest

from agent import ModelConnection, Tried, choose
from guard.modelpolicy import AgentPolicy
from tests.agent.sse import Answer, Fail, Say, serving
from tests.company import Company

KEY = "sk-canary-4711"
WORKS = Say(text="Ready.", calls=[("ready", {"ok": True})])


@pytest.fixture(autouse=True)
def _models_allowed() -> Iterator[None]:
    with pydantic_ai.models.override_allow_model_requests(True):
        yield


def connection(company: Company, setting: str) -> ModelConnection:
    return ModelConnection(
        choice=choose(setting),
        environment={"GATEHOUSE_MODEL_KEY": KEY},
        budget=company.parts.models,
        log=company.log,
    )


def tried(company: Company, *answers: Answer) -> Tried:
    with serving(*answers) as server:
        found = connection(company, server.setting).test(company.caller("adam"))
    assert found is not None
    assert KEY not in str(found)
    assert not any(KEY in r.line for r in company.log.tail(1_000))
    return found


def test_a_model_that_works_is_shown_with_its_host_and_times(company: Company) -> None:
    found = tried(company, WORKS)
    assert (found.label, found.host) == ("m at 127.0.0.1", "127.0.0.1")
    assert (found.answers, found.streams, found.calls_tools) == (True, True, True)
    assert found.problem is None
    assert found.first_ms is not None
    assert found.total_ms is not None
    assert 0 <= found.first_ms <= found.total_ms
    events = [r.event for r in company.log.tail(10) if r.event.type == "agent.step"]
    assert [e.outcome for e in events] == ["pending", "success"]
    assert all(e.actor.id == company.person("adam").id for e in events)


def test_a_model_that_does_not_stream_still_works(company: Company) -> None:
    whole = Say(text="Ready.", calls=[("ready", {"ok": True})], streams=False)
    found = tried(company, whole)
    assert (found.answers, found.streams, found.calls_tools) == (True, False, True)
    assert found.problem is None


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Say(text="Hello."), "It answers, but did not call the tool it was asked to call."),
        (Fail(status=401), "It does not answer: status 401."),
        (Fail(status=404), "It does not answer: status 404."),
    ],
)
def test_what_does_not_work_is_a_sentence(company: Company, answer: Answer, problem: str) -> None:
    found = tried(company, answer)
    assert found.problem == problem
    assert not found.calls_tools


def test_a_server_that_is_away_is_named(company: Company) -> None:
    found = connection(company, "http://127.0.0.1:9/v1#m").test()
    assert found is not None
    assert (found.host, found.problem) == ("127.0.0.1", "It does not answer: no connection.")


def test_a_missing_key_is_named_without_a_request(company: Company) -> None:
    found = connection(company, "openai:some-model").test()
    assert found is not None
    assert "OPENAI_API_KEY" in (found.problem or "")


def test_without_a_price_nothing_is_sent(company: Company) -> None:
    policy = company.parts.policy
    company.enforce(policy.model_copy(update={"agent": AgentPolicy()}))
    with serving(WORKS) as server:
        found = connection(company, server.setting).test()
        assert server.requests == []
    assert found is not None
    assert "no price for the model m" in (found.problem or "")


def test_the_planner_needs_no_connection(company: Company) -> None:
    assert connection(company, "offline").test() is None
