"""Scopes: what stands in a FROM clause and which columns it offers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from sqlglot import exp

from guard.tracing.flows import NOTHING, UNKNOWN, Flows, union


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """One output column, by position. `name` is empty where the engine makes one up.

    `written` spells the name so that the engine reads it back as this column; `is_list` is true
    when the value is known to be a list, not a struct that UNNEST would spread over columns.
    `stored` is true when every value is, untouched, a stored value of one base column.
    """

    name: str
    flows: Flows
    written: exp.Identifier | None = None
    is_list: bool = False
    stored: bool = False


ByName = Mapping[str, Sequence[Output]]


def by_name(outputs: Iterable[Output]) -> ByName:
    """Returns the outputs under their names, in order; names may stand twice."""
    named: dict[str, list[Output]] = {}
    for output in outputs:
        named.setdefault(output.name, []).append(output)
    return named


@dataclass(frozen=True, kw_only=True, slots=True)
class Relation:
    """Something in a FROM clause.

    `columns` is None when not even their number is known. `rest` is what a name that `columns` does
    not list may carry: None where there is no such column. `alias` spells the relation's name.
    """

    name: str
    columns: tuple[Output, ...] | None
    rest: Flows | None = None
    alias: exp.Identifier | None = None
    base: bool = False
    by_name: ByName | None = field(default=None, repr=False, compare=False)
    """The columns under their names, where somebody has put them so before."""

    def __post_init__(self) -> None:
        if self.by_name is None:
            object.__setattr__(self, "by_name", by_name(self.columns or ()))

    def outputs(self, name: str) -> Sequence[Output]:
        """Returns the columns of that name; names may stand twice."""
        return (self.by_name or {}).get(name, ())

    def column(self, name: str) -> Flows | None:
        """Returns what a column of that name carries, whichever is meant, or None."""
        found = self.outputs(name)
        return union([o.flows for o in found]) if found else None

    def row(self) -> Flows:
        """Returns what the row as a whole carries."""
        parts = [o.flows for o in self.columns or ()]
        return union([*parts, self.rest or NOTHING])


class Item(NamedTuple):
    """One column of `SELECT *`.

    A column that USING has `merged` stands in several `relations`; any other in one. `qualified`
    writes a merged column so that no other relation's can be meant, None where the names of its
    parts do not allow that. `outer` is true where a right or full join merged it, so that it may
    hold what its first relation has not.
    """

    output: Output
    relations: tuple[Relation, ...]
    merged: bool = False
    qualified: exp.Expr | None = None
    outer: bool = False

    @property
    def relation(self) -> Relation | None:
        """The relation of a column that is not merged."""
        return None if self.merged else self.relations[0]


@dataclass
class Scope:
    """What the names in one SELECT can mean; names not found here are looked up in `parent`.

    `certain` is false where the engine may or may not let this scope see its parent's relations (a
    derived table beside others): what is found there counts, and the search goes on.
    """

    parent: Scope | None = None
    certain: bool = True
    relations: list[Relation] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    aliases: dict[str, list[exp.Expr]] = field(default_factory=dict)
    windows: dict[str, exp.Window] = field(default_factory=dict)
    bound: frozenset[str] = frozenset()
    aliases_too: bool = False
    filters: list[Flows] = field(default_factory=list)
    known_aliases: dict[str, Flows | None] = field(default_factory=dict)

    def column(self, name: str) -> Flows | None:
        """Returns what a bare column name carries among this scope's own relations."""
        found = [f for r in self.relations if (f := r.column(name)) is not None]
        return union(found) if found else None

    def named(self, name: str) -> list[Relation]:
        """Returns the relations that go by `name`."""
        return [r for r in self.relations if r.name == name]

    def rest(self) -> list[Flows]:
        """Returns what columns without a known name carry."""
        return [r.rest for r in self.relations if r.rest is not None]

    def stored(self, column: exp.Expr) -> bool:
        """True when a bare column name means exactly one output here, and that one is stored."""
        if not isinstance(column, exp.Column) or column.args.get("db"):
            return False
        wanted, name = column.text("table").casefold(), column.name.casefold()
        relations = self.named(wanted) if wanted else self.relations
        if any(r.columns is None for r in relations):
            return False
        found = [o for r in relations for o in r.outputs(name)]
        return len(found) == 1 and found[0].stored

    def clause(self) -> Scope:
        """The same names for a clause in which an output's alias may hide a column."""
        return Scope(
            parent=self.parent,
            certain=self.certain,
            relations=self.relations,
            items=self.items,
            aliases=self.aliases,
            windows=self.windows,
            aliases_too=True,
            filters=self.filters,
            known_aliases=self.known_aliases,
        )


def qualified(item: Item) -> exp.Expr | None:
    """Returns the item under its relation's name, None where that is missing or means two."""
    relation = item.relation
    if relation is None:
        return item.qualified.copy() if item.qualified is not None else None
    written = item.output.written
    if written is None or relation.alias is None or len(relation.outputs(item.output.name)) > 1:
        return None
    return exp.Column(this=written.copy(), table=relation.alias.copy())


def derived(
    name: str,
    outputs: Sequence[Output] | None,
    *,
    alias: exp.Identifier | None,
    columns: Sequence[exp.Identifier] = (),
) -> Relation:
    """Returns a subquery, CTE or row list as a relation; `columns` renames it by position.

    Some engines take fewer names than columns; here that is a doubt, so nothing is known.
    """
    if outputs is None or (columns and len(columns) != len(outputs)):
        return Relation(name=name, columns=None, rest=UNKNOWN, alias=alias)
    found = renamed(outputs, columns) if columns else tuple(outputs)
    unnamed = [o.flows for o in found if not o.name]
    rest = union(unnamed) if unnamed else None
    return Relation(name=name, columns=found, rest=rest, alias=alias)


def renamed(outputs: Sequence[Output], names: Sequence[exp.Identifier]) -> tuple[Output, ...]:
    """Returns the outputs under other names, position by position."""
    return tuple(
        replace(output, name=name.name.casefold(), written=name)
        for output, name in zip(outputs, names, strict=True)
    )


def alias_of(node: exp.Expr) -> tuple[exp.Identifier | None, list[exp.Identifier]]:
    """Returns the alias of something in a FROM clause and the column names given with it."""
    alias = node.args.get("alias")
    if not isinstance(alias, exp.TableAlias):
        return None, []
    columns = [c if isinstance(c, exp.Identifier) else c.this for c in alias.columns]
    return alias.this, columns


def is_unusual(node: exp.Expr, safe: frozenset[str]) -> bool:
    """True when the node has parts other than the `safe` ones."""
    return any(value and key not in safe for key, value in node.args.items())
