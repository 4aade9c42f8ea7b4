"""Waiting processes are written along: once, only what they posted, and told only the truth."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from audit import AuditEvent, AuditLog, Receipt, mailbox
from audit.entry import prepare
from audit.errors import Malformed, Unavailable
from audit.locks import FileLock
from audit.mailbox import Post
from tests.audit.events import asked

LONG_S = 15.0
"""Longer than any test should take: who waits that long was not told."""


@pytest.fixture
def logs(folder: Path) -> Iterator[tuple[AuditLog, AuditLog]]:
    """Two openings of one log, which exclude each other as two processes do."""
    with (
        AuditLog.open(folder, app_version="1") as one,
        AuditLog.open(folder, app_version="1") as other,
    ):
        one.append(asked())
        yield one, other


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever posts waits until it is told."""
    monkeypatch.setattr(mailbox, "_WAIT_S", 2 * LONG_S)


def post_of(log: AuditLog) -> Path:
    return log.database.parent / "mail" / f"{log._instance.boot}.post"


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def has_post(log: AuditLog) -> bool:
    path = post_of(log)
    return path.exists() and any(path.read_bytes()[:4])


class Meeting:
    """`one` appends; while it has the lock `other` posts, before or after `one` looks for posts."""

    def __init__(
        self, one: AuditLog, other: AuditLog, events: Sequence[AuditEvent], *, late: bool = False
    ) -> None:
        box = one._mailbox
        assert box is not None
        real, self.post = box.collect, b""
        self.received: Future[Sequence[Receipt]] = Future()

        def ask() -> None:
            try:
                self.received.set_result(other.append_many(events))
            except BaseException as error:
                self.received.set_exception(error)

        def collect() -> Sequence[Post]:
            box.collect = real  # type: ignore[method-assign]
            found = real() if late else ()
            self.thread = threading.Thread(target=ask)
            self.thread.start()
            until(lambda: has_post(other))
            self.post = post_of(other).read_bytes()
            return found if late else real()

        box.collect = collect  # type: ignore[method-assign]
        self.own = one.append(asked(summary="own"))

    def told(self) -> Sequence[Receipt]:
        found = self.received.result(LONG_S)
        self.thread.join(LONG_S)
        return found


def texts(log: AuditLog) -> list[str]:
    return [record.event.summary for record in log.tail(20)]


def unable(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on `log` cannot write by itself."""

    def begin() -> None:
        raise Unavailable("no")

    monkeypatch.setattr(log._storage, "begin", begin)


@pytest.mark.usefixtures("patient")
def test_who_waits_is_written_along_in_the_same_commit(logs, monkeypatch):
    one, other = logs
    unable(other, monkeypatch)
    meeting = Meeting(one, other, [asked(summary="a"), asked(summary="b")])
    receipts = meeting.told()
    assert [r.seq for r in receipts] == [meeting.own.seq + 1, meeting.own.seq + 2]
    assert [r.hash for r in receipts] == [r.hash for r in one.tail(2)]
    assert texts(one)[-3:] == ["own", "a", "b"]
    report = one.verify(deep=True)
    assert (report.status, list(report.findings)) == (0, [])


@pytest.mark.usefixtures("patient")
def test_who_posted_too_late_is_called_and_has_the_lock_next(logs):
    one, other = logs
    meeting = Meeting(one, other, [asked(summary="late")], late=True)
    assert meeting.told()[0].seq == meeting.own.seq + 1


@pytest.mark.usefixtures("patient")
def test_who_posted_another_event_under_a_known_id_is_told(logs, monkeypatch):
    one, other = logs
    unable(other, monkeypatch)
    twice = asked(summary="a")
    unlike = AuditEvent.from_document({**twice.document(other._app), "summary": "b"})
    with pytest.raises(Malformed, match="Another event"):
        Meeting(one, other, [twice, unlike]).told()
    assert texts(one)[-1] == "own"


def test_promise_09_who_is_not_told_writes_by_itself_and_once(logs, monkeypatch):
    """The holder is killed between its commit and its answer."""
    one, other = logs
    monkeypatch.setattr(one._mailbox, "answer", lambda *_: None)
    meeting = Meeting(one, other, [asked(summary="a")])
    assert meeting.told()[0].seq == meeting.own.seq + 1
    assert texts(one)[-2:] == ["own", "a"]


def test_promise_09_what_could_not_be_written_along_is_written_by_whoever_has_it(logs, monkeypatch):
    one, other = logs
    real = type(one._storage.appending(sure=False)).seal

    def broken(self, head, *, keep):
        monkeypatch.setattr(type(self), "seal", real)
        raise Unavailable("no")

    monkeypatch.setattr(type(one._storage.appending(sure=False)), "seal", broken)
    with pytest.raises(Unavailable), ThreadPoolExecutor(1):
        Meeting(one, other, [asked(summary="a")])
    until(lambda: texts(one)[-1] == "a")
    assert texts(one).count("own") == 0
    assert one.append(asked()).seq == one.changed()


def test_promise_10_nobody_without_a_key_has_anything_written(logs):
    one, other = logs
    box = other._mailbox
    assert box is not None
    real, box._mac = box._mac, lambda text: bytes(32)
    meeting = Meeting(one, other, [asked(summary="forged")])
    assert texts(one)[-1] == "own"
    box._mac = real
    assert meeting.told()[0].seq == meeting.own.seq + 1  # by its own hand, which holds the keys


@pytest.mark.usefixtures("patient")
def test_promise_10_a_post_put_back_is_written_once(logs):
    one, other = logs
    meeting = Meeting(one, other, [asked(summary="a")])
    meeting.told()
    post_of(other).write_bytes(meeting.post)
    assert one.append(asked(summary="next")).seq == meeting.own.seq + 2
    assert texts(one)[-3:] == ["own", "a", "next"]


def test_promise_10_a_post_is_good_for_its_sender_and_for_seconds(logs, monkeypatch):
    one, other = logs
    meeting = Meeting(one, other, [asked(summary="a")])
    meeting.told()
    box = one._mailbox
    assert box is not None
    for boot, later in ((other._instance.boot, 6.0), ("0" * 32, 0.0)):
        now = time.monotonic() + later
        monkeypatch.setattr(mailbox.time, "monotonic", lambda now=now: now)
        assert box._opened(boot, meeting.post[4:]) is None
        monkeypatch.undo()


def test_promise_09_nobody_without_a_key_can_say_that_something_was_written(logs, monkeypatch):
    """What cannot be believed is no answer: nothing was written, so nobody is told that it was."""
    one, other = logs
    box = one._mailbox
    assert box is not None
    said: list[bytes] = []
    send = box._send

    def forge(boot: str, frame: bytes) -> None:
        said.append(frame)
        if len(frame) > 2:
            frame = frame[:2] + bytes(32) + frame[34:]
        send(boot, frame)

    monkeypatch.setattr(box, "_send", forge)
    unable(other, monkeypatch)
    with pytest.raises(Unavailable):
        Meeting(one, other, [asked(summary="a")]).told()
    assert any(len(frame) > 2 for frame in said)


def test_promise_09_an_answer_is_to_one_post(logs, monkeypatch):
    one, other = logs
    box = one._mailbox
    assert box is not None
    kept: list[bytes] = []
    send = box._send
    monkeypatch.setattr(box, "_send", lambda boot, frame: (kept.append(frame), send(boot, frame)))
    Meeting(one, other, [asked(summary="a")]).told()
    old = max(kept, key=len)
    monkeypatch.setattr(box, "_send", lambda boot, frame: send(boot, old))
    unable(other, monkeypatch)
    with pytest.raises(Unavailable):
        Meeting(one, other, [asked(summary="b")]).told()


def test_more_than_fits_into_an_answer_is_not_posted(logs):
    one, other = logs
    box = other._mailbox
    assert box is not None
    entries = [prepare(asked(), other._app) for _ in range(mailbox._MOST_ENTRIES + 1)]
    with FileLock(one.database.parent / "append.lock").held(LONG_S):
        assert box.ask(lambda: [entries]) is None
        assert not post_of(other).exists()
        assert box.ask(lambda: [entries[:-1]]) is None  # nobody answers
        assert post_of(other).exists()


def test_what_is_posted_with_goes_with_its_owner_or_is_cleared_away(folder, tmp_path):
    with AuditLog.open(folder, app_version="1") as one:
        with AuditLog.open(folder, app_version="1") as other:
            one.append(asked())
            Meeting(one, other, [asked()]).told()
            assert post_of(other).exists()
        assert not post_of(other).exists()
        dead = folder / "mail" / f"{'0' * 32}.post"
        dead.write_bytes(b"\0\0\0\1" + bytes(33))
        one.append(asked())
        assert not dead.exists()
    assert list((folder / "mail").iterdir()) == []


def test_who_is_alone_posts_nothing(folder):
    with AuditLog.open(folder, app_version="1") as log:
        log.append(asked())
    assert not (folder / "mail").exists()


def test_no_rights_for_the_folder_cost_only_time(logs):
    one, other = logs
    (one.database.parent / "mail").write_text("in the way")
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: (one, other)[n % 2].append(asked()), range(40)))
    assert len({r.seq for r in found}) == 40
