"""Asking: steps, rows, what is masked or cut, refusals, and the ways on from each ending."""

from __future__ import annotations

import re

import pytest

from agent import Answer, Chart, Option, Refusal
from guard import Caller, Need
from store import accounts, conversations, steps, turns
from tests.company import EMAIL, SALARY, SURNAME
from tests.pages.conftest import EVIL, STARTERS, Tab, Tabs, stored_turn

COUNT = "SELECT count(*) AS orders FROM orders"


def opened(tabs: Tabs, name: str = "ana") -> Tab:
    return tabs.of(name).open("ask")


def conversation(tab: Tab) -> str:
    [found] = [v for k, v in tab.app.query_params.items() if k == "c"]
    return found if isinstance(found, str) else found[0]


def with_answer(tabs: Tabs, answer: Answer | None, **turn: object) -> Tab:
    """A tab on a conversation whose only turn ended like this."""
    kept = tabs.company.conversation("ana")
    stored_turn(tabs.company, kept, answer, **turn)  # type: ignore[arg-type]
    return tabs.of("ana").open("ask", c=kept)


def test_a_new_conversation_says_what_can_be_asked_and_who_answers(tabs: Tabs) -> None:
    tab = opened(tabs)
    said = tab.text()
    assert "Orders and who made them." in said
    assert "Every query is checked before it runs, and every step is recorded on the right" in said
    assert "Corner shop · production · Rule-based planner, no AI model" in said
    assert [str(o) for o in tab.app.button_group[0].options] == list(STARTERS)


def test_a_starter_is_answered_with_its_steps_its_rule_and_its_trail(tabs: Tabs) -> None:
    tab = opened(tabs)
    tab.app.button_group[0].set_value(STARTERS[0])
    tab.run().settled()
    titles = [e.label for e in tab.app.expander]
    assert titles[:3] == ["Plan", "SQL", "Guard: allowed"]
    assert titles[3].startswith("Result: 1 row in ")
    said = tab.text()
    assert "Rule read.select" in said
    assert "Read as:" in said
    turn = re.search(r'href="/export/result/(\w+)"', tab.html())
    assert turn is not None
    assert tab.frames()[0].iloc[0, 0] == 4
    trail = said[said.index("Audit trail") :]
    for event in ("request.received", "policy.decided", "query.intent", "query.executed"):
        assert event in trail
    assert "answer.returned" in trail


def test_a_chart_is_drawn_from_the_same_rows(tabs: Tabs) -> None:
    tab = opened(tabs).ask("Orders by status")
    assert len(tab.app.get("vega_lite_chart")) == 1
    assert "pending" in tab.frames()[0].to_csv()


def test_masked_cells_are_masked_and_counted_with_the_reason(tabs: Tabs) -> None:
    tab = opened(tabs).run_sql("SELECT id, last_name, email FROM customers WHERE id <= 3")
    said = tab.text()
    assert "3 cells in email are masked by policy: customers.email is tagged EMAIL_ADDRESS" in said
    assert "3 cells in last_name are masked by policy" in said
    sent = tab.everything()
    assert EMAIL not in sent
    assert SURNAME not in sent
    assert list(tab.frames()[0]["id"]) == [1, 2, 3]


def test_rows_beyond_the_limit_are_cut_with_a_notice(tabs: Tabs) -> None:
    tab = opened(tabs).run_sql(
        "SELECT a.id FROM orders AS a, orders AS b, orders AS c, orders AS d, orders AS e, "
        "orders AS f"
    )
    assert "Showing the first 1,000 rows. Your limit is 1,000." in tab.text()
    assert len(tab.frames()[0]) == 1_000


def test_repeated_and_empty_column_names_are_told_apart(tabs: Tabs) -> None:
    tab = opened(tabs).run_sql('SELECT id, status AS id, total AS "id (2)" FROM orders')
    assert list(tab.frames()[0].columns) == ["id", "id (3)", "id (2)"]


def test_a_denied_statement_says_why_and_stays_in_its_field(tabs: Tabs) -> None:
    sql = "SELECT * FROM salaries"
    tab = opened(tabs).run_sql(sql)
    said = tab.text()
    assert "Not run. salaries is not a table you can read in shop." in said
    assert "Nothing was sent to the database." in said
    assert "Rule table.not_allowed" in said
    assert "An admin can grant access to shop.salaries" in said
    assert tab.app.text_area(key="sql_text").value == sql
    assert str(SALARY) not in tab.everything()
    assert "Denied: table.not_allowed (salaries)" in said
    assert "query.intent" not in said


def test_a_denied_statement_can_be_edited_from_its_panel(tabs: Tabs) -> None:
    tab = opened(tabs).run_sql("SELECT * FROM salaries")
    tab.app.text_area(key="sql_text").set_value("something else")
    tab.press("edit")
    assert tab.app.text_area(key="sql_text").value == "SELECT * FROM salaries"


def test_a_question_that_is_not_understood_offers_other_questions(tabs: Tabs) -> None:
    tab = opened(tabs).ask("What is the meaning of life?")
    assert "Not answered." in tab.text()
    assert f"elsewhere_{len(STARTERS) - 1}" in {b.key for b in tab.app.button}
    tab.press("elsewhere_0").settled()
    assert "Guard: allowed" in [e.label for e in tab.app.expander]


def test_a_question_that_was_not_answered_can_be_worded_otherwise(tabs: Tabs) -> None:
    tab = opened(tabs).ask("What is the meaning of life?")
    tab.press("edit")
    assert tab.app.chat_input[0].proto.value == "What is the meaning of life?"


def test_a_question_asked_in_another_tab_is_there_at_the_next_run(tabs: Tabs) -> None:
    tab = opened(tabs).ask("How many orders are there?")
    other = tabs.of("ana").open("ask", c=conversation(tab))
    tab.ask("Orders by status")
    assert "Orders by status" in other.run().settled().text()


def test_a_held_write_offers_to_propose_it_and_needs_a_reason(tabs: Tabs) -> None:
    sql = "UPDATE orders SET status = 'cancelled' WHERE id = 2"
    tab = opened(tabs).run_sql(sql)
    assert "This is a change, and changes never run from here." in tab.text()
    assert tab.app.text_area(key="sql_text").value == sql
    propose = next(b for b in tab.app.button if b.label == "Propose as a change")
    propose.click()
    tab.run().settled()
    assert "Add a reason." in tab.text()
    tab.app.text_input(key="held_reason").set_value("The customer called")
    next(b for b in tab.app.button if b.label == "Propose as a change").click()
    tab.run().settled()
    said = tab.text()
    assert "Waiting for review. Nothing has changed yet. 1 row in orders would be changed." in said
    assert "A reviewer other than you decides." in said
    assert "Proposed as a change: The customer called" in said
    assert tabs.company.query("SELECT status FROM orders WHERE id = 2") == [("pending",)]
    with tabs.company.store.read() as conn:
        own = accounts.by_name(conn, "ana")
    assert own is not None
    card = tabs.company.parts.review.inbox.cards(tabs.company.caller("ana"))[0]
    assert (card.reason, card.author) == ("The customer called", own.id)


def test_a_change_asked_for_in_words_waits_and_can_be_withdrawn(tabs: Tabs) -> None:
    tab = opened(tabs).ask("set the status of order 2 to cancelled")
    assert "Waiting for review. Nothing has changed yet." in tab.text()
    card = tabs.company.parts.review.inbox.cards(tabs.company.caller("ana"))[0]
    assert "Guard: needs review" in [e.label for e in tab.app.expander]
    tab.press(f"withdraw_{card.id}")
    assert "Withdrawn." in tab.text()
    assert f"withdraw_{card.id}" not in {b.key for b in tab.app.button}


def test_what_became_of_a_change_is_told_in_its_conversation(tabs: Tabs) -> None:
    tab = opened(tabs).ask("set the status of order 2 to cancelled")
    company = tabs.company
    card = company.parts.review.inbox.cards(company.caller("ana"))[0]
    company.parts.review.reject(card.id, company.caller("rita"), "Ask the customer first")
    said = tab.run().text()
    assert "Rejected by Rita Jones: Ask the customer first" in said
    assert "Waiting for review. Nothing" not in said


def test_a_link_opens_ones_own_conversation_in_another_tab(tabs: Tabs) -> None:
    tab = opened(tabs).ask("How many orders are there?")
    again = tabs.of("ana").open("ask", c=conversation(tab))
    assert again.text() == tab.run().text()
    assert again.frames()[0].equals(tab.frames()[0])


@pytest.mark.parametrize("name", ["gerd", "rita", "adam"])
def test_a_link_to_somebody_elses_conversation_finds_nothing(name: str, tabs: Tabs) -> None:
    tab = opened(tabs).ask("How many orders are there?")
    other = tabs.of(name).open("ask", c=conversation(tab))
    assert "There is no such conversation." in other.text()
    assert "How many orders are there?" not in other.everything()
    made_up = tabs.of(name).open("ask", c="0" * 20)
    assert made_up.text() == other.text()


def test_history_lists_ones_own_conversations_only_and_opens_one(tabs: Tabs) -> None:
    first = conversation(opened(tabs).ask("How many orders are there?"))
    opened(tabs, "rita").ask("Orders by status")
    tab = opened(tabs)
    kept = [b.key for b in tab.app.button if (b.key or "").startswith("open_")]
    assert kept == [f"open_{first}"]
    tab.press(f"open_{first}")
    assert conversation(tab) == first
    assert "Guard: allowed" in [e.label for e in tab.app.expander]
    tab.press("new")
    assert "c" not in tab.app.query_params


def test_a_person_with_a_row_filter_gets_only_those_rows(tabs: Tabs) -> None:
    everybody = opened(tabs, "ana").run_sql(COUNT).frames()[0].iloc[0, 0]
    germany = opened(tabs, "gerd").run_sql(COUNT).frames()[0].iloc[0, 0]
    assert (everybody, germany) == (4, 2)


def test_an_agent_that_asks_back_offers_its_options_as_questions(tabs: Tabs) -> None:
    options = tuple(Option(label=f"{evil}?", question=STARTERS[0]) for evil in EVIL)
    tab = with_answer(
        tabs, Answer(status="asked_back", text="Which one do you mean?", options=options)
    )
    assert "Which one do you mean?" in tab.text()
    tab.press("option_1").settled()
    assert "Result: 1 row" in " ".join(e.label for e in tab.app.expander)


def test_suggestions_of_a_refusal_are_questions_to_press(tabs: Tabs) -> None:
    tab = with_answer(
        tabs, Answer(status="refused", text="I cannot tell.", suggestions=(STARTERS[0],))
    )
    tab.press("suggestion_0").settled()
    assert "Guard: allowed" in [e.label for e in tab.app.expander]


@pytest.mark.parametrize(
    ("answer", "state", "said"),
    [
        (
            Answer(status="stopped", text="Stopped. Nothing more was run."),
            "cancelled",
            "Stopped. Nothing more was run.",
        ),
        (
            Answer(status="failed", text="The model gave no answer."),
            "failed",
            "This did not work. The model gave no answer.",
        ),
        (
            None,
            "interrupted",
            "The server restarted while this was running. No write was applied.",
        ),
    ],
)
def test_what_ended_early_says_how_and_can_be_asked_again(
    answer: Answer | None, state: str, said: str, tabs: Tabs
) -> None:
    tab = with_answer(tabs, answer, state=state, question=STARTERS[0])
    assert said in tab.text()
    tab.press("again").settled()
    assert "Guard: allowed" in [e.label for e in tab.app.expander]
    assert said in tab.text()


def test_an_interruption_never_claims_that_a_write_was_not_applied_when_one_was(
    tabs: Tabs,
) -> None:
    company = tabs.company
    kept = company.conversation("ana")
    turn = stored_turn(company, kept, None, state="interrupted", kind="change", question="UPDATE")
    company.parts.gate.propose(
        "UPDATE orders SET status = 'cancelled' WHERE id = 2",
        source="shop",
        caller=Caller(principal=company.person("ana"), channel="sql", session=kept, request=turn),
        reason="Cut off",
        call_id=f"{turn}/proposal",
    )
    with company.store.write() as conn:
        steps.begin(
            conn,
            turn,
            "proposal",
            kind="proposal",
            tool="propose_change",
            args_json='{"reason":"Cut off","sql":"UPDATE"}',
            now=company.store.now(),
        )
    tab = tabs.of("ana").open("ask", c=kept)
    assert "No write was applied." in tab.text()
    assert "Waiting for review. Nothing has changed yet." in tab.text()
    card = company.parts.review.inbox.cards(company.caller("rita"))[0]
    view = company.parts.review.inbox.view(card.id, company.caller("rita"))
    company.parts.review.approve(
        card.id, company.caller("rita"), fingerprint=view.fingerprint or "", version=view.version
    )
    company.parts.review.apply(card.id, company.caller("rita"))
    said = tab.run().text()
    assert "No write was applied." not in said
    assert "Applied. 1 row in orders was changed." in said


def test_a_refusal_after_sending_does_not_claim_that_nothing_was_sent(tabs: Tabs) -> None:
    refusal = Refusal(rule="engine.types", reason="A value does not fit the type.")
    tab = with_answer(tabs, Answer(status="refused", text="Not run.", refusal=refusal))
    assert "A value does not fit the type." in tab.text()
    assert "Nothing was sent" not in tab.text()


def test_a_question_that_is_too_long_is_not_lost(tabs: Tabs) -> None:
    question = "how many orders " * 300
    tab = opened(tabs)
    tab.app.chat_input[0].set_value(question)
    tab.run()
    assert "A question has up to 4,000 characters" in tab.text()
    assert tab.app.chat_input[0].proto.value == question
    assert not conversations_of(tabs)


def conversations_of(tabs: Tabs) -> tuple[conversations.Conversation, ...]:
    with tabs.company.store.read() as conn:
        return conversations.list_own(conn, tabs.company.person("ana").id)


def test_a_huge_statement_gets_a_sentence_and_the_page_still_works(tabs: Tabs) -> None:
    sql = "SELECT " + "1, " * 350_000 + "1"
    tab = opened(tabs).run_sql(sql)
    assert "Not run." in tab.text()
    assert f"({len(sql):,} characters in all)" in tab.text()
    assert tab.run_sql(COUNT).frames()[-1].iloc[0, 0] == 4


@pytest.mark.parametrize(
    "sql", ["SELEC 1", "SELECT 1; SELECT 2", "SELECT 'a\x00b'", "(" * 5_000 + "1", "DROP TABLE x"]
)
def test_bad_statements_get_a_sentence_and_keep_their_text(sql: str, tabs: Tabs) -> None:
    tab = opened(tabs).run_sql(sql)
    assert re.search(r"Not run\. .+\.", tab.text())
    assert tab.app.text_area(key="sql_text").value == sql


def test_hostile_values_and_questions_are_drawn_as_text(tabs: Tabs) -> None:
    evil = " ".join(EVIL)
    tab = opened(tabs).run_sql("SELECT id, country FROM customers WHERE id >= 100")
    assert list(tab.frames()[0]["country"]) == list(EVIL)
    tab.ask(evil)
    answer = Answer(
        status="answered",
        text=evil,
        interpretation=evil,
        chart=Chart(kind="bar", x=0, y=1, title=evil),
    )
    stored_turn(tabs.company, conversation(tab), answer, question=evil)
    need = Need(kind="table", source="shop", table=evil)
    refusal = Refusal(rule=evil, reason=evil, part=evil, alternative=evil, access_request=need)
    stored_turn(
        tabs.company,
        conversation(tab),
        Answer(status="refused", text=evil, refusal=refusal, suggestions=(evil,)),
        question=evil,
    )
    tab.run()
    assert "<script" not in tab.html()
    assert "<img" not in tab.html()
    assert not tab.app.markdown
    for button in tab.app.button:
        assert EVIL[0] not in button.label
        assert EVIL[2] not in button.label
    for expander in tab.app.expander:
        assert "leak" not in expander.label


def test_what_one_may_read_is_listed_with_what_is_masked(tabs: Tabs) -> None:
    from ui.asking import schema

    company = tabs.company
    listed = schema.listed(company.parts.gate.view("shop", company.caller("gerd")))
    assert "customers" in listed
    assert "salaries" not in listed
    assert "masked (email address)" in listed
    assert "your rows only" in listed


def test_a_policy_that_cannot_be_used_is_said_and_the_page_still_stands(
    tabs: Tabs, monkeypatch: pytest.MonkeyPatch
) -> None:
    from guard import ConfigurationError
    from ui import session

    def broken() -> None:
        raise ConfigurationError("policy.toml is not valid TOML: line 3. Mend that line.")

    monkeypatch.setattr(session, "parts", broken)
    for page in ("ask", "approvals", "admin"):
        tab = tabs.of("adam").open(page)
        assert "policy.toml is not valid TOML: line 3. Mend that line." in tab.text()
    assert "Audit log" in tabs.of("adam").open("audit").text()


def test_stop_ends_a_turn_that_waits(tabs: Tabs) -> None:
    company = tabs.company
    kept = company.conversation("ana")
    with company.store.write() as conn:
        turn = turns.add(
            conn, kept, kind="question", question="Later", model=None, now=company.store.now()
        )
    tab = tabs.of("ana").open("ask", c=kept)
    assert "Stop" in tab.buttons()
    assert tab.app.chat_input[0].disabled
    tab.press("stop")
    with company.store.read() as conn:
        assert turns.get(conn, turn.id).state == "cancelled"
    assert "Stop" not in tab.run().buttons()
