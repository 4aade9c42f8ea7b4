"""The audit page as a whole."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from html import escape

import pandas as pd
import streamlit as st

from audit import AuditError, AuditLog, Page, Record
from guard.policy import Principal
from store import accounts
from store.accounts import Account
from ui import frame, markup, panels, session, sheet, text, visits, when
from ui.auditing import filters, reading, record, verifying
from ui.auditing.filters import Wanted
from ui.verdict import icon, of_event

_PAGE = 50
_EMPTY = "No events match. Clear the search or widen the time range."
ByName = Mapping[str, Account]


def draw(person: Principal) -> None:
    """Draws the page for this person. It needs the log and the store only, no policy."""
    sheet.apply()
    with frame.usable():
        log, people = session.audit_log(), _people()
        if visits.first("viewed"):
            reading.viewed(log, person)
        wanted = _wanted()
        _heading(log, person, wanted)
        verifying.show()
        wanted = _filters(people, wanted.session)
        found = _search(log, person, wanted, people)
    if not found.records:
        st.html(panels.note(_EMPTY))
        return
    _found(log, found, people)


def _people() -> ByName:
    with session.store().read() as conn:
        return {a.name: a for a in accounts.list_all(conn)}


def _wanted() -> Wanted:
    """The filter as it stands before it is drawn, for the links above it."""
    state = {k: v for k in ("find", "verdict", "who", "when") if (v := st.session_state.get(k))}
    known = {**st.query_params.to_dict(), **state}
    return filters.from_query({k: v for k, v in known.items() if isinstance(v, str)})


def _heading(log: AuditLog, person: Principal, wanted: Wanted) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.html('<h1 class="gh-title">Audit log</h1>')
        verify = st.button("Verify chain", key="verify", icon=":material/link:", shortcut="V")
        with st.popover("Export", icon=":material/download:"):
            st.html(_exports(wanted))
    if verify:
        verifying.run(log, person)


def _exports(wanted: Wanted) -> str:
    these = "These events" if wanted.query else "All events"
    query = f"?{wanted.query}" if wanted.query else ""
    links = [
        (f"events.csv{query}", f"{these} as CSV"),
        (f"events.jsonl{query}", f"{these} as JSON Lines, exactly as hashed"),
        ("bundle.zip", "Signed bundle: the whole log with its verifier"),
    ]
    if query:
        links.append((f"bundle.zip{query}", "Signed bundle: these events, each with its proof"))
    items = "".join(
        f'<li>{icon("download")}<span><a class="gh-link" href="/export/audit/{escape(name)}" '
        f"download>{escape(said)}</a></span></li>"
        for name, said in links
    )
    return f'<ul class="gh-notes">{items}</ul>'


def _filters(people: ByName, conversation: str) -> Wanted:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        find = st.text_input(
            "Search",
            key="find",
            placeholder="Table, person, SQL text, hash",
            bind="query-params",
            on_change=_first_page,
            width=320,
        )
        verdict = st.pills(
            "Verdict",
            filters.RESULTS,
            key="verdict",
            bind="query-params",
            on_change=_first_page,
        )
        who = st.selectbox(
            "Who",
            sorted(people),
            index=None,
            key="who",
            placeholder="Anybody",
            bind="query-params",
            on_change=_first_page,
            width=160,
        )
        span = st.selectbox(
            "When",
            list(filters.SPANS),
            key="when",
            bind="query-params",
            on_change=_first_page,
            width=160,
        )
    if conversation:
        _one_conversation()
    return Wanted(
        find=find or "",
        verdict=verdict or "",
        who=who or "",
        when=span or filters.EVER,
        session=conversation,
    )


def _one_conversation() -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.html(panels.note("One conversation only."), width="content")
        if st.button("Show all", key="all_sessions", type="tertiary", icon=":material/close:"):
            st.query_params.pop("session", None)
            _first_page()
            st.rerun()


def _first_page() -> None:
    st.session_state.pop("page", None)


def _search(log: AuditLog, person: Principal, wanted: Wanted, people: ByName) -> Page:
    asked = filters.as_filter(wanted, people, dt.datetime.now(dt.UTC))
    if asked.used and visits.first(f"searched {wanted.query}"):
        reading.searched(log, person, asked.used)
    number = st.session_state.get("page") or _number(st.query_params.get("page"))
    found = log.search(asked, limit=_PAGE, offset=(number - 1) * _PAGE)
    if not found.records and number > 1:
        _first_page()
        found = log.search(asked, limit=_PAGE)
    return found


def _number(given: str | None) -> int:
    valid = given and given.isascii() and given.isdigit() and len(given) < 7
    return max(1, int(given)) if valid and given else 1


def _found(log: AuditLog, found: Page, people: ByName) -> None:
    by_id = {a.id: a for a in people.values()}
    zone = when.zone()
    left, right = st.columns([8, 4], gap="small")
    with left:
        chosen = _table(found, by_id, zone)
        _pages(log, found)
    with right, st.container(border=True, key="gh-event"):
        _detail(chosen, by_id, zone)


def _table(found: Page, people: record.People, zone: dt.tzinfo) -> Record:
    rows = [_row(one, people, zone) for one in found.records]
    event = st.dataframe(
        pd.DataFrame(rows, columns=["#", "Time", "Who", "Event", "Verdict", "What"]),
        hide_index=True,
        height=min(590, 38 + 35 * len(rows)),
        on_select="rerun",
        selection_mode="single-row-required",
        selection_default={"selection": {"rows": [0]}},
        # Another page is another table: the selection of one says nothing about the other.
        key=f"events_{found.records[0].seq}_{found.records[-1].seq}_{len(rows)}",
        column_config={
            "#": st.column_config.NumberColumn(width=58, format="%d"),
            "Time": st.column_config.TextColumn(width=118),
            "Who": st.column_config.TextColumn(width=142),
            "Event": st.column_config.TextColumn(width=130),
            "Verdict": st.column_config.TextColumn(width=90),
        },
        alt="Audit events, newest first",
    )
    picked = event["selection"]["rows"]
    return found.records[picked[0] if picked and picked[0] < len(rows) else 0]


def _row(one: Record, people: record.People, zone: dt.tzinfo) -> tuple[object, ...]:
    try:
        event = one.event
    except AuditError:
        return (one.seq, "", "", "", "Unreadable", "This record cannot be read. Verify the chain.")
    return (
        one.seq,
        when.short(event.time, zone),
        record.person(event, people),
        event.type,
        of_event(event).value,
        text.line(event.summary),
    )


def _detail(one: Record, people: record.People, zone: dt.tzinfo) -> None:
    try:
        st.html(record.facts(one, people, zone))
    except AuditError as error:
        st.html(markup.notice(f"Event {one.seq:,}", str(error)))
    else:
        conversation = one.event.session
        here = st.query_params.get("session")
        if (
            conversation
            and conversation != here
            and st.button("Show its conversation", key="conversation", icon=":material/forum:")
        ):
            st.query_params["session"] = conversation
            _first_page()
            st.rerun()
    st.html(panels.note("<strong>Hash</strong>"))
    st.code(one.hash, language=None, wrap_lines=True)
    st.html(panels.note("<strong>Previous</strong>"))
    st.code(_previous(one), language=None, wrap_lines=True)
    with st.expander("The record as it was hashed", type="compact"):
        st.code(text.clip(one.line), language="json", wrap_lines=True)


def _previous(one: Record) -> str:
    try:
        return one.prev
    except AuditError:
        return "unreadable"


def _pages(log: AuditLog, found: Page) -> None:
    head = log.head()
    more = "More than " if found.more_than_total else ""
    count = f"{more}{text.count(found.total, 'event')}"
    kept = f"The log ends at event {head.size:,}, anchored outside it up to {head.anchored:,}."
    problem = f" Anchors are failing: {', '.join(sorted(head.failing))}." if head.failing else ""
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        st.html(panels.note(escape(f"{count}. {kept}{problem}")), width="content")
        if found.total > _PAGE:
            pages = -(-found.total // _PAGE)
            st.pagination(pages, key="page", bind="query-params", width=300)
