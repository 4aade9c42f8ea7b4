"""What the store raises.

StoreError               the store cannot be used as it is; the sentence says what to do
├── StoreBusy            another process held the store too long; nothing was written, try again
├── StoreConflict        a row broke a constraint (a name taken, a second vote); nothing was written
└── IllegalMove          a row was not in the state a step needs; read it again and decide again

Messages are for people. They carry no SQL, no values and no text from the database driver.
"""

from __future__ import annotations


class StoreError(Exception):
    """Base of everything this package raises on purpose."""


class StoreBusy(StoreError):
    """Another process held the store longer than the wait. Nothing was written; try again."""


class StoreConflict(StoreError):
    """A constraint of the store refused the write. Nothing of the transaction was kept."""


class IllegalMove(StoreError):
    """A row was not in the state the step needs, or the step does not exist. Read it again."""
