"""What happens by the clock, for as long as the console serves: one thread, a round every moment.

Requests expire, reminders and notices go out, approvals that were not used in time are previewed
again, templates lose their leave, questions of dead processes go on. Several processes may do this
at once: each step is one conditional write, so each thing happens once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from ui.parts import Parts
from ui.webparts import UNUSABLE

_log = logging.getLogger(__name__)

ROUND_SECONDS = 2.0


class Keeper:
    """Goes its rounds from `start` to `stop`."""

    def __init__(self, parts: Callable[[], Parts], seconds: float = ROUND_SECONDS) -> None:
        """`parts` gives the parts of now; it may raise what `UNUSABLE` lists."""
        self._parts = parts
        self._seconds = seconds
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins the rounds, once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="keeper", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ends the rounds and waits for the one under way."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(timeout=15)

    def _work(self) -> None:
        while not self._ended.wait(self._seconds):
            go_round(self._parts)


def go_round(parts: Callable[[], Parts]) -> None:
    """Does everything that is due. A step that does not work is tried again in the next round."""
    try:
        now = parts()
    except UNUSABLE as error:
        _log.debug("no round: %s", error)
        return
    steps: tuple[Callable[[], object], ...] = (
        now.review.expire,
        now.review.remind,
        now.review.refresh,
        now.earned.tend,
        now.courier.deliver,
        now.runs.resume,
    )
    for step in steps:
        try:
            step()
        except UNUSABLE as error:
            _log.warning("%s", error)
        except Exception:  # a fault of ours in one step keeps none of the others from being done
            _log.exception("a step of the clock failed")
