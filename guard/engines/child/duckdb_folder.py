"""The folder that a copy of a DuckDB file lies in, and the folders that killed processes left.

A process that is killed removes nothing. The folder is locked while its process lives, so whoever
comes next can tell what was left, and removes it: copies hold what nobody may read unmasked.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from pathlib import Path

_PREFIX = ".gatehouse-copy-"
_NAME = re.compile(re.escape(_PREFIX) + r"[a-z0-9_]{8}\Z")
_TRIES = 10


class Folder:
    """A new folder beside a database file, for its owner only, held until it is removed."""

    def __init__(self, beside: Path) -> None:
        """Removes what others left there first. Raises `OSError` where no folder can be made."""
        sweep(beside)
        for _ in range(_TRIES):
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=beside))
            with contextlib.suppress(OSError):  # a sweep has just found it, not locked yet
                self._held = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
                if _locked(self._held) and self.path.is_dir():
                    return
                os.close(self._held)
        raise FileNotFoundError(beside)

    def remove(self) -> None:
        """Removes it and everything in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._held)


def sweep(beside: Path) -> None:
    """Removes the folders whose process is gone; one that is in use, or not ours, stays."""
    with contextlib.suppress(OSError), os.scandir(beside) as entries:
        for entry in entries:
            if _NAME.match(entry.name) and entry.is_dir(follow_symlinks=False):
                _swept(Path(entry.path))


def _swept(path: Path) -> None:
    with contextlib.suppress(OSError):
        held = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if os.fstat(held).st_uid == os.geteuid() and _locked(held):
                shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(held)


def _locked(held: int) -> bool:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
