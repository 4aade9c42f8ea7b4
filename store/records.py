"""Rows to frozen dataclasses and back, and the one way a row changes state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, CursorResult, Row, Table, update

from store.errors import IllegalMove

Record = TypeVar("Record")
State = TypeVar("State", bound=str)


def columns(record: type[Record], table: Table) -> list[ColumnElement[Any]]:
    """Returns the table's columns named as the record's fields, in their order."""
    return [table.c[f.name] for f in fields(record)]  # type: ignore[arg-type]  # always a dataclass


def build(record: type[Record], row: Row[Any]) -> Record:
    """Returns the record made of a row selected by `columns`."""
    return record(**row._asdict())


def build_all(record: type[Record], rows: Sequence[Row[Any]]) -> tuple[Record, ...]:
    """Returns one record for each row, in order."""
    return tuple(build(record, row) for row in rows)


def move_row(
    conn: Connection,
    table: Table,
    row_id: str | int,
    source: State,
    target: State,
    moves: Mapping[State, frozenset[State]],
    values: Mapping[str, object],
) -> None:
    """Takes one row from state `source` to `target`, with `values` set in the same statement.

    Raises:
        IllegalMove: the machine has no such move, or the row is not in `source` any more.
    """
    if target not in moves.get(source, frozenset()):
        raise IllegalMove(f"A row of {table.name} never goes from {source} to {target}.")
    touched = conn.execute(
        update(table)
        .where(table.c.id == row_id, table.c.state == source)
        .values(state=target, **values)
    )
    expect_one(touched, f"{table.name} {row_id} is not {source} any more.")


def expect_one(touched: CursorResult[Any], message: str) -> None:
    """Raises `IllegalMove` with the message unless exactly one row was touched."""
    if touched.rowcount != 1:
        raise IllegalMove(message)
