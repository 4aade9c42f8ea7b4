"""A table as it is and as it was, beside each other in one connection: what differs between them.

Values are the same when they are of one type and equal byte by byte, whatever the column's
collation and affinity say.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from guard.engines.child.names import quoted
from guard.engines.child.sqlite_log import LOG
from guard.engines.child.sqlite_session import OLD
from guard.engines.child.sqlite_tables import Table
from guard.engines.child.summed import Kind

_ALIKE = "gatehouse_alike"
_SINGLY = 100
"""So many cells are compared one by one, which is quicker; an expression may be 1,000 deep."""
Pair = tuple[str, str, str]
"""A column's name, and two expressions of its values."""


def prepare(connection: sqlite3.Connection) -> None:
    """Lets the comparisons made here run in the connection."""
    connection.create_function(
        _ALIKE, 2, lambda old, new: repr(old) == repr(new), deterministic=True
    )


def differ(table: Table, pairs: Sequence[Pair], typed: Collection[str]) -> str:
    """Returns the condition that the two sides of any pair are not the same.

    Only in `typed` columns can one number be there in two types. Zero and minus zero are equal to
    the engine, of one type and one text.
    """
    cells = [(f"+{one} COLLATE BINARY", f"+{other}") for _, one, other in pairs]
    both = table.mixed.intersection(typed)
    cells += [(f"typeof({a})", f"typeof({b})") for name, a, b in pairs if name in both]
    if not cells:
        return "0"
    if len(cells) <= _SINGLY:
        unlike = [f"{a} IS NOT {b}" for a, b in cells]
    else:
        ones, others = (", ".join(side) for side in zip(*cells, strict=True))
        unlike = [f"({ones}) IS NOT ({others})"]
    # Looked at only where a row is the same so far.
    zeros = [f"({a} IS 0.0 AND NOT {_ALIKE}({a}, {b}))" for c, a, b in pairs if c in table.loose]
    return f"({' OR '.join([*unlike, *zeros])})"


@dataclass(frozen=True, kw_only=True)
class Beside:
    """A table and its rows as they were. `o` is a row then, `n` the row of the same rowid now.

    `was` has the table's columns and rowids, `fresh` the rowids that may be new, where only the
    touched rows are kept; else everything is compared.
    """

    table: Table
    was: str
    fresh: str | None = None

    @property
    def joined(self) -> str:
        """The FROM clause that pairs the rows by their rowid."""
        key = self.table.rowid
        return f"{self.was} o CROSS JOIN main.{self.table.quoted} n ON n.{key} = o.{key}"

    def differ(self, columns: Sequence[str], typed: Sequence[str]) -> str:
        """Returns the condition that a pair of rows is not the same in the given columns."""
        pairs = [(c, f"o.{quoted(c)}", f"n.{quoted(c)}") for c in columns if c != self.table.alias]
        return differ(self.table, pairs, typed)

    def differing(self, connection: sqlite3.Connection, columns: Sequence[str]) -> tuple[str, ...]:
        """Returns those of the columns that differ in any row that is in both states.

        Each row in which another one differs is where the next pass begins: all take one scan.
        """
        found: set[str] = set()
        place, left = "", list(columns)
        while left:
            each = ", ".join(self.differ([c], [c]) for c in left)
            row = connection.execute(
                f"SELECT o.{self.table.rowid}, {each} FROM {self.joined} "
                f"WHERE {self.differ(left, left)} {place} ORDER BY o.{self.table.rowid} LIMIT 1"
            ).fetchone()
            if row is None:
                break
            found.update(c for c, unlike in zip(left, row[1:], strict=True) if unlike)
            place = f"AND o.{self.table.rowid} > {row[0]}"
            left = [c for c in left if c not in found]
        return tuple(c for c in columns if c in found)

    def rows(self, kind: Kind, changed: Sequence[str]) -> str:
        """Returns the FROM clause of the rows of a kind; `changed` may differ in updated ones."""
        key, now = self.table.rowid, f"main.{self.table.quoted}"
        if kind == "updated":
            return f"{self.joined} WHERE {self.differ(changed, changed)}"
        if kind == "deleted":
            return f"{self.was} o WHERE NOT EXISTS (SELECT 1 FROM {now} n WHERE n.{key} = o.{key})"
        if self.fresh is not None:
            return f"{now} n WHERE n.{key} IN (SELECT k FROM {self.fresh})"
        return f"{now} n WHERE NOT EXISTS (SELECT 1 FROM {self.was} o WHERE o.{key} = n.{key})"

    def has_others(self, connection: sqlite3.Connection, updated: int) -> bool:
        """True where there may be rows that are new or gone, beside so many that were updated."""
        if self.fresh is not None:
            return True
        was, now = self._sizes(connection)
        # An updated row is in both states: where all are, no row is left to be new or gone.
        return was != now or (updated != was and self._pairs(connection) != was)

    def stands(self, connection: sqlite3.Connection, typed: Sequence[str]) -> bool:
        """True when the table holds exactly the rows that it held; `typed` were set since."""
        same = self._pairs(connection, f"WHERE NOT {self.differ(self.table.columns, typed)}")
        return self._sizes(connection) == [same] * 2

    def _pairs(self, connection: sqlite3.Connection, only: str = "") -> int:
        """Returns how many rows are in both states."""
        found = connection.execute(f"SELECT count(*) FROM {self.joined} {only}").fetchone()
        return int(found[0])

    def _sizes(self, connection: sqlite3.Connection) -> list[int]:
        """Returns how many rows there were, and are."""
        places = (self.was, f"main.{self.table.quoted}")
        counts = ", ".join(f"(SELECT count(*) FROM {place})" for place in places)
        return list(connection.execute(f"SELECT {counts}").fetchone())


def attached(table: Table) -> Beside:
    """Returns the table beside the file as it was before the open transaction."""
    return Beside(table=table, was=f"{OLD}.{table.quoted}")


def logged(connection: sqlite3.Connection, number: int, table: Table) -> Beside:
    """Returns the table beside its touched rows as they were, by the log of the transaction.

    The first step that names a row says whether it was there, and what it held.
    """
    was, fresh = f"temp.gatehouse_was_{number}", f"temp.gatehouse_fresh_{number}"
    names = ", ".join(quoted(c) for c in table.columns)
    cells = ", ".join(f"l.c{i}" for i in range(len(table.columns)))
    for place in (was, fresh):
        connection.execute(f"DROP TABLE IF EXISTS {place}")
    connection.execute(f"CREATE TEMP TABLE gatehouse_fresh_{number}(k INTEGER PRIMARY KEY, seq)")
    connection.execute(
        f"INSERT INTO {fresh} SELECT k, min(place) FROM ("
        f"SELECT o_id AS k, 2 * seq AS place FROM {LOG} WHERE tbl = ? AND op <> 'insert' UNION ALL "
        f"SELECT n_id, 2 * seq + 1 FROM {LOG} WHERE tbl = ? AND op <> 'delete') GROUP BY k",
        (number, number),
    )
    connection.execute(f"CREATE TEMP TABLE gatehouse_was_{number}({names})")
    connection.execute(
        f"INSERT INTO {was}({table.rowid}, {names}) SELECT f.k, {cells} FROM {fresh} f "
        f"CROSS JOIN {LOG} l ON l.seq = f.seq / 2 WHERE f.seq % 2 = 0 ORDER BY f.k"
    )
    connection.execute(f"DELETE FROM {fresh} WHERE seq % 2 = 0")
    return Beside(table=table, was=was, fresh=fresh)
