"""Filters and their links: what they find together, what they refuse, and nobody's name in them."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from audit import Actor, AuditError, AuditEvent, AuditLog
from store import accounts
from tests.pages.conftest import Tab, Tabs
from tests.pages.test_audit import export, opened, parameters, ran, rows

PERSONAL = "somebody.private@mail.example"


def link(tab: Tab) -> str:
    return str(tab.app.code[0].value)


def test_all_filters_hold_together(tabs: Tabs) -> None:
    ran(tabs)
    tabs.of("rita").open("ask").run_sql("SELECT * FROM salaries")
    ana = tabs.company.person("ana").id
    now = dt.datetime.now(dt.UTC)
    everything = {
        "who": ana,
        "verdict": "Denied",
        "table": "SALARIES",
        "find": "policy",
        "since": f"{now - dt.timedelta(minutes=20):%Y-%m-%dT%H:%MZ}",
        "until": f"{now + dt.timedelta(minutes=5):%Y-%m-%dT%H:%MZ}",
    }
    assert "No events match." not in opened(tabs, table="salaries", verdict="Denied").text()
    [frame] = opened(tabs, **everything).frames()
    assert [(r.Who, r.Event, r.Verdict) for r in frame.itertuples()] == [
        ("Ana Lopez", "policy.decided", "Denied")
    ]
    for name, other in (
        ("who", tabs.company.person("adam").id),
        ("verdict", "Allowed"),
        ("table", "orders"),
        ("find", "elephant"),
        ("until", f"{now - dt.timedelta(minutes=10):%Y-%m-%dT%H:%MZ}"),
    ):
        assert "No events match." in opened(tabs, **{**everything, name: other}).text(), name


def test_what_an_agent_did_for_a_person_is_found_by_the_person(tabs: Tabs) -> None:
    tabs.of("ana").open("ask").ask("How many orders are there?")
    [frame] = opened(tabs, who="ana", find="orders").frames()
    assert {"agent for Ana Lopez", "Ana Lopez"} >= set(frame["Who"]) >= {"agent for Ana Lopez"}


def test_a_link_names_people_by_pseudonym_only(tabs: Tabs) -> None:
    ran(tabs)
    ana = tabs.company.person("ana").id
    tab = opened(tabs, who="ana", find="ana salaries")
    assert parameters(tab) == {"who": ana, "find": f"{ana} salaries"}
    assert link(tab).endswith(f"/audit?find={ana}+salaries&who={ana}")
    assert tab.app.text_input(key="find").value == "ana salaries"
    again = opened(tabs, **parameters(tab))
    assert again.app.text_input(key="find").value == "ana salaries"
    assert rows(again) == rows(tab)


def test_what_looks_personal_is_in_no_address(tabs: Tabs) -> None:
    ran(tabs)
    tab = opened(tabs, find=PERSONAL, verdict="Denied")
    assert parameters(tab) == {"verdict": "Denied"}
    assert "No events match." in tab.text()
    assert PERSONAL not in tab.html()
    assert PERSONAL not in link(tab)
    assert "What you typed looks personal, so no address may hold it." in tab.text()
    assert "/export/audit/events.csv" not in tab.html()
    assert tab.run().app.text_input(key="find").value == PERSONAL


def test_a_changed_filter_changes_the_address(tabs: Tabs) -> None:
    ran(tabs)
    tab = opened(tabs)
    assert parameters(tab) == {}
    tab.app.text_input(key="table").set_value("salaries")
    tab.app.pills(key="verdict").set_value("Denied")
    tab.run()
    assert parameters(tab) == {"table": "salaries", "verdict": "Denied"}
    assert set(rows(tab)) == {"policy.decided"}
    tab.app.text_input(key="table").set_value("")
    assert parameters(tab.run()) == {"verdict": "Denied"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"verdict": "Dennied"}, "“Dennied” is no verdict there is, so it is not applied."),
        ({"when": "Yesterday"}, "“Yesterday” is no when there is"),
        ({"who": "nobody-here"}, "Nobody is known by “nobody-here” here"),
        ({"session": "../x"}, "“../x” is no id of a session"),
        ({"since": "noon"}, "“noon” is no moment of this century, so “since” is not applied."),
        ({"since": "1999-12-31T23:59Z"}, "“since” is not applied"),
        ({"until": "9999-12-31T23:59-12:00"}, "“until” is not applied"),
        ({"until": "9999-99-99"}, "“until” is not applied"),
        (
            {"since": "2026-07-01T00:00Z", "until": "2026-06-01T00:00Z"},
            "The time range ends before it begins, so it is not applied.",
        ),
        ({"find": "x" * 201}, "The text in “find” is longer than 200 characters"),
    ],
)
def test_a_bad_link_says_what_of_it_is_not_applied(
    given: dict[str, str], said: str, tabs: Tabs
) -> None:
    ran(tabs)
    tab = opened(tabs, table="salaries", **given)
    assert said in tab.text()
    assert set(rows(tab)) == {"policy.decided"}
    assert parameters(tab) == {"table": "salaries"}
    assert said in tab.run().text()
    tab.app.text_input(key="table").set_value("")
    assert said not in tab.run().text()


def test_a_bad_filter_exports_nothing(tabs: Tabs) -> None:
    with pytest.raises(AuditError, match="is no verdict there is"):
        export(tabs, "events.csv", verdict="Dennied")
    assert "audit.exported" not in tabs.company.events()


def test_an_erased_person_is_no_filter_and_has_no_name(tabs: Tabs) -> None:
    ran(tabs)
    company = tabs.company
    ana = company.person("ana").id
    with company.store.write() as conn:
        accounts.forget(conn, ana)
    tab = opened(tabs, who=ana)
    assert f"Nobody is known by “{ana}” here" in tab.text()
    assert "Ana Lopez" not in tab.everything()
    assert f"Erased person {ana[:6]}" in set(tab.frames()[0]["Who"])
    assert all("rased" not in option for option in tab.app.selectbox(key="who").options)


def test_somebody_erased_while_filtered_by_is_let_go(tabs: Tabs) -> None:
    ran(tabs)
    tab = opened(tabs, who="ana")
    with tabs.company.store.write() as conn:
        accounts.forget(conn, tabs.company.person("ana").id)
    assert "Ana Lopez" not in tab.run().everything()


def test_the_edges_of_the_century_are_moments(tabs: Tabs) -> None:
    ran(tabs)
    tab = opened(tabs, since="2000-01-01T00:00Z", until="2100-01-01T00:00Z")
    assert "audit.viewed" in rows(tab)
    assert parameters(tab)["when"] == "Between"


def test_a_damaged_manifest_does_not_hide_the_log(tabs: Tabs) -> None:
    ran(tabs)
    folder = tabs.company.home / "audit" / "segments"
    folder.mkdir()
    (folder / "seg-000000000001-000000000002.json").write_text("{")
    tab = opened(tabs)
    assert "The sealed events cannot be told." in tab.text()
    assert "audit.viewed" in rows(tab)


def test_nobodys_name_is_in_an_export_or_the_trail(tabs: Tabs) -> None:
    opened(tabs, who="ana", find="ana")
    text = export(tabs, "events.jsonl").decode()
    assert "Ana Lopez" not in text
    [searched] = [e for e in map(event_of, text.splitlines()) if e["type"] == "audit.searched"]
    assert searched["read"]["filters"] == ["text", "person"]


def event_of(line: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(line)["event"]
    return found


def chart(tab: Tab) -> dict[str, Any]:
    [one] = tab.app.get("vega_lite_chart") or tab.app.get("arrow_vega_lite_chart")
    found: dict[str, Any] = json.loads(one.proto.spec)
    return found


def decide(log: AuditLog, kind: str, number: int) -> None:
    from audit import PolicyFacts

    for _ in range(number):
        log.append(
            AuditEvent(
                type="policy.decided",
                actor=Actor(id="u-x", type="user"),
                outcome="denied" if kind == "deny" else "success",
                summary="Decided",
                parts=(PolicyFacts(decision=kind),),  # type: ignore[arg-type]  # one of them
            )
        )


def test_the_picture_counts_the_decisions_of_the_filter(tabs: Tabs) -> None:
    for kind, number in (("allow", 5), ("needs_approval", 3), ("deny", 2)):
        decide(tabs.company.log, kind, number)
    tab = opened(tabs)
    assert "Decisions per hour" in tab.text()
    assert all(said in tab.text() for said in ("5 allowed", "3 need review", "2 denied"))
    spec = chart(tab)
    assert spec["encoding"]["color"]["scale"]["domain"] == ["Allowed", "Needs review", "Denied"]
    assert "http" not in json.dumps({k: v for k, v in spec.items() if k != "$schema"})
    tab = opened(tabs, verdict="Denied")
    assert "2 denied" in tab.text()
    assert "5 allowed" not in tab.text()
    tab = opened(tabs, who="ana")
    assert "Decisions per hour" not in tab.text()


def test_what_an_operator_must_see_to_stands_above_the_log(
    tabs: Tabs, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "Checkpoints of the audit log are not taken by: hook."
    monkeypatch.setattr(AuditLog, "warnings", lambda _self: (said,))
    tab = opened(tabs)
    assert "The audit log needs an operator." in tab.text()
    assert said in tab.text()


def test_a_check_can_be_cancelled(tabs: Tabs, monkeypatch: pytest.MonkeyPatch) -> None:
    from streamlit.runtime.scriptrunner_utils.exceptions import StopException

    def half(_self: AuditLog, *, progress: Any) -> None:
        progress(12_000, 50_000)
        raise StopException  # what a click does to a run that draws

    tab = opened(tabs)
    monkeypatch.setattr(AuditLog, "verify", half)
    tab.press("verify")
    tab.press("verify_cancel")
    assert "The check was stopped. 12,000 of 50,000 events were looked at." in tab.text()
    assert "audit.verified" not in tabs.company.events()


def test_a_check_that_another_click_cuts_off_is_made_by_the_next_run(
    tabs: Tabs, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streamlit.runtime.scriptrunner_utils.exceptions import StopException

    def cut_off(_self: AuditLog, *, progress: Any) -> None:
        progress(12_000, 50_000)
        raise StopException

    tab = opened(tabs)
    with monkeypatch.context() as patched:
        patched.setattr(AuditLog, "verify", cut_off)
        tab.press("verify")
        assert "Chain intact." not in tab.text()
    assert "Chain intact." in tab.run().text()
    assert tabs.company.events().count("audit.verified") == 1
    assert "Chain intact." in tab.run().text()
    assert tabs.company.events().count("audit.verified") == 1


def test_a_check_that_fails_is_not_made_over_and_over(
    tabs: Tabs, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def failing(_self: AuditLog, *, progress: Any) -> None:
        tries.append(1)
        raise AuditError("The log cannot be read.")

    tab = opened(tabs)
    monkeypatch.setattr(AuditLog, "verify", failing)
    tab.press("verify")
    assert "The log cannot be read." in tab.text()
    tab.run()
    assert len(tries) == 1
