"""The way back from a change in PostgreSQL: made from its rows, replayed, looked for.

Rows are found by their key and compared in all stored columns; every one must be as the change left
it. Children go before their parents and come back after them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeVar

import psycopg

from guard.engines.child.faults import Fault
from guard.engines.child.images import Row
from guard.engines.child.names import quoted
from guard.engines.postgres_capture import Found, text_of
from guard.engines.postgres_session import Pair
from guard.engines.postgres_tables import (
    Column,
    Connection,
    Reference,
    Table,
    named,
    references_of,
    rows,
)

_T = TypeVar("_T")
_CHUNK = 5_000
Texts = list[str | None]


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


def out_of_reach(connection: Connection, found: Found) -> frozenset[str]:
    """Returns the tables that only triggers or owners may change back: the login has no right to.

    A trigger that runs as its owner often writes where the login may only look.
    """
    rights = rows(connection, _RIGHTS, [t.oid for t in found.roots])
    return frozenset(
        change.table
        for change, has in zip(found.tables, rights, strict=True)
        if not all(has[n] for kind in {r.kind for r in change.rows} for n in _NEEDED[kind])
    )


def _texts(row: Row | None) -> Texts | None:
    return None if row is None else [text_of(v) for v in row]


def replay(pair: Pair, image: Mapping[str, Any]) -> bool:
    """Puts every row back as it was; returns whether that was done with triggers switched off.

    They stay on where the role may not switch them off, or not see what they check.

    Raises:
        Fault: a row is not as the change left it (`changed_since`), or a reference would hang
            (`constraint`).
    """
    writer = pair.writer
    parts = [
        (_table(writer, given), given["rows"])
        for given in image["tables"].values()
        if not given.get("kept")
    ]
    references = references_of(writer, [t.oid for t, _ in parts])
    if not pair.silent or not _may_check(writer, parts, references):
        writer.execute("SET CONSTRAINTS ALL DEFERRED")
        _put_back(writer, _ordered(parts, references), whole=False)
        writer.execute("SET CONSTRAINTS ALL IMMEDIATE")
        return False
    writer.execute("SET LOCAL session_replication_role = replica")
    with _by_index(writer, [t for t, _ in parts]):
        _put_back(writer, _ordered(parts, references), whole=True)
    _check_references(writer, parts, references)
    writer.execute("SET LOCAL session_replication_role = origin")
    return True


def _table(connection: Connection, kept: Mapping[str, Any]) -> Table:
    table = named(connection, kept["schema"], kept["relation"])
    if table is None or list(table.names) != kept["columns"]:
        raise Fault("changed_since")
    if [c.type for c in table.columns] != kept["types"]:
        raise Fault("changed_since")
    return table


_Part = tuple[Table, list[tuple[Texts | None, Texts | None]]]


def _ordered(parts: Sequence[_Part], references: Iterable[Reference]) -> list[_Part]:
    """Returns the tables, children first; those in a circle in any order."""
    above = [(r.child, r.parent) for r in references if r.child != r.parent]
    left, found = list(parts), []
    while left:
        inside = {t.oid for t, _ in left}
        parents = {parent for child, parent in above if child in inside}
        free = [p for p in left if p[0].oid not in parents] or left[:1]
        found.extend(free)
        left = [p for p in left if p not in free]
    return found


def _put_back(writer: Connection, parts: Sequence[_Part], *, whole: bool) -> None:
    """Removes, changes and adds rows.

    Where a column differs that the engine alone may set, the row is removed and added; with `whole`
    also where a unique one does: values may have moved from row to row.
    """
    adding = []
    for table, kept in parts:
        fixed = {c.name for c in table.columns if c.always_identity}
        if whole:
            fixed |= _unique_columns(writer, table)
        places = [i for i, c in enumerate(table.columns) if c.name in fixed]
        removed, changed, added = [], [], []
        for before, after in kept:
            if before and after and all(before[i] == after[i] for i in places):
                changed.append((before, after))
                continue
            if after:
                removed.append(after)
            if before:
                added.append(before)
        _remove(writer, table, removed)
        _set(writer, table, changed)
        adding.append((table, added))
    for table, added in reversed(adding):
        _add(writer, table, added)


def _unique_columns(connection: Connection, table: Table) -> set[str]:
    """Returns the columns of unique and excluding indexes; every column if one has expressions."""
    found = rows(
        connection,
        "SELECT a.attname, i.indexprs IS NOT NULL FROM pg_index i LEFT JOIN pg_attribute a "
        "ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey) AND a.attnum > 0 "
        "WHERE i.indrelid = $1::oid AND (i.indisunique OR i.indisexclusion)",
        table.oid,
    )
    return set(table.names) if any(r[1] for r in found) else {r[0] for r in found}


def _remove(writer: Connection, table: Table, gone: Sequence[Texts]) -> None:
    if not table.primary_key:
        for part in _chunks(gone):
            _remove_equal(writer, table, part)
        return
    for part in _chunks(gone):
        _hits(
            writer,
            f"DELETE FROM {table.quoted} t USING {_given(table, 'a')} WHERE {_same(table, 'a')}",
            _arrays(table, part),
            len(part),
        )


def _remove_equal(writer: Connection, table: Table, gone: Sequence[Texts]) -> None:
    """Removes as many equal rows as are given, whichever of them."""
    cells = ", ".join(f"a{i}" for i in range(len(table.columns)))
    texts = ", ".join(f"{c.text('t')} AS a{i}" for i, c in enumerate(table.columns))
    same = " AND ".join(f"g.a{i} IS NOT DISTINCT FROM w.a{i}" for i in range(len(table.columns)))
    _hits(
        writer,
        f"DELETE FROM {table.quoted} d USING (SELECT g.relation, g.place FROM (SELECT *, "
        f"row_number() OVER (PARTITION BY {cells}) AS n FROM {_given(table, 'a')}) w "
        f"JOIN (SELECT *, row_number() OVER (PARTITION BY {cells}) AS n FROM (SELECT t.tableoid "
        f"AS relation, t.ctid AS place, {texts} FROM {table.quoted} t) r) g "
        f"ON g.n = w.n AND {same}) found WHERE d.tableoid = found.relation "
        "AND d.ctid = found.place",
        _arrays(table, gone),
        len(gone),
    )


def _set(writer: Connection, table: Table, pairs: Sequence[tuple[Texts, Texts]]) -> None:
    free = [
        (i, c)
        for i, c in enumerate(table.columns)
        if c.name not in table.primary_key and not c.always_identity
    ]
    sets = ", ".join(f"{c.quoted} = u.b{i}::{c.type}" for i, c in free)
    for part in _chunks(pairs):
        _hits(
            writer,
            f"UPDATE {table.quoted} t SET {sets} FROM {_given(table, 'ab')} "
            f"WHERE {_same(table, 'a')}",
            [*_arrays(table, [a for _, a in part]), *_arrays(table, [b for b, _ in part])],
            len(part),
        )


def _add(writer: Connection, table: Table, added: Sequence[Texts]) -> None:
    names = ", ".join(c.quoted for c in table.columns)
    values = ", ".join(f"u.a{i}::{c.type}" for i, c in enumerate(table.columns))
    for part in _chunks(added):
        _hits(
            writer,
            f"INSERT INTO {table.quoted} ({names}) OVERRIDING SYSTEM VALUE "
            f"SELECT {values} FROM {_given(table, 'a')}",
            _arrays(table, part),
            len(part),
        )


def _given(table: Table, letters: str) -> str:
    """Returns the parameters as a relation `u` of texts, one letter for each image of a row."""
    names = [f"{letter}{i}" for letter in letters for i in range(len(table.columns))]
    marks = ", ".join(f"${n + 1}::text[]" for n in range(len(names)))
    return f"unnest({marks}) AS u({', '.join(names)})"


def _same(table: Table, letter: str) -> str:
    """Returns the condition that `t` is the given row: by its key, then in every column."""
    by_key = [
        f"t.{c.quoted} = u.{letter}{i}::{c.type}"
        for i, c in enumerate(table.columns)
        if c.name in table.primary_key
    ]
    in_full = [
        f"{c.text('t')} IS NOT DISTINCT FROM u.{letter}{i}" for i, c in enumerate(table.columns)
    ]
    return " AND ".join([*by_key, *in_full])


def _arrays(table: Table, given: Sequence[Sequence[str | None]]) -> list[list[str | None]]:
    return [[row[i] for row in given] for i in range(len(table.columns))]


def _hits(writer: Connection, statement: str, given: Sequence[object], wanted: int) -> None:
    with psycopg.RawCursor(writer) as cursor:
        if cursor.execute(statement, list(given)).rowcount != wanted:
            raise Fault("changed_since")


def _chunks(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]


def _check_references(
    writer: Connection, parts: Sequence[_Part], references: Iterable[Reference]
) -> None:
    """Looks for references that hang, since the engine does not while triggers are off."""
    by_oid = {t.oid: (t, kept) for t, kept in parts}
    for reference in references:
        for oid, columns, side in (
            (reference.child, reference.child_columns, 0),
            (reference.parent, reference.parent_columns, 1),
        ):
            if oid in by_oid:
                table, kept = by_oid[oid]
                moved = _moved(table, kept, columns)
                _check_one(
                    writer, reference, table, columns, [p[side] or [] for p in moved if p[side]]
                )


def _moved(
    table: Table, kept: Sequence[tuple[Texts | None, Texts | None]], columns: Sequence[str]
) -> list[tuple[Texts | None, Texts | None]]:
    """Returns the rows of which a reference, or what it points at, differs before and after."""
    places = [i for i, c in enumerate(table.names) if c in columns]
    if len(places) != len(set(columns)):
        raise Fault("not_exact")
    return [(b, a) for b, a in kept if not b or not a or any(b[i] != a[i] for i in places)]


_READABLE = """
SELECT bool_and(has_column_privilege(a.attrelid, a.attnum, 'SELECT')) FROM unnest($1::oid[],
  $2::text[]) AS u(o, n) JOIN pg_attribute a ON a.attrelid = u.o AND a.attname = u.n
"""


def _may_check(writer: Connection, parts: Sequence[_Part], references: Sequence[Reference]) -> bool:
    """True when the login may read the other end of every reference that the rows move.

    With triggers off the engine checks none, so whoever cannot look must leave them on.
    """
    by_oid = {t.oid: (t, kept) for t, kept in parts}
    wanted = {
        (oid, name)
        for r in references
        for own, columns in ((r.child, r.child_columns), (r.parent, r.parent_columns))
        if own in by_oid and _moved(*by_oid[own], columns)
        for oid, names in ((r.child, r.child_columns), (r.parent, r.parent_columns))
        for name in names
    }
    oids, names = [o for o, _ in wanted], [n for _, n in wanted]
    return not wanted or bool(rows(writer, _READABLE, oids, names)[0][0])


def _check_one(
    writer: Connection,
    reference: Reference,
    table: Table,
    columns: Sequence[str],
    images: Sequence[Texts],
) -> None:
    """Raises `Fault` when a child row points at one of these keys and no parent row has it."""
    by_name: dict[str, tuple[int, Column]] = {c.name: (i, c) for i, c in enumerate(table.columns)}
    if not all(c in by_name for c in columns):
        raise Fault("not_exact")
    places = [by_name[c] for c in columns]
    keys = sorted({tuple(i[n] for n, _ in places) for i in images}, key=repr)
    wanted = [k for k in keys if None not in k]
    cells = ", ".join(f"k{n}" for n in range(len(places)))
    marks = ", ".join(f"${n + 1}::text[]" for n in range(len(places)))
    child = " AND ".join(
        f"c.{quoted(name)} = k.k{n}::{column.type}"
        for n, (name, (_, column)) in enumerate(zip(reference.child_columns, places, strict=True))
    )
    parent = " AND ".join(
        f"p.{quoted(b)} = c.{quoted(a)}"
        for a, b in zip(reference.child_columns, reference.parent_columns, strict=True)
    )
    for part in _chunks(wanted):
        found = rows(
            writer,
            f"SELECT 1 FROM unnest({marks}) AS k({cells}) JOIN {_regclass(writer, reference.child)}"
            f" c ON {child} WHERE NOT EXISTS (SELECT 1 FROM {_regclass(writer, reference.parent)} p"
            f" WHERE {parent}) LIMIT 1",
            *[[key[n] for key in part] for n in range(len(places))],
        )
        if found:
            raise Fault("constraint")


def _regclass(connection: Connection, oid: int) -> str:
    schema, relation = rows(
        connection,
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n "
        "ON n.oid = c.relnamespace WHERE c.oid = $1::oid",
        oid,
    )[0]
    return f"{quoted(schema)}.{quoted(relation)}"


def is_back(writer: Connection, image: Mapping[str, Any]) -> bool:
    """True when every row that was there is there again and every new one is gone."""
    for kept in image["tables"].values():
        if kept.get("kept"):
            continue
        table = _table(writer, kept)
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
            table = _table(connection, kept)
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
    for part in _chunks(wanted):
        where = _same(table, "a")
        given = _arrays(table, part)
        if table.primary_key:
            text = f"SELECT count(*) FROM {table.quoted} t JOIN {_given(table, 'a')} ON {where}"
        else:
            cells = ", ".join(f"u.a{i}" for i in range(len(table.columns)))
            text = (
                "SELECT coalesce(sum(least(wanted, present)), 0) FROM (SELECT (SELECT count(*) "
                f"FROM {table.quoted} t WHERE {where}) AS present, count(*) AS wanted "
                f"FROM {_given(table, 'a')} GROUP BY {cells}) AS s"
            )
        count += int(rows(connection, text, *given)[0][0])
    return count
