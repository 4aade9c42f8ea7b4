"""What every page stands on: the signed-in person, the parts, and one place for problems.

A page that cannot use the policy, the store or the log says so in that error's own sentence and
stops; the shell around it keeps working.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import streamlit as st

from audit import AuditLog
from guard import Caller, Refused
from guard.principal import ConsoleRole, Principal
from ui import identity, markup, panels, session, sheet, when
from ui.parts import Parts
from ui.verdict import Verdict
from ui.webparts import UNUSABLE

_TOLD = "told"


@dataclass(frozen=True, kw_only=True)
class Desk:
    """One run of a page: who looks, with which parts, in which time zone."""

    person: Principal
    parts: Parts
    zone: dt.tzinfo

    @property
    def caller(self) -> Caller:
        """The person's own call, for reading and deciding, with their rights as they are now."""
        current = self.parts.people.by_id(self.person.id)
        return Caller(principal=current or self.person, channel="console")

    @property
    def now(self) -> dt.datetime:
        """What time it is, by the store's clock."""
        return self.parts.store.now()


def desk(person: Principal) -> Desk:
    """Returns the desk of a page's run, or says what cannot be used and stops the run."""
    sheet.apply()
    with usable():
        found = Desk(person=person, parts=session.parts(), zone=when.zone())
        found.parts.anchoring.follow()
    warn(found.parts.log)
    return found


def warn(log: AuditLog) -> None:
    """Says what an operator must see to: a disk that fills up, checkpoints that nobody takes."""
    for sentence in log.warnings():
        st.html(panels.said(Verdict.FAILED, "The audit log needs an operator.", sentence))


def again(*roles: ConsoleRole) -> Desk:
    """Returns the desk anew, for a timer's tick: the person may have lost the role meanwhile.

    Where there is none any more, the whole page is drawn anew and says why.
    """
    person = identity.still(*roles)
    try:
        return Desk(person=person, parts=session.parts(), zone=when.zone())
    except UNUSABLE:
        st.rerun()
        raise


@contextmanager
def usable(*, but: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Says an error's sentence in the page and stops the run. Errors in `but` go on."""
    try:
        yield
    except but:
        raise
    except UNUSABLE as error:
        st.html(markup.notice("This page cannot work now.", str(error)))
        st.stop()


@contextmanager
def attempt() -> Iterator[None]:
    """Carries out a click. What goes wrong is kept for `problem`; follow it with `st.rerun()`."""
    try:
        yield
    except Refused as refused:
        failed(f"{refused.refusal.reason} {refused.refusal.alternative or ''}".strip())
    except UNUSABLE as error:
        failed(str(error))


def failed(sentence: str) -> None:
    """Keeps what went wrong with a click until `problem` shows it."""
    tell(Verdict.FAILED, "That did not work.", sentence)


def tell(verdict: Verdict, title: str, sentence: str) -> None:
    """Keeps what came of a click until `problem` shows it."""
    st.session_state[_TOLD] = (verdict, title, sentence)


def problem() -> None:
    """Shows what came of the last click, once. Its place stays, so that nothing below moves.

    A part that moves is drawn as another one: closed, and without what was typed into it.
    """
    place = st.empty()
    told = st.session_state.pop(_TOLD, None)
    if told is not None:
        place.html(panels.said(*told))
