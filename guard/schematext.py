"""A schema written as CREATE TABLE and CREATE VIEW statements -> Catalog."""

from __future__ import annotations

from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from guard.catalog import Catalog, Column, Table
from guard.errors import ConfigurationError, Refused
from guard.tracing import Walk
from guard.views import expand_views

_READ_AS = ("duckdb", "postgres", "mysql", "sqlite")
"""What a schema's text is tried as: the first that reads it wins."""


def read_schema(text: str, *, dialect: str, source: str = "schema") -> Catalog:
    """Returns the catalog that `text` describes, for statements of `dialect`.

    The columns of a view are those its query gives; it may stand on tables and views written before
    it. Keys are left out.

    Raises:
        ConfigurationError: the text does not parse, or holds something other than CREATE TABLE and
            CREATE VIEW; the message names the statement.
    """
    catalog = Catalog(source=source, dialect=dialect, tables=())
    for number, tree in enumerate(_parsed(text), start=1):
        table = _table(tree) or _view(tree, catalog)
        if table is None:
            raise ConfigurationError(
                f"Statement {number} of the schema is no CREATE TABLE with columns and no CREATE "
                "VIEW over the tables before it. Correct or remove it."
            )
        catalog = Catalog(source=source, dialect=dialect, tables=(*catalog.tables, table))
    return catalog


def _parsed(text: str) -> list[exp.Expr]:
    for dialect in _READ_AS:
        try:
            found = sqlglot.parse(text, read=dialect)
        except (SqlglotError, RecursionError):
            continue
        return [t for t in found if t is not None and not isinstance(t, exp.Semicolon)]
    raise ConfigurationError("The schema is no SQL that can be read. Check its syntax.")


def _table(tree: exp.Expr) -> Table | None:
    if not isinstance(tree, exp.Create) or tree.kind != "TABLE":
        return None
    columns = tuple(_columns(tree.this))
    named = tree.find(exp.Table)
    if not columns or named is None:
        return None
    return Table(name=named.name, schema=named.db or None, columns=columns)


def _columns(schema: exp.Expr) -> Iterator[Column]:
    keys = {i.name.casefold() for k in schema.find_all(exp.PrimaryKey) for i in k.expressions}
    for definition in schema.expressions:
        if isinstance(definition, exp.ColumnDef):
            kind = definition.args.get("kind")
            alone = definition.find(exp.PrimaryKeyColumnConstraint) is not None
            yield Column(
                name=definition.name,
                type=kind.sql("duckdb") if kind is not None else "",
                nullable=definition.find(exp.NotNullColumnConstraint) is None,
                primary_key=alone or definition.name.casefold() in keys,
            )


def _view(tree: exp.Expr, catalog: Catalog) -> Table | None:
    if not isinstance(tree, exp.Create) or tree.kind != "VIEW":
        return None
    query = tree.expression
    named = tree.find(exp.Table)
    if not isinstance(query, exp.Select | exp.SetOperation | exp.Subquery) or named is None:
        return None
    names = _view_columns(tree.this, query, catalog)
    if names is None:
        return None
    return Table(
        name=named.name,
        kind="view",
        schema=named.db or None,
        columns=tuple(Column(name=name, type="") for name in names),
        definition=query.sql(catalog.dialect, comments=False),
    )


def _view_columns(schema: exp.Expr, query: exp.Expression, catalog: Catalog) -> list[str] | None:
    """Returns the names of a view's columns, None when they cannot be told."""
    given = [i.name for i in schema.expressions] if isinstance(schema, exp.Schema) else []
    try:
        outputs = Walk(catalog).run(expand_views(query, catalog)).outputs
    except Refused:
        return None
    if outputs is None or (given and len(given) != len(outputs)):
        return None
    return given or [o.written.name if o.written else f"column{n}" for n, o in enumerate(outputs)]
