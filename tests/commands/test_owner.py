"""The owner's password: from a variable, a file or the terminal, and never printed or written."""

from __future__ import annotations

import logging
import os
import pty
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.conftest import Shell
from tests.commands.test_secrets import CANARY, SHOP, in_files, quiet
from tests.servers import ServerDatabase, fresh_database

ROOT = Path(__file__).parents[2]
PASSWORD = f"o {CANARY}@:/?#%ü"
WARNING = "Warning: a password on the command line is shown by ps"
VARIABLES = {"postgres": "PGPASSWORD", "mysql": "MYSQL_PWD"}


@pytest.fixture(params=["postgres", "mysql"])
def owned(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[ServerDatabase]:
    """A server that asks the owner of a shop for a password."""
    for variable in (*VARIABLES.values(), "PGPASSFILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with fresh_database(request.param) as database:
        database.execute(SHOP)
        yield from _asking_postgres(database) if request.param == "postgres" else _asking(database)


def _asking_postgres(database: ServerDatabase) -> Iterator[ServerDatabase]:
    owner = f"o_{database.name}"
    ((file,),) = database.execute("SHOW hba_file")
    rules = Path(str(file))
    before = rules.read_text()
    database.execute(f"CREATE ROLE {owner} SUPERUSER LOGIN PASSWORD '{PASSWORD}'")
    rules.write_text(f"local all {owner} scram-sha-256\n{before}")
    try:
        database.execute("SELECT pg_reload_conf()")
        time.sleep(0.3)
        yield ServerDatabase(
            engine="postgres", name=database.name, admin=owner, socket=database.socket
        )
    finally:
        rules.write_text(before)
        database.execute("SELECT pg_reload_conf()")
        database.execute(f"DROP ROLE {owner}")


def _asking(database: ServerDatabase) -> Iterator[ServerDatabase]:
    owner = f"o_{database.name}"
    database.execute(
        f"CREATE USER {owner}@localhost IDENTIFIED BY '{PASSWORD}';"
        f"GRANT ALL ON *.* TO {owner}@localhost WITH GRANT OPTION"
    )
    try:
        yield ServerDatabase(
            engine="mysql", name=database.name, admin=owner, socket=database.socket
        )
    finally:
        database.execute(f"DROP USER {owner}@localhost")


def test_promise_08_the_owners_password_comes_from_a_variable(
    bare: Shell,
    owned: ServerDatabase,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv(VARIABLES[owned.engine], PASSWORD)
    said = quiet(bare("connect", owned.url(), "--name", "shop"), caplog)
    assert said.status == 0, said.err
    assert "Warning" not in said.err
    assert "gatehouse_shop_read" in said.out
    said = quiet(bare("grants", owned.url(), "--source", "shop"), caplog)
    assert (said.status, said.err) == (0, "")
    assert "gatehouse_shop_read" in said.out
    assert in_files(bare.home) == []


def test_a_password_in_the_url_is_used_and_warned_about(
    bare: Shell, owned: ServerDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLES[owned.engine], "another one")
    url = owned.url(password=PASSWORD)
    for said in (bare("connect", url, "--name", "shop"), bare("grants", url, "--source", "shop")):
        assert said.status == 0, said.err
        assert said.err.count(WARNING) == 1
        assert CANARY not in said.err + said.out
    assert in_files(bare.home) == []


def test_without_a_password_or_a_terminal_it_says_where_one_may_stand(
    bare: Shell, owned: ServerDatabase
) -> None:
    said = bare("connect", owned.url(), "--name", "shop")
    assert said.status == 1
    assert "asks for a password" in said.err
    assert VARIABLES[owned.engine] in said.err
    assert (".pgpass" in said.err) == (owned.engine == "postgres")
    assert not (bare.home / "policy.toml").exists()


def test_a_wrong_password_is_not_asked_for_again(
    bare: Shell, owned: ServerDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLES[owned.engine], "wrong")
    said = bare("connect", owned.url(), "--name", "shop")
    assert said.status == 1
    assert "login" in said.err
    assert "asks for a password" not in said.err


@pytest.mark.parametrize("owned", ["postgres"], indirect=True)
def test_the_password_file_of_postgresql_is_read(
    bare: Shell, owned: ServerDatabase, tmp_path: Path
) -> None:
    file = tmp_path / ".pgpass"
    escaped = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    file.write_text(f"*:*:{owned.name}:{owned.admin}:{escaped}\n", encoding="utf-8")
    file.chmod(0o600)
    said = bare("connect", owned.url(), "--name", "shop")
    assert said.status == 0, said.err
    assert "Warning" not in said.err


def test_at_a_terminal_the_password_is_asked_for_once_and_does_not_show(
    bare: Shell, owned: ServerDatabase
) -> None:
    shown, status = _typed(["connect", owned.url(), "--name", "shop"], bare.home)
    assert status == 0, shown
    assert shown.count("Password of the owner:") == 1
    assert CANARY not in shown
    assert "gatehouse_shop_read" in shown
    assert in_files(bare.home) == []


def _typed(words: list[str], home: Path) -> tuple[str, int]:
    """Runs the program at a terminal of its own and types the password when it is asked for."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(ROOT)
        environment = os.environ | {"GATEHOUSE_HOME": str(home), "PYTHONPATH": "."}
        os.execve(sys.executable, [sys.executable, "cli.py", *words], environment)
    shown, asked = b"", False
    while True:
        try:
            shown += os.read(terminal, 4096)
        except OSError:  # the terminal is closed from its other end
            break
        if not asked and b"owner: " in shown:
            asked = True
            os.write(terminal, PASSWORD.encode() + b"\n")
    os.close(terminal)
    return shown.decode(errors="replace"), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
