"""`gatehouse changes`: one request from its proposal to its undoing."""

from __future__ import annotations

from tests.commands.conftest import Said, Shell

CANCEL = "UPDATE orders SET status = 'cancelled' WHERE id = 2"
RECORD = {"id", "state", "fingerprint", "tables", "undo"}


def propose(shell: Shell, sql: str = CANCEL) -> Said:
    return shell(
        "changes", "propose", "--source", "shop", "--as", "ana", "--reason", "asked", "--json", sql
    )


def status_of(shell: Shell) -> object:
    sql = "SELECT status FROM orders WHERE id = 2"
    said = shell("query", "--source", "shop", "--as", "ana", "--json", sql)
    return said.json["rows"]


def decide(shell: Shell, verb: str, made: Said, person: str, *more: str) -> Said:
    return shell("changes", verb, str(made.json["id"]), "--as", person, "--json", *more)


def approve(shell: Shell, made: Said, person: str = "rita") -> Said:
    return decide(shell, "approve", made, person, "--fingerprint", str(made.json["fingerprint"]))


def test_promise_06_a_change_is_proposed_approved_applied_and_taken_back(shell: Shell) -> None:
    made = propose(shell)
    assert made.status == 0
    assert set(made.json) == RECORD
    assert made.json["state"] == "pending"
    assert made.json["tables"] == [{"table": "orders", "inserted": 0, "updated": 1, "deleted": 0}]
    assert made.json["undo"] == "exact"
    assert status_of(shell) == [["pending"]]

    own = decide(shell, "approve", made, "ana", "--fingerprint", str(made.json["fingerprint"]))
    assert own.status == 1
    other = decide(shell, "approve", made, "rita", "--fingerprint", "f" * 64)
    assert other.status == 1
    assert "changed since it was shown" in other.err

    approved = approve(shell, made)
    assert (approved.status, approved.json["state"]) == (0, "approved")
    assert set(approved.json) == RECORD
    applied = decide(shell, "apply", made, "rita")
    assert (applied.status, applied.json["state"]) == (0, "executed")
    assert status_of(shell) == [["cancelled"]]
    assert decide(shell, "apply", made, "rita").status == 1

    back = decide(shell, "undo", made, "rob", "--reason", "a mistake")
    assert (back.status, back.json["state"]) == (0, "pending")
    assert back.json["id"] != made.json["id"]
    assert approve(shell, back).status == 0
    assert decide(shell, "apply", back, "rita").status == 0
    assert status_of(shell) == [["pending"]]


def test_a_request_can_be_listed_shown_rejected_and_withdrawn(shell: Shell) -> None:
    first, second = propose(shell), propose(shell, "DELETE FROM orders WHERE id = 4")
    listed = shell("changes", "list", "--as", "rita", "--json")
    assert listed.status == 0
    assert {(c["id"], c["state"]) for c in listed.lines} == {
        (first.json["id"], "pending"),
        (second.json["id"], "pending"),
    }
    assert "asked" in shell("changes", "list", "--as", "rita").out
    assert decide(shell, "show", first, "rita").json == first.json
    shown = shell("changes", "show", str(first.json["id"]), "--as", "rita").out
    assert "orders: 0 added, 1 changed, 0 removed" in shown
    rejected = decide(shell, "reject", first, "rita", "--reason", "not needed")
    assert (rejected.status, rejected.json["state"]) == (0, "rejected")
    withdrawn = decide(shell, "withdraw", second, "ana")
    assert (withdrawn.status, withdrawn.json["state"]) == (0, "withdrawn")
    for made in (first, second):
        assert approve(shell, made).status == 1
    assert status_of(shell) == [["pending"]]


def test_an_unknown_request_is_named(shell: Shell) -> None:
    said = shell("changes", "show", "999", "--as", "rita", "--json")
    assert said.status == 1
    assert "999" in said.err
    assert said.out == ""


def test_a_read_or_a_forbidden_write_is_no_change(shell: Shell) -> None:
    said = propose(shell, "SELECT id FROM orders")
    assert said.status == 1
    assert "Rule: write.expected" in said.err
    said = propose(shell, "DELETE FROM tickets")
    assert said.status == 1
    assert "Rule:" in said.err
    assert shell("changes", "list", "--as", "rita", "--json").out == ""


def test_the_policy_can_switch_decisions_off_on_the_command_line(shell: Shell) -> None:
    made = propose(shell)
    shell.write_policy("version = 1\n", "version = 1\n[approvals]\ncommand_line = false\n")
    for verb, more in (
        ("approve", ("--fingerprint", str(made.json["fingerprint"]))),
        ("reject", ("--reason", "no")),
    ):
        said = decide(shell, verb, made, "rita", *more)
        assert said.status == 1
        assert "approvals.command_line" in said.err
    assert decide(shell, "show", made, "rita").json["state"] == "pending"
    assert decide(shell, "withdraw", made, "ana").status == 0
