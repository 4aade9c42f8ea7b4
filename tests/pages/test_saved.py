"""Saved questions on the ask page: kept, offered, verified by another, asked by everybody else."""

from __future__ import annotations

from store import saved
from tests.pages.conftest import EVIL, Tab, Tabs

SQL = "SELECT status, COUNT(*) AS n FROM orders GROUP BY status ORDER BY status"
QUESTION = "Which states do orders go through?"


def keep(tab: Tab, question: str = QUESTION) -> int:
    """Runs a statement, saves it under its answer, and returns the number of the question."""
    tab.run_sql(SQL)
    (field,) = (t for t in tab.app.text_input if (t.key or "").startswith("save_as_"))
    field.set_value(question)
    (button,) = (b for b in tab.app.button if (b.key or "").startswith("save_now_"))
    tab.press(str(button.key))
    assert "Saved." in tab.text()
    with tab.company.store.read() as conn:
        return saved.list_own(conn, tab.company.person("ana").id, "shop")[0].id


def at_saved(tab: Tab) -> Tab:
    tab.app.session_state["mode"] = "Saved"
    return tab.run()


def test_a_question_is_kept_offered_verified_and_asked(tabs: Tabs) -> None:
    ana = tabs.of("ana").open("ask")
    one = keep(ana)
    at_saved(ana).press(f"saved_offer_{one}")
    assert "Waiting to be verified" in ana.text()

    rita = at_saved(tabs.of("rita").open("ask"))
    assert SQL in rita.text()
    rita.press(f"saved_verify_{one}")
    assert "Verified by Rita Jones on" in rita.text()

    gerd = at_saved(tabs.of("gerd").open("ask"))
    assert "Verified by people here:" in gerd.text()
    assert f"saved_delete_{one}" not in {b.key for b in gerd.app.button}
    gerd.press(f"saved_ask_{one}").settled()
    assert "Verified by Rita Jones on" in gerd.text()
    assert gerd.frames()[-1]["status"].tolist() == ["pending"]


def test_a_private_question_is_on_nobody_elses_page(tabs: Tabs) -> None:
    keep(tabs.of("ana").open("ask"), "Zebra crossing")
    for name in ("gerd", "rita", "adam"):
        assert "Zebra" not in at_saved(tabs.of(name).open("ask")).everything()


def test_it_is_sent_back_with_the_reason_on_its_owners_page(tabs: Tabs) -> None:
    ana = tabs.of("ana").open("ask")
    one = keep(ana)
    at_saved(ana).press(f"saved_offer_{one}")
    rita = at_saved(tabs.of("rita").open("ask"))
    rita.app.text_input(key=f"saved_reason_{one}").set_value("Say which orders")
    rita.press(f"saved_return_now_{one}")
    assert QUESTION not in rita.text()
    assert "Say which orders" in at_saved(ana).text()
    ana.press(f"saved_delete_{one}")
    assert "Nothing is saved yet." in ana.text()


def test_a_hostile_question_is_drawn_as_text(tabs: Tabs) -> None:
    store = tabs.company.store
    for evil in EVIL:
        one = keep(tabs.of("ana").open("ask"), evil)
        with store.write() as conn:
            found = saved.find(conn, one)
            assert found is not None
            saved.offer(conn, found, now=store.now())
    page = at_saved(tabs.of("rita").open("ask"))
    assert "<script>" not in page.html()
    assert EVIL[0] in page.text()
