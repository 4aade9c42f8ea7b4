"""Who writes the log now: what tells a dead instance's intents from a living one's."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class Presence(Protocol):
    """This instance among those that write one log.

    `boot` names it in every event it writes.
    """

    boot: str

    def is_alive(self, boot: str) -> bool:
        """True when the instance `boot` still runs."""
        ...

    def alone(self, timeout_s: float) -> AbstractContextManager[None]:
        """Holds, inside the block, what one instance at a time may hold.

        Raises:
            Unavailable: another one kept it for longer than `timeout_s`.
        """
        ...

    def sweep(self) -> None:
        """Removes what dead instances left of themselves."""
        ...

    def stop(self) -> None:
        """Ends the instance. Again is harmless."""
        ...
