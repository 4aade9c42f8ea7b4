"""Filters with a name: kept, found again by their owner alone, and never with somebody's name."""

from __future__ import annotations

from store import auditfilters
from tests.pages.conftest import Tab, Tabs
from tests.pages.test_audit import opened, parameters, ran, rows
from ui import text

PERSONAL = "somebody.private@mail.example"


def keep(tab: Tab, name: str) -> Tab:
    tab.app.text_input(key="filter_name").set_value(name)
    return tab.press("filter_keep")


def kept(tabs: Tabs, name: str) -> tuple[auditfilters.AuditFilter, ...]:
    with tabs.company.store.read() as conn:
        return auditfilters.list_own(conn, tabs.company.person(name).id)


def test_a_filter_gets_a_name_and_is_found_again_in_another_visit(tabs: Tabs) -> None:
    ran(tabs)
    keep(opened(tabs, who="ana", verdict="Denied"), "  Ana,   refused ")
    [one] = kept(tabs, "adam")
    assert one.name == "Ana, refused"
    assert "ana" not in one.query.split("&")
    later = opened(tabs)
    assert text.label(one.name) in later.buttons()
    assert len(set(rows(later))) > 1
    later.press(f"filter_{one.id}")
    assert parameters(later) == {"who": tabs.company.person("ana").id, "verdict": "Denied"}
    [frame] = later.frames()
    assert set(frame["Verdict"]) == {"Denied"}


def test_the_same_name_again_takes_the_place_and_another_person_sees_none(tabs: Tabs) -> None:
    ran(tabs)
    keep(opened(tabs, verdict="Denied"), "Mine")
    keep(opened(tabs, verdict="Allowed"), "Mine")
    [one] = kept(tabs, "adam")
    assert one.query == "verdict=Allowed"
    with tabs.company.store.write() as conn:
        auditfilters.remove(conn, tabs.company.person("ana").id, one.id)
    assert kept(tabs, "adam") == (one,)
    assert kept(tabs, "ana") == ()
    tab = opened(tabs).press(f"filter_{one.id}_remove")
    assert "Mine" not in tab.buttons()
    assert kept(tabs, "adam") == ()


def test_without_a_name_or_a_filter_nothing_is_kept(tabs: Tabs) -> None:
    tab = opened(tabs)
    assert "Keep this filter" not in tab.buttons()
    tab = keep(opened(tabs, verdict="Denied"), "   ")
    assert "Give it a name" in tab.text()
    assert kept(tabs, "adam") == ()


def test_what_looks_personal_is_not_kept(tabs: Tabs) -> None:
    tab = opened(tabs, verdict="Denied")
    tab.app.text_input(key="find").set_value(PERSONAL)
    keep(tab.run(), "With words")
    [one] = kept(tabs, "adam")
    assert one.query == "verdict=Denied"
    assert "is not kept with it" in tab.text()


def test_a_filter_too_many_is_refused_with_a_sentence(tabs: Tabs, monkeypatch) -> None:
    monkeypatch.setattr(auditfilters, "MOST", 1)
    keep(opened(tabs, verdict="Denied"), "First")
    tab = keep(opened(tabs, verdict="Allowed"), "Second")
    assert "Remove one first." in tab.text()
    assert [one.name for one in kept(tabs, "adam")] == ["First"]
