"""What a column name means: every reading that some engine might take counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from guard.tracing.flows import NOTHING, UNKNOWN, Flows, union
from guard.tracing.scopes import Scope

AliasFlows = Callable[[Scope, str], Flows | None]
"""What an output alias of the scope's own SELECT carries, None where there is no such alias."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A resolved name.

    `prefix` counts leading names that only repeat a table's schema; `whole_row` is true when the
    name may mean a table as one value.
    """

    flows: Flows
    prefix: int = 0
    whole_row: bool = False


def bare(name: str, scope: Scope, alias: AliasFlows) -> Found | None:
    """Returns what a column name without a qualifier means, None where nothing has that name.

    The nearest scope with such a column decides; aliases, tables of that name and columns without a
    known name that are nearer count as well.
    """
    flows: list[Flows] = []
    whole_row = False
    level: Scope | None = scope
    certain = True
    while level is not None:
        if name in level.bound:
            flows.append(NOTHING)
            break
        column = level.column(name)
        if column is not None:
            flows.append(column)
            if level.aliases_too and (hidden := alias(level, name)) is not None:
                flows.append(hidden)
            if certain:
                break
        else:
            flows.extend(level.rest())
            if (aliased := alias(level, name)) is not None:
                flows.append(aliased)
            rows = level.named(name)
            whole_row = whole_row or bool(rows)
            flows.extend(row.row() for row in rows)
        certain = level.certain
        level = level.parent
    return Found(flows=union(flows), whole_row=whole_row) if flows else None


def dotted(parts: Sequence[str], scope: Scope) -> Found | None:
    """Returns what a qualified name means, None where nothing has that name.

    It may be `table.column`, `schema.table.column` or `struct.field`, and longer.
    """
    flows: list[Flows] = []
    prefixes: list[int] = []
    level: Scope | None = scope
    certain = True
    while level is not None:
        if parts[0] in level.bound:
            flows.append(NOTHING)
            break
        found = _at(parts, level)
        flows.extend(f for _, f in found)
        prefixes.extend(p for p, _ in found)
        if found and certain:
            break
        certain = level.certain
        level = level.parent
    return Found(flows=union(flows), prefix=min(prefixes, default=0)) if flows else None


def _at(parts: Sequence[str], level: Scope) -> list[tuple[int, Flows]]:
    found: list[tuple[int, Flows]] = []
    for at in range(len(parts) - 1):
        for relation in level.named(parts[at]):
            column = relation.column(parts[at + 1])
            carried = relation.rest if column is None else column
            found.append((at, UNKNOWN if carried is None else carried))
    struct = level.column(parts[0])
    if struct is not None:
        found.append((0, struct))
    return found
