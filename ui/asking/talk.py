"""Conversations as the ask page reads and begins them."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from agent import Answer, call_in
from guard import Caller, log_safe
from redaction import RedactionError
from store import conversations, steps, turns
from store.conversations import Conversation
from store.states import TurnKind
from store.steps import Step
from store.turns import Turn
from ui import stored
from ui.frame import Desk

PARAMETER = "c"
"""The part of the address that names the conversation."""
LONGEST_QUESTION = 4_000
_LONGEST_TITLE = 200


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One turn with its steps and, once it has ended, its answer."""

    turn: Turn
    steps: tuple[Step, ...]
    answer: Answer | None

    @property
    def running(self) -> bool:
        """True while a worker is on it or it waits for one."""
        return self.turn.state in turns.OPEN

    @property
    def reason(self) -> str:
        """Why a typed change was wanted."""
        asked = (stored.statement(s).reason for s in self.steps if s.kind == "proposal")
        return next(filter(None, asked), "")


def chosen(desk: Desk) -> Conversation | None:
    """Returns the person's own conversation that the address names, None for any other."""
    wanted = st.query_params.get(PARAMETER)
    if not wanted:
        return None
    with desk.parts.store.read() as conn:
        return conversations.find_own(conn, wanted, owner=desk.person.id)


def open_(conversation: str | None) -> None:
    """Makes the address name the conversation, or none for a new one."""
    if conversation is None:
        st.query_params.pop(PARAMETER, None)
    else:
        st.query_params[PARAMETER] = conversation


def read(desk: Desk, conversation: str, last: int) -> tuple[tuple[Shown, ...], int]:
    """Returns the last turns of a conversation in order, and how many came before them."""
    with desk.parts.store.read() as conn:
        found = turns.list_of(conn, conversation)
        kept = found[-last:]
        all_steps = [steps.list_of(conn, turn.id) for turn in kept]
    shown = tuple(
        Shown(turn=turn, steps=its, answer=stored.answer(turn))
        for turn, its in zip(kept, all_steps, strict=True)
    )
    return shown, len(found) - len(kept)


def read_own(desk: Desk, turn: str) -> tuple[Shown, int] | None:
    """Returns one turn of the person's own and how many wait before it; None for any other."""
    with desk.parts.store.read() as conn:
        found = turns.find(conn, turn)
        if found is None:
            return None
        if conversations.find_own(conn, found.conversation, owner=desk.person.id) is None:
            return None
        its = steps.list_of(conn, turn)
        before = turns.queued_before(conn, found) if found.state == "queued" else 0
    return Shown(turn=found, steps=its, answer=stored.answer(found)), before


def rows_of(desk: Desk, turn: str, step: str) -> bytes | None:
    """Returns the packed rows that a step has kept, or None."""
    with desk.parts.store.read() as conn:
        return steps.blob(conn, turn, step)


def begin(
    desk: Desk,
    conversation: Conversation | None,
    source: str,
    text: str,
    *,
    kind: TurnKind = "question",
    reason: str = "",
) -> None:
    """Queues a question or a statement, in a new conversation where there is none yet.

    Raises:
        store.StoreError: nothing was queued.
    """
    if conversation is None:
        with desk.parts.store.write() as conn:
            conversation = conversations.create(
                conn,
                owner=desk.person.id,
                source=source,
                title=_title(_said(text, kind)),
                now=desk.parts.store.now(),
            )
    desk.parts.runs.start(
        text,
        conversation=conversation.id,
        caller=Caller(
            principal=desk.person,
            channel="console" if kind == "question" else "sql",
            session=conversation.id,
        ),
        kind=kind,
        reason=reason,
    )
    open_(conversation.id)


def _said(text: str, kind: TurnKind) -> str:
    call = call_in(text) if kind == "template" else None
    return call.said() if call else text


def _title(text: str) -> str:
    """Returns what the conversation is called, which more places show than the conversation."""
    try:
        return log_safe(" ".join(text[:_LONGEST_TITLE].split())) or "Untitled"
    except RedactionError:
        return "Untitled"
