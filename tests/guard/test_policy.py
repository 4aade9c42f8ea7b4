"""What the policy decides, each refusal by its own rule."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from guard.catalog import Catalog, Column, Table
from guard.classify import Access, ColumnUse
from guard.decision import Allow, Deny, Hold
from guard.errors import ConfigurationError, Refusal
from guard.policy import decide
from guard.policyfile import Policy, parse_policy
from guard.principal import Principal
from guard.rights import narrowed, scope_of, visible

POLICY = """
version = 1
[sources.shop]
engine = "sqlite"
environment = "production"
database = "shop.sqlite"
writes = true
tags = { "customers.email" = "EMAIL_ADDRESS", "customers.phone" = "PHONE_NUMBER" }
[sources.shop.limits]
timeout_seconds = 5
[sources.ledger]
engine = "sqlite"
environment = "production"
database = "ledger.sqlite"
[roles.analysts]
members = ["ana", "bo"]
[roles.analysts.sources.shop]
tables = ["customers", "orders"]
hide = ["customers.national_id"]
lookup = ["customers.email"]
propose = ["orders", "customers"]
[roles.german]
members = ["gerd"]
[roles.german.sources.shop]
tables = ["customers", "orders"]
propose = ["customers"]
row_filters = { customers = "country = 'Germany'" }
[roles.spanish]
members = ["both"]
[roles.spanish.sources.shop]
tables = ["customers"]
row_filters = { customers = "country = 'Spain'" }
[roles.german2]
members = ["both"]
[roles.german2.sources.shop]
tables = ["customers"]
row_filters = { customers = "country = 'Germany'" }
[roles.support]
members = ["@reviewer"]
unmasked = ["EMAIL_ADDRESS"]
[roles.support.sources.shop]
tables = ["*"]
[roles.support.limits]
display_rows = 5000
[roles.books]
members = ["ana"]
[roles.books.sources.ledger]
tables = ["*"]
propose = ["entries"]
"""


def _columns(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name=n, type="text") for n in names)


CATALOG = Catalog(
    source="shop",
    dialect="sqlite",
    tables=(
        Table(name="customers", columns=_columns("id", "email", "phone", "country", "national_id")),
        Table(name="orders", columns=_columns("id", "customer_id", "status")),
        Table(name="salaries", columns=_columns("id", "amount")),
    ),
).tagged({"customers.email": "EMAIL_ADDRESS", "customers.phone": "PHONE_NUMBER"})


@pytest.fixture
def policy() -> Policy:
    return parse_policy(POLICY.encode(), Path("policy.toml"))


def person(name: str, *roles: str) -> Principal:
    return Principal(id=f"id-{name}", name=name, display_name=name, roles=frozenset(roles))


def read(*uses: ColumnUse, tables: tuple[str, ...] = ("customers",), **more: object) -> Access:
    values: dict[str, object] = {"tier": "read", "verb": "select", "tables": tables}
    return Access(**(values | {"named": tables, "columns": uses} | more))


def rule(access: Access, who: Principal, policy: Policy, source: str = "shop") -> str:
    decision = decide(access, who, source, policy, CATALOG)
    assert isinstance(decision, Deny), decision
    return decision.refusal.rule


def test_a_person_without_a_data_role_reaches_no_source(policy: Policy) -> None:
    assert rule(read(), person("stranger", "admin"), policy) == "source.not_allowed"
    assert rule(read(), person("ana"), policy, "nowhere") == "source.not_allowed"


def test_promise_03_rights_are_those_of_the_very_policy_and_person(policy: Policy) -> None:
    ana, nobody_has_roles = person("ana"), policy.model_copy(update={"roles": {}})
    for _ in range(2):
        assert scope_of(policy, ana, "shop") is not None
        assert scope_of(nobody_has_roles, ana, "shop") is None
        assert scope_of(policy, replace(ana, name="eve"), "shop") is None


def test_a_table_outside_every_role_is_refused(policy: Policy) -> None:
    assert rule(read(tables=("salaries",)), person("ana"), policy) == "table.not_allowed"


def test_a_table_behind_a_view_is_judged_too(policy: Policy) -> None:
    access = read(tables=("customers", "salaries"), named=("customers",))
    assert rule(access, person("ana"), policy) == "table.not_allowed"


def test_unknown_and_forbidden_tables_get_the_same_answer(policy: Policy) -> None:
    unknown = Refusal(rule="table.unknown", reason="x", part="nonsense", fixable=True)
    one = decide(read(problems=(unknown,)), person("ana"), "shop", policy, CATALOG)
    two = decide(read(tables=("salaries",)), person("ana"), "shop", policy, CATALOG)
    assert isinstance(one, Deny)
    assert isinstance(two, Deny)
    hidden = two.refusal
    assert one.refusal.reason.replace("nonsense", "salaries") == hidden.reason
    assert (one.refusal.rule, one.refusal.fixable) == (hidden.rule, hidden.fixable)


def test_hidden_and_misspelt_columns_get_the_same_answer(policy: Policy) -> None:
    typo = Refusal(rule="column.unknown", reason="x", part="customers.national_id", fixable=True)
    use = ColumnUse(table="customers", column="national_id", clause="output")
    one = decide(read(problems=(typo,)), person("ana"), "shop", policy, CATALOG)
    two = decide(read(use), person("ana"), "shop", policy, CATALOG)
    assert isinstance(one, Deny)
    assert one == two
    assert one.refusal.rule == "column.not_allowed"
    assert "national_id" not in (one.refusal.alternative or "")


@pytest.mark.parametrize(
    "clause", ["where", "join", "group", "having", "order", "distinct", "setop"]
)
def test_a_masked_column_may_not_steer_a_query(policy: Policy, clause: str) -> None:
    use = ColumnUse(table="customers", column="phone", clause=clause)
    assert rule(read(use), person("ana"), policy) == "masked.predicate"


def test_an_allowed_equality_look_up_on_a_masked_column_runs(policy: Policy) -> None:
    use = ColumnUse(table="customers", column="email", clause="where", lookup=True)
    assert isinstance(decide(read(use), person("ana"), "shop", policy, CATALOG), Allow)
    like = ColumnUse(table="customers", column="email", clause="where")
    assert rule(read(like), person("ana"), policy) == "masked.predicate"
    other = ColumnUse(table="customers", column="phone", clause="where", lookup=True)
    assert rule(read(other), person("ana"), policy) == "masked.predicate"


def test_an_unmasked_entity_may_filter_and_sort(policy: Policy) -> None:
    use = ColumnUse(table="customers", column="email", clause="order")
    decision = decide(read(use), person("rev", "reviewer"), "shop", policy, CATALOG)
    assert isinstance(decision, Allow)
    assert decision.terms.unmasked.entities == {"EMAIL_ADDRESS"}


@pytest.mark.parametrize("tier", ["admin", "session", "ddl"])
def test_promise_07_some_things_never_run(policy: Policy, tier: str) -> None:
    for who in (person("ana"), person("rev", "reviewer", "admin")):
        assert rule(read(tier=tier, verb=tier), who, policy) == f"never.{tier}"


def test_promise_02_what_the_guard_does_not_know_is_refused(policy: Policy) -> None:
    problem = Refusal(rule="function.unknown", reason="x", part="mystery")
    assert rule(read(problems=(problem,)), person("ana"), policy) == "function.unknown"
    assert rule(read(tier="unknown"), person("ana"), policy) == "statement.unknown"


def test_a_write_is_held_and_never_allowed(policy: Policy) -> None:
    access = read(tier="write", verb="update", tables=("orders",), writes=("orders",))
    decision = decide(access, person("ana"), "shop", policy, CATALOG)
    assert isinstance(decision, Hold)
    assert decision.approvers == 1


def test_writes_are_refused_on_a_read_only_source(policy: Policy) -> None:
    catalog = Catalog(
        source="ledger",
        dialect="sqlite",
        tables=(Table(name="entries", columns=_columns("id")),),
    )
    access = read(tier="write", verb="delete", tables=("entries",), writes=("entries",))
    decision = decide(access, person("ana"), "ledger", policy, catalog)
    assert isinstance(decision, Deny)
    assert decision.refusal.rule == "source.read_only"


def test_a_write_to_a_table_outside_propose_is_refused(policy: Policy) -> None:
    access = read(tier="write", verb="update", tables=("orders",), writes=("orders",))
    assert rule(access, person("rev", "reviewer"), policy) == "write.not_allowed"
    nothing = read(tier="write", verb="update", writes=())
    assert rule(nothing, person("ana"), policy) == "write.not_allowed"


def test_a_person_with_limited_rows_may_not_propose(policy: Policy) -> None:
    access = read(tier="write", verb="update", writes=("customers",))
    assert rule(access, person("gerd"), policy) == "write.row_filter"


def test_a_write_may_not_copy_personal_data(policy: Policy) -> None:
    use = ColumnUse(table="customers", column="email", clause="output")
    access = read(use, tier="write", verb="update", writes=("customers",))
    assert rule(access, person("ana"), policy) == "masked.copied"


def test_row_filters_of_several_roles_are_joined_by_or(policy: Policy) -> None:
    scope = scope_of(policy, person("both"), "shop")
    assert scope is not None
    assert scope.row_filter("CUSTOMERS") == "(country = 'Germany') OR (country = 'Spain')" or (
        scope.row_filter("customers") == "(country = 'Spain') OR (country = 'Germany')"
    )


def test_a_role_without_a_filter_opens_all_rows(policy: Policy) -> None:
    opened = policy.model_copy(update={"roles": dict(policy.roles)})
    scope = scope_of(opened, person("gerd", "reviewer"), "shop")
    assert scope is not None
    assert scope.row_filter("customers") is None


def test_an_allow_carries_filters_limits_and_readable_columns(policy: Policy) -> None:
    decision = decide(read(), person("gerd"), "shop", policy, CATALOG)
    assert isinstance(decision, Allow)
    assert decision.terms.row_filters == (("customers", "(country = 'Germany')"),)
    assert decision.terms.limits.timeout_seconds == 5
    assert dict(decision.terms.readable)["customers"] == (
        "id",
        "email",
        "phone",
        "country",
        "national_id",
    )


def test_hidden_columns_are_absent_from_what_a_person_may_see(policy: Policy) -> None:
    scope = scope_of(policy, person("ana"), "shop")
    assert scope is not None
    seen = visible(CATALOG, scope)
    assert [t.name for t in seen.tables] == ["customers", "orders"]
    assert all(c.name != "national_id" for t in seen.tables for c in t.columns)
    assert narrowed(CATALOG, scope).table("salaries") is not None


def test_role_limits_widen_the_default(policy: Policy) -> None:
    scope = scope_of(policy, person("rev", "reviewer"), "shop")
    assert scope is not None
    assert scope.limits.display_rows == 5000
    assert scope.limits.timeout_seconds == 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version = 1", "sources is missing"),
        ("version = 1\nsurces = {}", "unknown key surces"),
        ("version = [", "not valid TOML"),
        ('version = 1\nsha256 = "x"\n[sources]\n[roles]', "unknown key sha256"),
        (POLICY.replace('engine = "sqlite"', 'engine = "oracle"'), "sources.shop.engine"),
        (POLICY.replace('database = "shop.sqlite"', ""), "exactly one of database"),
        (
            POLICY.replace("[roles.books.sources.ledger]", "[roles.books.sources.x]"),
            "no such source",
        ),
        (POLICY.replace('"customers.email" =', '"email" ='), "table.column"),
    ],
)
def test_a_broken_policy_is_refused_with_the_key_named(text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=r"policy\.toml") as caught:
        parse_policy(text.encode(), Path("policy.toml"))
    assert words in str(caught.value)


def test_a_missing_policy_file_says_what_to_do(tmp_path: Path) -> None:
    from guard.policyfile import load_policy

    with pytest.raises(ConfigurationError, match="gatehouse init"):
        load_policy(tmp_path / "policy.toml")
