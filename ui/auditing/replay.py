"""A session, step by step: question, plan, statement, decision, result, approvals, answer.

`?replay=SESSION&step=N` names a session, or a turn or command without one, and the number of an
event in it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from html import escape

import streamlit as st

from audit import AuditError, AuditLog, Filter, Record
from guard.principal import Principal
from ui import markup, panels, text, visits, when
from ui.auditing import address, kept, reading, record, stages
from ui.auditing.filters import People
from ui.verdict import icon, of_event

PARAMETER, STEP = "replay", "step"
_BEFORE, _AFTER = 6, 14
"""Steps that are listed around the chosen one, which must stay in sight."""
_MOST_ID = 128


def wanted() -> str:
    """Returns the session that the address asks to replay, empty for none."""
    return st.query_params.get(PARAMETER, "")[:_MOST_ID]


def open_(session: str, seq: int | None = None) -> None:
    """Shows the session at that event or from its start; follow it with `st.rerun()`."""
    step = {} if seq is None else {STEP: str(seq)}
    st.query_params.from_dict({PARAMETER: session, **step})


def draw(log: AuditLog, person: Principal, people: People) -> None:
    """Draws the replay that the address asks for.

    Raises:
        audit.AuditError: the log cannot be read, or the reading cannot be recorded.
    """
    session, zone = wanted(), when.zone()
    if visits.first(f"replayed {session}"):
        reading.searched(log, person, ("session",))
    steps = log.numbers(Filter(session=session)) or log.numbers(Filter(request=session))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.html('<h1 class="gh-title">Session replay</h1>')
        if st.button("Back to the log", key="replay_back", icon=":material/arrow_back:"):
            address.back()
            st.rerun()
        if steps:
            _link(session, steps)
    if not steps:
        st.html(
            markup.notice(
                "There is no such session in the log.",
                "It may be among the sealed events, which a whole export holds.",
            )
        )
        return
    at = _position(steps)
    _under_title(log, steps, people, zone)
    with st.container(key="gh-found"):
        left, right = st.columns([4, 8], gap="small")
    with left, st.container(border=True, key="gh-steps", height=620, gap=None):
        _list(log, session, steps, at)
    with right:
        _buttons(session, steps, at)
        found = log.records([steps[at]])
        with st.container(border=True, key="gh-event"):
            if found:
                _step(log, found[0], people, zone)
            else:
                st.html(markup.notice(f"Event {steps[at]:,}", "It is not in the log any more."))


def _link(session: str, steps: Sequence[int]) -> None:
    with st.popover("Link", icon=":material/link:"):
        st.html(panels.note("This step, for anybody who may read the log:"))
        step = st.query_params.get(STEP, str(steps[0]))
        st.code(address.link(**{PARAMETER: session, STEP: step}), language=None, wrap_lines=True)


def _position(steps: Sequence[int]) -> int:
    """The place of the asked-for event among the steps; of the first where it is not among them."""
    given = st.query_params.get(STEP, "")
    valid = given.isascii() and given.isdigit() and len(given) < 17
    if valid and int(given) in steps:
        return steps.index(int(given))
    if given:
        said = f"Event {text.line(given, 20)} is not of this session, so the first step is shown."
        st.html(panels.note(escape(said)))
        st.query_params[STEP] = str(steps[0])
    return 0


def _under_title(log: AuditLog, steps: Sequence[int], people: People, zone: dt.tzinfo) -> None:
    ends = log.records([steps[0], steps[-1]])
    try:
        begun, ended = ends[0].event, ends[-1].event
    except (AuditError, IndexError):
        return
    who = record.called(begun.actor.on_behalf_of or begun.actor.id, people.by_id)
    said = (
        f"{who} · {when.stamp(begun.time, zone)} to {when.clock(ended.time, zone)} · "
        f"{text.count(len(steps), 'step')}"
    )
    st.html(f'<p class="gh-sub">{escape(said)}</p>')


def _list(log: AuditLog, session: str, steps: Sequence[int], at: int) -> None:
    first = max(0, at - _BEFORE)
    last = min(len(steps), at + _AFTER + 1)
    if first and _further(f"First step, {first:,} before these", "gh-step-first"):
        _go(session, steps[0])
    for one in log.records(steps[first:last]):
        chosen = one.seq == steps[at]
        if st.button(
            _label(one, steps.index(one.seq) + 1),
            key=f"gh-step-{'now-' if chosen else ''}{one.seq}",
            type="tertiary",
            width="stretch",
        ):
            _go(session, one.seq)
    left = len(steps) - last
    if left and _further(f"Last step, {left:,} after these", "gh-step-last"):
        _go(session, steps[-1])


def _further(label: str, key: str) -> bool:
    return st.button(label, key=key, type="tertiary", width="stretch")


def _label(one: Record, number: int) -> str:
    try:
        event = one.event
    except AuditError:
        return f"{number}\\. Unreadable"
    stage = stages.of(event)
    return f"{number}\\. **{stage.title}** {text.label(event.summary, 60)}"


def _buttons(session: str, steps: Sequence[int], at: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        back = st.button(
            "Previous",
            key="previous",
            icon=":material/chevron_left:",
            disabled=at == 0,
            shortcut="K",
        )
        on = st.button(
            "Next",
            key="next",
            icon=":material/chevron_right:",
            disabled=at == len(steps) - 1,
            shortcut="J",
        )
        st.html(panels.note(f"Step {at + 1:,} of {len(steps):,}"), width="content")
    if back or on:
        _go(session, steps[at - 1 if back else at + 1])


def _go(session: str, seq: int) -> None:
    open_(session, seq)
    st.rerun()


def _step(log: AuditLog, one: Record, people: People, zone: dt.tzinfo) -> None:
    try:
        event = one.event
    except AuditError as error:
        st.html(markup.notice(f"Event {one.seq:,}", str(error)))
    else:
        stage, look = stages.of(event), of_event(event)
        st.html(
            f'<div class="gh-head"><h2>{escape(stage.title)}</h2>'
            f'<span class="gh-badge gh-{look.tone}">{icon(look.icon)}{escape(look.value)}</span>'
            f'</div><p class="gh-sub">{escape(record.person(event, people.by_id))} · '
            f"{when.stamp(event.time, zone)} · {escape(event.type)}</p>"
            f'<p class="gh-said">{escape(text.line(event.summary))}</p>'
        )
        for title, body in stages.said(event, people.by_id, zone):
            if title == stages.STATEMENT:
                st.html(panels.note(f"<strong>{escape(title)}</strong>"))
                st.code(text.clip(body), language="sql", wrap_lines=True)
            else:
                facts = f"<dt>{escape(title)}</dt><dd>{escape(text.clip(body))}</dd>"
                st.html(f'<dl class="gh-facts gh-told">{facts}</dl>')
        with st.expander("All that the event says", type="compact"):
            st.html(record.facts(one, people.by_id, zone))
    st.html(kept.inclusion(one.seq, log.head(), one.fits))
    record.hashed(log, one)
