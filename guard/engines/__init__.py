"""Step 5: GuardedQuery -> Rows. Drivers are imported only in this package."""

from guard.engines.base import Cancel, Engine, Estimate, Probe, Rows
from guard.engines.changing import open_change_engine
from guard.engines.embedded import Suspension
from guard.engines.opening import open_engine

__all__ = [
    "Cancel",
    "Engine",
    "Estimate",
    "Probe",
    "Rows",
    "Suspension",
    "open_change_engine",
    "open_engine",
]
