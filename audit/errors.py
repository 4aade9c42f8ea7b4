"""What the audit log raises.

AuditError
├── Unavailable     the log could not be written or read now: disk, lock, closed, too slow
│   ├── Flooded     one person has begun more than the log takes in a minute
│   └── Overtaken   somebody else wrote first; nothing was written, and again it goes
├── Malformed       the event cannot become a record; the caller has a mistake to mend
├── Tampered        what is stored is not what the log wrote last
│   └── RolledBack  fewer records are stored than were anchored: an older copy, or a new database
├── KeyUnusable     a key file is missing, unreadable or open to others
└── NewerFormat     the log was written by a newer version

Whoever gets an `AuditError` from `AuditLog.append` MUST NOT do what the event announced. Messages
say what happened and what to do, and quote nothing of the event.
"""

from __future__ import annotations


class AuditError(Exception):
    """Base of everything this package raises on purpose."""


class Unavailable(AuditError):
    """The log could not be used now. Nothing may run; try again once the cause is mended."""


class Flooded(Unavailable):
    """One person has begun too much at once. Nothing of it may run; wait a minute."""


class Overtaken(Unavailable):
    """Somebody else wrote first, so nothing was written. The log itself tries again."""


class Malformed(AuditError):
    """An event has a shape the log does not accept. Mend the caller."""


class Tampered(AuditError):
    """The stored log is not the one this log wrote. Stop, keep the files, run the verifier."""


class RolledBack(Tampered):
    """Anchors name more records than are stored. Stop, keep the files, find out why."""


class KeyUnusable(AuditError):
    """A key file cannot be used as it is. The message names the file and the mend."""


class NewerFormat(AuditError):
    """A newer version wrote this log. Use that version."""
