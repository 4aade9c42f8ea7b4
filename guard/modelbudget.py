"""What requests to models may use: the worst case is reserved before each, settled after it.

The counters stand in the same ledger as those of statements, so they hold across tabs, processes
and instances, and no two requests share the last of a budget.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from guard.caller import Caller
from guard.errors import Refused, refuse
from guard.inforce import InForce
from guard.judging import scope_in
from guard.limitpolicy import Limits
from guard.limitrules import money, opens, window
from guard.modelpolicy import AgentPolicy, ModelPrice
from guard.modelrules import RULES, ModelRule
from guard.policyfile import Policy
from guard.trail import Trail
from store import IllegalMove, Store, StoreError, ledger
from store.ledger import Claim, Counter

_log = logging.getLogger(__name__)
_LAPSE = dt.timedelta(minutes=30)
"""When a request nobody settled counts as made; its process being dead ends it at once."""
_EVERYBODY = "all"
_MOST_TOKENS = 1_000_000_000
"""More than any request has; a provider that says so books no number the store cannot hold."""


@dataclass(frozen=True, kw_only=True)
class ModelRequest:
    """One request at its worst: the tokens it sends and those it may be answered with."""

    model: str
    input_tokens: int
    output_tokens: int


class ModelSpending:
    """What a request has used. Until `used` or `unsent` is called, that is the worst case."""

    def __init__(self, worst: ModelRequest) -> None:
        self._tokens = (worst.input_tokens, worst.output_tokens)

    def used(self, input_tokens: int, output_tokens: int) -> None:
        """Notes what the provider has counted, as far as that can be."""
        self._tokens = (min(input_tokens, _MOST_TOKENS), min(output_tokens, _MOST_TOKENS))

    def unsent(self) -> None:
        """Notes that the provider has done no work for it."""
        self._tokens = (0, 0)

    @property
    def tokens(self) -> tuple[int, int]:
        """Tokens sent and received."""
        return self._tokens


class ModelBudget:
    """The ledger's view of requests to models. Safe to share between threads."""

    def __init__(self, store: Store, policies: InForce, trail: Trail) -> None:
        self._store = store
        self._policies = policies
        self._trail = trail

    @property
    def settings(self) -> AgentPolicy:
        """What the policy in force says about runs."""
        return self._policies.current().agent

    @contextmanager
    def reserve(
        self,
        request: ModelRequest,
        *,
        source: str | None = None,
        caller: Caller | None = None,
    ) -> Iterator[ModelSpending]:
        """Reserves what the request may use at worst; send it inside the `with` block.

        Without a source and a caller it is a test of the model, on the account of everybody.

        Raises:
            Refused: a budget is used up (`limit.*`, `agent.*`) or the price is not known
                (`model.price_unknown`). Nothing was reserved; nothing may be sent.
            store.StoreError: the counters cannot be written; nothing may be sent.
            audit.AuditError: the refusal cannot be recorded.
        """
        policy = self._policies.current()
        try:
            price = _price(policy, request.model)
            limits = _limits(policy, source, caller)
            claims = tuple(_claims(policy, limits, caller, request, price, self._store.now()))
            held = self._granted(claims, policy)
        except Refused as refused:
            if caller is not None and source is not None:
                heard = self._trail.called("model", source, caller, policy)
                self._trail.denied(heard, refused.refusal, None)
            raise
        spending = ModelSpending(request)
        try:
            yield spending
        finally:
            self._settle(held, claims, spending.tokens, price)

    def _granted(self, claims: tuple[Claim, ...], policy: Policy) -> str:
        outcome = self._reserve(claims)
        if isinstance(outcome, ledger.Exhausted):
            with self._store.write_unsynced() as conn:
                swept = ledger.sweep(conn, now=self._store.now(), is_alive=self._store.is_alive)
            outcome = self._reserve(claims) if swept else outcome
        if isinstance(outcome, ledger.Exhausted):
            raise _exhausted(outcome, policy, self._store.now())
        return outcome.reservation

    def _reserve(self, claims: tuple[Claim, ...]) -> ledger.Granted | ledger.Exhausted:
        now = self._store.now()
        with self._store.write_unsynced() as conn:
            return ledger.reserve(
                conn, claims, now=now, lapses_at=now + _LAPSE, owner=self._store.instance
            )

    def _settle(
        self, held: str, claims: tuple[Claim, ...], tokens: tuple[int, int], price: ModelPrice
    ) -> None:
        spent = {c.counter: _amount(c.counter.resource, tokens, price) for c in claims}
        try:
            # Swept meanwhile: the worst was booked, so nothing is left to settle.
            with suppress(IllegalMove), self._store.write_unsynced() as conn:
                ledger.settle(conn, held, spent, now=self._store.now())
        except StoreError:
            _log.warning("a model request could not be settled; the worst case stays booked")


_NO_PRICE = ModelPrice(input_price=0, output_price=0)


def _price(policy: Policy, model: str) -> ModelPrice:
    known = policy.models.get(model)
    if known is not None:
        return known
    if policy.agent.unknown_price == "tokens_only":
        return _NO_PRICE
    raise refuse(
        "model.price_unknown",
        f"The policy has no price for the model {model}, so nothing was sent to it. An admin sets "
        f'[models."{model}"], or agent.unknown_price = "tokens_only".',
    )


def _limits(policy: Policy, source: str | None, caller: Caller | None) -> Limits:
    if caller is None or source is None:
        return policy.limits
    return scope_in(policy, caller, source).limits


def _claims(
    policy: Policy,
    limits: Limits,
    caller: Caller | None,
    request: ModelRequest,
    price: ModelPrice,
    now: dt.datetime,
) -> Iterator[Claim]:
    """A claim on each budget; those without a limit only count, so that an admin sees the use."""
    tokens = (request.input_tokens, request.output_tokens)
    for rule in RULES:
        of: Limits | AgentPolicy = limits if rule.place == "limit" else policy.agent
        scope = _scope(rule, caller)
        if scope is None:
            continue
        counter = Counter(scope=scope, window=window(rule.window, now), resource=rule.resource)
        yield Claim(
            counter=counter,
            amount=_amount(rule.resource, tokens, price),
            limit=getattr(of, rule.key),
        )


def _scope(rule: ModelRule, caller: Caller | None) -> str | None:
    if rule.scope == "everybody":
        return ledger.scope("everybody", _EVERYBODY)
    if caller is None:
        return None
    if rule.scope == "person":
        return ledger.scope("person", caller.principal.id)
    return ledger.scope("task", caller.request)


def _amount(resource: str, tokens: tuple[int, int], price: ModelPrice) -> int:
    return sum(tokens) if resource == "tokens" else price.of(*tokens)


def _exhausted(outcome: ledger.Exhausted, policy: Policy, now: dt.datetime) -> Refused:
    claim = outcome.claim
    kind = claim.counter.scope.partition(":")[0]
    rule = next(
        r
        for r in RULES
        if (r.scope, window(r.window, now), r.resource)
        == (kind, claim.counter.window, claim.counter.resource)
    )

    def told(amount: int) -> str:
        return f"{amount:,}" if rule.resource == "tokens" else money(amount, policy.currency)

    said = rule.sentence(told(claim.limit or 0), told(outcome.left), told(claim.amount))
    return refuse(rule.id, f"{said} {opens(rule.window, claim.counter.window, now)}")
