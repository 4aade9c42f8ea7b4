"""What a page costs to draw again when the audit trail is long, as ratios measured in one run.

`python -m bench pages` prints them. A ratio of 1 means that it does not grow with the trail.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from streamlit.testing.v1 import AppTest

from bench.audit import fill
from store import accounts, conversations, websessions
from tests.company import make_company
from ui import identity, session

MAIN = Path(identity.__file__).parent / "main.py"
FEW, MANY = 10, 100_000
ROUNDS = 15
PAGES = ("ask", "approvals", "audit")


@dataclass(frozen=True, kw_only=True)
class Console:
    """A data folder with one answered question and a trail of some length."""

    home: Path
    conversation: str
    token: str

    def use(self) -> None:
        """Makes pages work on this data folder, for the person who asked."""
        os.environ["GATEHOUSE_HOME"] = str(self.home)
        identity.cookie_token = lambda: self.token

    def opened(self, page: str) -> AppTest:
        """Returns a tab with the page drawn, so that nothing is read for the first time."""
        self.use()
        tab = AppTest.from_file(MAIN, default_timeout=120)
        tab.run()
        if page != "ask":
            tab.switch_page(f"../pages/{page}.py")
        tab.query_params["c"] = self.conversation
        return tab.run()

    def clock(self, tab: AppTest) -> float:
        """Returns the seconds of one more run."""
        self.use()
        begun = time.perf_counter()
        tab.run()
        took = time.perf_counter() - begun
        if tab.exception:
            raise RuntimeError(tab.exception[0].message)
        return took


def make(home: Path, events: int) -> Console:
    """Returns a console whose trail has about `events` events."""
    company = make_company(home)
    _turn, answer = company.ask("How many orders are there?", "adam")
    if answer.status != "answered":
        raise RuntimeError(answer.text)
    fill(company.log, max(0, events - company.log.changed()))
    with company.store.write() as conn:
        account = accounts.by_name(conn, "adam")
        assert account is not None
        token = websessions.start(conn, account.id, now=company.store.now())
        [conversation] = conversations.list_own(conn, account.id)
    company.close()
    return Console(home=home, conversation=conversation.id, token=token)


def run() -> list[tuple[str, float, str]]:
    """Returns what was measured: name, ratio, and the goal."""
    before = os.environ.get("GATEHOUSE_HOME"), identity.cookie_token
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        short, long = make(Path(one) / "home", FEW), make(Path(other) / "home", MANY)
        try:
            return [_row(page, short, long) for page in PAGES]
        finally:
            session.close()
            identity.cookie_token = before[1]
            if before[0] is None:
                os.environ.pop("GATEHOUSE_HOME", None)
            else:
                os.environ["GATEHOUSE_HOME"] = before[0]


def _row(page: str, short: Console, long: Console) -> tuple[str, float, str]:
    small, large = short.opened(page), long.opened(page)
    took = [(short.clock(small), long.clock(large)) for _ in range(ROUNDS)]
    ratio = statistics.median(large / small for small, large in took)
    ms = statistics.median(large for _, large in took) * 1_000
    return f"{page} page, {MANY:,} / {FEW} events", ratio, f"about 1 ({ms:.0f} ms)"


if __name__ == "__main__":
    for name, value, note in run():
        print(f"{value:8.2f}  {name}  ({note})")
