"""Budgets of requests to models: reserved at their worst, settled, never passed."""

from __future__ import annotations

import threading

import pytest

from guard import ModelBudget, ModelRequest, Refused
from guard.limitpolicy import Limits
from guard.modelpolicy import AgentPolicy, ModelPrice
from guard.modelrules import RULES
from guard.policyfile import ConfigurationError, parse_policy
from guard.trail import Trail
from store import ledger
from tests.company import POLICY, Company

PRICE = ModelPrice(input_price=1_000_000, output_price=2_000_000)
"""One and two millionths a token."""
REQUEST = ModelRequest(model="m", input_tokens=100, output_tokens=50)
WORST = 200
"""What it costs at most, in millionths."""
PLAIN = POLICY.replace('[agent]\nunknown_price = "tokens_only"\n', "")


def meter(company: Company, limits: Limits | None = None, **agent: object) -> ModelBudget:
    policy = company.parts.policy.model_copy(
        update={
            "agent": AgentPolicy.model_validate(agent),
            "models": {"m": PRICE},
            "limits": limits or Limits(),
        }
    )
    company.enforce(policy)
    return ModelBudget(company.store, company.parts.policies, Trail(company.log))


def spend(budget: ModelBudget, company: Company, used: tuple[int, int] | None = (10, 5)) -> None:
    caller = company.caller("ana", "agent").within(session="s", request="t", channel="agent")
    with budget.reserve(REQUEST, source="shop", caller=caller) as spending:
        if used is not None:
            spending.used(*used)


KEYS = [(r.place, r.key, 150 if r.resource == "tokens" else WORST) for r in RULES]


@pytest.mark.parametrize(("place", "key", "worst"), KEYS)
def test_each_budget_stops_at_its_own_rule(
    company: Company, place: str, key: str, worst: int
) -> None:
    limits = Limits.model_validate({key: worst}) if place == "limit" else None
    agent = {key: worst} if place == "agent" else {}
    budget = meter(company, limits, **agent)
    spend(budget, company)
    with pytest.raises(Refused) as refused:
        spend(budget, company)
    assert refused.value.refusal.rule == f"{place}.{key}"
    assert not refused.value.refusal.fixable
    denied = [r.event.summary for r in company.log.tail(100) if r.event.outcome == "denied"]
    assert denied == [f"Denied: {place}.{key}"]


def test_what_was_not_used_is_given_back_and_what_was_not_said_is_not(company: Company) -> None:
    budget = meter(company)
    spend(budget, company, used=(10, 5))
    spend(budget, company, used=None)
    now = company.store.now()
    counters = [
        ledger.Counter(
            scope=ledger.scope("person", company.person("ana").id),
            window=ledger.day(now),
            resource=resource,
        )
        for resource in ("tokens", "model_micros")
    ]
    with company.store.read() as conn:
        stands = [ledger.balance(conn, c) for c in counters]
    assert [(s.reserved, s.spent) for s in stands] == [(0, 15 + 150), (0, 20 + WORST)]


def test_a_request_that_failed_before_it_was_sent_costs_nothing(company: Company) -> None:
    budget = meter(company)
    caller = company.caller("ana", "agent")
    with budget.reserve(REQUEST, source="shop", caller=caller) as spending:
        spending.unsent()
    use = company.parts.budget.use([caller.principal.id])
    assert all(u.today == 0 for u in use.values())


def test_a_model_without_a_price_is_refused_until_an_admin_says_otherwise(
    company: Company,
) -> None:
    budget = meter(company)
    other = ModelRequest(model="other", input_tokens=1, output_tokens=1)
    caller = company.caller("ana", "agent")
    with (
        pytest.raises(Refused, match="no price for the model other") as refused,
        budget.reserve(other, source="shop", caller=caller),
    ):
        pytest.fail("it was granted")
    assert refused.value.refusal.rule == "model.price_unknown"
    budget = meter(company, unknown_price="tokens_only", tokens_per_day=1)
    with (
        pytest.raises(Refused) as spent,
        budget.reserve(other, source="shop", caller=caller),
    ):
        pytest.fail("it was granted")
    assert spent.value.refusal.rule == "agent.tokens_per_day"


def test_many_at_once_never_pass_a_budget(company: Company) -> None:
    granted = 33
    budget = meter(company, cost_per_day=granted * WORST)
    made: list[bool] = []

    def ask() -> None:
        for _ in range(8):
            try:
                spend(budget, company, used=None)
            except Refused:
                made.append(False)
            else:
                made.append(True)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), sum(made)) == (64, granted)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ('[models."m"]\ninput_price = 1', "models.m.output_price"),
        ('[models."m"]\ninput_price = -1\noutput_price = 1', "models.m.input_price"),
        ('[agent]\nunknown_price = "free"', "agent.unknown_price"),
        ("[agent]\nmax_seconds = 0", "agent.max_seconds"),
        ("[agent]\nbudget = 5", "unknown key agent.budget"),
    ],
)
def test_a_wrong_key_is_named(company: Company, part: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        parse_policy(f"{PLAIN}\n{part}\n".encode(), company.home / "policy.toml")
