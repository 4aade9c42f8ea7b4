"""Masked values on request: for one person with the right and a reason, recorded, kept nowhere."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from audit import Access, AuditEvent, AuditLog, Unavailable
from guard import Caller, Refused, Revealed, RevealRequest
from tests.company import EMAIL, POLICY, SURNAME, Company, make_company

REASON = "Call the customer back about ticket 4711"
PASSWORD = "hunter2-qzcanary"
TOKEN = "ghp_" + "A1b2C3d4E5f6" * 3
_POLICY = POLICY.replace(
    'members = ["ana", "@reviewer", "@admin"]',
    'members = ["ana", "rita", "@admin"]',
).replace(
    "[roles.germans]",
    """[roles.support]
members = ["ana", "gerd"]
reveal = ["EMAIL_ADDRESS", "tickets.body", "logins.password", "logins.note"]
limits = { reveal_rows = 2, reveal_rows_per_day = 5 }
[roles.support.sources.shop]
tables = ["logins"]
[roles.germans]""",
)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Company]:
    """Ana may reveal addresses, ticket texts and two columns of logins that hold secrets too."""
    opened = make_company(tmp_path / "shop", _POLICY)
    with sqlite3.connect(opened.database) as db:
        db.execute("CREATE TABLE logins(id INTEGER PRIMARY KEY, password TEXT, note TEXT)")
        db.execute("INSERT INTO logins VALUES (1, ?, ?)", (PASSWORD, f"write to {EMAIL}"))
        db.execute("INSERT INTO logins VALUES (2, 'x', ?)", (f"key {TOKEN} of {EMAIL}",))
        db.execute("INSERT INTO tickets VALUES (3, 1, ?)", (f"my token is {TOKEN} thanks",))
    db.close()
    yield opened
    opened.close()


def reveal(
    company: Company,
    sql: str = "SELECT id, email, last_name FROM customers ORDER BY id",
    columns: tuple[int | str, ...] = ("email",),
    *,
    caller: Caller | None = None,
    reason: str = REASON,
    **asked: object,
) -> Revealed:
    caller = caller or company.caller("ana", "sql", session="s")
    request = RevealRequest(columns=columns, reason=reason, **asked)  # type: ignore[arg-type]
    return company.parts.gate.reveal(sql, source="shop", caller=caller, asked=request)


def rule(company: Company, *args: object, **kwargs: object) -> str:
    with pytest.raises(Refused) as caught:
        reveal(company, *args, **kwargs)  # type: ignore[arg-type]
    refusal = caught.value.refusal
    assert EMAIL not in str(refusal)
    assert refusal.reason.endswith(".")
    return refusal.rule


def test_the_cells_asked_for_come_back_and_no_others(shop: Company) -> None:
    shown = reveal(shop)
    assert shown.names == ("id", "email", "last_name")
    assert [row[1] for row in shown.values] == [EMAIL, "schmidt@mail.example"]
    assert all(str(row[2]).startswith("person_") for row in shown.values)
    assert (shown.sources, shown.more, shown.kept) == (("customers.email",), True, 0)
    assert EMAIL not in repr(shown)


def test_promise_09_a_reveal_is_recorded_before_anybody_sees_it(shop: Company) -> None:
    shown = reveal(shop)
    assert shop.events()[-5:] == [
        "policy.decided",
        "data.revealed",
        "query.intent",
        "query.executed",
        "data.revealed",
    ]
    [record] = shop.log.tail(1)
    event = record.event
    assert record.seq == shown.audit
    assert event.actor.id == shop.person("ana").id
    assert event.part(Access) == Access(columns=("customers.email",), classes=("EMAIL_ADDRESS",))
    assert "2 cells of customers.email, 2 rows" in event.summary
    assert "ticket 4711" in repr(event.parts)
    shop.log.flush()
    for path in (shop.home / "audit").rglob("*"):
        assert not path.is_file() or EMAIL.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("broken", [1, 2])
def test_promise_09_without_the_record_nothing_is_revealed(
    shop: Company, monkeypatch: pytest.MonkeyPatch, broken: int
) -> None:
    append, seen = AuditLog.append_many, []

    def fail(self: AuditLog, events: Sequence[AuditEvent]) -> object:
        seen.extend(event.type for event in events)
        if seen.count("data.revealed") == broken and seen[-1] == "data.revealed":
            raise Unavailable("The disk is full.")
        return append(self, events)

    monkeypatch.setattr(AuditLog, "append_many", fail)
    with pytest.raises(Unavailable):
        reveal(shop)
    assert ("query.intent" in seen) == (broken == 2)


@pytest.mark.parametrize(
    "reason", ["", "   ", "short", "..............", "test test test", "because I want to see it"]
)
def test_a_reason_that_says_nothing_is_none(shop: Company, reason: str) -> None:
    assert rule(shop, reason=reason) == "reveal.reason"
    assert "query.intent" not in shop.events()


@pytest.mark.parametrize(
    ("sql", "columns", "refused"),
    [
        ("SELECT last_name FROM customers", (0,), "reveal.not_allowed"),
        ("SELECT email || last_name AS x FROM customers", (0,), "reveal.untraced"),
        ("SELECT upper(email) AS email FROM customers", (0,), "reveal.untraced"),
        ("SELECT c.email || l.password AS x FROM customers c, logins l", (0,), "reveal.secret"),
        (
            "SELECT email FROM customers UNION SELECT country FROM customers",
            (0,),
            "masked.predicate",
        ),
        ("SELECT country AS email FROM customers", ("email",), "reveal.not_allowed"),
        ("SELECT email FROM customers", (1,), "reveal.nothing"),
        ("SELECT email FROM customers", (), "reveal.nothing"),
        ("SELECT email FROM customers", ("phone",), "reveal.nothing"),
        ("SELECT 1 AS email", ("email",), "reveal.nothing"),
        ("SELECT password FROM logins", (0,), "reveal.secret"),
        ("SELECT hex(password) FROM logins", (0,), "reveal.secret"),
        ("SELECT substr(note, 2) FROM logins", (0,), "reveal.untraced"),
        ("SELECT amount FROM salaries", (0,), "table.not_allowed"),
        ("UPDATE customers SET country = 'x'", (0,), "write.held"),
    ],
)
def test_what_may_not_be_revealed_is_refused_before_it_runs(
    shop: Company, sql: str, columns: tuple[int | str, ...], refused: str
) -> None:
    assert rule(shop, sql, columns) == refused
    assert "query.intent" not in shop.events()
    assert shop.events()[-1] == "policy.decided"


def test_the_right_is_the_persons_as_it_is_now(shop: Company) -> None:
    assert rule(shop, caller=shop.caller("rita", "sql", session="s")) == "reveal.not_allowed"
    reveal(shop)
    policy = shop.parts.gate.policy
    role = policy.roles["support"].model_copy(update={"reveal": ()})
    roles = {**policy.roles, "support": role}
    shop.enforce(policy.model_copy(update={"roles": roles}))
    assert rule(shop) == "reveal.not_allowed"


def test_rows_out_of_scope_stay_out(shop: Company) -> None:
    shown = reveal(shop, caller=shop.caller("gerd", "sql", session="g"))
    assert [row[1] for row in shown.values] == ["schmidt@mail.example", "weber@mail.example"]


def test_secrets_inside_revealed_text_stay_masked(shop: Company) -> None:
    shown = reveal(shop, "SELECT note FROM logins ORDER BY id", (0,))
    assert shown.values[0] == [f"write to {EMAIL}"]
    assert TOKEN not in str(shown.values)
    assert shown.kept == 1
    shown = reveal(shop, "SELECT body FROM tickets WHERE id = 3", (0,))
    assert TOKEN not in str(shown.values)


def test_the_agent_is_never_shown_anything(shop: Company) -> None:
    caller = shop.caller("ana", "agent", session="s")
    assert rule(shop, caller=caller) == "reveal.person_only"


def test_rows_of_one_reveal_and_of_a_day_are_limited(shop: Company) -> None:
    result = shop.parts.gate.query(
        "SELECT id, email FROM customers ORDER BY id",
        source="shop",
        caller=shop.caller("ana", "sql", session="s"),
    )
    sql = "SELECT id, email FROM customers ORDER BY id"
    assert rule(shop, sql, (1,), rows=(0, 1, 2), shown=result.table) == "reveal.rows"
    for _ in range(2):
        reveal(shop, sql, (1,), rows=(0, 2), shown=result.table)
    assert rule(shop, sql, (1,), rows=(0, 2), shown=result.table) == "limit.reveals"
    assert reveal(shop, sql, (1,), rows=(2,), shown=result.table).values == [
        [3, "weber@mail.example"]
    ]
    assert rule(shop, sql, (1,), rows=(2,), shown=result.table) == "limit.reveals"


def test_rows_that_are_not_those_that_were_seen_are_not_shown(shop: Company) -> None:
    sql = "SELECT country, email FROM customers WHERE country = 'Germany' ORDER BY id"
    caller = shop.caller("ana", "sql", session="s")
    seen = shop.parts.gate.query(sql, source="shop", caller=caller).table
    assert reveal(shop, sql, (1,), rows=(1,), shown=seen).values[0][1] == "weber@mail.example"
    with sqlite3.connect(shop.database) as db:
        db.execute("UPDATE customers SET email = 'other@mail.example' WHERE id = 3")
    db.close()
    assert rule(shop, sql, (1,), rows=(1,), shown=seen) == "reveal.changed"
    assert shop.events()[-1] == "query.failed"
    other = shop.caller("ana", "sql", session="another")
    assert rule(shop, sql, (1,), rows=(0,), shown=seen, caller=other) == "reveal.changed"


def test_without_a_reveal_the_right_shows_nothing(shop: Company) -> None:
    caller = shop.caller("ana", "sql", session="s")
    result = shop.parts.gate.query("SELECT email FROM customers", source="shop", caller=caller)
    assert EMAIL not in str(result.rows())
    with pytest.raises(Refused) as caught:
        shop.parts.gate.query(
            "SELECT id FROM customers ORDER BY email", source="shop", caller=caller
        )
    assert caught.value.refusal.rule == "masked.predicate"
    assert SURNAME not in str(reveal(shop).values)


def test_a_reveal_is_held_to_the_caps_on_what_a_statement_reads(shop: Company) -> None:
    policy = shop.parts.policy
    limits = policy.limits.model_copy(update={"max_estimated_rows": 1})
    shop.enforce(policy.model_copy(update={"limits": limits}))
    assert rule(shop) == "limit.without_estimate"
    assert shop.events()[-1] == "policy.decided"
