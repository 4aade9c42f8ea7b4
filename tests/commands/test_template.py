"""`gatehouse template`."""

from __future__ import annotations

from tests.commands.conftest import Shell
from tests.guard.test_templates import TEMPLATES


def ready(shell: Shell) -> Shell:
    shell.write_policy("[roles.germans]\n", f"{TEMPLATES}\n[roles.germans]\n")
    return shell


def test_templates_are_listed_for_the_person(shell: Shell) -> None:
    ready(shell)
    names = [line["template"] for line in shell("template", "--as", "gerd", "--json").lines]
    assert names == ["orders_of", "by_country"]


def test_a_template_runs_with_its_arguments(shell: Shell) -> None:
    ready(shell)
    args = ("--arg", "customer_id=1", "--arg", "least=15")
    said = shell("template", "orders_of", *args, "--as", "ana", "--json")
    assert said.status == 0
    assert said.json["rows"] == [[4, "cancelled", 40.0]]


def test_a_wrong_argument_is_refused_with_its_rule(shell: Shell) -> None:
    ready(shell)
    args = ("--arg", "customer_id=1 OR 1=1", "--arg", "least=15")
    said = shell("template", "orders_of", *args, "--as", "ana", "--json")
    assert said.status == 1
    assert said.json["rule"] == "template.arguments"
    assert shell("template", "orders_of", "--arg", "x", "--as", "ana").status == 2


def test_a_template_that_writes_gives_a_request(shell: Shell) -> None:
    ready(shell)
    args = ("--arg", "id=2", "--arg", "status=returned", "--reason", "R")
    said = shell("template", "close_order", *args, "--as", "ana", "--json")
    assert said.json == {"decision": "hold", "id": 1, "state": "pending", "rows": 1}


def test_a_template_of_others_is_not_there(shell: Shell) -> None:
    ready(shell)
    said = shell("template", "close_order", "--as", "gerd")
    assert said.status == 1
    assert "There is no template close_order for gerd." in said.err
