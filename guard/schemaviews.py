"""A change of the schema as one person may see it."""

from __future__ import annotations

from guard.catalog import Catalog
from guard.changes import SchemaView
from guard.diff import Diff, SchemaDiff
from guard.rights import Scope


def schema_views(
    diff: Diff | None, scope: Scope | None, catalog: Catalog
) -> tuple[SchemaView, ...]:
    """Returns each table whose definition changes; what is out of the scope says only its name."""
    if diff is None:
        return ()
    return tuple(_view(s, hidden=not may_see_definition(s, scope, catalog)) for s in diff.schema)


def may_see_definition(change: SchemaDiff, scope: Scope | None, catalog: Catalog) -> bool:
    """True when the person may read the table, every column of it and every row."""
    if scope is None or not scope.reads(change.table) or scope.row_filter(change.table) is not None:
        return False
    known = catalog.table(change.table)
    return known is None or all(scope.sees(known.name, c.name) for c in known.columns)


def _view(change: SchemaDiff, *, hidden: bool) -> SchemaView:
    return SchemaView(
        table=change.table,
        before=None if hidden else change.before,
        after=None if hidden else change.after,
        rows_before=change.rows_before,
        rows_lost=change.rows_lost,
        rewritten=change.rewritten,
        lock=change.lock,
        hidden=hidden,
    )
