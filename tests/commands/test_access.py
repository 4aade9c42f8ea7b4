"""`gatehouse access` and `gatehouse policy` as an operator types them."""

from __future__ import annotations

from pathlib import Path

from store import Store, accounts
from tests.commands.conftest import Shell

READ = ("query", "--source", "shop", "--as", "ana", "SELECT amount FROM salaries")


def second_admin(shell: Shell) -> None:
    store = Store.open(shell.home)
    with store.write() as conn:
        accounts.create(
            conn,
            name="alma",
            display_name="Alma Second",
            roles={"admin"},
            password_hash="unused",
            now=store.now(),
        )
    store.close()


def test_a_refusal_prints_the_command_that_asks_and_the_command_works(shell: Shell) -> None:
    denied = shell(*READ)
    assert denied.status == 1
    hint = next(line for line in denied.err.splitlines() if line.startswith("Ask for access: "))
    words = hint.removeprefix("Ask for access: gatehouse ").split()
    words[words.index("NAME")] = "ana"
    words[words.index("WHY")] = "audit"
    assert shell(*words, "--json").json["state"] == "pending"
    listed = shell("access", "list", "--as", "adam", "--json").lines
    assert [(r["id"], r["person"], r["reason"]) for r in listed] == [(1, "Ana Lopez", "audit")]


def test_a_refusal_in_json_carries_the_command(shell: Shell) -> None:
    ask = shell(*READ, "--json").json["ask"]
    assert ask == ("gatehouse access request --source shop --table salaries --as NAME --reason WHY")
    dropped = shell("query", "--source", "shop", "--as", "ana", "--json", "DROP TABLE orders")
    assert dropped.json["ask"] is None


def test_the_whole_life_of_a_grant(shell: Shell) -> None:
    request = ("access", "request", "--source", "shop", "--as", "ana", "--reason", "audit")
    assert shell(*request, "--table", "salaries", "--hours", "1").status == 0
    refused = shell("access", "grant", "1", "--as", "rita")
    assert (refused.status, "needs the admin role" in refused.err) == (1, True)
    shown = shell("access", "show", "1", "--as", "adam").out
    assert "salaries, all rows" in shown
    assert "read amount" in shown
    granted = shell("access", "grant", "1", "--as", "adam", "--only", "salaries.id", "--json").json
    assert granted["state"] == "granted"
    narrow = shell("query", "--source", "shop", "--as", "ana", "--json", "SELECT * FROM salaries")
    assert narrow.json["columns"] == ["id"]
    assert shell("access", "revoke", "1", "--as", "adam", "--reason", "done").status == 0
    assert shell(*READ).status == 1
    assert shell("access", "list", "--as", "ana", "--json").json["state"] == "revoked"
    assert shell("audit", "verify").status == 0


def test_rejecting_and_withdrawing(shell: Shell) -> None:
    request = ("access", "request", "--source", "shop", "--as", "ana", "--reason", "audit")
    assert shell(*request, "--column", "customers.nothing").status == 0
    assert shell("access", "reject", "1", "--as", "adam", "--reason", "no").status == 0
    assert shell(*request, "--propose", "tickets").status == 0
    assert shell("access", "withdraw", "2", "--as", "ana").status == 0
    states = [r["state"] for r in shell("access", "list", "--as", "ana", "--json").lines]
    assert states == ["withdrawn", "rejected"]
    assert shell(*request, "--column", "nodot").status == 2


def test_decisions_on_the_command_line_can_be_switched_off(shell: Shell) -> None:
    shell.write_policy("version = 1\n", "version = 1\n[access]\ncommand_line = false\n")
    request = ("access", "request", "--source", "shop", "--as", "ana", "--reason", "audit")
    shell(*request, "--table", "salaries")
    refused = shell("access", "grant", "1", "--as", "adam")
    assert refused.status == 1
    assert "access.command_line" in refused.err


# Policy -------------------------------------------------------------------------------------------


def changed(shell: Shell, tmp_path: Path, old: str, new: str) -> str:
    text = (shell.home / "policy.toml").read_text()
    assert old in text
    file = tmp_path / "other.toml"
    file.write_text(text.replace(old, new))
    return str(file)


def test_a_hand_edited_file_is_not_used_and_the_command_says_so(shell: Shell) -> None:
    file = shell.home / "policy.toml"
    file.write_text(file.read_text().replace('"tickets"]', '"tickets", "salaries"]'))
    assert shell(*READ).status == 1
    assert "it is not used" in shell("policy", "list").out
    assert shell("policy", "activate").status == 0
    assert shell(*READ).status == 0


def test_a_proposal_needs_another_admin(shell: Shell, tmp_path: Path) -> None:
    second_admin(shell)
    file = changed(shell, tmp_path, '"tickets"]', '"tickets", "salaries"]')
    assert shell("policy", "propose", file, "--as", "adam", "--note", "Payroll").status == 0
    waiting = shell("policy", "list", "--json").lines[0]
    assert (waiting["proposal"], waiting["by"]) == (1, "adam")
    sha = str(waiting["sha256"])
    own = shell("policy", "approve", "1", "--as", "adam", "--sha256", sha)
    assert (own.status, "a different admin" in own.err) == (1, True)
    wrong = shell("policy", "approve", "1", "--as", "alma", "--sha256", "0" * 64)
    assert wrong.status == 1
    assert shell("policy", "approve", "1", "--as", "alma", "--sha256", sha).status == 0
    assert shell(*READ).status == 0
    assert shell("policy", "rollback", "1", "--as", "adam").status == 0
    assert shell("policy", "reject", "2", "--as", "adam").status == 0


def test_a_replay_is_printed_for_people_and_for_machines(shell: Shell, tmp_path: Path) -> None:
    shell("ask", "--source", "shop", "--as", "ana", "How many orders are there?")
    file = changed(shell, tmp_path, '["customers", "orders", "tickets"]', '["customers"]')
    found = shell("policy", "replay", file, "--json").json
    assert found["judged"] == 1
    (flip,) = found["flips"]  # type: ignore[misc]  # a list of one
    assert (flip["person"], flip["turned"]) == ("ana", "allowed to denied")
    said = shell("policy", "replay", file, "--last", "50").out
    assert "recorded statements judged by both policies" in said
    assert "made by the console itself" in said


def test_the_operator_alone_can_be_switched_off(shell: Shell) -> None:
    shell.write_policy("version = 1\n", "version = 1\n[activation]\noperator_alone = false\n")
    file = shell.home / "policy.toml"
    file.write_text(file.read_text().replace("operator_alone = false", "operator_alone = true"))
    refused = shell("policy", "activate")
    assert refused.status == 1
    assert "activation.operator_alone" in refused.err


def test_a_wrong_policy_is_neither_replayed_nor_proposed_nor_activated(
    shell: Shell, tmp_path: Path
) -> None:
    file = changed(shell, tmp_path, "version = 1", "version = 1\nno_such_key = 1")
    for command in (
        ("policy", "check", file),
        ("policy", "replay", file),
        ("policy", "propose", file, "--as", "adam"),
        ("policy", "activate", file),
    ):
        said = shell(*command)
        assert (said.status, "no_such_key" in said.err) == (1, True), command
