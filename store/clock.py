"""What time it is. The one place that reads `GATEHOUSE_NOW`, which freezes the clock.

A frozen clock is for screenshots and tests: `GATEHOUSE_NOW=2026-06-30T09:00:00Z`.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable

from store.errors import StoreError

Clock = Callable[[], dt.datetime]


def now() -> dt.datetime:
    """Returns the time in UTC, or the frozen time where `GATEHOUSE_NOW` is set.

    Raises:
        StoreError: `GATEHOUSE_NOW` is not an ISO 8601 time with an offset.
    """
    frozen = os.environ.get("GATEHOUSE_NOW")
    if not frozen:
        return dt.datetime.now(dt.UTC)
    try:
        moment = dt.datetime.fromisoformat(frozen)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise StoreError(
            f"GATEHOUSE_NOW is {frozen!r}. Write a time with its offset, such as "
            "2026-06-30T09:00:00Z, or unset it."
        )
    return moment.astimezone(dt.UTC)
