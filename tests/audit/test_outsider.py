"""A verifier that others wrote for the same formats accepts our checkpoints and proofs.

It needs Python 3.12 and lives in an environment of its own, made here with pip.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from audit import AuditLog, Filter
from tests.audit.events import fill
from tests.servers import missing

pytestmark = pytest.mark.slow

VERIFIER = "aics-tlog==0.2.1"
Run = Callable[..., tuple[int, str]]


def newer_python() -> str | None:
    """A Python of 3.12 or newer: on the PATH, or one that pyenv keeps."""
    named = [f"python3.{minor}" for minor in range(12, 16)]
    kept = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [shutil.which(name) for name in named]
    found += [str(path) for path in sorted(kept.glob("3.1[2-9]*/bin/python3"))]
    for python in found:
        test = "import sys, venv; sys.exit(sys.version_info < (3, 12))"
        if python and subprocess.run([python, "-c", test], capture_output=True).returncode == 0:
            return python
    return None


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    python = newer_python()
    if python is None:
        missing("tlog", "there is no Python 3.12")
    folder = tmp_path_factory.mktemp("tlog")
    subprocess.run([python or "", "-m", "venv", str(folder)], check=True, capture_output=True)
    pip = [str(folder / "bin" / "pip"), "install", "--quiet", VERIFIER]
    if subprocess.run(pip, capture_output=True).returncode:
        missing("tlog", f"{VERIFIER} cannot be installed")

    def run(*arguments: object) -> tuple[int, str]:
        command = [str(folder / "bin" / "aics-tlog"), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    return run


def test_checkpoints_are_accepted_by_an_outsider(run: Run, log: AuditLog, tmp_path: Path):
    fill(log, 20)
    first = log.vkey
    log.rotate_key()
    both = log.head().note
    log.flush()
    notes = [json.loads(line)["note"] for line in log.anchors.read_text().splitlines()]
    assert notes[-1] == both
    for number, note in enumerate(notes[-8:]):
        path = tmp_path / f"{number}.txt"
        path.write_text(note)
        status, said = run("verify-checkpoint", "--note", path, "--log-key", first)
        assert status == 0, said
    path.write_text(both)
    assert run("verify-checkpoint", "--note", path, "--log-key", log.vkey)[0] == 0
    path.write_text(both.replace("\n21\n", "\n22\n"))
    assert run("verify-checkpoint", "--note", path, "--log-key", log.vkey)[0] != 0


def test_proofs_are_accepted_by_an_outsider(run: Run, log: AuditLog, tmp_path: Path):
    fill(log, 37)
    log.export(tmp_path / "bundle", Filter(text="hr.employees"))
    records = (tmp_path / "bundle" / "records.jsonl").read_text().splitlines()
    assert len(records) > 3
    for line in records:
        seq = json.loads(line)["seq"]
        text = (tmp_path / "bundle" / f"record-{seq}.tlog-proof").read_text()
        assert text == log.prove(seq)
        head, note = text.split("\n\n", 1)
        version, index, *hashes = head.split("\n")
        assert (version, index) == ("c2sp.org/tlog-proof@v1", f"index {seq - 1}")
        given = {"leaf": line, "proof": "\n".join(hashes), "note": note}
        for name, content in given.items():
            (tmp_path / name).write_text(content)
        options = ["--leaf", tmp_path / "leaf", "--proof", tmp_path / "proof"]
        options += ["--checkpoint", tmp_path / "note", "--log-key", log.vkey]
        status, said = run("verify-inclusion", *options, "--index", seq - 1)
        assert status == 0, said
        assert '"checkpoint_verified": true' in said
        assert run("verify-inclusion", *options, "--index", seq)[0] != 0
        (tmp_path / "leaf").write_text(line.replace("denied", "allowed"))
        assert run("verify-inclusion", *options, "--index", seq - 1)[0] != 0
