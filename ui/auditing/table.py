"""Records as a table of which one row is chosen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from audit import AuditError, Record
from ui import text, when
from ui.auditing import record
from ui.verdict import of_event


def choose(records: Sequence[Record], people: record.People, zone: dt.tzinfo, alt: str) -> Record:
    """Draws the table and returns the record that is chosen in it, the first one by default."""
    rows = [_row(one, people, zone) for one in records]
    event = st.dataframe(
        pd.DataFrame(rows, columns=["#", "Time", "Who", "Verdict", "What", "Event"]),
        hide_index=True,
        height=min(590, 38 + 35 * len(rows)),
        on_select="rerun",
        selection_mode="single-row-required",
        selection_default={"selection": {"rows": [0]}},
        # Another page is another table: the selection of one says nothing about the other.
        key=f"events_{records[0].seq}_{records[-1].seq}_{len(rows)}",
        column_config={
            "#": st.column_config.NumberColumn(width=58, format="%d"),
            "Time": st.column_config.TextColumn(width=118),
            "Who": st.column_config.TextColumn(width=126),
            "Verdict": st.column_config.TextColumn(width=86),
            "What": st.column_config.TextColumn(width=260),
            "Event": st.column_config.TextColumn(width=130),
        },
        alt=alt,
    )
    picked = event["selection"]["rows"]
    return records[picked[0] if picked and picked[0] < len(rows) else 0]


def _row(one: Record, people: record.People, zone: dt.tzinfo) -> tuple[object, ...]:
    try:
        event = one.event
    except AuditError:
        return (one.seq, "", "", "Unreadable", "This record cannot be read. Verify the chain.", "")
    return (
        one.seq,
        when.short(event.time, zone),
        record.person(event, people),
        of_event(event).value,
        text.line(event.summary),
        event.type,
    )
