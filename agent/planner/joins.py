"""The graph of foreign keys. Joins run many-to-one only, so that no row is counted twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agent.planner.semantics import Semantics
from guard import Catalog

MAX_HOPS = 5


@dataclass(frozen=True, slots=True)
class Hop:
    """From a row of `table` to the one row of `target` that its key names."""

    table: str
    columns: tuple[str, ...]
    target: str
    references: tuple[str, ...]


Path = tuple[Hop, ...]


class Graph:
    """All foreign keys between tables the person may see."""

    def __init__(self, catalog: Catalog, semantics: Semantics) -> None:
        self._hops: dict[str, list[Hop]] = {t.name: [] for t in catalog.tables}
        for hop in (*_declared(catalog), *_added(catalog, semantics)):
            if hop not in self._hops[hop.table]:
                self._hops[hop.table].append(hop)
        self._reach: dict[str, dict[str, list[Path]]] = {}

    def hops(self, table: str) -> tuple[Hop, ...]:
        """Returns the keys of one table."""
        return tuple(self._hops[table])

    def hop(self, table: str, column: str) -> Hop | None:
        """Returns the key of `table` that consists of `column` alone."""
        return next((h for h in self._hops.get(table, ()) if h.columns == (column,)), None)

    def paths(self, start: str, end: str) -> list[Path]:
        """Returns every shortest many-to-one path; the empty path from a table to itself."""
        return self._from(start).get(end, [])

    def distance(self, start: str, end: str) -> int | None:
        """Returns the number of keys from `start` to `end`, or None when there is no way."""
        found = self.paths(start, end)
        return len(found[0]) if found else None

    def bases(self, needed: Iterable[str]) -> list[str]:
        """Returns the tables from which all `needed` are in reach, the nearest first."""
        wanted = tuple(dict.fromkeys(needed))
        totals: list[tuple[int, str]] = []
        for table in self._hops:
            distances = [self.distance(table, other) for other in wanted]
            known = [d for d in distances if d is not None]
            if len(known) == len(wanted):
                totals.append((sum(known), table))
        return [table for _, table in sorted(totals)]

    def _from(self, start: str) -> dict[str, list[Path]]:
        if start not in self._reach:
            found: dict[str, list[Path]] = {start: [()]}
            layer = [start]
            for _ in range(MAX_HOPS):
                layer = self._extend(layer, found)
            self._reach[start] = found
        return self._reach[start]

    def _extend(self, layer: list[str], found: dict[str, list[Path]]) -> list[str]:
        new: dict[str, list[Path]] = {}
        for table in layer:
            for hop in self._hops[table]:
                if hop.target not in found:
                    longer = [(*path, hop) for path in found[table]]
                    new.setdefault(hop.target, []).extend(longer)
        found.update(new)
        return list(new)


def _declared(catalog: Catalog) -> Iterable[Hop]:
    for table in catalog.tables:
        for key in table.foreign_keys:
            target = catalog.table(key.table)
            if target is None:
                continue
            references = key.references or target.primary_key
            names = [c.name for r in references if (c := target.column(r)) is not None]
            own = [c.name for k in key.columns if (c := table.column(k)) is not None]
            if names and len(names) == len(references) == len(key.columns) == len(own):
                yield Hop(table.name, tuple(own), target.name, tuple(names))


def _added(catalog: Catalog, semantics: Semantics) -> Iterable[Hop]:
    for join in semantics.joins:
        owner, _, column = join.column.partition(".")
        referred, _, key = join.references.partition(".")
        table, target = catalog.table(owner), catalog.table(referred)
        own = table.column(column) if table else None
        other = target.column(key) if target else None
        if table and target and own and other:
            yield Hop(table.name, (own.name,), target.name, (other.name,))
