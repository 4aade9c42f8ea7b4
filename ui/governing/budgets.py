"""What people have used today and this month, beside what they may."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from store import accounts
from ui import budgets, panels, text
from ui.frame import Desk


def draw(desk: Desk) -> None:
    """Draws one row for each person who used something or reaches a source."""
    parts = desk.parts
    with parts.store.read() as conn:
        known = [a.id for a in accounts.list_all(conn)]
    used = parts.budget.use(known)
    drawn: list[tuple[str, tuple[budgets.Line, ...]]] = []
    for account in known:
        person = parts.people.by_id(account)
        if person is None:
            continue
        limits = budgets.largest(parts, person)
        lines = budgets.lines(person, used, limits)
        if limits or any(line.used for line in lines):
            drawn.append((text.line(person.display_name, 80), lines))
    told = [
        place
        for place, _ in enumerate(budgets.COLUMNS)
        if any(lines[place].used or lines[place].limit is not None for _, lines in drawn)
    ]
    rows = [
        (name, *(_cell(lines[place], parts.policy.currency) for place in told))
        for name, lines in drawn
    ]
    st.dataframe(
        pd.DataFrame(rows, columns=["Person", *(budgets.COLUMNS[place][0] for place in told)]),
        hide_index=True,
        alt="What people have used of their budgets",
    )
    st.html(
        panels.note(
            "Used / limit, with what running statements hold. Days and months are those of UTC. "
            "What nobody has used and nothing limits is left out. "
            "Where a person's limits differ between sources, the largest is shown. Limits are set "
            f"in the policy, under {panels.code('limits')}."
        )
    )


def _cell(line: budgets.Line, currency: str) -> str:
    limit = "no limit" if line.limit is None else line.said(line.limit, currency)
    return f"{line.said(line.used, currency)} / {limit}"
