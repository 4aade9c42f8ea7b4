"""The admin's page of what words mean: ticked, edited, refused with a sentence, taken back."""

from __future__ import annotations

import pytest

from tests.pages.conftest import Tab, Tabs

PROPOSED = """
confirmed = false
[tables]
orders = { synonyms = ["purchase"], date = "order_date" }
[metrics.turnover]
by = [{ table = "orders", of = "orders.total" }]
"""


@pytest.fixture
def tab(tabs: Tabs) -> Tab:
    (tabs.company.home / "shop.semantics.toml").write_text(PROPOSED, encoding="utf-8")
    return tabs.of("adam").open("admin", tab="Meaning")


def key(tab: Tab, begins: str) -> str:
    """The key of the one button whose key begins like that; the rest says what it confirms."""
    [found] = [b.key for b in tab.app.button if b.key and b.key.startswith(begins)]
    return str(found)


def test_the_ticked_proposals_come_into_force(tab: Tab) -> None:
    assert "In force: nothing." in tab.text()
    assert [b.value for b in tab.app.checkbox] == [True, True]
    tab.app.checkbox[0].uncheck()
    tab.run()
    assert "Confirm 1 proposal" in tab.buttons()
    tab.press(key(tab, "confirm_chosen"))
    assert "is in force from the next question." in tab.text()
    assert "confirmed by Adam Kent" in tab.text()
    assert len(tab.app.checkbox) == 1
    assert tab.company.ask("how many purchases are there?")[1].status == "answered"
    assert tab.company.ask("total turnover")[1].status == "refused"


def test_the_text_is_checked_with_sentences_and_kept_while_it_is_wrong(tab: Tab) -> None:
    area = next(a for a in tab.app.text_area if a.label == "The whole layer")
    area.set_value("[tables]\norders = { date = 'day' }\n")
    tab.run()
    assert tab.app.button(key=key(tab, "confirm_text")).disabled
    assert "There is no column orders.day in this source." in tab.text()
    area = next(a for a in tab.app.text_area if a.label == "The whole layer")
    assert "day" in area.value
    area.set_value("[phrases]\nsold = 'orders'\n")
    tab.run()
    tab.press(key(tab, "confirm_text"))
    assert "Version 1 is in force" in tab.text()


def test_an_older_version_is_put_into_force_again(tab: Tab) -> None:
    tab.press(key(tab, "confirm_chosen"))
    area = next(a for a in tab.app.text_area if a.label == "The whole layer")
    area.set_value("[phrases]\nsold = 'orders'\n")
    tab.press(key(tab, "confirm_text"))
    assert tab.company.ask("total turnover")[1].status == "refused"
    tab.press("meaning_back")
    assert "Version 3 is in force." in tab.text()
    assert tab.company.ask("total turnover")[1].status == "answered"


def test_a_broken_file_is_said_and_the_page_goes_on(tab: Tab) -> None:
    (tab.company.home / "shop.semantics.toml").write_text("tables = [", encoding="utf-8")
    tab.run()
    assert "The file cannot be used." in tab.text()
    assert "Confirm this text" in tab.buttons()


def test_names_of_a_hostile_layer_are_drawn_as_text(tab: Tab) -> None:
    evil = "![x](http://127.0.0.1:9/leak) :green-badge[Approved] <script>alert(1)</script>"
    file = tab.company.home / "shop.semantics.toml"
    file.write_text(f"confirmed = false\n[phrases]\n'{evil}' = 'orders'\n", encoding="utf-8")
    tab.run()
    label = tab.app.checkbox[0].label
    assert "\\!\\[x\\]" in label
    assert ":green-badge[" not in label
    assert "<script>" not in label


@pytest.mark.parametrize("button", ["confirm_chosen", "confirm_text"])
def test_a_click_confirms_what_was_on_the_page_or_nothing(tab: Tab, button: str) -> None:
    """The file is another one by the time the click arrives."""
    tab.app.button(key=key(tab, button)).click()
    file = tab.company.home / "shop.semantics.toml"
    file.write_text(PROPOSED.replace("orders.total", "orders.id"), encoding="utf-8")
    tab.run()
    assert "In force: nothing." in tab.text()
    assert any("orders\\.id" in b.label for b in tab.app.checkbox)
    tab.press(key(tab, button))
    assert "is in force from the next question." in tab.text()
