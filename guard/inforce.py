"""The policy in force: the version that was activated last, looked up in the store at every call.

A file on the disk is never in force by itself. Only the very first start of an installation takes
the file as version 1, because nobody could have reviewed it; that start is audited.
"""

from __future__ import annotations

import threading
from pathlib import Path

from audit import SYSTEM, AuditEvent, AuditLog, ConfigFacts
from guard.errors import ConfigurationError
from guard.policyfile import Policy, load_policy, parse_policy
from store import Store, policies
from store.ids import digest
from store.policies import Head


class InForce:
    """Gives the policy of now. One a process; safe to share between threads."""

    def __init__(self, store: Store, file: Path) -> None:
        """`file` is where the policy file would be; relative databases are beside it."""
        self._store = store
        self.file = file
        self._lock = threading.Lock()
        self._kept: tuple[Head, Policy] | None = None

    def current(self) -> Policy:
        """Returns the policy in force. Take it once for one call and judge all of it by that one.

        Raises:
            ConfigurationError: none was ever activated, or this program cannot use it: nothing may
                run until an operator activates another.
            StoreError: it cannot be looked up; nothing may run.
        """
        with self._store.read() as conn:
            head = policies.head(conn)
        return self.of(head)

    def of(self, head: Head | None) -> Policy:
        """Returns the policy of a version that the store was just asked for (`store.standing`).

        Raises:
            ConfigurationError, StoreError: as for `current`.
        """
        if head is None:
            raise ConfigurationError(
                "No policy is in force yet. Run `gatehouse init --demo` or `gatehouse connect "
                "URL`, then start again."
            )
        with self._lock:
            if self._kept is not None and self._kept[0] == head:
                return self._kept[1]
        with self._store.read() as conn:
            version = policies.get(conn, head.id)
        policy = self._parsed(head, version.text if version else "")
        with self._lock:
            if self._kept is None or self._kept[0].id <= head.id:
                self._kept = (head, policy)
        return policy

    def version(self) -> int:
        """Returns the number of the version in force, 0 before the first."""
        with self._store.read() as conn:
            head = policies.head(conn)
        return head.id if head else 0

    def begin(self, log: AuditLog) -> None:
        """Takes the file as version 1 where nothing was ever in force; otherwise does nothing.

        Raises:
            ConfigurationError: nothing is in force and the file cannot be used.
            audit.AuditError: it could not be recorded, so it is not in force.
        """
        with self._store.read() as conn:
            if policies.head(conn) is not None:
                return
        policy = load_policy(self.file)
        with self._store.write() as conn:
            if policies.head(conn) is not None:
                return  # another instance was first
            policies.activate(conn, policy.text, activated_by=None, now=self._store.now())
            log.append(
                AuditEvent(
                    type="config.changed",
                    actor=SYSTEM,
                    outcome="success",
                    summary="First start: the policy file is in force as version 1",
                    parts=(
                        ConfigFacts(
                            kind="policy",
                            name=self.file.name,
                            change="activated",
                            after_sha256=policy.sha256,
                        ),
                    ),
                )
            )

    def _parsed(self, head: Head, text: str) -> Policy:
        if digest(text) != head.sha256:
            raise ConfigurationError(
                f"The stored text of policy version {head.id} is not the one that was activated. "
                "Somebody has changed the store; nothing runs under it. Tell an operator."
            )
        try:
            return parse_policy(text.encode("utf-8"), self.file)
        except ConfigurationError as error:
            raise ConfigurationError(
                f"Policy version {head.id}, which is in force, cannot be used: {error} An operator "
                "can put another into force with `gatehouse policy activate FILE`."
            ) from error
