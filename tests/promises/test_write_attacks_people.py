"""Attacks on the second person: what was not drawn, clicks that race, requests of somebody else."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from guard import Refused
from guard.diff import Diff, RowChange, TableDiff
from guard.errors import Illegal
from guard.inbox import DRAWN_CHARACTERS, DRAWN_ROWS, is_cut
from store import StoreConflict, StoreError, accounts, approvals, changes
from tests.company import Company
from ui import diff as drawn
from ui.reviewing import download
from ui.webparts import ExportRequest

UPDATE = "UPDATE orders SET status = 'cancelled' WHERE id = 2"
HIDDEN_END = (
    "UPDATE orders SET status = replace(hex(zeroblob(400)), '00', 'ab') || status WHERE id = 2"
)


def propose(company: Company, sql: str = UPDATE) -> int:
    caller = company.caller("ana")
    return company.parts.gate.propose(sql, source="shop", caller=caller, reason="A test").change


def approve(company: Company, change: int, name: str = "rita") -> bool:
    who = company.caller(name)
    view = company.parts.review.inbox.view(change, who)
    return company.parts.review.approve(
        change, who, fingerprint=view.fingerprint or "", version=view.version
    )


def state(company: Company, change: int) -> str:
    with company.store.read() as conn:
        return changes.get(conn, change).state


# What was not drawn -------------------------------------------------------------------------------


def test_promise_06_nobody_approves_a_value_whose_end_was_not_drawn(company: Company) -> None:
    change = propose(company, HIDDEN_END)
    view = company.parts.review.inbox.view(change, company.caller("rita"))
    assert view.cut
    assert len(view.diff[0].rows) == 1
    with pytest.raises(Refused) as refused:
        approve(company, change)
    assert refused.value.refusal.rule == "approve.not_shown"
    asked = ExportRequest(principal=company.person("rita"), name=f"{change}.csv", query={})
    whole = download.make(company.parts, asked)
    assert whole is not None
    assert f"{'ab' * 400}pending" in b"".join(whole.chunks).decode()
    assert approve(company, change)


def table(rows: int, before: str = "a", after: str = "b", *, total: int | None = None) -> TableDiff:
    row = RowChange(kind="updated", before=(1, before), after=(1, after))
    return TableDiff(
        table="t",
        columns=("id", "a"),
        primary_key=("id",),
        inserted=0,
        updated=rows if total is None else total,
        deleted=0,
        rows=(row,) * rows,
        before_hash="",
        after_hash="",
    )


@pytest.mark.parametrize(
    ("one", "cut"),
    [
        (table(1), False),
        (table(DRAWN_ROWS), False),
        (table(DRAWN_ROWS + 1), True),
        (table(1, total=2), True),
        (table(1, after="b" * DRAWN_CHARACTERS), False),
        (table(1, after="b" * (DRAWN_CHARACTERS + 1)), True),
        (table(1, before="b" * (DRAWN_CHARACTERS + 1)), True),
        (table(1, *["b" * (DRAWN_CHARACTERS + 1)] * 2), False),  # it stays as it is
    ],
)
def test_a_diff_is_cut_where_a_page_does_not_draw_all_that_changes(
    one: TableDiff, cut: bool
) -> None:
    whole = Diff(
        tables=(one,),
        schema_hash="",
        undo="exact",
        undo_notes=(),
        undo_verified=True,
        elapsed_us=1,
    )
    assert is_cut(whole) is cut


def test_what_counts_as_drawn_is_what_a_page_draws() -> None:
    assert inspect.signature(drawn.table).parameters["shown"].default == DRAWN_ROWS
    assert drawn._LONGEST == DRAWN_CHARACTERS


# Clicks that race ---------------------------------------------------------------------------------


def test_promise_06_a_click_counts_with_the_role_of_its_moment(company: Company) -> None:
    change = propose(company)
    who = company.caller("rita")
    view = company.parts.review.inbox.view(change, who)
    with company.store.write() as conn:
        accounts.set_roles(conn, who.principal.id, frozenset({"analyst"}))
    with pytest.raises((Illegal, Refused)):
        company.parts.review.approve(
            change, who, fingerprint=view.fingerprint or "", version=view.version
        )
    assert state(company, change) == "pending"


def test_promise_06_many_clicks_are_one_yes(company: Company) -> None:
    change = propose(company, "UPDATE customers SET email = 'n@mail.example' WHERE id = 2")

    def click(_: int) -> bool:
        try:
            approve(company, change)
        except (Illegal, Refused, StoreConflict):
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(click, range(6))) == 1
    with company.store.read() as conn:
        assert len(approvals.votes(conn, change)) == 1
    assert state(company, change) == "pending"  # two people are needed


def test_promise_06_what_was_withdrawn_is_never_applied(company: Company) -> None:
    review, rita, ana = company.parts.review, company.caller("rita"), company.caller("ana")
    for turn in range(6):
        change = propose(company, f"UPDATE orders SET total = {500 + turn} WHERE id = 2")

        def approved(change: int = change) -> None:
            approve(company, change)
            review.apply(change, rita)

        def withdrawn(change: int = change) -> None:
            review.withdraw(change, ana)

        with ThreadPoolExecutor(2) as pool:
            for done in [pool.submit(approved), pool.submit(withdrawn)]:
                assert isinstance(done.exception(), Illegal | Refused | StoreError | None)
        total = company.query("SELECT total FROM orders WHERE id = 2")[0][0]
        assert (total == 500 + turn) == (state(company, change) == "executed")
    assert company.log.verify().status == 0


# Somebody else's ----------------------------------------------------------------------------------


def test_others_requests_do_not_exist_for_who_would_withdraw_them(company: Company) -> None:
    change = propose(company)
    said = []
    for number in (change, change + 1):
        with pytest.raises(Illegal) as refused:
            company.parts.review.withdraw(number, company.caller("gerd"))
        said.append(str(refused.value).replace(str(number), "N"))
    assert said[0] == said[1]
    assert state(company, change) == "pending"


def test_promise_06_an_agent_applies_nothing_for_the_person_it_works_for(company: Company) -> None:
    change = propose(company)
    assert approve(company, change)
    ana = company.caller("ana")
    agent = ana.within(session="s", request="r", channel="agent")
    with pytest.raises(Refused) as refused:
        company.parts.review.apply(change, agent)
    assert refused.value.refusal.rule == "apply.agent"
    assert state(company, change) == "approved"
    company.parts.review.apply(change, ana)
    assert state(company, change) == "executed"


def test_a_number_that_no_request_can_have_is_none(company: Company) -> None:
    review, rita = company.parts.review, company.caller("rita")
    acts: tuple[Callable[[int], object], ...] = (
        lambda n: review.apply(n, rita),
        lambda n: review.withdraw(n, rita),
        lambda n: review.reject(n, rita, "No"),
        lambda n: review.inbox.view(n, rita),
    )
    for number in (10**30, -(10**30)):
        for act in acts:
            with pytest.raises(Illegal, match="no change request"):
                act(number)
