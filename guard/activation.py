"""Putting a policy version into force: the operator's own way, the record of it, and the file."""

from __future__ import annotations

from pathlib import Path
from tempfile import NamedTemporaryFile

from audit import Actor, AuditEvent, AuditLog, ConfigFacts
from guard.errors import ConfigurationError, Illegal, refuse
from guard.inforce import InForce
from guard.policyfile import parse_policy
from store import Store, policies
from store.ids import digest
from store.policies import PolicyVersion


def activate_alone(
    store: Store, log: AuditLog, policies_: InForce, text: str, *, os_account: str
) -> PolicyVersion:
    """Puts a text into force for whoever operates the machine, recorded with their OS account.

    For installations with one admin, and for a policy in force that this program cannot use.
    The caller MUST have checked that they are the operator.

    Raises:
        ConfigurationError: the text cannot be used; the message names the key.
        Refused: the policy in force switches this off (`activation.operator_alone`).
        Illegal: it is in force already.
    """
    policy = parse_policy(text.encode("utf-8"), policies_.file)
    try:
        alone = policies_.current().activation.operator_alone
    except ConfigurationError:
        alone = True  # nothing runs under a policy that cannot be used, so there is none to obey
    if not alone:
        raise refuse(
            "policy.operator_alone",
            "The policy in force asks for two admins (activation.operator_alone = false). Propose "
            "it and let a different admin activate it.",
        )
    with store.write() as conn:
        head = policies.head(conn)
        base = head.sha256 if head else ""
        if base == policy.sha256:
            raise Illegal("This policy is in force already.")
        version = policies.activate(
            conn, policy.text, activated_by=None, now=store.now(), os_account=os_account[:64]
        )
        actor = Actor(id="operator", type="system", auth="command_line", os_account=os_account)
        record_activation(log, actor, None, base, version)
    follow(policies_.file, base, text)
    return version


def record_activation(
    log: AuditLog, actor: Actor, request: str | None, base: str, version: PolicyVersion
) -> None:
    """Writes that a version came into force, with both hashes."""
    log.append(
        AuditEvent(
            type="config.changed",
            actor=actor,
            outcome="success",
            summary=f"Policy version {version.id} put into force",
            request=request,
            parts=(
                ConfigFacts(
                    kind="policy",
                    name=f"version-{version.id}",
                    change="activated",
                    before_sha256=base or None,
                    after_sha256=version.sha256,
                ),
            ),
        )
    )


def follow(file: Path, base: str, text: str) -> None:
    """Writes the text into the file if that still holds the version before; an edited one stays.

    A file that cannot be written stays too: the admin page says that it is not what is in force.
    """
    try:
        if digest(file.read_text(encoding="utf-8")) != base:
            return
        with NamedTemporaryFile("w", encoding="utf-8", dir=file.parent, delete=False) as fresh:
            fresh.write(text)
        Path(fresh.name).replace(file)
    except (OSError, UnicodeError):
        return
