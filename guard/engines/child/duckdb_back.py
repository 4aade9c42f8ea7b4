"""The way back from a large change of a DuckDB table: its rows are put back by the engine in sets.

A preview tries, over the whole table as it was, what runs when somebody takes a change back: then
the rows come from its image.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import duckdb

from guard.engines.child.duckdb_compared import differ, keys
from guard.engines.child.duckdb_tables import Table
from guard.engines.child.faults import Fault
from guard.engines.child.names import quoted
from guard.engines.child.reader import Stop
from guard.engines.child.summed import KINDS, Kind

_STRETCH = 250_000
"""About how many rows are put back by one statement: between two of them it can be stopped."""


@dataclass(frozen=True, kw_only=True)
class Back:
    """Puts rows back, in the open transaction.

    `rows` is where they are by kind: as they were, inserted ones as they are. With `whole` that is
    the table as it was, with every other row. `changed` are the columns that are set.
    """

    connection: duckdb.DuckDBPyConnection
    table: Table
    rows: Mapping[Kind, str]
    counts: Mapping[Kind, int]
    changed: Sequence[int]
    whole: bool
    stop: Stop

    def put(self) -> bool:
        """True when each statement hit as many rows as there are. Raises `Fault` when stopped."""
        total = sum(self.counts.values())
        self.stop.reached("back", 0, total)
        return all(
            self._put(kind, total) == self.counts[kind] for kind in KINDS if self.counts[kind]
        )

    def _put(self, kind: Kind, total: int) -> int:
        """Puts the rows of a kind back; returns how many."""
        table, there = self.table, self.rows[kind]
        name, on = f"main.{table.quoted}", keys(table, " AND ", "=")
        if kind == "inserted":
            gone = f"{'NOT ' if self.whole else ''}EXISTS (SELECT 1 FROM {there} o WHERE {on})"
            return self._hit(f"DELETE FROM {name} AS n WHERE {gone}")
        if kind == "deleted":
            cells = ", ".join(f"o.{quoted(c)}" for c in table.columns)
            missing = f" WHERE NOT EXISTS (SELECT 1 FROM {name} n WHERE {on})"
            return self._hit(
                f"INSERT INTO {name}({table.names}) SELECT {cells} FROM {there} o"
                f"{missing if self.whole else ''}"
            )
        sets = (quoted(table.columns[n]) for n in self.changed)
        update = f"UPDATE {name} AS n SET {', '.join(f'{c} = o.{c}' for c in sets)} FROM {there} o "
        unlike = differ(table, self.changed)
        where = f"WHERE {on}{f' AND {unlike}' if self.whole else ''}"
        done = 0
        for stretch in self._stretches(there):
            done += self._hit(f"{update} {where} AND {stretch}")
            self.stop.reached("back", min(done, total), total)
            if self.stop.asked():
                raise Fault("interrupted")
        if not table.alone:
            # What is equal to the engine stays as it is, unless RETURNING makes it move the row.
            self.connection.sql(f"{update} WHERE {on} AND {unlike} RETURNING 1").fetchall()
        return done

    def _stretches(self, there: str) -> Iterator[str]:
        """Yields conditions that part the keys of both sides into ranges."""
        key = quoted(self.table.primary_key[0])
        low, high = self.connection.execute(
            f"SELECT min({key}), max({key}) FROM {there}"
        ).fetchall()[0]
        parts = max(1, min(self.counts["updated"] // _STRETCH, 64))
        step = (high - low) // parts + 1
        for start in range(low, high + 1, step):
            end = min(start + step - 1, high)
            yield " AND ".join(f"{letter}.{key} BETWEEN {start} AND {end}" for letter in "on")

    def _hit(self, statement: str) -> int:
        return int(self.connection.execute(statement).fetchall()[0][0])
