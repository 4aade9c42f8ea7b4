"""Some values of each text column of a source that has no policy yet, for suggesting tags.

Used when an operator connects a database, before anybody may ask about it. The values are shown to
nobody: they decide which tags are suggested.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pyarrow as pa

from audit import SYSTEM, Action, AuditEvent, AuditLog, Effect, ErrorFacts, shorten
from guard.catalog import Catalog
from guard.decision import Allow, Terms
from guard.engines.base import Cancel, Engine
from guard.errors import GuardError
from guard.limitpolicy import Limits
from guard.logtext import without_literals
from guard.rewrite import rewrite
from guard.statement import parse
from guard.values import Place, listable, listing

PER_COLUMN = 200
"""Distinct values looked at in one column."""


def sample(engine: Engine, catalog: Catalog, log: AuditLog) -> Mapping[Place, tuple[str, ...]]:
    """Returns up to 200 distinct values of every text column, keyed (table, column).

    Raises:
        GuardError: the source cannot be read.
        audit.AuditError: the trail cannot be written, so nothing was read.
    """
    columns = listable(catalog, ())
    if not columns:
        return {}
    sql = listing(columns, catalog.dialect, per_column=PER_COLUMN)
    limits = Limits(display_rows=(PER_COLUMN + 1) * len(columns), timeout_seconds=60)
    what = f"sample {len(columns)} columns to suggest tags"
    table = read_once(engine, catalog, log, sql, limits, what)
    found: dict[Place, list[str]] = {}
    for position, value in zip(*(c.to_pylist() for c in table.columns), strict=True):
        if isinstance(value, str):
            found.setdefault(columns[int(position)], []).append(value)
    return {place: tuple(values) for place, values in found.items()}


def read_once(
    engine: Engine, catalog: Catalog, log: AuditLog, sql: str, limits: Limits, what: str
) -> pa.Table:
    """Returns the rows of one statement of our own, while an operator connects a source.

    `what` says what for, after "About to". The rows are as they are: nothing of them may be shown.

    Raises:
        GuardError, audit.AuditError: as for `sample`.
    """
    readable = tuple((t.name, tuple(c.name for c in t.columns)) for t in catalog.tables)
    terms = replace(Terms(limits=limits), readable=readable)
    allow = Allow(rule="connect.sample", reason="An operator connects a source.", terms=terms)
    query = rewrite(parse(sql, catalog.dialect), allow, catalog)
    action = Action(
        kind="statement",
        dialect=catalog.dialect,
        source=catalog.source,
        statement=without_literals(sql, catalog.dialect)[:2_000],
    )
    intent = AuditEvent(
        type="query.intent",
        actor=SYSTEM,
        outcome="pending",
        summary=shorten(f"About to {what}"),
        parts=(action,),
    )
    log.append(intent)
    try:
        table = engine.run(query, Cancel()).table
    except GuardError as error:
        failure = ErrorFacts(type="failed", code=type(error).__name__)
        log.append(_outcome(intent, action, what, failure))
        raise
    log.append(_outcome(intent, action, what, None, rows=table.num_rows))
    return table


def _outcome(
    intent: AuditEvent,
    action: Action,
    what: str,
    failure: ErrorFacts | None,
    rows: int | None = None,
) -> AuditEvent:
    failed = failure is not None
    parts = (action, Effect(intent_id=intent.id, rows=rows))
    return AuditEvent(
        type="query.failed" if failed else "query.executed",
        actor=SYSTEM,
        outcome="failure" if failed else "success",
        summary=shorten(f"{'Failed to' if failed else 'Did'} {what}"),
        parts=(*parts, failure) if failure else parts,
    )
