"""Everything behind the pages and the command line, put together for one policy."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent import Analyst, ModelChoice, Runs, Vocabularies, choose
from audit import AuditLog
from guard import Gate, Principal
from guard.budget import Budget
from guard.engines import open_change_engine, open_engine
from guard.engines.embedded import EmbeddedEngine
from guard.inbox import Inbox
from guard.masking import Masking
from guard.policyfile import Policy, load_policy
from guard.previews import Previews
from guard.review import Review
from guard.reviewtrail import ReviewTrail
from guard.settlement import Settlement
from guard.source import Sources
from guard.trail import Trail
from guard.writer import Writer
from store import Store, accounts
from store.accounts import Account
from ui.home import POLICY_FILE
from ui.people import principal_of


class People:
    """Looks accounts up as they are now."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def by_id(self, account: str) -> Principal | None:
        """Returns the person, or None when there is none or the account is disabled."""
        with self._store.read() as conn:
            return _active(accounts.find(conn, account))

    def by_name(self, name: str) -> Principal | None:
        """Returns the person who signs in with that name; None as for `by_id`."""
        with self._store.read() as conn:
            return _active(accounts.by_name(conn, name))


def _active(account: Account | None) -> Principal | None:
    return None if account is None or account.disabled else principal_of(account)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The parts that depend on the policy. `open_parts` gives them; close them when replaced."""

    home: Path
    policy: Policy
    store: Store
    log: AuditLog
    people: People
    sources: Sources
    gate: Gate
    review: Review
    settlement: Settlement
    writer: Writer
    masking: Masking
    choice: ModelChoice
    runs: Runs
    vocabularies: Vocabularies

    def recover(self) -> None:
        """Settles what a crash left behind: changes first, then turns, then open intents."""
        self.settlement.recover()
        self.review.expire()
        self.runs.recover()
        self.log.reconcile()

    def close(self) -> None:
        """Stops the runs and ends every engine; the store and the log stay open."""
        self.runs.close()
        self.writer.close()
        self.sources.close()


def open_parts(
    home: Path, store: Store, log: AuditLog, environment: Mapping[str, str] = os.environ
) -> Parts:
    """Returns the parts for the policy in `home`. No source is opened yet.

    Raises:
        ConfigurationError: the policy, a secret or the model's name cannot be used; the message
            says which and what to do.
    """
    policy = load_policy(home / POLICY_FILE)
    choice = choose(environment.get("GATEHOUSE_MODEL"))
    people, masking = People(store), Masking()

    def read_engine(name: str) -> EmbeddedEngine:
        path = policy.database_of(name, environment)
        return open_engine(policy.sources[name].engine, path, source=name)

    sources = Sources(policy, read_engine)
    writer = Writer(
        store,
        lambda name: open_change_engine(
            policy.sources[name].engine,
            policy.database_of(name, environment),
            source=name,
            reader=sources.get(name).engine,
        ),
    )
    trail = ReviewTrail(log)
    settlement = Settlement(store, writer, sources, trail)
    review = Review(
        store=store,
        policy=policy,
        sources=sources,
        writer=writer,
        inbox=Inbox(store, policy, sources, masking),
        previews=Previews(store, writer, trail, policy.approvals),
        settlement=settlement,
        trail=trail,
        look_up=people.by_id,
    )
    gate = Gate(
        policy=policy,
        sources=sources,
        trail=Trail(log),
        budget=Budget(store),
        masking=masking,
        look_up=people.by_id,
        proposals=review,
    )
    vocabularies = Vocabularies(gate, home)
    analyst = Analyst(
        gate=gate, log=log, choice=choice, vocabularies=vocabularies, environment=environment
    )
    return Parts(
        home=home,
        policy=policy,
        store=store,
        log=log,
        people=people,
        sources=sources,
        gate=gate,
        review=review,
        settlement=settlement,
        writer=writer,
        masking=masking,
        choice=choice,
        runs=Runs(store, analyst, gate),
        vocabularies=vocabularies,
    )
