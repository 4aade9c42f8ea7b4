"""What can be decided about a statement, and what an Allow comes with."""

from __future__ import annotations

from dataclasses import dataclass

from guard.entitled import NOTHING, Entitled
from guard.errors import Refusal
from guard.identity import NO_IDENTITY, Identity
from guard.limitpolicy import Limits
from guard.policyfile import Environment


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What an Allow comes with: obligations the rewrite, the engine and the redaction must meet.

    `row_filters` pairs a table with a predicate over its columns; `readable` maps every base table
    in reach to the columns the person may have read at all (masked ones included); `unmasked`
    says what is shown as it is; `identity` is who the statement runs as inside a server.
    """

    limits: Limits
    row_filters: tuple[tuple[str, str], ...] = ()
    readable: tuple[tuple[str, tuple[str, ...]], ...] = ()
    unmasked: Entitled = NOTHING
    identity: Identity = NO_IDENTITY


@dataclass(frozen=True, kw_only=True)
class Allow:
    """Run it, under these terms."""

    rule: str
    reason: str
    terms: Terms


@dataclass(frozen=True, kw_only=True)
class Hold:
    """A write that may become a change request; a different person decides.

    `approvers` is how many different people must say yes.
    """

    rule: str
    reason: str
    environment: Environment
    approvers: int
    terms: Terms


@dataclass(frozen=True, kw_only=True)
class Deny:
    """No, and why."""

    refusal: Refusal


Decision = Allow | Hold | Deny
