"""Names in reach at one place of a statement, and which base columns stand behind them.

Where an engine would choose between two meanings of a name, both are taken: a use too many is
refused for nothing, a use too few would let a column out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from guard.catalog import Table
from guard.same import Same

Base = tuple[str, str]
"""A real column: table and column, as the catalog spells them."""

NOTHING: frozenset[Base] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Value:
    """What an expression is made of. `direct` is the one base column it is a bare copy of."""

    bases: frozenset[Base] = NOTHING
    direct: Base | None = None


EMPTY = Value()


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """One named column of a query or relation."""

    name: str
    value: Value


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """The columns of a query or relation, in order.

    `rest` is None when the columns are exactly these. Otherwise there are more, or they cannot be
    counted, and whatever they are called they come from `rest`. `shuffled` means that only the
    order is not known.
    """

    columns: tuple[Output, ...] = ()
    rest: frozenset[Base] | None = None
    shuffled: bool = False

    def exactly(self, name: str) -> list[Value]:
        """Returns the values of the columns that have this name."""
        return self._values.get(name.casefold(), [])

    @cached_property
    def _values(self) -> Mapping[str, list[Value]]:
        found: dict[str, list[Value]] = {}
        for column in self.columns:
            found.setdefault(column.name.casefold(), []).append(column.value)
        return found

    def named(self, name: str) -> list[Value]:
        """Returns the values that may be meant by a column name."""
        found = self.exactly(name)
        return found if found or self.rest is None else [Value(bases=self.rest)]

    def at(self, position: int) -> frozenset[Base]:
        """Returns the bases of the column at a position counted from 1."""
        if self.rest is not None or self.shuffled:
            return self.bases
        if 1 <= position <= len(self.columns):
            return self.columns[position - 1].value.bases
        return NOTHING

    @property
    def bases(self) -> frozenset[Base]:
        """Every base column of all columns."""
        return NOTHING.union(self.rest or NOTHING, *(c.value.bases for c in self.columns))

    def renamed(self, names: Sequence[str]) -> Outputs:
        """Returns the columns with the first ones called `names`."""
        if not names:
            return self
        if self.rest is not None or self.shuffled:
            named = tuple(Output(name=n, value=Value(bases=self.bases)) for n in names)
            return Outputs(columns=named, rest=self.bases)
        columns = [
            Output(name=names[i], value=c.value) if i < len(names) else c
            for i, c in enumerate(self.columns)
        ]
        return Outputs(columns=tuple(columns))

    def beside(self, other: Outputs) -> Outputs:
        """Returns the columns of a set operation over both: each position holds both values."""
        vague = {self.rest, other.rest} != {None} or self.shuffled or other.shuffled
        if vague or len(self.columns) != len(other.columns):
            return Outputs(columns=self.columns, rest=self.bases | other.bases)
        pairs = zip(self.columns, other.columns, strict=True)
        return Outputs(
            columns=tuple(
                Output(name=a.name, value=Value(bases=a.value.bases | b.value.bases))
                for a, b in pairs
            )
        )


@dataclass(kw_only=True, slots=True)
class Relation:
    """One thing in a FROM clause; `name` is folded as the dialect compares it."""

    name: str
    outputs: Outputs
    base: Table | None = None
    hidden: bool = False
    """True for the right side of a SEMI or ANTI join: in reach of ON only."""
    others: tuple[Relation, ...] = ()
    """The relations that share this name, where several do."""

    def conceals(self, name: str) -> bool:
        """True when the name may be a column that is there and does not exist for the person."""
        if self.base is not None and self.base.conceals(name):
            return True
        return any(other.conceals(name) for other in self.others)

    @property
    def concealed(self) -> frozenset[str]:
        """The names of such columns, casefolded."""
        return frozenset(c.name.casefold() for c in self.base.hidden) if self.base else frozenset()


def table_outputs(table: Table) -> Outputs:
    """Returns the columns of a base table."""
    return _outputs_of(Same(table))


@lru_cache(maxsize=2_000)
def _outputs_of(key: Same[Table]) -> Outputs:
    table = key.it
    columns = []
    for column in table.columns:
        base = (table.name, column.name)
        columns.append(Output(name=column.name, value=Value(bases=frozenset((base,)), direct=base)))
    return Outputs(columns=tuple(columns))


@dataclass(kw_only=True, slots=True)
class Scope:
    """The names one query sees: its relations, its own output names, and the query around it."""

    parent: Scope | None = None
    relations: list[Relation] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    merged: set[str] = field(default_factory=set)
    """Column names that USING or NATURAL made one of several; casefolded."""

    def chain(self) -> Iterator[Scope]:
        """Yields this scope and those around it, the nearest first."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def relation(self, name: str) -> Relation | None:
        """Returns the nearest relation of a folded name; several of one name are taken as one."""
        for scope in self.chain():
            found = [r for r in scope.relations if r.name == name]
            if len(found) == 1:
                return found[0]
            if found:
                outputs = Scope(relations=found).everything()
                return Relation(name=name, outputs=outputs, others=tuple(found))
        return None

    def columns(self, name: str) -> list[Value]:
        """Returns what the relations of this scope alone call `name`, one value for each."""
        found = (r.outputs.exactly(name) for r in self.relations if not r.hidden)
        return [union(values) for values in found if values]

    def conceals(self, name: str) -> bool:
        """True when a relation in reach has a hidden column that the name may mean."""
        return any(r.conceals(name) for r in self.relations if not r.hidden)

    def vaguely(self, name: str, folded: str) -> list[Value]:
        """Returns what else a bare name may mean here.

        That is a column of a relation whose columns are not known, or the whole row of the relation
        called `folded`.
        """
        values = []
        for relation in self.relations:
            if relation.name == folded:
                values.append(Value(bases=relation.outputs.bases))
            if relation.outputs.rest is not None and not relation.hidden:
                values.extend(relation.outputs.named(name))
        return values

    def aliases(self, name: str) -> list[Value]:
        """Returns what the query's own outputs call `name`."""
        wanted = name.casefold()
        return [o.value for o in self.outputs if o.name.casefold() == wanted]

    def everything(self) -> Outputs:
        """Returns the columns a star stands for.

        A column that USING or NATURAL merged comes once; where it comes differs between engines.
        """
        columns: list[Output] = []
        merged: dict[str, list[Value]] = {}
        rest: frozenset[Base] | None = None
        shuffled = bool(self.merged)
        for relation in self.relations:
            if relation.hidden:
                continue
            for column in relation.outputs.columns:
                if column.name.casefold() in self.merged:
                    merged.setdefault(column.name.casefold(), []).append(column.value)
                else:
                    columns.append(column)
            shuffled = shuffled or relation.outputs.shuffled
            if relation.outputs.rest is not None:
                rest = (rest or NOTHING) | relation.outputs.bases
        columns.extend(Output(name=name, value=union(found)) for name, found in merged.items())
        return Outputs(columns=tuple(columns), rest=rest, shuffled=shuffled)


def union(values: Iterable[Value]) -> Value:
    """Returns one value made of all; direct only when there is just one."""
    found = list(values)
    if len(found) > 1:
        found = list(dict.fromkeys(found))
    if len(found) == 1:
        return found[0]
    return Value(bases=NOTHING.union(*(v.bases for v in found)))


PSEUDO_COLUMNS: Mapping[str, frozenset[str]] = {
    "sqlite": frozenset(("rowid", "oid", "_rowid_")),
    "duckdb": frozenset(("rowid",)),
    "postgres": frozenset(("ctid", "xmin", "xmax", "cmin", "cmax", "tableoid")),
    "mysql": frozenset(("_rowid",)),
}
"""Columns every base table has without listing them."""


def pseudo_column(relation: Relation, name: str, dialect: str) -> Value | None:
    """Returns a pseudo-column of a base table. A row id may be another name of its primary key."""
    table = relation.base
    if table is None or name.casefold() not in PSEUDO_COLUMNS.get(dialect, ()):
        return None
    keys = table.primary_key
    if len(keys) == 1 and dialect in ("sqlite", "mysql"):
        return Value(bases=frozenset(((table.name, keys[0]),)))
    return EMPTY
