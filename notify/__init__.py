"""Tells people and other systems what became of change requests. Nothing can be decided from there.

`Courier` sends what `guard.notices` has queued: over Apprise, or as signed JSON.
"""

from notify.courier import Courier

__all__ = ["Courier"]
