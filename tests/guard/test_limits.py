"""Each limit by source, by role and by person refuses with its own rule and says what is left."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guard import Interrupted, Refused, Result
from guard.engines.base import Cancel, Estimate
from guard.limitpolicy import Limits, joined
from guard.policyfile import EnvironmentPolicy, PersonPolicy
from store import ledger
from tests.company import Company

NUMBERS = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) SELECT i FROM n"
)
SLOW = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900000000) "
    "SELECT max(i) FROM n"
)
MIDNIGHT = "There is more from 1 July 2026, 00:00 UTC."

Layer = Callable[[Company, dict[str, Any]], None]


def by_source(company: Company, keys: dict[str, Any]) -> None:
    change_shop(company, limits=Limits(**keys))


def change_shop(company: Company, currency: str = "EUR", **keys: Any) -> None:
    policy = company.parts.policy
    shop = policy.sources["shop"].model_copy(update=keys)
    company.enforce(policy.model_copy(update={"sources": {"shop": shop}, "currency": currency}))
    company.parts.sources.get("shop").settings = shop


def by_role(company: Company, keys: dict[str, Any]) -> None:
    policy = company.parts.policy
    role = policy.roles["analysts"].model_copy(update={"limits": Limits(**keys)})
    company.enforce(policy.model_copy(update={"roles": {**policy.roles, "analysts": role}}))


def by_person(company: Company, keys: dict[str, Any]) -> None:
    people = {"ana": PersonPolicy(limits=Limits(**keys))}
    company.enforce(company.parts.policy.model_copy(update={"people": people}))


LAYERS = [by_source, by_role, by_person]


@pytest.fixture(autouse=True)
def _frozen(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = dt.datetime(2026, 6, 30, 9, 0, 30, tzinfo=dt.UTC)
    monkeypatch.setattr(company.store, "now", lambda: moment)


def run(
    company: Company, sql: str = "SELECT id FROM orders", *, session: str = "s1", request: str = "t"
) -> Result:
    caller = replace(company.caller("ana", session=session), request=request)
    return company.parts.gate.query(sql, source="shop", caller=caller)


def refusal(company: Company, sql: str = "SELECT id FROM orders", **of: str) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        run(company, sql, **of)
    return caught.value.refusal.rule, caught.value.refusal.reason


# (keys, statements that pass, the one that does not, its rule, what it says)
COUNTED = [
    (
        {"calls_per_minute": 2},
        "You may send 2 statements a minute and 0 are left. There are more in 30 seconds.",
    ),
    (
        {"session_calls_per_minute": 2},
        "One conversation may send 2 statements a minute and 0 are left. There are more in 30 "
        "seconds.",
    ),
    (
        {"tool_calls_per_minute": 2},
        "The tool run_query may be called 2 times a minute and 0 calls are left. There are more "
        "in 30 seconds.",
    ),
    (
        {"task_statements": 2},
        "One question may send 2 statements and 0 are left. Ask a new question to go on.",
    ),
    (
        {"rows_per_day": 9, "display_rows": 4},
        f"You may be shown 9 rows a day and 1 are left; this may show 4. {MIDNIGHT}",
    ),
    (
        {"rows_per_month": 9, "display_rows": 4},
        f"You may be shown 9 rows a month and 1 are left; this may show 4. {MIDNIGHT}",
    ),
    (
        {"task_rows": 9, "display_rows": 4},
        "One question may be shown 9 rows and 1 are left; this may show 4. Ask a new question to "
        "go on.",
    ),
]


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(("keys", "said"), COUNTED, ids=lambda v: str(v)[:30])
def test_what_is_used_up_refuses_the_third_statement(
    company: Company, layer: Layer, keys: dict[str, Any], said: str
) -> None:
    layer(company, keys)
    run(company)
    run(company)
    assert refusal(company) == (f"limit.{next(iter(keys))}", said)


WORST = {
    "seconds_per_day": f"may run for 5 s a day and 5 s are left; this may take 6 s. {MIDNIGHT}",
    "seconds_per_month": f"may run for 5 s a month and 5 s are left; this may take 6 s. {MIDNIGHT}",
    "task_seconds": "may run for 5 s and 5 s are left; this may take 6 s. Ask a new question to "
    "go on.",
    "cost_per_day": f"cost 1.00 EUR a day and 1.00 EUR is left; this may cost 1.20 EUR. {MIDNIGHT}",
    "cost_per_month": "cost 1.00 EUR a month and 1.00 EUR is left; this may cost 1.20 EUR. "
    f"{MIDNIGHT}",
    "task_cost": "cost 1.00 EUR and 1.00 EUR is left; this may cost 1.20 EUR. Ask a new question "
    "to go on.",
}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_statement_may_not_take_or_cost_more_than_is_left(company: Company, layer: Layer) -> None:
    for key, said in WORST.items():
        money = "cost" in key
        priced(company, cost_per_second=200_000 if money else 0)
        layer(company, {key: 1_000_000 if money else 5, "timeout_seconds": 6})
        rule, reason = refusal(company)
        assert rule == f"limit.{key}"
        assert reason.endswith(said)


@pytest.mark.parametrize("layer", LAYERS)
def test_over_the_hard_cap_nothing_is_shown(company: Company, layer: Layer) -> None:
    layer(company, {"max_rows": 50, "display_rows": 20})
    at_the_cap = run(company, NUMBERS.format(50))
    assert (at_the_cap.table.num_rows, at_the_cap.truncated, at_the_cap.limit) == (20, True, 20)
    rule, reason = refusal(company, NUMBERS.format(51))
    assert rule == "limit.max_rows"
    assert reason == (
        "This returns more than 50 rows, the most a statement may return, so none are shown."
    )
    assert "query.failed" in company.events()
    assert run(company, NUMBERS.format(51) + " LIMIT 3").table.num_rows == 3


@pytest.mark.parametrize("layer", LAYERS)
def test_a_result_with_too_many_bytes_is_refused(company: Company, layer: Layer) -> None:
    layer(company, {"max_bytes": 2_000})
    rule, reason = refusal(company, NUMBERS.format(900))
    assert rule == "limit.max_bytes"
    assert "larger than 2,000 bytes" in reason


@pytest.mark.parametrize("layer", LAYERS)
def test_a_statement_is_stopped_at_its_time(company: Company, layer: Layer) -> None:
    layer(company, {"timeout_seconds": 0.3})
    rule, reason = refusal(company, SLOW)
    assert rule == "limit.timeout_seconds"
    assert reason == "It was stopped on the server after 0.3 s, the longest a statement may run."
    assert "query.cancelled" in company.events()


@pytest.mark.parametrize("layer", LAYERS)
def test_so_many_run_at_once_and_no_more(company: Company, layer: Layer) -> None:
    layer(company, {"parallel": 1})
    cancel = Cancel()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            company.parts.gate.query,
            SLOW,
            source="shop",
            caller=company.caller("ana"),
            cancel=cancel,
        )
        while "query.intent" not in company.events():
            assert not running.done()
        assert refusal(company) == (
            "limit.parallel",
            "1 of your statements are running and 0 more may run at once. Wait for one to end.",
        )
        cancel.set()
    assert run(company).rows()


def estimating(company: Company, monkeypatch: pytest.MonkeyPatch, told: Estimate | None) -> None:
    engine = company.parts.sources.get("shop").engine
    monkeypatch.setattr(engine, "estimate", lambda _: told)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(
    ("what", "does"), [("rows", "return about 5,001 rows"), ("bytes", "read about 5,001 bytes")]
)
def test_what_the_source_expects_is_refused_before_it_runs(
    company: Company, layer: Layer, what: str, does: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer(company, {f"max_estimated_{what}": 5_000})
    estimating(company, monkeypatch, Estimate(rows=5_000, bytes=5_000))
    run(company)
    intents = company.events().count("query.intent")
    estimating(company, monkeypatch, Estimate(**{"rows": 1, "bytes": 1, what: 5_001}))
    rule, reason = refusal(company)
    assert rule == f"limit.max_estimated_{what}"
    assert reason == f"The database expects this to {does}; 5,000 are allowed."
    assert company.events().count("query.intent") == intents


@pytest.mark.parametrize("layer", LAYERS)
def test_a_source_without_estimates_is_refused_unless_the_policy_lets_it_run(
    company: Company, layer: Layer
) -> None:
    layer(company, {"max_estimated_rows": 5_000})
    rule, reason = refusal(company)
    assert rule == "limit.without_estimate"
    assert reason.endswith("and shop gives no estimate of its rows.")
    layer(company, {"max_estimated_rows": 5_000, "without_estimate": "run"})
    assert run(company).rows()


def priced(company: Company, **price: int) -> None:
    change_shop(company, **price)


def test_the_price_of_what_is_read_is_reserved_once_it_is_known(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    priced(company, cost_per_gb=5_000_000)
    by_person(company, {"cost_per_day": 12_000_000})
    estimating(company, monkeypatch, Estimate(rows=1, bytes=1_000_000_000))
    run(company)
    run(company)
    rule, reason = refusal(company)
    assert rule == "limit.cost_per_day"
    assert "12.00 EUR a day and 2.00 EUR is left; this may cost 5.00 EUR." in reason
    used = company.parts.budget.use([company.person("ana").id])
    assert used[(company.person("ana").id, "cost_micros")].today == 10_000_000


def test_what_was_not_used_is_given_back(company: Company) -> None:
    by_person(company, {"rows_per_day": 1_100, "seconds_per_day": 30})
    for _ in range(20):
        run(company)  # reserves 1,000 rows and 20 seconds, uses 4 rows and next to no time
    used = company.parts.budget.use([company.person("ana").id])
    assert used[(company.person("ana").id, "rows")].today == 80
    assert used[(company.person("ana").id, "ms")].month < 10_000


def test_the_advice_to_limit_the_rows_is_true(company: Company) -> None:
    by_person(company, {"rows_per_day": 10})
    with pytest.raises(Refused) as caught:
        run(company)
    assert caught.value.refusal.alternative == "Ask for fewer rows, with LIMIT 10."
    assert len(run(company, "SELECT id FROM orders LIMIT 3").rows()) == 3


def test_the_record_of_a_statement_says_what_is_left(company: Company) -> None:
    by_person(company, {"calls_per_minute": 5, "rows_per_day": 5_000})
    run(company)
    record = next(r for r in company.log.tail(10) if r.event.type == "query.intent")
    limits = record.event.document({})["limits"]
    assert (limits["queries_left"], limits["rows_left"]) == (4, 4_000)


def test_the_later_layer_wins_and_of_roles_the_largest() -> None:
    everybody = Limits(display_rows=1, max_rows=1, parallel=1, calls_per_minute=1)
    found = joined(
        everybody,
        [Limits(display_rows=2, max_rows=2), Limits(max_rows=3, parallel=3)],
        [Limits(parallel=4, calls_per_minute=9), Limits(parallel=5, calls_per_minute=8)],
        Limits(calls_per_minute=2),
    )
    assert (found.display_rows, found.max_rows, found.parallel, found.calls_per_minute) == (
        2, 3, 5, 2,
    )  # fmt: skip
    assert found.rows_per_day == everybody.rows_per_day


def test_an_environment_sets_limits_and_closes_writes(company: Company) -> None:
    production = EnvironmentPolicy(limits=Limits(display_rows=2), writes=False)
    policy = company.parts.policy
    company.enforce(policy.model_copy(update={"environments": {"production": production}}))
    assert run(company).limit == 2
    with pytest.raises(Refused) as caught:
        company.parts.gate.propose(
            "UPDATE orders SET status = 'x' WHERE id = 1",
            source="shop",
            caller=company.caller("ana"),
            reason="x",
        )
    assert caught.value.refusal.rule == "environment.read_only"


def test_eight_sessions_at_once_never_pass_a_budget(company: Company) -> None:
    by_person(company, {"rows_per_day": 100, "parallel": 100, "calls_per_minute": 10_000})

    rules = set[str]()

    def ask(number: int) -> int:
        try:
            return len(run(company, "SELECT id FROM orders LIMIT 4", session=str(number)).rows())
        except Refused as refused:
            rules.add(refused.refusal.rule)
            return 0

    with ThreadPoolExecutor(8) as pool:
        shown = sum(pool.map(ask, [n % 8 for n in range(64)]))
    counter = ledger.Counter(
        scope=f"person:{company.person('ana').id}", window="day:2026-06-30", resource="rows"
    )
    with company.store.read() as conn:
        stands = ledger.balance(conn, counter)
    assert shown == stands.spent == 100
    assert rules == {"limit.rows_per_day"}
    assert stands.reserved == 0


def test_every_limit_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "limits.md").read_text(encoding="utf-8")
    assert [key for key in Limits.model_fields if f"`{key}`" not in page] == []


def test_a_source_too_slow_to_list_its_values_lists_none(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise Interrupted("timeout", "too slow")

    monkeypatch.setattr(company.parts.sources.get("shop").engine, "run", stopped)
    assert company.parts.gate.values("shop", company.caller("ana")) == {}
