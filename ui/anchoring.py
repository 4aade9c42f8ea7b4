"""Has the audit log anchored where the policy in force says."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

from audit import AuditLog
from guard.auditpolicy import AuditPolicy
from guard.inforce import InForce

_MINUTE_S = 60.0


class Anchoring:
    """Follows the policy. Safe to share between threads."""

    def __init__(
        self, log: AuditLog, policies: InForce, environment: Mapping[str, str], folder: Path
    ) -> None:
        """`folder` may be written to."""
        self._log = log
        self._policies = policies
        self._environment = environment
        self._folder = folder
        self._lock = threading.Lock()
        self._followed: AuditPolicy | None = None

    def follow(self) -> None:
        """Returns once the log is anchored as the policy says now; cheap when nothing changed.

        Raises:
            ConfigurationError: an anchor of the policy cannot be used; the message says which.
            AuditError, StoreError: the log or the store cannot be read.
        """
        wanted = self._policies.current().audit
        with self._lock:
            if wanted == self._followed:
                return
            demand = wanted.anchored_within_minutes
            if wanted.anchors or self._followed is not None:
                self._log.anchor_to(
                    wanted.sinks(self._environment, self._folder),
                    interval_s=wanted.anchor_minutes * _MINUTE_S,
                    within_s=None if demand is None else demand * _MINUTE_S,
                )
            self._followed = wanted
