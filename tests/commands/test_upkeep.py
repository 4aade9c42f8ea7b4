"""`gatehouse audit`: upkeep of the trail."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit import pgschema
from store import Store, accounts
from tests.audit.test_postgres import ROLE
from tests.commands.conftest import Shell
from tests.servers import ServerDatabase


def test_the_key_is_changed_and_the_trail_verifies(shell: Shell) -> None:
    said = shell("audit", "rotate-key", "--json")
    assert said.status == 0, said.err
    assert said.json["before"] != said.json["after"]
    assert str(said.json["after"]) in (shell.home / "audit" / "log.vkey").read_text()
    tail = shell("audit", "tail", "-n", "3", "--json")
    assert '"type":"key.rotated"' in tail.out
    assert '"os_account":' in tail.out
    assert shell("audit", "verify", "--json").status == 0


def test_old_records_are_sealed_and_expire_by_the_policy(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.sequencer.KEEP_EVERY", 2)
    for _ in range(3):
        assert shell("audit", "tail").status == 0
    assert "Nothing to seal" in shell("audit", "seal", "--before", "2020-01-01").out
    said = shell("audit", "seal", "--before", "2100-01-01", "--json")
    assert said.status == 0, said.err
    (sealed,) = said.json["sealed"]  # type: ignore[misc]
    assert sealed["first"] == 1  # type: ignore[call-overload]
    assert said.json["expired"] == []
    assert shell("audit", "seal", "--before", "2100-01-01", "--expire").status == 0
    assert list((shell.home / "audit" / "segments").glob("*.gz"))
    verified = shell("audit", "verify", "--json")
    assert verified.status == 0, verified.out
    assert verified.json["first"] == 1
    assert shell("audit", "seal", "--before", "yesterday").status == 2


def test_a_person_is_erased_and_the_trail_verifies(shell: Shell) -> None:
    query = ("query", "--source", "shop", "--as", "gerd", "SELECT id FROM orders")
    assert shell(*query).status == 0
    said = shell("audit", "erase", "--person", "gerd", "--json")
    assert said.status == 0, said.err
    account = str(said.json["account"])
    store = Store.open(shell.home)
    with store.read() as conn:
        found = accounts.get(conn, account)
        assert accounts.by_name(conn, "gerd") is None
    store.close()
    assert (found.display_name, found.disabled) == ("Erased person", True)
    assert shell(*query).status != 0
    assert account in shell("audit", "tail", "-n", "100").out
    assert "gerd" not in shell("audit", "tail", "-n", "100", "--json").out.casefold()
    assert shell("audit", "verify", "--deep").status == 0
    assert shell("audit", "erase", "--person", "gerd").status == 1


def test_one_record_is_proven(shell: Shell) -> None:
    assert shell("audit", "tail").status == 0
    said = shell("audit", "prove", "1")
    assert said.status == 0, said.err
    assert said.out.startswith("c2sp.org/tlog-proof@v1\nindex 0\n")
    assert shell("audit", "prove", "100000").status == 1


def test_what_the_owner_of_the_database_runs_is_printed_and_works(
    shell: Shell, postgres: ServerDatabase, tmp_path: Path
) -> None:
    from audit import AuditLog

    postgres.execute(
        f"DO $$ BEGIN CREATE ROLE {ROLE} LOGIN PASSWORD 'secret';"
        " EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    )
    said = shell("audit", "schema", "--role", ROLE)
    assert said.status == 0
    postgres.execute(said.out)
    with AuditLog.open(tmp_path / "a", app_version="1", url=postgres.url(ROLE, "secret")) as log:
        assert log.more_than_append() == ()
        assert log.verify().status == 0
    with AuditLog.open(tmp_path / "a", app_version="1", url=postgres.url()) as log:
        assert "do anything, as a superuser" in log.more_than_append()
    grants = shell("audit", "schema", "--role", ROLE, "--grants-only").out
    assert grants == pgschema.grants(ROLE)
    postgres.execute(f"DROP OWNED BY {ROLE}")


def test_upkeep_needs_the_operators_secret(shell: Shell) -> None:
    (shell.home / "operator.secret").unlink()
    for command in (("rotate-key",), ("seal",), ("erase", "--person", "ana"), ("prove", "1")):
        said = shell("audit", *command)
        assert said.status == 1
        assert "operator.secret" in said.err
