"""`gatehouse init`, `connect`, `doctor`, `policy check` and `serve`."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

from tests.commands.conftest import Shell
from tests.company import EMAIL


def contents(home: Path) -> dict[str, bytes]:
    """Returns the bytes of every file that a second `init` must leave alone."""
    kept = (p for p in home.iterdir() if p.is_file() and not p.name.startswith("state.sqlite"))
    return {p.name: p.read_bytes() for p in kept}


def test_init_makes_the_folder_and_says_what_to_do_next(bare: Shell) -> None:
    said = bare("init")
    assert said.status == 0
    assert "gatehouse connect" in said.out
    assert (bare.home / "operator.secret").stat().st_mode & 0o077 == 0
    assert bare.home.stat().st_mode & 0o077 == 0
    before = contents(bare.home)
    assert bare("init").status == 0
    assert contents(bare.home) == before


def test_the_demo_answers_a_question_and_is_made_once(bare: Shell) -> None:
    assert bare("init", "--demo").status == 0
    before = contents(bare.home)
    assert {"shop.sqlite", "warehouse.duckdb", "policy.toml"} <= set(before)
    assert bare("init", "--demo").status == 0
    assert contents(bare.home) == before
    people = bare("people", "list").out
    for name in ("analyst", "analyst2", "reviewer", "reviewer2", "admin", "admin2"):
        assert name in people
    said = bare("query", "--source", "shop", "--as", "analyst", "--json", "SELECT 1 AS one")
    assert (said.status, said.json["rows"]) == (0, [[1]])
    said = bare("doctor", "--json")
    assert [c["check"] for c in said.lines if not c["passed"]] == ["Demo mode is off"]
    assert said.status == 1
    assert bare("policy", "check").status == 0


def test_connect_writes_a_policy_that_works_on_a_database_nobody_here_made(
    bare: Shell, tmp_path: Path
) -> None:
    db = sqlite3.connect(tmp_path / "club.sqlite")
    db.executescript(
        f"""CREATE TABLE members (id INTEGER PRIMARY KEY, email TEXT, town TEXT);
        INSERT INTO members VALUES (1, '{EMAIL}', 'Porto'), (2, 'b@mail.example', 'Faro');"""
    )
    db.close()
    assert bare("init").status == 0
    said = bare("connect", f"sqlite:///{tmp_path / 'club.sqlite'}")
    assert said.status == 0, said.err
    written = (bare.home / "policy.toml").read_text(encoding="utf-8")
    assert "members.email" in written
    assert EMAIL not in written
    assert bare("policy", "check").status == 0
    again = bare("connect", f"sqlite:///{tmp_path / 'club.sqlite'}")
    assert again.status == 1
    assert "is there already" in again.err
    assert (bare.home / "policy.toml").read_text(encoding="utf-8") == written
    assert "query.executed" in bare("audit", "tail").out


def test_connect_names_what_it_cannot_read_and_writes_nothing(bare: Shell, tmp_path: Path) -> None:
    (tmp_path / "notes.sqlite").write_text("dear diary, this is no database at all")
    for url, why in (
        ("nonsense", "That is not the address of a database."),
        (f"sqlite:///{tmp_path / 'nothing.sqlite'}", "There is no file at"),
        (f"sqlite:///{tmp_path / 'notes.sqlite'}", "is not a SQLite database"),
        ("postgres://u:hunter2@/db?host=/nowhere", "cannot be reached, or does not accept"),
        ("postgres://u:hunter2@host", "must name a user and a database"),
    ):
        said = bare("connect", url)
        assert said.status == 1
        assert why in said.err
        assert "hunter2" not in said.err
        assert not (bare.home / "policy.toml").exists()


def test_doctor_tries_everything_and_says_what_is_left_to_do(shell: Shell) -> None:
    shell.write_policy("today = 2026-06-30", "today = 2026-06-30\ntags_confirmed = false")
    said = shell("doctor", "--json")
    [sent] = [c for c in said.lines if "elemetry" in c["check"]]
    assert sent["passed"]
    assert sent["check"] == "Telemetry is off: no spans are sent"
    assert "Its packages are installed." in sent["detail"]
    assert all(set(c) == {"check", "passed", "detail"} for c in said.lines)
    failed = [c["check"] for c in said.lines if not c["passed"]]
    assert failed == [
        "shop: a budget caps what one person may read",
        "shop: an admin has confirmed the column tags",
    ]
    assert said.status == 1
    shell.write_policy(
        "tags_confirmed = false", "tags_confirmed = true\nlimits = { rows_per_day = 100_000 }"
    )
    assert shell("doctor").status == 0
    (shell.home / "operator.secret").chmod(0o644)
    said = shell("doctor")
    assert said.status == 1
    assert "chmod 600" in said.out


def test_policy_check_names_the_key(shell: Shell, tmp_path: Path) -> None:
    assert "1 sources" in shell("policy", "check").out
    for broken, why in (
        ("version = 1\n[sources.shop", "is not valid TOML"),
        ("version = 1\ncolour = 'red'\n", "unknown key colour"),
        ("version = 1\n[sources.shop]\nengine = 'sqlite'\n", "sources.shop"),
        ("version = 1\n\x00", "is not valid TOML"),
    ):
        file = tmp_path / "broken.toml"
        file.write_text(broken, encoding="utf-8")
        said = shell("policy", "check", str(file))
        assert said.status == 1
        assert why in said.err
        assert "broken.toml" in said.err
    said = shell("policy", "check", str(tmp_path / "none.toml"))
    assert said.status == 1
    assert "There is no policy file" in said.err


def test_serve_says_that_its_port_is_in_use(shell: Shell) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "cli", "serve", "--port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"Port {port} is in use." in done.stderr
    assert done.stdout == ""


def test_commands_that_need_no_store_do_not_wait_for_heavy_packages() -> None:
    heavy = ("pydantic_ai", "pandas", "presidio_analyzer", "spacy", "streamlit", "duckdb")
    own = ("agent", "guard", "store", "audit", "redaction", "ui", "sqlalchemy", "pyarrow")
    for imports, unwanted in (
        ("cli", (*heavy, *own)),
        ("ui.home, ui.demo_mode", (*heavy, *(set(own) - {"ui"}))),
        ("guard.classifylines", heavy),
        ("guard.lineagelines", heavy),
        ("redaction", heavy),
        ("ui.setup, store.accounts", heavy),
    ):
        code = f"import sys, {imports}; print(*[m for m in {unwanted!r} if m in sys.modules])"
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONPATH": ""},
        )
        assert done.stdout.strip() == "", imports
