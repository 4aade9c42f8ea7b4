"""What words mean in a source: what is in force, what is proposed, and earlier versions."""

from __future__ import annotations

from html import escape

import pandas as pd
import streamlit as st

from agent import LayerView
from agent.planner import items_of
from store import accounts
from ui import frame, panels, text, when
from ui.frame import Desk, attempt
from ui.verdict import Verdict
from ui.webparts import UNUSABLE

_SHORT = 12


def draw(desk: Desk) -> None:
    """Draws one source: a layer comes into force when an admin confirms it here."""
    st.html(
        panels.note(
            "Metrics, synonyms, dates and joins by which questions are read, by the planner and by "
            "models. Nothing that is proposed is used before an admin confirms it. It gives nobody "
            "more rights: every statement is judged for whoever asks."
        )
    )
    sources = list(desk.parts.policy.sources)
    source = sources[0]
    if len(sources) > 1:
        titles = {n: s.title or n for n, s in desk.parts.policy.sources.items()}
        picked = st.selectbox(
            "Source",
            sources,
            format_func=lambda name: text.label(titles[name], 60),
            key="meaning_source",
            width=260,
        )
        source = picked or source
    view = desk.parts.layers.view(source, desk.caller)
    with desk.parts.store.read() as conn:
        names = {a.id: a.display_name for a in accounts.list_all(conn)}
    st.html(panels.note(_in_force(desk, view, names)))
    if view.problem:
        st.html(panels.said(Verdict.FAILED, "The file cannot be used.", view.problem))
    _proposed(desk, view)
    _listed(view)
    _edit(desk, view)
    _history(desk, view, names)


def _in_force(desk: Desk, view: LayerView, names: dict[str, str]) -> str:
    count = text.count(len(items_of(view.in_force)), "item")
    if view.versions:
        version = view.versions[0]
        by = escape(text.line(names.get(version.confirmed_by, "somebody"), 80))
        since = escape(when.stamp(version.confirmed_at, desk.zone))
        return (
            f"In force: version {version.id}, {count}, {panels.code(version.sha256[:_SHORT])}, "
            f"confirmed by {by} on {since}."
        )
    if view.from_file:
        return f"In force: the operator's file, {count}. A confirmed version takes its place."
    return "In force: nothing. Questions are read by the names of tables and columns alone."


def _proposed(desk: Desk, view: LayerView) -> None:
    if not view.proposed:
        return
    st.html('<div class="gh-head"><h2>Proposed</h2></div>')
    st.html(
        panels.note(
            f"{text.count(len(view.proposed), 'proposal')} from names, keys, types and rows. Take "
            "out the tick where one is wrong, or mend it in the text below."
        )
    )
    with st.container(border=True, key="proposals"):
        chosen = [
            item.key
            for number, item in enumerate(view.proposed)
            if st.checkbox(
                text.label(f"{item.kind} {item.name}: {item.says}", 400),
                value=True,
                key=f"use_{view.source}_{view.stamp}_{number}",
            )
        ]
    if st.button(
        f"Confirm {text.count(len(chosen), 'proposal')}",
        # Another proposal has another button: a click confirms what was on the page, or nothing.
        key=f"confirm_chosen_{view.stamp}",
        type="primary",
        icon=":material/check:",
        disabled=not chosen,
    ):
        with attempt():
            _confirmed(desk, view, view.chosen(chosen))
        st.rerun()


def _confirmed(desk: Desk, view: LayerView, whole: str, note: str = "") -> None:
    made = desk.parts.layers.confirm(view.source, whole, desk.caller, base=view.base, note=note)
    frame.tell(Verdict.DONE, "Confirmed.", f"Version {made.id} is in force from the next question.")


def _listed(view: LayerView) -> None:
    found = items_of(view.in_force)
    if not found:
        return
    with st.expander(f"In force: {text.count(len(found), 'item')}"):
        rows = [(i.kind, text.line(i.name, 120), text.line(i.says, 400)) for i in found]
        st.dataframe(
            pd.DataFrame(rows, columns=["Kind", "Name", "Means"]),
            hide_index=True,
            alt="What is in force",
        )


def _edit(desk: Desk, view: LayerView) -> None:
    with st.expander("Edit as text", icon=":material/edit:"):
        st.html(
            panels.note(
                "What is in force and what is proposed, as one text. What you confirm here takes "
                "the place of all that is in force. Comments are not kept."
            )
        )
        start = view.chosen([i.key for i in view.proposed])
        edited = st.text_area(
            "The whole layer", start, height=420, key=f"meaning_{view.source}_{view.stamp}"
        )
        wrong = _wrong(desk, view, edited or "") if edited != start else ""
        if wrong:
            st.html(panels.said(Verdict.FAILED, "This cannot be used.", wrong))
        note = st.text_input("Why? Kept with the version.", key="meaning_note", max_chars=500)
        if st.button(
            "Confirm this text",
            key=f"confirm_text_{view.stamp}",
            icon=":material/check:",
            disabled=bool(wrong),
        ):
            with attempt():
                _confirmed(desk, view, edited or "", note or "")
            st.rerun()


def _wrong(desk: Desk, view: LayerView, edited: str) -> str:
    """Returns what keeps a text from being used, empty where nothing does."""
    try:
        desk.parts.layers.checked(view.source, edited)
    except UNUSABLE as error:
        return str(error)
    return ""


def _history(desk: Desk, view: LayerView, names: dict[str, str]) -> None:
    if not view.versions:
        return
    st.html('<div class="gh-head"><h2>Versions</h2></div>')
    rows = [
        (
            v.id,
            when.stamp(v.confirmed_at, desk.zone),
            text.line(names.get(v.confirmed_by, "somebody"), 80),
            text.line(v.note, 200),
            v.sha256[:_SHORT],
        )
        for v in view.versions
    ]
    st.dataframe(
        pd.DataFrame(rows, columns=["Version", "Confirmed", "By", "Why", "SHA-256"]),
        hide_index=True,
        alt="Versions",
    )
    older = [v.id for v in view.versions[1:] if v.sha256 != view.versions[0].sha256]
    if not older:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        version = st.selectbox("Go back to version", older, key="meaning_older", width=180)
        if st.button("Go back", key="meaning_back", icon=":material/undo:") and version:
            with attempt():
                made = desk.parts.layers.roll_back(
                    view.source, version, desk.caller, base=view.base
                )
                frame.tell(Verdict.DONE, "Confirmed.", f"Version {made.id} is in force.")
            st.rerun()
