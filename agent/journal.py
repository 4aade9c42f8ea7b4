"""The journal of one turn: each step is written before and after it happens, and happens once."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from store import Store, steps
from store.states import Verdict

StepKind = Literal["plan", "schema", "query", "chart", "proposal", "unknown"]


class Replayed(Exception):  # not an error: the step has a result already
    """The step was done before; `result` is what it gave."""

    def __init__(self, result: dict[str, object]) -> None:
        super().__init__("replayed")
        self.result = result


class CutOff(Exception):  # names what happened to the step
    """The step was begun before a restart and may have had an effect; it is not run again."""


@dataclass(frozen=True, kw_only=True)
class Open:
    """A step that has begun and must be ended with `Journal.end`."""

    call_id: str
    started: float


class Journal:
    """Writes the steps of one turn, as the process that holds its lease."""

    def __init__(self, store: Store, turn: str, *, resumes: int = 0) -> None:
        """`resumes` is how often the turn was taken over from a dead process."""
        self._store = store
        self.turn = turn
        self.resumes = resumes

    def begin(
        self,
        call_id: str,
        kind: StepKind,
        tool: str | None,
        args: Mapping[str, object],
        *,
        repeatable: bool,
    ) -> Open:
        """Returns the step, which now stands in the store as started.

        Raises:
            Replayed: it was done before.
            CutOff: it was begun before, and is not `repeatable`.
            store.IllegalMove: the call id was used with other arguments, or another process runs
                the turn now.
        """
        with self._store.write() as conn:
            begun = steps.begin(
                conn,
                self.turn,
                call_id,
                kind=kind,
                tool=tool,
                args_json=_canonical(args),
                now=self._store.now(),
                owner=self._store.instance,
            )
        if not begun.fresh and begun.step.state == "done":
            raise Replayed(json.loads(begun.step.result_json or "{}"))
        if not begun.fresh and not repeatable:
            raise CutOff
        return Open(call_id=call_id, started=time.monotonic())

    def end(
        self,
        step: Open,
        result: Mapping[str, object],
        *,
        verdict: Verdict | None = None,
        blob: bytes | None = None,
    ) -> None:
        """Writes what the step gave; refusals are results too.

        Raises:
            store.IllegalMove: another process runs the turn now.
        """
        with self._store.write() as conn:
            steps.finish(
                conn,
                self.turn,
                step.call_id,
                verdict=verdict,
                result_json=_canonical(result),
                blob=blob,
                elapsed_ms=int((time.monotonic() - step.started) * 1000),
                now=self._store.now(),
                owner=self._store.instance,
            )

    def finished(self, calls: Collection[str]) -> Iterator[tuple[str, str, dict[str, object]]]:
        """Yields the tool, the call id and the result of those calls that are done, in order."""
        with self._store.read() as conn:
            found = steps.list_of(conn, self.turn)
        for step in found:
            if step.tool is not None and step.state == "done" and step.call_id in calls:
                yield step.tool, step.call_id, json.loads(step.result_json or "{}")

    def note(self, call_id: str, kind: StepKind, text: str) -> None:
        """Writes a step that only says something; harmless when repeated.

        After a restart a model may say something else in its place: that is another step.
        """
        call_id = f"{call_id}.{self.resumes}" if self.resumes else call_id
        try:
            step = self.begin(call_id, kind, None, {"text": text}, repeatable=True)
        except Replayed:
            return
        self.end(step, {"text": text})


def _canonical(value: Mapping[str, object]) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
