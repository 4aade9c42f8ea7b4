"""How much room the disk of the log has: it warns in time, then stops the work, never the log."""

from __future__ import annotations

import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Level = Literal["ok", "warn", "stop"]
_LOOK_S: Final = 5.0
_MIB: Final = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Watermark:
    """Warns when so much is used and less than `warn_free` bytes are left; stops alike.

    What is left below `stop_free` is the reserve: what runs is finished and recorded with it.
    """

    warn_used: float = 0.80
    warn_free: int = 20 * 1024 * _MIB
    stop_used: float = 0.95
    stop_free: int = 1024 * _MIB


@dataclass(frozen=True, kw_only=True)
class Room:
    """What is left on the disk, in bytes, and what follows from it."""

    level: Level
    free: int
    used: float

    @property
    def sentence(self) -> str:
        """What to say about it."""
        left = f"{self.free // _MIB:,} MiB are left on the disk of the audit log"
        if self.level == "stop":
            return f"Only {left}, so nothing runs until an operator makes room."
        return f"{left}. When it is nearly full, nothing will run: make room."


class Gauge:
    """Measures the disk of a folder every few seconds."""

    def __init__(self, folder: Path, watermark: Watermark) -> None:
        self._folder = folder
        self._watermark = watermark
        self._guard = threading.Lock()
        self._room: Room | None = None
        self._measured = 0.0

    def room(self) -> Room:
        """Returns how much room there is, at most a few seconds ago. Unknown counts as none."""
        with self._guard:
            now = time.monotonic()
            if self._room is None or now - self._measured >= _LOOK_S:
                self._room, self._measured = self._measure(), now
            return self._room

    def _measure(self) -> Room:
        try:
            disk = shutil.disk_usage(self._folder)
        except OSError:
            return Room(level="stop", free=0, used=1.0)
        used, mark = 1 - disk.free / max(disk.total, 1), self._watermark
        level: Level = "ok"
        if used >= mark.stop_used and disk.free < mark.stop_free:
            level = "stop"
        elif used >= mark.warn_used and disk.free < mark.warn_free:
            level = "warn"
        return Room(level=level, free=disk.free, used=used)
