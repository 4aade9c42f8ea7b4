"""Revealing on the ask page: the form, the values once, and nothing of them afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from store import steps
from tests.company import EMAIL, POLICY, SURNAME, Company, make_company
from tests.pages.conftest import Tab, Tabs
from ui import identity, session
from ui.asking import reveal

_POLICY = POLICY.replace(
    "[roles.germans]\n",
    '[roles.support]\nmembers = ["ana"]\nreveal = ["EMAIL_ADDRESS"]\n[roles.germans]\n',
)
SQL = "SELECT id, email, last_name FROM customers ORDER BY id"


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    """Ana may reveal addresses; rita may reveal nothing."""
    opened = make_company(tmp_path / "home", _POLICY)
    yield opened
    opened.close()


@pytest.fixture
def tabs(company: Company, monkeypatch: pytest.MonkeyPatch) -> Tabs:
    """Tabs onto that company."""
    monkeypatch.setattr(session, "home", lambda: company.home)
    monkeypatch.setattr(session, "store", lambda: company.store)
    monkeypatch.setattr(session, "audit_log", lambda: company.log)
    monkeypatch.setattr(session, "parts", lambda: company.parts)
    monkeypatch.setattr(identity, "cookie_token", identity.cookie_token)
    return Tabs(company)


def asked(tabs: Tabs, name: str = "ana") -> tuple[Tab, str]:
    """A tab with masked rows and the form open, and the beginning of its widgets' keys."""
    tab = tabs.of(name).open("ask").run_sql(SQL)
    with tabs.company.store.read() as conn:
        [turn] = _turns(tabs.company, conn)
        [step] = steps.list_of(conn, turn)
    key = f"reveal_{turn}_{step.call_id}"
    tab.app.button(key=f"{key}_open").click()
    return tab.run(), key


def _turns(company: Company, conn: object) -> list[str]:
    from store import conversations, turns

    own = conversations.list_own(conn, company.person("ana").id, limit=5)  # type: ignore[arg-type]
    own = own or conversations.list_own(conn, company.person("rita").id, limit=5)  # type: ignore[arg-type]
    return [t.id for t in turns.list_of(conn, own[0].id)]  # type: ignore[arg-type]


def send(tab: Tab, key: str, *, rows: str = "1", reason: str = "Call about ticket 4711") -> Tab:
    tab.app.text_input(key=f"{key}_rows").set_value(rows)
    tab.app.text_input(key=f"{key}_reason").set_value(reason)
    [button] = [b for b in tab.app.button if b.label == "Reveal"]
    button.click()
    return tab.run()


def test_the_value_is_on_the_page_of_one_run_only(tabs: Tabs) -> None:
    tab, key = asked(tabs)
    assert EMAIL not in tab.everything()
    send(tab, key)
    assert EMAIL in tab.html()
    assert "Revealed to you: customers.email. Recorded as event #" in tab.text()
    assert SURNAME not in tab.everything()
    assert EMAIL not in repr(tab.app.session_state)
    tab.run()
    assert EMAIL not in tab.everything()
    for path in tabs.company.home.rglob("*"):
        if path.is_file() and path.name != "shop.sqlite":
            assert EMAIL.encode() not in path.read_bytes(), path


def test_the_page_takes_it_away_by_itself(tabs: Tabs, monkeypatch: pytest.MonkeyPatch) -> None:
    tab, key = asked(tabs)
    monkeypatch.setattr(reveal, "SHOWN_SECONDS", 0)  # the time is over as soon as it is drawn
    send(tab, key)
    assert EMAIL not in tab.everything()
    assert "data.revealed" in tabs.company.events()


def test_without_a_reason_nothing_is_shown(tabs: Tabs) -> None:
    tab, key = asked(tabs)
    send(tab, key, reason="test")
    assert "Nothing was revealed." in tab.text()
    assert "why you need the values" in tab.text()
    assert EMAIL not in tab.everything()


def test_rows_that_are_not_there_reveal_nothing(tabs: Tabs) -> None:
    tab, key = asked(tabs)
    send(tab, key, rows="2-9")
    assert "Choose at least one column, and rows as in 1, 4-6." in tab.text()
    assert "data.revealed" not in tabs.company.events()


@pytest.mark.parametrize("written", ["0", "4", "2-9", "x", "", "1;2", "3-1", "1," * 200])
def test_what_names_no_rows_is_refused(written: str) -> None:
    assert reveal.numbered(written, 3) is None


def test_only_columns_that_may_be_revealed_are_offered(tabs: Tabs) -> None:
    tab, key = asked(tabs)
    assert tab.app.multiselect(key=f"{key}_columns").options == ["email"]


def test_whoever_may_reveal_nothing_is_told_so(tabs: Tabs) -> None:
    tab, _ = asked(tabs, "rita")
    assert "Your roles may reveal none of these columns." in tab.text()
    assert not [b for b in tab.app.button if b.label == "Reveal"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [("1", (0,)), ("3, 1-2", (0, 1, 2)), ("2 - 3", (1, 2)), ("1,1", (0,))],
)
def test_rows_are_named_by_their_numbers(written: str, meant: tuple[int, ...]) -> None:
    assert reveal.numbered(written, 3) == meant
