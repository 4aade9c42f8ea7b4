"""Access for a while: asked for, opened by another admin, ended by time, never more."""

from __future__ import annotations

import datetime as dt
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from guard import Caller, Need, Refused
from guard.accessgrants import TableGrant
from guard.errors import Illegal
from store import StoreConflict, StoreError, accounts
from tests.company import EMAIL, POLICY, SALARY, SURNAME, Company, make_company

HIDDEN = POLICY.replace(
    'tables = ["customers", "orders", "tickets"]',
    'tables = ["customers", "orders", "tickets"]\n'
    'hide = ["customers.last_name", "customers.country"]',
)
SALARIES = Need(kind="table", source="shop", table="salaries")
ALL_SALARIES = TableGrant(table="salaries", columns=("id", "amount"))


class Clock:
    """The store's clock, moved by hand."""

    def __init__(self) -> None:
        self.ahead = dt.timedelta()

    def __call__(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


def with_second_admin(company: Company) -> Company:
    with company.store.write() as conn:
        accounts.create(
            conn,
            name="alma",
            display_name="Alma Second",
            roles={"admin"},
            password_hash="unused",
            now=company.store.now(),
        )
    return company


@pytest.fixture
def shop(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    opened = with_second_admin(make_company(tmp_path / "home", HIDDEN))
    monkeypatch.setattr(opened.store, "now", clock)
    yield opened
    opened.close()


def read(shop: Company, sql: str, name: str = "ana") -> list[dict[str, object]]:
    result = shop.parts.gate.query(sql, source="shop", caller=shop.caller(name))
    return result.table.to_pylist()


def refused(shop: Company, sql: str, name: str = "ana") -> Refused:
    with pytest.raises(Refused) as caught:
        read(shop, sql, name)
    return caught.value


def asked(shop: Company, *needs: Need, name: str = "ana", hours: int = 24) -> int:
    return shop.parts.access.request(
        shop.caller(name), needs or (SALARIES,), reason="Quarterly report", hours=hours
    )


def opened(shop: Company, *tables: TableGrant, needs: tuple[Need, ...], hours: int = 24) -> int:
    request = asked(shop, *needs, hours=hours)
    shop.parts.access.grant(request, shop.caller("adam"), tables, hours=hours)
    return request


# What a denial asks for ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "need"),
    [
        ("SELECT * FROM salaries", SALARIES),
        (
            "SELECT id FROM customers WHERE country = 'Spain'",
            Need(kind="column", source="shop", table="customers", column="country"),
        ),
        (
            "SELECT id FROM tickets WHERE no_such = 1",
            Need(kind="column", source="shop", table="tickets", column="no_such"),
        ),
        ("SELECT * FROM no_such", Need(kind="table", source="shop", table="no_such")),
        ("DELETE FROM tickets WHERE id = 1", Need(kind="propose", source="shop", table="tickets")),
    ],
)
def test_a_denial_carries_what_would_be_needed(shop: Company, sql: str, need: Need) -> None:
    gate, caller = shop.parts.gate, shop.caller("ana")
    if sql.startswith("DELETE"):
        with pytest.raises(Refused) as caught:
            gate.propose(sql, source="shop", caller=caller, reason="r")
    else:
        with pytest.raises(Refused) as caught:
            gate.query(sql, source="shop", caller=caller)
    assert caught.value.refusal.access_request == need


def test_a_look_up_that_is_not_allowed_can_be_asked_for(company: Company) -> None:
    denied = refused(company, "SELECT id FROM customers WHERE last_name = 'Weber'")
    assert denied.refusal.rule == "masked.predicate"
    assert denied.refusal.access_request == Need(
        kind="lookup", source="shop", table="customers", column="last_name"
    )


@pytest.mark.parametrize(
    "sql", ["DROP TABLE orders", "PRAGMA writable_schema = 1", "GRANT ALL ON orders TO ana"]
)
def test_what_never_runs_cannot_be_asked_for(shop: Company, sql: str) -> None:
    assert refused(shop, sql).refusal.access_request is None


def test_what_the_policy_never_opens_is_not_offered_and_not_taken(tmp_path: Path) -> None:
    policy = POLICY + '\n[access]\nnever = ["shop.salaries"]\n'
    shop = with_second_admin(make_company(tmp_path / "home", policy))
    assert refused(shop, "SELECT * FROM salaries").refusal.access_request is None
    with pytest.raises(Refused) as caught:
        asked(shop)
    assert caught.value.refusal.rule == "access.never"
    # A request for the whole source does not open it either.
    request = asked(shop, Need(kind="source", source="shop"))
    with pytest.raises(Illegal, match="salaries was not asked for, or cannot be granted"):
        shop.parts.access.grant(request, shop.caller("adam"), [ALL_SALARIES], hours=1)
    shop.close()


def test_asking_tells_nothing_of_what_is_there(shop: Company) -> None:
    there, not_there = (
        refused(shop, f"SELECT * FROM {name}").refusal for name in ("salaries", "no_such")
    )
    assert there.reason.replace("salaries", "no_such") == not_there.reason
    assert asked(shop, SALARIES) < asked(shop, Need(kind="table", source="shop", table="no_such"))


# What a grant opens -------------------------------------------------------------------------------


def test_a_granted_table_is_read_and_nothing_else(shop: Company) -> None:
    opened(shop, ALL_SALARIES, needs=(SALARIES,))
    assert read(shop, "SELECT amount FROM salaries") == [{"amount": SALARY}]
    assert refused(shop, "SELECT * FROM salaries", "gerd").refusal.rule == "table.not_allowed"
    assert refused(shop, "SELECT * FROM salaries", "adam").refusal.rule == "table.not_allowed"
    assert refused(shop, "SELECT country FROM customers").refusal.rule == "column.not_allowed"


def test_a_grant_can_be_narrower_than_asked(shop: Company) -> None:
    request = asked(shop)
    narrow = TableGrant(table="salaries", columns=("id",))
    shop.parts.access.grant(request, shop.caller("adam"), [narrow], hours=1)
    assert read(shop, "SELECT * FROM salaries") == [{"id": 1}]
    assert refused(shop, "SELECT amount FROM salaries").refusal.rule == "column.not_allowed"


def test_a_granted_column_that_is_tagged_stays_masked(shop: Company) -> None:
    need = Need(kind="column", source="shop", table="customers", column="last_name")
    opened(shop, TableGrant(table="customers", columns=("last_name",)), needs=(need,))
    (row, *_) = read(shop, "SELECT last_name FROM customers ORDER BY id")
    assert row["last_name"] is not None
    assert SURNAME not in str(row)
    denied = refused(shop, f"SELECT id FROM customers WHERE last_name = '{SURNAME}'")
    assert denied.refusal.rule == "masked.predicate"


def test_a_granted_column_keeps_the_row_filter_of_the_role(tmp_path: Path) -> None:
    policy = POLICY.replace(
        'members = ["gerd"]\n[roles.germans.sources.shop]\n',
        'members = ["gerd"]\n[roles.germans.sources.shop]\nhide = ["customers.country"]\n',
    ).replace("customers = \"country = 'Germany'\"", 'customers = "id IN (2, 3)"')
    shop = with_second_admin(make_company(tmp_path / "home", policy))
    need = Need(kind="column", source="shop", table="customers", column="country")
    request = asked(shop, need, name="gerd")
    plan = shop.parts.access.plan(request, shop.caller("adam"))
    assert plan.tables[0].row_filter == "(id IN (2, 3))"
    grant = TableGrant(table="customers", columns=("country",))
    shop.parts.access.grant(request, shop.caller("adam"), [grant], hours=1)
    rows = read(shop, "SELECT id, country FROM customers ORDER BY id", "gerd")
    assert [r["id"] for r in rows] == [2, 3]
    shop.close()


def test_a_granted_look_up_finds_exact_values_and_shows_none(company: Company) -> None:
    shop = with_second_admin(company)
    need = Need(kind="lookup", source="shop", table="customers", column="last_name")
    opened(shop, TableGrant(table="customers", lookup=("last_name",)), needs=(need,))
    sql = f"SELECT id, last_name FROM customers WHERE last_name = '{SURNAME}'"
    (row,) = read(shop, sql)
    assert row["id"] == 1
    assert SURNAME not in str(row)
    like = refused(shop, "SELECT id FROM customers WHERE last_name LIKE 'V%'")
    assert like.refusal.rule == "masked.predicate"


def test_a_granted_right_to_propose_still_needs_a_reviewer(shop: Company) -> None:
    need = Need(kind="propose", source="shop", table="tickets")
    opened(shop, TableGrant(table="tickets", propose=True), needs=(need,))
    before = shop.content()
    made = shop.parts.gate.propose(
        "DELETE FROM tickets WHERE id = 1", source="shop", caller=shop.caller("ana"), reason="r"
    )
    assert made.state == "pending"
    assert shop.content() == before


def test_no_grant_unmasks(shop: Company) -> None:
    opened(
        shop,
        *(
            TableGrant(table=t.table, columns=tuple(c.name for c in t.columns))
            for t in shop.parts.access.plan(
                asked(shop, Need(kind="source", source="shop"), hours=1), shop.caller("adam")
            ).tables
        ),
        needs=(Need(kind="source", source="shop"), SALARIES),
    )
    assert EMAIL not in str(read(shop, "SELECT * FROM customers"))


# What ends it -------------------------------------------------------------------------------------


def test_an_expired_grant_does_not_bind_the_next_statement(shop: Company, clock: Clock) -> None:
    opened(shop, ALL_SALARIES, needs=(SALARIES,), hours=1)
    clock.ahead = dt.timedelta(minutes=59)
    assert read(shop, "SELECT amount FROM salaries")
    clock.ahead = dt.timedelta(minutes=60, seconds=1)
    assert refused(shop, "SELECT amount FROM salaries").refusal.rule == "table.not_allowed"


def test_an_expiry_is_written_down_once(shop: Company, clock: Clock) -> None:
    request = opened(shop, ALL_SALARIES, needs=(SALARIES,), hours=1)
    clock.ahead = dt.timedelta(hours=2)
    assert shop.parts.access.expire() == (request,)
    assert shop.parts.access.expire() == ()
    event = shop.log.tail(1)[0].event
    assert (event.type, event.summary) == (
        "approval.expired",
        f"Access grant #{request} has ended",
    )


def test_a_revoked_grant_ends_at_the_next_statement(shop: Company) -> None:
    request = opened(shop, ALL_SALARIES, needs=(SALARIES,))
    assert read(shop, "SELECT amount FROM salaries")
    shop.parts.access.revoke(request, shop.caller("alma"), "Left the project")
    assert refused(shop, "SELECT amount FROM salaries").refusal.rule == "table.not_allowed"
    assert "config.changed" in shop.events()


def test_a_grant_that_ends_in_the_middle_of_a_run_ends_its_next_statement(
    shop: Company, clock: Clock
) -> None:
    opened(shop, ALL_SALARIES, needs=(SALARIES,), hours=1)
    caller = shop.caller(
        "ana", "agent", session=shop.conversation()
    )  # looked up once, at the start
    gate = shop.parts.gate
    assert gate.query("SELECT amount FROM salaries", source="shop", caller=caller).table.num_rows
    clock.ahead = dt.timedelta(hours=2)
    assert caller.principal.openings  # what a caller carries does not count
    with pytest.raises(Refused) as caught:
        gate.query("SELECT amount FROM salaries", source="shop", caller=caller)
    assert caught.value.refusal.rule == "table.not_allowed"


def test_a_policy_that_stops_opening_something_ends_its_grants(shop: Company) -> None:
    opened(shop, ALL_SALARIES, needs=(SALARIES,))
    policy = shop.parts.policy
    never = policy.access.model_copy(update={"never": ("shop.salaries",)})
    shop.enforce(policy.model_copy(update={"access": never}))
    assert refused(shop, "SELECT amount FROM salaries").refusal.rule == "table.not_allowed"


# Who decides --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ana", "gerd", "rita"])
def test_only_an_admin_decides(shop: Company, name: str) -> None:
    request = asked(shop)
    desk, caller = shop.parts.access, shop.caller(name)
    for act in (
        lambda: desk.grant(request, caller, [ALL_SALARIES], hours=1),
        lambda: desk.reject(request, caller, "no"),
        lambda: desk.revoke(request, caller, "no"),
        lambda: desk.plan(request, caller),
        lambda: desk.all(caller),
    ):
        with pytest.raises(Refused) as caught:
            act()
        assert caught.value.refusal.rule == "access.role"
    assert desk.card(request, shop.caller("ana")).state == "pending"


def test_nobody_grants_their_own_request(shop: Company) -> None:
    request = asked(shop, name="adam")
    with pytest.raises(Refused) as caught:
        shop.parts.access.grant(request, shop.caller("adam"), [ALL_SALARIES], hours=1)
    assert caught.value.refusal.rule == "access.author"
    assert shop.log.tail(1)[0].event.summary.endswith("access.author")
    shop.parts.access.grant(request, shop.caller("alma"), [ALL_SALARIES], hours=1)
    assert read(shop, "SELECT amount FROM salaries", "adam")


def test_the_store_itself_refuses_a_grant_by_the_person_who_asked(shop: Company) -> None:
    from store import access

    request, person = asked(shop), shop.person("ana").id
    with pytest.raises((StoreConflict, StoreError)), shop.store.write() as conn:
        access.grant(
            conn,
            request,
            by=person,
            granted_json="[]",
            until=shop.store.now() + dt.timedelta(hours=1),
            comment="",
            now=shop.store.now(),
        )


def test_an_agent_neither_asks_nor_decides(shop: Company) -> None:
    request, desk = asked(shop), shop.parts.access
    agent = Caller(principal=shop.person("adam"), channel="agent")
    with pytest.raises(Refused, match="agent never asks"):
        desk.request(agent, (SALARIES,), reason="r", hours=1)
    with pytest.raises(Refused, match="agent never decides"):
        desk.grant(request, agent, [ALL_SALARIES], hours=1)


def test_forged_numbers_and_names_reach_nothing(shop: Company) -> None:
    request, desk = asked(shop), shop.parts.access
    for act in (
        lambda: desk.withdraw(request, shop.caller("gerd")),
        lambda: desk.card(request, shop.caller("gerd")),
    ):
        with pytest.raises(Illegal, match="that you can see"):
            act()
    with pytest.raises(Illegal, match="that you can see"):
        desk.card(10_000, shop.caller("gerd"))
    for table in (
        TableGrant(table="customers", columns=("last_name",)),
        TableGrant(table="sqlite_master", columns=("sql",)),
        TableGrant(table="salaries", columns=("no_such",)),
        TableGrant(table="salaries", columns=("id",), lookup=("amount",)),
        TableGrant(table="salaries", columns=("id",), propose=True),
        TableGrant(table="salaries"),
    ):
        with pytest.raises(Illegal):
            desk.grant(request, shop.caller("adam"), [table], hours=1)


@pytest.mark.parametrize("hours", [0, -1, 25, 10_000])
def test_a_grant_lasts_no_longer_than_asked(shop: Company, hours: int) -> None:
    with pytest.raises(Illegal, match="lasts 1 to 24 hours"):
        shop.parts.access.grant(asked(shop), shop.caller("adam"), [ALL_SALARIES], hours=hours)


def test_nobody_asks_for_longer_than_the_policy_allows(shop: Company) -> None:
    with pytest.raises(Illegal, match="1 to 168 hours"):
        asked(shop, hours=169)


def test_a_request_that_lapsed_cannot_be_granted(shop: Company, clock: Clock) -> None:
    request = asked(shop)
    clock.ahead = dt.timedelta(hours=169)
    with pytest.raises(Illegal, match="has lapsed"):
        shop.parts.access.grant(request, shop.caller("adam"), [ALL_SALARIES], hours=1)


def test_of_two_admins_at_once_one_decides(shop: Company) -> None:
    request, done = asked(shop), []

    def act(name: str) -> None:
        try:
            shop.parts.access.grant(request, shop.caller(name), [ALL_SALARIES], hours=1)
            done.append(name)
        except (Illegal, StoreError):
            pass

    threads = [threading.Thread(target=act, args=(name,)) for name in ("adam", "alma")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 1
    decided = [e for e in shop.events() if e == "approval.decided"]
    assert len(decided) == 1


def test_a_grant_that_cannot_be_recorded_opens_nothing(
    shop: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    from audit import Unavailable

    request = asked(shop)

    def full(_event: object) -> None:
        raise Unavailable("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(shop.log, "append", full)
        with pytest.raises(Unavailable):
            shop.parts.access.grant(request, shop.caller("adam"), [ALL_SALARIES], hours=1)
    assert refused(shop, "SELECT * FROM salaries").refusal.rule == "table.not_allowed"
    assert shop.parts.access.card(request, shop.caller("ana")).state == "pending"


def test_a_second_instance_sees_a_grant_at_its_next_statement(shop: Company) -> None:
    from ui.parts import open_parts

    other = open_parts(shop.home, shop.store, shop.log, {})
    caller = Caller(principal=shop.person("ana"), channel="sql")
    with pytest.raises(Refused):
        other.gate.query("SELECT amount FROM salaries", source="shop", caller=caller)
    request = opened(shop, ALL_SALARIES, needs=(SALARIES,))
    found = other.gate.query("SELECT amount FROM salaries", source="shop", caller=caller)
    assert found.table.num_rows == 1
    other.access.revoke(request, shop.caller("alma"), "enough")
    assert refused(shop, "SELECT amount FROM salaries").refusal.rule == "table.not_allowed"
    other.close()


def test_the_reason_reaches_the_trail_without_personal_data(shop: Company) -> None:
    shop.parts.access.request(
        shop.caller("ana"), (SALARIES,), reason=f"{EMAIL} wants to know", hours=1
    )
    assert EMAIL not in shop.log.tail(1)[0].line


def test_sources_still_see_only_the_openings_of_now(shop: Company) -> None:
    """A principal that was kept from before carries old openings; the gate looks again."""
    request = opened(shop, ALL_SALARIES, needs=(SALARIES,))
    kept = shop.caller("ana")
    shop.parts.access.revoke(request, shop.caller("alma"), "enough")
    assert kept.principal.openings
    view = shop.parts.gate.view("shop", kept)
    assert view.catalog.table("salaries") is None


def test_the_file_really_holds_what_is_guarded(shop: Company) -> None:
    with sqlite3.connect(shop.database) as db:
        assert db.execute("SELECT amount FROM salaries").fetchone() == (SALARY,)
