"""The steps of one turn as a time line: plan, schema, SQL, the guard's decision, result, chart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Literal

import streamlit as st

from agent import Refusal, unpack
from guard import BUILT_IN
from store.conversations import Conversation
from store.steps import Step
from ui import panels, stored, text
from ui.asking import result, reveal, talk
from ui.asking.talk import Shown
from ui.frame import Desk
from ui.reviewing import underway
from ui.verdict import Verdict, badge

Look = Literal["done", "running", "stopped"]
_ICONS: dict[Look, str] = {
    "done": ":material/check_circle:",
    "running": "spinner",
    "stopped": ":material/error:",
}


def draw(desk: Desk, talk_: Conversation | None, shown: Shown, *, latest: bool) -> None:
    """Draws every step so far; those of the latest turn stand open.

    Without a conversation, as while the turn runs, no masked value can be asked for.
    """
    drawer = _Drawer(desk, talk_, shown, latest)
    for step in shown.steps:
        drawer.draw(step)
    if shown.running and not any(step.state == "started" for step in shown.steps):
        saying = shown.turn.saying
        with _step(":shimmer[Working]", "running", expanded=bool(saying)):
            if saying:
                st.text(text.clip(saying))


class _Drawer:
    def __init__(self, desk: Desk, talk_: Conversation | None, shown: Shown, latest: bool) -> None:
        self._desk = desk
        self._talk = talk_
        self._shown = shown
        self._latest = latest

    def draw(self, step: Step) -> None:
        match step.kind:
            case "plan":
                self._plan(step)
            case "schema":
                self._schema(step)
            case "query":
                self._query(step)
            case "proposal":
                self._proposal(step)
            case "chart":
                with _step("Chart", self._look(step)):
                    st.html(panels.note("Drawn under the answer."))
            case _:
                with _step("Another step", self._look(step)):
                    st.html(panels.note("This version cannot show it."))

    def _plan(self, step: Step) -> None:
        with _step("Plan", self._look(step)):
            st.text(text.clip(stored.said(step)))

    def _schema(self, step: Step) -> None:
        found = stored.tables(step)
        with _step("Schema", self._look(step)):
            if found is not None:
                st.html(panels.note(_looked_at(found)))

    def _query(self, step: Step) -> None:
        asked = stored.statement(step)
        if step.tool is not None and step.tool not in BUILT_IN:
            self._template(step)
        elif self._shown.turn.kind == "question":
            self._sql(asked.sql)
        refusal, ran = stored.refusal(step), stored.ran(step)
        if refusal is not None:
            self._refused(refusal)
        elif ran is not None:
            self._allowed(ran)
            self._result(step, ran)
        else:
            self._checking(step)

    def _proposal(self, step: Step) -> None:
        if step.tool is not None and step.tool not in BUILT_IN:
            self._template(step)
        elif self._shown.turn.kind == "question":
            self._sql(stored.statement(step).sql)
        refusal, asked = stored.refusal(step), stored.asked(step)
        if refusal is not None:
            self._refused(refusal)
        elif asked is not None:
            with _step("Guard: needs review", "done", expanded=self._latest):
                rows = text.count(asked.rows, "row")
                said = f"A change of {rows}. Someone other than you decides on it."
                st.html(f'{badge(Verdict.REVIEW)} <span class="gh-said">{said}</span>')
        else:
            self._previewing(step)

    def _sql(self, sql: str) -> None:
        with _step("SQL", "done", expanded=self._latest):
            st.code(text.clip(sql), language="sql", wrap_lines=True)

    def _template(self, step: Step) -> None:
        with _step("Template", "done", expanded=self._latest):
            given = ", ".join(f"{name} = {value}" for name, value in stored.arguments(step))
            st.text(text.clip(f"{step.tool}: {given}" if given else str(step.tool), 2_000))

    def _checking(self, step: Step) -> None:
        look = self._look(step)
        title = ":shimmer[Guard and source]" if look == "running" else "Guard and source"
        with _step(title, look):
            said = "Checking and running it." if look == "running" else "It was cut off here."
            st.html(panels.note(said))

    def _previewing(self, step: Step) -> None:
        found = self._desk.parts.review.under_way_in(step.turn, self._desk.caller)
        if found is None:
            self._checking(step)
            return
        with _step(":shimmer[Preview]", self._look(step), expanded=True):
            st.html(underway.line(found))

    def _allowed(self, ran: stored.Ran) -> None:
        with _step("Guard: allowed", "done", expanded=self._latest):
            st.html(_decided(Verdict.ALLOWED, ran.reason, ran.rule))
            with st.popover("What was sent", type="tertiary", icon=":material/code:"):
                st.html(panels.note("The statement with your row filters and limits inside."))
                st.code(text.clip(ran.sql), language="sql", wrap_lines=True)

    def _refused(self, refusal: Refusal) -> None:
        held = refusal.rule == panels.HELD
        title = "Guard: needs review" if held else "Guard: denied"
        verdict = Verdict.REVIEW if held else Verdict.DENIED
        if refusal.rule == "stopped":
            title, verdict = "Stopped", Verdict.STOPPED
        with _step(title, "done" if held else "stopped", expanded=self._latest):
            # The last refusal is explained in full under the steps.
            answer = self._shown.answer
            reason = "" if answer and answer.refusal == refusal else refusal.reason
            st.html(_decided(verdict, reason, refusal.rule))

    def _result(self, step: Step, ran: stored.Ran) -> None:
        rows, ms = text.count(ran.rows, "row"), ran.elapsed_us // 1000
        answer = self._shown.answer
        answers = answer is None or answer.query == step.call_id
        with _step(f"Result: {rows} in {ms:,} ms", "done", expanded=answers):
            packed = talk.rows_of(self._desk, step.turn, step.call_id)
            if packed is not None:
                rows = unpack(packed)
                result.draw(ran, rows)
                if self._talk is not None and not self._shown.running:
                    reveal.offer(self._desk, self._talk, step, ran, rows)

    def _look(self, step: Step) -> Look:
        if step.state == "done":
            return "done"
        return "running" if self._shown.running else "stopped"


@contextmanager
def _step(title: str, look: Look, *, expanded: bool = False) -> Iterator[None]:
    """One step of the time line. `title` MUST be ours: it is read as Markdown."""
    with st.expander(title, type="step", icon=_ICONS[look], expanded=expanded):
        yield


def _decided(verdict: Verdict, reason: str, rule: str) -> str:
    said = f'<p class="gh-said">{escape(text.clip(reason, 2_000))}</p>' if reason else ""
    return (
        f'<p class="gh-said">{badge(verdict)} '
        f'<span class="gh-note">Rule {panels.code(rule)}</span></p>{said}'
    )


def _looked_at(found: stored.Tables) -> str:
    if found.table is not None:
        columns = text.count(len(found.columns), "column")
        return f"Looked at {panels.code(text.line(found.table, 80))}: {columns}."
    if found.unknown is not None:
        return escape(text.line(found.unknown, 300))
    names = [panels.code(text.line(t.name, 80)) for t in found.tables]
    return f"Looked at {text.joined(names)}." if names else "There are no tables to look at."
