"""What the guard raises.

GuardError
├── Refused              a decision: rule, reason, part, alternative; an answer, not a fault
├── Interrupted          stopped by the person, the deadline or a limit while it ran
├── SourceUnavailable    the source could not be opened or its engine died; nothing was changed
│   └── PasswordNeeded   its server asks for a password, and the login has none
├── ConfigurationError   a policy, secret or data folder that cannot be used as it is
├── Illegal              a change request is not in the state the step needs
├── Drifted              the rows a change would touch are no longer those that were reviewed
└── OutcomeUnknown       a write may or may not have been committed; find out before anything else

Messages are written for the person who reads them: what was refused, why, the way out. They never
carry text from an engine, because engines quote values and names the person may not see.
"""

from __future__ import annotations

from dataclasses import dataclass

from guard.needs import Need


class GuardError(Exception):
    """Base of everything this package raises on purpose."""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why something did not run.

    `rule` is the stable id of the rule that decided (`table.not_allowed`), `reason` a sentence for
    the person, `part` the offending piece of the statement, `alternative` something that would be
    allowed. `fixable` is true when another statement for the same question may succeed (a misspelt
    column); a policy denial is never fixable and is never retried. `access_request` is what an
    admin could grant for a while, where anything could.
    """

    rule: str
    reason: str
    part: str | None = None
    alternative: str | None = None
    fixable: bool = False
    access_request: Need | None = None


class Refused(GuardError):
    """A statement was judged and the answer is no. Show `refusal`; do not retry unless fixable."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


class Interrupted(GuardError):
    """A statement was stopped before it finished.

    `cause` is `cancelled`, `timeout`, `bytes` or `limit`.
    """

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause


class SourceUnavailable(GuardError):
    """A source could not be reached or its engine process ended. Try again, or tell an operator."""


class PasswordNeeded(SourceUnavailable):
    """The server asks for a password, and the login came without one. Try again with it."""


class ConfigurationError(GuardError):
    """A policy, secret or data folder cannot be used. The message names the key and the mend."""


class Illegal(GuardError):
    """A change request was not in the state this step needs. Read it again and decide again."""


class OutcomeUnknown(GuardError):
    """The process that wrote died around its commit. Ask the source what became of it."""


class Drifted(GuardError):
    """What the change would do now differs from what was reviewed. Nothing ran; review it again."""


def refuse(
    rule: str,
    reason: str,
    *,
    part: str | None = None,
    alternative: str | None = None,
    fixable: bool = False,
    access_request: Need | None = None,
) -> Refused:
    """Returns a `Refused` ready to raise."""
    return Refused(
        Refusal(
            rule=rule,
            reason=reason,
            part=part,
            alternative=alternative,
            fixable=fixable,
            access_request=access_request,
        )
    )
