"""The policy in force, what the file on disk would change about it, and putting it into force."""

from __future__ import annotations

import difflib
from html import escape
from pathlib import Path

import pandas as pd
import streamlit as st

from audit import AuditEvent, ConfigFacts
from guard import Caller, ConfigurationError
from guard.policyfile import Policy, load_policy
from store import accounts, policies
from ui import frame, panels, session, text, when
from ui.frame import Desk
from ui.home import POLICY_FILE
from ui.verdict import Verdict

_SHORT = 12
_LINES, _TALL = 18, 380


def draw(desk: Desk) -> None:
    """Draws the text in force and, where the file differs, the difference and what to do."""
    running = desk.parts.policy
    st.html(
        panels.note(
            f"In force: version {running.version}, {escape(text.line(running.name, 80))}, "
            f"{panels.code(running.sha256[:_SHORT])}. Edit the file "
            f"{panels.code(str(desk.parts.home / POLICY_FILE))}, then put it into force here."
        )
    )
    _difference(desk, running)
    st.code(running.text, language="toml", height=480)
    _history(desk)


def broken(path: Path) -> None:
    """Draws the file as it is, while none is in force because it cannot be used."""
    try:
        st.code(text.clip(path.read_text(encoding="utf-8")), language="toml", height=480)
    except (OSError, ValueError):
        return  # the sentence above says that it cannot be read


def _difference(desk: Desk, running: Policy) -> None:
    try:
        waiting = load_policy(desk.parts.home / POLICY_FILE)
    except ConfigurationError as error:
        st.html(
            panels.said(
                Verdict.FAILED,
                "The file on disk cannot be used; the policy in force stays.",
                str(error),
            )
        )
        return
    if waiting.sha256 == running.sha256:
        st.html(panels.note("The file on disk is the policy in force."))
        return
    st.html(
        panels.said(
            Verdict.REVIEW,
            "The file on disk differs from the policy in force.",
            "Questions that are running are stopped when it is put into force.",
        )
    )
    difference = changed(running.text, waiting.text)
    # A long one scrolls by itself, so that the button under it stays in sight.
    tall = difference.count("\n") > _LINES
    st.code(difference, language="diff", height=_TALL if tall else "content")
    if st.button("Use this policy", key="use_policy", type="primary", icon=":material/gavel:"):
        _use(desk, running, waiting)


def changed(before: str, after: str) -> str:
    """Returns a unified diff of two policy texts."""
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), "in force", "on disk", lineterm=""
    )
    return "\n".join(lines)


def _use(desk: Desk, running: Policy, waiting: Policy) -> None:
    """Records the change, then makes it: a policy nobody recorded never comes into force."""
    with frame.attempt():
        store = desk.parts.store
        with store.write() as conn:
            policies.activate(conn, waiting.text, activated_by=desk.person.id, now=store.now())
            desk.parts.log.append(_event(desk, running, waiting))
        fresh = session.replace_policy()
        sentence = f"Version {fresh.policy.version} is in force."
        if fresh.policy.sha256 != waiting.sha256:
            sentence = "The file was changed meanwhile. Look at the difference again."
        frame.tell(Verdict.DONE, "Done.", sentence)
    st.rerun()


def _event(desk: Desk, running: Policy, waiting: Policy) -> AuditEvent:
    return AuditEvent(
        type="config.changed",
        actor=Caller(principal=desk.person, channel="console").actor(),
        outcome="success",
        summary=f"Policy version {waiting.version} put into force",
        parts=(
            ConfigFacts(
                kind="policy",
                name=POLICY_FILE,
                change="activated",
                before_sha256=running.sha256,
                after_sha256=waiting.sha256,
            ),
        ),
    )


def _history(desk: Desk) -> None:
    with desk.parts.store.read() as conn:
        found = policies.list_all(conn, limit=50)
        names = {a.id: a.display_name for a in accounts.list_all(conn)}
    if not found:
        return
    st.html(panels.note("<strong>Put into force here</strong>"))
    rows = [
        (
            when.stamp(v.activated_at, desk.zone),
            names.get(v.activated_by or "", "outside the console"),
            v.sha256[:_SHORT],
        )
        for v in found
    ]
    st.dataframe(
        pd.DataFrame(rows, columns=["When", "By", "SHA-256"]),
        hide_index=True,
        alt="Policies put into force",
    )
