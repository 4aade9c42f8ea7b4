"""The text that will run, once it is sure that it says what was judged. Nothing here repairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlglot import exp

from guard.catalog import Catalog, Column
from guard.classify import classify
from guard.errors import Refused, refuse
from guard.rewriting.filters import RowFilter
from guard.rewriting.spelling import as_faithful, constants, faithful, meaning, render
from guard.rewriting.tables import Tables
from guard.statement import Statement, parse
from guard.tracing import Output, Walk


def settled(tree: exp.Expression, tables: Tables, outputs: Sequence[Output]) -> Statement:
    """Returns the statement that `tree` is written as; the tree is spent.

    Parsed again, the text gives the same tree; or, where the dialect has two spellings of one
    thing, a tree that is written as the same text, with all constants, and whose `outputs` carry
    the same. Judged again, it is a read of what was allowed and of what row filters read. No
    table is read past its filter.

    Raises:
        Refused: `rewrite.changed`, `rewrite.too_long`, `rewrite.unfiltered` or
            `rewrite.unspeakable`.
    """
    dialect = tables.catalog.dialect
    meant, told = meaning(tree), constants(tree)  # rendering may change the tree
    sql = render(tree, dialect)
    try:
        final = parse(sql, dialect)
    except Refused as error:
        if error.refusal.rule in _TOO_MUCH:
            raise too_long() from error
        raise _changed() from error
    known = _with_reads(tables.catalog, tables.filters)
    read = as_faithful(final.tree, dialect)
    if meaning(read) != meant:
        read = _in_other_words(final, known, outputs)
        if told - constants(read):  # what is a default may be spelled out
            raise _changed()
    if next(tables.unfiltered(read), None) is not None:
        raise refuse("rewrite.unfiltered", "The guard could not limit the rows of this statement.")
    access = classify(final, known)
    allowed = {table.name for table in known.tables}
    if access.tier != "read" or access.problems or not allowed.issuperset(access.tables):
        raise _changed()
    return final


def _in_other_words(final: Statement, known: Catalog, outputs: Sequence[Output]) -> exp.Expression:
    """Returns the tree of the text: the text is its one spelling, and its columns are the same."""
    tree = faithful(final.tree.copy(), final.dialect)
    if render(tree.copy(), final.dialect) != final.text:
        raise _changed()
    found = Walk(known).run(tree).outputs
    if found is None or [o.flows for o in found] != [o.flows for o in outputs]:
        raise _changed()
    return tree


def _with_reads(reach: Catalog, filters: Mapping[str, RowFilter]) -> Catalog:
    """Returns the catalog with what row filters read, which may be hidden from the person."""
    if not filters:
        return reach
    tables = {table.name: table for table in reach.tables}
    behind = {t.name: replace(t, columns=()) for f in filters.values() for t in f.tables}
    for name, column in sorted(read for f in filters.values() for read in f.reads):
        table = tables.get(name) or behind[name]
        if table.column(column) is None:
            added = (*table.columns, Column(name=column, type=""))
            tables[name] = replace(table, columns=added)
    return replace(reach, tables=tuple(tables.values()))


_TOO_MUCH = ("statement.too_long", "statement.too_deep")


def too_long() -> Refused:
    """Returns the refusal of a statement that is too long or too deep to be written anew."""
    return refuse(
        "rewrite.too_long",
        "With your limits inside, this statement is too long or nested too deeply. Split it.",
        fixable=True,
    )


def _changed() -> Refused:
    return refuse(
        "rewrite.changed",
        "Written anew with your limits inside, this statement would not stay the same.",
        alternative="Write it in a simpler way.",
        fixable=True,
    )
