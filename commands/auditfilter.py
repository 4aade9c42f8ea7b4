"""The options by which commands choose events: the filter of the audit page, word for word."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from commands.shared import data_folder, fail

if TYPE_CHECKING:
    from audit import Filter

Find = Annotated[str, typer.Option("--find", help="Only events with these words.")]
Person = Annotated[
    str,
    typer.Option("--person", help="Who acted, or for whom: the sign-in name or the account's id."),
]
Session = Annotated[str, typer.Option("--session", help="Only events of this session.")]
Table = Annotated[str, typer.Option("--table", help="Only events about this table.")]
Verdict = Annotated[str, typer.Option("--verdict", help="Allowed, Denied, Needs review or Failed.")]
When = Annotated[str, typer.Option("--when", help="Last hour, Last 24 hours, Last 7 days ...")]
Since = Annotated[str, typer.Option("--since", help="The first moment, as 2026-06-30T08:00Z.")]
Until = Annotated[str, typer.Option("--until", help="The first moment after.")]


def chosen(query: Mapping[str, str]) -> Filter:
    """Returns the filter that the audit page makes of an address with this query.

    A part that cannot be used ends the command: leaving it out would let more through than asked.
    """
    from store import accounts
    from ui.auditing import filters
    from ui.home import open_store

    store = open_store(data_folder())
    try:
        with store.read() as conn:
            people = filters.People(accounts.list_all(conn))
    finally:
        store.close()
    wanted, problems = filters.from_query(query, people)
    if query.get("who") and not wanted.who:
        fail(f"Nobody is called {query['who']}. `gatehouse people list` shows all.")
    if problems:
        fail(" ".join(problems))
    return filters.as_filter(wanted, people, dt.datetime.now(dt.UTC))
