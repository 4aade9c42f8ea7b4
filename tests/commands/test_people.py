"""`gatehouse people`."""

from __future__ import annotations

from tests.commands.conftest import Shell

PASSWORD = "correct horse 9\n"


def test_an_account_is_made_changed_and_disabled(shell: Shell) -> None:
    made = shell(
        "people", "add", "zoe", "--person", "Zoe Fox", "--role", "admin", stdin=PASSWORD * 2
    )
    assert made.status == 0, made.err
    assert "zoe can sign in." in made.out
    assert PASSWORD.strip() not in made.out + made.err
    assert "Zoe Fox" in shell("people", "list").out
    again = shell(
        "people", "add", "zoe", "--person", "Zoe Fox", "--role", "admin", stdin=PASSWORD * 2
    )
    assert again.status == 1
    assert again.err.strip()
    assert shell("people", "roles", "zoe", "--role", "analyst").status == 0
    assert shell("people", "disable", "zoe").status == 0
    assert "disabled" in shell("people", "list").out
    said = shell("query", "--source", "shop", "--as", "zoe", "SELECT 1")
    assert said.status == 1
    assert "no active account zoe" in said.err
    events = shell("audit", "tail").out
    for what in ("Account created", "Account roles changed", "Account disabled"):
        assert what in events


def test_what_is_wrong_is_named(shell: Shell) -> None:
    said = shell("people", "add", "zoe", "--person", "Zoe", "--role", "king")
    assert said.status == 2
    assert "There is no role king." in said.err
    said = shell(
        "people", "add", "zoe", "--person", "Zoe", "--role", "admin", stdin="short\nshort\n"
    )
    assert said.status == 1
    assert "A password has 8 to" in said.err
    for command in (("roles", "zoe", "--role", "admin"), ("disable", "zoe")):
        said = shell("people", *command)
        assert said.status == 1
        assert "There is no account zoe." in said.err


def test_accounts_are_for_operators(shell: Shell) -> None:
    (shell.home / "operator.secret").unlink()
    said = shell("people", "list")
    assert said.status == 1
    assert "operator.secret" in said.err
