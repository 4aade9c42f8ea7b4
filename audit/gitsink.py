"""Anchors as commits in a git repository, one file an anchor, by the git command."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from audit.remote import object_name
from audit.sinks import Anchor

_TIMEOUT_S: Final = 60.0
_IDENTITY: Final = ("-c", "user.name=gatehouse", "-c", "user.email=gatehouse@localhost")
_QUIET: Final = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ALLOW_PROTOCOL": "https:ssh:file",
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=10",
    "GIT_CONFIG_NOSYSTEM": "1",
}


class GitSink:
    """Commits the newest anchor in a clone of its own and pushes it to `repository`."""

    def __init__(self, repository: str, clone: Path, name: str = "git") -> None:
        """`clone` is a folder that this sink may make and remove.

        Raises:
            ValueError: the repository is not an absolute path or an https or ssh address, or there
                is no git command.
        """
        if not repository.startswith(("https://", "ssh://", "git@", "/", "file:///")):
            raise ValueError("a git repository is an absolute path, an https or an ssh address")
        found = shutil.which("git")
        if found is None:
            raise ValueError("the git command is not installed")
        self.name = name
        self._git = found
        self._repository = repository
        self._clone = clone

    def send(self, anchors: Sequence[Anchor]) -> None:
        """See `Sink.send`."""
        try:
            self._commit(anchors[-1])
        except (OSError, subprocess.SubprocessError) as error:
            # Whatever state the clone is in, the next attempt begins with a new one.
            shutil.rmtree(self._clone, ignore_errors=True)
            raise OSError("git failed") from error

    def _commit(self, anchor: Anchor) -> None:
        if not (self._clone / ".git").exists():
            shutil.rmtree(self._clone, ignore_errors=True)
            self._run("clone", "--quiet", "--", self._repository, str(self._clone), where=None)
        else:
            self._run("fetch", "--quiet", "origin")
        name = object_name(anchor)
        path = self._clone / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{anchor.line}\n", encoding="utf-8")
        self._run("add", "--", name)
        if self._run("status", "--porcelain"):
            self._run(*_IDENTITY, "commit", "--quiet", "-m", f"Checkpoint of {anchor.size} records")
        branch = self._run("symbolic-ref", "--short", "HEAD")
        if self._run("ls-remote", "--heads", "origin", branch):
            self._run(*_IDENTITY, "rebase", "--quiet", f"origin/{branch}")
        self._run("push", "--quiet", "origin", f"HEAD:{branch}")

    def _run(self, *arguments: str, where: str | None = "") -> str:
        place = ["-C", str(self._clone)] if where is not None else []
        done = subprocess.run(  # noqa: S603  # our own words, and names that were checked
            [self._git, *place, *arguments],
            check=True,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            env={**os.environ, **_QUIET},
        )
        return done.stdout.strip()
