"""A notice that never arrived is not silent: an admin sees it, and can send it again."""

from __future__ import annotations

from store import outbox
from tests.company import Company
from tests.pages.conftest import EVIL, Tabs


def lost(company: Company, error: str = "It answered 500.", target: str = "team") -> int:
    """A notice about request 7 that was given up."""
    store = company.store
    with store.write() as conn:
        now = store.now()
        outbox.add(conn, target=target, change=7, event="new", fields_json="{}", now=now)
        found = outbox.claim(conn, owner=store.instance, now=now, until=now)
        outbox.failed(conn, found[-1].id, owner=store.instance, error=error, now=now, again_at=None)
    return found[-1].id


def test_an_admin_sees_what_did_not_arrive_and_why(tabs: Tabs) -> None:
    assert "did not arrive" not in tabs.of("adam").open("admin").text()
    lost(tabs.company)
    lost(tabs.company, target="hook", error=EVIL[1])
    tab = tabs.of("adam").open("admin", tab="People")
    assert "2 notices did not arrive at hook and team." in tab.text()
    assert "To team: request #7 is new (just now, 1 attempt)" in tab.text()
    assert "It answered 500." in tab.text()
    assert EVIL[1] in tab.text()
    assert "<script" not in tab.html()


def test_what_did_not_arrive_is_sent_again_once_the_target_is_mended(tabs: Tabs) -> None:
    company = tabs.company
    notice = lost(company)
    tab = tabs.of("adam").open("admin")
    tab.press(f"again_{notice}")
    assert "did not arrive" not in tab.text()
    with company.store.read() as conn:
        assert outbox.is_due(conn, now=company.store.now())
        [kept] = outbox.list_all(conn)
    assert kept.state == "waiting"
