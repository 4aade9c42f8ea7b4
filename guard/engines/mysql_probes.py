"""Attacks on the read login and its settings, for the safety checklist. Fixed texts only.

The login must be refused with the session's settings and without them, so that each holds alone;
what a server lets anybody do must be gone with the next statement.
"""

from __future__ import annotations

import contextlib
import functools
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pymysql

from guard.engines.base import Probe
from guard.engines.child.faults import Fault
from guard.engines.mysql_faults import Code, code_of
from guard.engines.mysql_rights import excess
from guard.engines.mysql_running import Stopped
from guard.engines.mysql_session import Session

LATE_SECONDS = 2.0
"""How long after its time limit an attack may still take to end."""
_ENDLESS = "SELECT COUNT(*) FROM {big} a, {big} b, {big} c, {big} d, {big} e"
_BIG = "information_schema.COLLATIONS"
_DENIED: frozenset[Code] = frozenset({"not_allowed"})

Settled = Callable[[int], AbstractContextManager[Session]]
"""Lends a session as a statement gets it, with a time limit in milliseconds."""
AsRole = Callable[[str | None, int], AbstractContextManager[Session]]
"""The same as a role of the database, None for the login itself."""


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One attack.

    `bare` is also tried without the session's settings; `mend` takes it back where it succeeded.
    """

    name: str
    sql: str
    expected: frozenset[Code] = _DENIED
    bare: bool = True
    mend: str | None = None


def attempt(
    connect: Callable[[], Session], as_role: AsRole, roles: Sequence[str], tables: Sequence[str]
) -> list[Probe]:
    """Returns one `Probe` for each attack.

    `roles` are those of the policy, `tables` what the login may read, with schemas, quoted.
    """
    settled = functools.partial(as_role, None)
    name = f"gatehouse_probe_{secrets.token_hex(6)}"
    probes = []
    for attack in _attacks(name, tables):
        probes.append(_tried(attack, attack.name, lambda: settled(5_000)))
        if attack.bare:
            again = f"{attack.name}, by grants alone"
            probes.append(_tried(attack, again, lambda: contextlib.closing(connect())))
    for role in (None, *roles):
        probes.append(_grants(functools.partial(as_role, role), role))
    probes.append(_forgotten(settled, name))
    probes.append(_lock(settled, name))
    probes.append(_endless(settled))
    return probes


def _attacks(name: str, tables: Sequence[str]) -> Iterator[Attack]:
    yield Attack(name="create an account", sql=f"CREATE USER {name}", mend=f"DROP USER {name}")
    yield Attack(
        name="give itself a right",
        sql="GRANT SELECT ON mysql.* TO CURRENT_USER()",
        expected=_DENIED | {"login"},
    )
    for table in tables[:1]:
        none = f"SELECT * FROM {table} WHERE 1 = 0"
        place = f"{table.partition('`.`')[0]}`.`{name}`"
        yield Attack(
            name="create a table", sql=f"CREATE TABLE {place} (x INT)", mend=f"DROP TABLE {place}"
        )
        yield Attack(
            name="read a file of this machine",
            sql=f"LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE {place}",
            expected=_DENIED | {"no_such_name"},
        )
        yield Attack(name="write rows", sql=f"INSERT INTO {table} {none}")
        yield Attack(name="delete rows", sql=f"DELETE FROM {table} WHERE 1 = 0")
    yield Attack(
        name="write a file",
        # A file that is there is never written over: who may write is told so.
        sql="SELECT 1 INTO OUTFILE '/etc/passwd'",
    )
    yield Attack(
        name="change a setting of the server",
        sql="SET GLOBAL sort_buffer_size = @@GLOBAL.sort_buffer_size",
    )
    yield Attack(
        name="read the accounts",
        sql="SELECT * FROM mysql.user LIMIT 1",
        expected=_DENIED | {"no_such_name"},
    )
    yield Attack(
        name="run two statements",
        sql="SELECT 1; SELECT 2",
        expected=frozenset({"syntax"}),
    )


def _tried(
    attack: Attack, name: str, opened: Callable[[], AbstractContextManager[Session]]
) -> Probe:
    outcome: Code | None
    try:
        with opened() as session:
            session.query(attack.sql)
        outcome = None
        if attack.mend is not None:
            with opened() as session:
                session.query(attack.mend)
    except pymysql.err.MySQLError as error:
        outcome = code_of(error)
    except Fault as fault:
        outcome = fault.code
    if outcome is None:
        return Probe(name=name, passed=False, detail="the server did it")
    if outcome not in attack.expected:
        return Probe(name=name, passed=False, detail=f"ended as {outcome}, not as expected")
    return Probe(name=name, passed=True, detail=f"refused ({outcome})")


def _grants(settled: Settled, role: str | None) -> Probe:
    """The login holds SELECT and SHOW VIEW; a right it does not use is a right an attacker has."""
    name = "hold no right but to read" if role is None else f"hold no right but to read, as {role}"
    with settled(5_000) as session:
        held = excess(session, role)
    if held:
        return Probe(name=name, passed=False, detail="it also has: " + ", ".join(sorted(held)))
    return Probe(name=name, passed=True, detail="SELECT and SHOW VIEW only")


def _forgotten(settled: Settled, name: str) -> Probe:
    """A variable set in passing is gone with the next statement, and so is a lifted setting."""
    with settled(5_000) as session:
        session.query(f"SELECT @{name} := 1")
        session.query("SET SESSION TRANSACTION READ WRITE")
        number = session.number
    with settled(5_000) as session:
        same = session.number == number
        kept = session.texts(f"SELECT @{name}")[0][0]
        variable = "tx_read_only" if session.is_mariadb else "transaction_read_only"
        guarded = session.texts(f"SELECT @@SESSION.{variable}")[0][0]
    passed = kept is None and guarded == "1"
    detail = "forgotten" if same else "forgotten, on a new connection"
    return Probe(
        name="set a variable for the next statement",
        passed=passed,
        detail=detail if passed else "the next statement saw it",
    )


def _lock(settled: Settled, name: str) -> Probe:
    with settled(5_000) as session:
        session.query(f"SELECT GET_LOCK('{name}', 0)")
    with settled(5_000) as session:
        free = session.texts(f"SELECT IS_FREE_LOCK('{name}')")[0][0]
    passed = free == "1"
    return Probe(
        name="keep a lock", passed=passed, detail="freed" if passed else "it was still held"
    )


def _endless(settled: Settled) -> Probe:
    limit_ms = 300
    started = time.monotonic()
    name = "run for ever"
    try:
        with settled(limit_ms) as session:
            session.query(_ENDLESS.format(big=_BIG))
    except Stopped:
        outcome: Code = "interrupted"
    except pymysql.err.MySQLError as error:
        outcome = code_of(error)
    else:
        return Probe(name=name, passed=False, detail="it ran to its end")
    late = time.monotonic() - started - limit_ms / 1000
    if outcome != "interrupted" or late > LATE_SECONDS:
        return Probe(name=name, passed=False, detail=f"ended as {outcome}, {late:.1f} s late")
    return Probe(name=name, passed=True, detail="stopped (interrupted)")
