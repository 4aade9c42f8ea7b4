"""The shell around every page: who is signed in, where one can go, and signing out.

Run by Streamlit on every click. This folder has no `pages/` beside it, so Streamlit's own page
discovery, which would show pages without a sign-in, never starts; page files are registered by
path.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import streamlit as st  # noqa: E402  # after the path is set

from guard.principal import ConsoleRole, Principal  # noqa: E402  # after the path is set
from store import access, candidates, changes  # noqa: E402  # after the path is set
from ui import brand, identity, markup, session, visits  # noqa: E402  # after the path is set

PAGES = ROOT / "pages"
WATCH_SECONDS = 1.0
_ADDRESSES = ("ask", "approvals", "audit", "admin")


@dataclass(frozen=True, kw_only=True)
class Screen:
    """One page file and who may open it."""

    section: str
    file: str
    url_path: str
    title: str
    icon: str
    roles: tuple[ConsoleRole, ...]
    default: bool = False


def screens(principal: Principal) -> tuple[Screen, ...]:
    """Returns every screen, titled for this person."""
    return (
        Screen(
            section="Work",
            file="ask.py",
            url_path="ask",
            title="Ask",
            icon=":material/forum:",
            roles=("analyst", "reviewer", "admin"),
            default=True,
        ),
        Screen(
            section="Work",
            file="approvals.py",
            url_path="approvals",
            title=_approvals_title(principal),
            icon=":material/rule:",
            roles=("analyst", "reviewer", "admin"),
        ),
        Screen(
            section="Admin",
            file="audit.py",
            url_path="audit",
            title="Audit log",
            icon=":material/receipt_long:",
            roles=("admin",),
        ),
        Screen(
            section="Admin",
            file="admin.py",
            url_path="admin",
            title=_admin_title(principal),
            icon=":material/tune:",
            roles=("admin",),
        ),
    )


def main() -> None:
    """Draws the shell and runs the page the address names, if this person may open it."""
    st.set_page_config(page_title=brand.NAME, page_icon=brand.MARK, layout="wide")
    st.logo(brand.wordmark(_theme()), size="large")
    principal = identity.current()
    if principal is None:
        st.navigation(_everywhere(identity.signed_out, "Signed out"), position="hidden").run()
        return
    identity.forget_others(principal)
    page = st.navigation(_navigation(principal))
    visits.arrive(page.url_path)
    with st.sidebar:
        st.html(markup.person(principal.display_name, principal.roles, _theme()))
        _watch(principal, _theme(), _approvals_title(principal))
    page.run()


def _everywhere(say: Callable[[], None], title: str) -> list[st.Page]:
    """Returns a page that says the same at every address, so that the browser stays where it was.

    What a timer asked for at an address that the browser was sent away from empties its page.
    """
    first, *others = _ADDRESSES
    return [
        st.Page(say, title=title, url_path=first, default=True),
        *(st.Page(say, title=title, url_path=path, visibility="hidden") for path in others),
    ]


def _navigation(principal: Principal) -> dict[str, list[st.Page]]:
    """Returns the pages this person may open, and in place of each other one a sentence saying why.

    The files of pages out of reach are not registered at all; a link to one finds the sentence.
    """
    if not principal.roles:
        return {"": _everywhere(_no_role(principal), "No role")}
    pages: dict[str, list[st.Page]] = {}
    for screen in screens(principal):
        allowed = bool(principal.roles & set(screen.roles))
        pages.setdefault(screen.section if allowed else "", []).append(
            st.Page(
                PAGES / screen.file if allowed else _refusal(principal, screen),
                title=screen.title,
                icon=screen.icon,
                url_path=screen.url_path,
                default=screen.default,
                visibility="visible" if allowed else "hidden",
            )
        )
    return pages


def _refusal(principal: Principal, screen: Screen) -> Callable[[], None]:
    def refuse() -> None:
        identity.wrong_role(principal, *screen.roles)

    return refuse


def _no_role(principal: Principal) -> Callable[[], None]:
    def explain() -> None:
        st.html(
            markup.notice(
                "You have no role yet.",
                f"You are signed in as {principal.display_name}. Ask an admin for a role, then "
                "load this page again.",
            )
        )

    return explain


def _approvals_title(principal: Principal) -> str:
    if not principal.roles & {"reviewer", "admin"}:
        return "My requests"
    with session.store().read() as conn:
        waiting = changes.count_to_review(conn, principal.id)
    return f"Approvals ({waiting})" if waiting else "Approvals"


def _admin_title(principal: Principal) -> str:
    if "admin" not in principal.roles:
        return "Policy and sources"
    store = session.store()
    with store.read() as conn:
        waiting = access.count_waiting(conn, principal.id, now=store.now())
        waiting += candidates.count_waiting(conn, principal.id)
    return f"Policy and sources ({waiting})" if waiting else "Policy and sources"


def _theme() -> markup.Theme:
    return "dark" if st.context.theme.type == "dark" else "light"


@st.fragment(run_every=WATCH_SECONDS)
def _watch(drawn_for: Principal, drawn_in: markup.Theme, counted: str) -> None:
    """Draws everything anew when the person has signed out elsewhere or has other roles now.

    And when the reader has changed the theme, which our own HTML does not follow by itself, or when
    another number of requests waits than the navigation says.
    """
    if identity.current() != drawn_for or _theme() != drawn_in:
        st.rerun()
    if _approvals_title(drawn_for) != counted:
        st.rerun()


if __name__ == "__main__":
    main()
