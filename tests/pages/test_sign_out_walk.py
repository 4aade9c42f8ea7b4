"""Signing out in one tab, as the tabs beside it see it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect
from streamlit.proto.BackMsg_pb2 import BackMsg

from tests.pages.browsing import Visitor, sign_in
from tests.ui.server import Server

pytestmark = [pytest.mark.browser, pytest.mark.slow]


class Line:
    """What a tab sends to the server, kept so that it can be sent late once more."""

    def __init__(self, page: Page) -> None:
        self.ticks: dict[str, bytes] = {}
        self._server: WebSocketRoute | None = None
        page.route_web_socket("**/_stcore/stream", self._relay)

    def _relay(self, socket: WebSocketRoute) -> None:
        server = self._server = socket.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            if isinstance(message, bytes):
                said = BackMsg()
                said.ParseFromString(message)
                if said.rerun_script.fragment_id:
                    self.ticks[said.rerun_script.fragment_id] = message
            server.send(message)

        socket.on_message(pass_on)

    def late_ticks(self) -> None:
        """Sends the last tick of each timer, as if it had been on its way all the time."""
        assert self._server is not None
        for message in self.ticks.values():
            self._server.send(message)


def beside(visitor: Visitor) -> tuple[Page, Line]:
    """A second tab, on the page with the most timers, once each of them has ticked."""
    other = visitor.tab()
    line = Line(other)
    other.goto(f"{visitor.url}/approvals?show=All")
    expect(other.get_by_role("heading", name="My requests")).to_be_visible()
    for _ in range(100):
        if len(line.ticks) >= 2:
            break
        other.wait_for_timeout(100)
    assert len(line.ticks) >= 2
    return other, line


def test_a_tick_on_its_way_leaves_the_signed_out_page_as_it_is(
    browser: Browser, served: Server
) -> None:
    analyst = sign_in(browser, served, "analyst")
    other, line = beside(analyst)
    analyst.page.get_by_role("button", name="Sign out").click()
    expect(other.get_by_text("You are signed out.")).to_be_visible()
    line.late_ticks()
    other.wait_for_timeout(1_500)
    expect(other.get_by_text("You are signed out.")).to_be_visible()
    expect(other.get_by_role("link", name="Sign in again")).to_be_visible()
    # Elsewhere in the site, the answer to a late tick would empty the page.
    assert "/approvals" in other.url
    analyst.context.close()
