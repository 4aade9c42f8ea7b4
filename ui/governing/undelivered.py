"""Notices that never arrived: for admins, who can mend the target and send them again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from html import escape

import streamlit as st

from store import outbox
from store.outbox import StoredNotice
from store.states import NoticeEvent
from ui import panels, text, when
from ui.frame import Desk, attempt
from ui.verdict import Verdict

_SHOWN_FOR = dt.timedelta(days=7)
_MOST = 20
_EVENTS: Mapping[NoticeEvent, str] = {
    "new": "is new",
    "decided": "was decided on",
    "expired": "has expired",
    "drifted": "is back in review",
    "reminder": "still waits",
}


def draw(desk: Desk) -> None:
    """Draws what was given up in the last days; nothing where all has arrived."""
    with desk.parts.store.read() as conn:
        found = outbox.given_up(conn, since=desk.now - _SHOWN_FOR, limit=_MOST + 1)
    if not found:
        return
    more = len(found) > _MOST
    count = f"More than {_MOST} notices" if more else text.count(len(found), "notice")
    targets = text.joined(sorted({text.line(n.target, 60) for n in found}))
    st.html(
        panels.said(
            Verdict.FAILED,
            f"{count} did not arrive at {targets}.",
            "The people there were not told. Mend the target, then send them again.",
        )
    )
    with st.expander("What did not arrive", icon=":material/mail_off:"):
        for notice in found[:_MOST]:
            _one(desk, notice)


def _one(desk: Desk, notice: StoredNotice) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"undelivered_{notice.id}"):
        tried = text.count(notice.attempts, "attempt")
        st.html(
            f'<p class="gh-said">To {panels.code(text.line(notice.target, 60))}: request '
            f"#{notice.change} {_EVENTS[notice.event]} "
            f'<span class="gh-note">({when.ago(notice.created_at, desk.now)}, {tried})</span></p>'
            + panels.note(escape(text.line(notice.error or "No reason was kept.", 300)))
        )
        if st.button("Send again", key=f"again_{notice.id}", icon=":material/refresh:"):
            with attempt(), desk.parts.store.write() as conn:
                outbox.again(conn, notice.id, now=desk.now)
            st.rerun()
