"""A process of its own that ends by kill -9 at a chosen point, as if the power went."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[1])
PRELUDE = """
import json, os, signal, sys
from pathlib import Path
from store import changes
home, point, given = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
secrets = json.loads(os.environ["SECRETS"])
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
def after(owner, name):
    real = getattr(owner, name)
    def then(*args, **kwargs):
        real(*args, **kwargs)
        die()
    setattr(owner, name, then)
"""
"""What each program finds: its data folder, the point to die at, and two ways to."""


def started(code: str, *given: str, secrets: Mapping[str, str]) -> subprocess.Popen[str]:
    """Returns a process that runs the code over this project, with lines to talk to it."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *given],
        cwd=ROOT,
        env=os.environ | {"SECRETS": json.dumps(dict(secrets)), "PYTHONPATH": ROOT},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def killed(
    code: str, home: Path, point: str, *given: str, secrets: Mapping[str, str] | None = None
) -> None:
    """Runs the code after the prelude until it kills itself; fails where it ends otherwise."""
    process = started(PRELUDE + code, str(home), point, *given, secrets=secrets or {})
    _, said = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, said
