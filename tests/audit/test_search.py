from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit import Action, AuditLog, Filter, Message, Unavailable
from tests.audit.events import BEN, asked, denied, executed, fill, intent


def seqs(log: AuditLog, **fields: object) -> list[int]:
    return [record.seq for record in log.search(Filter(**fields)).records]  # type: ignore[arg-type]


@pytest.fixture
def mixed(log: AuditLog) -> AuditLog:
    log.append(asked(1, parts=(Message(question="Umsatz in München, customer_id je Region"),)))  # 2
    log.append(denied("hr.employees"))  # 3
    begun = intent()
    log.append(begun)  # 4
    log.append(executed(begun))  # 5
    log.append(asked(2, actor=BEN, parts=(Action(statement='SELECT "a" NEAR OR (b)'),)))  # 6
    return log


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, [6, 5, 4, 3, 2, 1]),
        ({"text": "employees"}, [3]),
        ({"text": "hr.employees"}, [3]),
        ({"text": "customer_id"}, [2]),
        ({"text": "munchen region"}, [2]),
        ({"text": "REGION umsatz"}, [2]),
        ({"text": "region absent"}, []),
        ({"text": "cust"}, [2]),
        ({"text": "emp* read*"}, [3]),
        ({"text": '"a" NEAR'}, [6]),
        ({"text": "OR (b)"}, [6]),
        ({"text": 'say"nothing'}, []),
        ({"text": 'absent" OR words : "select'}, []),
        ({"text": "* ) ("}, []),
        ({"text": "%%"}, []),
        ({"text": "  "}, [6, 5, 4, 3, 2, 1]),
        ({"text": "q\x00z"}, []),
        ({"types": ("query.intent", "query.executed")}, [5, 4]),
        ({"actors": ("u-ben",)}, [6, 3]),
        ({"actors": ("u-ben", "u-ana")}, [6, 5, 4, 3, 2]),
        ({"actors": ("u-be",)}, []),
        ({"session": "s-1"}, [5, 4, 2]),
        ({"session": "s"}, []),
        ({"request": "r-1"}, [5, 4, 2]),
        ({"outcome": "denied"}, [3]),
        ({"decision": "deny"}, [3]),
        ({"table": "HR.Employees"}, [3]),
        ({"table": "orders", "types": ("query.intent",)}, [4]),
        ({"table": "employees"}, []),
        ({"actors": ("u-ben",), "outcome": "success"}, [6]),
    ],
)
def test_filters_find_what_fits_newest_first(mixed: AuditLog, fields, found):
    page = mixed.search(Filter(**fields))
    assert [record.seq for record in page.records] == found
    assert (page.total, page.more_than_total) == (len(found), False)


def test_a_record_is_found_by_the_beginning_of_its_hash(mixed: AuditLog):
    record = mixed.record(4)
    assert record is not None
    assert seqs(mixed, text=record.hash[:10]) == [4]


def test_time_bounds_take_the_first_moment_and_leave_the_last(mixed: AuditLog):
    logged = {record.seq: record.logged for record in mixed.tail()}
    instant = timedelta(microseconds=1)
    assert seqs(mixed, since=logged[4]) == [6, 5, 4]
    assert seqs(mixed, until=logged[4]) == [3, 2, 1]
    assert seqs(mixed, since=logged[2], until=logged[3] + instant) == [3, 2]
    assert seqs(mixed, since=logged[6] + instant) == []
    assert seqs(mixed, until=logged[1]) == []
    assert seqs(mixed, since=logged[3], actors=("u-ben",), text="a") == [6]


def test_pages_follow_each_other(log: AuditLog):
    fill(log, 30)
    for wanted in (Filter(), Filter(actors=("u-ana", "u-ben"))):
        whole = [r.seq for r in log.search(wanted, limit=100).records]
        pages = [log.search(wanted, limit=7, offset=n) for n in range(0, 35, 7)]
        assert [r.seq for page in pages for r in page.records] == whole
        assert {page.total for page in pages} == {len(whole)}


def test_counting_stops_where_it_would_grow_with_the_log(log: AuditLog, monkeypatch):
    fill(log, 30)
    monkeypatch.setattr("audit.search.COUNT_LIMIT", 5)
    page = log.search(Filter(actors=("u-ana",)))
    assert (page.total, page.more_than_total, len(page.records) > 5) == (5, True, True)


def test_a_search_sees_what_was_appended_just_before_by_anybody(log: AuditLog, folder):
    assert seqs(log, text="employees") == []
    with AuditLog.open(folder, app_version="other") as other:
        other.append(denied())
    assert seqs(log, text="employees") == [2]


def test_a_lost_index_is_made_anew(folder):
    with AuditLog.open(folder, app_version="1") as log:
        fill(log, 20)
        before = seqs(log, outcome="denied")
    for path in folder.glob("search.sqlite*"):
        path.unlink()
    with AuditLog.open(folder, app_version="1") as log:
        assert seqs(log, outcome="denied") == before != []


def test_a_damaged_index_is_thrown_away_and_made_anew(folder):
    with AuditLog.open(folder, app_version="1") as log:
        fill(log, 20)
        before = seqs(log, outcome="denied")
    (folder / "search.sqlite").write_bytes(b"damaged " * 4096)
    with AuditLog.open(folder, app_version="1") as log:
        with pytest.raises(Unavailable, match="Search again"):
            log.search(Filter(outcome="denied"))
        assert seqs(log, outcome="denied") == before


def test_an_index_of_another_log_is_not_believed(folder, tmp_path):
    with AuditLog.open(tmp_path / "other", app_version="1") as other:
        fill(other, 40)
        assert other.search(Filter(text="orders")).total > 0
    folder.mkdir()
    (folder / "search.sqlite").write_bytes((tmp_path / "other" / "search.sqlite").read_bytes())
    with AuditLog.open(folder, app_version="1") as log:
        log.append(denied())
        assert seqs(log, text="employees") == [2]
        assert seqs(log, text="orders") == []


def test_the_index_can_lie_without_touching_the_evidence(log: AuditLog, folder):
    """Records come from the log: an index that names a record that is not there finds nothing."""
    fill(log, 10)
    log.search(Filter(text="orders"))
    with sqlite3.connect(folder / "search.sqlite") as index:
        index.execute("INSERT INTO entry (rowid, words, keys) VALUES (5000, 'planted', '')")
        index.execute("INSERT INTO entry (rowid, words, keys) VALUES (9, 'planted', '')")
    index.close()
    assert seqs(log, text="planted") == [9]
    assert log.verify(deep=True).status == 0


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(max_size=20))
def test_no_text_breaks_the_search(mixed: AuditLog, text):
    page = mixed.search(Filter(text=text))
    assert page.total == len(page.records) <= 6


class Counted:
    """Counts the steps SQLite takes: what a question costs, however busy the machine is."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.steps = 0
        connection.set_progress_handler(self._step, 10)

    def _step(self) -> int:
        self.steps += 10
        return 0


def cost_of_a_page(folder: Path, count: int) -> dict[str, int]:
    from bench.audit import fill as fill_fast

    with AuditLog.open(folder, app_version="1") as log:
        log._courier._on_idle = lambda: None  # all reading goes over the one counted connection
        fill_fast(log, count)
        log.append(denied())
        log.search(Filter(text="orders"))
        storage = Counted(log._storage._idle[0])
        assert log._index._db is not None
        index = Counted(log._index._db)
        costs = {}
        for name, ask in {
            "tail": lambda: log.tail(30),
            "tail of a session": lambda: log.tail(30, session="c-7"),
            "first page": lambda: log.search(Filter(), limit=50),
            "text": lambda: log.search(Filter(text="employees")),
            "types and actor": lambda: log.search(
                Filter(types=("policy.decided", "query.intent"), actors=("u-ben",))
            ),
            "size": log.changed,
        }.items():
            before = storage.steps + index.steps
            ask()
            costs[name] = storage.steps + index.steps - before
        assert len(log._storage._idle) == 1
        return costs


def test_a_page_costs_the_same_however_long_the_log_is(tmp_path):
    short = cost_of_a_page(tmp_path / "short", 1600)
    long = cost_of_a_page(tmp_path / "long", 6400)
    for name, steps in long.items():
        assert steps <= short[name] * 1.5 + 100, name
