"""Sources on servers: two logins by name, never in the policy, and who a statement runs as."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.address import ServerAddress
from guard.errors import ConfigurationError
from guard.identity import Identity
from guard.policyfile import Policy, parse_policy
from guard.principal import Principal
from guard.rights import scope_of
from ui.environment import environment

BASE = {
    "engine": '"postgres"',
    "environment": '"production"',
    "database_secret": '"READ"',
    "write_secret": '"WRITE"',
}
READ = "postgresql://reader:hunter2@db.example/shop"
WRITE = "postgresql://writer:hunter3@db.example/shop"


def policy(extra: str = "", **changes: str | None) -> Policy:
    keys = {k: v for k, v in {**BASE, **changes}.items() if v is not None}
    lines = "\n".join(f"{k} = {v}" for k, v in keys.items())
    text = f"""
version = 1
[sources.shop]
{lines}
{extra}
[roles.romans]
members = ["ana"]
[roles.romans.sources.shop]
tables = ["people"]
[roles.all]
members = ["ana", "@reviewer"]
[roles.all.sources.shop]
tables = ["people"]
"""
    return parse_policy(text.encode(), Path("/p/policy.toml"))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"database": f'"{READ}"'}, "would put a login into this file"),
        ({"database_secret": None}, "set database_secret"),
        ({"database_secret": f'"{READ}"'}, "the URL itself never stands in this file"),
        ({"write_secret": '"READ"'}, "two different logins"),
        ({"write_secret": None, "writes": "true"}, "writes = true needs write_secret"),
        ({"engine": '"mysql"', "schemas": '["a"]'}, "schemas is for postgres"),
        ({"engine": '"sqlite"'}, "write_secret is for servers"),
        ({"engine": '"sqlite"', "write_secret": None, "schemas": '["a"]'}, "schemas is for server"),
    ],
)
def test_a_wrong_key_of_a_server_is_named(changes: dict[str, str | None], why: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        policy(**changes)
    assert why in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("extra", "why"),
    [
        ("[sources.shop.identity]\nroles = { romans = 'r' }", "identity.roles: all is missing"),
        ("[sources.shop.identity]\nroles = { nobody = 'r' }", "no such role"),
        ("[sources.shop.identity]\nroles = { romans = 'none', all = 'a' }", "a database role"),
        ("[sources.shop.identity]\nvariables = { \"App.User; x\" = 'id' }", "write a variable as"),
        ("[sources.shop.identity]\nvariables = { \"app.user\" = 'password' }", "variables"),
        ("[sources.shop.identity]\nvariables = { role = 'id' }", "write app.role, with a dot"),
    ],
)
def test_a_wrong_identity_is_named(extra: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        policy(extra)


def test_the_two_logins_come_from_their_secrets() -> None:
    made = policy()
    env = {"READ": READ, "WRITE": WRITE}
    reading, writing = made.database_of("shop", env), made.write_database_of("shop", env)
    assert isinstance(reading, ServerAddress)
    assert isinstance(writing, ServerAddress)
    assert (reading.user, writing.user) == ("reader", "writer")
    assert "hunter" not in f"{reading!r}{writing!r}{reading}"


@pytest.mark.parametrize("same", [READ, READ.replace("hunter2", "other"), READ.upper().lower()])
def test_promise_05_the_login_that_reads_is_not_the_one_that_writes(same: str) -> None:
    made = policy()
    for opened in (made.database_of, made.write_database_of):
        with pytest.raises(ConfigurationError, match="are the same login") as caught:
            opened("shop", {"READ": READ, "WRITE": same})
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["mysql://a:hunter2@h/d", "hunter2", "postgresql://h/d", ""])
def test_a_secret_that_is_no_address_is_named_and_not_shown(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        policy().database_of("shop", {"READ": url})
    assert "READ" in str(caught.value)
    assert "hunter2" not in f"{caught.value} {caught.value.__cause__!r}"


def test_a_person_appears_to_the_database_as_the_policy_says() -> None:
    made = policy(
        "[sources.shop.identity]\nroles = { romans = 'db_rome', all = 'db_all' }\n"
        "variables = { \"app.user\" = 'name', \"app.roles\" = 'data_roles' }"
    )

    def seen(name: str, roles: frozenset[str]) -> Identity:
        person = Principal(id="7", name=name, display_name="x", roles=roles)  # type: ignore[arg-type]
        scope = scope_of(made, person, "shop")
        assert scope is not None
        return scope.identity

    assert seen("ana", frozenset()) == Identity(
        role="db_rome", variables=(("app.user", "ana"), ("app.roles", "all,romans"))
    )
    assert seen("rita", frozenset({"reviewer"})).role == "db_all"


def test_secrets_come_from_the_environment_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secrets.toml"
    file.write_text('SHOP_A = "from file"\nSHOP_B = "file"\n[part]\nx = 1\n', encoding="utf-8")
    monkeypatch.setenv("SHOP_B", "environment")
    known = environment(file)
    assert (known["SHOP_A"], known["SHOP_B"]) == ("from file", "environment")
    assert "part" not in known
    assert environment(tmp_path / "none.toml").get("SHOP_A") is None
    file.write_text("SHOP_A = hunter2", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        environment(file)
    assert "hunter2" not in f"{caught.value} {caught.value.__cause__!r}"
