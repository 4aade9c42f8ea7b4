"""The audit page as a whole."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from html import escape

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from audit import AuditError, AuditLog, Filter, LogHead, Page, Record
from guard.principal import Principal
from store import accounts
from ui import frame, markup, panels, session, sheet, text, visits, when
from ui.auditing import (
    address,
    filters,
    kept,
    reading,
    record,
    replay,
    saved,
    sealedevents,
    table,
    timeline,
    verifying,
)
from ui.auditing.filters import People, Wanted
from ui.verdict import Verdict, icon

_PAGE = 50
_DAY = dt.timedelta(days=1)
_HOURS = "audit_hours"
_ALT = "Audit events, newest first"
_EMPTY = "No events match. Clear the search or widen the time range."


def draw(person: Principal) -> None:
    """Draws the page for this person. It needs the log and the store only, no policy."""
    sheet.apply()
    with frame.usable():
        log, people = session.audit_log(), _people()
        frame.warn(log)
        if visits.first("viewed"):
            reading.viewed(log, person)
        if replay.wanted():
            replay.draw(log, person, people)
        else:
            _log(log, person, people)


def _log(log: AuditLog, person: Principal, people: People) -> None:
    zone = when.zone()
    address.arrive(people, zone)
    bar = _heading(log)
    told = st.container()
    checking = st.empty()
    check = verifying.asked()
    if not check:
        with checking.container():
            verifying.show()
    wanted = _filters(people, zone)
    query = address.settle(wanted, people)
    with told:
        for problem in address.problems():
            st.html(panels.said(Verdict.UNKNOWN, "Not all of this link could be used.", problem))
    with bar:
        _links(wanted, query, person)
    asked = filters.as_filter(wanted, people, dt.datetime.now(dt.UTC))
    if asked.used and visits.first(f"searched {sorted(query.items())} {wanted.find}"):
        reading.searched(log, person, asked.used)
    _picture(log, asked, (wanted, log.changed()), zone)
    found = _search(log, asked)
    if found.records:
        _found(log, found, people, zone)
    else:
        st.html(panels.note(_EMPTY))
    search_sealed = sealedevents.draw(log, person, wanted, asked, people.by_id, zone)
    # Last, so that the page is whole while the chain is checked.
    if check:
        verifying.run(log, person, checking)
        with checking.container():
            verifying.show()
    if search_sealed is not None:
        search_sealed()


def _people() -> People:
    with session.store().read() as conn:
        return People(accounts.list_all(conn))


def _heading(log: AuditLog) -> DeltaGenerator:
    """Draws the title and returns the place for what depends on the filter."""
    bar = st.container(horizontal=True, vertical_alignment="center")
    with bar:
        st.html('<h1 class="gh-title">Audit log</h1>')
        st.button(
            "Verify chain",
            key="verify",
            icon=":material/link:",
            shortcut="V",
            on_click=verifying.ask,
        )
    head = log.head()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.html(panels.note(escape(kept.line(head))), width="content")
        with st.popover("Where it is kept", type="tertiary"):
            _ranges(log, head)
    return bar


def _ranges(log: AuditLog, head: LogHead) -> None:
    try:
        sealed = log.sealed_segments()
    except AuditError as error:
        st.html(panels.said(Verdict.FAILED, "The sealed events cannot be told.", str(error)))
        sealed = ()
    st.html(kept.ranges(head, sealed, [one for one in sealed if not log.holds(one)]))


def _links(wanted: Wanted, query: Mapping[str, str], person: Principal) -> None:
    left_out = any(getattr(wanted, name) and name not in query for name in ("find", "table"))
    saved.draw(person, query, whole=not left_out)
    personal = "What you typed looks personal, so no address may hold it."
    with st.popover("Link", icon=":material/share:"):
        if left_out:
            st.html(panels.note(f"{personal} The link is for the rest of the filter."))
        else:
            st.html(panels.note("This filter, for anybody who may read the log:"))
        st.code(address.link(**query), language=None, wrap_lines=True)
    with st.popover("Export", icon=":material/download:"):
        if left_out:
            how = panels.code("gatehouse audit export FOLDER --find")
            st.html(panels.note(f"{personal} Use {how}."))
        else:
            st.html(_exports(filters.address(query)))


def _exports(asked: str) -> str:
    these = "These events" if asked else "All events"
    query = f"?{asked}" if asked else ""
    links = [
        (f"events.csv{query}", f"{these} as CSV"),
        (f"events.jsonl{query}", f"{these} as JSON Lines, exactly as hashed"),
        (f"ocsf.jsonl{query}", f"{these} for security tools (OCSF)"),
        (f"otel.jsonl{query}", f"{these} for telemetry (OpenTelemetry logs)"),
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


def _filters(people: People, zone: dt.tzinfo) -> Wanted:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        find = st.text_input(
            "Search",
            key="find",
            placeholder="Words, SQL text, hash",
            max_chars=filters.LONGEST,
            on_change=_first_page,
            width=200,
        )
        verdict = st.pills("Verdict", filters.RESULTS, key="verdict", on_change=_first_page)
        who = st.selectbox(
            "Who",
            sorted((one.id for one in people.named.values()), key=lambda one: _title(one, people)),
            format_func=lambda one: text.line(_title(one, people), 60),
            index=None,
            key="who",
            placeholder="Anybody",
            on_change=_first_page,
            width=144,
        )
        table = st.text_input(
            "Table",
            key="table",
            placeholder="Any",
            max_chars=filters.LONGEST,
            on_change=_first_page,
            width=112,
        )
        span = st.selectbox(
            "When",
            list(filters.SPANS),
            key="when",
            on_change=_first_page,
            width=124,
        )
        since = until = None
        if span == filters.BETWEEN:
            since, until = _moment("From", "since", zone), _moment("Until", "until", zone)
    conversation = str(st.session_state.get(address.SESSION) or "")
    if conversation:
        _one_conversation(conversation)
    return Wanted(
        find=find or "",
        verdict=verdict or "",
        who=who or "",
        table=table or "",
        when=span or filters.EVER,
        session=conversation,
        since=since,
        until=until,
    )


def _title(account: str, people: People) -> str:
    one = people.by_id[account]
    return f"{one.display_name} ({one.name})"


def _moment(label: str, key: str, zone: dt.tzinfo) -> dt.datetime | None:
    given = st.datetime_input(
        label,
        value=None,
        min_value=filters.EARLIEST.replace(tzinfo=None) - _DAY,
        max_value=filters.LATEST.replace(tzinfo=None) + _DAY,
        key=key,
        on_change=_first_page,
        width=190,
    )
    return given.replace(tzinfo=zone).astimezone(dt.UTC) if given else None


def _one_conversation(conversation: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.html(panels.note("One session only."), width="content")
        if st.button("Replay it", key="replay_all", type="tertiary", icon=":material/play_arrow:"):
            replay.open_(conversation)
            st.rerun()
        if st.button("Show all", key="all_sessions", type="tertiary", icon=":material/close:"):
            st.session_state[address.SESSION] = ""
            _first_page()
            st.rerun()


def _first_page() -> None:
    st.session_state.pop("page", None)


def _picture(log: AuditLog, asked: Filter, state: tuple[Wanted, int], zone: dt.tzinfo) -> None:
    """Draws the decisions; they are counted again when the filter or the log has changed."""
    kept_for, hours = st.session_state.get(_HOURS, (None, ()))
    if kept_for != state:
        hours = log.decisions(asked)
        st.session_state[_HOURS] = (state, hours)
    picture = timeline.drawn(hours, asked.since, zone, sheet.theme())
    if picture is None:
        return
    st.html(picture.heading)
    st.altair_chart(picture.chart, alt=picture.summary)


def _search(log: AuditLog, asked: Filter) -> Page:
    number = st.session_state.get("page") or _number(st.query_params.get("page"))
    found = log.search(asked, limit=_PAGE, offset=(number - 1) * _PAGE)
    if not found.records and number > 1:
        _first_page()
        found = log.search(asked, limit=_PAGE)
    return found


def _number(given: str | None) -> int:
    valid = given and given.isascii() and given.isdigit() and len(given) < 7
    return max(1, int(given)) if valid and given else 1


def _found(log: AuditLog, found: Page, people: People, zone: dt.tzinfo) -> None:
    with st.container(key="gh-found"):
        left, right = st.columns([8, 4], gap="small")
    with left:
        chosen = table.choose(found.records, people.by_id, zone, _ALT)
        _pages(found)
    with right, st.container(border=True, key="gh-event"):
        _detail(log, chosen, people.by_id, zone)


def _detail(log: AuditLog, one: Record, people: record.People, zone: dt.tzinfo) -> None:
    try:
        st.html(record.facts(one, people, zone))
    except AuditError as error:
        st.html(markup.notice(f"Event {one.seq:,}", str(error)))
    else:
        _its_session(one)
    st.html(kept.inclusion(one.seq, log.head(), one.fits))
    record.hashed(log, one)


def _its_session(one: Record) -> None:
    event = one.event
    conversation = event.session
    whole = conversation or event.request
    with st.container(horizontal=True):
        if whole and st.button("Replay from here", key="replay", icon=":material/play_arrow:"):
            replay.open_(whole, one.seq)
            st.rerun()
        shown = st.session_state.get(address.SESSION)
        if (
            conversation
            and conversation != shown
            and st.button("Only this session", key="conversation", icon=":material/forum:")
        ):
            st.session_state[address.SESSION] = conversation
            _first_page()
            st.rerun()


def _pages(found: Page) -> None:
    more = "More than " if found.more_than_total else ""
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        st.html(panels.note(f"{more}{text.count(found.total, 'event')}."), width="content")
        if found.total > _PAGE:
            pages = -(-found.total // _PAGE)
            st.pagination(pages, key="page", bind="query-params", width=300)
