"""Recorded statements judged again: by the policy in force and by one that might be. Nothing runs.

The trail knows a statement's shape and a keyed hash of its text, never the text. The texts are
those that the store keeps (`guard.kept`); a text belongs to a record when its keyed hash is the
recorded one. The call of a template is made again under both policies, with the arguments it had.
Statements without a kept text are counted, not guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from pydantic import TypeAdapter

from audit import Action, Agent, AuditEvent, AuditLog, Filter
from guard.caller import Caller
from guard.catalog import Catalog
from guard.decision import Allow, Hold
from guard.errors import ConfigurationError, Refused, SourceUnavailable
from guard.explaining import explain
from guard.inforce import InForce
from guard.judging import scope_in
from guard.kept import Kept, kept
from guard.logtext import without_literals
from guard.policyfile import Policy
from guard.principal import Principal
from guard.source import Sources, reach_of
from redaction import mask_tokens
from store import Store

Turned = Literal[
    "allowed to denied",
    "denied to allowed",
    "masks",
    "another statement",
    "rows or limits",
    "rule",
]
"""`another statement`: the template sends it for the same arguments."""
How = Literal["conversation", "command line", "console"]
"""Where a statement came from."""
_PAGE = 500
_EXAMPLE = 400


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a policy makes of one statement."""

    decision: Literal["allowed", "held", "denied"]
    rule: str
    masked: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    sql: str = field(default="", repr=False)

    @property
    def runs(self) -> bool:
        """True where the statement would get somewhere: rows, or a change request."""
        return self.decision != "denied"


@dataclass(frozen=True, kw_only=True)
class Flip:
    """Statements of one person that turn out alike: how, by which rules, and one of their shapes.

    `gained` and `lost` are masked columns, row filters or limits that come or go.
    """

    person: str
    source: str
    turned: Turned
    before: str
    after: str
    statements: int
    example: str
    gained: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What a replay found. `recorded` = `judged` + all of `skipped`, which says why for each count.

    `base` and `candidate` are the SHA-256 of the two policies.
    """

    base: str
    candidate: str
    recorded: int
    judged: int
    skipped: tuple[tuple[str, int], ...]
    flips: tuple[Flip, ...]
    notes: tuple[str, ...] = ()

    def as_json(self) -> str:
        """Returns it as the store keeps it."""
        return _REPLAY.dump_json(self).decode()

    @staticmethod
    def read(text: str) -> Replay:
        """Returns what `as_json` wrote."""
        return _REPLAY.validate_json(text)


_REPLAY = TypeAdapter(Replay)


@dataclass(frozen=True, kw_only=True)
class _Recorded:
    how: How
    person: str
    source: str
    hmac: str
    template: str | None


@dataclass
class _Found:
    judged: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    flips: dict[tuple[object, ...], list[str]] = field(default_factory=dict)


class Replayer:
    """Judges recorded statements again. Safe to share between threads."""

    def __init__(
        self,
        *,
        store: Store,
        log: AuditLog,
        policies: InForce,
        sources: Sources,
        look_up: Callable[[str], Principal | None],
    ) -> None:
        self._store = store
        self._log = log
        self._policies = policies
        self._sources = sources
        self._look_up = look_up

    def run(
        self,
        candidate: Policy,
        *,
        last: int,
        progress: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> Replay:
        """Returns how the last statements turn out under `candidate`, compared with now.

        Both judgements are for the people as they are now. `progress` is told how many of how many
        are done; what it raises ends the replay, and nothing of it is kept.

        Raises:
            audit.AuditError, StoreError: the records cannot be read.
        """
        base = self._policies.current()
        recorded = tuple(self._recorded(last))
        texts = kept(self._store, self._log.digest, base)
        found, people = _Found(), dict[str, Principal | None]()
        catalogs = _Catalogs(base, candidate, self._sources)
        for done, one in enumerate(recorded):
            progress(done, len(recorded))
            if one.person not in people:
                people[one.person] = self._look_up(one.person)
            text = texts.get((one.hmac, one.template))
            self._judge(one, text, people[one.person], catalogs, found)
        progress(len(recorded), len(recorded))
        return Replay(
            base=base.sha256,
            candidate=candidate.sha256,
            recorded=len(recorded),
            judged=found.judged,
            skipped=tuple(found.skipped.most_common()),
            flips=_flips(found),
            notes=catalogs.notes,
        )

    def _recorded(self, last: int) -> Iterator[_Recorded]:
        """The statements decided on, newest first; each call on the gate once."""
        offset, given = 0, 0
        wanted = Filter(types=("policy.decided",))
        while given < last:
            page = self._log.search(wanted, limit=_PAGE, offset=offset).records
            for record in page:
                one = _statement(record.event)
                if one is not None and given < last:
                    given += 1
                    yield one
            if len(page) < _PAGE:
                return
            offset += _PAGE

    def _judge(
        self,
        one: _Recorded,
        sent: Kept | None,
        person: Principal | None,
        catalogs: _Catalogs,
        found: _Found,
    ) -> None:
        if person is None or sent is None or mask_tokens(sent.sql):
            unknown = _NO_TEXT["template" if one.template else one.how]
            no_text = unknown if sent is None else _PSEUDONYM
            found.skipped[_GONE if person is None else no_text] += 1
            return
        caller = Caller(principal=person, channel="console")
        try:
            before = _outcome(
                sent, one.source, caller, catalogs.base, partial(catalogs.now, one.source)
            )
        except (SourceUnavailable, ConfigurationError):
            found.skipped[f"the source {one.source} cannot be read now"] += 1
            return
        try:
            after = _outcome(
                sent, one.source, caller, catalogs.candidate, partial(catalogs.then, one.source)
            )
        except (SourceUnavailable, ConfigurationError):
            after = Outcome(decision="denied", rule="source.unavailable")
        found.judged += 1
        turned = _turned(before, after)
        if turned is not None:
            differs = _differs(before, after)
            group = (person.name, one.source, turned, before.rule, after.rule, *differs)
            shape = without_literals(sent.sql, catalogs.base.sources[one.source].engine)
            shape = f"{one.template}: {shape}" if one.template else shape
            found.flips.setdefault(group, []).append(shape[:_EXAMPLE])


class _Catalogs:
    """The sources' tables, tagged by one policy and by the other, each read once."""

    def __init__(self, base: Policy, candidate: Policy, sources: Sources) -> None:
        self.base = base
        self.candidate = candidate
        self._sources = sources
        self._then: dict[str, Catalog] = {}

    def now(self, source: str) -> Catalog:
        return self._sources.get(source).catalog()

    def then(self, source: str) -> Catalog:
        if source not in self._then:
            tags, plain = self.candidate.sources[source].tags, self.now(source).untagged()
            missing = plain.unknown_tags(tags)
            if missing:
                raise SourceUnavailable(f"The policy tags {missing[0]}, and there is none.")
            self._then[source] = plain.tagged(tags)
        return self._then[source]

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of how the two were compared."""
        both = [n for n in self.candidate.sources if n in self.base.sources]
        return tuple(
            f"{name} is reached in another way by this policy; its statements were judged by the "
            "tables of the database as it is reached now."
            for name in both
            if reach_of(self.candidate, name) != reach_of(self.base, name)
        )


_NO_TEXT = {
    "conversation": "too long ago, so that only its shape is kept",
    "command line": "sent on the command line, which keeps no text",
    "console": "made by the console itself, to list values that questions may name",
    "template": "sent by a template whose arguments are not kept, or that was another one then",
}
_PSEUDONYM = "looks up a pseudonym, which only its conversation can resolve"
_GONE = "by an account that may not act any more"


def _statement(event: AuditEvent) -> _Recorded | None:
    action = event.part(Action)
    if action is None or action.kind != "statement" or action.statement_hmac is None:
        return None
    typed: How = "command line" if event.actor.auth == "command_line" else "console"
    return _Recorded(
        how="conversation" if event.session is not None else typed,
        person=event.actor.on_behalf_of or event.actor.id,
        source=action.source or "",
        hmac=action.statement_hmac,
        template=agent.tool if (agent := event.part(Agent)) is not None else None,
    )


def _outcome(
    sent: Kept, source: str, caller: Caller, policy: Policy, catalog: Callable[[], Catalog]
) -> Outcome:
    """What a policy makes of the call. Raises what `explain` does."""
    try:
        sql = sent.under(policy, scope_in(policy, caller, source))
    except Refused as refused:
        return Outcome(decision="denied", rule=refused.refusal.rule)
    explained = explain(sql, source, caller, policy, catalog)
    if explained.refusal is not None:
        return Outcome(decision="denied", rule=explained.refusal.rule)
    decision = explained.judgement.decision if explained.judgement else None
    if isinstance(decision, Hold):
        approvers = (f"{decision.approvers} must approve",)
        return Outcome(decision="held", rule=decision.rule, limits=approvers, sql=sql)
    if not isinstance(decision, Allow):
        return Outcome(decision="denied", rule="guard.failed")
    terms = decision.terms
    return Outcome(
        decision="allowed",
        rule=decision.rule,
        masked=tuple(c.name for c in explained.columns if c.masked is not None),
        rows=tuple(f"{table}: {condition}" for table, condition in terms.row_filters),
        limits=tuple(f"{key} = {value}" for key, value in terms.limits.model_dump().items()),
        sql=sql,
    )


def _turned(before: Outcome, after: Outcome) -> Turned | None:
    if before.runs != after.runs:
        return "allowed to denied" if before.runs else "denied to allowed"
    if before.masked != after.masked:
        return "masks"
    if before.sql != after.sql:
        return "another statement"
    if (before.rows, before.limits) != (after.rows, after.limits):
        return "rows or limits"
    return "rule" if (before.rule, before.decision) != (after.rule, after.decision) else None


def _differs(before: Outcome, after: Outcome) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What comes and what goes, of masked columns, row filters and limits."""
    if not (before.runs and after.runs):
        return (), ()

    def facts(one: Outcome) -> list[str]:
        return [*(f"{c} masked" for c in one.masked), *one.rows, *one.limits]

    old, new = facts(before), facts(after)
    return tuple(f for f in new if f not in old), tuple(f for f in old if f not in new)


_ORDER: dict[object, int] = {
    "denied to allowed": 0,
    "masks": 1,
    "another statement": 2,
    "allowed to denied": 3,
    "rows or limits": 4,
    "rule": 5,
}


def _flips(found: _Found) -> tuple[Flip, ...]:
    flips = [
        Flip(
            person=str(person),
            source=str(source),
            turned=turned,  # type: ignore[arg-type]  # put in by `_judge`
            before=str(before),
            after=str(after),
            statements=len(shapes),
            example=shapes[0],
            gained=gained,  # type: ignore[arg-type]  # put in by `_judge`
            lost=lost,  # type: ignore[arg-type]  # put in by `_judge`
        )
        for (person, source, turned, before, after, gained, lost), shapes in found.flips.items()
    ]
    return tuple(sorted(flips, key=lambda f: (_ORDER[f.turned], f.person, -f.statements)))
