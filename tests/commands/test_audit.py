"""`gatehouse audit`."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.commands.conftest import Shell
from tests.company import EMAIL


@pytest.fixture
def used(shell: Shell) -> Shell:
    """A company whose trail holds a query, a denial and an address that must not be there."""
    for sql in ("SELECT id FROM orders", f"SELECT id FROM customers WHERE email = '{EMAIL}'"):
        assert shell("query", "--source", "shop", "--as", "ana", sql).status == 0
    assert shell("query", "--source", "shop", "--as", "ana", "SELECT * FROM salaries").status == 1
    return shell


def test_the_trail_is_read_searched_and_verified(used: Shell) -> None:
    tail = used("audit", "tail", "--json")
    assert tail.status == 0
    assert [r["seq"] for r in tail.lines] == sorted(r["seq"] for r in tail.lines)  # type: ignore[type-var]  # numbers
    assert EMAIL not in tail.out
    assert "policy.decided" in used("audit", "tail").out
    found = used("audit", "search", "salaries", "--json")
    assert found.status == 0
    assert found.lines
    assert used("audit", "search", "nothingofthekind", "--json").out == ""
    assert "events match" in used("audit", "search", "--table", "orders").out
    verified = used("audit", "verify", "--json")
    assert verified.status == 0, verified.out
    assert used("audit", "verify", "--deep").status == 0
    assert "audit.verified" in used("audit", "tail").out


def test_sealed_events_are_searched_when_asked_for(used: Shell) -> None:
    found = used("audit", "search", "salaries", "--json").lines
    assert used("audit", "rotate-key").status == 0  # what ends here can be sealed
    assert used("audit", "seal", "--before", "2100-01-01").status == 0
    assert "--sealed does that" in used("audit", "search", "salaries").out
    sealed = used("audit", "search", "salaries", "--sealed", "--json")
    assert sealed.status == 0, sealed.err
    assert sealed.lines == found
    assert "sealed events match" in used("audit", "search", "salaries", "--sealed").out
    newest = used("audit", "search", "sealed", "--json").lines[0]
    assert "audit.searched" in json.dumps(newest)


def test_promise_10_an_edited_record_ends_verify_with_status_1(used: Shell) -> None:
    (database,) = (p for p in (used.home / "audit").rglob("*.sqlite") if "index" not in p.name)
    db = sqlite3.connect(database)
    (table,) = (
        name
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if "record" in {row[1] for row in db.execute(f"PRAGMA table_info({name})")}
    )
    for (trigger,) in db.execute(
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    ).fetchall():
        db.execute(f"DROP TRIGGER {trigger}")
    edited = db.execute(
        f"UPDATE {table} SET record = replace(record, 'salaries', 'holidays')"
        " WHERE record LIKE '%salaries%'"
    ).rowcount
    db.commit()
    db.close()
    assert edited
    assert used("audit", "verify", "--json").status == 1


def test_an_export_is_checked_by_the_verifier_it_carries(used: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    said = used("audit", "export", str(folder), "--json")
    assert said.status == 0
    assert said.json["folder"] == str(folder)
    assert isinstance(said.json["records"], int)
    told = used("audit", "export", str(tmp_path / "told")).out
    (command,) = (line.strip() for line in told.splitlines() if "verify.py" in line)
    check = [sys.executable, "-I", *command.split()[1:]]
    done = subprocess.run(check, capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for path in folder.rglob("*.jsonl"):
        text = path.read_text(encoding="utf-8")
        if "salaries" in text:
            path.write_text(text.replace("salaries", "holidays"), encoding="utf-8")
    done = subprocess.run(check, capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 1, done.stdout
    again = used("audit", "export", str(folder))
    assert again.status == 1
    assert "is not an empty folder" in again.err
    (tmp_path / "file").touch()
    nowhere = used("audit", "export", str(tmp_path / "file" / "bundle"))
    assert nowhere.status == 1
    assert str(tmp_path / "file") in nowhere.err


def test_reading_the_trail_needs_the_operators_secret(used: Shell) -> None:
    (used.home / "operator.secret").unlink()
    for command in (("tail",), ("search", "x"), ("verify",), ("export", "elsewhere")):
        said = used("audit", *command)
        assert said.status == 1
        assert "operator.secret" in said.err


@pytest.mark.parametrize(
    ("name", "line_of"),
    [
        ("ocsf", lambda made: made["raw_data"]),
        (
            "otel",
            lambda made: made["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["body"][
                "stringValue"
            ],
        ),
    ],
)
def test_an_export_for_other_systems_carries_every_record_as_hashed(
    used: Shell, tmp_path: Path, name: str, line_of: Callable[[dict[str, Any]], str]
) -> None:
    folder = tmp_path / "bundle"
    said = used("audit", "export", str(folder), "--format", name, "--json")
    assert said.status == 0, said.err
    assert said.json["file"] == str(folder / f"{name}.jsonl")
    made = [json.loads(t) for t in (folder / f"{name}.jsonl").read_text().splitlines()]
    assert [line_of(m) for m in made] == (folder / "records.jsonl").read_text().splitlines()
    assert EMAIL not in (folder / f"{name}.jsonl").read_text()


def test_a_format_that_is_not_there_is_refused_before_anything_is_written(
    used: Shell, tmp_path: Path
) -> None:
    said = used("audit", "export", str(tmp_path / "bundle"), "--format", "syslog")
    assert said.status == 1
    assert "syslog is not a format. Use ocsf or otel." in said.err
    assert not (tmp_path / "bundle").exists()
    assert "audit.exported" not in used("audit", "tail").out


FILTERS = [
    (("--find", "salaries"), "find=salaries"),
    (("--person", "ana"), "who=ana"),
    (("--table", "orders"), "table=orders"),
    (("--verdict", "Denied"), "verdict=Denied"),
    (("--person", "ana", "--verdict", "Allowed"), "who=ana&verdict=Allowed"),
    (("--when", "Last hour"), "when=Last+hour"),
    (("--since", "2020-01-01T00:00Z", "--until", "2021-01-01T00:00Z"), None),
]


@pytest.mark.parametrize(("options", "query"), FILTERS)
def test_an_export_takes_the_filters_of_the_page(
    used: Shell, tmp_path: Path, options: tuple[str, ...], query: str | None
) -> None:
    from urllib.parse import parse_qsl

    from ui.auditing import files, filters
    from ui.home import open_log, open_store

    folder = tmp_path / "bundle"
    said = used("audit", "export", str(folder), *options, "--json")
    assert said.status == 0, said.err
    made = (folder / "records.jsonl").read_text().splitlines()
    assert len(made) == said.json["records"]
    assert (folder / "proofs.jsonl").exists()
    if query is None:
        assert made == []
        return
    store = open_store(used.home)
    with open_log(used.home) as log, store.read() as conn:
        people = filters.People(files.accounts.list_all(conn))
        wanted, problems = filters.from_query(dict(parse_qsl(query)), people)
        assert problems == ()
        now = files.dt.datetime.now(files.dt.UTC)
        page = log.search(filters.as_filter(wanted, people, now), limit=1000)
    store.close()
    # What was recorded since is of the export itself.
    shown = [one.line for one in reversed(page.records) if "audit.exported" not in one.line]
    assert [line for line in made if "audit.exported" not in line] == shown
    assert 0 < len(made) < 40


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--person", "zoe"), "Nobody is called zoe"),
        (("--verdict", "Fine"), "no verdict there is"),
        (("--since", "yesterday"), "2026-06-30T08:00Z"),
    ],
)
def test_a_filter_that_cannot_be_used_lets_nothing_out(
    used: Shell, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    done = used("audit", "export", str(tmp_path / "bundle"), *options)
    assert done.status == 1
    assert said in done.err
    assert not (tmp_path / "bundle").exists()
    assert used("audit", "search", *options).status == 1
