"""What the lineage calls clean does not change when only personal data does."""

from __future__ import annotations

import functools

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from guard.lineage import is_sensitive, trace
from guard.statement import parse
from tests.guard import sqlgen

DIALECTS = ("sqlite", "duckdb")


@functools.cache
def _databases(dialect: str):
    return sqlgen.filled(dialect), sqlgen.filled(dialect, other_people=True)


@functools.cache
def _catalog(dialect: str):
    return sqlgen.catalog(dialect)


def _columns(connection, sql: str) -> list[list[str]]:
    width, rows = sqlgen.rows_of(connection, sql)
    return [sorted(repr(row[n]) for row in rows) for n in range(width)]


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_promise_08_a_column_called_clean_does_not_depend_on_personal_data(
    dialect: str, data: st.DataObject
) -> None:
    sql = data.draw(sqlgen.queries(dialect, duplicates=False))
    here, there = _databases(dialect)
    lineage = trace(parse(sql, dialect), _catalog(dialect))
    before, after = _columns(here, sql), _columns(there, sql)

    assert len(lineage.columns) == len(before)
    if lineage.tagged_predicate:
        event("personal data chooses rows")
        return
    for origin, old, new in zip(lineage.columns, before, after, strict=True):
        if not is_sensitive(origin, _catalog(dialect)):
            assert old == new
        elif old != new:
            event("a sensitive column changed")
