"""Another policy comes into force by a second admin, who saw it and what it would change."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from audit import ConfigFacts
from guard import Caller, Refused
from guard.activation import activate_alone
from guard.errors import ConfigurationError, Illegal
from guard.replay import Replay
from store import StoreConflict, StoreError, candidates, policies
from tests.company import POLICY, SALARY, Company, make_company
from tests.guard.test_accessdesk import with_second_admin
from ui.parts import open_parts

OPENED = POLICY.replace('"orders", "tickets"]', '"orders", "tickets", "salaries"]').replace(
    "version = 1", "version = 2"
)
CLOSED = POLICY.replace('["customers", "orders", "tickets"]', '["customers"]')
UNTAGGED = POLICY.replace('"customers.email" = "EMAIL_ADDRESS"\n', "")


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Company]:
    opened = with_second_admin(make_company(tmp_path / "home"))
    yield opened
    opened.close()


def proposed(shop: Company, text: str = OPENED, by: str = "adam") -> int:
    return shop.parts.governing.propose(shop.caller(by), text, origin="edit", note="Payroll")


def activated(shop: Company, text: str = OPENED) -> int:
    desk, candidate = shop.parts.governing, proposed(shop, text)
    desk.replay(candidate, shop.caller("alma"))
    return desk.activate(candidate, shop.caller("alma"), **seen(shop, text)).id


def seen(shop: Company, text: str) -> dict[str, str]:
    desk = shop.parts.governing
    return {"seen": desk.parsed(text).sha256, "base": shop.parts.policy.sha256}


def amounts(shop: Company) -> list[object]:
    result = shop.parts.gate.query(
        "SELECT amount FROM salaries", source="shop", caller=shop.caller("ana")
    )
    return result.table.column(0).to_pylist()


# First start, and the file ------------------------------------------------------------------------


def test_the_first_start_takes_the_file_as_version_1_on_record(shop: Company) -> None:
    (first,) = shop.parts.governing.versions()
    assert first.text == (shop.home / "policy.toml").read_text()
    event = next(r.event for r in shop.log.tail(100) if r.event.type == "config.changed")
    facts = event.part(ConfigFacts)
    assert facts is not None
    assert (facts.before_sha256, facts.after_sha256) == (None, first.sha256)


def test_a_file_edited_by_hand_is_never_in_force_not_even_after_a_start(shop: Company) -> None:
    (shop.home / "policy.toml").write_text(OPENED)
    again = open_parts(shop.home, shop.store, shop.log, {})
    with pytest.raises(Refused):
        again.gate.query("SELECT 1 FROM salaries", source="shop", caller=shop.caller("ana"))
    found = again.governing.on_disk()
    assert (found.same, found.text) == (False, OPENED)
    again.close()


def test_a_broken_file_leaves_the_policy_in_force(shop: Company) -> None:
    (shop.home / "policy.toml").write_text(POLICY + "\nunknown_key = 1\n")
    found = shop.parts.governing.on_disk()
    assert found.text is None
    assert "unknown_key" in (found.problem or "")
    assert shop.parts.policy.version == 1


def test_the_file_follows_what_is_activated_unless_it_was_edited(shop: Company) -> None:
    file = shop.home / "policy.toml"
    activated(shop, OPENED)
    assert file.read_text() == OPENED
    file.write_text(CLOSED)
    shop.parts.governing.versions()
    activated(shop, UNTAGGED)
    assert file.read_text() == CLOSED


def test_a_stored_text_that_somebody_changed_is_not_used(shop: Company) -> None:
    from sqlalchemy import update

    from store.schema import policy_versions

    with shop.store.write() as conn:
        conn.execute(update(policy_versions).values(text=OPENED))
    other = open_parts_or_none(shop)
    assert other is None


def open_parts_or_none(shop: Company) -> object:
    with pytest.raises(ConfigurationError, match="not the one that was activated"):
        open_parts(shop.home, shop.store, shop.log, {})


# Two admins ---------------------------------------------------------------------------------------


def test_a_second_admin_puts_a_policy_into_force_for_the_next_statement(shop: Company) -> None:
    with pytest.raises(Refused):
        amounts(shop)
    version = activated(shop)
    assert amounts(shop) == [SALARY]
    event = shop.log.tail(50)
    change = next(
        r.event
        for r in reversed(event)
        if r.event.summary == f"Policy version {version} put into force"
    )
    facts = change.part(ConfigFacts)
    assert facts is not None
    assert change.actor.id == shop.person("alma").id
    assert (facts.before_sha256, facts.after_sha256) == tuple(
        v.sha256 for v in reversed(shop.parts.governing.versions())
    )


def test_nobody_activates_their_own_proposal(shop: Company) -> None:
    candidate, desk = proposed(shop), shop.parts.governing
    desk.replay(candidate, shop.caller("adam"))
    with pytest.raises(Refused) as caught:
        desk.activate(candidate, shop.caller("adam"), **seen(shop, OPENED))
    assert caught.value.refusal.rule == "policy.author"
    assert shop.parts.policy.version == 1
    assert shop.log.tail(1)[0].event.outcome == "denied"


def test_the_store_itself_refuses_activation_by_the_proposer(shop: Company) -> None:
    candidate = proposed(shop)
    with pytest.raises((StoreConflict, StoreError)), shop.store.write() as conn:
        candidates.decide(
            conn,
            candidate,
            "activated",
            by=shop.person("adam").id,
            comment="",
            now=shop.store.now(),
        )


@pytest.mark.parametrize("name", ["ana", "rita"])
def test_only_admins_propose_replay_and_activate(shop: Company, name: str) -> None:
    candidate, desk, caller = proposed(shop), shop.parts.governing, shop.caller(name)
    for act in (
        lambda: desk.propose(caller, CLOSED, origin="edit"),
        lambda: desk.roll_back(caller, 1),
        lambda: desk.replay(candidate, caller),
        lambda: desk.activate(candidate, caller, **seen(shop, OPENED)),
        lambda: desk.reject(candidate, caller, "no"),
        lambda: desk.try_as(caller, shop.person("ana").id, "shop", "SELECT 1"),
    ):
        with pytest.raises(Refused) as caught:
            act()
        assert caught.value.refusal.rule == "policy.role"


def test_an_agent_changes_no_policy(shop: Company) -> None:
    agent = Caller(principal=shop.person("adam"), channel="agent")
    with pytest.raises(Refused, match="agent never changes"):
        shop.parts.governing.propose(agent, OPENED, origin="edit")


def test_without_a_replay_nothing_is_activated(shop: Company) -> None:
    candidate = proposed(shop)
    with pytest.raises(Illegal, match="Replay recorded statements"):
        shop.parts.governing.activate(candidate, shop.caller("alma"), **seen(shop, OPENED))


def test_what_was_not_shown_is_not_activated(shop: Company) -> None:
    desk, candidate = shop.parts.governing, proposed(shop)
    desk.replay(candidate, shop.caller("alma"))
    shown = seen(shop, OPENED)
    for forged in (shown | {"seen": "0" * 64}, shown | {"base": shown["seen"]}):
        with pytest.raises(Illegal, match="changed since this was shown"):
            desk.activate(candidate, shop.caller("alma"), **forged)


def test_a_replay_against_an_older_policy_does_not_count(shop: Company) -> None:
    desk, candidate = shop.parts.governing, proposed(shop)
    desk.replay(candidate, shop.caller("alma"))
    activated(shop, UNTAGGED)
    with pytest.raises(Illegal, match="Replay recorded statements"):
        desk.activate(candidate, shop.caller("alma"), **seen(shop, OPENED))


def test_of_two_activations_at_once_one_happens(shop: Company) -> None:
    desk, candidate = shop.parts.governing, proposed(shop)
    desk.replay(candidate, shop.caller("alma"))
    shown, done = seen(shop, OPENED), []

    def act() -> None:
        with suppress(Illegal, StoreError):
            done.append(desk.activate(candidate, shop.caller("alma"), **shown))

    threads = [threading.Thread(target=act) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 1
    assert len(desk.versions()) == 2


def test_a_wrong_policy_cannot_be_proposed_and_the_key_is_named(shop: Company) -> None:
    with pytest.raises(ConfigurationError, match=r"roles\.analysts\.members"):
        proposed(shop, POLICY.replace('members = ["ana", "@reviewer", "@admin"]', "members = 1"))
    with pytest.raises(ConfigurationError, match=r"access\.askable: elsewhere"):
        proposed(shop, POLICY + '\n[access]\naskable = ["elsewhere.t"]\n')


def test_the_policy_in_force_and_a_waiting_one_are_not_proposed_again(shop: Company) -> None:
    with pytest.raises(Illegal, match="in force"):
        proposed(shop, POLICY)
    proposed(shop)
    with pytest.raises(Illegal, match="waits already"):
        proposed(shop, by="alma")


def test_going_back_takes_the_same_way(shop: Company) -> None:
    activated(shop)
    desk = shop.parts.governing
    back = desk.roll_back(shop.caller("adam"), 1)
    with pytest.raises(Refused):
        desk.activate(back, shop.caller("adam"), **seen(shop, POLICY))
    desk.replay(back, shop.caller("alma"))
    desk.activate(back, shop.caller("alma"), **seen(shop, POLICY))
    with pytest.raises(Refused):
        amounts(shop)
    assert [v.text for v in desk.versions()] == [POLICY, OPENED, POLICY]


def test_a_rejected_proposal_is_over_and_its_author_reads_why(shop: Company) -> None:
    desk, candidate = shop.parts.governing, proposed(shop)
    with pytest.raises(Illegal, match="Say why"):
        desk.reject(candidate, shop.caller("alma"), " ")
    desk.reject(candidate, shop.caller("alma"), "Too wide")
    with pytest.raises(Illegal, match="is rejected"):
        desk.replay(candidate, shop.caller("alma"))
    assert desk.waiting() == ()


def test_an_activation_that_cannot_be_recorded_does_not_happen(
    shop: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    from audit import Unavailable

    desk, candidate = shop.parts.governing, proposed(shop)
    desk.replay(candidate, shop.caller("alma"))

    def full(_event: object) -> None:
        raise Unavailable("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(shop.log, "append", full)
        with pytest.raises(Unavailable):
            desk.activate(candidate, shop.caller("alma"), **seen(shop, OPENED))
    assert shop.parts.policy.version == 1
    assert (shop.home / "policy.toml").read_text() == POLICY


# A lone operator ----------------------------------------------------------------------------------


def test_an_operator_activates_alone_with_their_account_on_record(shop: Company) -> None:
    version = activate_alone(shop.store, shop.log, shop.parts.policies, OPENED, os_account="root")
    assert (version.activated_by, version.os_account) == (None, "root")
    assert amounts(shop) == [SALARY]
    (event,) = [r.event for r in shop.log.tail(100) if r.event.actor.id == "operator"]
    assert (event.type, event.actor.os_account) == ("config.changed", "root")


def test_the_policy_in_force_can_ask_for_two_admins_always(shop: Company) -> None:
    strict = POLICY + "\n[activation]\noperator_alone = false\n"
    activated(shop, strict)
    with pytest.raises(Refused) as caught:
        activate_alone(shop.store, shop.log, shop.parts.policies, OPENED, os_account="root")
    assert caught.value.refusal.rule == "policy.operator_alone"
    assert shop.parts.policy.text == strict


def test_a_policy_that_cannot_be_used_any_more_is_replaced_by_the_operator(shop: Company) -> None:
    with shop.store.write() as conn:
        policies.activate(conn, "version = 'x'", activated_by=None, now=shop.store.now())
    with pytest.raises(ConfigurationError, match="gatehouse policy activate FILE"):
        amounts(shop)
    activate_alone(shop.store, shop.log, shop.parts.policies, OPENED, os_account="root")
    assert amounts(shop) == [SALARY]


# Every process, at once ---------------------------------------------------------------------------


def test_another_process_judges_its_next_statement_by_the_new_version(shop: Company) -> None:
    other = open_parts(shop.home, shop.store, shop.log, {})
    with pytest.raises(Refused):
        other.gate.query("SELECT 1 FROM salaries", source="shop", caller=shop.caller("ana"))
    activated(shop)
    assert other.policy.version == 2
    found = other.gate.query(
        "SELECT amount FROM salaries", source="shop", caller=shop.caller("ana")
    )
    assert found.table.num_rows == 1
    other.close()


def test_tags_of_the_new_version_mask_at_the_next_statement(shop: Company) -> None:
    sql = "SELECT status FROM orders WHERE id = 1"
    caller = shop.caller("ana")
    shown = shop.parts.gate.query(sql, source="shop", caller=caller)
    assert shown.table.column(0).to_pylist() == ["shipped"]
    tagged = POLICY.replace('"customers.email"', '"orders.status" = "PERSON"\n"customers.email"', 1)
    activated(shop, tagged)
    hidden = shop.parts.gate.query(sql, source="shop", caller=caller)
    assert hidden.table.column(0).to_pylist() != ["shipped"]


def test_a_source_that_moved_is_opened_anew_for_reads_and_writes(shop: Company) -> None:
    import shutil
    import sqlite3

    shutil.copyfile(shop.database, shop.home / "moved.sqlite")
    with sqlite3.connect(shop.home / "moved.sqlite") as db:
        db.execute("UPDATE orders SET status = 'moved' WHERE id = 1")
    caller = shop.caller("ana")
    change = "UPDATE orders SET total = 11 WHERE id = 1"
    shop.parts.gate.propose(change, source="shop", caller=caller, reason="before")
    activated(shop, POLICY.replace('"shop.sqlite"', '"moved.sqlite"'))
    sql = "SELECT status FROM orders WHERE id = 1"
    found = shop.parts.gate.query(sql, source="shop", caller=caller)
    assert found.table.column(0).to_pylist() == ["moved"]
    made = shop.parts.gate.propose(change, source="shop", caller=caller, reason="after")
    assert made.rows == 1


# Replay -------------------------------------------------------------------------------------------


def history(shop: Company) -> None:
    """Some turns of ana's, one statement on the command line and one by an agent's tool."""
    conversation = shop.conversation()
    for sql in (
        "SELECT count(*) FROM orders",
        "SELECT id, email FROM customers",
        "SELECT id, email FROM customers",
        "SELECT amount FROM salaries",
        "SELECT status FROM orders WHERE id = 1",
    ):
        shop.parts.runs.run(sql, conversation=conversation, caller=typed(shop), kind="sql")
    shell = Caller(principal=shop.person("ana"), channel="command_line", os_account="root")
    shop.parts.gate.query("SELECT total FROM orders", source="shop", caller=shell)


def typed(shop: Company) -> Caller:
    return shop.caller("ana", "sql")


def replayed(shop: Company, text: str, last: int = 500) -> Replay:
    return shop.parts.replayer.run(shop.parts.governing.parsed(text), last=last)


def turns(found: Replay) -> dict[tuple[str, str, str], int]:
    return {(f.turned, f.before, f.after): f.statements for f in found.flips}


def test_a_replay_shows_what_would_turn_out_otherwise_grouped(shop: Company) -> None:
    history(shop)
    opened = replayed(shop, OPENED)
    assert turns(opened) == {("denied to allowed", "table.not_allowed", "read.select"): 1}
    assert (opened.flips[0].person, opened.flips[0].source) == ("ana", "shop")
    closed = replayed(shop, CLOSED)
    assert turns(closed) == {("allowed to denied", "read.select", "table.not_allowed"): 2}
    untagged = replayed(shop, UNTAGGED)
    assert turns(untagged) == {("masks", "read.select", "read.select"): 2}
    assert untagged.flips[0].lost == ("email masked",)
    limited = replayed(shop, POLICY + "\n[limits]\ndisplay_rows = 5\n")
    assert {f.turned for f in limited.flips} == {"rows or limits"}
    assert "display_rows = 5" in limited.flips[0].gained


def test_a_replay_counts_what_it_could_not_judge_and_says_why(shop: Company) -> None:
    history(shop)
    found = replayed(shop, OPENED)
    assert found.recorded == 6
    assert found.judged == 5
    assert found.skipped == (("sent on the command line, which keeps no text", 1),)
    with shop.store.write() as conn:
        from store import accounts

        accounts.set_disabled(conn, shop.person("ana").id, disabled=True)
    gone = replayed(shop, OPENED)
    assert gone.judged == 0
    assert sum(n for _, n in gone.skipped) == gone.recorded == 6


def test_a_replay_runs_nothing_and_shows_no_values(shop: Company) -> None:
    history(shop)
    before = shop.events().count("query.intent")
    found = replayed(shop, CLOSED)
    assert shop.events().count("query.intent") == before
    assert all("'" not in f.example and "1" not in f.example for f in found.flips)


def test_a_replay_takes_the_last_statements_only(shop: Company) -> None:
    history(shop)
    assert replayed(shop, OPENED, last=2).recorded == 2


def test_a_source_that_is_gone_or_mistagged_denies_what_was_allowed(shop: Company) -> None:
    history(shop)
    mistagged = POLICY.replace('"customers.email"', '"customers.e_mail"', 1).replace(
        'lookup = ["customers.email"]', ""
    )
    assert {f.after for f in replayed(shop, mistagged).flips} == {"source.unavailable"}


def test_a_replay_can_be_stopped_and_leaves_nothing(shop: Company) -> None:
    class Stop(BaseException):
        pass

    history(shop)
    candidate = proposed(shop)

    def progress(done: int, _all: int) -> None:
        if done == 2:
            raise Stop

    with pytest.raises(Stop):
        shop.parts.governing.replay(candidate, shop.caller("alma"), progress)
    assert shop.parts.governing.waiting()[0].replay_json is None


def test_a_replay_is_kept_with_its_proposal_as_it_was(shop: Company) -> None:
    history(shop)
    candidate = proposed(shop)
    found = shop.parts.governing.replay(candidate, shop.caller("alma"))
    (kept,) = shop.parts.governing.waiting()
    assert kept.replay_json is not None
    assert Replay.read(kept.replay_json) == found


# Trying as somebody -------------------------------------------------------------------------------


def test_trying_shows_the_sql_and_the_masks_on_record_and_runs_nothing(shop: Company) -> None:
    desk, gerd = shop.parts.governing, shop.person("gerd").id
    found = desk.try_as(shop.caller("adam"), gerd, "shop", "SELECT id, email FROM customers")
    assert found.refusal is None
    assert "Germany" in (found.sql or "")
    assert {c.name: c.masked for c in found.columns} == {"id": None, "email": "EMAIL_ADDRESS"}
    assert "query.intent" not in shop.events()
    event = shop.log.tail(1)[0].event
    assert (event.type, event.actor.id) == ("policy.tried", shop.person("adam").id)
    denied = desk.try_as(shop.caller("adam"), gerd, "shop", "SELECT * FROM salaries")
    assert denied.refusal is not None
    assert denied.refusal.rule == "table.not_allowed"
    assert denied.sql is None
