"""SQLSTATE -> our fault. The server's text is never used: it quotes values and names.

Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

from collections.abc import Mapping

import psycopg

from guard.engines import faults
from guard.engines.child.faults import FaultCode
from guard.errors import GuardError, SourceUnavailable

_EXACT: Mapping[str, FaultCode] = {
    "25006": "not_allowed",  # a write in a read-only transaction
    "25001": "not_allowed",  # too late to make the transaction write
    "42501": "not_allowed",
    "42P01": "no_such_name",
    "42703": "no_such_name",
    "42883": "no_such_name",
    "42704": "no_such_name",
    "3F000": "no_such_name",
    "42601": "syntax",
    "22003": "arithmetic",
    "22012": "arithmetic",
    "54000": "value_too_large",
    "53200": "memory",
    "53400": "memory",
    "P0001": "constraint",  # a trigger says no
    "57014": "interrupted",
    "25P03": "interrupted",
    "55P03": "busy",
    "40001": "busy",
    "40P01": "busy",
}
_CLASSES: Mapping[str, FaultCode] = {
    "0A": "not_supported",
    "21": "meaning",
    "22": "types",
    "23": "constraint",
    "42": "meaning",
    "44": "constraint",
    "54": "not_supported",
}
_ENDED = ("57P01", "57P02", "57P03", "57P05", "08")


def fault_of(code: str) -> FaultCode:
    """Returns which of our faults an SQLSTATE is; `engine` for what is not known."""
    return _EXACT.get(code) or _CLASSES.get(code[:2]) or "engine"


def code_of(error: psycopg.Error) -> FaultCode:
    """Returns which of our faults a driver's error is."""
    return fault_of(error.sqlstate or "")


def to_error(code: str, source: str) -> GuardError:
    """Returns what to raise for an SQLSTATE."""
    if code.startswith(_ENDED):
        return lost(source)
    return faults.to_error(fault_of(code), source)


def lost(source: str) -> SourceUnavailable:
    """Returns the error for a connection that ended while a statement ran."""
    return SourceUnavailable(
        f"The server of {source} ended the connection. Nothing was changed; try again in a moment."
    )


def setting_up(source: str) -> SourceUnavailable:
    """Returns the error for a login whose session cannot be made as safe as the policy asks."""
    return SourceUnavailable(
        f"The server of {source} does not let its read login set up a statement as the policy "
        "asks. An operator can see why with `gatehouse doctor`."
    )


def too_powerful(source: str) -> SourceUnavailable:
    """Returns the error for a read login that may do more than read."""
    return SourceUnavailable(
        f"The read login of {source} may do more than read, so it is not used. An operator can see "
        "what with `gatehouse doctor`; `gatehouse connect` prints the statements for a login that "
        "can only read."
    )


def identity_open(source: str) -> SourceUnavailable:
    """Returns the error for a login whose statements could change who they run as."""
    return SourceUnavailable(
        f"On the server of {source}, a statement could change who it runs as, so none is run. An "
        "operator has to take away set_config: REVOKE EXECUTE ON FUNCTION "
        "pg_catalog.set_config(text, text, boolean) FROM PUBLIC."
    )
