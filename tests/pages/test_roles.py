"""Every page for every role, and for none."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from store import websessions
from tests.pages.conftest import ROOT, Tabs

PAGES = {
    "ask": {"ana": "Ask your data", "rita": "Ask your data", "adam": "Ask your data"},
    "approvals": {"ana": "My requests", "rita": "Approvals", "adam": "Approvals"},
    "audit": {"adam": "Audit log"},
    "admin": {"adam": "Policy and sources"},
}
WHO = ["ana", "rita", "adam"]


@pytest.mark.parametrize("name", WHO)
@pytest.mark.parametrize("page", list(PAGES))
def test_a_page_opens_for_its_roles_and_for_no_other(page: str, name: str, tabs: Tabs) -> None:
    tab = tabs.of(name)
    title = PAGES[page].get(name)
    if title is None:
        tab.run()
        with pytest.raises(ValueError, match="Could not find a navigation page"):
            tab.open(page)
        return
    assert title in tab.open(page).text()
    assert "This page cannot work now." not in tab.text()


@pytest.mark.parametrize("page", list(PAGES))
def test_nobody_without_a_role_opens_anything(page: str, tabs: Tabs) -> None:
    tab = tabs.of("nobody")
    assert "You have no role yet." in tab.run().text()
    with pytest.raises(ValueError, match="Could not find a navigation page"):
        tab.open(page)


@pytest.mark.parametrize("page", list(PAGES))
def test_a_page_file_run_by_itself_shows_nothing_to_nobody(page: str, tabs: Tabs) -> None:
    tabs.of(None).run()
    alone = AppTest.from_file(ROOT / "pages" / f"{page}.py", default_timeout=60).run()
    assert not alone.exception
    shown = "\n".join(p.proto.body for p in alone.get("html"))
    assert "You are signed out." in shown
    assert not any(title in shown for titles in PAGES.values() for title in titles.values())


@pytest.mark.parametrize(("page", "name"), [("audit", "ana"), ("admin", "rita")])
def test_a_page_file_run_by_itself_names_the_role_it_needs(
    page: str, name: str, tabs: Tabs
) -> None:
    tabs.of(name).run()
    alone = AppTest.from_file(ROOT / "pages" / f"{page}.py", default_timeout=60).run()
    shown = "\n".join(p.proto.body for p in alone.get("html"))
    assert "This page needs the admin role." in shown


@pytest.mark.parametrize("page", list(PAGES))
def test_signing_out_elsewhere_closes_every_page_at_its_next_run(page: str, tabs: Tabs) -> None:
    tab = tabs.of("adam").open(page)
    assert tab.token is not None
    store = tabs.company.store
    with store.write() as conn:
        websessions.revoke(conn, tab.token, now=store.now())
    assert "You are signed out." in tab.run().text()
    assert PAGES[page]["adam"] not in tab.text()


@pytest.mark.parametrize("page", list(PAGES))
def test_a_run_in_somebody_elses_tab_finds_nothing_of_theirs(page: str, tabs: Tabs) -> None:
    """A part of a page may run before the shell does, which empties such a tab."""
    tabs.of("adam").run()
    alone = AppTest.from_file(ROOT / "pages" / f"{page}.py", default_timeout=60)
    alone.session_state["owner"] = tabs.company.person("ana").id
    alone.session_state["reveal_open"] = "hers"
    alone.run()
    assert not alone.exception
    assert "reveal_open" not in alone.session_state
    assert alone.session_state["owner"] == tabs.company.person("adam").id
