"""The select list of a statement: columns, groups with their labels, names."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.planner.frame import (
    ColumnGroup,
    Group,
    Number,
    Ref,
    RowGroup,
    TimeGroup,
)
from agent.planner.level import Level
from agent.planner.schema import Field, name_stems, name_words


@dataclass
class Columns:
    """The select list: expressions and the names they get, each name once."""

    texts: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def add(self, expression: str, name: str, level: Level) -> str:
        """Adds a column and returns the name it got."""
        unique, count = name, 1
        while unique in self.names:
            count += 1
            unique = f"{name}_{count}"
        spelled = level.sql.name(unique)
        bare = expression.rpartition(".")[2] == spelled and "(" not in expression
        self.texts.append(expression if bare else f"{expression} AS {spelled}")
        self.names.append(unique)
        return unique


def column_name(ref: Ref) -> str:
    """Returns what a column is called in the result."""
    name = ref.field.column
    if ref.field.until is not None:
        return f"{name}_to_{ref.field.until}_days"
    if ref.path:
        table = "_".join(name_stems(ref.path[-1].target))
        words = "_".join(name_words(name))
        return words if words.startswith(table) else f"{table}_{words}"
    return name


def indented(text: str) -> str:
    """Returns the text with every line two blanks further in."""
    return "\n".join("  " + line for line in text.splitlines())


def group_columns(group: Group, level: Level) -> list[tuple[str, str]]:
    """Returns the columns that make a group, and what each is called."""
    match group:
        case ColumnGroup():
            return [(level.column(group.ref), column_name(group.ref).split(".")[-1])]
        case RowGroup():
            return [(level.column(r), column_name(r)) for r in _key_refs(group, level)]
        case TimeGroup():
            return [(level.sql.label(level.column(group.ref), group.grain), grain_name(group))]


def grain_name(group: TimeGroup) -> str:
    """Returns what the column of a calendar unit is called."""
    return "week_start" if group.grain == "week" else group.grain


def _key_refs(group: RowGroup, level: Level) -> list[Ref]:
    keys = level.vocabulary.table(group.table).primary_key
    return [Ref(group.path, Field(group.table, k)) for k in keys]


def labels_of(group: Group, level: Level) -> list[tuple[str, str, bool]]:
    """Returns further columns that follow from a group's key, and whether to group by them too."""
    if isinstance(group, TimeGroup):
        return _calendar_labels(group, level)
    if not isinstance(group, RowGroup):
        return []
    vocabulary = level.vocabulary
    found = []
    for column in vocabulary.label(group.table):
        ref = Ref(group.path, column)
        masked = vocabulary.masked(column)
        expression = level.column(ref)
        if masked and vocabulary.dialect == "duckdb":
            expression = f"MIN({expression})"
        found.append((expression, column_name(ref), not masked))
    return found


def _calendar_labels(group: TimeGroup, level: Level) -> list[tuple[str, str, bool]]:
    column = level.column(group.ref)
    if group.grain == "week":
        number = level.sql.week_number(column)
        return [(number, "week", True)] if number else []
    if group.grain == "weekday":
        day = level.sql.label(column, "weekday")
        cases = " ".join(f"WHEN '{n}' THEN '{name}'" for n, name in enumerate(_WEEKDAYS))
        return [(f"CASE {day} {cases} END", "weekday_name", True)]
    return []


@dataclass
class Grouped:
    """The group columns of a statement: all shown ones, and those to group and order by."""

    names: list[str] = field(default_factory=list)
    by: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


def add_groups(groups: tuple[Group, ...], columns: Columns, level: Level) -> Grouped:
    """Adds the columns of the groups and their labels; returns what to group by."""
    grouped = Grouped()
    for group in groups:
        for expression, name in group_columns(group, level):
            grouped.names.append(columns.add(expression, name, level))
            grouped.by.append(expression)
            grouped.keys.append(expression)
        for expression, name, by in labels_of(group, level):
            grouped.names.append(columns.add(expression, name, level))
            if by:
                grouped.by.append(expression)
    return grouped


def add_keys(groups: tuple[Group, ...], columns: Columns, level: Level) -> list[str]:
    """Adds the columns of the groups without labels; returns what to group by."""
    by = []
    for group in groups:
        for expression, name in group_columns(group, level):
            columns.add(expression, name, level)
            by.append(expression)
    return by


def number_name(number: Number) -> str:
    """Returns what the column of a number is called."""
    words = number.name.removeprefix("number of ").removesuffix(" values")
    return "_".join(name_words(words.replace("-", " "))) or "value"


_WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
