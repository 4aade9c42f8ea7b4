"""What a fault inside a worker means to the person who asked: fixed sentences, no engine text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from guard.engines.child.faults import FaultCode
from guard.errors import GuardError, Interrupted, SourceUnavailable, refuse


@dataclass(frozen=True, kw_only=True)
class _Refusal:
    reason: str
    alternative: str | None = None
    fixable: bool = True


_REFUSALS: Mapping[FaultCode, _Refusal] = {
    "no_such_name": _Refusal(
        reason="The engine does not know a table, column or function that the statement names.",
        alternative="Check the spelling against the listed tables and columns.",
    ),
    "syntax": _Refusal(
        reason="The engine cannot read this statement.",
        alternative="Write it more simply, in the SQL of this source.",
    ),
    "meaning": _Refusal(
        reason="The engine cannot make sense of a name, a type or the grouping in this statement.",
        alternative="Qualify ambiguous names; group by every column that is not aggregated.",
    ),
    "types": _Refusal(
        reason="A value does not fit the type it is converted to or compared with.",
        alternative="Convert with TRY_CAST or leave out the rows that do not fit.",
    ),
    "arithmetic": _Refusal(
        reason="A calculation left the range of numbers the engine can hold.",
        alternative="Compute with a wider type or with smaller numbers.",
    ),
    "not_allowed": _Refusal(
        reason="The engine was asked for something this question may not do or read.", fixable=False
    ),
    "not_supported": _Refusal(
        reason="The engine does not support a part of this statement.",
        alternative="Write it more simply.",
    ),
    "constraint": _Refusal(
        reason="A rule of the table refuses this change (a key, a reference, NOT NULL or CHECK).",
        alternative="Look at the rows it would break, and change the statement.",
    ),
    "too_many_rows": _Refusal(
        reason="This would touch more rows than one change may (approvals.max_rows).",
        alternative="Split it into smaller changes.",
    ),
    "not_exact": _Refusal(
        reason="It changes something that cannot be shown row by row, so it cannot be approved.",
        alternative="Change the rows of ordinary tables directly.",
        fixable=False,
    ),
    "triggers": _Refusal(
        reason="A trigger of this table writes to other rows, which cannot be shown or taken back, "
        "so it cannot be approved.",
        alternative="Have the trigger dropped, or have the owner of the database change the rows.",
        fixable=False,
    ),
    "changed_since": _Refusal(
        reason="Rows have changed since, so this cannot be taken back as it was.",
        alternative="Propose a new change for the rows as they are now.",
        fixable=False,
    ),
    "no_way_back": _Refusal(
        reason="This change of the schema cannot be taken back: nothing restores what it removed.",
        alternative="Propose a new change of the schema, or restore a backup.",
        fixable=False,
    ),
    "value_too_large": _Refusal(
        reason="A single value grew larger than the engine allows.",
        alternative="Shorten texts and lists before joining them together.",
    ),
}

_UNAVAILABLE: Mapping[FaultCode, str] = {
    "busy": "{source} is being changed right now. Try again in a moment.",
    "unfinished": "A change to {source} was cut off and must be rolled back before it can be read. "
    "An operator can do so by opening its database for writing once.",
    "missing": "The database file of {source} is not there. Restore it, or correct the policy.",
    "unreadable": "The database file of {source} cannot be read. Check its permissions and disk.",
    "not_a_database": "The file of {source} is not a database of the engine the policy names.",
    "newer_format": "The database of {source} was written by a newer version of its engine.",
    "shadowed": "{source} has a macro with the name of one of DuckDB's own functions, so nothing "
    "it says means what it seems to. Drop or rename the macro.",
    "damaged": "The database of {source} is damaged. Restore it from a backup.",
    "engine": "The engine of {source} failed on this statement. Nothing was changed.",
}


def to_error(code: FaultCode, source: str) -> GuardError:
    """Returns what to raise for a fault. It names the source and nothing the source holds."""
    refusal = _REFUSALS.get(code)
    if refusal is not None:
        return refuse(
            f"engine.{code}",
            refusal.reason,
            alternative=refusal.alternative,
            fixable=refusal.fixable,
        )
    if code == "memory":
        return Interrupted(
            "limit", "The statement needs more memory than it may use. Ask for less at a time."
        )
    if code == "result_too_large":
        return Interrupted(
            "bytes", "The result is larger than may be returned. Ask for fewer rows or columns."
        )
    if code == "interrupted":
        return stopped("timeout")
    return SourceUnavailable(_UNAVAILABLE[code].format(source=source))


def stopped(cause: str) -> Interrupted:
    """Returns the error for a statement that was stopped from outside: `cancelled` or `timeout`."""
    if cause == "cancelled":
        return Interrupted(cause, "Stopped, because you asked to.")
    return Interrupted(
        cause, "Stopped at the time limit. Narrow the question, or aggregate more coarsely."
    )


def died(source: str) -> SourceUnavailable:
    """Returns the error for a worker process that ended on its own while a statement ran."""
    return SourceUnavailable(
        f"The engine of {source} ended while it ran this statement. Nothing was changed; the next "
        "statement starts a fresh one."
    )


def displaced(source: str) -> Interrupted:
    """Returns the error for a read that had to give way to an approved change."""
    return Interrupted(
        "cancelled", f"Stopped, because an approved change to {source} had to run. Ask again."
    )


def all_busy(source: str) -> SourceUnavailable:
    """Returns the error for a read that found every worker busy until its own time was up."""
    return SourceUnavailable(f"{source} is busy with other questions. Try again in a moment.")


Distrust = Literal["authority", "name", "plain", "file"]
"""Why a server is not trusted: nobody known has signed for it, it is another one, it does not
encrypt, or the authorities' file cannot be read."""

_DISTRUST: Mapping[Distrust, str] = {
    "authority": "The server of {source} shows a certificate that has expired or that no trusted "
    "authority has signed, so no login was sent to it. Check its address; an authority of your own "
    "is named with ca_file in the policy.",
    "name": "The server of {source} shows a certificate for another name than its address has, so "
    "no login was sent to it. Correct the host in the address, or the certificate.",
    "plain": "The server of {source} does not encrypt, and it has to, so no login was sent to it. "
    "Turn TLS on there.",
    "file": "The file with the certificate authorities for {source} cannot be read. Check ca_file "
    "in the policy, or the option in the address.",
}


def distrusted(why: Distrust, source: str) -> SourceUnavailable:
    """Returns the error for a server that does not show who it is."""
    return SourceUnavailable(_DISTRUST[why].format(source=source))
