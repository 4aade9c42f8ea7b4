"""Accounts: who may do what, changed with a record of it. Nobody changes their own."""

from __future__ import annotations

from html import escape

import pandas as pd
import streamlit as st

from audit import AuditEvent, AuditLog, ConfigFacts
from guard import Caller
from guard.principal import ConsoleRole, Principal
from store import Store, accounts
from store.accounts import Account
from ui import frame, panels, text, when
from ui.verdict import Verdict

_ROLES: tuple[ConsoleRole, ...] = ("analyst", "reviewer", "admin")


def draw(person: Principal, store: Store, log: AuditLog) -> None:
    """Draws the list and, beside it, the account that is chosen in it."""
    with store.read() as conn:
        known = accounts.list_all(conn)
    left, right = st.columns([8, 4], gap="small")
    with left:
        chosen = _table(known)
    with right, st.container(border=True):
        _account(known[chosen], person, store, log)
    st.html(
        panels.note(
            "Roles say what somebody may do in the console. Which tables they read is in the "
            "policy. To make an account or set a password, run "
            f"{panels.code('gatehouse people add NAME --role analyst')} on the server."
        )
    )


def _table(known: tuple[Account, ...]) -> int:
    zone = when.zone()
    rows = [
        (
            a.name,
            a.display_name,
            ", ".join(sorted(a.roles)) or "none",
            "disabled" if a.disabled else "demo" if a.demo else "active",
            when.stamp(a.created_at, zone),
        )
        for a in known
    ]
    event = st.dataframe(
        pd.DataFrame(rows, columns=["Name", "Person", "Roles", "State", "Since"]),
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row-required",
        selection_default={"selection": {"rows": [0]}},
        key=f"people_{len(rows)}",
        alt="Accounts",
    )
    picked = event["selection"]["rows"]
    return picked[0] if picked and picked[0] < len(rows) else 0


def _account(account: Account, person: Principal, store: Store, log: AuditLog) -> None:
    st.html(
        f'<div class="gh-head"><h2>{escape(text.line(account.display_name, 80))}</h2></div>'
        f'<p class="gh-sub">Signs in as {panels.code(account.name)}</p>'
    )
    if account.id == person.id:
        st.html(panels.note("This is you. Another admin changes your roles or disables you."))
        return
    roles = st.pills(
        "Roles",
        _ROLES,
        selection_mode="multi",
        default=sorted(account.roles),
        key=f"roles_{account.id}",
    )
    with st.container(horizontal=True):
        save = st.button("Save roles", key="save_roles", disabled=set(roles) == account.roles)
        word = "Enable" if account.disabled else "Disable"
        switch = st.button(f"{word} account", key="switch_account")
    if save:
        _change(account, person, store, log, roles=frozenset(roles))
    if switch:
        _change(account, person, store, log, disabled=not account.disabled)


def _change(
    account: Account,
    person: Principal,
    store: Store,
    log: AuditLog,
    *,
    roles: frozenset[ConsoleRole] | None = None,
    disabled: bool | None = None,
) -> None:
    """Makes one change and records it, both or neither."""
    with frame.attempt():
        if account.id == person.id:
            raise PermissionError("nobody changes their own account")
        with store.write() as conn:
            if roles is not None:
                accounts.set_roles(conn, account.id, roles)
                what = f"roles: {', '.join(sorted(roles)) or 'none'}"
            else:
                accounts.set_disabled(conn, account.id, disabled=bool(disabled))
                what = "disabled" if disabled else "enabled"
            log.append(_event(account, person, what))
        frame.tell(Verdict.DONE, "Saved.", f"{account.name}: {what}. It holds from the next click.")
    st.rerun()


def _event(account: Account, person: Principal, what: str) -> AuditEvent:
    return AuditEvent(
        type="config.changed",
        actor=Caller(principal=person, channel="console").actor(),
        outcome="success",
        summary=f"Account changed: {what}",
        parts=(ConfigFacts(kind="account", name=account.id, change=what),),
    )
