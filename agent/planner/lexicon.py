"""Words -> what they may mean in one source: tables, columns, values, metrics, verbs, flags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from agent.planner.joins import Graph, Hop
from agent.planner.schema import (
    Field,
    find_column,
    kind_of,
    name_stems,
    name_words,
)
from agent.planner.semantics import Definition, Metric, Semantics
from agent.planner.words import fold, stem, stems_of
from guard import Catalog, Column, Table

MANY_VALUES = 200
"""A column with more distinct values holds titles, which count only where clearly meant."""
MAX_VALUE_WORDS = 12


@dataclass(frozen=True, slots=True)
class TableEntry:
    """A table, or with `hop` the row of it that a foreign key with a name of its own points at."""

    table: str
    hop: Hop | None = None


@dataclass(frozen=True, slots=True)
class ColumnEntry:
    """A column. `weak` when only the last word of its name was used."""

    field: Field
    weak: bool = False


@dataclass(frozen=True, slots=True)
class ValueEntry:
    """A stored value. `rare` when its column holds very many."""

    field: Field
    value: str
    rare: bool = False


@dataclass(frozen=True, slots=True)
class FlagEntry:
    """A word for one side of a boolean column."""

    field: Field
    value: bool


@dataclass(frozen=True, slots=True)
class MetricEntry:
    """A named number of the semantic layer."""

    name: str


@dataclass(frozen=True, slots=True)
class RowsVerb:
    """A verb that means a row of this table exists."""

    table: str


@dataclass(frozen=True, slots=True)
class DateVerb:
    """A verb that means the moment in this column."""

    field: Field


@dataclass(frozen=True, slots=True)
class MetricVerb:
    """A verb that means this number when it stands alone."""

    name: str


@dataclass(frozen=True, slots=True)
class RoleVerb:
    """A verb along a foreign key; `inverse` from the row pointed at to the rows that point."""

    hop: Hop
    inverse: bool = False


Entry = (
    TableEntry
    | ColumnEntry
    | ValueEntry
    | FlagEntry
    | MetricEntry
    | RowsVerb
    | DateVerb
    | MetricVerb
    | RoleVerb
)
Stems = tuple[str, ...]
_NO_HEADS = {("id",), ("at",), ("on",), ("in",), ("to",), ("by",), ("via",)}
"""Last words of column names that say nothing alone."""
_COMMON = {
    "phone": ("phone number", "telephone", "telephone number"),
    "email": ("email address",),
    "mail": ("email address",),
}
"""What columns with such a last word are called as well."""


class Lexicon:
    """The index from stems to entries, built once for a vocabulary and not changed again."""

    def __init__(
        self,
        catalog: Catalog,
        semantics: Semantics,
        values: Mapping[tuple[str, str], tuple[str, ...]],
        graph: Graph,
        labels: Mapping[str, tuple[Field, ...]],
    ) -> None:
        self._labels = labels
        self._entries: dict[Stems, list[Entry]] = {}
        self._longest: dict[str, int] = {}
        self.words: set[str] = set()
        self.names: set[str] = set()
        self.last_words: dict[str, set[Field]] = {}
        """The last words of names of several words, and the columns that hold such names."""
        self.metrics: dict[str, Metric] = {}
        phrases = ((stems_of(k), v) for k, v in semantics.phrases.items())
        self.phrases = tuple(sorted(phrases, key=lambda p: -len(p[0])))
        self._tables = {name_stems(t.name) for t in catalog.tables} | _NO_HEADS
        for table in catalog.tables:
            self._add_table(table, semantics)
        self._add_metrics(catalog, semantics)
        self._add_durations(catalog, semantics)
        self._add_roles(semantics, graph)
        self._add_short_names(catalog, graph)
        people = [t for t, label in labels.items() if len(label) == 2]
        if len(people) == 1:
            self._say(["person", "people"], TableEntry(people[0]))
        self._add_values(catalog, values)

    def at(self, stems: Stems) -> tuple[tuple[Entry, ...], int]:
        """Returns the entries of the longest known run at the start of `stems`, and its length."""
        if not stems:
            return (), 0
        for length in range(min(self._longest.get(stems[0], 0), len(stems)), 0, -1):
            found = self._entries.get(stems[:length])
            if found:
                return tuple(found), length
        return (), 0

    def exactly(self, stems: Stems) -> tuple[Entry, ...]:
        """Returns the entries of exactly these stems."""
        return tuple(self._entries.get(stems, ()))

    def label_entries(self, tables: Iterable[str]) -> tuple[ColumnEntry, ...]:
        """Returns the columns that name rows of these tables."""
        return tuple(ColumnEntry(f) for t in tables for f in self._labels.get(t, ()))

    def _add(self, phrase: Iterable[str], entry: Entry, *, name: bool = True) -> None:
        stems = tuple(phrase)
        if not stems:
            return
        known = self._entries.setdefault(stems, [])
        if entry not in known:
            known.append(entry)
        self._longest[stems[0]] = max(self._longest.get(stems[0], 0), len(stems))
        self.words.update(stems)
        if name:
            self.names.add(" ".join(stems))

    def _say(self, phrases: Iterable[str], entry: Entry) -> None:
        for phrase in phrases:
            self._add(stems_of(phrase), entry)

    def _say_verbs(self, verbs: Iterable[str], entry: Entry) -> None:
        for verb in verbs:
            self._say(forms_of(verb), entry)

    def _add_table(self, table: Table, semantics: Semantics) -> None:
        meaning = semantics.tables.get(table.name)
        self._add(name_stems(table.name), TableEntry(table.name))
        if meaning is not None:
            self._say(meaning.synonyms, TableEntry(table.name))
            self._say_verbs(meaning.verbs, RowsVerb(table.name))
        for column in table.columns:
            self._add_column(table, column, semantics)

    def _add_short_names(self, catalog: Catalog, graph: Graph) -> None:
        """`InvoiceLine` is a line too, where nothing else is called that."""
        for table in catalog.tables:
            stems = name_stems(table.name)
            for hop in graph.hops(table.name):
                head = name_stems(hop.target)
                rest = stems[len(head) :]
                if stems[: len(head)] == head and rest and rest not in self._entries:
                    self._add(rest, TableEntry(table.name))

    def _add_column(self, table: Table, column: Column, semantics: Semantics) -> None:
        field = Field(table.name, column.name)
        meaning = semantics.columns.get(f"{table.name}.{column.name}")
        stems = name_stems(column.name)
        self._add(stems, ColumnEntry(field))
        kind = kind_of(column)
        if len(stems) > 1 and stems[-1:] not in self._tables and kind != "boolean":
            self._add(stems[-1:], ColumnEntry(field, weak=True))
        for word, others in _COMMON.items():
            if stems[-1] == word:
                self._say(others, ColumnEntry(field))
        if kind == "boolean":
            self._add_flag(field, column, () if meaning is None else (*meaning.yes, *meaning.no))
        if kind == "date":
            for verb in date_verbs(column.name):
                self._add((verb,), DateVerb(field))
                self._add((verb, "date"), ColumnEntry(field))
        if meaning is None:
            return
        self._say(meaning.synonyms, ColumnEntry(field))
        self._say_verbs(meaning.verbs, DateVerb(field) if kind == "date" else ColumnEntry(field))
        for side, words in ((True, meaning.yes), (False, meaning.no)):
            for word in words:
                self._say((word, *_flag_forms(word)), FlagEntry(field, value=side))
        for word, value in meaning.values.items():
            self._say([word], ValueEntry(field, value))

    def _add_flag(self, field: Field, column: Column, given: tuple[str, ...]) -> None:
        words = [w for w in name_words(column.name) if w not in {"is", "has", "was", "flag"}]
        phrase = tuple(stem(w) for w in words)
        self._add(phrase, FlagEntry(field, value=True))
        if len(words) == 1 and not given:
            for prefix in ("in", "un", "non"):
                self._add((stem(prefix + words[0]),), FlagEntry(field, value=False))

    def _add_metrics(self, catalog: Catalog, semantics: Semantics) -> None:
        for name, metric in semantics.metrics.items():
            fitting = tuple(d for d in metric.by if _visible(d, catalog))
            if not fitting:
                continue
            self.metrics[name] = metric.model_copy(update={"by": fitting})
            self._say([name, *metric.synonyms], MetricEntry(name))
            self._say_verbs(metric.verbs, MetricVerb(name))

    def _add_durations(self, catalog: Catalog, semantics: Semantics) -> None:
        for name, duration in semantics.durations.items():
            table, start, end = duration.parts
            if find_column(catalog, table, start) and find_column(catalog, table, end):
                self._say([name, *duration.synonyms], ColumnEntry(Field(table, start, end)))

    def _add_roles(self, semantics: Semantics, graph: Graph) -> None:
        for role in semantics.roles:
            table, column = role.column.split(".")
            hop = graph.hop(table, column)
            if hop is None:
                continue
            self._say(role.name, TableEntry(hop.target, hop))
            self._say(role.verbs, RoleVerb(hop))
            self._say(role.inverse, RoleVerb(hop, inverse=True))

    def _add_values(
        self, catalog: Catalog, values: Mapping[tuple[str, str], tuple[str, ...]]
    ) -> None:
        for (table, name), listed in values.items():
            column = find_column(catalog, table, name)
            if column is None or column.tag is not None:
                continue
            field = Field(_own_name(catalog, table), column.name)
            rare = len(listed) > MANY_VALUES
            for value in listed:
                stems = stems_of(value)
                if not 0 < len(stems) <= MAX_VALUE_WORDS or _is_number(value):
                    continue
                self._add(stems, ValueEntry(field, value, rare), name=not rare)
                if not rare and len(stems) > 1 and field in self._labels.get(field.table, ()):
                    self.last_words.setdefault(stems[-1], set()).add(field)


def _own_name(catalog: Catalog, table: str) -> str:
    found = catalog.table(table)
    return found.name if found else table


def _is_number(value: str) -> bool:
    return value.replace(".", "", 1).replace("-", "", 1).isdigit()


def _visible(definition: Definition, catalog: Catalog) -> bool:
    tests = [t.column.split(".") for t in (*definition.where, *definition.when)]
    columns = [*definition.columns, *((t, c) for t, c in tests)]
    found = [find_column(catalog, t, c) for t, c in columns]
    return catalog.table(definition.table) is not None and all(
        c is not None and c.tag is None for c in found
    )


_PAST = {
    "born": "birth",
    "bought": "buy",
    "brought": "bring",
    "made": "make",
    "paid": "pay",
    "sent": "send",
    "sold": "sell",
    "spent": "spend",
}


def forms_of(verb: str) -> tuple[str, ...]:
    """Returns the forms of a verb given in the past: `ordered` gives `order`, `ordering` too."""
    first, _, rest = verb.partition(" ")
    bases = _bases(first)
    found = {first, *bases, *(b.removesuffix("e") + "ing" for b in bases)}
    return tuple(sorted(f"{f} {rest}".strip() for f in found))


def _flag_forms(words: str) -> tuple[str, ...]:
    """“opted in” is also "opt in"; a word alone, such as "discontinued", has no other form."""
    return forms_of(words) if " " in words and words.split()[0].endswith("ed") else ()


def _bases(past: str) -> tuple[str, ...]:
    if past in _PAST:
        return (_PAST[past],)
    if past.endswith("ied"):
        return (past[:-3] + "y",)
    return (past[:-2], past[:-1]) if past.endswith("ed") else ()


def date_verbs(column: str) -> tuple[str, ...]:
    """Returns the verbs a date column's name stands for: `closed_at` gives `closed` and `close`."""
    words = name_words(column)
    ending = {"at", "on", "date", "time", "timestamp", "datetime"}
    rest = [fold(w) for w in words if w not in ending]
    if len(rest) != 1 or len(words) == 1:
        return ()
    if rest[0].endswith("ed") or rest[0] in _PAST:
        return forms_of(rest[0])
    irregular = {base: past for past, base in _PAST.items()}
    regular = rest[0] + ("d" if rest[0].endswith("e") else "ed")
    return (irregular.get(rest[0], regular),)
