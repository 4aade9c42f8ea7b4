"""Runs one change in the open transaction and proves which rows it touched, and no others.

An UPDATE: the rows its WHERE picks are locked and read, it runs, they are read again. The server
says how many rows it matched and changed; as many of the picked rows must be different, so none
beyond them is. A DELETE: as many rows are gone as the server says, and all of them were picked. An
INSERT: as many rows are there as the server says, under the keys it names or the server made.
https://dev.mysql.com/doc/c-api/8.4/en/mysql-info.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlglot import exp

from guard.engines.base import Reached, Told, unheard
from guard.engines.child.faults import Fault
from guard.engines.child.images import Row, TableChange, Touched, same, sort_text
from guard.engines.mysql_session import Session, literal, quoted
from guard.engines.mysql_shape import Shape, inexact
from guard.engines.mysql_tables import Table
from guard.errors import Refused

_TELL_ROWS = 1_000
_TOLD = re.compile(r"Rows matched: (\d+)\s+Changed: (\d+)")


def captured(
    session: Session,
    table: Table,
    shape: Shape,
    sql: str,
    max_rows: int,
    told: Told = unheard,
) -> TableChange:
    """Returns what the statement did; the transaction stays open. `told` hears how far it is.

    Raises:
        Refused: `preview.*`: the rows cannot be told exactly.
        Fault: `too_many_rows`.
    """
    triggered = _triggered(session)
    if shape.verb == "insert":
        told(Reached(step="run", of=len(shape.rows)))
        touched = _inserted(session, table, shape, sql, max_rows)
    else:
        touched = _picked(session, table, shape, sql, max_rows, told)
    if _triggered(session) != triggered:
        raise inexact("triggers", f"{table.name} has triggers, which may change other rows.")
    return change_of(table, touched)


def change_of(table: Table, touched: Sequence[Touched]) -> TableChange:
    """Returns the touched rows in the order of their keys."""
    rows = sorted(touched, key=lambda t: sort_text(table.key_of(t.before or t.after or ())))
    return TableChange(
        table=table.name,
        columns=table.names,
        primary_key=table.primary_key,
        rows=tuple(rows),
    )


def mismatch() -> Refused:
    """Returns the refusal for counts that do not agree with the rows that were read."""
    return inexact("mismatch", "What the server counted is not what could be seen of it.")


def _triggered(session: Session) -> str | None:
    """Returns how many triggers this session has run, None where the server does not count."""
    found = session.texts("SHOW SESSION STATUS LIKE 'Executed_triggers'")
    return found[0][1] if found else None


def _picked(
    session: Session, table: Table, shape: Shape, sql: str, max_rows: int, told: Told
) -> list[Touched]:
    _check_assigned(table, shape)
    before = _before(session, table, shape, max_rows, told)
    told(Reached(step="run", of=len(before)))
    session.query(sql)
    affected, said = session.affected_rows(), _TOLD.search(session.told())
    told(Reached(step="after", of=len(before)))
    after = {table.key_of(r): r for r in table.rows(session, [table.key_of(r) for r in before])}
    if shape.verb == "delete":
        if after or affected != len(before):
            raise mismatch()
        return [Touched(before=row, after=None) for row in before]
    touched = [
        Touched(before=row, after=after[table.key_of(row)])
        for row in before
        if table.key_of(row) in after and not same(row, after[table.key_of(row)])
    ]
    if said is None:
        # The server says nothing of rows where it sees at once that there are none (LIMIT 0).
        if before or affected:
            raise mismatch()
        return []
    matched, changed = int(said[1]), int(said[2])
    if not len(after) == len(before) == matched or not len(touched) == changed == affected:
        raise mismatch()
    return touched


def _check_assigned(table: Table, shape: Shape) -> None:
    key = {name.casefold() for name in table.primary_key}
    moved = [name for name in shape.assigned if name.casefold() in key]
    if moved:
        raise inexact("key_changes", f"It changes the key of {table.name}.", moved[0])


def _before(session: Session, table: Table, shape: Shape, max_rows: int, told: Told) -> list[Row]:
    """Locks and returns the rows that the statement's own tail picks."""
    alias = shape.alias
    name = f"{table.quoted} AS {quoted(alias)}" if alias else table.quoted
    limit = "" if shape.bounded else f" LIMIT {max_rows + 1}"
    text = f"SELECT {table.read(alias)} FROM {name} {shape.tail}{limit} FOR UPDATE"
    stream = session.start(text)
    if stream is None:
        raise mismatch()
    rows: list[Row] = []
    told(Reached(step="before"))
    while (values := stream.next()) is not None:
        if len(rows) >= max_rows:
            raise Fault("too_many_rows")
        rows.append(table.row(values))
        if len(rows) % _TELL_ROWS == 0:
            told(Reached(step="before", rows=len(rows)))
    return rows


def _inserted(
    session: Session, table: Table, shape: Shape, sql: str, max_rows: int
) -> list[Touched]:
    count = len(shape.rows)
    if count > max_rows:
        raise Fault("too_many_rows")
    named = _named_keys(table, shape)
    session.query(sql)
    affected, first = session.affected_rows(), session.insert_id()
    if named is None:
        step = int(session.texts("SELECT @@auto_increment_increment")[0][0] or "1")
        picks = [_key_sql(table, [str(first + step * i)]) for i in range(count)]
    else:
        picks = [_key_sql(table, key) for key in named]
    rows: list[Row] = []
    for pick in picks:
        found = session.rows(f"SELECT {table.read()} FROM {table.quoted} WHERE {pick}")
        rows.extend(map(table.row, found))
    if affected != count or len({table.key_of(r) for r in rows}) != count or len(rows) != count:
        raise mismatch()
    return [Touched(before=None, after=row) for row in rows]


def _key_sql(table: Table, values: Sequence[str]) -> str:
    pairs = zip(table.primary_key, values, strict=True)
    return " AND ".join(f"{quoted(name)} = {value}" for name, value in pairs)


def _named_keys(table: Table, shape: Shape) -> list[list[str]] | None:
    """Returns the keys of the new rows as SQL, None where the server makes them."""
    columns = shape.columns or table.visible
    places = {name.casefold(): i for i, name in enumerate(columns)}
    if any(len(row) not in (len(columns), 0) for row in shape.rows):
        raise Fault("meaning")
    unknown = inexact("key_unknown", "The keys of the new rows are not known before it runs.")
    found: list[list[str | None]] = []
    for row in shape.rows:
        values: list[str | None] = []
        for place in table.key:
            column = table.columns[place]
            at = places.get(column.name.casefold())
            given = row[at] if at is not None and row else None
            values.append(_value_sql(given, made=column.generated_key))
            if values[-1] is None and not column.generated_key:
                raise unknown
        found.append(values)
    made = [key for key in found if None in key]
    if not made:
        return [[v for v in key if v is not None] for key in found]
    if len(made) != len(found) or len(table.key) != 1:
        raise unknown
    return None


def _value_sql(given: exp.Expr | None, *, made: bool) -> str | None:
    """Returns a constant as SQL, None for one that the server makes.

    Raises:
        Refused: `preview.key_unknown` for what is only known when it runs.
    """
    if given is None or isinstance(given, exp.Null):
        return None
    if isinstance(given, exp.Var) and given.name.upper() == "DEFAULT":
        return None
    if isinstance(given, exp.Literal):
        if given.is_string:
            # '' and '0' are zero for a number, which asks for a new key.
            if made and not given.this.strip().strip("0"):
                return None
            return literal(given.this)
        return None if made and float(given.this) == 0 else str(given.this)
    if isinstance(given, exp.Neg) and isinstance(given.this, exp.Literal):
        return f"-{given.this.this}"
    raise inexact("key_unknown", "The keys of the new rows are not known before it runs.")
