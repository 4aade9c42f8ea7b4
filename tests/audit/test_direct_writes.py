"""What the database itself refuses while its triggers stand."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from audit import AuditLog
from tests.audit.events import fill

COLUMNS = "seq, id, prev_hash, leaf_hash, record, logged, etype, actor, session, request, outcome"
NEXT = f"""
INSERT INTO audit_event ({COLUMNS})
SELECT 7, 'new', leaf_hash AS prev, randomblob(32), record AS line, logged, etype, actor, session,
  request, outcome FROM audit_event WHERE seq = 6"""
OTHER_LINE = COLUMNS.replace("record", "'x'")

ATTEMPTS = {
    "update": "UPDATE audit_event SET record = 'x' WHERE seq = 3",
    "update of a column": "UPDATE audit_event SET actor = 'x' WHERE seq = 3",
    "delete": "DELETE FROM audit_event WHERE seq = 3",
    "delete of the end": "DELETE FROM audit_event WHERE seq = 6",
    "delete of all": "DELETE FROM audit_event",
    "replace the end": f"INSERT OR REPLACE INTO audit_event ({COLUMNS})"
    f" SELECT {OTHER_LINE} FROM audit_event WHERE seq = 6",
    "replace by itself": f"REPLACE INTO audit_event ({COLUMNS})"
    f" SELECT {COLUMNS} FROM audit_event WHERE seq = 2",
    "upsert": f"INSERT INTO audit_event ({COLUMNS}) SELECT {COLUMNS} FROM audit_event"
    " WHERE seq = 6 ON CONFLICT DO UPDATE SET record = 'x'",
    "gap": NEXT.replace("SELECT 7", "SELECT 9"),
    "no number": NEXT.replace("SELECT 7", "SELECT NULL"),
    "wrong previous hash": NEXT.replace("leaf_hash AS prev", "randomblob(32)"),
    "older previous hash": NEXT.replace("seq = 6", "seq = 5"),
    "used id": NEXT.replace("'new'", "id"),
    "line too long": NEXT.replace("record AS line", "hex(zeroblob(32768))"),
    "head back": "UPDATE audit_head SET size = 3",
    "head away": "DELETE FROM audit_head",
    "second head": "INSERT INTO audit_head SELECT * FROM audit_head",
    "head replaced": "INSERT OR REPLACE INTO audit_head SELECT * FROM audit_head",
    "checkpoint changed": "UPDATE audit_checkpoint SET note = 'x'",
    "checkpoint away": "DELETE FROM audit_checkpoint",
    "checkpoint between": "INSERT INTO audit_checkpoint VALUES (1, 'x', x'00')",
}


@pytest.fixture
def database(log: AuditLog) -> Iterator[sqlite3.Connection]:
    fill(log, 6)
    with sqlite3.connect(log.database, isolation_level=None) as connection:
        yield connection
    connection.close()
    assert log.verify(deep=True).status == 0


@pytest.mark.parametrize("recursive_triggers", ["ON", "OFF"])
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_direct_writes_are_refused(database: sqlite3.Connection, attempt, recursive_triggers):
    database.execute(f"PRAGMA recursive_triggers = {recursive_triggers}")
    with pytest.raises(sqlite3.IntegrityError):
        database.execute(ATTEMPTS[attempt])


def test_the_attempts_are_refused_for_the_right_reason(log: AuditLog):
    """The row that would follow is accepted: each attempt fails by the one thing it does wrong."""
    fill(log, 6)
    with sqlite3.connect(log.database) as connection:
        connection.execute(NEXT)
        connection.rollback()
    connection.close()
