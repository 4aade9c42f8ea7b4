"""Turns run here: a bounded pool of worker threads, the store as the truth, pages as views.

A worker holds the lease of its turn and renews it; after a restart the turn is found and said to be
interrupted. Stop sets a flag in the store and interrupts the statement that runs.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from agent.analyst import Analyst, Asked, Stopped
from agent.answer import Answer
from agent.journal import Journal
from agent.typed import propose_typed, run_typed
from audit import AuditError
from guard import Caller, Cancel, Gate, GuardError, Interrupted
from store import IllegalMove, Store, StoreError, conversations, turns
from store.states import TurnKind, TurnState

_LOG = logging.getLogger(__name__)

WORKERS = 4
_BEAT_SECONDS = 0.5
_ENDS: dict[str, TurnState] = {"failed": "failed", "stopped": "cancelled"}
_STOPPED = Answer(status="stopped", text="Stopped. Nothing more was run.")


class Runs:
    """Starts, stops and finishes turns. One a process."""

    def __init__(self, store: Store, analyst: Analyst, gate: Gate, workers: int = WORKERS) -> None:
        self._store = store
        self._analyst = analyst
        self._gate = gate
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="turn")
        self._lock = threading.Lock()
        self._running: dict[str, Cancel] = {}

    @property
    def label(self) -> str:
        """Which model answers, for the screen."""
        return self._analyst.choice.label

    def start(
        self,
        text: str,
        *,
        conversation: str,
        caller: Caller,
        kind: TurnKind = "question",
        reason: str = "",
    ) -> str:
        """Queues a question, a typed statement or a typed change; returns the turn's id at once.

        Raises:
            store.StoreError: it could not be stored, so nothing was queued.
        """
        turn = self._queue(text, conversation, kind)
        self._pool.submit(self._work, turn, caller, reason)
        return turn.id

    def run(
        self,
        text: str,
        *,
        conversation: str,
        caller: Caller,
        kind: TurnKind = "question",
        reason: str = "",
    ) -> tuple[str, Answer]:
        """Runs it in this thread; returns the turn's id and the answer.

        Raises:
            store.StoreError: it could not be stored.
        """
        turn = self._queue(text, conversation, kind)
        return turn.id, self._work(turn, caller, reason)

    def stop(self, turn: str) -> None:
        """Asks a turn to stop; harmless when it has ended."""
        with self._store.write() as conn:
            turns.request_cancel(conn, turn, now=self._store.now())
        with self._lock:
            cancel = self._running.get(turn)
        if cancel is not None:
            cancel.set()

    def recover(self) -> int:
        """Marks turns of dead processes as interrupted; returns how many. Run it at start-up."""
        with self._store.write() as conn:
            stale = turns.interrupt_stale(
                conn, now=self._store.now(), is_alive=self._store.is_alive
            )
        return len(stale)

    def close(self) -> None:
        """Stops every turn of this process and waits for the workers."""
        with self._lock:
            running = list(self._running.values())
        for cancel in running:
            cancel.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _queue(self, text: str, conversation: str, kind: TurnKind) -> turns.Turn:
        with self._store.write() as conn:
            return turns.add(
                conn,
                conversation,
                kind=kind,
                question=text,
                model=self.label if kind == "question" else None,
                now=self._store.now(),
            )

    def _work(self, turn: turns.Turn, caller: Caller, reason: str) -> Answer:
        try:
            with self._store.write() as conn:
                turns.claim(conn, turn.id, owner=self._store.instance, now=self._store.now())
        except IllegalMove:
            return _STOPPED
        with self._watched(turn.id) as cancel:
            answer = self._answer(turn, caller, reason, cancel)
        self._finish(turn.id, answer)
        return answer

    def _answer(self, turn: turns.Turn, caller: Caller, reason: str, cancel: Cancel) -> Answer:
        try:
            asked = self._asked(turn, caller, cancel)
            match turn.kind:
                case "question":
                    return self._analyst.ask(asked)
                case "sql":
                    return run_typed(self._gate, asked)
                case "change":
                    return propose_typed(self._gate, asked, reason)
        except Stopped:
            return _STOPPED
        except Interrupted as error:
            return _STOPPED if cancel.is_set() else Answer(status="failed", text=str(error))
        except GuardError as error:
            return Answer(status="failed", text=str(error))
        except AuditError:
            text = "The audit trail cannot be written, so nothing was run. Tell an operator."
            return Answer(status="failed", text=text)
        except Exception:  # a fault of ours: the person is told so, the log has the trace
            _LOG.exception("turn %s failed", turn.id)
            text = f"Something went wrong on our side. Tell an operator: {turn.id}."
            return Answer(status="failed", text=text)

    def _asked(self, turn: turns.Turn, caller: Caller, cancel: Cancel) -> Asked:
        with self._store.read() as conn:
            conversation = conversations.find(conn, turn.conversation)
        if conversation is None:
            raise IllegalMove("The conversation of this turn is gone.")
        return Asked(
            question=turn.question,
            source=conversation.source,
            caller=caller.within(
                session=turn.conversation,
                request=turn.id,
                channel="agent" if turn.kind == "question" else caller.channel,
            ),
            journal=Journal(self._store, turn.id),
            cancel=cancel,
        )

    def _finish(self, turn: str, answer: Answer) -> None:
        state = _ENDS.get(answer.status, "done")
        error = answer.text if state == "failed" else None
        outcome = turns.Outcome(answer_json=answer.model_dump_json(), error=error)
        with self._store.write() as conn:
            turns.finish(
                conn, turn, state, outcome, owner=self._store.instance, now=self._store.now()
            )

    @contextmanager
    def _watched(self, turn: str) -> Iterator[Cancel]:
        """Keeps the lease and passes a stop from any instance on to the statement."""
        cancel, ended = Cancel(), threading.Event()
        with self._lock:
            self._running[turn] = cancel
        beat = threading.Thread(target=self._beat, args=(turn, cancel, ended), daemon=True)
        beat.start()
        try:
            yield cancel
        finally:
            ended.set()
            beat.join()
            with self._lock:
                self._running.pop(turn, None)

    def _beat(self, turn: str, cancel: Cancel, ended: threading.Event) -> None:
        while not ended.wait(_BEAT_SECONDS):
            try:
                with self._store.write() as conn:
                    asked_to_stop = turns.renew(
                        conn, turn, owner=self._store.instance, now=self._store.now()
                    )
            except IllegalMove:
                cancel.set()
                return
            except StoreError:
                continue  # busy: the lease outlasts many beats
            if asked_to_stop:
                cancel.set()
