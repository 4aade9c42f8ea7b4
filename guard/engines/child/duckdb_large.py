"""A change of very many rows of a DuckDB table: compared, kept and taken back by the engine.

A preview has the file open a second time as it was (`duckdb_copy.py`) and commits nothing. For good
the table is copied in the same transaction, so nobody can change it in between. No more rows are
held here than come at a time.

1 the statement runs, or an earlier change is put back
2 the rows that differ are read, hashed and, for good, kept (`duckdb_rows.py`)
3 in a preview they are put back, and every row is compared
"""

from __future__ import annotations

import duckdb

from guard.engines.child.duckdb_back import Back
from guard.engines.child.duckdb_change import given
from guard.engines.child.duckdb_compared import Beside, Seen, is_as_before
from guard.engines.child.duckdb_copy import OLD
from guard.engines.child.duckdb_rows import Found, Rows
from guard.engines.child.duckdb_tables import WHOLE, Table, hash_of
from guard.engines.child.faults import Fault
from guard.engines.child.reader import Stop
from guard.engines.child.summed import KINDS, LARGE
from guard.engines.child.writing import NOT_PROVEN, Capture, Order, with_second

_WAS = "temp.gatehouse_was"


class Large(Exception):
    """More rows of the `table` than are looked at one by one. Nothing was committed."""

    def __init__(self, table: Table) -> None:
        super().__init__(table.name)
        self.table = table


def fits(table: Table) -> bool:
    """True for a table whose rows have keys of whole numbers: everybody orders those alike."""
    types = dict(zip(table.columns, table.types, strict=True))
    return bool(table.primary_key) and all(types[c] in WHOLE for c in table.primary_key)


def previewed(
    connection: duckdb.DuckDBPyConnection, table: Table, order: Order, stop: Stop
) -> Capture | None:
    """Returns what a plain change of one table does, or to take a large one back.

    `OLD` is the file as it was. None where it is looked at row by row, which a large change that is
    taken back never is. Raises `Fault`, and what the engine says.
    """
    its = Beside(table=table, was=f"{OLD}.main.{table.quoted}")
    connection.execute("BEGIN TRANSACTION")
    _run(connection, table, order, stop)
    found = _found(connection, its, order, stop, keeps=False)
    if found is None:
        connection.execute("ROLLBACK")
        return None
    back = _is_back(connection, its, found.seen, stop)
    connection.execute("ROLLBACK")
    if not back and order.sql is not None:
        return None  # what one transaction cannot do, two may
    proven = back and found.retold
    done = _captured(found, table)
    return with_second(done, done, verified=proven, notes=() if proven else (NOT_PROVEN,))


def executed(
    connection: duckdb.DuckDBPyConnection, table: Table, order: Order, stop: Stop
) -> Capture | None:
    """Runs a change of one table, or takes a large one back, and leaves the transaction open.

    None, and nothing is open, where it is looked at row by row: as `previewed`, or where the engine
    has no room for a second table. Raises `Fault`, and what the engine says.
    """
    its = Beside(table=table, was=_WAS)
    try:
        connection.execute("BEGIN TRANSACTION")
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE gatehouse_was AS SELECT * FROM main.{table.quoted}"
        )
        counted = _run(connection, table, order, stop)
        found = _found(connection, its, order, stop, keeps=True)
        connection.execute(f"DROP TABLE {_WAS}")
    except duckdb.OutOfMemoryException:
        if order.sql is None:
            raise
        found, counted = None, None
    if found is None:
        connection.execute("ROLLBACK")
        return None
    if counted is not None and _most(found) > counted:
        raise Fault("not_exact")
    return _captured(found, table)


def _run(
    connection: duckdb.DuckDBPyConnection, table: Table, order: Order, stop: Stop
) -> int | None:
    """Runs the order; returns how many rows the engine says it touched, where it says so."""
    if order.sql is None:
        stop.reached("back")
        rows = given(connection, table, order.image or {})
        rows.put_back(stop)
        rows.drop()
        return None
    stop.reached("run")
    told = connection.execute(order.sql).fetchall()
    named = [d[0] for d in connection.description or ()]
    return int(told[0][0]) if named == ["Count"] and len(told) == 1 else None


def _found(
    connection: duckdb.DuckDBPyConnection, its: Beside, order: Order, stop: Stop, *, keeps: bool
) -> Found | None:
    least = 0 if order.sql is None else LARGE + 1
    return Rows(
        connection=connection, its=its, order=order, stop=stop, least=least, keeps=keeps
    ).found()


def _most(found: Found) -> int:
    """Returns how many rows a statement must have touched: a changed key is one, seen as two."""
    inserted, updated, deleted = (found.seen.counts[kind] for kind in KINDS)
    return updated + max(inserted, deleted)


def _captured(found: Found, table: Table) -> Capture:
    return Capture(
        tables=[found.change] if found.change.total else [],
        image=found.image,
        schema_hash=hash_of([table.definition]),
    )


def _is_back(connection: duckdb.DuckDBPyConnection, its: Beside, seen: Seen, stop: Stop) -> bool:
    """True when the rows that differ were put back, and none is different then."""
    back = Back(
        connection=connection,
        table=its.table,
        rows=dict.fromkeys(KINDS, its.was),
        counts=seen.counts,
        changed=seen.differ,
        whole=not seen.all,
        stop=stop,
    )
    try:
        return back.put() and is_as_before(connection, its, aligned=seen.aligned)
    except duckdb.InterruptException:
        raise
    except duckdb.Error:
        return False
