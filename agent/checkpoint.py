"""What a run needs to go on after a restart: the model's history and what it has used.

It is saved before the tools of an answer run; what they gave stands in the journal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter
from pydantic_ai.usage import RunUsage

from guard import SourceView
from store import Store, turns
from store.ids import digest

Engine = Literal["model", "offline"]
"""Who was answering: the chosen model, or the planner in its place."""


class Unreadable(Exception):
    """A checkpoint of another version, or damaged: the run cannot go on from it."""


class Outdated(Exception):  # names what happened to the rights
    """What was found by then came by other rights or another policy: nothing may go on from it."""


class _Facts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: Engine
    usage: RunUsage
    rights: str = ""


_FACTS = TypeAdapter(_Facts)


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """Where a run stood when its last answer had come in and none of its tools had run.

    `rights` differs whenever the policy or what the person may do does.
    """

    engine: Engine
    messages: Sequence[ModelMessage]
    usage: RunUsage
    rights: str


def rights_of(policy: str, view: SourceView) -> str:
    """Returns what differs whenever the policy, or what the person may know of a source, does.

    `policy` is the hash of the one in force.
    """
    columns = sorted((t.name, c.name, c.tag or "") for t in view.catalog.tables for c in t.columns)
    facts = (policy, view.name, columns, sorted(view.lookups), view.row_filters)
    return digest(repr(facts))


class Checkpoints:
    """Saves and finds those of one turn, as the process that holds its lease."""

    def __init__(self, store: Store, turn: str) -> None:
        self._store = store
        self._turn = turn

    def save(self, checkpoint: Checkpoint) -> None:
        """Makes the checkpoint durable.

        Raises:
            store.IllegalMove: another process runs the turn now. Run no tool.
            store.StoreError: it could not be written. Run no tool.
        """
        messages = ModelMessagesTypeAdapter.dump_json(list(checkpoint.messages))
        facts = _Facts(engine=checkpoint.engine, usage=checkpoint.usage, rights=checkpoint.rights)
        with self._store.write() as conn:
            turns.checkpoint(
                conn,
                self._turn,
                owner=self._store.instance,
                messages=messages,
                usage_json=_FACTS.dump_json(facts).decode(),
            )

    def say(self, text: str | None) -> None:
        """Keeps what a model has begun to say, for the screen; None once it has ended.

        Raises:
            store.StoreError: it could not be written, or another process runs the turn now.
        """
        with self._store.write_unsynced() as conn:
            turns.say(conn, self._turn, owner=self._store.instance, text=text)

    def find(self, rights: str) -> Checkpoint | None:
        """Returns the last one, None where the model had not answered yet.

        Raises:
            Unreadable: there is one that this version cannot read.
            Outdated: there is one of other `rights`.
        """
        with self._store.read() as conn:
            turn = turns.get(conn, self._turn)
            messages = turns.messages(conn, self._turn)
        if messages is None or turn.usage_json is None:
            return None
        try:
            facts = _FACTS.validate_json(turn.usage_json)
            history = ModelMessagesTypeAdapter.validate_json(messages)
        except ValidationError as error:
            raise Unreadable("the checkpoint cannot be read") from error
        if facts.rights != rights:
            raise Outdated
        return Checkpoint(
            engine=facts.engine, messages=history, usage=facts.usage, rights=facts.rights
        )
