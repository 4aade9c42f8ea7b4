"""Runs against a real local server: answers stream, break off, are refused and are hostile."""

from __future__ import annotations

from collections.abc import Iterator

import pydantic_ai.models
import pytest

from agent import Answer
from agent.metered import ATTEMPTS, MAX_ANSWER_BYTES
from agent.toolset import MAX_CALLS
from store import steps, turns
from tests.agent.sse import Call, Fail, ModelServer, Raw, Say, runs_against, serving
from tests.agent.test_runs import until
from tests.company import EMAIL, SURNAME, Company

READ: Call = ("run_query", {"sql": "SELECT id, country FROM customers", "why": "x"})
LOOK = Say(text="I look at the countries.", calls=[READ])
DONE = Say(text="There are three people.")


@pytest.fixture(autouse=True)
def _models_allowed() -> Iterator[None]:
    """The only server that can be reached is the test's own."""
    with pydantic_ai.models.override_allow_model_requests(True):
        yield


def asked(company: Company, server: ModelServer) -> tuple[str, Answer]:
    runs = runs_against(company, server)
    try:
        return company.ask("Who are our customers?", runs=runs)
    finally:
        runs.close()


def tried(company: Company) -> list[str]:
    """Returns the summaries of the agent's own events."""
    return [r.event.summary for r in company.log.tail(1_000) if r.event.type == "agent.step"]


def executed(company: Company) -> int:
    return company.events().count("query.executed")


def test_an_answer_streams_with_its_tool_calls(company: Company) -> None:
    with serving(LOOK, DONE) as server:
        _, answer = asked(company, server)
    assert (answer.status, answer.text) == ("answered", "There are three people.")
    assert answer.interpretation == "I look at the countries."
    assert answer.notice is None
    assert all('"stream":true' in r.replace(" ", "") for r in server.requests)
    assert "Germany" in server.requests[1]
    assert not any(secret in r for r in server.requests for secret in (EMAIL, SURNAME))


def test_what_a_model_is_saying_is_kept_while_it_says_it(company: Company) -> None:
    with serving(Say(text="First words. " * 40, pieces=40, ahead=5)) as server:
        server.gate.clear()
        runs = runs_against(company, server)
        turn = runs.start("Who?", conversation=company.conversation(), caller=company.caller("ana"))

        def now() -> turns.Turn:
            with company.store.read() as conn:
                return turns.get(conn, turn)

        until(lambda: now().saying is not None)
        assert str(now().saying).startswith("First words.")
        server.gate.set()
        until(lambda: now().state == "done")
        runs.close()
        assert now().saying is None


def test_a_busy_provider_is_asked_again_after_the_time_it_names(company: Company) -> None:
    with serving(Fail(status=429, retry_after="0"), LOOK, DONE) as server:
        _, answer = asked(company, server)
    assert answer.status == "answered"
    assert len(server.requests) == 3
    assert "Asks the model again: status 429" in tried(company)


@pytest.mark.parametrize(
    "failure",
    [Fail(status=429, retry_after="3600"), Fail(status=401), Fail(status=400)],
    ids=["a long wait", "a wrong key", "a bad request"],
)
def test_what_will_not_pass_is_not_asked_again_and_the_planner_says_it_answers(
    company: Company, failure: Fail
) -> None:
    with serving(failure) as server:
        runs = runs_against(company, server)
        _, answer = company.ask("How many orders are there?", runs=runs)
        runs.close()
    assert len(server.requests) == 1
    assert answer.status == "answered"
    assert answer.notice is not None
    assert answer.notice.startswith("m at 127.0.0.1 could not be reached.")
    failed = [r.event.summary for r in company.log.tail(100) if r.event.type == "agent.failed"]
    said = f"m at 127.0.0.1 is away (status {failure.status}); the planner answers"
    assert failed == [said]


def test_the_planner_stands_in_for_a_model_that_went_away_in_the_middle(company: Company) -> None:
    with serving(LOOK, Fail(status=401)) as server:
        runs = runs_against(company, server)
        turn, answer = company.ask("How many orders are there?", runs=runs)
        runs.close()
    assert answer.status == "answered"
    assert answer.notice is not None
    assert answer.query is not None
    assert answer.query.startswith("planner-r0-")
    with company.store.read() as conn:
        ids = [s.call_id for s in steps.list_of(conn, turn)]
    assert ids == ["plan-0", "r0-1", "planner-plan-0", answer.query]


@pytest.mark.parametrize("cut", [0, 4, 12], ids=["at once", "in the text", "in the arguments"])
def test_a_dropped_stream_is_asked_for_again_and_no_half_call_runs(
    company: Company, cut: int
) -> None:
    dropped = Say(text="I look at the countries.", calls=[READ], cut=cut)
    with serving(dropped, LOOK, DONE) as server:
        turn, answer = asked(company, server)
    assert answer.status == "answered"
    assert len(server.requests) == 3
    assert executed(company) == 1
    with company.store.read() as conn:
        assert [s.call_id for s in steps.list_of(conn, turn)] == ["plan-0", "r0-1"]


def test_a_stream_that_ends_tidily_but_too_early_is_a_dropped_one(company: Company) -> None:
    early = Say(text="I look.", calls=[READ], ends=False)
    with serving(early, early, early, early) as server:
        runs = runs_against(company, server)
        _, answer = company.ask("How many orders are there?", runs=runs)
        runs.close()
    assert len(server.requests) == ATTEMPTS
    assert answer.notice is not None
    assert tried(company)[:2] == ["Asks the model again: the answer broke off"] * 2


def test_a_server_that_does_not_stream_is_asked_for_whole_answers(company: Company) -> None:
    look = Say(text="I look.", calls=[READ], streams=False)
    with serving(look, look, Say(text="Three.", streams=False)) as server:
        _, answer = asked(company, server)
    assert (answer.status, answer.text, answer.notice) == ("answered", "Three.", None)
    assert len(server.requests) == 3
    assert executed(company) == 1
    assert "Asks the model again: it does not stream" in tried(company)


HOSTILE: list[tuple[str, Say, str]] = [
    ("an unknown tool", Say(calls=[("approve_change", {"change": 1})]), "there is no such tool"),
    ("no JSON", Say(calls=[("run_query", '{"sql": "SELECT 1"')]), "its arguments are malformed"),
    ("not an object", Say(calls=[("run_query", "[1, 2]")]), "its arguments are malformed"),
    (
        "a smuggled field",
        Say(calls=[("run_query", {"sql": "SELECT 1", "why": "x", "approved": True})]),
        "its arguments are malformed",
    ),
    (
        "a huge statement",
        Say(calls=[("run_query", {"sql": "SELECT " + "1," * 60_000, "why": "x"})]),
        "its arguments are malformed",
    ),
]


@pytest.mark.parametrize(("call", "why"), [h[1:] for h in HOSTILE], ids=[h[0] for h in HOSTILE])
def test_a_hostile_call_is_refused_and_recorded(company: Company, call: Say, why: str) -> None:
    before = company.content()
    with serving(call, DONE) as server:
        _, answer = asked(company, server)
    assert any(said.endswith(why) for said in tried(company)), tried(company)
    assert executed(company) == 0
    assert company.content() == before
    assert answer.status == "answered"


def test_forged_and_repeated_call_ids_name_no_step(company: Company) -> None:
    forged = ["r0-0", "r0-0", "plan-0", "../x", "a" * 5_000]
    calls = Say(calls=[READ] * len(forged), ids=forged)
    with serving(calls, calls, DONE) as server:
        turn, answer = asked(company, server)
    assert answer.status == "answered"
    with company.store.read() as conn:
        ids = [s.call_id for s in steps.list_of(conn, turn)]
    assert ids == [f"r{answer}-{n}" for answer in range(2) for n in range(len(forged))]
    assert executed(company) == 2 * len(forged)


def test_of_a_hundred_calls_at_once_few_run_and_all_are_recorded(company: Company) -> None:
    with serving(Say(calls=[READ] * 100), DONE) as server:
        _, answer = asked(company, server)
    assert answer.status == "answered"
    assert executed(company) == MAX_CALLS
    refused = [s for s in tried(company) if s.endswith("too many calls in one answer")]
    assert len(refused) == 100 - MAX_CALLS
    assert tried(company).count("Calls run_query") == 100


def test_nothing_of_a_batch_runs_after_a_denial(company: Company) -> None:
    denied: Call = ("run_query", {"sql": "SELECT * FROM salaries", "why": "x"})
    with serving(Say(calls=[denied, READ, READ]), DONE) as server:
        _, answer = asked(company, server)
    assert (answer.status, len(server.requests)) == ("refused", 1)
    assert executed(company) == 0
    ended = [s for s in tried(company) if s.endswith("ended the run")]
    assert len(ended) == 2


def test_an_endless_answer_is_broken_off(company: Company) -> None:
    with serving(Say(text="x" * (2 * MAX_ANSWER_BYTES))) as server:
        _, answer = asked(company, server)
    assert answer.status == "failed"
    assert "usable answer" in answer.text


@pytest.mark.parametrize(
    "body",
    [b"", b"data: {\n\n", b"data: [DONE]\n\n", b"\xff\xfe\x00", b'data: {"choices": null}\n\n'],
)
def test_nonsense_is_no_answer(company: Company, body: bytes) -> None:
    with serving(Raw(body=body)) as server:
        _, answer = asked(company, server)
    assert answer.status in ("failed", "answered", "refused")
    assert answer.notice is not None or "usable answer" in answer.text
    assert len(server.requests) <= ATTEMPTS


def test_a_question_can_be_stopped_while_the_model_thinks(company: Company) -> None:
    with serving(DONE) as server:
        server.gate.clear()
        runs = runs_against(company, server)
        turn = runs.start("Who?", conversation=company.conversation(), caller=company.caller("ana"))
        until(lambda: len(server.requests) == 1)
        runs.stop(turn)

        def state() -> str:
            with company.store.read() as conn:
                return turns.get(conn, turn).state

        until(lambda: state() == "cancelled")
        runs.close()
