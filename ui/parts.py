"""Everything behind the pages and the command line, put together for one policy."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import telemetry
from agent import (
    Analyst,
    LayerDesk,
    Layers,
    ModelChoice,
    ModelConnection,
    Questions,
    Runs,
    SavedTrail,
    Vocabularies,
    choose,
)
from audit import AuditLog
from guard import ConfigurationError, Gate, Principal
from guard.accessdesk import AccessDesk
from guard.accessgrants import openings_of
from guard.accesstrail import AccessTrail
from guard.budget import Budget
from guard.earned import EarnedTrust
from guard.engines import Engine, open_change_engine, open_engine
from guard.engines.base import ChangeEngine
from guard.inbox import Inbox
from guard.inforce import InForce
from guard.logtext import log_safe
from guard.masking import Masking
from guard.modelbudget import ModelBudget
from guard.notices import Notices
from guard.policydesk import PolicyDesk
from guard.policyfile import Policy
from guard.previews import Previews
from guard.replay import Replayer
from guard.response import Responses
from guard.revealbudget import RevealBudget
from guard.review import Review
from guard.reviewtrail import ReviewTrail
from guard.settlement import Settlement
from guard.source import Sources
from guard.standing import Standing
from guard.trail import Trail
from guard.unattended import Unattended
from guard.writer import Writer
from notify import Courier
from redaction import RedactionError, configure_from
from store import Connection, Store, access, accounts
from store.access import AccessRequest
from store.accounts import Account
from store.standing import standing
from ui.anchoring import Anchoring
from ui.environment import environment as known
from ui.home import POLICY_FILE
from ui.people import principal_of


class People:
    """Looks accounts up as they are now, with the access grants that hold at this moment."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def standing(self, account: str) -> Standing:
        """Returns the person and the version of the policy in force, from one snapshot."""
        now = self._store.now()
        with self._store.read() as conn:
            found = standing(conn, account, now=now)
        person = found.account
        if person is None or person.disabled:
            return Standing(principal=None, version=found.head)
        return Standing(principal=_person(person, found.grants, now), version=found.head)

    def by_id(self, account: str) -> Principal | None:
        """Returns the person, or None when there is none or the account is disabled."""
        return self.standing(account).principal

    def by_name(self, name: str) -> Principal | None:
        """Returns the person who signs in with that name; None as for `by_id`."""
        with self._store.read() as conn:
            return self._active(conn, accounts.by_name(conn, name))

    def _active(self, conn: Connection, account: Account | None) -> Principal | None:
        if account is None or account.disabled:
            return None
        now = self._store.now()
        return _person(account, access.live(conn, account.id, now=now), now)


def _person(account: Account, live: Sequence[AccessRequest], now: dt.datetime) -> Principal:
    openings = tuple(o for grant in live for o in openings_of(grant))
    return replace(principal_of(account), openings=openings, at=now)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts that depend on the policy. `open_parts` gives them; close them when replaced."""

    home: Path
    anchoring: Anchoring
    policies: InForce
    store: Store
    log: AuditLog
    people: People
    sources: Sources
    gate: Gate
    budget: Budget
    models: ModelBudget
    connection: ModelConnection
    review: Review
    responses: Responses
    earned: EarnedTrust
    courier: Courier
    access: AccessDesk
    governing: PolicyDesk
    replayer: Replayer
    settlement: Settlement
    writer: Writer
    masking: Masking
    choice: ModelChoice
    runs: Runs
    vocabularies: Vocabularies
    layers: LayerDesk
    questions: Questions

    @property
    def policy(self) -> Policy:
        """The policy in force now; another activation may change it at any moment."""
        return self.policies.current()

    def recover(self) -> None:
        """Settles what a crash left behind: changes first, then turns, then open intents."""
        self.settlement.recover()
        self.review.expire()
        self.access.expire()
        self.runs.recover()
        self.log.reconcile()

    def close(self) -> None:
        """Stops the runs and ends every engine; the store and the log stay open."""
        self.runs.close()
        self.review.close()
        self.writer.close()
        self.sources.close()
        telemetry.close()


def open_parts(
    home: Path, store: Store, log: AuditLog, environment: Mapping[str, str] | None = None
) -> Parts:
    """Returns the parts. No source is opened yet.

    The first start of all puts the policy file of `home` into force; later ones do not read it.

    Raises:
        ConfigurationError: the policy, a secret or the model's name cannot be used; the message
            says which and what to do.
    """
    variables = known() if environment is None else environment
    try:
        configure_from(variables)
    except RedactionError as error:
        raise ConfigurationError(str(error)) from error
    try:
        telemetry.configure_from(variables, log_safe)
    except telemetry.TelemetryError as error:
        raise ConfigurationError(str(error)) from error
    choice = choose(variables.get("GATEHOUSE_MODEL"))
    policies = InForce(store, home / POLICY_FILE)
    policies.begin(log)
    policies.current()
    people, masking = People(store), Masking()

    def read_engine(name: str, policy: Policy) -> Engine:
        address = policy.database_of(name, variables)
        engine = policy.sources[name].engine
        return open_engine(engine, address, source=name, reach=policy.reach_of(name))

    def change_engine(name: str, reader: Engine) -> ChangeEngine:
        policy = policies.current()
        return open_change_engine(
            policy.sources[name].engine,
            policy.write_database_of(name, variables),
            source=name,
            reader=reader,
            reach=policy.reach_of(name),
        )

    sources = Sources(policies, read_engine)
    writer = Writer(store, sources, change_engine)
    trail = ReviewTrail(log)
    settlement = Settlement(store, writer, sources, trail)
    notices = Notices(store, policies)
    earned = EarnedTrust(store, policies, sources, trail)
    review = Review(
        store=store,
        policies=policies,
        sources=sources,
        writer=writer,
        inbox=Inbox(store, policies, sources, masking, people.by_id),
        previews=Previews(
            store=store,
            writer=writer,
            sources=sources,
            trail=trail,
            notices=notices,
            policies=policies,
        ),
        settlement=settlement,
        trail=trail,
        notices=notices,
        unattended=Unattended(policies, earned),
        look_up=people.by_id,
    )
    budget = Budget(store)
    gate = Gate(
        policies=policies,
        sources=sources,
        trail=Trail(log),
        budget=budget,
        masking=masking,
        standing=people.standing,
        proposals=review,
        reveals=RevealBudget(store),
    )
    layers = Layers(store, home)
    vocabularies = Vocabularies(gate, layers)
    questions = Questions(store=store, gate=gate, trail=SavedTrail(log), look_up=people.by_id)
    replayer = Replayer(
        store=store, log=log, policies=policies, sources=sources, look_up=people.by_id
    )
    spending = ModelBudget(store, policies, Trail(log))
    analyst = Analyst(
        gate=gate,
        log=log,
        choice=choice,
        vocabularies=vocabularies,
        environment=variables,
        budget=spending,
        questions=questions,
    )
    anchoring = Anchoring(log, policies, variables, home / "audit")
    anchoring.follow()
    return Parts(
        home=home,
        anchoring=anchoring,
        policies=policies,
        store=store,
        log=log,
        people=people,
        sources=sources,
        gate=gate,
        budget=budget,
        models=spending,
        connection=ModelConnection(choice=choice, environment=variables, budget=spending, log=log),
        review=review,
        responses=Responses(store, policies),
        earned=earned,
        courier=Courier(store, policies, variables),
        access=AccessDesk(
            store=store,
            policies=policies,
            sources=sources,
            trail=AccessTrail(log),
            look_up=people.by_id,
        ),
        governing=PolicyDesk(
            store=store,
            log=log,
            policies=policies,
            sources=sources,
            replayer=replayer,
            look_up=people.by_id,
        ),
        replayer=replayer,
        settlement=settlement,
        writer=writer,
        masking=masking,
        choice=choice,
        runs=Runs(store, analyst, gate, people.by_id),
        vocabularies=vocabularies,
        layers=LayerDesk(
            store=store,
            log=log,
            layers=layers,
            catalog=lambda name: (
                sources.get(name).catalog(),
                policies.current().sources[name].free_text,
            ),
            look_up=people.by_id,
        ),
        questions=questions,
    )
