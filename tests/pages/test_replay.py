"""A session is stepped through in order; each step has a link, and its state in the log."""

from __future__ import annotations

import sqlite3

import pytest

from audit import EVENT_TYPES
from tests.pages.conftest import EVIL, Tab, Tabs
from tests.pages.test_audit import opened, parameters
from ui.auditing import stages


def session_of(tabs: Tabs) -> str:
    """Ana asks, is denied, and proposes a change that Rita approves and applies."""
    tab = tabs.of("ana").open("ask").ask("How many orders are there?")
    tab.run_sql("SELECT last_name FROM customers WHERE country = 'Spain'")
    tab.run_sql("SELECT * FROM salaries")
    company = tabs.company
    conversation = parameters(tab)["c"]
    proposed = company.parts.gate.propose(
        "UPDATE orders SET status = 'shipped' WHERE id = 2",
        source="shop",
        caller=company.caller("ana", session=conversation),
        reason="It left today",
    ).change
    rita = company.caller("rita")
    view = company.parts.review.inbox.view(proposed, rita)
    company.parts.review.approve(
        proposed, rita, fingerprint=view.fingerprint or "", version=view.version
    )
    company.parts.review.apply(proposed, rita)
    return conversation


def replayed(tabs: Tabs, session: str, step: int | str = "") -> Tab:
    return opened(tabs, replay=session, **({"step": str(step)} if step else {}))


def test_every_event_type_has_a_stage() -> None:
    assert set(stages.STAGES) == EVENT_TYPES


def test_a_session_is_replayed_in_order(tabs: Tabs) -> None:
    session = session_of(tabs)
    tab = replayed(tabs, session)
    company = tabs.company
    wanted = [r for r in company.log.tail(1_000) if r.event.session == session]
    seen: list[str] = []
    texts: list[str] = []
    while True:
        seen.append(parameters(tab).get("step", str(wanted[0].seq)))
        texts.append(tab.text())
        if tab.app.button(key="next").disabled:
            break
        tab.press("next")
    assert seen == [str(record.seq) for record in wanted]
    assert len(seen) >= 15
    whole = "\n".join(texts)
    for said in (
        "How many orders are there?",
        "SELECT last_name FROM customers WHERE country = ?",
        "Allowed by rule read.select, policy version 1",
        "Denied by rule table.not_allowed",
        "salaries is not a table you can read in shop.",
        "1 rows, ",
        "1 PERSON",
        "It left today",
        "Approved by Rita Jones",
        "Fingerprint of the rows that were seen",
        "1 changed",
        "rows at most",
    ):
        assert said in whole, said
    assert "Spain" not in "\n".join(t for t in texts if "last_name" in t)
    order: list[str] = [record.event.type for record in wanted]
    for before, after in (
        ("request.received", "policy.decided"),
        ("policy.decided", "query.intent"),
        ("query.intent", "query.executed"),
        ("query.executed", "answer.returned"),
        ("approval.requested", "approval.decided"),
    ):
        assert order.index(before) < order.index(after)


def test_previous_and_next_stop_at_the_ends(tabs: Tabs) -> None:
    tab = replayed(tabs, session_of(tabs))
    assert tab.app.button(key="previous").disabled
    tab.press("next")
    assert not tab.app.button(key="previous").disabled
    assert any("Step 2 of" in line for line in tab.text().splitlines())
    tab.press("previous")
    assert tab.app.button(key="previous").disabled


def test_a_step_has_a_link_and_its_place_in_the_log(tabs: Tabs) -> None:
    session = session_of(tabs)
    [record] = [
        r for r in tabs.company.log.tail(1_000) if "Denied: table.not_allowed" in r.event.summary
    ]
    tab = opened(tabs, verdict="Denied", table="salaries").press("replay")
    assert parameters(tab) == {"replay": session, "step": str(record.seq)}
    tab = replayed(tabs, session, record.seq)
    assert "Denied by rule table.not_allowed" in tab.text()
    assert any(c.value.endswith(f"/audit?replay={session}&step={record.seq}") for c in tab.app.code)
    codes = [c.value for c in tab.app.code]
    assert codes[-3:] == [record.hash, record.prev, record.line]
    assert "includes it. Anchored outside the log with the file of checkpoints" in tab.text()
    tab.press(f"prove_{record.seq}")
    assert any(c.value.startswith("c2sp.org/tlog-proof@v1") for c in tab.app.code)


def test_the_way_back_leads_to_the_filter_one_came_from(tabs: Tabs) -> None:
    session = session_of(tabs)
    tab = opened(tabs, verdict="Denied", session=session)
    tab.press("replay_all")
    assert "Step 1 of" in tab.text()
    assert "is not of this session" not in tab.text()
    tab.press("replay_back")
    assert parameters(tab) == {"verdict": "Denied", "session": session}
    assert set(tab.frames()[0]["Verdict"]) == {"Denied"}
    assert "One session only." in tab.text()


def test_a_step_of_another_session_is_not_shown_as_one_of_this(tabs: Tabs) -> None:
    session = session_of(tabs)
    for step in ("1", "999999", "-1", "two", "1" * 40):
        tab = replayed(tabs, session, step)
        assert "is not of this session, so the first step is shown." in tab.text()
        assert "Step 1 of" in tab.text()


@pytest.mark.parametrize("session", ["nothing", "' OR 1=1 --", "x" * 500])
def test_a_session_that_is_not_there_says_so(session: str, tabs: Tabs) -> None:
    assert "There is no such session in the log." in replayed(tabs, session).text()


def test_what_happened_outside_a_conversation_is_replayed_by_its_command(tabs: Tabs) -> None:
    company = tabs.company
    caller = company.caller("ana", "command_line")
    company.parts.gate.query("SELECT count(*) FROM orders", source="shop", caller=caller, why="")
    tab = replayed(tabs, caller.request)
    assert "Step 1 of 3" in tab.text()
    assert "Ana Lopez" in tab.text()


def test_a_replay_is_recorded_once_a_visit(tabs: Tabs) -> None:
    session = session_of(tabs)
    tab = replayed(tabs, session)
    for _ in range(3):
        tab.press("next")
    kinds = tabs.company.events()
    assert (kinds.count("audit.viewed"), kinds.count("audit.searched")) == (1, 1)


def test_an_event_that_was_changed_is_said_to_be(tabs: Tabs) -> None:
    session = session_of(tabs)
    log = tabs.company.log
    seq = next(r.seq for r in log.tail(1_000) if r.event.session == session)
    with sqlite3.connect(log.database) as db:
        for (name,) in db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            db.execute(f"DROP TRIGGER {name}")
        db.execute("UPDATE audit_event SET record = replace(record, 'orders', 'ordars')")
    db.close()
    tab = replayed(tabs, session, seq)
    assert "This event was changed." in tab.text()
    assert "includes it" not in tab.text()


def test_hostile_text_is_drawn_as_text(tabs: Tabs) -> None:
    tab = tabs.of("ana").open("ask")
    tab.ask(" ".join(EVIL))
    session = parameters(tab)["c"]
    tab = replayed(tabs, session)
    assert "<script" not in tab.html()
    assert "<img" not in tab.html()
    assert not tab.app.markdown
    assert not any("![x](" in b.label for b in tab.app.button)


def test_an_analyst_cannot_replay(tabs: Tabs) -> None:
    session = session_of(tabs)
    tab = tabs.of("ana")
    with pytest.raises(ValueError, match="Could not find a navigation page"):
        tab.open("audit", replay=session)
