"""A first semantic layer from keys, names and types, for an admin to look at."""

from __future__ import annotations

from collections.abc import Mapping

from agent.planner.joins import Graph, Hop
from agent.planner.schema import is_key, kind_of, name_stems, name_words, spoken
from agent.planner.semantics import (
    ColumnMeaning,
    Definition,
    Duration,
    Join,
    Metric,
    Role,
    Semantics,
    TableMeaning,
)
from agent.planner.units import length_unit
from guard import Catalog, Table

_SYNONYMS = {
    "customer": ("client", "buyer"),
    "employee": ("staff", "staff member", "worker"),
    "track": ("song",),
    "artist": ("band",),
    "invoice": ("bill",),
    "ticket": ("case",),
}
_TOTALS = ("total amount", "grand total", "order total", "total", "amount", "value", "revenue")
_LINE_TOTALS = ("line total", "total", "subtotal", "amount", "total price", "line amount")
_PRICES = ("unit price", "price", "sale price", "list price")
_QUANTITIES = ("quantity", "qty", "unit", "order quantity")
_ACTS = {"support": "supported", "manage": "managed", "own": "owned", "handle": "handled"}
_ACTS |= {"approve": "approved", "create": "created", "assign": "assigned"}
_UPWARD = {"reports to", "report to", "manager", "supervisor", "boss", "reports"}
_SPANS = (
    ("opened", "closed"),
    ("created", "closed"),
    ("created", "resolved"),
    ("started", "ended"),
    ("started", "finished"),
    ("ordered", "shipped"),
    ("ordered", "delivered"),
    ("shipped", "delivered"),
)


def propose_semantics(
    catalog: Catalog, values: Mapping[tuple[str, str], tuple[str, ...]]
) -> Semantics:
    """Returns what names, keys and types suggest, marked as not confirmed.

    Only what can hardly be wrong is proposed: a metric needs a quantity and a price in one table of
    lines. `values` tell which text columns are categories; they are not copied.
    """
    joins = _joins(catalog)
    graph = Graph(catalog, Semantics(joins=joins))
    metrics, verbs = _sales(catalog, graph)
    return Semantics(
        confirmed=False,
        tables={t.name: _table(t, verbs.get(t.name, ()), graph) for t in catalog.tables},
        columns=_columns(catalog),
        metrics=metrics,
        durations=_durations(catalog),
        roles=_roles(catalog, graph),
        joins=joins,
    )


def _joins(catalog: Catalog) -> tuple[Join, ...]:
    """Keys by name: `customer_id` points at the table `customers` where nothing is declared."""
    by_name = {name_stems(t.name): t for t in catalog.tables}
    found = []
    for table in catalog.tables:
        declared = {c.casefold() for k in table.foreign_keys for c in k.columns}
        for column in table.columns:
            stems = name_stems(column.name)
            if column.name.casefold() in declared or stems[-1:] != ("id",):
                continue
            target = by_name.get(stems[:-1])
            if target is None or target is table or len(target.primary_key) != 1:
                continue
            key = target.primary_key[0]
            found.append(
                Join(column=f"{table.name}.{column.name}", references=f"{target.name}.{key}")
            )
    return tuple(found)


def _table(table: Table, verbs: tuple[str, ...], graph: Graph) -> TableMeaning:
    stems = name_stems(table.name)
    return TableMeaning(
        synonyms=_SYNONYMS.get(stems[-1], ()) if len(stems) == 1 else (),
        verbs=verbs,
        date=_date(table, graph),
        measure=_first(table, _TOTALS),
    )


def _date(table: Table, graph: Graph) -> str | None:
    """The date of a table of events, which has foreign keys, or the one with its name."""
    dates = [
        c.name
        for c in table.columns
        if kind_of(c) == "date" and c.tag is None and "birth" not in name_words(c.name)
    ]
    named = [d for d in dates if set(name_stems(d)) & set(name_stems(table.name))]
    if len(named) == 1:
        return named[0]
    first = [d for d in dates if name_words(d)[0] in {"created", "opened", "occurred", "ordered"}]
    if len(first) == 1 and len(dates) > 1:
        return first[0]
    events = any(h.target != table.name for h in graph.hops(table.name))
    return dates[0] if len(dates) == 1 and events else None


def _numbers(table: Table) -> dict[str, str]:
    """The numbers of a table that are no keys, by their words."""
    return {
        " ".join(name_stems(c.name)): c.name
        for c in table.columns
        if kind_of(c) == "number" and c.tag is None and not is_key(table, c)
    }


def _first(table: Table, names: tuple[str, ...]) -> str | None:
    numbers = _numbers(table)
    return next((numbers[n] for n in names if n in numbers), None)


def _sales(catalog: Catalog, graph: Graph) -> tuple[dict[str, Metric], dict[str, tuple[str, ...]]]:
    """Sales and units sold, where exactly one table holds lines of a document with a date."""
    lines = [(t, h) for t in catalog.tables for h in graph.hops(t.name) if _is_line(t, h, catalog)]
    if len(lines) != 1:
        return {}, {}
    table, hop = lines[0]
    head = catalog.table(hop.target)
    if head is None:
        return {}, {}
    total = _first(head, _TOTALS)
    definitions = [Definition(table=table.name, of=_line_value(table))]
    if total is not None:
        definitions.insert(0, Definition(table=head.name, of=f"{head.name}.{total}"))
    units = Definition(table=table.name, of=f"{table.name}.{_first(table, _QUANTITIES)}")
    metrics = {
        "sales": Metric(
            synonyms=("revenue", "turnover", "spend", "spending", "sales amount"),
            verbs=("spent", "earned", "sold"),
            by=tuple(definitions),
        ),
        "units sold": Metric(
            synonyms=("units", "unit", "items sold", "quantity sold", "copies sold"), by=(units,)
        ),
    }
    bought = ("bought", "purchased", "ordered")
    return metrics, {head.name: bought, table.name: ("sold", *bought)}


def _is_line(table: Table, hop: Hop, catalog: Catalog) -> bool:
    head = catalog.table(hop.target)
    dated = head is not None and any(kind_of(c) == "date" for c in head.columns)
    named = head is not None and name_stems(head.name)[0] in name_stems(table.name)
    discount = any("discount" in name_words(c.name) for c in table.columns)
    countable = _first(table, _QUANTITIES) is not None and bool(_line_value(table))
    return dated and named and countable and not discount


def _line_value(table: Table) -> str:
    total = _first(table, _LINE_TOTALS)
    if total is not None:
        return f"{table.name}.{total}"
    price, quantity = _first(table, _PRICES), _first(table, _QUANTITIES)
    return f"{table.name}.{price} * {table.name}.{quantity}" if price and quantity else ""


def _columns(catalog: Catalog) -> dict[str, ColumnMeaning]:
    found = {}
    for table in catalog.tables:
        for column in table.columns:
            synonyms: tuple[str, ...] = ()
            if length_unit(column.name) is not None:
                synonyms = ("length", "duration", "running time", "playing time")
            elif name_words(column.name) == ("bytes",):
                synonyms = ("size", "file size")
            if synonyms:
                found[f"{table.name}.{column.name}"] = ColumnMeaning(synonyms=synonyms)
    return found


def _durations(catalog: Catalog) -> dict[str, Duration]:
    found = {}
    for table in catalog.tables:
        dates = {
            name_words(c.name)[0]: c.name
            for c in table.columns
            if kind_of(c) == "date" and c.tag is None
        }
        for first, last in _SPANS:
            if first in dates and last in dates:
                verb = last.removesuffix("d") if last.endswith(("sed", "ved")) else last[:-2]
                found[f"{spoken(table.name)} time to {verb}"] = Duration(
                    start=f"{table.name}.{dates[first]}",
                    end=f"{table.name}.{dates[last]}",
                    synonyms=(f"time to {verb}",),
                )
                break
    return found


def _roles(catalog: Catalog, graph: Graph) -> tuple[Role, ...]:
    """Foreign keys whose column says more than the name of the table it points at."""
    found = []
    for table in catalog.tables:
        for hop in graph.hops(table.name):
            role = _role(hop) if len(hop.columns) == 1 else None
            if role is not None:
                found.append(role)
    return tuple(found)


def _role(hop: Hop) -> Role | None:
    column = f"{hop.table}.{hop.columns[0]}"
    words = [w for w in name_words(hop.columns[0]) if w != "id"]
    name = " ".join(words)
    if hop.table == hop.target and name in _UPWARD:
        return Role(
            column=column,
            name=("manager", "boss", "supervisor"),
            verbs=("reports to", "report to", "reporting to"),
            inverse=("manages", "manage"),
        )
    if not words or set(name_stems(name)) & set(name_stems(hop.target)):
        return None
    act = words[0] if words[0] in _ACTS else None
    return Role(
        column=column,
        name=(name,),
        verbs=(f"{_ACTS[act]} by",) if act else (),
        inverse=(act, f"{act}s") if act else (),
    )
