"""Who waits for a batch is told, whoever of them has left meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count

import pytest

from audit.entry import prepare
from audit.record import Receipt
from audit.sequencer import Take
from audit.writer import Results, Writer, _Ticket
from tests.audit.events import asked

APP = {"boot": "b", "instance": "i", "version": "0"}
ENTRIES = [prepare(asked(), APP)]
WAITING = 12


class Gate:
    """A place that writes nothing and numbers what it is given, when it is let."""

    def __init__(self) -> None:
        self.entered, self.go = threading.Event(), threading.Event()
        self.batches: list[int] = []
        self._numbers = count(1)

    def __call__(self, take: Take) -> Results:
        groups = take()
        self.batches.append(len(groups))
        self.entered.set()
        self.go.wait(30)
        return [[Receipt(seq=next(self._numbers), hash="", logged="")] for _ in groups]


@contextmanager
def one_batch_on_its_way(writer: Writer, gate: Gate, pool: ThreadPoolExecutor) -> Iterator[None]:
    """Holds up a first append inside the block, so that the others make one batch."""
    first = pool.submit(writer.append, ENTRIES)
    assert gate.entered.wait(30)
    yield
    gate.go.set()
    assert first.result(30)[0].seq == 1


def queued(writer: Writer, size: int) -> None:
    deadline = time.monotonic() + 30
    while len(writer._queue) < size and time.monotonic() < deadline:
        time.sleep(0.001)
    assert len(writer._queue) == size


def test_everybody_of_a_batch_gets_a_receipt_of_their_own():
    gate = Gate()
    writer = Writer(gate, 30)
    with ThreadPoolExecutor(WAITING + 1) as pool:
        with one_batch_on_its_way(writer, gate, pool):
            others = [pool.submit(writer.append, ENTRIES) for _ in range(WAITING)]
            queued(writer, WAITING)
        seqs = sorted(one.result(30)[0].seq for one in others)
    assert seqs == list(range(2, WAITING + 2))
    assert gate.batches == [1, WAITING]
    assert writer._open == 0


@pytest.mark.parametrize("gone", [(1,), (2,), (1, 2), (3, 4, 5), tuple(range(1, WAITING))])
def test_those_behind_somebody_who_gave_up_are_told_all_the_same(
    gone: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
):
    """They give up while their batch is being written, when nobody can take it back."""
    gates = [Gate(), Gate()]
    writer = Writer(lambda take: (gates[0] if not gates[0].batches else gates[1])(take), 30)
    wait, impatient = _Ticket.wait, threading.local()

    def waits(ticket: _Ticket, timeout_s: float) -> bool:
        if getattr(impatient, "yes", False):
            assert gates[1].entered.wait(30)
            return False
        return wait(ticket, timeout_s)

    def append(number: int) -> object:
        impatient.yes = number in gone
        return writer.append(ENTRIES)

    monkeypatch.setattr(_Ticket, "wait", waits)
    with ThreadPoolExecutor(WAITING + 1) as pool:
        with one_batch_on_its_way(writer, gates[0], pool):
            others = []
            for number in range(WAITING):
                others.append(pool.submit(append, number))
                queued(writer, number + 1)
        for number in gone:
            assert "may be written later" in str(others[number].exception(30))
        gates[1].go.set()
        for number, one in enumerate(others):
            if number not in gone:
                assert isinstance(one.result(30), list)
    assert gates[1].batches == [WAITING]


def test_whoever_is_interrupted_while_the_others_gather_lets_the_next_one_lead(
    monkeypatch: pytest.MonkeyPatch,
):
    gate = Gate()
    gate.go.set()
    writer = Writer(gate, 5)
    with monkeypatch.context() as patch:
        patch.setattr(writer, "_gather", interrupted)
        with pytest.raises(KeyboardInterrupt):
            writer.append(ENTRIES)
    assert writer.append(ENTRIES)[0].seq == 1
    assert gate.batches == [1]


def test_whoever_is_interrupted_while_it_waits_does_not_keep_the_others_waiting(
    monkeypatch: pytest.MonkeyPatch,
):
    gate = Gate()
    writer = Writer(gate, 30)
    with ThreadPoolExecutor(4) as pool:
        with one_batch_on_its_way(writer, gate, pool):
            with monkeypatch.context() as patch:
                patch.setattr(_Ticket, "wait", interrupted)
                with pytest.raises(KeyboardInterrupt):
                    writer.append(ENTRIES)
            assert not writer._queue
            other = pool.submit(writer.append, ENTRIES)
            queued(writer, 1)
        assert other.result(30)[0].seq == 2


def interrupted(*_: object) -> bool:
    raise KeyboardInterrupt
