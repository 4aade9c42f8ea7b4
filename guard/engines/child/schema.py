"""A change of the schema as a difference of definitions, and the statement that takes it back.

A definition is a set of lines, each with its kind and name (`column`, `total`, `total numeric`).
What takes a change back is found from the difference, never from the statement's text, and only for
what adds: a new table, a new index, a new column whose value is the same in every row.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from guard.engines.child.faults import Fault
from guard.engines.child.names import quoted
from guard.engines.child.writing import Capture, Order

Lock = Literal["none", "writes", "all"]
Line = tuple[str, str, str]
State = Mapping[str, Sequence[Line]]
"""The lines of each table, in a fixed order."""
TEXT = "text"
"""The kind of a line that repeats others as they were written: two texts may mean the same."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What a change of the schema did besides definitions.

    `rows` counts each table's rows before and after; `rewritten` are tables written anew; `locks`
    says who has to wait for a table.
    """

    rows: Mapping[str, tuple[int, int]]
    rewritten: frozenset[str] = frozenset()
    locks: Mapping[str, Lock] = field(default_factory=dict)


def changed(before: State, after: State, effect: Effect) -> list[str]:
    """Returns the tables whose definition, rows or storage changed, in name order."""
    names = {*before, *after}
    return sorted(
        n
        for n in names
        if before.get(n) != after.get(n)
        or n in effect.rewritten
        or len(set(effect.rows.get(n, (0, 0)))) > 1
    )


def described(before: State, after: State, effect: Effect) -> list[dict[str, object]]:
    """Returns the fields of one `SchemaDiff` a changed table, as JSON values."""
    waiting = {n for n, lock in effect.locks.items() if lock != "none"}
    names = sorted({*changed(before, after, effect), *waiting})
    return [_described(name, before, after, effect) for name in names]


def _described(name: str, before: State, after: State, effect: Effect) -> dict[str, object]:
    old, new = before.get(name), after.get(name)
    rows = effect.rows.get(name, (0, 0))
    return {
        "table": name,
        "before": None if old is None else _told(old),
        "after": None if new is None else _told(new),
        "rows_before": rows[0],
        "rows_after": rows[1],
        "rewritten": name in effect.rewritten,
        "lock": effect.locks.get(name, "none"),
    }


def _told(lines: Sequence[Line]) -> list[str]:
    return [text for _, _, text in lines]


@dataclass(frozen=True, kw_only=True)
class Inverse:
    """A statement that takes a change back. `column` is the one it removes, by table and name."""

    statement: str
    table: str
    column: str | None = None


def inverse_of(before: State, after: State, effect: Effect) -> Inverse | None:
    """Returns what would take the change back, None where nothing surely does."""
    names = changed(before, after, effect)
    if len(names) != 1:
        return None
    (name,) = names
    if name not in before:
        return Inverse(statement=f"DROP TABLE {quoted(name)}", table=name)
    if name not in after or effect.rows.get(name, (0, 0))[0] != effect.rows.get(name, (0, 0))[1]:
        return None
    old, new = _real(before[name]), _real(after[name])
    added = [line for line in new if line not in old]
    if len(added) != 1 or any(line not in new for line in old):
        return None
    ((kind, what, _),) = added
    if kind == "index":
        return Inverse(statement=f"DROP INDEX {quoted(what)}", table=name)
    if kind == "column":
        return Inverse(
            statement=f"ALTER TABLE {quoted(name)} DROP COLUMN {quoted(what)}",
            table=name,
            column=what,
        )
    return None


def _real(lines: Sequence[Line]) -> list[Line]:
    return [line for line in lines if line[0] != TEXT]


Ask = Callable[[str], Sequence[Sequence[Any]]]
"""Runs a fixed query and returns its rows."""


def count(ask: Ask, table: str) -> int:
    """Returns how many rows a table has."""
    return int(ask(f"SELECT count(*) FROM {quoted(table)}")[0][0])


def _filled(ask: Ask, table: str, column: str) -> list[object]:
    """Returns what tells whether a column holds one value in every row, and which."""
    cell = f"CAST({quoted(column)} AS VARCHAR)"
    found = ask(f"SELECT count(*), count({cell}), min({cell}), max({cell}) FROM {quoted(table)}")[0]
    return list(found)


def image_of(
    engine: str, before: State, after: State, effect: Effect, ask: Ask
) -> tuple[dict[str, object], Inverse | None]:
    """Returns the undo image as JSON values, and what takes the change back, if anything does."""
    names = changed(before, after, effect)
    inverse = inverse_of(before, after, effect)
    filled = None
    if inverse is not None and inverse.column is not None:
        filled = _filled(ask, inverse.table, inverse.column)
        rows, present, low, high = filled
        if low != high or present not in (0, rows):
            inverse, filled = None, None
    image: dict[str, object] = {
        "engine": engine,
        "tables": {},
        "ddl": inverse.statement if inverse else None,
        "table": inverse.table if inverse else None,
        "column": inverse.column if inverse else None,
        "filled": filled,
        "created": bool(inverse and inverse.table not in before),
        "before": {n: _listed(before.get(n)) for n in names},
        "after": {n: _listed(after.get(n)) for n in names},
    }
    return image, inverse


def _listed(lines: Sequence[Line] | None) -> list[list[str]] | None:
    return None if lines is None else [list(line) for line in lines]


def way_back(image: Mapping[str, Any], now: State, ask: Ask) -> str:
    """Returns the statement that takes the change of an image back.

    Raises:
        Fault: there is none (`no_way_back`), or somebody has changed or filled the table since.
    """
    statement: str | None = image["ddl"]
    if statement is None:
        raise Fault("no_way_back")
    if standing(image, now) != "after":
        raise Fault("changed_since")
    table, column = image["table"], image["column"]
    if image["created"] and count(ask, table):
        raise Fault("changed_since")
    if column is not None:
        # Rows that came since hold the same value, or they would be lost.
        _, _, low, high = image["filled"]
        rows, present, now_low, now_high = _filled(ask, table, column)
        same = (now_low, now_high) == (low, high) and present in (0, rows)
        if rows and not same:
            raise Fault("changed_since")
    return statement


def standing(image: Mapping[str, Any], now: State) -> Literal["before", "after", "neither"]:
    """Returns whether the definitions are as before the change or as after it."""
    for word in ("before", "after"):
        wanted: Mapping[str, Any] = image[word]
        if all(_listed(now.get(name)) == lines for name, lines in wanted.items()):
            return "before" if word == "before" else "after"
    return "neither"


@dataclass(frozen=True, kw_only=True)
class Definer:
    """What an engine offers for a change of its schema, in an open transaction.

    `state` returns the definitions as they are now, `run` does one statement; `effect` says
    what else the step from one state to the other did, given each table's rows.
    """

    engine: str
    ask: Ask
    state: Callable[[], State]
    run: Callable[[str], None]
    effect: Callable[[State, State, Mapping[str, tuple[int, int]]], Effect]


_NO_WAY_BACK = "Undo will not bring back what this removes from the schema."


def performed(definer: Definer, order: Order, *, prove: bool) -> Capture:
    """Returns what a change of the schema did; it stays in the open transaction.

    With `prove` it is then taken back in the same transaction and compared, for a preview that is
    rolled back afterwards.

    Raises:
        Fault: it is to be taken back and there is no way, or somebody changed the table since.
    """
    before = definer.state()
    statement = order.sql or way_back(order.image or {}, before, definer.ask)
    wanted = {t.casefold() for t in order.targets} | {
        str(t).casefold() for t in (order.image or {}).get("after", {})
    }
    rows = {n: count(definer.ask, n) for n in before if n.casefold() in wanted}
    definer.run(statement)
    after = definer.state()
    counted = {
        n: (rows.get(n, 0), count(definer.ask, n) if n in after else 0)
        for n in {*rows, *(after.keys() - before.keys())}
    }
    effect = definer.effect(before, after, counted)
    image, inverse = image_of(definer.engine, before, after, effect, definer.ask)
    names = changed(before, after, effect)
    if order.sql is not None and any(n.casefold() not in wanted for n in names):
        raise Fault("not_allowed")
    verified = inverse is not None and prove and _proven(definer, inverse, before, rows)
    notes = [] if verified or (inverse and not prove) else [_NO_WAY_BACK]
    lost = {n: b - a for n, (b, a) in counted.items() if b > a}
    notes += [_lost(table, number) for table, number in sorted(lost.items())]
    return Capture(
        tables=(),
        image=image,
        schema_hash=hashlib.sha256(text_of(before, names).encode()).hexdigest(),
        notes=notes,
        verified=verified,
        schema=described(before, after, effect),
        undo="exact" if verified else "none",
    )


def _lost(table: str, number: int) -> str:
    rows = "1 row" if number == 1 else f"{number:,} rows"
    return f"Undo will not bring back {rows} of {table}."


def _proven(definer: Definer, inverse: Inverse, before: State, rows: Mapping[str, int]) -> bool:
    definer.run(inverse.statement)
    return equal(definer.state(), before) and all(
        count(definer.ask, name) == number for name, number in rows.items()
    )


def equal(one: State, other: State) -> bool:
    """True when both define the same, however it was written."""
    return {n: _real(s) for n, s in one.items()} == {n: _real(s) for n, s in other.items()}


def text_of(state: State, names: Sequence[str]) -> str:
    """Returns one text of some tables' definitions, for a hash."""
    return json.dumps([[n, _listed(state.get(n))] for n in sorted(names)])
