"""What the policy says of the audit trail: where its checkpoints go, and how long records stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from audit import GitSink, S3Access, S3Sink, Sink, WebhookSink
from guard.errors import ConfigurationError

Secret = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AnchorPolicy(_Part):
    """One place on another machine that gets the newest checkpoint every few minutes."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
    """What it is called where it fails."""
    kind: Literal["webhook", "git", "s3"]
    to: Annotated[str, Field(min_length=1)]
    """An https address; for git also an ssh address or an absolute path; for s3 the bucket in path
    style, with a prefix."""
    secret: Secret | None = None
    """The variable that holds what a webhook is signed with, or the secret key of s3."""
    access_key: Secret | None = None
    """The variable that holds the access key of s3."""
    region: str = "us-east-1"
    """The region of s3."""
    lock_days: Annotated[int, Field(gt=0)] | None = None
    """For how long nobody can remove an object from s3; the bucket must have object lock."""

    @model_validator(mode="after")
    def _complete(self) -> AnchorPolicy:
        needed = {"webhook": ("secret",), "git": (), "s3": ("secret", "access_key")}[self.kind]
        for name in needed:
            if getattr(self, name) is None:
                raise ValueError(f"{name} is missing; {self.kind} needs it")
        for name in {"secret", "access_key", "lock_days"} - {*needed, "lock_days"}:
            if getattr(self, name) is not None:
                raise ValueError(f"{name} is nothing that {self.kind} uses")
        if self.lock_days is not None and self.kind != "s3":
            raise ValueError("lock_days is for s3 only")
        return self

    def sink(self, environment: Mapping[str, str], folder: Path) -> Sink:
        """Returns what sends there; `folder` may be written to.

        Raises:
            ConfigurationError: a variable is not set, or `to` is no address for it.
        """
        try:
            if self.kind == "webhook":
                return WebhookSink(self.to, self._value(self.secret, environment), self.name)
            if self.kind == "git":
                return GitSink(self.to, folder / f"anchors-{self.name}", self.name)
            access = S3Access(
                region=self.region,
                access_key=self._value(self.access_key, environment),
                secret_key=self._value(self.secret, environment),
            )
            return S3Sink(self.to, access, self.name, self.lock_days)
        except ValueError as error:
            raise ConfigurationError(f"audit.anchors, {self.name}: {error}.") from error

    def _value(self, variable: str | None, environment: Mapping[str, str]) -> str:
        value = environment.get(variable or "", "")
        if not value:
            raise ConfigurationError(
                f"audit.anchors, {self.name}: the variable {variable} is not set."
            )
        return value


class AuditPolicy(_Part):
    """The audit trail. A file beside the log takes every checkpoint in any case."""

    anchors: tuple[AnchorPolicy, ...] = ()
    anchor_minutes: Annotated[float, Field(gt=0, le=1440)] = 5
    """How often the newest checkpoint is sent."""
    anchored_within_minutes: Annotated[float, Field(gt=0, le=10_080)] | None = None
    """Nothing runs while the oldest record that none of `anchors` covers has waited longer."""
    retention_years: Annotated[float, Field(gt=0, le=100)] = 6
    """Sealed records older than this are removed by `gatehouse audit seal --expire`."""
    legal_hold: bool = False
    """True: nothing expires."""

    @model_validator(mode="after")
    def _possible(self) -> AuditPolicy:
        names = [anchor.name for anchor in self.anchors]
        if len(names) != len(set(names)):
            raise ValueError("anchors: two have the same name")
        if self.anchored_within_minutes is not None and not self.anchors:
            raise ValueError("anchored_within_minutes: there are no anchors that could meet it")
        return self

    def sinks(self, environment: Mapping[str, str], folder: Path) -> Sequence[Sink]:
        """Returns what sends to each of the anchors.

        Raises:
            ConfigurationError: as `AnchorPolicy.sink`.
        """
        return [anchor.sink(environment, folder) for anchor in self.anchors]
