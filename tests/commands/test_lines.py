"""`gatehouse classify`, `redact` and `lineage`, as processes with bytes on stdin."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.company import EMAIL

GARBAGE = [
    b"",
    b"not json",
    b"\xff\xfe\x00\x01",
    b"null",
    b"7",
    b'["id"]',
    b"{}",
    b'{"id": 1}',
    b'{"id": 2, "dialect": 3, "sql": 4, "column": 5, "values": 6, "tags": 7}',
    b'{"id": 3, "dialect": "klingon", "sql": "SELECT 1"}',
    b'{"id": 4, "dialect": "sqlite", "sql": "\\ud800\\u0000"}',
    b'{"id": 5, "dialect": "sqlite", "sql": "' + b"(" * 10_000 + b'"}',
    b'{"id": NaN, "dialect": "sqlite", "sql": "SELECT 1", "column": "c", "values": [NaN, 1e999]}',
    b"[" * 100_000,
    b'{"id": "\\ud800", "dialect": "sqlite", "sql": "SELECT 1", "values": ["\\ud800"]}',
]
GOOD = {
    "classify": {"id": "last", "dialect": "sqlite", "sql": "SELECT a FROM t"},
    "redact": {
        "id": "last",
        "column": "note",
        "dtype": "text",
        "values": [f"write to {EMAIL}", None, "fine"],
        "tags": {},
    },
    "lineage": {"id": "last", "dialect": "sqlite", "sql": "SELECT email, id FROM people"},
}


def run(command: str, lines: list[bytes], tmp_path: Path) -> list[dict[str, object]]:
    """Returns one object for each line printed; the process must end well."""
    options = []
    if command == "lineage":
        (tmp_path / "s.sql").write_text("CREATE TABLE people (id INTEGER, email TEXT);")
        (tmp_path / "t.json").write_text('{"people": {"email": "EMAIL_ADDRESS"}}')
        options = ["--schema", str(tmp_path / "s.sql"), "--tags", str(tmp_path / "t.json")]
    done = subprocess.run(
        [sys.executable, "-m", "cli", command, *options],
        input=b"\n".join(lines),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


@pytest.mark.parametrize("command", ["classify", "redact", "lineage"])
def test_garbage_gets_one_line_each_and_the_next_line_its_answer(
    command: str, tmp_path: Path
) -> None:
    good = json.dumps(GOOD[command]).encode()
    answers = run(command, [*GARBAGE, good], tmp_path)
    if command == "redact":
        assert set(answers.pop()) == {"_seconds"}
    assert len(answers) == len(GARBAGE) + 1
    assert all("id" in a for a in answers)
    last = answers[-1]
    assert last["id"] == "last"
    match command:
        case "classify":
            assert [a["decision"] for a in answers[:12]] == ["deny"] * 12
            assert last["decision"] == "allow_read"
            assert (last["kind"], last["tables"], last["columns"]) == ("read", ["t"], ["t.a"])
        case "redact":
            values = last["values"]
            assert isinstance(values, list)
            assert EMAIL not in str(values)
            assert values[1:] == [None, "fine"]
        case "lineage":
            assert all(a.keys() & {"sensitive", "unknown", "refused"} for a in answers)
            assert last["sensitive"] == [True, False]
            assert last["predicate_pii"] is False


@pytest.mark.parametrize(
    ("schema", "tags"),
    [
        ("CREATE TABLE t (a", "{}"),
        ("CREATE TABLE t (a TEXT);", "{"),
        ("CREATE TABLE t (a TEXT);", "[1]"),
        ("CREATE TABLE t (a TEXT);", '{"t.a": "PERSON"}'),
        ("CREATE TABLE t (a TEXT);", '{"t": {"b": "PERSON"}}'),
        (None, "{}"),
    ],
)
def test_a_schema_or_tags_that_cannot_be_read_are_named(
    schema: str | None, tags: str, tmp_path: Path
) -> None:
    if schema is not None:
        (tmp_path / "s.sql").write_text(schema)
    (tmp_path / "t.json").write_text(tags)
    command = [sys.executable, "-m", "cli", "lineage"]
    options = ["--schema", str(tmp_path / "s.sql"), "--tags", str(tmp_path / "t.json")]
    done = subprocess.run(
        [*command, *options], input="", capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert any(word in done.stderr for word in ("schema", "s.sql", "t.json", "t.b"))
