"""Questions to begin with on a database nobody here has seen, from its tables and some values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from guard.catalog import Catalog, Column, Table

Samples = Mapping[tuple[str, str], Sequence[object]]
"""Distinct values of a column, by `(table, column)` as the catalog spells them."""

MOST = 5
_CATEGORIES = 25
_TELLING = ("status", "type", "category", "country", "segment", "channel", "method", "kind")
_LABELS = ("name", "title", "label", "description")
_SEAM = re.compile(r"[\W_]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}.*)?")


def starters(catalog: Catalog, samples: Samples) -> tuple[str, ...]:
    """Returns up to five questions about the biggest tables.

    Columns with a tag are left alone, so `catalog` must carry the tags. Without rows, dates or keys
    to go by there are fewer questions, down to none.
    """
    tables = sorted(filter(_is_subject, catalog.tables), key=lambda t: -(t.row_estimate or 0))
    rounds: tuple[Callable[[Table], str | None], ...] = (
        lambda t: f"How many {plural(t.name)} are there?",
        lambda t: _by_month(t, samples),
        lambda t: _by_category(t, samples),
        lambda t: _top_parents(t, catalog),
    )
    found = [next(filter(None, map(ask, tables)), None) for ask in rounds]
    more = (f"How many {plural(t.name)} are there?" for t in tables[1:])
    return tuple(dict.fromkeys([*filter(None, found), *more]))[:MOST]


def words(name: str) -> str:
    """Returns a table's or column's name in lower-case words (`InvoiceLine` -> `invoice line`)."""
    return " ".join(w.lower() for w in _SEAM.split(name) if w) or name


def plural(name: str) -> str:
    """Returns the name in words, for several of them (`MediaType` -> `media types`)."""
    text = words(name)
    if not text[-1:].isascii():
        return text
    if re.search(r"([^su]s|data|media|people|staff|news|traffic|stock|history|feedback)$", text):
        return text
    if re.search(r"[^aeiou]y$", text):
        return f"{text[:-1]}ies"
    return f"{text}es" if re.search(r"(s|x|z|ch|sh)$", text) else f"{text}s"


def _is_subject(table: Table) -> bool:
    """False for views, and for tables that only join others."""
    keys = {c.casefold() for k in table.foreign_keys for c in k.columns}
    keys |= {c.casefold() for c in table.primary_key}
    rest = [c for c in table.columns if c.name.casefold() not in keys]
    return table.kind == "table" and bool(rest)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _by_month(table: Table, samples: Samples) -> str | None:
    if any(_is_date(c, samples.get((table.name, c.name), ())) for c in _open_columns(table)):
        return _sentence(f"{plural(table.name)} by month")
    return None


def _is_date(column: Column, values: Sequence[object]) -> bool:
    if re.search(r"DATE|TIMESTAMP", column.type.upper()):
        return True
    texts = [v for v in values if isinstance(v, str)]
    return len(texts) > 3 and all(_DAY.fullmatch(v) for v in texts)


def _by_category(table: Table, samples: Samples) -> str | None:
    keys = {c.casefold() for k in table.foreign_keys for c in k.columns}
    found: list[str] = []
    for column in _open_columns(table):
        values = [v for v in samples.get((table.name, column.name), ()) if v is not None]
        if column.name.casefold() in keys or column.primary_key or _is_date(column, values):
            continue
        if _is_category(values, table.row_estimate or 0):
            found.append(words(column.name))
    if not found:
        return None
    best = next((c for c in found if c.split()[-1] in _TELLING), found[0])
    return _sentence(f"{plural(table.name)} by {best}")


def _is_category(values: Sequence[object], rows: int) -> bool:
    """True for few short texts over many rows: a status, a country, not a name or a sentence."""
    texts = {v for v in values if isinstance(v, str)}
    if len(texts) < len(values) or not 2 <= len(texts) <= _CATEGORIES:
        return False
    return rows >= 4 * len(texts) and max(map(len, texts)) <= 40


def _top_parents(table: Table, catalog: Catalog) -> str | None:
    """A ranking of what this table points at, where that has names and there are enough of it."""
    parents = sorted(_named_parents(table, catalog), key=lambda t: t.row_estimate or 0)
    big = [p for p in parents if (p.row_estimate or 0) > MOST]
    if not big:
        return None
    return f"Top {MOST} {plural(big[0].name)} by number of {plural(table.name)}"


def _named_parents(table: Table, catalog: Catalog) -> Iterator[Table]:
    for key in table.foreign_keys:
        parent = catalog.table(key.table)
        if parent is None or parent is table or len(key.columns) != 1:
            continue
        if any(words(c.name).split()[-1] in _LABELS for c in _open_columns(parent)):
            yield parent


def _open_columns(table: Table) -> Iterator[Column]:
    return (c for c in table.columns if c.tag is None)
