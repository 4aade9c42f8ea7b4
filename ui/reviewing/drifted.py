"""A request whose rows have changed since it was reviewed: what is different now comes first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import streamlit as st

from guard.changes import ChangeView, RowView, TableView
from ui import diff, panels, schemadiff, text
from ui.verdict import Verdict


def draw(view: ChangeView) -> None:
    """Draws the rows that differ, as they were reviewed beside as they would be, then all rows."""
    st.html(
        panels.said(
            Verdict.REVIEW,
            "The rows have changed since this was reviewed.",
            "Left is what was reviewed before, right is what it would do now. Earlier approvals "
            "are void.",
        )
    )
    apart = list(differing(view.earlier, view.diff))
    st.html("".join(_named(old, new) for old, new in apart))
    before, now = st.columns(2, gap="small")
    with before:
        st.html(panels.note("<strong>Reviewed before</strong>"))
        _tables([(old, columns(old, new)) for old, new in apart])
        for definition in view.earlier_schema:
            st.html(schemadiff.table(definition))
    with now:
        st.html(panels.note("<strong>What it would do now</strong>"))
        _tables([(new, columns(old, new)) for old, new in apart])
        for definition in view.schema:
            st.html(schemadiff.table(definition))
    if not apart and not view.schema:
        st.html(panels.note("What differs is masked or hidden for you, or not among these rows."))
    same = sum(len(t.rows) for t in view.diff) - sum(len(new.rows) for _, new in apart if new)
    if view.diff:
        rows = text.count(same, "other row is", "other rows are")
        st.html(panels.note(f"{rows} as reviewed. <strong>All that it would do now:</strong>"))
    for table in view.diff:
        st.html(diff.table(table))


def differing(
    earlier: Sequence[TableView], now: Sequence[TableView]
) -> Iterator[tuple[TableView | None, TableView | None]]:
    """Yields each table in which rows differ, with those rows alone; None where it has none."""
    olds, news = {t.table: t for t in earlier}, {t.table: t for t in now}
    for name in dict.fromkeys([*olds, *news]):
        old, new = olds.get(name), news.get(name)
        decided = new.decided if new else ()
        gone = _without(old, new, decided)
        come = _without(new, old, decided)
        if gone or come:
            yield gone, come


def _without(
    view: TableView | None, other: TableView | None, decided: Sequence[str]
) -> TableView | None:
    """Returns the view with those rows that the other has not; None where there are none."""
    if view is None:
        return None
    left = Counter(_said(r, view, decided) for r in other.rows) if other else Counter()
    rows = []
    for row in view.rows:
        said = _said(row, view, decided)
        if left[said]:
            left[said] -= 1
        else:
            rows.append(row)
    kinds = Counter(r.kind for r in rows)
    if not rows:
        return None
    return replace(
        view,
        rows=tuple(rows),
        inserted=kinds["inserted"],
        updated=kinds["updated"],
        deleted=kinds["deleted"],
    )


def columns(old: TableView | None, new: TableView | None) -> tuple[str, ...]:
    """Returns the columns in which rows with the same first value are not as they were reviewed."""
    if old is None or new is None or old.columns != new.columns:
        return ()
    reviewed = {_first(row): row for row in old.rows}
    pairs = [(reviewed[_first(row)], row) for row in new.rows if _first(row) in reviewed]
    return tuple(
        name
        for i, name in enumerate(new.columns)
        if name not in new.decided and any(_at(a, i) != _at(b, i) for a, b in pairs)
    )


def _first(row: RowView) -> str:
    return repr((row.before or row.after or ("",))[0])


def _at(row: RowView, place: int) -> tuple[object, object]:
    return (
        row.before[place] if row.before is not None else None,
        row.after[place] if row.after is not None else None,
    )


def _named(old: TableView | None, new: TableView | None) -> str:
    found = columns(old, new)
    if new is None or not found:
        return ""
    names = text.joined([panels.code(text.line(name, 60)) for name in found])
    return panels.note(f"What differs in {panels.code(text.line(new.table, 60))}: {names}.")


def _said(row: RowView, view: TableView, decided: Sequence[str]) -> object:
    """What a row says but for the values that are decided when it runs."""
    if row.after is None:
        return row.before, None
    places = [i for i, c in enumerate(view.columns) if c not in decided]
    return row.before, tuple(row.after[i] for i in places)


def _tables(views: Sequence[tuple[TableView | None, Sequence[str]]]) -> None:
    for view, differs in views:
        gone = panels.note("No row any more.")
        st.html(gone if view is None else diff.table(view, differs=differs))
