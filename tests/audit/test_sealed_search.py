"""Sealed records are found like live ones, from their files, newest first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit import Action, AuditLog, Filter, Message, SealedPage, Tampered
from tests.audit.events import BEN, asked, denied, executed, fill, intent

NOW = datetime(2100, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audit.sequencer.KEEP_EVERY", 10)
    monkeypatch.setattr("audit.sealing.next_segment.__defaults__", (20,))


@pytest.fixture
def mixed(log: AuditLog) -> AuditLog:
    """Records 2 to 6 of many kinds, then 39 questions in three sessions."""
    log.append(asked(1, parts=(Message(question="Umsatz in München, customer_id je Region"),)))
    log.append(denied("hr.employees"))
    begun = intent()
    log.append(begun)
    log.append(executed(begun))
    log.append(asked(2, actor=BEN, parts=(Action(statement='SELECT "a" NEAR OR (b)'),)))
    fill(log, 45)
    return log


FILTERS = [
    {},
    {"text": "employees"},
    {"text": "hr.employees"},
    {"text": "customer_id"},
    {"text": "munchen region"},
    {"text": "MÜNCHEN umsatz"},
    {"text": "region absent"},
    {"text": "cust"},
    {"text": "emp* read*"},
    {"text": '"a" NEAR'},
    {"text": 'absent" OR words : "select'},
    {"text": "%%"},
    {"text": "month 1"},
    {"text": "Question"},
    {"types": ("query.intent", "query.executed")},
    {"actors": ("u-ben", "u-ana")},
    {"person": "u-ben"},
    {"person": "u-be"},
    {"session": "s-1"},
    {"session": "s"},
    {"request": "r-1"},
    {"outcome": "denied"},
    {"decision": "deny"},
    {"table": "HR.Employees"},
    {"table": "orders", "types": ("query.intent",)},
    {"text": "orders", "session": "s-1"},
]


def numbers(log: AuditLog, wanted: Filter, limit: int = 100) -> list[int]:
    return [one.seq for one in log.search_sealed(wanted, limit=limit).records]


@pytest.mark.parametrize("fields", FILTERS)
def test_what_was_found_while_live_is_found_when_sealed(mixed: AuditLog, fields: dict[str, object]):
    wanted = Filter(**fields)  # type: ignore[arg-type]
    live = [one for one in mixed.search(wanted, limit=100).records if one.seq <= 40]
    assert [(s.first, s.last) for s in mixed.seal(NOW)] == [(1, 20), (21, 40)]
    found = mixed.search_sealed(wanted, limit=100)
    assert found.records == tuple(live)
    assert (found.looked, found.before) == (40, None)


def test_a_sealed_record_is_found_by_its_hash(mixed: AuditLog):
    record = mixed.record(7)
    assert record is not None
    mixed.seal(NOW)
    assert numbers(mixed, Filter(text=record.hash)) == [7]
    assert numbers(mixed, Filter(text=record.hash[:9])) == [7]


def test_times_choose_the_segments_and_the_records(mixed: AuditLog, monkeypatch):
    logged = {seq: one.logged for seq in (5, 15, 30) if (one := mixed.record(seq))}
    mixed.seal(NOW)
    reached: list[tuple[int, int]] = []
    found = mixed.search_sealed(
        Filter(since=logged[5], until=logged[15]), progress=lambda *at: reached.append(at)
    )
    assert (found.records[-1].seq, found.records[0].seq) == (5, 14)
    assert reached[-1] == (20, 20)
    assert [s.first for s in mixed.sealed_within(Filter(since=logged[30]))] == [21]
    assert not mixed.sealed_within(Filter(since=NOW - timedelta(days=1)))
    assert numbers(mixed, Filter(since=NOW)) == []


def test_pages_go_on_where_the_one_before_ended(mixed: AuditLog):
    wanted = Filter(types=("request.received",))
    live = [one.seq for one in mixed.search(wanted, limit=100).records if one.seq <= 40]
    mixed.seal(NOW)
    found, before = [], None
    while True:
        page = mixed.search_sealed(wanted, limit=7, before=before)
        found += [one.seq for one in page.records]
        if (before := page.before) is None:
            break
    assert found == live


def test_a_search_ends_with_the_first_segment_that_fills_the_page(mixed: AuditLog):
    mixed.seal(NOW)
    page = mixed.search_sealed(Filter(), limit=5)
    assert ([one.seq for one in page.records], page.looked) == ([40, 39, 38, 37, 36], 20)
    assert page.before == 36


def test_a_search_can_be_left_at_any_moment(mixed: AuditLog, monkeypatch):
    mixed.seal(NOW)
    monkeypatch.setattr("audit.sealedsearch._CHUNK", 8)

    def stop(looked: int, total: int) -> None:
        assert (looked, total) == (8, 40)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mixed.search_sealed(Filter(), progress=stop)


def test_a_search_that_was_left_goes_on_after_the_last_segment_it_read(mixed: AuditLog):
    wanted = Filter(types=("request.received",))
    mixed.seal(NOW)
    whole = mixed.search_sealed(wanted, limit=100)
    reached: list[SealedPage] = []
    assert mixed.search_sealed(wanted, limit=100, reached=reached.append) == whole
    [page] = reached
    assert (page.looked, page.before) == (20, 21)
    assert page.records
    rest = mixed.search_sealed(wanted, limit=100, before=page.before)
    assert (*page.records, *rest.records) == whole.records
    assert page.looked + rest.looked == whole.looked


def test_a_segment_that_was_changed_is_not_searched(mixed: AuditLog, folder: Path):
    mixed.seal(NOW)
    newest = max((folder / "segments").glob("*.gz"))
    newest.write_bytes(min((folder / "segments").glob("*.gz")).read_bytes())
    with pytest.raises(Tampered, match="not what its manifest says"):
        mixed.search_sealed(Filter(text="nothing"))


def test_expired_and_live_records_are_left_out(mixed: AuditLog):
    assert mixed.search_sealed(Filter()).records == ()
    mixed.seal(NOW)
    mixed._archive.expire(mixed.sealed_segments()[0])
    assert numbers(mixed, Filter()) == list(range(40, 20, -1))
