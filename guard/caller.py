"""Who is behind one call on the gate, and where it came from. Never built from tool arguments."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from audit import Actor, new_id
from guard.principal import Principal

Channel = Literal["agent", "sql", "command_line", "console"]


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The signed-in person and the call they are in.

    `session` is the conversation, `request` the turn or command; `os_account` the operating-system
    account behind a command.
    """

    principal: Principal
    channel: Channel
    session: str | None = None
    request: str = field(default_factory=new_id)
    os_account: str | None = None

    def actor(self) -> Actor:
        """Returns the actor the trail names: the agent acts on the person's behalf."""
        person = self.principal
        auth = "command_line" if self.channel == "command_line" else "password"
        if self.channel == "agent":
            return Actor(
                id="agent",
                type="agent",
                on_behalf_of=person.id,
                roles=tuple(sorted(person.roles)),
                auth=auth,
            )
        return Actor(
            id=person.id,
            type="admin" if "admin" in person.roles else "user",
            roles=tuple(sorted(person.roles)),
            auth=auth,
            os_account=self.os_account,
        )

    def within(self, *, session: str, request: str, channel: Channel) -> Caller:
        """Returns the same person's call inside a conversation and turn, made by `channel`."""
        return replace(self, session=session, request=request, channel=channel)

    def acting_as(self, principal: Principal) -> Caller:
        """Returns the same call with the person as they are now."""
        return replace(self, principal=principal)
