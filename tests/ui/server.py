"""The real server on a free port, over a project whose pages only say who they are."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
PAGE = """
import streamlit as st
from ui import identity
person = identity.require({roles})
st.text("{name} page for " + person.name)
"""
ROLES = {
    "ask": "'analyst', 'reviewer', 'admin'",
    "approvals": "'analyst', 'reviewer', 'admin'",
    "audit": "'admin'",
    "admin": "'admin'",
}


@dataclass(frozen=True, kw_only=True)
class Server:
    """Where it listens and which data folder it has. `site` is another site on the same machine."""

    project: Path
    home: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"ws://localhost:{self.port}/_stcore/stream"


def make_project(folder: Path) -> Path:
    """Returns a copy of what is served, with pages of our own."""
    (folder / "ui").mkdir(parents=True)
    (folder / "pages").mkdir()
    shutil.copy(ROOT / "app.py", folder / "app.py")
    shutil.copy(ROOT / "ui" / "main.py", folder / "ui" / "main.py")
    shutil.copytree(ROOT / ".streamlit", folder / ".streamlit")
    for name, roles in ROLES.items():
        (folder / "pages" / f"{name}.py").write_text(PAGE.format(name=name, roles=roles))
    return folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(project: Path, home: Path, port: int, log: Path | None = None) -> Iterator[Server]:
    """Runs `streamlit run app.py` and yields once it answers; `log` takes what it prints."""
    server = Server(project=project, home=home, port=port)
    log = log or project / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)],
            cwd=project,
            env={**os.environ, "PYTHONPATH": str(ROOT), "GATEHOUSE_HOME": str(home)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        transport = httpx.HTTPTransport(retries=7)
        with httpx.Client(transport=transport, timeout=60) as client:
            assert client.get(f"{server.url}/healthz").status_code == 200, log.read_text()
        yield server
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.wait()
