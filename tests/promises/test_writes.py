"""What must always hold, tried on the whole: writes, the second person, exactly once."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit import AuditLog, Unavailable
from guard import Drifted, Illegal, Refused
from guard.diff import Diff
from guard.writer import ApprovedChange
from store import StoreConflict, approvals, changes
from tests.company import Company, make_company
from tests.killing import killed

UPDATE = "UPDATE orders SET status = 'cancelled' WHERE id = 2"


def propose(company: Company, sql: str = UPDATE, name: str = "ana") -> int:
    made = company.parts.gate.propose(
        sql, source="shop", caller=company.caller(name), reason="A test"
    )
    assert made.state == "pending"
    return made.change


def approve(company: Company, change: int, name: str = "rita") -> None:
    who = company.caller(name)
    view = company.parts.review.inbox.view(change, who)
    assert view.fingerprint is not None
    company.parts.review.approve(change, who, fingerprint=view.fingerprint, version=view.version)


def state(company: Company, change: int) -> str:
    with company.store.read() as conn:
        return changes.get(conn, change).state


def status(company: Company, order: int = 2) -> object:
    return company.query(f"SELECT status FROM orders WHERE id = {order}")[0][0]


def test_promise_06_a_write_is_held_previewed_approved_applied_and_undone(
    company: Company,
) -> None:
    before = company.content()
    change = propose(company)
    assert company.content() == before
    approve(company, change)
    assert company.content() == before
    diff = company.parts.review.apply(change, company.caller("rita"))
    assert isinstance(diff, Diff)
    assert status(company) == "cancelled"
    undo = company.parts.review.undo(change, company.caller("ana"), "Wrong order").change
    assert status(company) == "cancelled"
    approve(company, undo)
    company.parts.review.apply(undo, company.caller("rita"))
    assert company.content() == before
    assert (state(company, change), state(company, undo)) == ("undone", "executed")


@pytest.mark.parametrize("author", ["ana", "rita", "adam"])
def test_promise_06_the_author_never_approves(company: Company, author: str) -> None:
    change = propose(company, name=author)
    with pytest.raises(Refused) as caught:
        approve(company, change, author)
    assert caught.value.refusal.rule in {"approve.author", "approve.role"}
    stored = company.parts.review.inbox.view(change, company.caller(author))
    with pytest.raises(StoreConflict), company.store.write() as conn:
        approvals.vote(
            conn,
            change,
            approver=company.person(author).id,
            decision="approve",
            statement_sha="x",
            fingerprint=stored.fingerprint or "",
            comment="",
            now=company.store.now(),
        )
    assert state(company, change) == "pending"


def test_promise_06_an_agent_and_an_analyst_never_approve(company: Company) -> None:
    change = propose(company)
    view = company.parts.review.inbox.view(change, company.caller("rita"))
    for caller in (company.caller("rita", "agent"), company.caller("gerd")):
        with pytest.raises((Refused, Illegal)):
            company.parts.review.approve(
                change, caller, fingerprint=view.fingerprint or "", version=view.version
            )
    assert state(company, change) == "pending"


def test_promise_06_what_runs_is_what_was_approved_or_nothing(company: Company) -> None:
    change = propose(company)
    approve(company, change)
    other = propose(company, "UPDATE orders SET total = 99 WHERE id = 2")
    approve(company, other)
    company.parts.review.apply(other, company.caller("rita"))
    before = company.content()
    with pytest.raises(Drifted):
        company.parts.review.apply(change, company.caller("rita"))
    assert company.content() == before
    assert state(company, change) == "pending"
    view = company.parts.review.inbox.view(change, company.caller("rita"))
    assert view.earlier
    assert view.approvals == 0
    with pytest.raises(Illegal):
        company.parts.review.apply(change, company.caller("rita"))


def test_promise_06_an_approval_names_the_fingerprint_that_was_seen(company: Company) -> None:
    change = propose(company)
    view = company.parts.review.inbox.view(change, company.caller("rita"))
    for fingerprint, version in (("0" * 64, view.version), (view.fingerprint or "", 0)):
        with pytest.raises(Illegal, match="has changed since it was shown"):
            company.parts.review.approve(
                change, company.caller("rita"), fingerprint=fingerprint, version=version
            )


def test_promise_06_the_policy_is_asked_again_before_it_runs(company: Company) -> None:
    from store import accounts

    change = propose(company)
    approve(company, change)
    with company.store.write() as conn:
        accounts.set_disabled(conn, company.person("ana").id, disabled=True)
    with pytest.raises(Refused) as caught:
        company.parts.review.apply(change, company.caller("rita"))
    assert caught.value.refusal.rule == "person.disabled"
    assert status(company) == "pending"


def test_promise_06_only_the_review_builds_an_approved_change() -> None:
    with pytest.raises(TypeError, match=r"guard\.review"):
        ApprovedChange(
            id=1,
            source="shop",
            statement_sha="",
            fingerprint="",
            change=None,  # type: ignore[arg-type]
            seal=object(),
        )


def test_promise_09_a_change_is_not_run_without_the_log(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = propose(company)
    approve(company, change)
    append = AuditLog.append

    def broken(self: AuditLog, event: object) -> object:
        if getattr(event, "type", None) == "query.intent":
            raise Unavailable("The disk is full.")
        return append(self, event)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(AuditLog, "append", broken)
        with pytest.raises(Unavailable):
            company.parts.review.apply(change, company.caller("rita"))
    assert status(company) == "pending"
    company.parts.review.apply(change, company.caller("rita"))
    assert status(company) == "cancelled"


def test_promise_09_an_approval_that_cannot_be_recorded_does_not_count(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = propose(company)

    def broken(*_: object) -> object:
        raise Unavailable("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(AuditLog, "append", broken)
        with pytest.raises(Unavailable):
            approve(company, change)
    assert state(company, change) == "pending"


def test_a_person_with_limited_rows_cannot_propose(company: Company) -> None:
    with pytest.raises(Refused) as caught:
        company.parts.gate.propose(
            UPDATE, source="shop", caller=company.caller("gerd"), reason="A test"
        )
    assert caught.value.refusal.rule == "write.row_filter"


def test_a_change_of_no_row_is_refused(company: Company) -> None:
    with pytest.raises(Refused) as caught:
        propose(company, "UPDATE orders SET status = 'x' WHERE id = 999")
    assert caught.value.refusal.rule == "preview.no_rows"


def test_rejecting_needs_a_reason_and_ends_the_request(company: Company) -> None:
    change = propose(company)
    with pytest.raises(Illegal, match="Say why"):
        company.parts.review.reject(change, company.caller("rita"), " ")
    company.parts.review.reject(change, company.caller("rita"), "Not this one")
    assert state(company, change) == "rejected"
    with pytest.raises(Illegal):
        approve(company, change, "rob")


def test_the_author_withdraws_and_nobody_else_does(company: Company) -> None:
    change = propose(company)
    with pytest.raises(Illegal, match="Only the person"):
        company.parts.review.withdraw(change, company.caller("rob"))
    company.parts.review.withdraw(change, company.caller("ana"))
    assert state(company, change) == "withdrawn"


def test_others_requests_do_not_exist_for_an_analyst(company: Company) -> None:
    change = propose(company)
    with pytest.raises(Illegal, match="There is no change request"):
        company.parts.review.inbox.view(change, company.caller("gerd"))
    assert company.parts.review.inbox.cards(company.caller("gerd")) == ()


def test_the_diff_is_redacted_by_the_reviewers_own_rights(company: Company) -> None:
    change = propose(company, "UPDATE customers SET country = 'Italy' WHERE id = 1")
    view = company.parts.review.inbox.view(change, company.caller("rita"))
    from tests.company import EMAIL, SURNAME

    assert EMAIL not in str(view.diff)
    assert SURNAME not in str(view.diff)
    row = view.diff[0].rows[0]
    changed = [c for c, d in zip(view.diff[0].columns, row.changed, strict=True) if d]
    assert changed == ["country"]


def test_undo_is_refused_when_a_row_changed_since(company: Company) -> None:
    change = propose(company)
    approve(company, change)
    company.parts.review.apply(change, company.caller("rita"))
    later = propose(company, "UPDATE orders SET status = 'shipped' WHERE id = 2")
    approve(company, later)
    company.parts.review.apply(later, company.caller("rita"))
    with pytest.raises(Refused) as caught:
        company.parts.review.undo(change, company.caller("ana"), "")
    assert caught.value.refusal.rule == "engine.changed_since"
    assert status(company) == "shipped"


KILLER = """
from tests.company import make_company
import guard.engines.changing as changing, guard.settlement as settlement
import guard.reviewtrail as reviewtrail
company, change = make_company(home), int(given[0])
if point == "claimed": after(changes, "claim")
if point == "intent": after(reviewtrail.ReviewTrail, "intent")
if point == "recorded": after(changes, "record_execution")
if point == "before commit":
    end = changing.EmbeddedChanges._end
    changing.EmbeddedChanges._end = lambda self, op: die() if op == "commit" else end(self, op)
if point == "after commit": after(changing.EmbeddedChanges, "_end")
if point == "after done": after(settlement.Settlement, "committed")
company.parts.review.apply(change, company.caller("rita"))
"""


@pytest.mark.parametrize(
    "point", ["claimed", "intent", "recorded", "before commit", "after commit", "after done"]
)
def test_promise_12_a_write_takes_effect_exactly_once_across_kill_9(
    tmp_path: Path, point: str
) -> None:
    home = tmp_path / "killed"
    company = make_company(home)
    change = propose(company, "UPDATE orders SET total = total + 1 WHERE id = 2")
    approve(company, change)
    company.close()
    killed(KILLER, home, point, str(change))
    company = make_company(home)
    try:
        company.parts.recover()
        if state(company, change) == "approved":
            company.parts.review.apply(change, company.caller("rita"))
        assert state(company, change) == "executed"
        assert company.query("SELECT total FROM orders WHERE id = 2") == [(21.0,)]
        assert company.log.open_intents() == ()
        assert company.log.verify().status == 0
    finally:
        company.close()


def test_promise_12_of_racing_executors_one_applies(company: Company) -> None:
    from concurrent.futures import ThreadPoolExecutor

    change = propose(company, "UPDATE orders SET total = total + 1 WHERE id = 2")
    approve(company, change)

    def run(_: int) -> bool:
        try:
            company.parts.review.apply(change, company.caller("rita"))
        except Illegal:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(run, range(8))) == 1
    assert company.query("SELECT total FROM orders WHERE id = 2") == [(21.0,)]


def test_promise_12_a_preview_that_was_cut_off_is_told(company: Company) -> None:
    import datetime as dt

    from store.changes import NewChange

    long_ago = company.store.now() - dt.timedelta(hours=1)
    new = NewChange(
        source="shop",
        author=company.person("ana").id,
        statement=UPDATE,
        statement_sha="x",
        reason="A test",
        rule="write.production",
        environment="production",
        approvers_needed=1,
    )
    with company.store.write() as conn:
        made = changes.create(conn, new, now=long_ago, expires_at=company.store.now())
        changes.move(conn, made.id, "draft", "previewing", now=long_ago)
    company.parts.recover()
    view = company.parts.review.inbox.view(made.id, company.caller("ana"))
    assert view.card.state == "failed"
    assert view.error is not None
    assert "propose it again" in view.error


def test_an_expired_request_is_recorded(company: Company) -> None:
    import datetime as dt

    change = propose(company)
    later = company.store.now() + dt.timedelta(hours=25)
    company.store.now = lambda: later  # type: ignore[method-assign]
    with pytest.raises(Illegal):
        approve(company, change)
    assert state(company, change) == "expired"
    assert "approval.expired" in company.events()


def test_the_rows_of_a_diff_count_as_rows_its_author_was_shown(company: Company) -> None:
    policy = company.parts.policy
    approvals_ = policy.approvals.model_copy(update={"max_diff_rows": 4})
    limits = policy.limits.model_copy(update={"rows_per_day": 9})
    company.enforce(policy.model_copy(update={"limits": limits, "approvals": approvals_}))
    everything = "UPDATE orders SET status = status || '!'"
    propose(company, everything)
    propose(company, everything)
    with pytest.raises(Refused) as caught:
        propose(company, everything)
    assert caught.value.refusal.rule == "limit.rows_per_day"
    assert len(company.query("SELECT 1 FROM orders")) == 4
