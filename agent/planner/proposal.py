"""A first semantic layer from keys, names, types and some values, for an admin to look at."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from agent.planner.joins import Graph, Hop
from agent.planner.lexicon import forms_of
from agent.planner.schema import is_key, kind_of, label_of, name_stems, name_words, spoken
from agent.planner.semantics import (
    ColumnMeaning,
    Definition,
    Duration,
    Join,
    Metric,
    Role,
    Semantics,
    TableMeaning,
    Test,
    is_settled,
)
from agent.planner.units import length_unit
from agent.planner.words import fold
from guard import Catalog, Column, Table

Place = tuple[str, str]
"""A table and one of its columns."""

_SYNONYMS = {
    "customer": ("client", "buyer"),
    "employee": ("staff", "staff member", "worker"),
    "supplier": ("vendor",),
    "shipper": ("carrier",),
    "product": ("article",),
    "order": ("purchase",),
    "track": ("song",),
    "artist": ("band",),
    "invoice": ("bill",),
    "ticket": ("case",),
}
_LINES = ("line item", "order line")
_TOTALS = ("total amount", "grand total", "order total", "total", "amount", "value", "revenue")
_LINE_TOTALS = ("line total", "total", "subtotal", "amount", "total price", "line amount")
_PRICES = ("unit price", "price", "sale price", "list price")
_QUANTITIES = ("quantity", "qty", "unit", "order quantity")
_DISCOUNTS = ("discount", "discount rate")
_ACTS = {"support": "supported", "manage": "managed", "own": "owned", "handle": "handled"}
_ACTS |= {"approve": "approved", "create": "created", "assign": "assigned"}
_BOUGHT = ("bought", "purchased", "ordered")
_UPWARD = {"reports to", "report to", "manager", "supervisor", "boss", "reports"}
_SPANS = (
    ("opened", "closed"),
    ("created", "closed"),
    ("created", "resolved"),
    ("started", "ended"),
    ("started", "finished"),
    ("ordered", "shipped"),
    ("order", "shipped"),
    ("ordered", "delivered"),
    ("shipped", "delivered"),
)
_BASES = {"closed": "close", "resolved": "resolve", "ended": "end", "finished": "finish"}
_BASES |= {"shipped": "ship", "delivered": "deliver"}
_STATES = {"status", "state", "order status", "invoice status"}
_VOID = {"cancelled", "canceled", "void", "voided"}
_COUNTRIES = {
    "usa": ("United States", "America"),
    "us": ("United States", "USA"),
    "uk": ("United Kingdom", "Great Britain"),
    "gb": ("United Kingdom", "UK"),
    "uae": ("United Arab Emirates",),
}
_NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a look at the rows gave. None of it is needed; with less of it less is proposed.

    `values` MUST hold no personal data. The only ones of them that get into a proposal are those
    that stand in a short list of our own, such as `cancelled`. `fractions` are numbers between 0
    and 1 in every row; `contained` are the guessed keys all of whose values were found in the
    table they point at, None where nobody looked.
    """

    values: Mapping[Place, tuple[str, ...]] = field(default_factory=dict)
    fractions: Collection[Place] = ()
    contained: Collection[Join] | None = None


def propose_semantics(catalog: Catalog, evidence: Evidence | None = None) -> Semantics:
    """Returns what names, keys, types and the evidence suggest, marked as not confirmed.

    Only what can hardly be wrong is proposed: a metric needs a quantity and a price in one table of
    lines. Tables and columns whose names a layer cannot spell are left out.
    """
    seen = evidence or Evidence()
    catalog = _spellable(catalog)
    joins = guessed_joins(catalog)
    if seen.contained is not None:
        joins = tuple(j for j in joins if j in seen.contained)
    graph = Graph(catalog, Semantics(joins=joins))
    sales = _Sales.of(catalog, graph, seen)
    return Semantics(
        confirmed=False,
        tables={t.name: m for t in catalog.tables if (m := _table(t, sales, graph)) is not None},
        columns=_columns(catalog, seen),
        metrics=sales.metrics,
        durations=_durations(catalog),
        roles=_roles(catalog, graph),
        joins=joins,
    )


def _spellable(catalog: Catalog) -> Catalog:
    tables = tuple(
        Catalog.only(t, [c for c in t.columns if _NAME.fullmatch(c.name)])
        for t in catalog.tables
        if _NAME.fullmatch(t.name)
    )
    return Catalog(source=catalog.source, dialect=catalog.dialect, tables=tables)


def discounts(catalog: Catalog) -> tuple[Place, ...]:
    """Returns the numbers that would tell how a line is priced, were they fractions."""
    return tuple(
        (t.name, found)
        for t in _spellable(catalog).tables
        if t.kind == "table" and (found := _first(t, _DISCOUNTS)) is not None
    )


def guessed_joins(catalog: Catalog) -> tuple[Join, ...]:
    """Returns keys by name: `customer_id` points at `customers` where nothing is declared."""
    catalog = _spellable(catalog)
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
            referred = target.column(key)
            if referred is None or kind_of(referred) != kind_of(column):
                continue
            found.append(
                Join(column=f"{table.name}.{column.name}", references=f"{target.name}.{key}")
            )
    return tuple(found)


def _table(table: Table, sales: _Sales, graph: Graph) -> TableMeaning | None:
    stems = name_stems(table.name)
    synonyms = _SYNONYMS.get(stems[-1], ()) if len(stems) == 1 else ()
    meaning = TableMeaning(
        synonyms=(*synonyms, *(_LINES if table.name == sales.lines else ())),
        verbs=sales.verbs.get(table.name, ()),
        label=_label(table),
        date=_date(table, graph),
        measure=_first(table, _TOTALS),
        rank_by="sales" if table.name in sales.ranked else None,
    )
    return meaning if meaning != TableMeaning() else None


def _label(table: Table) -> tuple[str, ...] | None:
    """The one name without personal data, where names and types alone leave a choice."""
    if label_of(table):
        return None
    own = [c for c in table.columns if c.tag is None and kind_of(c) == "text"]
    named = [c.name for c in own if name_words(c.name)[-1:] in {("name",), ("title",)}]
    company = [n for n in named if name_words(n)[:-1] in {("company",), name_words(table.name)}]
    about = (name_stems(table.name), ("description",))
    described = [c.name for c in own if name_stems(c.name) == (*about[0], *about[1])]
    for found in (company, named, described):
        if len(found) == 1:
            return (found[0],)
    return None


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


@dataclass(frozen=True, kw_only=True)
class _Sales:
    """Sales and units sold, where exactly one table holds lines of a document with a date."""

    lines: str | None = None
    metrics: dict[str, Metric] = field(default_factory=dict)
    verbs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    ranked: frozenset[str] = frozenset()
    """Tables of whoever bought and of what was sold."""

    @classmethod
    def of(cls, catalog: Catalog, graph: Graph, seen: Evidence) -> _Sales:
        """Returns what there is of it, which may be nothing."""
        lines = [
            (t, hop, value)
            for t in catalog.tables
            for hop in graph.hops(t.name)
            if _is_line(t, hop, catalog) and (value := _line_value(t, seen))
        ]
        if len(lines) != 1:
            return cls()
        table, hop, value = lines[0]
        head = catalog.table(hop.target)
        quantity = _first(table, _QUANTITIES)
        if head is None or quantity is None:
            return cls()
        where = _not_void(head, seen)
        definitions = [Definition(table=table.name, of=value, where=where)]
        total = _first(head, _TOTALS)
        if total is not None:
            whole = Definition(table=head.name, of=f"{head.name}.{total}", where=where)
            definitions.insert(0, whole)
        note = f"without {' and '.join(where[0].not_)} {spoken(head.name)}" if where else ""
        units = Definition(table=table.name, of=f"{table.name}.{quantity}", where=where)
        metrics = {
            "sales": Metric(
                synonyms=("revenue", "turnover", "spend", "spending", "sales amount"),
                verbs=("spent", "earned", "sold"),
                note=note,
                by=tuple(definitions),
            ),
            "units sold": Metric(
                synonyms=("units", "unit", "items sold", "quantity sold", "copies sold"),
                note=note,
                by=(units,),
            ),
        }
        # "orders" would be the verb of a line as well as the name of a table.
        names = {s for t in catalog.tables for s in name_stems(t.name)}
        sold = ("sold", *(v for v in _BOUGHT if not names & set(forms_of(v))))
        around = [h.target for t in (table.name, head.name) for h in graph.hops(t)]
        ranked = {t for t in around if t not in (table.name, head.name)}
        return cls(
            lines=table.name,
            metrics=metrics,
            verbs={head.name: (*_BOUGHT, "placed"), table.name: sold},
            ranked=frozenset(ranked),
        )


def _not_void(head: Table, seen: Evidence) -> tuple[Test, ...]:
    """What a document that was called off says of itself, where its values show that some do."""
    for column in head.columns:
        if " ".join(name_words(column.name)) not in _STATES or column.tag is not None:
            continue
        found = [v for v in seen.values.get((head.name, column.name), ()) if fold(v) in _VOID]
        if found:
            test = {"column": f"{head.name}.{column.name}", "not": tuple(sorted(found))}
            return (Test.model_validate(test),)
    return ()


def _is_line(table: Table, hop: Hop, catalog: Catalog) -> bool:
    head = catalog.table(hop.target)
    dated = head is not None and any(kind_of(c) == "date" for c in head.columns)
    named = head is not None and name_stems(head.name)[0] in name_stems(table.name)
    return dated and named and _first(table, _QUANTITIES) is not None


def _line_value(table: Table, seen: Evidence) -> str:
    """What a line is worth. A discount counts where every row has one between 0 and 1."""
    total = _first(table, _LINE_TOTALS)
    discounted = [c.name for c in table.columns if "discount" in name_words(c.name)]
    if total is not None:
        return "" if discounted else f"{table.name}.{total}"
    price, quantity = _first(table, _PRICES), _first(table, _QUANTITIES)
    if not price or not quantity:
        return ""
    value = f"{table.name}.{price} * {table.name}.{quantity}"
    if not discounted:
        return value
    rate = _first(table, _DISCOUNTS)
    if len(discounted) > 1 or rate is None or (table.name, rate) not in seen.fractions:
        return ""
    return f"{value} * (1 - {table.name}.{rate})"


def _columns(catalog: Catalog, seen: Evidence) -> dict[str, ColumnMeaning]:
    found = {}
    for table in catalog.tables:
        for column in table.columns:
            meaning = ColumnMeaning(
                synonyms=_called(column),
                values=_spelled(column, seen.values.get((table.name, column.name), ())),
                aggregate=_aggregate(table, column),
            )
            if meaning != ColumnMeaning():
                found[f"{table.name}.{column.name}"] = meaning
    return found


def _called(column: Column) -> tuple[str, ...]:
    words = name_words(column.name)
    if length_unit(column.name) is not None:
        return ("length", "duration", "running time", "playing time")
    if words == ("bytes",):
        return ("size", "file size")
    if " ".join(words) in {"units in stock", "stock quantity", "quantity in stock"}:
        return ("stock", "stock level", "inventory")
    return ()


def _aggregate(table: Table, column: Column) -> Literal["sum"] | None:
    """Amounts add up whose names do not say so to the planner."""
    words = name_words(column.name)
    number = kind_of(column) == "number" and column.tag is None and not is_key(table, column)
    adds = words == ("freight",) or words[:1] == ("units",)
    return "sum" if number and adds else None


def _spelled(column: Column, values: Collection[str]) -> dict[str, str]:
    """Other words for countries that are stored by a short name."""
    if column.tag is not None or not {"country", "nation"} & set(name_words(column.name)):
        return {}
    stored = {fold(v): v for v in values}
    return {
        word: stored[short]
        for short, others in _COUNTRIES.items()
        if short in stored
        for word in others
        if fold(word) not in stored
    }


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
                verb = _BASES[last]
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
    shared = set(name_stems(name)) & set(name_stems(hop.target))
    if not words or shared or is_settled(name):
        return None
    act = words[0] if words[0] in _ACTS else None
    return Role(
        column=column,
        name=(name,),
        verbs=(f"{_ACTS[act]} by",) if act else (),
        inverse=(act, f"{act}s") if act else (),
    )
