"""Turns run here: a bounded pool of worker threads, the store as the truth, pages as views.

A worker holds the lease of its turn and renews it. A question whose process is gone, killed or shut
down, is taken over by another one, or by the next to start, and goes on from its journal; a
statement that a person typed is said to be interrupted. Stop sets a flag in the store and
interrupts the statement that runs.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

from agent.analyst import Analyst, Asked
from agent.answer import Answer
from agent.checkpoint import Checkpoints
from agent.deps import Leaving, Stopped
from agent.journal import Journal
from agent.templated import run_template
from agent.typed import propose_typed, run_typed
from audit import AuditError
from guard import Caller, Cancel, Gate, GuardError, Interrupted, Principal
from store import IllegalMove, Store, StoreError, conversations, orphans, turns
from store.states import TurnKind, TurnState

_LOG = logging.getLogger(__name__)

WORKERS = 4
_BEAT_SECONDS = 0.5
_ENDS: dict[str, TurnState] = {"failed": "failed", "stopped": "cancelled", "halted": "halted"}
MAX_RESUMES = 2
"""How often a question is taken over: one that brings its process down must end."""
_CUT_OFF = "The server restarted while this was running."
_GIVEN_UP = (
    f"The server restarted {MAX_RESUMES + 1} times while this was running, so it was given up."
)
_NOBODY = "The server restarted while this was running, and the account may not act any more."
_STOPPED = Answer(status="stopped", text="Stopped. Nothing more was run.")


class Runs:
    """Starts, stops and finishes turns. One a process."""

    def __init__(
        self,
        store: Store,
        analyst: Analyst,
        gate: Gate,
        look_up: Callable[[str], Principal | None],
        workers: int = WORKERS,
    ) -> None:
        """`look_up` returns the account with that id as it is now, None when it may not act."""
        self._store = store
        self._analyst = analyst
        self._gate = gate
        self._look_up = look_up
        self._workers = workers
        self._busy = 0
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="turn")
        self._lock = threading.Lock()
        self._running: dict[str, Cancel] = {}
        self._leaving = Cancel()

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
        turn = self._queue(text, conversation, kind, resumable=kind == "question")
        self._submit(lambda: self._work(turn, caller, reason))
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

        Nobody waits for the answer once this process has died, so nobody goes on with it.

        Raises:
            store.StoreError: it could not be stored.
        """
        turn = self._queue(text, conversation, kind, resumable=False)
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
        """Marks those turns of dead processes as interrupted that nobody goes on with.

        Run it at start-up. Returns how many.
        """
        now, ended = self._store.now(), 0
        for orphan in self._orphans():
            if orphan.resumable and orphan.resumes < MAX_RESUMES:
                continue
            ended += self._interrupt(orphan, _GIVEN_UP if orphan.resumes else _CUT_OFF, now)
        return ended

    def resume(self) -> int:
        """Goes on with questions of dead processes, as many as there are free workers.

        Run it now and then in a process that serves. Returns how many were taken over.
        """
        self.recover()
        taken = 0
        for orphan in self._orphans():
            with self._lock:
                full = self._busy >= self._workers
            if full:
                break
            taken += self._take_over(orphan)
        return taken

    def _orphans(self) -> tuple[turns.Turn, ...]:
        with self._store.read() as conn:
            return orphans.find(conn, now=self._store.now(), is_alive=self._store.is_alive)

    def _take_over(self, orphan: turns.Turn) -> bool:
        now = self._store.now()
        with self._store.read() as conn:
            conversation = conversations.find(conn, orphan.conversation)
        person = self._look_up(conversation.owner) if conversation is not None else None
        if person is None:
            self._interrupt(orphan, _NOBODY, now)
            return False
        try:
            with self._store.write() as conn:
                turn = orphans.take_over(conn, orphan, owner=self._store.instance, now=now)
        except IllegalMove:
            return False  # another instance was faster
        caller = Caller(principal=person, channel="console", session=turn.conversation)
        self._submit(lambda: self._watch(turn, caller, ""))
        return True

    def _interrupt(self, orphan: turns.Turn, why: str, now: dt.datetime) -> bool:
        try:
            with self._store.write() as conn:
                orphans.interrupt(conn, orphan, why=why, now=now)
        except IllegalMove:
            return False  # another instance was faster
        return True

    def close(self) -> None:
        """Ends the work of this process and waits for the workers.

        What runs is interrupted where it stands, what waits is not begun, and both are left to
        another process as `resume` and `recover` find them.
        """
        self._leaving.set()
        with self._lock:
            running = list(self._running.values())
        for cancel in running:
            cancel.leave()
        self._pool.shutdown(wait=True, cancel_futures=True)
        try:
            with self._store.write() as conn:
                turns.leave(conn, owner=self._store.instance, now=self._store.now())
        except StoreError as error:
            _LOG.warning("the turns left here are found once their leases end: %s", error)

    def _submit(self, work: Callable[[], object]) -> None:
        with self._lock:
            self._busy += 1

        def run() -> None:
            try:
                work()
            except Exception:  # nobody looks at what a worker's future holds
                _LOG.exception("a worker failed; another process finds its turn by the lease")
            finally:
                with self._lock:
                    self._busy -= 1

        with suppress(RuntimeError):  # shutting down: the turn stays queued for another process
            self._pool.submit(run)

    def _queue(
        self, text: str, conversation: str, kind: TurnKind, *, resumable: bool
    ) -> turns.Turn:
        with self._store.write() as conn:
            return turns.add(
                conn,
                conversation,
                kind=kind,
                question=text,
                model=self.label if kind == "question" else None,
                now=self._store.now(),
                owner=self._store.instance,
                resumable=resumable,
            )

    def _work(self, turn: turns.Turn, caller: Caller, reason: str) -> Answer:
        if self._leaving.is_set():
            return _STOPPED
        try:
            with self._store.write() as conn:
                turns.claim(conn, turn.id, owner=self._store.instance, now=self._store.now())
        except IllegalMove:
            return _STOPPED
        return self._watch(turn, caller, reason)

    def _watch(self, turn: turns.Turn, caller: Caller, reason: str) -> Answer:
        """Answers a turn whose lease this process holds, or leaves it while shutting down."""
        with self._watched(turn.id) as cancel:
            if self._leaving.is_set():
                cancel.leave()
            if turn.cancel_requested:
                cancel.set()
            try:
                answer = self._answer(turn, caller, reason, cancel)
            except Leaving:
                return _STOPPED
            self._finish(turn.id, answer)
        return answer

    def _answer(self, turn: turns.Turn, caller: Caller, reason: str, cancel: Cancel) -> Answer:
        try:
            asked = self._asked(turn, caller, cancel)
            match turn.kind:
                case "question":
                    return self._analyst.ask(asked)
                case "sql":
                    return self._analyst.typed(
                        asked, "statement", lambda: run_typed(self._gate, asked)
                    )
                case "change":
                    return self._analyst.typed(
                        asked, "change", lambda: propose_typed(self._gate, asked, reason)
                    )
                case "template":
                    return self._analyst.typed(
                        asked, "template", lambda: run_template(self._gate, asked, reason)
                    )
        except Leaving:
            raise
        except Stopped:
            return _STOPPED
        except Interrupted as error:
            if self._leaving.is_set():
                raise Leaving from error
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
            journal=Journal(self._store, turn.id, resumes=turn.resumes),
            checkpoints=Checkpoints(self._store, turn.id),
            cancel=cancel,
            leaving=self._leaving,
        )

    def _finish(self, turn: str, answer: Answer) -> None:
        state = _ENDS.get(answer.status, "done")
        error = answer.text if state == "failed" else None
        outcome = turns.Outcome(answer_json=answer.model_dump_json(), error=error)
        try:
            with self._store.write() as conn:
                turns.finish(
                    conn, turn, state, outcome, owner=self._store.instance, now=self._store.now()
                )
        except IllegalMove:
            _LOG.warning("turn %s was taken over by another process; its answer is dropped", turn)

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
