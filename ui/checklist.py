"""The safety checklist: each item tried for real, each failure with what to do about it."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from audit import AuditError
from guard import Caller, Deny, GuardError, Hold, Principal, Refused
from redaction import SessionKey, redact_text
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
        _trail,
        _files,
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
        confirmed = parts.policy.sources[state.name].tags_confirmed
        yield Check(
            name=f"{state.name}: an admin has confirmed the column tags",
            passed=confirmed,
            detail=""
            if confirmed
            else "Read the tags in the policy, then set tags_confirmed = true.",
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
    del parts
    canary = "canary@example.invalid"
    shown = redact_text(f"write to {canary}", sink="model", key=SessionKey.new())
    yield Check(
        name="An e-mail address in free text does not reach the model", passed=canary not in shown
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


def _trail(parts: Parts) -> Iterator[Check]:
    report = parts.log.verify()
    yield Check(
        name="The audit trail verifies and is anchored outside its database",
        passed=report.status == 0,
        detail="" if report.status == 0 else report.as_text().splitlines()[-1],
    )


def _files(parts: Parts) -> Iterator[Check]:
    mode = stat.S_IMODE((parts.home / OPERATOR_SECRET).stat().st_mode)
    yield Check(
        name="Only the operator can read the data folder's secret",
        passed=mode & 0o077 == 0,
        detail="" if mode & 0o077 == 0 else f"chmod 600 {parts.home / OPERATOR_SECRET}",
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
