"""The way back from a change in PostgreSQL: made from its rows, replayed, looked for.

Rows are found by their key and compared in all stored columns; every one must be as the change left
it. Children go before their parents and come back after them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from guard.engines.child.faults import Fault
from guard.engines.child.images import Row
from guard.engines.postgres_capture import Found, text_of
from guard.engines.postgres_putback import Texts, arrays, chunks, given, put_back, same
from guard.engines.postgres_references import check_references, may_check, never_silent
from guard.engines.postgres_session import Pair
from guard.engines.postgres_tables import (
    Connection,
    Table,
    named,
    ordered,
    references_of,
    rows,
)


def image_of(found: Found, xid: int, kept: Collection[str] = ()) -> dict[str, object]:
    """Returns the rows before and after as JSON values, for `replay` and `found_in`.

    `kept` are the tables whose rows `replay` leaves as the change made them.
    """
    return {
        "engine": "postgres",
        "xid": str(xid),
        "tables": {
            change.table: {
                "schema": table.schema,
                "relation": table.relation,
                "columns": list(table.names),
                "types": [c.type for c in table.columns],
                "kept": change.table in kept,
                "rows": [[_texts(r.before), _texts(r.after)] for r in change.rows],
            }
            for change, table in zip(found.tables, found.roots, strict=True)
        },
    }


def kept_in(image: Mapping[str, Any]) -> frozenset[str]:
    """Returns the tables whose rows stay as the change made them when it is taken back."""
    return frozenset(name for name, given in image["tables"].items() if given.get("kept"))


_RIGHTS = """
SELECT has_table_privilege(o, 'INSERT'), has_table_privilege(o, 'UPDATE'),
  has_table_privilege(o, 'DELETE') FROM unnest($1::oid[]) AS u(o)
"""
_NEEDED = {"deleted": (0,), "updated": (0, 1, 2), "inserted": (2,)}


def out_of_reach(
    connection: Connection, touched: Sequence[tuple[Table, Collection[str]]]
) -> frozenset[str]:
    """Returns the tables that only triggers or owners may change back: the login has no right to.

    Each is given with the kinds of its rows. A trigger that runs as its owner often writes where
    the login may only look.
    """
    rights = rows(connection, _RIGHTS, [t.oid for t, _ in touched])
    return frozenset(
        table.name
        for (table, kinds), has in zip(touched, rights, strict=True)
        if not all(has[n] for kind in kinds for n in _NEEDED[kind])
    )


def _texts(row: Row | None) -> Texts | None:
    return None if row is None else [text_of(v) for v in row]


def replay(pair: Pair, image: Mapping[str, Any]) -> bool:
    """Puts every row back as it was; returns whether that was done with triggers switched off.

    They stay on where the role may not switch them off, or not see what they check, where the
    engine checks a key with one, and where one would run all the same.

    Raises:
        Fault: a row is not as the change left it (`changed_since`), or a reference would hang
            (`constraint`).
    """
    writer = pair.writer
    parts = [
        (table_in(writer, given), given["rows"])
        for given in image["tables"].values()
        if not given.get("kept")
    ]
    tables = [t.oid for t, _ in parts]
    references = references_of(writer, tables)
    silent = pair.silent and not never_silent(writer, tables)
    if not silent or not may_check(writer, parts, references):
        writer.execute("SET CONSTRAINTS ALL DEFERRED")
        put_back(writer, ordered(parts, references), whole=False)
        writer.execute("SET CONSTRAINTS ALL IMMEDIATE")
        return False
    writer.execute("SET LOCAL session_replication_role = replica")
    with _by_index(writer, [t for t, _ in parts]):
        put_back(writer, ordered(parts, references), whole=True)
    check_references(writer, parts, references)
    writer.execute("SET LOCAL session_replication_role = origin")
    return True


def table_in(connection: Connection, kept: Mapping[str, Any]) -> Table:
    """Returns the table as the image knows it. Raises `Fault` where it is another one now."""
    table = named(connection, kept["schema"], kept["relation"])
    if table is None or list(table.names) != kept["columns"]:
        raise Fault("changed_since")
    if [c.type for c in table.columns] != kept["types"]:
        raise Fault("changed_since")
    return table


def is_back(writer: Connection, image: Mapping[str, Any]) -> bool:
    """True when every row that was there is there again and every new one is gone."""
    for kept in image["tables"].values():
        if kept.get("kept"):
            continue
        table = table_in(writer, kept)
        if not table.primary_key:
            return False
        old = [b for b, _ in kept["rows"] if b]
        keys = {_key(table, b) for b in old}
        new = [a for _, a in kept["rows"] if a and _key(table, a) not in keys]
        with _by_index(writer, [table]):
            if _present(writer, table, old) != len(old) or _present(writer, table, new):
                return False
    return True


@contextlib.contextmanager
def _by_index(writer: Connection, tables: Iterable[Table]) -> Iterator[None]:
    """Lets rows be found by their key one by one: the planner may think a whole scan cheaper."""
    keyed = all(t.primary_key for t in tables)
    for setting in ("enable_hashjoin", "enable_mergejoin") if keyed else ():
        writer.execute(f"SET LOCAL {setting} = off")
    yield
    for setting in ("enable_hashjoin", "enable_mergejoin") if keyed else ():
        writer.execute(f"SET LOCAL {setting} TO DEFAULT")


def _key(table: Table, row: Texts) -> tuple[str | None, ...]:
    return tuple(row[i] for i in table.key)


def found_in(
    connection: Connection, image: Mapping[str, Any]
) -> Literal["before", "after", "neither"]:
    """Returns whether the rows stand as before the change, as after it, or neither."""
    befores = afters = True
    for kept in image["tables"].values():
        try:
            table = table_in(connection, kept)
        except Fault:
            return "neither"
        old = [b for b, _ in kept["rows"] if b]
        new = [a for _, a in kept["rows"] if a]
        olds, news = _present(connection, table, old), _present(connection, table, new)
        befores &= olds == len(old) and (not new or news < len(new))
        afters &= news == len(new) and (not old or olds < len(old))
    if befores == afters:
        return "neither"
    return "before" if befores else "after"


def _present(connection: Connection, table: Table, wanted: Sequence[Texts]) -> int:
    """Returns how many of the rows are there; equal rows are counted as often as they are."""
    count = 0
    for part in chunks(wanted):
        where = same(table, "a")
        cells_of = arrays(table, part)
        if table.primary_key:
            text = f"SELECT count(*) FROM {table.quoted} t JOIN {given(table, 'a')} ON {where}"
        else:
            cells = ", ".join(f"u.a{i}" for i in range(len(table.columns)))
            text = (
                "SELECT coalesce(sum(least(wanted, present)), 0) FROM (SELECT (SELECT count(*) "
                f"FROM {table.quoted} t WHERE {where}) AS present, count(*) AS wanted "
                f"FROM {given(table, 'a')} GROUP BY {cells}) AS s"
            )
        count += int(rows(connection, text, *cells_of)[0][0])
    return count
