"""Who is signed in. Read again from the cookie and the store on every run of every page."""

from __future__ import annotations

from typing import Never
from urllib.parse import quote, urlsplit

import streamlit as st

from guard.principal import ConsoleRole, Principal
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

    The first line of every page.
    """
    principal = current()
    if principal is None:
        signed_out()
        _stop()
    if not _owns(principal):
        forget_others(principal)
        st.rerun()
    if not principal.roles & set(roles):
        wrong_role(principal, *roles)
        _stop()
    return principal


def still(*roles: ConsoleRole) -> Principal:
    """Returns what `require` does, for a fragment; otherwise the whole page is drawn anew.

    The first line of every fragment that shows or does something. It says nothing itself: where its
    place on the page is gone meanwhile, what it draws leaves the browser with an empty page. A
    fragment that was drawn for somebody else ends here: a tab's id is enough to go on with it.
    """
    principal = current()
    if principal is None or not _owns(principal) or not principal.roles & set(roles):
        st.rerun()
        raise _gone()
    return principal


def _owns(principal: Principal) -> bool:
    return bool(st.session_state.get(_OWNER, principal.id) == principal.id)


def forget_others(principal: Principal) -> None:
    """Empties the tab's state if it was another person's, and notes whose it is."""
    if st.session_state.get(_OWNER) != principal.id:
        st.session_state.clear()
        st.session_state[_OWNER] = principal.id


def wrong_role(principal: Principal, *roles: ConsoleRole) -> None:
    """Says which role the page needs and who is signed in."""
    st.html(
        markup.notice(
            f"This page needs the {either(roles)} role.",
            f"You are signed in as {principal.display_name} ({held(principal)}).",
        )
    )


def signed_out() -> None:
    """Forgets what this tab held, and offers to sign in again.

    As a page of its own it ends like any other: a run that is stopped leaves the timers of the page
    before it alive.
    """
    st.session_state.clear()
    st.html(
        markup.notice("You are signed out.", "", link=("Sign in again", f"/login{_back()}")),
    )


def _stop() -> Never:
    st.stop()
    raise _gone()


def _gone() -> PermissionError:
    """Outside a browser session Streamlit neither stops nor reruns; the page must end there too."""
    return PermissionError("nobody with the role this page needs is signed in")


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
