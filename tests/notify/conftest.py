from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from notify import Courier
from tests.company import POLICY, Company, make_company
from tests.notify.receiver import Receiver, receiving

HOOK = """
[notifications]
address = "https://gatehouse.example"
[notifications.targets.hook]
kind = "webhook"
url_secret = "HOOK_URL"
signing_secret = "HOOK_KEY"
"""
TRACKER = """
[notifications]
address = "https://gatehouse.example"
tables = true
[notifications.targets.tracker]
kind = "webhook"
url_secret = "HOOK_URL"
authorization_secret = "TRACKER_LOGIN"
[[notifications.targets.tracker.calls]]
events = ["new"]
path = "/rest/api/2/issue"
body = '{"fields": {"summary": "Change ${id} on ${source}: ${tables}", "rows": "${rows}"}}'
remember = "/key"
[[notifications.targets.tracker.calls]]
events = ["decided", "expired"]
path = "/rest/api/2/issue/${reference}/transitions"
body = '{"transition": {"id": "31"}, "state": "${state}"}'
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@dataclass
class Told:
    """A company that tells the receiver, and its courier."""

    company: Company
    courier: Courier
    environment: dict[str, str] = field(default_factory=dict)


def told(home: Path, receiver: Receiver, policy: str) -> Told:
    environment = {
        "HOOK_URL": receiver.url,
        "HOOK_KEY": "a key that is shared",
        "TRACKER_LOGIN": "Basic dGVzdA==",
    }
    company = make_company(home, POLICY + policy)
    courier = Courier(company.store, company.parts.policies, environment)
    return Told(company, courier, environment)


@pytest.fixture
def hook(tmp_path: Path, receiver: Receiver) -> Iterator[Told]:
    found = told(tmp_path / "home", receiver, HOOK)
    yield found
    found.company.close()


@pytest.fixture
def tracker(tmp_path: Path, receiver: Receiver) -> Iterator[Told]:
    found = told(tmp_path / "home", receiver, TRACKER)
    yield found
    found.company.close()
