"""Who is signed in. Read again from the cookie and the store on every run of every page."""

from __future__ import annotations

from typing import Never
from urllib.parse import quote, urlsplit

import streamlit as st

from guard.policy import ConsoleRole, Principal
from store import websessions
from ui import demo_mode, markup, session
from ui.people import principal_of
from ui.webparts import COOKIE

_OWNER = "owner"


def cookie_token() -> str | None:
    """Returns the session token the browser sent, or None. Tests replace this function."""
    token = st.context.cookies.get(COOKIE)
    # Outside a real browser session Streamlit hands out a stand-in object.
    return token if isinstance(token, str) and token else None


def current() -> Principal | None:
    """Returns the signed-in person with the roles of this moment, or None.

    Call it in timers too: it is how signing out in one tab ends the others.

    Raises:
        StoreError: the store cannot be read; nobody is signed in then.
    """
    token = cookie_token()
    if token is None:
        return None
    store = session.store()
    with store.read() as conn:
        account = websessions.signed_in(
            conn, token, now=store.now(), demo_mode=demo_mode.is_on(session.home())
        )
    return principal_of(account) if account else None


def require(*roles: ConsoleRole) -> Principal:
    """Returns the signed-in person if they hold one of the roles; otherwise says so and stops.

    The first line of every page, and of every fragment that shows or does something. A fragment
    that was drawn for somebody else ends here: a tab's id is enough to go on with it.
    """
    principal = current()
    if principal is None:
        signed_out()
    if st.session_state.get(_OWNER, principal.id) != principal.id:
        forget_others(principal)
        st.rerun()
    if not principal.roles & set(roles):
        wrong_role(principal, *roles)
    return principal


def forget_others(principal: Principal) -> None:
    """Empties the tab's state if it was another person's, and notes whose it is."""
    if st.session_state.get(_OWNER) != principal.id:
        st.session_state.clear()
        st.session_state[_OWNER] = principal.id


def wrong_role(principal: Principal, *roles: ConsoleRole) -> Never:
    """Says which role the page needs and who is signed in, and stops the run."""
    st.html(
        markup.notice(
            f"This page needs the {either(roles)} role.",
            f"You are signed in as {principal.display_name} ({held(principal)}).",
        )
    )
    _stop()


def signed_out() -> Never:
    """Forgets what this tab held, offers to sign in again, and stops the run."""
    st.session_state.clear()
    st.html(
        markup.notice("You are signed out.", "", link=("Sign in again", f"/login{_back()}")),
    )
    _stop()


def _stop() -> Never:
    st.stop()
    # Outside a browser session Streamlit's stop does nothing; the page must end there too.
    raise PermissionError("nobody with the role this page needs is signed in")


def held(principal: Principal) -> str:
    """Returns the person's roles as words."""
    return ", ".join(sorted(principal.roles)) or "no role"


def either(roles: tuple[ConsoleRole, ...]) -> str:
    """Returns the roles as a choice: `reviewer or admin`."""
    *most, last = roles
    return f"{', '.join(most)} or {last}" if most else last


def _back() -> str:
    """Returns the query that leads back to this page after signing in."""
    url = st.context.url
    if not isinstance(url, str):
        return ""
    parsed = urlsplit(url)
    target = f"{parsed.path or '/'}?{parsed.query}" if parsed.query else parsed.path or "/"
    return "" if target == "/" else f"?next={quote(target, safe='')}"
