"""The safety checklist: each item tried for real, each failure with what to do about it."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import telemetry
from agent import Tried
from audit import AuditError
from guard import Caller, Deny, GuardError, Hold, Principal, Refused
from redaction import SessionKey, language_model, redact_text
from store import accounts
from ui import demo_mode
from ui.parts import Parts
from ui.setup import OPERATOR_SECRET


@dataclass(frozen=True, kw_only=True)
class Check:
    """One item. `detail` says how to mend it, or what was tried."""

    name: str
    passed: bool
    detail: str = ""


Progress = Callable[[str, float], None]
_NEVER_READ = (
    "DELETE FROM {table}",
    "ATTACH 'elsewhere.db' AS other",
    "PRAGMA writable_schema = 1",
    "COPY {table} TO 'copy.csv'",
    "SELECT 1; SELECT 2",
    "SELECT load_extension('x')",
    "SELECT * FROM a_table_nobody_declared",
)


def run_checks(parts: Parts, progress: Progress = lambda _what, _part: None) -> tuple[Check, ...]:
    """Returns every item, tried now. A check that cannot be carried out has failed.

    `progress` is told what is tried next and which part of all is done.
    """
    groups: tuple[Callable[[Parts], Iterator[Check]], ...] = (
        _sources,
        _engines,
        _refusals,
        _redaction,
        _people,
        _model,
        _policy,
        _trail,
        _files,
        _telemetry,
        _settings,
    )
    found: list[Check] = []
    for done, group in enumerate(groups):
        progress(f"the {_name(group)}", done / len(groups))
        found.extend(_guarded(group, parts))
    return tuple(found)


def _guarded(group: Callable[[Parts], Iterator[Check]], parts: Parts) -> Iterator[Check]:
    try:
        yield from group(parts)
    except (GuardError, AuditError, OSError) as error:
        yield Check(name=f"The {_name(group)} can be checked", passed=False, detail=str(error))


def _name(group: Callable[[Parts], Iterator[Check]]) -> str:
    return group.__name__.strip("_")


def _sources(parts: Parts) -> Iterator[Check]:
    for state in parts.sources.states():
        yield Check(
            name=f"{state.name}: reachable, and every tag names a column",
            passed=state.reachable,
            detail=state.problem or f"{state.tables} tables",
        )
        yield _budgets(parts, state.name)
        confirmed = parts.policy.sources[state.name].tags_confirmed
        yield Check(
            name=f"{state.name}: an admin has confirmed the column tags",
            passed=confirmed,
            detail=""
            if confirmed
            else "Read the tags in the policy, then set tags_confirmed = true.",
        )


def _budgets(parts: Parts, name: str) -> Check:
    """A source that costs money needs a limit on money; every other one on rows by day or month."""
    policy = parts.policy
    settings = policy.sources[name]
    environment = policy.environments.get(settings.environment)
    layers = [policy.limits, settings.limits, *([environment.limits] if environment else [])]
    costs = bool(settings.cost_per_second or settings.cost_per_gb)
    keys = ("cost_per_day", "cost_per_month") if costs else ("rows_per_day", "rows_per_month")
    passed = any(key in layer.model_fields_set for layer in layers for key in keys)
    return Check(
        name=f"{name}: a budget caps what one person may {'spend' if costs else 'read'}",
        passed=passed,
        detail="" if passed else f"Set {keys[0]} or {keys[1]} in its limits or in [limits].",
    )


def _engines(parts: Parts) -> Iterator[Check]:
    for name in parts.policy.sources:
        for probe in parts.sources.get(name).engine.probe():
            yield Check(name=f"{name}: {probe.name}", passed=probe.passed, detail=probe.detail)


def _refusals(parts: Parts) -> Iterator[Check]:
    everyone = _everyone(parts)
    for name in parts.policy.sources:
        person = next((p for p in everyone if _reaches(parts, p, name)), None)
        if person is None:
            yield Check(
                name=f"{name}: somebody may read it",
                passed=False,
                detail="Give a data role of the policy a member.",
            )
            continue
        let_through = [sql for sql in _NEVER_READ if _let_through(parts, person, name, sql)]
        yield Check(
            name=f"{name}: {len(_NEVER_READ)} statements that must never run as reads are refused",
            passed=not let_through,
            detail=f"Let through: {let_through[0]}" if let_through else "",
        )


def _let_through(parts: Parts, person: Principal, source: str, sql: str) -> bool:
    caller = Caller(principal=person, channel="console")
    tables = parts.gate.view(source, caller).catalog.tables
    if not tables:
        return False
    try:
        judged = parts.gate.judge(sql.format(table=tables[0].name), source, caller)
    except Refused:
        return False
    return not isinstance(judged.decision, Deny | Hold)


def _reaches(parts: Parts, person: Principal, source: str) -> bool:
    return source in parts.gate.sources(Caller(principal=person, channel="console"))


def _redaction(parts: Parts) -> Iterator[Check]:
    canary = "canary@example.invalid"
    shown = redact_text(f"write to {canary}", sink="model", key=SessionKey.new())
    yield Check(
        name="An e-mail address in free text does not reach the model", passed=canary not in shown
    )
    model = language_model()
    yield Check(
        name=f"Names in free text are looked for by {model or 'lists'}",
        passed=True,
        detail=""
        if model
        else "No language model is installed, so names outside the lists stay on screen. The agent "
        "and the log get no free text unless the policy says so.",
    )
    for name, settings in parts.policy.sources.items():
        if settings.free_text_for_model:
            columns = ", ".join(settings.free_text_for_model)
            yield Check(
                name=f"{name}: free text that the model reads is looked at by a language model",
                passed=model is not None,
                detail=""
                if model
                else f"The model reads {columns}, and names outside the lists are not masked there."
                " Install a spaCy pipeline, or remove free_text_for_model from the policy.",
            )


def _people(parts: Parts) -> Iterator[Check]:
    everyone = _everyone(parts)
    reviewers = [p for p in everyone if p.roles & {"reviewer", "admin"}]
    yield Check(
        name="At least two people can review, so that nobody decides on their own change",
        passed=len(reviewers) >= 2,
        detail="" if len(reviewers) >= 2 else "gatehouse people add NAME --role reviewer",
    )
    admins = [p for p in everyone if "admin" in p.roles]
    yield Check(
        name="Somebody can read the audit trail",
        passed=bool(admins),
        detail="" if admins else "gatehouse people add NAME --role admin",
    )
    yield Check(
        name="Another policy can come into force: by a second admin, or by the operator alone",
        passed=len(admins) >= 2 or parts.policy.activation.operator_alone,
        detail="" if len(admins) >= 2 else "gatehouse people add NAME --role admin",
    )


def _model(parts: Parts) -> Iterator[Check]:
    tried = parts.connection.test()
    if tried is None:
        yield Check(
            name="Questions are answered by the rule-based planner; no model is asked", passed=True
        )
        return
    yield Check(
        name=f"The model {tried.label} answers and calls tools",
        passed=tried.problem is None,
        detail=tried.problem or said(tried),
    )


def said(tried: Tried) -> str:
    """Returns what a try of the model has shown, as sentences."""
    streams = "It streams" if tried.streams else "It does not stream, so its words come at the end"
    return (
        f"Host {tried.host}: the first word after {tried.first_ms:,} ms, the end after "
        f"{tried.total_ms:,} ms. {streams}."
    )


def _policy(parts: Parts) -> Iterator[Check]:
    file = parts.governing.on_disk()
    yield Check(
        name="The policy file is the policy in force",
        passed=file.same,
        detail=""
        if file.same
        else file.problem
        or "The file is not used. Propose it on the Policy tab, where a different admin puts it "
        "into force, or run `gatehouse policy activate`.",
    )


def _trail(parts: Parts) -> Iterator[Check]:
    report = parts.log.verify()
    yield Check(
        name="The audit trail verifies and is anchored outside its database",
        passed=report.status == 0,
        detail="" if report.status == 0 else report.as_text().splitlines()[-1],
    )
    warnings = parts.log.warnings()
    yield Check(
        name="The audit trail has room on its disk, and its checkpoints arrive",
        passed=not warnings,
        detail=" ".join(warnings),
    )
    if parts.log.url is not None:
        extra = parts.log.more_than_append()
        yield Check(
            name="The audit trail's database login can only append and read",
            passed=not extra,
            detail=f"It can also {', '.join(extra)}. Run what `gatehouse audit schema --role ROLE` "
            "prints as another login, which owns the schema."
            if extra
            else "",
        )


def _files(parts: Parts) -> Iterator[Check]:
    mode = stat.S_IMODE((parts.home / OPERATOR_SECRET).stat().st_mode)
    yield Check(
        name="Only the operator can read the data folder's secret",
        passed=mode & 0o077 == 0,
        detail="" if mode & 0o077 == 0 else f"chmod 600 {parts.home / OPERATOR_SECRET}",
    )


def _telemetry(_: Parts) -> Iterator[Check]:
    """What is sent where; neither on nor off is wrong, and what cannot be set up does not start."""
    found = telemetry.now()
    if found.host is not None:
        content = "redacted content" if found.content else "no content"
        yield Check(name=f"Telemetry is on: spans with {content} go to {found.host}", passed=True)
        return
    packages = "are installed" if found.installed else "are missing (pip install 'gatehouse[otel]')"
    yield Check(
        name="Telemetry is off: no spans are sent",
        passed=True,
        detail=f"Its packages {packages}. GATEHOUSE_TELEMETRY=on and OTEL_EXPORTER_OTLP_ENDPOINT "
        "switch it on.",
    )


def _settings(parts: Parts) -> Iterator[Check]:
    demo = demo_mode.is_on(parts.home)
    yield Check(
        name="Demo mode is off",
        passed=not demo,
        detail=f"Demo accounts can sign in. Remove {parts.home / demo_mode.MARKER} to end that."
        if demo
        else "",
    )


def _everyone(parts: Parts) -> list[Principal]:
    with parts.store.read() as conn:
        known = accounts.list_all(conn)
    found = (parts.people.by_id(a.id) for a in known)
    return [p for p in found if p is not None]
