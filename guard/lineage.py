"""Which source columns the values of each output column derive from. Fails closed to unknown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlglot import exp

from guard.catalog import Catalog
from guard.statement import Statement
from guard.tracing import Flows, Output, Traced, Walk
from guard.views import expand

Flow = Literal["value", "implicit", "clean", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where one output column comes from, matched by position, never by name.

    `sources` are `(table, column)` pairs of base tables, and of views whose own columns are tagged.
    `flow` is how the worst tagged of them arrives, or, when none is tagged, the worst of all:
    `value` (the value itself, perhaps transformed), `implicit` (compared or ranked, so revealed in
    part), `clean` (counts, or no source at all), `unknown` (could not be traced: treat as personal
    data). `name` is empty where the engine makes one up. `stored` is true when every value is,
    untouched, a stored value of the one source: only such values may get masks that tell them
    apart.
    """

    name: str
    sources: frozenset[tuple[str, str]]
    flow: Flow
    stored: bool = False


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """One `Origin` per output column, in order.

    `tagged_predicate` is true when tagged columns, or columns that could not be traced, filter,
    join or order the rows.
    """

    columns: tuple[Origin, ...]
    tagged_predicate: bool


UNTRACED = Lineage(columns=(), tagged_predicate=True)
"""Nothing could be told, not even the number of columns."""


def trace(statement: Statement, catalog: Catalog) -> Lineage:
    """Returns the lineage of a read.

    Any doubt makes a column `unknown`; when not even the width is known, `columns` is empty and the
    caller must treat every column of the result as unknown. Never raises.
    """
    try:
        tree = expand(statement.tree, catalog).tree
        return summarise(Walk(catalog).run(tree), catalog)
    except Exception:
        # Whatever goes wrong on the way, nothing is known: the caller masks everything.
        return UNTRACED


def summarise(traced: Traced, catalog: Catalog) -> Lineage:
    """Returns what a walk found, in terms of the catalog's tags."""
    if traced.outputs is None:
        return UNTRACED
    tagged = {(t.name, c.name) for t in catalog.tables for c in t.columns if c.tag is not None}
    filters = traced.filters
    return Lineage(
        columns=tuple(_origin(output, tagged) for output in traced.outputs),
        tagged_predicate=filters.unknown or not tagged.isdisjoint(filters.implicit),
    )


def _origin(output: Output, tagged: set[tuple[str, str]]) -> Origin:
    flows = output.flows
    name = output.written.name if output.written is not None else output.name
    sources = flows.value | flows.implicit
    return Origin(
        name=name,
        sources=sources,
        flow=_flow(flows, tagged),
        stored=output.stored and len(sources) == 1 and not flows.unknown,
    )


def _flow(flows: Flows, tagged: set[tuple[str, str]]) -> Flow:
    if flows.unknown:
        return "unknown"
    for found in (tagged, None):
        if flows.value if found is None else not found.isdisjoint(flows.value):
            return "value"
        if flows.implicit if found is None else not found.isdisjoint(flows.implicit):
            return "implicit"
    return "clean"


def is_sensitive(origin: Origin, catalog: Catalog) -> bool:
    """True when the column may show personal data: it is unknown, or a source of it is tagged."""
    if origin.flow == "unknown":
        return True
    return origin.flow != "clean" and any(_is_tagged(t, c, catalog) for t, c in origin.sources)


def _is_tagged(table: str, column: str, catalog: Catalog) -> bool:
    found = catalog.table(table)
    source = found.column(column) if found is not None else None
    return source is None or source.tag is not None


def is_read(tree: exp.Expr) -> bool:
    """True for a query without a part that writes, locks or leaves SQL behind it."""
    if not isinstance(tree, exp.Query | exp.Values):
        return False
    return tree.find(*_NO_READ) is None


_NO_READ = (
    exp.Command,
    exp.DDL,
    exp.DML,
    exp.Into,
    exp.Lock,
)
