"""What runs against a model cost: never more than the budget, and a run that would is halted."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pydantic_ai.models
import pytest

from guard.limitpolicy import Limits
from guard.modelpolicy import AgentPolicy, ModelPrice
from store import ledger, turns
from tests.agent.sse import Answer, Call, Fail, Say, runs_against, runs_at, serving
from tests.company import Company, make_company
from tests.store.processes import run_in_processes

READ: Call = ("run_query", {"sql": "SELECT id FROM orders", "why": "x"})
FREE = Limits(parallel=100, calls_per_minute=10_000)
OUTPUT = 200
SESSIONS = 8


@pytest.fixture(autouse=True)
def _models_allowed() -> Iterator[None]:
    with pydantic_ai.models.override_allow_model_requests(True):
        yield


def limited(
    company: Company, limits: Limits = FREE, price: ModelPrice | None = None, **agent: object
) -> None:
    settings = AgentPolicy.model_validate({"max_output_tokens": OUTPUT} | agent)
    models = {"m": price} if price is not None else {}
    update = {"limits": limits, "agent": settings, "models": models}
    company.enforce(company.parts.policy.model_copy(update=update))


def spent(company: Company, resource: ledger.Resource) -> tuple[int, int]:
    """Returns what all people have reserved and spent today."""
    scope, window = ledger.scope("everybody", "all"), ledger.day(company.store.now())
    counter = ledger.Counter(scope=scope, window=window, resource=resource)
    with company.store.read() as conn:
        stands = ledger.balance(conn, counter)
    return stands.reserved, stands.spent


def greedy(request: str) -> Answer:
    """Counts every byte as a token and answers as long as it may; one call, then the end."""
    told = any(m["role"] == "tool" for m in json.loads(request)["messages"])
    usage = (len(request.encode()), OUTPUT)
    return Say(text="Done.", usage=usage) if told else Say(text="I.", calls=[READ], usage=usage)


@pytest.mark.parametrize("unit", ["tokens", "cost"])
def test_eight_sessions_at_once_never_pass_a_budget(company: Company, unit: str) -> None:
    limit = 120_000
    price = ModelPrice(input_price=1_000_000, output_price=1_000_000)
    limited(company, price=price, **{f"{unit}_per_day": limit})
    ended: list[str] = []
    with serving(choose=greedy) as server:
        runs = runs_against(company, server)

        def session() -> None:
            conversation = company.conversation()
            for _ in range(20):
                _, answer = runs.run(
                    "How many?", conversation=conversation, caller=company.caller("ana")
                )
                ended.append(answer.status)
                if answer.status != "answered":
                    assert answer.refusal is not None
                    assert answer.refusal.rule == f"agent.{unit}_per_day"
                    return

        threads = [threading.Thread(target=session) for _ in range(SESSIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        runs.close()
        billed = sum(len(r.encode()) + OUTPUT for r in server.requests)
    assert ended.count("halted") == SESSIONS
    assert set(ended) <= {"answered", "halted"}
    reserved, booked = spent(company, "tokens" if unit == "tokens" else "model_micros")
    assert reserved == 0
    assert limit // 2 < booked <= limit
    assert billed == booked


PROCESSES = 4
_LIMIT = 120_000
_SERVER = "model.txt"


def two_sessions(where: str, number: int) -> list[str]:
    """Asks in two sessions of a process of its own until they are halted; how each turn ended."""
    del number
    home = Path(where)
    company = make_company(home)
    price = ModelPrice(input_price=1, output_price=1)
    limited(company, price=price, tokens_per_day=_LIMIT)
    runs = runs_at(company, (home / _SERVER).read_text())
    ended: list[str] = []

    def session() -> None:
        conversation, caller = company.conversation(), company.caller("ana")
        for _ in range(20):
            _, answer = runs.run("How many?", conversation=conversation, caller=caller)
            ended.append(answer.refusal.rule if answer.refusal else answer.status)
            if answer.status != "answered":
                return

    threads = [threading.Thread(target=session) for _ in range(SESSIONS // PROCESSES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    runs.close()
    company.close()
    return ended


@pytest.mark.slow
def test_eight_sessions_of_four_processes_never_pass_a_budget(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make_company(home).close()
    with serving(choose=greedy) as server:
        (home / _SERVER).write_text(server.setting)
        told = run_in_processes(PROCESSES, two_sessions, home)
        billed = sum(len(r.encode()) + OUTPUT for r in server.requests)
    ended = [end for of_one in told for end in of_one]
    assert set(ended) <= {"answered", "agent.tokens_per_day"}
    assert ended.count("agent.tokens_per_day") == SESSIONS
    company = make_company(home)
    reserved, booked = spent(company, "tokens")
    company.close()
    assert reserved == 0
    assert billed == booked
    assert _LIMIT // 2 < booked <= _LIMIT


@pytest.mark.parametrize("key", ["task_model_tokens", "model_tokens_per_month"])
def test_a_run_that_has_used_up_its_tokens_is_halted_and_says_so(
    company: Company, key: str
) -> None:
    worst = 30_000
    limited(company, Limits.model_validate({key: worst}), unknown_price="tokens_only")
    with serving(Say(text="I.", calls=[READ], usage=(20_000, 100))) as server:
        runs = runs_against(company, server)
        turn, answer = company.ask("How many?", runs=runs)
        runs.close()
        assert len(server.requests) == 1
    assert answer.status == "halted"
    assert answer.refusal is not None
    assert answer.refusal.rule == f"limit.{key}"
    assert "30,000 tokens" in answer.text
    with company.store.read() as conn:
        assert turns.get(conn, turn).state == "halted"
    events = [r.event for r in company.log.tail(1_000)]
    assert [e.outcome for e in events if e.type == "agent.failed"] == ["denied"]
    assert [e.summary for e in events if e.summary.startswith("Denied")] == [f"Denied: limit.{key}"]


def test_a_model_without_a_price_is_not_asked(company: Company) -> None:
    limited(company)
    with serving(Say(text="Done.")) as server:
        runs = runs_against(company, server)
        _, answer = company.ask("How many?", runs=runs)
        runs.close()
        assert server.requests == []
    assert answer.status == "refused"
    assert answer.refusal is not None
    assert answer.refusal.rule == "model.price_unknown"


def test_requests_the_provider_refused_cost_nothing_and_broken_ones_the_worst(
    company: Company,
) -> None:
    limited(company, unknown_price="tokens_only")
    cut = Say(text="Many words, many words.", cut=3)
    with serving(
        Fail(status=429, retry_after="0"), cut, Say(text="Done.", usage=(70, 7))
    ) as server:
        runs = runs_against(company, server)
        _, answer = company.ask("How many?", runs=runs)
        runs.close()
        largest = max(len(r.encode()) for r in server.requests)
    assert answer.text == "Done."
    reserved, booked = spent(company, "tokens")
    assert reserved == 0
    assert booked >= 77 + largest + OUTPUT


def test_an_answer_whose_use_nobody_counted_costs_the_worst(company: Company) -> None:
    limited(company, unknown_price="tokens_only")
    with serving(Say(text="Done.", usage=None)) as server:
        runs = runs_against(company, server)
        company.ask("How many?", runs=runs)
        runs.close()
        assert spent(company, "tokens")[1] >= len(server.requests[0].encode()) + OUTPUT


@pytest.mark.parametrize("usage", [(10**30, 10**30), (-5, -5), (0, 0)])
def test_a_provider_that_counts_nonsense_breaks_nothing(
    company: Company, usage: tuple[int, int]
) -> None:
    limited(company, unknown_price="tokens_only")
    with serving(Say(text="Done.", usage=usage)) as server:
        runs = runs_against(company, server)
        _, answer = company.ask("How many?", runs=runs)
        runs.close()
    assert answer.text == "Done."
    assert spent(company, "tokens")[1] > OUTPUT


def test_every_request_names_the_most_it_may_be_answered_with(company: Company) -> None:
    limited(company, unknown_price="tokens_only")
    with serving(Say(text="Done.")) as server:
        runs = runs_against(company, server)
        company.ask("How many?", runs=runs)
        runs.close()
        sent = json.loads(server.requests[0])
    assert OUTPUT in (sent.get("max_tokens"), sent.get("max_completion_tokens"))


def test_a_run_that_takes_too_long_is_halted(company: Company) -> None:
    limited(company, unknown_price="tokens_only", max_seconds=1)
    with serving(Say(text="Done.")) as server:
        server.gate.clear()
        runs = runs_against(company, server)
        _, answer = company.ask("How many?", runs=runs)
        runs.close()
    assert answer.status == "halted"
    assert answer.refusal is not None
    assert answer.refusal.rule == "agent.max_seconds"
    assert answer.text.startswith("Halted. One question may take 1 seconds.")


def test_a_run_that_needs_too_many_steps_is_halted(company: Company) -> None:
    limited(company, unknown_price="tokens_only", max_requests=2)
    with serving(Say(text="I.", calls=[READ])) as server:
        runs = runs_against(company, server)
        _, answer = company.ask("How many?", runs=runs)
        runs.close()
        assert len(server.requests) == 2
    assert answer.status == "halted"
    assert answer.refusal is not None
    assert answer.refusal.rule == "agent.max_requests"
