"""Masked values on request: asked for with a reason, drawn once, gone with the next run.

The values live in the local variables of the one page run that draws them. Nothing of them is put
into the conversation, the session's state or a file, and the page takes them away by itself.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from html import escape

import pyarrow as pa
import streamlit as st

from audit import AuditError
from guard import GuardError, Plain, Refused, Revealed, RevealRequest
from store import StoreError
from store.conversations import Conversation
from store.steps import Step
from ui import frame, panels, stored, text
from ui.frame import Desk
from ui.stored import Ran
from ui.verdict import Verdict, icon

SHOWN_SECONDS = 60
"""After these the server draws the page anew. A page that has lost its server hides them itself,
by the style of `gh-revealed`."""
_OPEN = "reveal_open"
_LONGEST_CELL = 500
_LONGEST_ROWS = 200
_RANGE = re.compile(r"([0-9]{1,7})(?:\s*[-–]\s*([0-9]{1,7}))?")  # noqa: RUF001 - people type both


def offer(desk: Desk, talk_: Conversation, step: Step, ran: Ran, rows: pa.Table) -> None:
    """Draws the way to ask for the masked values of a result.

    `rows` is the result as it is shown above. Draws nothing where nothing is masked.
    """
    masked = [i for i, column in enumerate(ran.columns) if column.masked]
    if not masked or not rows.num_rows:
        return
    key = f"reveal_{step.turn}_{step.call_id}"
    st.button(
        "Reveal masked values",
        icon=":material/visibility:",
        type="tertiary",
        key=f"{key}_open",
        on_click=_open,
        args=(key,),
    )
    if st.session_state.get(_OPEN) == key:
        sql = stored.statement(step).sql
        _dialog(_Asking(key=key, talk=talk_, sql=sql, ran=ran, rows=rows, masked=masked))


@dataclass(frozen=True, kw_only=True)
class _Asking:
    """A result whose masked columns, by their places, somebody wants to see."""

    key: str
    talk: Conversation
    sql: str
    ran: Ran
    rows: pa.Table
    masked: list[int]


def _open(key: str) -> None:
    st.session_state[_OPEN] = key


def _close() -> None:
    st.session_state.pop(_OPEN, None)


@st.dialog("Reveal masked values", width="medium", icon=":material/visibility:", on_dismiss=_close)
def _dialog(asking: _Asking) -> None:
    desk = frame.again("analyst", "reviewer", "admin")
    request = _form(desk, asking)
    if request is not None:
        _reveal(desk, asking, request)


def _form(desk: Desk, asking: _Asking) -> RevealRequest | None:
    """Draws the form and returns what was asked for in this run."""
    key, rows = asking.key, asking.rows
    open_ = set(desk.parts.gate.revealable(asking.sql, asking.talk.source, desk.caller))
    names = {
        i: text.line(asking.ran.columns[i].name, 60) or f"column {i + 1}"
        for i in asking.masked
        if i in open_
    }
    if not names:
        no = (
            "Your roles may reveal none of these columns. An admin can grant that in the policy. "
            "What is computed from several columns is revealed to nobody."
        )
        st.html(panels.note(no))
        return None
    with st.form(key=f"{key}_form", border=False):
        columns = st.multiselect(
            "Columns",
            list(names),
            default=list(names)[:1],
            format_func=lambda i: names[i],
            key=f"{key}_columns",
        )
        chosen = st.text_input(
            f"Rows, of {rows.num_rows:,}", value="1", key=f"{key}_rows", placeholder="1, 4-6"
        )
        reason = st.text_input(
            "Reason",
            key=f"{key}_reason",
            placeholder="Call the customer back about ticket 4711",
        )
        note = "The values are fetched again, shown to you alone, and recorded with your reason."
        st.html(panels.note(note))
        asked = st.form_submit_button("Reveal", type="primary", icon=":material/visibility:")
    if not asked:
        return None
    numbers = numbered(chosen or "", rows.num_rows)
    if numbers is None or not columns:
        problem = "Choose at least one column, and rows as in 1, 4-6."
        st.html(panels.said(Verdict.TO_DO, "Nothing was revealed.", problem))
        return None
    return RevealRequest(columns=tuple(columns), rows=numbers, reason=reason or "", shown=rows)


def numbered(written: str, count: int) -> tuple[int, ...] | None:
    """Returns the places of the rows that `1, 4-6` names among `count`, None for anything else."""
    found: set[int] = set()
    for part in written[:_LONGEST_ROWS].split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            return None
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= last <= count:
            return None
        found.update(range(first - 1, last))
    return tuple(sorted(found))


def _reveal(desk: Desk, asking: _Asking, request: RevealRequest) -> None:
    talk_ = asking.talk
    caller = desk.caller.within(session=talk_.id, request=desk.caller.request, channel="sql")
    try:
        shown = desk.parts.gate.reveal(
            asking.sql, source=talk_.source, caller=caller, asked=request
        )
    except Refused as refused:
        refusal = refused.refusal
        said = f"{refusal.reason} {refusal.alternative or ''}".rstrip()
        st.html(panels.said(Verdict.DENIED, "Nothing was revealed.", said))
    except (GuardError, AuditError, StoreError) as error:
        st.html(panels.said(Verdict.FAILED, "Nothing was revealed.", str(error)))
    else:
        st.html(drawn(shown))
        _take_away(time.monotonic())


@st.fragment(run_every=SHOWN_SECONDS)
def _take_away(since: float) -> None:
    """Draws the page anew once the values have been on it for a while; they are not drawn again."""
    if time.monotonic() - since >= SHOWN_SECONDS - 1:
        st.rerun()


def drawn(shown: Revealed) -> str:
    """Returns the revealed rows as escaped HTML, with what is to be known about them."""
    heads = "".join(
        f"<th>{escape(text.line(name, 60))}{icon('shown') if i in shown.columns else ''}</th>"
        for i, name in enumerate(shown.names)
    )
    body = "".join(
        f'<tr><td class="gh-sign">{position + 1}</td>{"".join(map(_cell, row))}</tr>'
        for position, row in zip(shown.positions, shown.values, strict=True)
    )
    facts = (
        f"Revealed to you: {', '.join(shown.sources)}. Recorded as event #{shown.audit}. "
        f"The values leave this page after {SHOWN_SECONDS} seconds or with the next thing you do."
    )
    if shown.kept:
        facts += f" {text.count(shown.kept, 'cell')} stay masked: secrets are never shown."
    return (
        '<div class="gh-scroll gh-revealed" tabindex="0" role="region" '
        'aria-label="Revealed values">'
        f'<table class="gh-diff"><thead><tr><th class="gh-sign">#</th>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{panels.note(escape(facts))}"
    )


def _cell(value: Plain) -> str:
    if value is None:
        return "<td><em>NULL</em></td>"
    return f"<td><span>{escape(text.clip(str(value), _LONGEST_CELL))}</span></td>"
