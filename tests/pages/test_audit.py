"""Reading the trail: found, checked, taken along, and recorded itself."""

from __future__ import annotations

import io
import json
import sqlite3
import zipfile

import pytest

from audit import AuditEvent
from guard import Caller
from tests.pages.conftest import EVIL, Tab, Tabs
from ui.exports import exporters
from ui.webparts import ExportRequest


def opened(tabs: Tabs, **query: str) -> Tab:
    return tabs.of("adam").open("audit", **query)


def rows(tab: Tab) -> list[str]:
    [frame] = tab.frames()
    return list(frame["Event"])


def parameters(tab: Tab) -> dict[str, str]:
    """The query of the address, each name once."""
    given = tab.app.query_params
    return {n: v if isinstance(v, str) else str(v[0]) for n, v in given.items()}


def ran(tabs: Tabs) -> None:
    tabs.of("ana").open("ask").run_sql("SELECT * FROM salaries")
    tabs.of("ana").open("ask").run_sql("SELECT count(*) FROM orders")


def test_events_are_listed_newest_first_with_who_and_what(tabs: Tabs) -> None:
    ran(tabs)
    tab = opened(tabs)
    [frame] = tab.frames()
    assert list(frame.columns) == ["#", "Time", "Who", "Verdict", "What", "Event"]
    assert list(frame["#"]) == sorted(frame["#"], reverse=True)
    assert frame.iloc[0]["Event"] == "audit.viewed"
    assert frame.iloc[0]["Who"] == "Adam Kent"
    denied = frame[frame["Verdict"] == "Denied"].iloc[0]
    assert (denied["Who"], denied["What"]) == (
        "Ana Lopez",
        "Denied: table.not_allowed (salaries)",
    )


def test_the_chosen_event_is_shown_as_it_was_hashed(tabs: Tabs) -> None:
    ran(tabs)
    tab = opened(tabs)
    newest = tabs.company.log.tail(1)[0]
    codes = [c.value for c in tab.app.code]
    assert codes[-3:] == [newest.hash, newest.prev, newest.line]
    assert f"Event {newest.seq}" in tab.text()


@pytest.mark.parametrize(
    ("verdict", "found"),
    [("Allowed", "policy.decided"), ("Denied", "policy.decided"), ("Failed", None)],
)
def test_a_link_to_a_verdict_shows_only_that(verdict: str, found: str | None, tabs: Tabs) -> None:
    ran(tabs)
    tab = opened(tabs, verdict=verdict)
    if found is None:
        assert "No events match. Clear the search or widen the time range." in tab.text()
        return
    [frame] = tab.frames()
    assert set(frame["Event"]) == {found}
    assert set(frame["Verdict"]) == {verdict}


def test_a_search_finds_by_table_by_person_and_by_hash(tabs: Tabs) -> None:
    ran(tabs)
    assert {"policy.decided", "answer.returned"} >= set(rows(opened(tabs, find="salaries")))
    assert "audit.viewed" not in rows(opened(tabs, who="ana"))
    assert "audit.viewed" in rows(opened(tabs, find="adam"))
    record = tabs.company.log.tail(1)[0]
    [frame] = opened(tabs, find=f"{record.hash[:10]}*").frames()
    assert list(frame["#"]) == [record.seq]
    assert "No events match." in opened(tabs, find="nothinglikethis").text()
    assert "No events match." in opened(tabs, who="somebody else").text() or rows(
        opened(tabs, who="somebody else")
    )


def test_one_conversation_can_be_followed_from_an_event(tabs: Tabs) -> None:
    ran(tabs)
    tab = opened(tabs, find="salaries")
    tab.press("conversation")
    assert "One session only." in tab.text()
    session = tab.app.query_params["session"]
    assert session
    tab.press("all_sessions")
    assert "session" not in tab.app.query_params


def test_looking_is_recorded_once_a_visit_and_not_once_a_run(tabs: Tabs) -> None:
    def seen(kind: str) -> int:
        return tabs.company.events().count(kind)

    tab = opened(tabs)
    for _ in range(3):
        tab.run()
    assert seen("audit.viewed") == 1
    tab.app.text_input(key="find").set_value("orders")
    for _ in range(3):
        tab.run()
    assert (seen("audit.viewed"), seen("audit.searched")) == (1, 1)
    tab.app.text_input(key="find").set_value("customers")
    tab.run()
    assert seen("audit.searched") == 2
    tab.open("ask")
    tab.open("audit")
    assert seen("audit.viewed") == 2


def test_a_search_is_recorded_by_its_fields_not_by_its_words(tabs: Tabs) -> None:
    opened(tabs, find="somebody.private@mail.example")
    assert "somebody.private" not in "\n".join(r.line for r in tabs.company.log.tail(1_000))


def test_the_chain_is_verified_and_that_is_recorded(tabs: Tabs) -> None:
    ran(tabs)
    tab = opened(tabs).press("verify")
    assert "Chain intact." in tab.text()
    assert "from the first event to the latest." in tab.text()
    assert "audit.verified" in tabs.company.events()


def test_promise_10_a_changed_record_is_named(tabs: Tabs) -> None:
    ran(tabs)
    tab = opened(tabs)
    with sqlite3.connect(tabs.company.log.database) as db:
        [table] = [
            name
            for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if "record" in {c[1] for c in db.execute(f"PRAGMA table_info({name})")}
        ]
        for (trigger,) in db.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            db.execute(f"DROP TRIGGER {trigger}")
        db.execute(
            f"UPDATE {table} SET record = replace(record, 'denied', 'allow ') WHERE seq = ("
            f"SELECT min(seq) FROM {table} WHERE record LIKE '%denied%')"
        )
        [(seq,)] = db.execute(
            f"SELECT min(seq) FROM {table} WHERE record LIKE '%allow %'"
        ).fetchall()
    db.close()
    tab.press("verify")
    assert f"Chain broken at event {seq}." in tab.text()
    assert "Export now and tell your security team." in tab.text()


def test_hostile_summaries_are_drawn_as_text(tabs: Tabs) -> None:
    evil = " ".join(EVIL)
    company = tabs.company
    company.log.append(
        AuditEvent(
            type="access.requested",
            actor=Caller(principal=company.person("ana"), channel="console").actor(),
            outcome="success",
            summary=evil,
        )
    )
    tab = opened(tabs, find="leak")
    assert evil in tab.text()
    assert "<script" not in tab.html()
    assert "<img" not in tab.html()
    assert not tab.app.markdown


def export(tabs: Tabs, name: str, **query: str) -> bytes:
    company = tabs.company
    made = exporters(lambda: company.parts, lambda: company.log, lambda: company.store)["audit"]
    assert made.roles == {"admin"}
    asked = ExportRequest(principal=company.person("adam"), name=name, query=query)
    found = made.make(asked)
    assert found is not None
    return b"".join(found.chunks)


def test_json_lines_leave_exactly_as_they_were_hashed(tabs: Tabs) -> None:
    ran(tabs)
    lines = export(tabs, "events.jsonl", verdict="Denied").decode().splitlines()
    kept = {r.line for r in tabs.company.log.tail(1_000)}
    assert lines
    assert set(lines) <= kept
    assert {json.loads(line)["event"]["outcome"] for line in lines} == {"denied"}


def test_a_table_leaves_without_formulas(tabs: Tabs) -> None:
    company = tabs.company
    company.log.append(
        AuditEvent(
            type="access.requested",
            actor=Caller(principal=company.person("ana"), channel="console").actor(),
            outcome="success",
            summary="=HYPERLINK(1)",
        )
    )
    text = export(tabs, "events.csv").decode()
    assert "'=HYPERLINK(1)" in text
    assert text.startswith("number,time,actor,on_behalf_of,event,outcome,summary,hash")
    assert "Ana Lopez" not in text


def test_the_bundle_holds_the_log_and_its_verifier(tabs: Tabs) -> None:
    ran(tabs)
    with zipfile.ZipFile(io.BytesIO(export(tabs, "bundle.zip"))) as bundle:
        names = {n.rpartition("/")[2] for n in bundle.namelist()}
    assert {"records.jsonl", "verify.py", "checkpoint.txt", "log.vkey"} <= names


def test_an_export_is_recorded_before_it_leaves(tabs: Tabs) -> None:
    for name in ("events.csv", "events.jsonl", "bundle.zip"):
        text = export(tabs, name)
        assert tabs.company.events()[-1] == "audit.exported"
        if name == "events.jsonl":
            assert b'"audit.exported"' in text


@pytest.mark.parametrize("name", ["ocsf.jsonl", "otel.jsonl"])
def test_other_systems_get_the_same_events_with_the_lines_as_hashed(name: str, tabs: Tabs) -> None:
    ran(tabs)
    kept = [r.line for r in tabs.company.log.tail(1_000)]
    lines = export(tabs, name, verdict="Denied").decode().splitlines()
    assert lines
    for line in lines:
        made = json.loads(line)
        record = made.get("raw_data")
        if record is None:
            [one] = made["resourceLogs"][0]["scopeLogs"][0]["logRecords"]
            record = one["body"]["stringValue"]
        assert record in kept
        assert "Ana Lopez" not in line
    assert json.loads(tabs.company.log.tail(1)[0].line)["event"]["export"] == {
        "format": name.partition(".")[0]
    }


def test_there_is_nothing_else_to_take(tabs: Tabs) -> None:
    company = tabs.company
    made = exporters(lambda: company.parts, lambda: company.log, lambda: company.store)["audit"]
    asked = ExportRequest(principal=company.person("adam"), name="../keys", query={})
    assert made.make(asked) is None
    assert "audit.exported" not in company.events()
