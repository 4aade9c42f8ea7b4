"""Whom to tell about change requests: the part of the policy file under `[notifications]`.

A target is named here; where it is and what proves who we are come from environment variables.
What is told is a closed set of fields, none of which holds a value of a row.
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Literal, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from store.states import NoticeEvent

FieldName = Literal[
    "id",
    "event",
    "state",
    "source",
    "environment",
    "rows",
    "tier",
    "tables",
    "link",
    "at",
    "key",
    "reference",
]
"""What a template may name. `reference` is what the target called what it made for the request."""
PLACE = re.compile(r"\$\{([^}]*)\}")
EVENTS: tuple[NoticeEvent, ...] = get_args(NoticeEvent)
Secret = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""The name of an environment variable; what it holds never stands in the policy."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Call(_Part):
    """One request to a target's own interface, made for some events."""

    events: tuple[NoticeEvent, ...]
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    path: str = ""
    """Added to the target's address; may name fields, as `${reference}`."""
    body: str
    """JSON. `${field}` in a text is replaced; a text that is one field only becomes its value."""
    remember: str | None = None
    """Where the answer names what was made, as `/key`; later calls say `${reference}`."""

    @field_validator("path")
    @classmethod
    def _local(cls, value: str) -> str:
        if value and not re.fullmatch(r"/[A-Za-z0-9_./${}?=&-]*", value):
            raise ValueError("a path begins with / and stays with the target's host")
        if ".." in value or "//" in value:
            raise ValueError("a path has no .. and no // in it")
        return value

    @field_validator("remember")
    @classmethod
    def _pointer(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith("/"):
            raise ValueError("remember is a JSON pointer and begins with /")
        return value

    @model_validator(mode="after")
    def _known(self) -> Call:
        try:
            json.loads(self.body)
        except ValueError as error:
            raise ValueError(f"body is not JSON: {error}") from error
        for name in PLACE.findall(self.body + self.path):
            if name not in get_args(FieldName):
                raise ValueError(
                    f"there is no field {name!r}; fields: {', '.join(get_args(FieldName))}"
                )
        return self


class Target(_Part):
    """One place that is told.

    `apprise` reaches chat, mail and the like by an Apprise URL; `webhook` is sent signed JSON.
    """

    kind: Literal["apprise", "webhook"]
    url_secret: Secret
    signing_secret: Secret | None = None
    """Holds the key of the HMAC; webhooks only, required where nothing else proves who sends."""
    authorization_secret: Secret | None = None
    """Holds the whole Authorization header, for a tracker's own interface."""
    events: Annotated[tuple[NoticeEvent, ...], Field(min_length=1)] = EVENTS
    calls: tuple[Call, ...] = ()
    """Empty: every field is sent as one JSON object. Otherwise these are made, and nothing else."""

    @model_validator(mode="after")
    def _fits(self) -> Target:
        if self.kind == "apprise":
            for key in ("signing_secret", "authorization_secret", "calls"):
                if getattr(self, key):
                    raise ValueError(f"{key} is for webhooks")
        elif self.signing_secret is None and self.authorization_secret is None:
            raise ValueError("a webhook needs signing_secret or authorization_secret")
        elif not self.calls and self.signing_secret is None:
            raise ValueError("a webhook without calls needs signing_secret")
        return self

    def wants(self, event: NoticeEvent) -> bool:
        """True when the event is to be told there."""
        if event not in self.events:
            return False
        return not self.calls or any(event in c.events for c in self.calls)


class Notifications(_Part):
    """Who is told of change requests, and how much."""

    address: str | None = None
    """Where people open this console, for links: `https://gatehouse.example`."""
    tables: bool = False
    """True names the touched tables; otherwise only how many rows."""
    targets: dict[str, Target] = {}

    @field_validator("address")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(
            r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._/-]*)?", value
        ):
            raise ValueError("write it as https://gatehouse.example")
        return value.rstrip("/") if value else None

    @field_validator("targets")
    @classmethod
    def _named(cls, value: dict[str, Target]) -> dict[str, Target]:
        bad = [name for name in value if not re.fullmatch(r"[a-z0-9_-]{1,64}", name)]
        if bad:
            raise ValueError(f"name a target in small letters, digits, - and _, not {bad[0]!r}")
        return value
