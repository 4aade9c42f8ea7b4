"""Attacks on the adapter and on its login, for the safety checklist. Fixed texts, each one tried.

First as a statement of the adapter, with all of its fences; then, for what the role alone must
hold, as the bare login in a transaction that is rolled back.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from guard.engines.base import Cancel, Probe
from guard.engines.child.faults import FaultCode
from guard.engines.postgres_faults import fault_of
from guard.engines.postgres_reading import Readers, Session
from guard.engines.postgres_role import may_set, powers
from guard.engines.postgres_wire import Failed, Watch, ask, batch
from guard.errors import Interrupted, Refused, SourceUnavailable

_BYTES = 1_000_000
_LATE_SECONDS = 2.0
_NO = frozenset[FaultCode]({"not_allowed", "syntax", "no_such_name"})
_DENIED = frozenset[FaultCode]({"not_allowed"})


@dataclass(frozen=True, kw_only=True)
class _Attack:
    """What is tried, its text and how it must end. `{canary}` is a name nobody uses."""

    name: str
    sql: str
    expected: frozenset[FaultCode] = _NO
    timeout_ms: int = 2_000


_FENCED = (
    _Attack(name="create a table", sql="CREATE TABLE public.{canary} (x int)"),
    _Attack(name="write inside a query", sql="WITH x AS (CREATE TABLE {canary} ()) SELECT 1"),
    _Attack(name="write a file", sql="COPY (SELECT 1) TO '/tmp/{canary}'"),
    _Attack(name="run a program", sql="COPY (SELECT 1) TO PROGRAM 'true {canary}'"),
    _Attack(name="run two statements", sql="SELECT 1; SELECT 2"),
    _Attack(name="end the transaction", sql="COMMIT"),
    _Attack(name="make the transaction writable", sql="SET TRANSACTION READ WRITE"),
    _Attack(name="take another role", sql="SET ROLE NONE"),
    _Attack(name="go back to the login", sql="RESET ROLE"),
    _Attack(name="lift the time limit", sql="SET statement_timeout = 0"),
    _Attack(name="run code", sql="DO $$ BEGIN NULL; END $$"),
    _Attack(name="explain by running", sql="EXPLAIN ANALYZE SELECT 1"),
    _Attack(name="create a large object", sql="SELECT pg_catalog.lo_create(0)"),
    _Attack(
        name="read the list of roles",
        sql="SELECT rolname FROM pg_catalog.pg_roles",
        expected=_DENIED,
    ),
    _Attack(
        name="run for ever",
        sql="SELECT pg_catalog.count(*) FROM pg_catalog.generate_series(1, 1000000000) a, "
        "pg_catalog.generate_series(1, 1000000000) b",
        expected=frozenset({"interrupted"}),
        timeout_ms=300,
    ),
    _Attack(
        name="send a value larger than may be returned",
        sql="SELECT pg_catalog.repeat('x', 3000000)",
        expected=frozenset({"result_too_large"}),
    ),
)
_BARE = (
    _Attack(name="create a table", sql="CREATE TABLE public.{canary} (x int)", expected=_DENIED),
    _Attack(name="create a schema", sql="CREATE SCHEMA {canary}", expected=_DENIED),
    _Attack(name="make a role", sql="CREATE ROLE {canary}", expected=_DENIED),
    _Attack(name="read a file", sql="SELECT pg_catalog.pg_read_file('PG_VERSION')"),
    _Attack(name="write a file", sql="COPY (SELECT 1) TO '/tmp/{canary}'", expected=_DENIED),
    _Attack(
        name="run a program", sql="COPY (SELECT 1) TO PROGRAM 'true {canary}'", expected=_DENIED
    ),
    _Attack(name="create a large object", sql="SELECT pg_catalog.lo_create(0)", expected=_DENIED),
    _Attack(
        name="change settings inside a query",
        sql="SELECT pg_catalog.set_config('statement_timeout', '0', true)",
        expected=_DENIED,
    ),
    _Attack(
        name="write to the server's log of changes",
        sql="SELECT pg_catalog.pg_logical_emit_message(false, 'gatehouse', '')",
        expected=_DENIED,
    ),
    _Attack(
        name="send a notice to other sessions",
        sql="SELECT pg_catalog.pg_notify('gatehouse_probe', '')",
        expected=_DENIED,
    ),
    _Attack(
        name="hold a lock",
        sql="SELECT pg_catalog.pg_try_advisory_xact_lock(7346523)",
        expected=_DENIED,
    ),
    _Attack(
        name="run SQL from a string",
        sql="SELECT pg_catalog.query_to_xml('SELECT 1', true, true, '')",
        expected=frozenset({"not_allowed", "not_supported"}),
    ),
)


def attempt(readers: Readers, roles: Sequence[str]) -> list[Probe]:
    """Returns one `Probe` for each thing tried.

    Raises:
        SourceUnavailable: the server cannot be reached.
    """
    canary = f"gatehouse_{secrets.token_hex(6)}"
    with readers.probing(timeout_ms=10_000) as session:
        found = list(_role(session, roles))
    probes = [_fenced(readers, attack, canary) for attack in _FENCED]
    if any(probe.name == _IS_PLAIN and not probe.passed for probe in found):
        # A login that may do these things would do them.
        skipped = "not tried: the login may do more than read"
        bare = [Probe(name=_as_login(a), passed=False, detail=skipped) for a in _BARE]
    else:
        with readers.probing(timeout_ms=30_000) as session:
            bare = [_bare(session, attack, canary) for attack in _BARE]
    return [*found, *probes, *bare]


_IS_PLAIN = "the read login may only read"


def _role(session: Session, roles: Sequence[str]) -> Iterator[Probe]:
    found = powers(session, roles)
    detail = "the login " + ", and ".join(found) if found else "the server says so"
    yield Probe(name=_IS_PLAIN, passed=not found, detail=detail)
    open_ = may_set(session, roles)
    yield Probe(
        name="a statement cannot change who it runs as",
        passed=not open_,
        detail="it may execute set_config" if open_ else "set_config is taken away",
    )


def _fenced(readers: Readers, attack: _Attack, canary: str) -> Probe:
    started = time.monotonic()
    ended: str | None = None
    try:
        with readers.probing(timeout_ms=attack.timeout_ms) as session:
            session.read(attack.sql.format(canary=canary), 1, _BYTES)
            if session.touches_others(frozenset()):
                ended = "not_allowed"
    except Refused as refused:
        ended = refused.refusal.rule.removeprefix("engine.")
    except Interrupted as stop:
        ended = "interrupted" if stop.cause in ("timeout", "cancelled") else "result_too_large"
    except SourceUnavailable:
        ended = "engine"
    late = time.monotonic() - started - attack.timeout_ms / 1000 > _LATE_SECONDS
    return _judged(attack.name, attack, ended, late=late)


def _as_login(attack: _Attack) -> str:
    return f"the bare login: {attack.name}"


def _bare(session: Session, attack: _Attack, canary: str) -> Probe:
    """Sends the attack without a fence, in a transaction of its own that is rolled back."""
    watch = Watch(deadline=time.monotonic() + 5.0, cancel=Cancel())
    ended: str | None = None
    batch(session.connection, "ROLLBACK", watch)
    batch(session.connection, "BEGIN; SET LOCAL statement_timeout = 3000", watch)
    try:
        ask(session.connection, attack.sql.format(canary=canary), watch)
    except Failed as failure:
        ended = fault_of(failure.code)
    return _judged(_as_login(attack), attack, ended, late=False)


def _judged(name: str, attack: _Attack, ended: str | None, *, late: bool) -> Probe:
    if ended is None:
        return Probe(name=name, passed=False, detail="the server did it")
    if ended not in attack.expected:
        return Probe(name=name, passed=False, detail=f"ended as {ended}, not as expected")
    if late:
        return Probe(name=name, passed=False, detail="stopped too late")
    return Probe(name=name, passed=True, detail=f"refused ({ended})")
