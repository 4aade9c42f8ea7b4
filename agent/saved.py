"""Questions that people keep with their SQL, and those that somebody else has verified.

A kept question is its owner's alone. Its owner may offer it; a different person, a reviewer or an
admin who may read the same, verifies it. From then on it is offered to everybody whom the guard
lets run exactly that statement, each with their own rights. What a verified statement reads, with
the types and tags, is kept with it: where that has changed, or the policy lets its verifier run it
no more, it is stale, and nothing runs it until somebody verifies it again.
"""

from __future__ import annotations

import datetime as dt
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agent.planner.words import stems_of
from agent.savedreads import difference, looks_up, reads_of, words_of
from agent.savedtrail import SavedTrail
from guard import (
    Caller,
    Gate,
    Illegal,
    Principal,
    Refusal,
    Refused,
    SourceUnavailable,
)
from store import Connection, IllegalMove, Store, StoreConflict, accounts, saved
from store.ids import digest
from store.saved import SavedQuestion

MOST_OWN = 200
"""Questions one person may keep."""
LONGEST_QUESTION = 500
LONGEST_SQL = 65_536
_LONGEST_COMMENT = 500
_KEEP_SECONDS = 20.0
_MOST_KEPT = 10_000
_RELATIVE = re.compile(
    r"\b(?:today|yesterday|now|current|currently|recent|recently|ago|so far|to date|"
    r"(?:this|last|past|previous|next|since) (?:\w+ )?(?:days?|weeks?|months?|quarters?|years?))\b",
    re.IGNORECASE,
)
_DATE = re.compile(r"\b(?:19|20)\d{2}\b")


@dataclass(frozen=True, kw_only=True)
class SavedCard:
    """A kept question as a page shows it, with names in the place of accounts."""

    id: int
    source: str
    question: str
    sql: str
    state: str
    own: bool
    owner_name: str
    verified_by: str
    verified_at: dt.datetime | None
    comment: str


class Questions:
    """One a process; safe to share between threads."""

    def __init__(
        self,
        *,
        store: Store,
        gate: Gate,
        trail: SavedTrail,
        look_up: Callable[[str], Principal | None],
    ) -> None:
        """`look_up` returns the account with that id as it is now, None when it may not act."""
        self._store = store
        self._gate = gate
        self._trail = trail
        self._look_up = look_up
        self._lock = threading.Lock()
        self._kept: dict[object, tuple[float, bool]] = {}

    # Keeping --------------------------------------------------------------------------------------

    def keep(self, source: str, question: str, sql: str, caller: Caller) -> SavedQuestion:
        """Returns the question, kept for its owner alone.

        Raises:
            Illegal: it is empty, too long, kept already, or there are too many.
            Refused: the person may not run the statement.
            SourceUnavailable, audit.AuditError, store.StoreError: nothing was kept.
        """
        caller = self._person(caller)
        question = " ".join(question.split())
        if not question or len(question) > LONGEST_QUESTION or len(sql) > LONGEST_SQL:
            raise Illegal(f"Give the question in 1 to {LONGEST_QUESTION} characters.")
        reads_of(self._gate, source, sql, caller)
        with self._store.write() as conn:
            own = saved.list_own(conn, caller.principal.id, source)
            if any(o.key == key_of(question) and o.sql == sql for o in own):
                raise Illegal("You keep this question with this SQL already.")
            if saved.count_own(conn, caller.principal.id) >= MOST_OWN:
                raise Illegal(f"You keep {MOST_OWN} questions. Delete one first.")
            made = saved.create(
                conn,
                owner=caller.principal.id,
                source=source,
                question=question,
                key=key_of(question),
                sql=sql,
                now=self._store.now(),
            )
            self._trail.changed(caller, made, "saved")
        return made

    def offer(self, one: int, caller: Caller) -> None:
        """Puts one's own question before those who verify.

        Raises:
            Illegal: there is no such question of the person's, it names personal data, or its
                fixed dates would not follow its words.
            Refused: the person may not run it.
            SourceUnavailable, audit.AuditError, store.StoreError: nothing was offered.
        """
        caller = self._person(caller)
        found = self._own(one, caller)
        self._shareable(found, caller)
        reads_of(self._gate, found.source, found.sql, caller)
        with self._store.write() as conn:
            _legal(lambda: saved.offer(conn, found, now=self._store.now()))
            self._trail.changed(caller, found, "offered")

    def take_back(self, one: int, caller: Caller, reason: str = "") -> None:
        """Makes an offered question private: its owner's wish, or sent back with a reason.

        Raises:
            Illegal: there is no such question, or no reason is given for another person's.
            Refused: it is another person's, and this one does not verify.
            audit.AuditError, store.StoreError: nothing was changed.
        """
        caller = self._person(caller)
        found = self._find(one)
        own = found is not None and found.owner == caller.principal.id
        if found is None or not (own or found.state == "offered"):
            raise _missing()
        if not own:
            _verifies(caller)
            self._reaches(found, caller)
            if not reason.strip():
                raise Illegal("Say why you send it back; its owner reads that.")
        with self._store.write() as conn:
            comment = "" if own else reason.strip()[:_LONGEST_COMMENT]
            _legal(lambda: saved.take_back(conn, found, comment=comment, now=self._store.now()))
            self._trail.changed(caller, found, "taken back" if own else "sent back")

    def verify(self, one: int, caller: Caller) -> None:
        """Makes an offered or stale question a verified one.

        Raises:
            Illegal: there is no such question, or another with the same words is verified.
            Refused: the person does not verify, owns it, or may not run it themself.
            SourceUnavailable, audit.AuditError, store.StoreError: nothing was verified.
        """
        caller = self._person(caller)
        _verifies(caller)
        found = self._find(one)
        if found is None or found.state not in ("offered", "stale"):
            raise _missing()
        if found.owner == caller.principal.id:
            self._trail.changed(caller, found, "not verified (saved.owner)", denied=True)
            raise _refused("saved.owner", "You keep this question, so somebody else verifies it.")
        self._shareable(found, caller)
        reads = reads_of(self._gate, found.source, found.sql, caller)
        try:
            with self._store.write() as conn:
                by, now = caller.principal.id, self._store.now()
                _legal(lambda: saved.verify(conn, found, by=by, reads_json=reads, now=now))
                self._trail.changed(caller, found, "verified")
        except StoreConflict as error:
            raise Illegal(
                "A question with the same words is verified already. Delete that one first."
            ) from error

    def remove(self, one: int, caller: Caller) -> None:
        """Deletes a question: one's own, or as somebody who verifies a verified or stale one.

        Raises:
            Illegal: there is no such question that the person may delete.
            audit.AuditError, store.StoreError: nothing was deleted.
        """
        caller = self._person(caller)
        found = self._find(one)
        if found is None:
            raise _missing()
        shared = found.state in ("verified", "stale") and _may_verify(caller)
        if found.owner != caller.principal.id:
            if not shared:
                raise _missing()
            self._reaches(found, caller)
        with self._store.write() as conn:
            _legal(lambda: saved.remove(conn, found))
            self._trail.changed(caller, found, "deleted")

    # Looking --------------------------------------------------------------------------------------

    def mine(self, source: str, caller: Caller) -> tuple[SavedCard, ...]:
        """Returns what the person keeps for the source."""
        with self._store.read() as conn:
            found = saved.list_own(conn, caller.principal.id, source)
            return self._cards(conn, found, caller)

    def verified(self, source: str, caller: Caller, most: int = 100) -> tuple[SavedCard, ...]:
        """Returns the verified questions that the guard lets this person run, as they stand.

        Those that turn out to be stale are marked so.

        Raises:
            audit.AuditError, store.StoreError: the store or the trail cannot be used.
        """
        with self._store.read() as conn:
            listed = saved.list_in(conn, source, {"verified"})
        found: list[SavedQuestion] = []
        for one in listed:
            if len(found) >= most:
                break
            if self._held_lately(one, caller):
                found.append(one)
        with self._store.read() as conn:
            return self._cards(conn, found, caller)

    def to_verify(self, source: str, caller: Caller) -> tuple[SavedCard, ...]:
        """Returns what waits for this person to verify it: offered or stale, not their own.

        Only what the guard lets them run, for nobody verifies what they cannot read.
        """
        if not _may_verify(caller):
            return ()
        with self._store.read() as conn:
            listed = saved.list_in(conn, source, {"offered", "stale"})
        others = [o for o in listed if o.owner != caller.principal.id]
        found = [o for o in others if self._seen(o, caller) is not None]
        with self._store.read() as conn:
            return self._cards(conn, found, caller)

    def match(self, question: str, source: str, caller: Caller) -> SavedCard | None:
        """Returns the verified question with these words, if it holds for this person."""
        with self._store.read() as conn:
            found = saved.verified(conn, source, key_of(question))
        if found is None or not self._holds(found, caller):
            return None
        with self._store.read() as conn:
            return self._cards(conn, (found,), caller)[0]

    def examples(
        self, question: str, source: str, caller: Caller, most: int = 4
    ) -> tuple[tuple[str, str], ...]:
        """Returns verified questions like this one, with their SQL, as a model may read them."""
        wanted = set(stems_of(question))
        with self._store.read() as conn:
            listed = saved.list_in(conn, source, {"verified"})
        alike = [(len(wanted & set(stems_of(o.question))), o) for o in listed]
        ranked = sorted((a for a in alike if a[0]), key=lambda a: -a[0])[: most * 3]
        holding = [o for _, o in ranked if self._holds(o, caller)]
        return tuple((o.question, o.sql) for o in holding if self._is_plain(o, caller))[:most]

    # Judging --------------------------------------------------------------------------------------

    def _holds(self, one: SavedQuestion, caller: Caller) -> bool:
        """True where it is not stale, and this person may run just what was verified."""
        return not self._went_stale(one) and self._seen(one, caller) == one.reads_json

    def _held_lately(self, one: SavedQuestion, caller: Caller) -> bool:
        """As `_holds`, for a list that is drawn at each click: a change of the schema shows later.

        What runs is always judged anew.
        """
        person = caller.principal
        rights = (person.id, person.roles, person.openings, self._gate.policy.sha256)
        key, now = (one.id, one.updated_at, *rights), time.monotonic()
        with self._lock:
            known = self._kept.get(key)
        if known is not None and now - known[0] < _KEEP_SECONDS:
            return known[1]
        holds = self._holds(one, caller)
        with self._lock:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[key] = (now, holds)
        return holds

    def _seen(self, one: SavedQuestion, caller: Caller) -> str | None:
        """What the statement reads for this person, None where they may not run it."""
        try:
            return reads_of(self._gate, one.source, one.sql, caller)
        except (Refused, SourceUnavailable):
            return None

    def _went_stale(self, one: SavedQuestion) -> bool:
        """Judges it as its verifier, as they are now; what fails is marked and recorded."""
        person = self._look_up(one.verified_by or "")
        if person is None:
            return False  # whoever asks is judged all the same
        verifier = Caller(principal=person, channel="console")
        try:
            reads = reads_of(self._gate, one.source, one.sql, verifier)
        except SourceUnavailable:
            return False  # it may be back in a minute
        except Refused as refused:
            why = f"Its verifier may not run it any more: {refused.refusal.reason}"
        else:
            if reads == one.reads_json:
                return False
            why = difference(one.reads_json or "[]", reads)
        try:
            with self._store.write() as conn:
                saved.mark_stale(conn, one, comment=why[:_LONGEST_COMMENT], now=self._store.now())
                self._trail.stale(one, why)
        except IllegalMove:
            pass  # somebody was faster
        return True

    # Shared ---------------------------------------------------------------------------------------

    def _shareable(self, one: SavedQuestion, caller: Caller) -> None:
        if _RELATIVE.search(one.question) and _DATE.search(one.sql):
            raise Illegal(
                "The question speaks of a time seen from today, but its SQL names fixed dates, so "
                "its answer would be wrong later. Save it with a fixed time in the question."
            )
        if not self._is_plain(one, caller):
            raise Illegal(
                "The question or its SQL names what looks like personal data, so others may not "
                "see it. It stays with its owner."
            )

    def _is_plain(self, one: SavedQuestion, caller: Caller) -> bool:
        texts = (one.question, *words_of(one.sql))
        source = one.source
        return not looks_up(self._gate, source, one.sql, caller) and all(
            self._gate.prompt(t, source=source, caller=caller) == t for t in texts
        )

    def _person(self, caller: Caller) -> Caller:
        person = self._look_up(caller.principal.id)
        if person is None:
            raise _refused("person.disabled", "This account may not act any more. Ask an admin.")
        if caller.channel == "agent":
            raise _refused("saved.agent", "An agent neither keeps nor verifies questions.")
        return caller.acting_as(person)

    def _find(self, one: int) -> SavedQuestion | None:
        with self._store.read() as conn:
            return saved.find(conn, one)

    def _own(self, one: int, caller: Caller) -> SavedQuestion:
        found = self._find(one)
        if found is None or found.owner != caller.principal.id:
            raise _missing()
        return found

    def _reaches(self, one: SavedQuestion, caller: Caller) -> None:
        """Nobody decides on another's question of a source they may not use."""
        if one.source not in self._gate.sources(caller):
            raise _missing()

    def _cards(
        self, conn: Connection, found: Sequence[SavedQuestion], caller: Caller
    ) -> tuple[SavedCard, ...]:
        names = {a.id: a.display_name for a in accounts.list_all(conn)} if found else {}
        return tuple(
            SavedCard(
                id=one.id,
                source=one.source,
                question=one.question,
                sql=one.sql,
                state=one.state,
                own=one.owner == caller.principal.id,
                owner_name=names.get(one.owner, "somebody"),
                verified_by=names.get(one.verified_by or "", ""),
                verified_at=one.verified_at,
                comment=one.comment,
            )
            for one in found
        )


def key_of(question: str) -> str:
    """Returns what two questions share that are the same but for case, spaces and a last mark."""
    return digest(" ".join(question.casefold().split()).rstrip(" ?.!"))


def _may_verify(caller: Caller) -> bool:
    return bool({"reviewer", "admin"} & set(caller.principal.roles))


def _verifies(caller: Caller) -> None:
    if not _may_verify(caller):
        raise _refused("saved.role", "Verifying questions needs the reviewer or the admin role.")


def _legal(move: Callable[[], None]) -> None:
    try:
        move()
    except IllegalMove as error:
        raise Illegal("This question has changed meanwhile. Look at it again.") from error


def _missing() -> Illegal:
    return Illegal("There is no such question that you may change.")


def _refused(rule: str, reason: str) -> Refused:
    return Refused(Refusal(rule=rule, reason=reason))
