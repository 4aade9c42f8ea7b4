"""Notices leave at least once, signed, in order, and hold nothing of a person or a row."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from notify import signing
from store import changes, outbox
from tests.company import EMAIL, SURNAME, Company
from tests.notify.conftest import Told, told
from tests.notify.receiver import Receiver

UPDATE = "UPDATE orders SET status = 'cancelled' WHERE id = 2"
_FIELDS = {
    "id",
    "event",
    "state",
    "source",
    "environment",
    "rows",
    "tier",
    "tables",
    "link",
    "at",
    "key",
}


def propose(company: Company, sql: str = UPDATE, reason: str = "A test") -> int:
    caller = company.caller("ana")
    return company.parts.gate.propose(sql, source="shop", caller=caller, reason=reason).change


def approve(company: Company, change: int, name: str = "rita") -> None:
    who = company.caller(name)
    view = company.parts.review.inbox.view(change, who)
    company.parts.review.approve(
        change, who, fingerprint=view.fingerprint or "", version=view.version
    )


def later(company: Company, **more: float) -> None:
    moment = company.store.now() + dt.timedelta(**more)
    company.store.now = lambda: moment  # type: ignore[method-assign]


def test_a_webhook_is_signed_over_time_key_and_body(hook: Told, receiver: Receiver) -> None:
    change = propose(hook.company)
    assert hook.courier.deliver() == 1
    [got] = receiver.got
    assert got.json["id"] == change
    assert got.json["link"] == f"https://gatehouse.example/approvals?change={change}"
    given = got.headers[signing.SIGNATURE]
    facts = {
        "timestamp": int(got.headers[signing.TIMESTAMP]),
        "notice": got.headers[signing.IDEMPOTENCY],
        "given": given,
    }
    key = b"a key that is shared"
    assert signing.verified(key, body=got.body, **facts)  # type: ignore[arg-type]
    assert not signing.verified(key, body=got.body + b" ", **facts)  # type: ignore[arg-type]
    assert not signing.verified(b"another", body=got.body, **facts)  # type: ignore[arg-type]
    late = facts | {"timestamp": facts["timestamp"] + 1}  # type: ignore[operator]
    assert not signing.verified(key, body=got.body, **late)  # type: ignore[arg-type]
    assert hook.courier.deliver() == 0


def test_promise_08_a_notice_holds_a_closed_set_of_fields_and_no_person(
    hook: Told, receiver: Receiver
) -> None:
    company = hook.company
    sql = f"UPDATE customers SET country = '{SURNAME}x' WHERE email = '{EMAIL}'"
    propose(company, sql)
    change = propose(
        company,
        "UPDATE customers SET country = 'France' WHERE id = 1",
        reason=f"{SURNAME} wrote from {EMAIL}",
    )
    approve(company, change)
    propose(company, f"UPDATE orders SET status = '{EMAIL}' WHERE id = 2")
    hook.courier.deliver()
    hook.courier.deliver()
    assert {str(g.json["event"]) for g in receiver.got} == {"new", "decided"}
    for got in receiver.got:
        assert set(got.json) == _FIELDS
        assert got.json["tables"] == ""
        sent = got.body.decode() + str(got.headers)
        for secret in (EMAIL, SURNAME, "Ana", "Rita", "ana", "cancelled", "UPDATE", "France"):
            assert secret not in sent


def test_what_does_not_arrive_is_sent_again_with_the_same_key(
    hook: Told, receiver: Receiver
) -> None:
    receiver.answers = [(503, b"later"), (302, b""), (200, b"{}")]
    propose(hook.company)
    assert hook.courier.deliver() == 0
    assert hook.courier.deliver() == 0
    assert len(receiver.got) == 1
    later(hook.company, seconds=11)
    assert hook.courier.deliver() == 0
    later(hook.company, seconds=15)
    assert hook.courier.deliver() == 0
    later(hook.company, seconds=30)
    assert hook.courier.deliver() == 1
    assert len({g.headers[signing.IDEMPOTENCY] for g in receiver.got}) == 1
    assert [g.path for g in receiver.got] == ["/", "/", "/"]


def test_a_notice_is_given_up_after_a_day_and_says_why(hook: Told, receiver: Receiver) -> None:
    receiver.answers = [(500, b"secret words of the target")]
    propose(hook.company)
    hook.courier.deliver()
    later(hook.company, hours=25)
    hook.courier.deliver()
    with hook.company.store.read() as conn:
        [notice] = outbox.list_all(conn)
    assert (notice.state, notice.error) == ("given_up", "It answered 500.")


def test_a_notice_that_a_dead_process_held_is_sent_by_another(
    hook: Told, receiver: Receiver
) -> None:
    propose(hook.company)
    store = hook.company.store
    with store.write() as conn:
        now = store.now()
        until = now + dt.timedelta(minutes=5)
        assert len(outbox.claim(conn, owner="dead", now=now, until=until)) == 1
    assert hook.courier.deliver() == 0
    later(hook.company, minutes=6)
    assert hook.courier.deliver() == 1
    assert len(receiver.got) == 1


_KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from store import outbox
from tests.company import make_company
from notify import Courier
company = make_company(Path(sys.argv[2]))
outbox.sent = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
Courier(company.store, company.parts.policies).deliver()
"""


def test_promise_12_kill_9_after_sending_sends_again_and_loses_nothing(
    tmp_path: Path, receiver: Receiver
) -> None:
    first = told(tmp_path / "home", receiver, _HOOK_ONLY)
    propose(first.company)
    first.company.close()
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, root, str(tmp_path / "home")],
        env=os.environ | first.environment | {"PYTHONPATH": root},
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(receiver.got) == 1
    again = told(tmp_path / "home", receiver, _HOOK_ONLY)
    try:
        later(again.company, minutes=6)
        assert again.courier.deliver() == 1
    finally:
        again.company.close()
    keys = [g.headers[signing.IDEMPOTENCY] for g in receiver.got]
    assert len(keys) == 2
    assert len(set(keys)) == 1


_HOOK_ONLY = """
[notifications.targets.hook]
kind = "webhook"
url_secret = "HOOK_URL"
signing_secret = "HOOK_KEY"
"""


def test_a_ticket_is_opened_and_closed_under_the_name_its_tracker_gave_it(
    tracker: Told, receiver: Receiver
) -> None:
    company = tracker.company
    receiver.answers = [(500, b""), (201, b'{"key": "OPS-17"}'), (204, b"")]
    change = propose(company)
    company.parts.review.reject(change, company.caller("rita"), "Not this one")
    assert tracker.courier.deliver() == 0  # the ticket was not opened, so it is not closed either
    later(company, seconds=11)
    assert tracker.courier.deliver() == 1
    assert tracker.courier.deliver() == 1
    opened, closed = receiver.got[1:]
    assert opened.path == "/rest/api/2/issue"
    assert opened.headers["Authorization"] == "Basic dGVzdA=="
    summary = f"Change {change} on shop: orders"
    assert opened.json == {"fields": {"summary": summary, "rows": 1}}
    assert closed.path == "/rest/api/2/issue/OPS-17/transitions"
    assert closed.json == {"transition": {"id": "31"}, "state": "rejected"}


@pytest.mark.parametrize("key", ['"../../admin"', '"a b"', '"x?y=1"', "[1]", "true", "null"])
def test_a_name_in_an_answer_cannot_lead_elsewhere(
    tracker: Told, receiver: Receiver, key: str
) -> None:
    receiver.answers = [(201, f'{{"key": {key}}}'.encode())]
    propose(tracker.company)
    assert tracker.courier.deliver() == 0
    with tracker.company.store.read() as conn:
        assert outbox.reference(conn, "tracker", 1) is None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://169.254.169.254/latest", "one that no notice is sent to"),
        ("http://192.0.2.7/hook", "must begin with https"),
        ("ftp://127.0.0.1/", "must be https"),
        ("http://user:word@127.0.0.1/", "without a login"),
        ("file:///etc/passwd", "must be https"),
        ("", "HOOK_URL is not set"),
    ],
)
def test_an_address_that_is_not_for_notices_is_refused(hook: Told, url: str, said: str) -> None:
    hook.environment["HOOK_URL"] = url
    propose(hook.company)
    assert hook.courier.deliver() == 0
    with hook.company.store.read() as conn:
        [notice] = outbox.list_all(conn)
    assert said in (notice.error or "")
    assert "word" not in (notice.error or "")


def test_each_event_of_a_request_is_told_once(hook: Told, receiver: Receiver) -> None:
    company = hook.company
    change = propose(company)
    later(company, hours=13)
    assert company.parts.review.remind() == (change,)
    assert company.parts.review.remind() == ()
    later(company, hours=12)
    assert company.parts.review.expire() == (change,)
    for _ in range(4):
        hook.courier.deliver()
    assert [g.json["event"] for g in receiver.got] == ["new", "reminder", "expired"]


def test_a_request_whose_state_change_failed_is_not_told(hook: Told, receiver: Receiver) -> None:
    company = hook.company
    change = propose(company)
    hook.courier.deliver()

    def cut_off() -> None:
        with company.store.write() as conn:
            changes.move(conn, change, "pending", "rejected", now=company.store.now())
            company.parts.review._notices.queue(conn, "decided", change)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        cut_off()
    hook.courier.deliver()
    assert [g.json["event"] for g in receiver.got] == ["new"]


def test_apprise_gets_a_short_text_with_a_link(tmp_path: Path, receiver: Receiver) -> None:
    pytest.importorskip("apprise")
    policy = """
[notifications]
address = "https://gatehouse.example"
[notifications.targets.team]
kind = "apprise"
url_secret = "HOOK_URL"
"""
    team = told(tmp_path / "home", receiver, policy)
    try:
        team.environment["HOOK_URL"] = receiver.url.replace("http://", "json://")
        change = propose(team.company)
        assert team.courier.deliver() == 1
        [got] = receiver.got
        assert got.json["title"] == f"A change waits for review (#{change})"
        text = str(got.json["message"])
        assert f"Request #{change} on shop (production): 1 row." in text
        assert f"https://gatehouse.example/approvals?change={change}" in text
    finally:
        team.company.close()
