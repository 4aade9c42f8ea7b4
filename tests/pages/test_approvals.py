"""Deciding: from the exact rows, by somebody else, on what was on the screen."""

from __future__ import annotations

import sqlite3

import pytest

from store import changes
from store.changes import Preview
from tests.company import EMAIL, SURNAME, Company
from tests.pages.conftest import EVIL, Tab, Tabs

UPDATE = "UPDATE orders SET status = 'cancelled' WHERE id = 2"


def propose(company: Company, sql: str = UPDATE, name: str = "ana", reason: str = "Called") -> int:
    made = company.parts.gate.propose(
        sql, source="shop", caller=company.caller(name, "sql"), reason=reason
    )
    return made.change


def state(company: Company, change: int) -> str:
    with company.store.read() as conn:
        return changes.get(conn, change).state


def keys(tab: Tab) -> set[str]:
    return {b.key or "" for b in tab.app.button}


def approve(tab: Tab, change: int) -> Tab:
    return tab.press(f"approve_{change}").press("confirm")


def test_a_request_shows_what_who_when_where_and_how_much(tabs: Tabs) -> None:
    change = propose(tabs.company)
    tab = tabs.of("rita").open("approvals")
    said = tab.text()
    assert f"#{change} · asked by Ana Lopez just now · table orders" in said
    assert "source Corner shop, production" in said
    metrics = {m.label: m.value for m in tab.app.metric}
    assert metrics == {"Changed": "1", "Added": "0", "Removed": "0", "Row cap": "1 of 10,000"}
    assert [t.label for t in tab.app.tabs] == ["Rows and statement", "Checks", "Conversation"]
    assert UPDATE in [c.value for c in tab.app.code]
    assert "<mark>pending</mark>" in tab.html() or "pending" in said
    assert "Waiting 1" in [o.content for o in tab.app.get("button_group")[0].proto.options]


def test_approving_repeats_the_counts_and_applies_what_was_shown(tabs: Tabs) -> None:
    company = tabs.company
    change = propose(company)
    tab = tabs.of("rita").open("approvals")
    tab.press(f"approve_{change}")
    assert state(company, change) == "pending"
    assert "Corner shop, production. 1 row in orders would be changed." in tab.text()
    tab.press("confirm")
    assert state(company, change) == "executed"
    assert company.query("SELECT status FROM orders WHERE id = 2") == [("cancelled",)]
    said = tab.text()
    assert "Applied. 1 row in orders was changed." in said
    assert "Approved by Rita Jones" in said


def test_cancelling_the_question_approves_nothing(tabs: Tabs) -> None:
    change = propose(tabs.company)
    tabs.of("rita").open("approvals").press(f"approve_{change}").press("cancel")
    assert state(tabs.company, change) == "pending"


def test_promise_06_a_click_approves_what_was_drawn_not_what_is_there_now(tabs: Tabs) -> None:
    company = tabs.company
    change = propose(company)
    tab = tabs.of("rita").open("approvals")
    with company.store.write() as conn:
        now = company.store.now()
        stored = changes.get(conn, change)
        changes.move(conn, change, "pending", "drifted", now=now)
        changes.move(conn, change, "drifted", "previewing", now=now)
        other = Preview(
            summary_json=stored.summary_json or "",
            preview_json=stored.preview_json or "",
            fingerprint="0" * 64,
            undo_kind="exact",
        )
        changes.record_preview(conn, change, other, now=now)
        changes.move(conn, change, "previewing", "pending", now=now)
    approve(tab, change)
    assert "The request has changed since it was shown. Look at it again." in tab.text()
    assert state(company, change) == "pending"
    assert company.query("SELECT status FROM orders WHERE id = 2") == [("pending",)]


def test_rows_that_changed_before_it_is_applied_come_back_with_both_versions(tabs: Tabs) -> None:
    company = tabs.company
    change = propose(company)
    tab = tabs.of("rita").open("approvals")
    with sqlite3.connect(company.database) as db:
        db.execute("UPDATE orders SET total = 99 WHERE id = 2")
    db.close()
    approve(tab, change)
    said = tab.text()
    assert "The rows have changed since this was reviewed." in said
    assert "Reviewed before" in said
    assert "What differs in orders: total." in said
    beside = [one for one in tab.html().split("<table")[1:] if "gh-number gh-differs" in one]
    assert len(beside) == 2
    for one in beside:
        assert one.index(">id<") < one.index(">total<") < one.index(">status<")
    assert "Exactly this text runs, or nothing." in said
    assert state(company, change) == "pending"
    assert company.query("SELECT status FROM orders WHERE id = 2") == [("pending",)]
    approve(tab, change)
    assert state(company, change) == "executed"
    said = tab.text()
    assert "The rows have changed since" not in said
    assert "Exactly this text runs" not in said


def test_of_rows_that_changed_those_that_differ_now_come_first(tabs: Tabs) -> None:
    company = tabs.company
    change = propose(company, "UPDATE orders SET status = 'lost', total = total + 1 WHERE id < 4")
    tab = tabs.of("rita").open("approvals")
    with sqlite3.connect(company.database) as db:
        db.execute("UPDATE orders SET total = 99 WHERE id = 2")
        db.execute("DELETE FROM orders WHERE id = 3")
    db.close()
    approve(tab, change)
    _, reviewed, now, everything = tab.html().split("<caption>orders</caption>")[-4:]
    assert reviewed.count("<tr>") == 1 + 2
    assert now.count("<tr>") == 1 + 1
    assert everything.count("<tr>") == 1 + 2
    assert "1 other row is as reviewed." in tab.text()


@pytest.mark.parametrize("author", ["ana", "rita", "adam"])
def test_promise_06_the_author_is_told_to_wait_and_can_only_withdraw(
    author: str, tabs: Tabs
) -> None:
    change = propose(tabs.company, name=author)
    tab = tabs.of(author).open("approvals", change=str(change))
    assert "You asked for this change, so someone else must review it." in tab.text()
    assert f"approve_{change}" not in keys(tab)
    assert f"reject_{change}" not in keys(tab)
    tab.press(f"withdraw_{change}")
    assert state(tabs.company, change) == "withdrawn"
    assert "Withdrawn." in tab.text()


def test_rejecting_needs_a_reason_that_the_author_reads(tabs: Tabs) -> None:
    change = propose(tabs.company)
    tab = tabs.of("rita").open("approvals").press(f"reject_{change}")
    assert "Say why you reject it; the author reads that." in tab.text()
    assert state(tabs.company, change) == "pending"
    tab.app.text_input(key=f"comment_{change}").set_value("Ask the customer first")
    tab.press(f"reject_{change}")
    assert state(tabs.company, change) == "rejected"
    own = tabs.of("ana").open("approvals", change=str(change))
    assert "Rejected by Rita Jones: Ask the customer first" in own.text()


def test_somebody_who_only_asks_sees_their_own_requests_only(tabs: Tabs) -> None:
    company = tabs.company
    theirs = propose(company, name="rita", reason="Not yours to see")
    mine = propose(company, "UPDATE orders SET status = 'shipped' WHERE id = 3")
    tab = tabs.of("ana").open("approvals")
    assert "My requests" in tab.text()
    assert {k for k in keys(tab) if k.startswith("open_")} == {f"open_{mine}"}
    assert "Not yours to see" not in tab.everything()
    linked = tabs.of("ana").open("approvals", change=str(theirs))
    assert f"There is no change request #{theirs} that you can see." in linked.text()
    assert "Not yours to see" not in linked.everything()
    nothing = tabs.of("ana").open("approvals", change="999")
    assert "There is no change request #999 that you can see." in nothing.text()
    assert nothing.buttons() == linked.buttons()


def test_an_undo_is_a_request_of_its_own_that_a_second_person_decides(tabs: Tabs) -> None:
    company = tabs.company
    before = company.content()
    change = propose(company)
    rita = approve(tabs.of("rita").open("approvals"), change)
    rita.press(f"undo_{change}")
    assert "Say why it should be taken back" in rita.text()
    rita.app.text_input(key=f"undo_reason_{change}").set_value("The customer changed their mind")
    rita.press(f"undo_{change}")
    undo = change + 1
    assert "You asked for this change, so someone else must review it." in rita.text()
    assert f"#{undo} · undoes #{change}" in rita.text()
    approve(tabs.of("rob").open("approvals"), undo)
    assert company.content() == before
    assert (state(company, change), state(company, undo)) == ("undone", "executed")


def test_the_filter_shows_what_it_names_and_counts_what_waits(tabs: Tabs) -> None:
    company = tabs.company
    done, waiting = propose(company), propose(company, reason="Later")
    approve(tabs.of("rita").open("approvals", change=str(done)), done)
    tab = tabs.of("rita").open("approvals")
    for name, expected in (
        ("Waiting", {waiting}),
        ("Applied", {done}),
        ("Rejected", set()),
        ("All", {done, waiting}),
    ):
        tab.app.get("button_group")[0].set_value(name)
        tab.run()
        cards = {k for k in keys(tab) if k.startswith("open_")}
        assert cards == {f"open_{n}" for n in expected}, name
    tab.app.get("button_group")[0].set_value("Rejected")
    assert "Nothing has been rejected." in tab.run().text()


def test_an_empty_inbox_says_so(tabs: Tabs) -> None:
    assert "Nothing is waiting for review." in tabs.of("rita").open("approvals").text()


def test_rows_are_masked_by_the_reviewers_own_rights(tabs: Tabs) -> None:
    change = propose(tabs.company, "UPDATE customers SET country = 'France' WHERE id = 1")
    tab = tabs.of("rita").open("approvals", change=str(change))
    assert "Spain" in tab.text()
    assert "France" in tab.text()
    sent = tab.everything()
    assert SURNAME not in sent
    assert EMAIL not in sent
    assert 'title="Masked by policy"' in tab.html()


def test_what_was_typed_in_the_conversation_is_redacted_for_the_reviewer(tabs: Tabs) -> None:
    company = tabs.company
    asking = tabs.of("ana").open("ask").ask(f"who is {EMAIL}?")
    asking.ask("set the status of order 2 to cancelled")
    [card] = company.parts.review.inbox.cards(company.caller("rita"))
    tab = tabs.of("rita").open("approvals", change=str(card.id))
    assert "set the status of order 2 to cancelled" in tab.text()
    assert "who is" in tab.text()
    assert EMAIL not in tab.everything()


def test_comments_are_kept_and_decide_nothing(tabs: Tabs) -> None:
    change = propose(tabs.company)
    tab = tabs.of("rita").open("approvals", change=str(change))
    said = next(t for t in tab.app.text_input if t.label == "Say something about it")
    said.set_value("Is this the right order?")
    next(b for b in tab.app.button if b.label == "Add comment").click()
    assert "Is this the right order?" in tab.run().text()
    assert state(tabs.company, change) == "pending"
    assert "Is this the right order?" in tabs.of("ana").open("approvals").text()


def test_hostile_reasons_and_values_are_drawn_as_text(tabs: Tabs) -> None:
    evil = " ".join(EVIL)
    change = propose(tabs.company, "DELETE FROM customers WHERE id >= 100", reason=evil)
    tab = tabs.of("rita").open("approvals", change=str(change))
    for value in EVIL:
        assert value in tab.text()
    assert "<script" not in tab.html()
    assert "<img" not in tab.html()
    assert not tab.app.markdown
    for button in tab.app.button:
        assert EVIL[0] not in button.label
        assert EVIL[2] not in button.label


def test_an_overdue_request_is_shown_as_expired(
    tabs: Tabs, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datetime as dt

    company = tabs.company
    change = propose(company)
    later = company.store.now() + dt.timedelta(hours=25)
    tab = tabs.of("rita")
    monkeypatch.setattr(company.store, "now", lambda: later)
    monkeypatch.setattr("store.websessions.LIFETIME", dt.timedelta(days=9))
    tab = tabs.of("rita").open("approvals", change=str(change))
    assert "Expired. Nobody decided on it in time" in tab.text()
    assert state(company, change) == "expired"
    assert f"approve_{change}" not in keys(tab)
