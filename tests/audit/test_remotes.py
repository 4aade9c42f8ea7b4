"""Anchors on other machines: signed webhook, git, S3-style store; failures, retries, the demand."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from audit import Anchor, AuditLog, Unavailable, verify
from audit.gitsink import GitSink
from audit.remote import S3Access, S3Sink, WebhookSink, signed_headers
from tests.audit.events import asked, executed, fill, intent
from tests.audit.test_sinks import BrokenSink

ACCESS = S3Access(region="us-east-1", access_key="AKIDEXAMPLE", secret_key="very/secret")


@dataclass
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """An HTTP server on this machine that keeps what it was sent."""

    url: str = ""
    status: int = 200
    received: list[Received] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            found.received.append(Received(self.command, self.path, headers, body))
            self.send_response(found.status)
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()

        do_POST = do_PUT = do_GET = _take

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield found
    server.shutdown()
    server.server_close()


def wait_for(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_webhook_gets_the_newest_checkpoint_signed(log: AuditLog, receiver: Receiver):
    fill(log, 7)
    log.anchor_to([WebhookSink(f"{receiver.url}/hook", "shared")])
    assert log.flush_remotes()
    last = receiver.received[-1]
    assert (last.method, last.path) == ("POST", "/hook")
    body = json.loads(last.body)
    assert (body["size"], body["note"]) == (7, log.head().note)
    moment, mac = (
        part.partition("=")[2] for part in last.headers["gatehouse-signature"].split(",")
    )
    expected = hmac.digest(b"shared", f"{moment}.".encode() + last.body, hashlib.sha256).hex()
    assert mac == expected
    assert abs(int(moment) - time.time()) < 60


def test_an_s3_store_gets_each_checkpoint_as_an_object_of_its_own(
    log: AuditLog, receiver: Receiver
):
    fill(log, 3)
    log.anchor_to([S3Sink(f"{receiver.url}/bucket/audit", ACCESS, lock_days=30)])
    assert log.flush_remotes()
    last = receiver.received[-1]
    origin = log.origin.replace("/", "_")
    assert (last.method, last.path) == ("PUT", f"/bucket/audit/{origin}/0000000000000003.json")
    assert json.loads(last.body)["note"] == log.head().note
    assert last.headers["x-amz-object-lock-mode"] == "COMPLIANCE"
    stamp = datetime.strptime(last.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    others = {k: v for k, v in last.headers.items() if k.startswith(("x-amz-check", "x-amz-obj"))}
    again = signed_headers("PUT", last.headers["host"], last.path, last.body, ACCESS, stamp, others)
    assert last.headers["authorization"] == again["authorization"]
    fill(log, 5)
    assert log.flush_remotes()
    assert receiver.received[-1].path.endswith("/0000000000000005.json")


def test_requests_are_signed_as_the_published_example_is():
    """The PUT example of the Signature Version 4 documentation."""
    access = S3Access(
        region="us-east-1",
        access_key="AKIAIOSFODNN7EXAMPLE",
        secret_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    )
    headers = signed_headers(
        "PUT",
        "examplebucket.s3.amazonaws.com",
        "/test%24file.text",
        b"Welcome to Amazon S3.",
        access,
        datetime(2013, 5, 24, tzinfo=UTC),
        {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
    )
    signature = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    assert headers["authorization"].endswith(f"Signature={signature}")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "ftp://example.com",
        "https://user:password@example.com/",
        "https://example.com/?token=x",
        "/path",
    ],
)
def test_an_anchor_goes_nowhere_in_the_clear(url: str):
    with pytest.raises(ValueError, match="an anchor"):
        WebhookSink(url, "shared")
    with pytest.raises(ValueError, match="an anchor"):
        S3Sink(url, ACCESS)


def test_a_redirect_is_a_failure(log: AuditLog, receiver: Receiver):
    receiver.status = 302
    log.anchor_to([WebhookSink(f"{receiver.url}/hook", "shared")])
    assert not log.flush_remotes()
    assert len({r.path for r in receiver.received}) == 1
    assert log.head().remote["webhook"].failing == "OSError"


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout


def test_a_git_repository_gets_a_commit_for_each_checkpoint_from_several_instances(
    log: AuditLog, tmp_path: Path
):
    bare = tmp_path / "anchors.git"
    git("init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    for size, clone in ((3, "one"), (6, "two"), (9, "one")):
        fill(log, size)
        log.anchor_to([GitSink(str(bare), tmp_path / clone)])
        assert log.flush_remotes(), log.head().remote
    names = git("-C", str(bare), "ls-tree", "-r", "--name-only", "main").splitlines()
    assert [name[-6:] for name in names] == ["3.json", "6.json", "9.json"]
    line = git("-C", str(bare), "show", f"main:{names[-1]}")
    assert json.loads(line)["note"] == log.head().note
    (tmp_path / "one" / ".git" / "HEAD").write_text("damaged")
    fill(log, 11)
    log.flush_remotes()
    assert log.flush_remotes()


@pytest.mark.parametrize(
    "address", ["ext::sh -c id", "--upload-pack=id", "relative/path", "git://x/y"]
)
def test_git_is_given_no_address_that_runs_something(address: str, tmp_path: Path):
    with pytest.raises(ValueError, match="git repository"):
        GitSink(address, tmp_path / "clone")


def test_a_failure_is_recorded_once_and_tried_again_until_it_works(
    log: AuditLog, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("audit.remotes._RETRY_S", 0.01)
    sink = BrokenSink()
    log.anchor_to([sink], interval_s=0.05)
    wait_for(lambda: log.head().remote["broken"].failing)
    log.append(asked(1))
    sink.broken = False
    wait_for(lambda: log.head().remote["broken"].size == log.changed())
    assert log.head().remote["broken"].failing is None
    failures = [r for r in log.tail(50) if r.event.type == "log.anchor_failed"]
    assert len(failures) == 1
    assert "secret address" not in failures[0].line


class Hanging:
    name = "hanging"

    def __init__(self) -> None:
        self.go = threading.Event()

    def send(self, anchors: Sequence[Anchor]) -> None:
        self.go.wait(30)


def test_a_remote_that_hangs_holds_no_append_up(log: AuditLog):
    sink = Hanging()
    log.anchor_to([sink])
    receipts = [log.append(asked(n)) for n in range(20)]
    assert receipts[-1].seq == 21
    assert log.verify().status == verify.OK
    sink.go.set()


def test_where_anchoring_is_demanded_nothing_begins_while_it_is_overdue(log: AuditLog):
    begun = intent()
    log.append(begun)
    sink = BrokenSink()
    log.anchor_to([sink], within_s=0.0)
    wait_for(lambda: log.head().overdue)
    with pytest.raises(Unavailable, match="anchored on another machine"):
        log.append(intent())
    log.append(executed(begun))
    sink.broken = False
    log.flush_remotes()
    log.anchor_to([sink], within_s=60)
    log.append(intent())


def test_a_demand_without_any_remote_sink_is_never_met(log: AuditLog):
    log.anchor_to([], within_s=60)
    with pytest.raises(Unavailable, match="anchored"):
        log.append(intent())
    log.anchor_to([])
    log.append(intent())
