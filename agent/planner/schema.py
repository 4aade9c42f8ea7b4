"""What a catalog's names and types say without any semantic layer: kinds, labels, dates, keys."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from agent.planner.words import fold, stem
from guard import Catalog, Column, Table

Kind = Literal["number", "date", "boolean", "text"]

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[_\W]+")
_NUMERIC = ("int", "num", "dec", "real", "float", "double", "money", "serial")
_DATE_ENDINGS = {"at", "on", "date", "time", "timestamp", "datetime"}
_NAMES = ("name", "title", "label", "full_name", "fullname")
_PAIRS = (("first_name", "last_name"), ("firstname", "lastname"), ("given_name", "family_name"))


@dataclass(frozen=True, slots=True)
class Field:
    """One column, or with `until` the days from it to another column of its table."""

    table: str
    column: str
    until: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """The column without case, as values and look-ups are keyed."""
        return self.table.casefold(), self.column.casefold()


def name_words(name: str) -> tuple[str, ...]:
    """Returns the words of an identifier: `OrderItems` and `order_items` give `order items`."""
    return tuple(fold(part) for part in _CAMEL.split(name) if part)


def name_stems(name: str) -> tuple[str, ...]:
    """Returns the stems of an identifier's words."""
    return tuple(stem(word) for word in name_words(name))


def spoken(name: str) -> str:
    """Returns an identifier as a person would say it."""
    return " ".join(name_words(name))


def kind_of(column: Column) -> Kind:
    """Returns what sort of values a column holds, from its type and its name."""
    declared = column.type.casefold()
    if "bool" in declared or ("int" in declared and _is_flag(column.name)):
        return "boolean"
    if "date" in declared or "time" in declared:
        return "date"
    if any(part in declared for part in _NUMERIC) and "interval" not in declared:
        return "number"
    words = name_words(column.name)
    if len(words) > 1 and words[-1] in _DATE_ENDINGS and "char" not in declared:
        return "date"
    return "text"


def _is_flag(name: str) -> bool:
    """True for the names of yes-or-no columns: `is_active`, `has_tax`, `discontinued`."""
    words = name_words(name)
    return words[:1] in {("is",), ("has",)} or (len(words) == 1 and words[0].endswith("ed"))


def is_key(table: Table, column: Column) -> bool:
    """True for identifiers: primary keys and columns of foreign keys."""
    wanted = column.name.casefold()
    return column.primary_key or any(
        wanted in {c.casefold() for c in key.columns} for key in table.foreign_keys
    )


def label_of(table: Table) -> tuple[str, ...]:
    """Returns the columns that name a row for a person, or nothing."""
    by_name = {c.name.casefold(): c.name for c in table.columns}
    for first, last in _PAIRS:
        if first in by_name and last in by_name:
            return by_name[first], by_name[last]
    for name in _NAMES:
        if name in by_name:
            return (by_name[name],)
    ends = [c.name for c in table.columns if name_words(c.name)[-1:] in {("name",), ("title",)}]
    return (ends[0],) if len(ends) == 1 else ()


def dates_of(table: Table) -> tuple[str, ...]:
    """Returns the date columns of a table that carry no tag."""
    return tuple(c.name for c in table.columns if kind_of(c) == "date" and c.tag is None)


def find_column(catalog: Catalog, table: str, column: str) -> Column | None:
    """Returns the column, or None when the person cannot see it."""
    found = catalog.table(table)
    return found.column(column) if found else None
