"""The command line on the small company, called as `gatehouse` calls it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import app
from tests.company import make_company


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, object]:
        """The one JSON object on stdout."""
        (line,) = self.out.splitlines()
        return json.loads(line)

    @property
    def lines(self) -> list[dict[str, object]]:
        """One JSON object a line."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True)
class Shell:
    """Runs commands in one data folder."""

    home: Path

    def __call__(self, *args: str, stdin: str | bytes | None = None) -> Said:
        done = CliRunner().invoke(app, list(args), input=stdin)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        plain = re.sub(r"\x1b\[[0-9;]*m", "", done.stderr)
        return Said(done.exit_code, done.stdout, plain)

    def write_policy(self, old: str, new: str) -> None:
        """Changes the policy file and, as the operator, puts it into force."""
        file = self.home / "policy.toml"
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")
        assert self("policy", "activate").status == 0


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A data folder that is not there yet."""
    monkeypatch.setenv("GATEHOUSE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GATEHOUSE_MODEL", raising=False)
    return Shell(tmp_path / "home")


@pytest.fixture
def shell(bare: Shell) -> Iterator[Shell]:
    """The small company, made by `gatehouse init`."""
    make_company(bare.home).close()
    assert bare("init").status == 0
    return bare
