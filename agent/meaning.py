"""The confirmed semantic layer as a model is told of it: what words mean, within a person's scope.

Only what names tables and columns that the person sees is told, and no value of a masked column.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.planner import Semantics
from agent.planner.items import Item, items_of
from agent.planner.schema import find_column
from agent.planner.semantics import (
    ColumnMeaning,
    Definition,
    Duration,
    Join,
    Metric,
    Role,
    TableMeaning,
)
from guard import Catalog


def told(semantics: Semantics, catalog: Catalog) -> dict[str, str]:
    """Returns what each number, length of time and phrase means, by its name."""
    kinds = {"Number", "Time between", "Phrase"}
    found = {i.name: i.says for i in items_of(_within(semantics, catalog)) if i.kind in kinds}
    notes = {n: m.note for n, m in semantics.metrics.items() if m.note and n in found}
    return {
        name: f"{says}; {notes[name]}" if name in notes else says for name, says in found.items()
    }


def told_of(semantics: Semantics, catalog: Catalog, table: str) -> dict[str, str]:
    """Returns what is said of one table, its columns and its keys."""
    items = items_of(_within(semantics, catalog))
    return {item.name: item.says for item in items if _is_of(item, table)}


def _is_of(item: Item, table: str) -> bool:
    if item.kind not in {"Table", "Column", "Role", "Join"}:
        return False
    return item.name.partition(".")[0].casefold() == table.casefold()


def _within(semantics: Semantics, catalog: Catalog) -> Semantics:
    """The part of a layer that speaks of nothing but what the person sees."""
    metrics = {
        name: metric.model_copy(update={"by": by})
        for name, metric in semantics.metrics.items()
        if (by := tuple(d for d in metric.by if _open(d, catalog)))
    }
    return Semantics(
        metrics=metrics,
        tables={n: m for n, t in semantics.tables.items() if (m := _table(n, t, metrics, catalog))},
        columns={n: o for n, c in semantics.columns.items() if (o := _column(n, c, catalog))},
        durations={n: d for n, d in semantics.durations.items() if _sees(_ends(d), catalog)},
        roles=tuple(r for r in semantics.roles if _sees(_ends(r), catalog)),
        joins=tuple(j for j in semantics.joins if _sees(_ends(j), catalog)),
        phrases=semantics.phrases,
    )


def _open(definition: Definition, catalog: Catalog) -> bool:
    tests = [test.column for test in (*definition.where, *definition.when)]
    names = [*(f"{t}.{c}" for t, c in definition.columns), *tests]
    return catalog.table(definition.table) is not None and all(
        _sees([n], catalog) and not _masked(n, catalog) for n in names
    )


def _table(
    name: str, meaning: TableMeaning, metrics: dict[str, Metric], catalog: Catalog
) -> TableMeaning | None:
    table = catalog.table(name)
    if table is None:
        return None

    def own(columns: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return tuple(c for c in columns if table.column(c)) if columns else columns

    return meaning.model_copy(
        update={
            "label": own(meaning.label),
            "columns": own(meaning.columns),
            "date": meaning.date if meaning.date and table.column(meaning.date) else None,
            "measure": meaning.measure
            if meaning.measure and table.column(meaning.measure)
            else None,
            "rank_by": meaning.rank_by if meaning.rank_by in metrics else None,
        }
    )


def _column(name: str, meaning: ColumnMeaning, catalog: Catalog) -> ColumnMeaning | None:
    if not _sees([name], catalog):
        return None
    return meaning.model_copy(update={"values": {}}) if _masked(name, catalog) else meaning


def _ends(one: Duration | Role | Join) -> Sequence[str]:
    match one:
        case Duration():
            return one.start, one.end
        case Role():
            return (one.column,)
        case Join():
            return one.column, one.references


def _sees(names: Sequence[str], catalog: Catalog) -> bool:
    return all(find_column(catalog, *_parts(n)) is not None for n in names)


def _masked(name: str, catalog: Catalog) -> bool:
    found = find_column(catalog, *_parts(name))
    return found is None or found.tag is not None


def _parts(name: str) -> tuple[str, str]:
    table, _, column = name.partition(".")
    return table, column
