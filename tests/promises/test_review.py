"""Promise 6 and what stands around it: who must say yes, to what, and what runs without anybody."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from guard import Illegal, Refused
from store import StoreConflict, accounts, approvals, changes, promotions
from tests.company import POLICY, Company, make_company
from tests.killing import killed
from ui.keeper import go_round

UPDATE = "UPDATE orders SET status = 'cancelled' WHERE id = 2"
PERSONAL = "UPDATE customers SET email = 'new@mail.example' WHERE id = 2"


@contextmanager
def company_of(home: Path, policy: str) -> Iterator[Company]:
    made = make_company(home, policy)
    try:
        yield made
    finally:
        made.close()


def propose(
    company: Company, sql: str = UPDATE, name: str = "ana", channel: str = "console"
) -> int:
    caller = company.caller(name, channel)  # type: ignore[arg-type]
    return company.parts.gate.propose(sql, source="shop", caller=caller, reason="A test").change


def approve(company: Company, change: int, name: str = "rita") -> bool:
    who = company.caller(name)
    view = company.parts.review.inbox.view(change, who)
    return company.parts.review.approve(
        change, who, fingerprint=view.fingerprint or "", version=view.version
    )


def refusal(company: Company, change: int, name: str = "rita") -> str:
    with pytest.raises(Refused) as caught:
        approve(company, change, name)
    return caught.value.refusal.rule


def state(company: Company, change: int) -> str:
    with company.store.read() as conn:
        return changes.get(conn, change).state


def later(company: Company, **more: float) -> None:
    moment = company.store.now() + dt.timedelta(**more)
    company.store.now = lambda: moment  # type: ignore[method-assign]


# Tiers --------------------------------------------------------------------------------------------


def test_promise_06_personal_data_needs_two_different_people(company: Company) -> None:
    change = propose(company, PERSONAL)
    view = company.parts.review.inbox.view(change, company.caller("ana"))
    assert view.card.tier == 2
    assert "It touches personal data: customers.email." in {r.text for r in view.reasons}
    assert not approve(company, change)
    with pytest.raises(Illegal, match="decided on this request already"):
        approve(company, change)
    with pytest.raises(Illegal, match="is pending"):
        company.parts.review.apply(change, company.caller("rita"))
    assert approve(company, change, "rob")
    company.parts.review.apply(change, company.caller("rita"))
    assert company.query("SELECT email FROM customers WHERE id = 2") == [("new@mail.example",)]


def test_promise_06_the_third_tier_needs_an_admin_among_two(tmp_path: Path) -> None:
    strict = "[approvals.tiers]\npersonal_data = 3\n[sources.shop]"
    with company_of(tmp_path / "home", POLICY.replace("[sources.shop]", strict, 1)) as company:
        change = propose(company, PERSONAL)
        assert not approve(company, change, "rita")
        assert not approve(company, change, "rob")
        view = company.parts.review.inbox.view(change, company.caller("ana"))
        assert view.missing == "1 more approval is needed, an admin's."
        assert approve(company, change, "adam")
        assert state(company, change) == "approved"


def test_promise_06_a_yes_counts_only_while_its_person_may_decide(company: Company) -> None:
    change = propose(company, PERSONAL)
    approve(company, change, "rita")
    approve(company, change, "rob")
    with company.store.write() as conn:
        accounts.set_disabled(conn, company.person("rita").id, disabled=True)
    with pytest.raises(Illegal, match="enough people"):
        company.parts.review.apply(change, company.caller("rob"))
    assert company.query("SELECT email FROM customers WHERE id = 2")[0][0] != "new@mail.example"


def test_promise_06_the_store_itself_refuses_the_author_and_an_agent(company: Company) -> None:
    change = propose(company, name="adam")
    for approver in (company.person("adam").id, "agent", "gatehouse"):
        with pytest.raises(StoreConflict), company.store.write() as conn:
            approvals.vote(
                conn,
                change,
                approver=approver,
                decision="approve",
                statement_sha="x",
                fingerprint="x",
                comment="",
                now=company.store.now(),
            )


def test_promise_06_nobody_approves_what_they_were_not_shown(company: Company) -> None:
    change = propose(company)
    with company.store.read() as conn:
        stored = changes.get(conn, change)
    with pytest.raises(Refused) as caught:
        company.parts.review.approve(
            change,
            company.caller("rita"),
            fingerprint=stored.fingerprint or "",
            version=stored.version,
        )
    assert caught.value.refusal.rule == "approve.not_shown"
    assert approve(company, change)


# Large changes ------------------------------------------------------------------------------------


CAPPED = POLICY.replace(
    "[sources.shop]", "[approvals]\nmax_rows = 3\nmax_diff_rows = 2\n[sources.shop]", 1
)


def test_a_change_over_the_cap_is_held_with_its_exact_number_and_nobody_approves_it(
    tmp_path: Path,
) -> None:
    with company_of(tmp_path / "home", CAPPED) as company:
        before = company.content()
        change = propose(company, "UPDATE orders SET status = 'x'")
        view = company.parts.review.inbox.view(change, company.caller("rita"))
        assert (view.card.state, view.card.rows, view.standing) == ("pending", 4, "over_cap")
        for name in ("rita", "rob", "adam"):
            assert refusal(company, change, name) == "approve.row_cap"
        assert company.content() == before
        company.parts.review.reject(change, company.caller("rita"), "Split it")
        assert state(company, change) == "rejected"


def test_what_the_screen_cannot_hold_is_downloaded_before_it_is_approved(tmp_path: Path) -> None:
    from ui.reviewing import download
    from ui.webparts import ExportRequest

    with company_of(tmp_path / "home", CAPPED) as company:
        change = propose(company, "UPDATE orders SET status = 'x' WHERE id < 4")
        view = company.parts.review.inbox.view(change, company.caller("rita"))
        assert view.cut
        assert len(view.diff[0].rows) == 2
        assert refusal(company, change) == "approve.not_shown"
        asked = ExportRequest(principal=company.person("rita"), name=f"{change}.jsonl", query={})
        made = download.make(company.parts, asked)
        assert made is not None
        assert b"".join(made.chunks).count(b"\n") == 3
        assert "export.created" in company.events()
        assert refusal(company, change, "rob") == "approve.not_shown"
        assert approve(company, change)


def test_promise_08_the_whole_diff_is_redacted_by_the_rights_of_who_takes_it(
    tmp_path: Path,
) -> None:
    from tests.company import EMAIL, SURNAME
    from ui.reviewing import download
    from ui.webparts import ExportRequest

    with company_of(tmp_path / "home", CAPPED) as company:
        change = propose(company, "UPDATE customers SET country = 'x'")
        for suffix in ("csv", "jsonl"):
            asked = ExportRequest(
                principal=company.person("rita"), name=f"{change}.{suffix}", query={}
            )
            made = download.make(company.parts, asked)
            assert made is not None
            text = b"".join(made.chunks).decode()
            assert text.count("Germany") == 2
            assert EMAIL not in text
            assert SURNAME not in text
        stranger = ExportRequest(principal=company.person("gerd"), name=f"{change}.csv", query={})
        assert download.make(company.parts, stranger) is None


# By the clock -------------------------------------------------------------------------------------


def test_promise_06_an_approval_that_waited_too_long_is_void_and_previewed_again(
    company: Company,
) -> None:
    change = propose(company)
    approve(company, change)
    with sqlite3.connect(company.database) as db:
        db.execute("UPDATE orders SET total = 77 WHERE id = 2")
    db.close()
    later(company, minutes=31)
    with pytest.raises(Illegal, match="not used in time"):
        company.parts.review.apply(change, company.caller("rita"))
    view = company.parts.review.inbox.view(change, company.caller("rita"))
    assert (view.card.state, view.approvals) == ("pending", 0)
    assert 77 in (view.diff[0].rows[0].before or ())
    assert 77 not in (view.earlier[0].rows[0].before or ())
    assert company.query("SELECT status FROM orders WHERE id = 2") == [("pending",)]


def test_the_keeper_expires_and_previews_again_what_is_due(company: Company) -> None:
    waiting, used = propose(company), propose(company, "UPDATE orders SET total = 1 WHERE id = 3")
    approve(company, used)
    later(company, minutes=31)
    go_round(lambda: company.parts)
    assert (state(company, waiting), state(company, used)) == ("pending", "pending")
    later(company, hours=25)
    go_round(lambda: company.parts)
    assert (state(company, waiting), state(company, used)) == ("expired", "expired")


def test_the_response_is_measured_against_the_target(company: Company) -> None:
    for minutes in (5, 10, 40):
        change = propose(company, f"UPDATE orders SET total = {minutes} WHERE id = 2")
        later(company, minutes=minutes)
        company.parts.review.reject(change, company.caller("rita"), "No")
    propose(company)
    withdrawn = propose(company)
    company.parts.review.withdraw(withdrawn, company.caller("ana"))
    later(company, minutes=16)
    found = company.parts.responses.measure()
    assert (found.decided, found.in_time, found.counted, found.target_minutes) == (3, 2, 4, 15)
    assert found.median_seconds == pytest.approx(600, abs=30)


def test_approving_in_bulk_or_unread_is_flagged_recorded_and_not_stopped(tmp_path: Path) -> None:
    watch = "[approvals.watch]\ncount = 2\nleast_seconds = 5\n[sources.shop]"
    with company_of(tmp_path / "home", POLICY.replace("[sources.shop]", watch, 1)) as company:
        for number in range(3):
            change = propose(company, f"UPDATE orders SET total = {number} WHERE id = 2")
            company.parts.review.inbox.view(change, company.caller("rita"))
            later(company, seconds=10)
            assert approve(company, change)
        assert [h.bulk for h in company.parts.responses.hasty()] == [1]
        assert [h.fast for h in company.parts.responses.hasty()] == [0]
        assert approve(company, propose(company), "rob")
        found = {h.name: (h.fast, h.bulk) for h in company.parts.responses.hasty()}
        assert found == {"Rita Jones": (0, 1), "Rob Diaz": (1, 0)}
        assert company.events().count("approval.flagged") == 2


# Without a person ---------------------------------------------------------------------------------


STAGING = POLICY.replace('environment = "production"', 'environment = "staging"')
AUTO = STAGING.replace(
    "[sources.shop.tags]",
    '[sources.shop.auto_apply]\nmax_rows = 2\ntables = ["orders"]\n[sources.shop.tags]',
)


def test_staging_waits_for_a_person_unless_the_policy_says_otherwise(tmp_path: Path) -> None:
    with company_of(tmp_path / "home", STAGING) as company:
        assert state(company, propose(company)) == "pending"


def test_staging_applies_by_itself_within_its_bounds_recorded_and_undoable(tmp_path: Path) -> None:
    with company_of(tmp_path / "home", AUTO) as company:
        before = company.content()
        change = propose(company)
        view = company.parts.review.inbox.view(change, company.caller("ana"))
        assert (view.card.state, view.card.auto) == ("executed", "auto_apply")
        assert company.query("SELECT status FROM orders WHERE id = 2") == [("cancelled",)]
        events = company.events()
        assert events.index("approval.decided") < events.index("query.executed", 6)
        for sql in (
            "UPDATE orders SET status = 'x' WHERE id < 4",
            "UPDATE customers SET country = 'x' WHERE id = 1",
        ):
            assert state(company, propose(company, sql)) == "pending"
        undo = company.parts.review.undo(change, company.caller("ana"), "Back").change
        assert state(company, undo) == "pending"
        approve(company, undo)
        company.parts.review.apply(undo, company.caller("rita"))
        assert company.content() == before


def test_promise_06_a_write_never_runs_because_an_agent_asked(tmp_path: Path) -> None:
    with company_of(tmp_path / "home", AUTO) as company:
        change = propose(company, channel="agent")
        assert state(company, change) == "pending"
        assert company.query("SELECT status FROM orders WHERE id = 2") == [("pending",)]


@pytest.mark.parametrize("source", ["shop"])
def test_promise_06_production_cannot_be_given_auto_apply(tmp_path: Path, source: str) -> None:
    from guard import ConfigurationError

    policy = AUTO.replace('environment = "staging"', 'environment = "production"')
    with pytest.raises(ConfigurationError, match="auto_apply is not for production"):
        make_company(tmp_path / source, policy)


# Earned -------------------------------------------------------------------------------------------


EARNED = POLICY.replace(
    "[sources.shop]",
    "[approvals.earned]\nenabled = true\nruns = 3\nauthors = 1\napprovers = 2\nper_day = 2\n"
    "hour_from = 0\nhour_to = 24\n[approvals.watch]\nleast_seconds = 0\n[sources.shop]",
    1,
)


def run(company: Company, total: int, approver: str = "rita") -> int:
    change = propose(company, f"UPDATE orders SET total = {total} WHERE id = 2")
    approve(company, change, approver)
    company.parts.review.apply(change, company.caller(approver))
    return change


def earn(company: Company) -> int:
    for number, name in enumerate(("rita", "rob", "rita")):
        run(company, 100 + number, name)
    [number] = company.parts.earned.tend()
    return number


def second_admin(company: Company) -> None:
    with company.store.write() as conn:
        accounts.create(
            conn,
            name="alma",
            display_name="Alma Berg",
            roles={"admin"},
            password_hash="unused",
            now=company.store.now(),
        )


def test_a_template_is_off_by_default(company: Company) -> None:
    for number in range(3):
        run(company, number + 50)
    assert company.parts.earned.tend() == ()
    assert company.parts.earned.open() == ()


def test_a_template_earns_is_enabled_by_two_admins_runs_in_bounds_and_ends_with_one_undo(
    tmp_path: Path,
) -> None:
    with company_of(tmp_path / "home", EARNED) as company:
        second_admin(company)
        number = earn(company)
        assert state(company, propose(company, "UPDATE orders SET total = 7 WHERE id = 3")) == (
            "pending"
        )
        with pytest.raises(Refused):
            company.parts.earned.enable(number, company.caller("rita"))
        with pytest.raises(Refused):
            company.parts.earned.enable(number, company.caller("adam", "agent"))
        assert not company.parts.earned.enable(number, company.caller("adam"))
        with pytest.raises(Illegal, match="another admin"):
            company.parts.earned.enable(number, company.caller("adam"))
        assert company.parts.earned.enable(number, company.caller("alma"))

        by_agent = propose(company, "UPDATE orders SET total = 8 WHERE id = 3", channel="agent")
        assert state(company, by_agent) == "pending"
        first = propose(company, "UPDATE orders SET total = 9 WHERE id = 3")
        with company.store.read() as conn:
            stored = changes.get(conn, first)
        assert (stored.state, stored.auto) == ("executed", f"template:{number}")
        for sql in (
            "UPDATE orders SET total = 9 WHERE id < 4",  # more rows than it has ever touched
            "UPDATE orders SET total = 9, status = 'x' WHERE id = 3",  # another template
            "UPDATE orders SET total = 9 WHERE id = 3 OR 1 = 1",
        ):
            assert state(company, propose(company, sql)) == "pending"
        second = propose(company, "UPDATE orders SET total = 10 WHERE id = 3")
        assert state(company, second) == "executed"
        over = propose(company, "UPDATE orders SET total = 11 WHERE id = 3")
        assert state(company, over) == "pending"  # twice a day, no more
        later(company, days=1)
        company.parts.review.undo(second, company.caller("ana"), "Wrong")
        after = propose(company, "UPDATE orders SET total = 12 WHERE id = 1")
        assert state(company, after) == "pending"
        with company.store.read() as conn:
            ended = promotions.find(conn, number)
        assert ended is not None
        assert ended.state == "revoked"


@pytest.mark.parametrize("what", ["schema", "expiry", "reject"])
def test_a_template_ends_with_a_new_schema_its_time_or_a_no(tmp_path: Path, what: str) -> None:
    with company_of(tmp_path / "home", EARNED) as company:
        second_admin(company)
        number = earn(company)
        for name in ("adam", "alma"):
            company.parts.earned.enable(number, company.caller(name))
        if what == "schema":
            with sqlite3.connect(company.database) as db:
                db.execute("CREATE TABLE log(x)")
                db.execute(
                    "CREATE TRIGGER t AFTER DELETE ON orders BEGIN INSERT INTO log VALUES (1); END"
                )
            db.close()
        elif what == "expiry":
            later(company, days=91)
        else:
            over = propose(company, "UPDATE orders SET total = 5 WHERE id = 3", channel="agent")
            company.parts.review.reject(over, company.caller("rita"), "No")
        change = propose(company, "UPDATE orders SET total = 9 WHERE id = 3")
        assert state(company, change) == "pending"
        with company.store.read() as conn:
            ended = promotions.find(conn, number)
        assert ended is not None
        assert ended.state == ("expired" if what == "expiry" else "revoked")


def test_a_template_that_was_rejected_or_undone_starts_earning_anew(tmp_path: Path) -> None:
    with company_of(tmp_path / "home", EARNED) as company:
        run(company, 51, "rita")
        run(company, 52, "rob")
        bad = propose(company, "UPDATE orders SET total = 53 WHERE id = 2")
        company.parts.review.reject(bad, company.caller("rita"), "No")
        run(company, 54)
        assert company.parts.earned.tend() == ()


# Never --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", ["console", "sql", "agent", "command_line"])
@pytest.mark.parametrize(
    "sql",
    [
        "GRANT ALL ON orders TO public",
        "DELETE FROM audit_events",
        "UPDATE sqlite_master SET sql = ''",
        "DELETE FROM accounts",
        "UPDATE approvals SET decision = 'approve'",
        "ATTACH DATABASE 'audit.sqlite' AS a",
        "PRAGMA writable_schema = 1",
        "DELETE FROM salaries",
    ],
)
def test_promise_07_never_whoever_asks_and_recorded(
    company: Company, sql: str, channel: str
) -> None:
    for name in ("ana", "adam"):
        with pytest.raises(Refused):
            propose(company, sql, name, channel)
    with company.store.read() as conn:
        assert changes.count(conn) == 0
    denied = [r for r in company.log.tail(100) if r.event.outcome == "denied"]
    assert len(denied) == 2


# Cut off ------------------------------------------------------------------------------------------


_KILLED = """
from tests.company import make_company
import guard.engines.changing as changing
company = make_company(home)
if point == "previewed": after(changes, "record_preview")
if point == "booked": after(changes, "approve_by_rule")
if point == "claimed": after(changes, "claim")
if point == "recorded": after(changes, "record_execution")
if point == "committed": after(changing.EmbeddedChanges, "_end")
company.parts.gate.propose("UPDATE orders SET total = total + 1 WHERE id = 2", source="shop",
    caller=company.caller("ana"), reason="A test")
"""


@pytest.mark.parametrize("point", ["previewed", "booked", "claimed", "recorded", "committed"])
def test_promise_12_a_change_without_a_person_takes_effect_once_or_not_at_all(
    tmp_path: Path, point: str
) -> None:
    home = tmp_path / "home"
    make_company(home, AUTO).close()
    killed(_KILLED, home, point)
    with company_of(home, AUTO) as company:
        company.parts.recover()
        total = company.query("SELECT total FROM orders WHERE id = 2")
        expected = 21.0 if point == "committed" else 20.0
        assert total == [(expected,)]
        found = {"committed": "executed", "previewed": "previewing", "booked": "pending"}
        assert state(company, 1) == found.get(point, "approved")
        later(company, minutes=31)
        go_round(lambda: company.parts)
        company.parts.recover()
        assert company.query("SELECT total FROM orders WHERE id = 2") == [(expected,)]
        left = {"committed": "executed", "previewed": "failed"}.get(point, "pending")
        assert state(company, 1) == left
        assert company.log.verify().status == 0


def test_a_conversation_says_whether_a_change_waits_or_was_applied(tmp_path: Path) -> None:
    with company_of(tmp_path / "home", AUTO) as company:
        for kind, words in (
            ("change", UPDATE),
            ("question", "set the status of order 3 to shipped"),
        ):
            talk, caller = company.conversation(), company.caller("ana", "sql")
            _, answer = company.parts.runs.run(
                words,
                conversation=talk,
                caller=caller,
                kind=kind,  # type: ignore[arg-type]
                reason="A test",
            )
            assert answer.change is not None
            applied = state(company, answer.change) == "executed"
            assert applied is (kind == "change")  # the agent asked for the other one
            assert answer.text.startswith("Applied" if applied else "Waiting for review")
