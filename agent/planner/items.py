"""A semantic layer item by item: what each one says, some of them, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from agent.planner.joins import Graph
from agent.planner.schema import find_column
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
)
from guard import Catalog

Kind = Literal["Number", "Table", "Column", "Time between", "Role", "Join", "Phrase"]
Content = TableMeaning | ColumnMeaning | Metric | Duration | Role | Join | str
_AGGREGATES = {
    "sum": "the sum of",
    "avg": "the average of",
    "share": "the share of rows of",
    "count": "the number of rows of",
    "distinct": "the number of different values of",
}


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing a layer says. `key` names it among the layer's items."""

    key: str
    kind: Kind
    name: str
    says: str
    content: Content


def items_of(semantics: Semantics) -> tuple[Item, ...]:
    """Returns the items of a layer, numbers first."""
    return tuple(_items(semantics))


def _items(semantics: Semantics) -> Iterator[Item]:
    for name, metric in semantics.metrics.items():
        yield _item("Number", name, _of_metric(metric), metric)
    for name, table in semantics.tables.items():
        yield _item("Table", name, _of_table(table), table)
    for name, column in semantics.columns.items():
        yield _item("Column", name, _of_column(column), column)
    for name, span in semantics.durations.items():
        says = _joined(f"from {span.start} to {span.end}", _also(span.synonyms))
        yield _item("Time between", name, says, span)
    for role in semantics.roles:
        yield _item("Role", role.column, _of_role(role), role)
    for join in semantics.joins:
        yield _item("Join", join.column, f"points at {join.references}", join)
    for phrase, meaning in semantics.phrases.items():
        yield _item("Phrase", phrase, f"means “{meaning}”", meaning)


def _item(kind: Kind, name: str, says: str, content: Content) -> Item:
    return Item(key=f"{kind}: {name}", kind=kind, name=name, says=says, content=content)


def only(semantics: Semantics, keys: Collection[str]) -> Semantics:
    """Returns the layer with just the items of these keys."""

    def kept(kind: Kind, name: str) -> bool:
        return f"{kind}: {name}" in keys

    return semantics.model_copy(
        update={
            "metrics": {n: m for n, m in semantics.metrics.items() if kept("Number", n)},
            "tables": {n: m for n, m in semantics.tables.items() if kept("Table", n)},
            "columns": {n: m for n, m in semantics.columns.items() if kept("Column", n)},
            "durations": {n: m for n, m in semantics.durations.items() if kept("Time between", n)},
            "roles": tuple(r for r in semantics.roles if kept("Role", r.column)),
            "joins": tuple(j for j in semantics.joins if kept("Join", j.column)),
            "phrases": {n: m for n, m in semantics.phrases.items() if kept("Phrase", n)},
        }
    )


def merged(base: Semantics, more: Semantics) -> Semantics:
    """Returns both; where they speak of the same thing, what `more` says."""
    roles = {r.column: r for r in (*base.roles, *more.roles)}
    joins = {j.column: j for j in (*base.joins, *more.joins)}
    return Semantics(
        tables=base.tables | more.tables,
        columns=base.columns | more.columns,
        metrics=base.metrics | more.metrics,
        durations=base.durations | more.durations,
        roles=tuple(roles.values()),
        joins=tuple(joins.values()),
        phrases=base.phrases | more.phrases,
    )


def problems(semantics: Semantics, catalog: Catalog, free_text: Collection[str]) -> tuple[str, ...]:
    """Returns what keeps the layer from being used with this source, as sentences.

    `catalog` MUST carry the policy's tags. No value of a column with a tag, or of prose
    (`free_text`, `table.column`), may stand in a layer, whoever wrote it there.
    """
    found = [
        f"There is no {'column' if '.' in name else 'table'} {name} in this source. Correct the "
        "name, or take out what names it."
        for name in semantics.unknown_names(catalog)
    ]
    prose = {name.casefold() for name in free_text}
    for name in dict.fromkeys(_with_values(semantics)):
        table, _, own = name.partition(".")
        column = find_column(catalog, table, own)
        if (column is not None and column.tag is not None) or name.casefold() in prose:
            found.append(
                f"{name} holds personal data, so no value of it may stand here. Take out the "
                "condition or the values."
            )
    found += [
        f"{table} is ranked by {meaning.rank_by}, which is no metric. Add one of that name, or "
        "take out rank_by."
        for table, meaning in semantics.tables.items()
        if meaning.rank_by is not None and meaning.rank_by not in semantics.metrics
    ]
    graph = Graph(catalog, semantics)
    found += [
        f"{role.column} points at no other row, so it can have no role. Add the join, or take "
        "out the role."
        for role in semantics.roles
        if "." in role.column and graph.hop(*role.column.split(".")) is None
    ]
    return tuple(found)


def _with_values(semantics: Semantics) -> Iterator[str]:
    """The columns of which a layer holds values."""
    for metric in semantics.metrics.values():
        for definition in metric.by:
            yield from (test.column for test in (*definition.where, *definition.when))
    for name, column in semantics.columns.items():
        if column.values:
            yield name


# Sentences ----------------------------------------------------------------------------------------


def _of_metric(metric: Metric) -> str:
    ways = [_of_definition(d, metric.aggregate_of(d)) for d in metric.by]
    return _joined(" or ".join(dict.fromkeys(ways)), _also((*metric.synonyms, *metric.verbs)))


def _of_definition(definition: Definition, aggregate: str) -> str:
    words = [_AGGREGATES[aggregate], definition.of or definition.table]
    if definition.of and not definition.of.startswith(f"{definition.table}."):
        words.append(f"over {definition.table}")
    tests = [("when", t) for t in definition.when] + [("where", t) for t in definition.where]
    return " ".join([*words, *(f"{word} {_of_test(test)}" for word, test in tests)])


def _of_test(test: Test) -> str:
    return f"{test.column} is {'not ' if test.not_ else ''}{' or '.join(test.is_ or test.not_)}"


def _of_table(table: TableMeaning) -> str:
    return _joined(
        _also(table.synonyms),
        f"rows exist where somebody {' or '.join(table.verbs)}" if table.verbs else "",
        f"a row is named by {' and '.join(table.label)}" if table.label else "",
        f"“in 2025” is about {table.date}" if table.date else "",
        f"“largest” is about {table.measure}" if table.measure else "",
        f"“top” is about {table.rank_by}" if table.rank_by else "",
        f"a list shows {', '.join(table.columns)}" if table.columns else "",
    )


def _of_column(column: ColumnMeaning) -> str:
    adds = {"sum": "is added up", "avg": "is averaged", "ask": "asks back how to count"}
    return _joined(
        _also((*column.synonyms, *column.verbs)),
        f"true is {', '.join(column.yes)}" if column.yes else "",
        f"false is {', '.join(column.no)}" if column.no else "",
        ", ".join(f"“{word}” is stored as {value}" for word, value in column.values.items()),
        adds[column.aggregate] if column.aggregate else "",
    )


def _of_role(role: Role) -> str:
    verbs = (*role.verbs, *role.inverse)
    called = ", ".join(role.name)
    return _joined(f"whom it points at is the {called}", _also(verbs) if verbs else "")


def _also(words: Collection[str]) -> str:
    return f"also called {', '.join(words)}" if words else ""


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part) or "nothing"
