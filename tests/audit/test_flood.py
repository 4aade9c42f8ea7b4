"""One person cannot flood the log; what they do stays visible, and nothing unlogged runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from audit import AuditLog, Flooded, Unavailable, Watermark
from audit.flood import Flood
from audit.parts import Repeats
from tests.audit.events import ANA, BEN, asked, denied, executed, intent


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(folder: Path, clock: Clock) -> Iterator[AuditLog]:
    flood = Flood(in_full=5, most_events=30, clock=clock)
    with AuditLog.open(folder, app_version="test", flood=flood) as opened:
        yield opened


def counts(log: AuditLog) -> list[tuple[int | None, int | None]]:
    parts = [record.event.part(Repeats) for record in log.tail(1000)]
    return [(part.count, part.total) for part in parts if part]


def test_the_first_refusals_stand_in_full_and_the_rest_are_counted(log: AuditLog, clock: Clock):
    for _ in range(1000):
        log.append(denied())
    assert log.changed() < 20
    full = [r for r in log.tail(1000) if r.event.type == "policy.decided"]
    assert [r.event.part(Repeats) is None for r in full[:5]] == [True] * 5
    totals = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert [total for _, total in counts(log)] == totals
    assert sum(count or 0 for count, _ in counts(log)) == 512
    clock.now = 61
    log.append(asked())
    assert counts(log)[-1] == (483, 995)
    assert log.tail(2)[0].event.summary.startswith("483 more: Refused")
    log.append(denied())
    assert log.tail(1)[0].event.part(Repeats) is None
    assert log.verify(deep=True).status == 0


def test_each_person_and_each_rule_is_counted_apart(log: AuditLog):
    for _ in range(20):
        log.append(denied())
    size = log.changed()
    receipt = log.append(replace(denied(), actor=ANA))
    assert receipt.seq == size + 1
    log.append(replace(denied(), parts=()))
    assert log.changed() == size + 2


def test_a_counted_refusal_gives_the_receipt_of_the_record_that_speaks_for_it(log: AuditLog):
    receipts = [log.append(denied()) for _ in range(20)]
    assert receipts[-1] == receipts[-2]
    record = log.record(receipts[-1].seq)
    assert record is not None
    assert record.event.part(Repeats) is not None


def test_what_was_counted_is_written_when_the_log_is_closed(folder: Path, clock: Clock):
    with AuditLog.open(folder, app_version="1", flood=Flood(in_full=1, clock=clock)) as log:
        for _ in range(7):
            log.append(denied())
    with AuditLog.open(folder, app_version="2") as log:
        assert counts(log)[-1] == (2, 6)


def test_whoever_begins_too_much_is_refused_and_what_runs_is_finished(log: AuditLog, clock: Clock):
    begun = intent()
    log.append(begun)
    for number in range(29):
        log.append(asked(number))
    for _ in range(50):
        with pytest.raises(Flooded, match="Nothing of this ran"):
            log.append(intent())
        with pytest.raises(Flooded):
            log.append_many((asked(), intent()))
    log.append(executed(begun))
    said = [r.event for r in log.tail(100) if r.event.outcome == "denied"]
    assert 5 <= len(said) < 20
    assert "too many events" in said[0].summary
    assert log.open_intents() == ()
    log.append(replace(asked(), actor=BEN))
    clock.now = 61
    log.append(intent())


def test_a_batch_is_never_counted_away(log: AuditLog):
    for _ in range(10):
        first, second = log.append_many((denied(), denied()))
        assert second.seq == first.seq + 1


class Disk:
    def __init__(self, free: int) -> None:
        self.total, self.used, self.free = 100, 100 - free, free


@pytest.mark.parametrize(("free", "warned"), [(50, False), (15, True), (3, True)])
def test_a_full_disk_warns_and_then_stops_the_work_but_not_the_log(
    folder: Path, monkeypatch: pytest.MonkeyPatch, free: int, warned: bool
):
    mark = Watermark(warn_free=30, stop_free=5)
    with AuditLog.open(folder, app_version="1", watermark=mark) as log:
        begun = intent()
        log.append(begun)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(free))
        log._gauge._room = None
        assert bool(log.warnings()) == warned
        if free == 3:
            for event in (intent(), asked()):
                with pytest.raises(Unavailable, match="nothing runs"):
                    log.append(event)
        else:
            log.append(intent())
        log.append(executed(begun))


def test_a_disk_nobody_can_measure_counts_as_full(folder: Path, monkeypatch: pytest.MonkeyPatch):
    with AuditLog.open(folder, app_version="1") as log:

        def fail(_: object) -> None:
            raise OSError

        monkeypatch.setattr(shutil, "disk_usage", fail)
        log._gauge._room = None
        with pytest.raises(Unavailable, match="nothing runs"):
            log.append(intent())
