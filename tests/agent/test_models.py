"""Which model answers, and one real server that speaks the OpenAI protocol."""

from __future__ import annotations

import pydantic_ai.models
import pytest

from agent import Analyst, Runs, choose
from agent.models import build
from guard import ConfigurationError
from tests.agent.sse import Say, runs_at, serving
from tests.company import Company


@pytest.mark.parametrize(
    ("setting", "label"),
    [
        (None, "Rule-based planner, no AI model"),
        ("offline", "Rule-based planner, no AI model"),
        ("anthropic:some-model", "some-model (anthropic)"),
        ("ollama:llama3.1", "llama3.1 (ollama)"),
        ("https://models.example/v1#big", "big at models.example"),
    ],
)
def test_the_setting_names_a_model(setting: str | None, label: str) -> None:
    assert choose(setting).label == label


@pytest.mark.parametrize("setting", ["gpt", "openai:", "https://models.example/v1", "x:y"])
def test_an_unknown_model_is_refused_with_the_forms(setting: str) -> None:
    with pytest.raises(ConfigurationError, match="Use offline"):
        choose(setting)


@pytest.mark.parametrize("provider", ["anthropic", "openai", "google"])
def test_a_missing_key_is_named(provider: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{provider.upper()}_API_KEY"):
        build(choose(f"{provider}:some-model"), {})


def test_a_server_that_is_away_has_the_planner_answer_and_say_so(company: Company) -> None:
    analyst = Analyst(
        gate=company.parts.gate,
        log=company.log,
        choice=choose("http://127.0.0.1:9/v1#m"),
        vocabularies=company.parts.vocabularies,
        environment={},
        budget=company.parts.models,
    )
    runs = Runs(company.store, analyst, company.parts.gate, company.parts.people.by_id)
    with pydantic_ai.models.override_allow_model_requests(True):
        _, answer = company.ask("How many orders are there?", runs=runs)
    assert answer.status == "answered"
    assert answer.notice is not None
    assert answer.notice.startswith("m at 127.0.0.1 could not be reached.")
    policy = company.parts.policy
    agent = policy.agent.model_copy(update={"fallback": "none"})
    company.enforce(policy.model_copy(update={"agent": agent}))
    with pydantic_ai.models.override_allow_model_requests(True):
        _, answer = company.ask("How many orders are there?", runs=runs)
    runs.close()
    assert answer.status == "failed"
    assert answer.text == "The model did not answer (no connection). Try again in a while."


def test_ollama_is_asked_at_its_address(company: Company) -> None:
    """What the README's line does: `GATEHOUSE_MODEL=ollama:NAME`."""
    with (
        serving(Say(text="There are four.")) as server,
        pydantic_ai.models.override_allow_model_requests(True),
    ):
        address = {"OLLAMA_BASE_URL": server.setting.partition("#")[0]}
        runs = runs_at(company, "ollama:llama3.1", address)
        _, answer = company.ask("How many?", runs=runs)
        runs.close()
    assert (answer.status, answer.text) == ("answered", "There are four.")
    assert '"model":"llama3.1"' in server.requests[0].replace(" ", "")
