"""Query templates: arguments checked, bound as values, judged as any other statement."""

from __future__ import annotations

import datetime as dt
import uuid
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from guard import ConfigurationError, Refused
from guard.policyfile import parse_policy
from guard.result import Result
from guard.statement import parse
from guard.templates import Template, bound
from guard.toolpolicy import TemplatePolicy
from tests.company import POLICY, SALARY, Company, make_company

TODAY = dt.date(2026, 6, 30)
TEMPLATES = """
[templates.orders_of]
source = "shop"
description = "The orders of one customer."
sql = "SELECT id, status, total FROM orders WHERE customer_id = :customer_id AND total >= :least"
roles = ["analysts", "germans"]
calls_per_minute = 3
[templates.orders_of.arguments]
customer_id = { type = "int", min = 1, max = 1000 }
least = { type = "decimal", min = 0, max = 1000 }
[templates.close_order]
source = "shop"
description = "Cancels one order."
sql = "UPDATE orders SET status = :status WHERE id = :id"
roles = ["analysts"]
effect = "write"
[templates.close_order.arguments]
id = { type = "int", min = 1, max = 1000 }
status = { type = "enum", values = ["cancelled", "returned"] }
[templates.pay]
source = "shop"
description = "A table nobody may read."
sql = "SELECT amount FROM salaries WHERE id = :id"
roles = ["analysts"]
[templates.pay.arguments]
id = { type = "int", min = 1, max = 9 }
[templates.by_country]
source = "shop"
description = "Customers of a country."
sql = "SELECT id, email FROM customers WHERE country = :country"
roles = ["analysts", "germans"]
[templates.by_country.arguments]
country = { type = "text", max_length = 60 }
"""
WITH = POLICY + TEMPLATES


@pytest.fixture
def shop(tmp_path: Path):
    made = make_company(tmp_path / "home", WITH)
    yield made
    made.close()


def use(shop: Company, name: str, person: str = "ana", **arguments: object):
    caller = shop.caller(person, "agent", session=shop.conversation(person))
    return shop.parts.gate.use(name, arguments, source="shop", caller=caller, why="test")


def refused(shop: Company, name: str, person: str = "ana", **arguments: object) -> str:
    with pytest.raises(Refused) as caught:
        use(shop, name, person, **arguments)
    return caught.value.refusal.rule


def one(sql: str, engine: str = "sqlite", **arguments: object) -> TemplatePolicy:
    return TemplatePolicy.model_validate(
        {
            "source": "shop",
            "description": "x",
            "sql": sql,
            "roles": ["analysts"],
            "arguments": arguments,
        }
    )


def test_a_template_gives_the_rows_of_its_arguments_and_the_trail_names_it(shop: Company) -> None:
    found = use(shop, "orders_of", customer_id=1, least="15")
    assert isinstance(found, Result)
    assert found.rows() == [[4, "cancelled", 40.0]]
    events = [r.event for r in shop.log.tail(100) if r.event.type == "query.intent"]
    assert "orders_of" in str(events[-1].parts)
    action = next(p for p in events[-1].parts if p.group == "action")
    assert "15" not in action.statement, "values of arguments are not in the trail"


def test_a_template_is_judged_under_the_persons_own_rights(shop: Company) -> None:
    assert refused(shop, "pay", id=1) == "table.not_allowed"
    rows = use(shop, "by_country", country="Spain").rows()
    assert "canary" not in str(rows), "masked columns stay masked"
    assert use(shop, "by_country", "gerd", country="Spain").rows() == [], "row filters hold"


def test_a_template_that_writes_only_proposes(shop: Company) -> None:
    before = shop.content()
    proposed = use(shop, "close_order", id=2, status="cancelled")
    assert proposed.state == "pending"
    assert proposed.rows == 1
    assert shop.content() == before


def test_a_template_of_other_roles_does_not_exist(shop: Company) -> None:
    caller = shop.caller("gerd")
    names = [t.name for t in shop.parts.gate.templates("shop", caller)]
    assert names == ["orders_of", "by_country"]
    assert refused(shop, "close_order", "gerd", id=2, status="cancelled") == "template.unknown"
    assert refused(shop, "nothing") == "template.unknown"
    denied = [r.event for r in shop.log.tail(100) if r.event.outcome == "denied"]
    assert len(denied) == 2


def test_a_template_has_a_rate_of_its_own(shop: Company) -> None:
    for _ in range(3):
        use(shop, "orders_of", customer_id=1, least=0)
    assert refused(shop, "orders_of", customer_id=1, least=0) == "limit.tool_calls_per_minute"
    use(shop, "by_country", country="Spain")


WRONG = [
    {},
    {"customer_id": 1},
    {"customer_id": 0, "least": 0},
    {"customer_id": 1001, "least": 0},
    {"customer_id": "1 OR 1=1", "least": 0},
    {"customer_id": True, "least": 0},
    {"customer_id": 1.5, "least": 0},
    {"customer_id": 1, "least": "NaN"},
    {"customer_id": 1, "least": "1e400"},
    {"customer_id": 1, "least": "0.001"},
    {"customer_id": 1, "least": 0, "approved": True},
    {"customer_id": None, "least": 0},
    {"customer_id": [1], "least": 0},
]


@pytest.mark.parametrize("arguments", WRONG, ids=str)
def test_wrong_arguments_are_refused_before_anything_is_sent(
    shop: Company, arguments: dict[str, object]
) -> None:
    assert refused(shop, "orders_of", **arguments) == "template.arguments"
    assert "query.intent" not in shop.events()


INJECTIONS = (
    "' OR '1'='1",
    "'; DELETE FROM orders; --",
    "Spain' UNION SELECT amount, amount FROM salaries --",
    "\\' OR 1=1 --",
    "' || (SELECT amount FROM salaries) || '",
    "/* x */ ' --",
    '" OR ""="',
    "$$ || amount || $$",
    ":country",
    "''",
    "%' OR '%",
    "\uff07 OR 1=1",
)


@pytest.mark.parametrize("text", INJECTIONS)
def test_a_text_stays_a_text(shop: Company, text: str) -> None:
    before = shop.content()
    found = use(shop, "by_country", country=text)
    assert found.rows() == []
    assert str(SALARY) not in str(found)
    assert shop.content() == before


@pytest.mark.parametrize("text", ["a\0b", "a\x1bb", "a\ud800b", "", "x" * 61])
def test_a_text_that_cannot_be_sent_is_refused(shop: Company, text: str) -> None:
    assert refused(shop, "by_country", country=text) == "template.arguments"


@pytest.mark.parametrize("dialect", ["sqlite", "duckdb", "postgres", "mysql"])
@given(st.text(min_size=1, max_size=40))
def test_every_text_is_one_literal_in_every_dialect(dialect: str, text: str) -> None:
    settings = one("SELECT a FROM t WHERE b = :b", b={"type": "text", "max_length": 40})
    template = Template(name="t", settings=settings)
    try:
        values = template.checked({"b": text})
    except Refused:
        return
    try:
        sql = bound(settings, dialect, values, TODAY)
    except Refused:
        return  # what cannot be read back as the same value is not sent
    literals = list(parse(sql, dialect).tree.find_all(exp.Literal))
    assert [literal.this for literal in literals] == [text]


def test_negative_numbers_never_begin_a_comment() -> None:
    settings = one("SELECT a -:n FROM t", n={"type": "int", "min": -9, "max": 9})
    assert bound(settings, "sqlite", {"n": -5}, TODAY) == "SELECT a -(-5) FROM t"


def test_names_in_texts_and_comments_are_no_arguments() -> None:
    settings = one("SELECT ':n', a /* :n */ FROM t WHERE b = :n -- :n", n={"type": "uuid"})
    value = uuid.uuid4()
    sql = bound(settings, "sqlite", {"n": value}, TODAY)
    assert sql == f"SELECT ':n', a /* :n */ FROM t WHERE b = '{value}' -- :n"


@pytest.mark.parametrize(
    ("argument", "good", "bad"),
    [
        ({"type": "uuid"}, "6F9619FF-8B86-D011-B42D-00C04FC964FF", "6F9619FF"),
        ({"type": "date", "min": "2026-01-01"}, "2026-01-01", "2025-12-31"),
        ({"type": "date"}, "2026-01-01", 1_700_000_000),
        ({"type": "date"}, "2026-01-01", "1700000000"),
        ({"type": "enum", "values": ["a", "b"]}, "a", "A"),
        ({"type": "text", "max_length": 5, "pattern": "[A-Z]{2}"}, "DE", "DEU"),
        ({"type": "text", "max_length": 5, "pattern": "a|b"}, "b", "ab"),
        ({"type": "text", "max_length": 5}, "DE", 5),
    ],
)
def test_each_type_takes_what_it_says(
    argument: dict[str, object], good: object, bad: object
) -> None:
    template = Template(name="t", settings=one("SELECT a FROM t WHERE b = :b", b=argument))
    assert template.checked({"b": good})
    with pytest.raises(Refused) as caught:
        template.checked({"b": bad})
    assert caught.value.refusal.rule == "template.arguments"
    assert str(bad) not in caught.value.refusal.reason


def test_the_schema_says_the_bounds() -> None:
    settings = one("SELECT a FROM t LIMIT :n", n={"type": "int", "min": 1, "max": 24})
    schema = Template(name="t", settings=settings).schema()
    assert schema["additionalProperties"] is False
    number = schema["properties"]["n"]
    assert (number["minimum"], number["maximum"]) == (1, 24)


MISTAKES = [
    ("= :customer_id", "= :customer", "orders_of.sql: :customer is not listed in arguments"),
    ("AND total >= :least", "", "orders_of.arguments.least: the sql does not use :least"),
    ("FROM orders WHERE", "FROM :least WHERE", "orders_of.sql: "),
    ("SELECT id, status", "SELECT load_extension('x'), status", "orders_of.sql: The function"),
    ("SELECT id, status", "DELETE FROM x; SELECT id, status", "orders_of.sql: The text holds"),
    ("SELECT amount FROM salaries WHERE", "DELETE FROM salaries WHERE", "pay.effect: "),
    ('effect = "write"', 'effect = "read"', "close_order.effect: the statement is write"),
    ('["analysts", "germans"]', '["nobody"]', "orders_of.roles: no role nobody"),
    ('source = "shop"\ndescription = "The', 'source = "shoe"\ndescription = "The', "no source"),
    ("calls_per_minute = 3", "calls_a_minute = 3", "templates.orders_of.calls_a_minute"),
    ("[templates.pay", "[templates.run_query", "there is a tool of that name"),
    ("max = 9", "max = 0", "templates.pay.arguments.id"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), MISTAKES, ids=[m[1] or "cut" for m in MISTAKES])
def test_the_policy_names_the_wrong_key(old: str, new: str, said: str) -> None:
    assert old in WITH
    times = -1 if new == "[templates.run_query" else 1
    with pytest.raises(ConfigurationError, match=r"policy\.toml") as caught:
        parse_policy(WITH.replace(old, new, times).encode(), Path("policy.toml"))
    assert said in str(caught.value)


def test_a_role_can_be_held_to_some_tools(tmp_path: Path) -> None:
    held = WITH.replace(
        '[roles.germans]\nmembers = ["gerd"]',
        '[roles.germans]\nmembers = ["gerd"]\ntools = ["orders_of", "list_tables"]',
    )
    shop = make_company(tmp_path / "home", held)
    try:
        gate, caller = shop.parts.gate, shop.caller("gerd")
        assert [t.name for t in gate.templates("shop", caller)] == ["orders_of"]
        use(shop, "orders_of", "gerd", customer_id=2, least=0)
        gate.admit("list_tables", source="shop", caller=caller)
        for call in (
            lambda: gate.query("SELECT 1", source="shop", caller=caller),
            lambda: gate.propose("DELETE FROM orders", source="shop", caller=caller, reason="x"),
            lambda: gate.admit("describe_table", source="shop", caller=caller),
        ):
            with pytest.raises(Refused) as caught:
                call()
            assert caught.value.refusal.rule == "tool.not_allowed"
        assert gate.query("SELECT 1", source="shop", caller=shop.caller("ana")).rows() == [[1]]
    finally:
        shop.close()


def test_a_tool_nobody_knows_is_a_mistake_of_the_policy() -> None:
    wrong = WITH.replace('members = ["gerd"]', 'members = ["gerd"]\ntools = ["run_sql"]')
    with pytest.raises(ConfigurationError, match=r"roles\.germans\.tools: run_sql"):
        parse_policy(wrong.encode(), Path("policy.toml"))
