"""Signing in and out in a real browser, against the real server."""

from __future__ import annotations

import functools
import http.server
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from store import Store, accounts, websessions
from tests.ui import server as servers
from tests.ui.conftest import PASSWORD
from tests.ui.server import Server
from ui import demo_mode
from ui.webparts import COOKIE

pytestmark = pytest.mark.browser


def _populate(home: Path, password_hash: str) -> None:
    store = Store.open(home)
    for name in ("analyst", "admin"):
        with store.write() as conn:
            accounts.create(
                conn,
                name=name,
                display_name=f"{name.title()} Person",
                roles={name},  # type: ignore[arg-type]  # the names are roles
                password_hash=password_hash,
                now=store.now(),
                demo=True,
            )
    store.close()
    shown = [
        demo_mode.DemoAccount(
            name=name, password=PASSWORD, display_name=f"{name.title()} Person", note="For tests"
        )
        for name in ("analyst", "admin")
    ]
    demo_mode.write(home, shown)


def _token(server: Server, name: str) -> str:
    store = Store.open(server.home)
    with store.write() as conn:
        account = accounts.by_name(conn, name)
        assert account is not None
        token = websessions.start(conn, account.id, now=store.now())
    store.close()
    return token


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, password_hash: str) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("console")
    _populate(folder / "home", password_hash)
    project = servers.make_project(folder / "project")
    with servers.running(project, folder / "home", servers.free_port()) as made:
        yield made


def _sign_in(page: Page, name: str) -> None:
    page.get_by_role("link", name=re.compile(f"^{name} ")).click()
    page.get_by_role("button", name="Sign in").click()


def _sign_in_by_cookie(context: BrowserContext, server: Server, name: str) -> None:
    context.add_cookies(
        [
            {
                "name": COOKIE,
                "value": _token(server, name),
                "url": server.url,
                "httpOnly": True,
                "sameSite": "Strict",
            }
        ]
    )


def test_a_visitor_signs_in_with_the_keyboard_and_arrives_where_the_link_led(
    page: Page, server: Server
) -> None:
    page.goto(f"{server.url}/audit?find=x")
    expect(page).to_have_title("Sign in · Gatehouse")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type("admin")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text("audit page for admin")).to_be_visible()
    expect(page).to_have_url(f"{server.url}/audit?find=x")
    expect(page.get_by_text("Admin Person")).to_be_visible()


def test_a_wrong_password_is_announced_and_a_demo_account_helps(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.get_by_label("Name").fill("analyst")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("That name and password do not match.")
    expect(page.get_by_label("Password")).to_be_focused()
    page.get_by_role("link", name=re.compile("^analyst ")).click()
    expect(page.get_by_role("status")).to_have_text("Filled in for Analyst Person. Press Sign in.")
    expect(page.get_by_role("button", name="Sign in")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("ask page for analyst")).to_be_visible()


def test_signing_out_in_one_tab_empties_the_others(context: BrowserContext, server: Server) -> None:
    one, other = context.new_page(), context.new_page()
    one.goto(server.url)
    _sign_in(one, "admin")
    expect(one.get_by_text("ask page for admin")).to_be_visible()
    other.goto(f"{server.url}/audit")
    expect(other.get_by_text("audit page for admin")).to_be_visible()
    one.get_by_role("button", name="Sign out").click()
    expect(one.get_by_role("status")).to_have_text("You are signed out.")
    expect(other.get_by_text("You are signed out.")).to_be_visible()
    expect(other.get_by_text("audit page for admin")).not_to_be_visible()
    assert all(cookie["name"] != COOKIE for cookie in context.cookies())
    other.get_by_role("link", name="Sign in again").click()
    _sign_in(other, "admin")
    expect(other).to_have_url(f"{server.url}/audit")
    expect(other.get_by_text("audit page for admin")).to_be_visible()


def test_a_link_to_a_page_of_another_role_says_so(context: BrowserContext, server: Server) -> None:
    _sign_in_by_cookie(context, server, "analyst")
    page = context.new_page()
    page.goto(f"{server.url}/audit")
    expect(page.get_by_text("This page needs the admin role.")).to_be_visible()
    expect(page.get_by_text("You are signed in as Analyst Person (analyst).")).to_be_visible()
    navigation = page.get_by_test_id("stSidebarNav")
    expect(navigation.get_by_role("link", name="Ask")).to_be_visible()
    expect(navigation.get_by_role("link", name="My requests")).to_be_visible()
    expect(navigation.get_by_role("link", name="Audit log")).to_have_count(0)


def test_a_link_in_a_mail_opens_for_somebody_signed_in(
    context: BrowserContext, server: Server, tmp_path: Path
) -> None:
    _sign_in_by_cookie(context, server, "admin")
    (tmp_path / "mail.html").write_text(f'<a href="{server.url}/audit?find=x">Open</a>')
    handler = functools.partial(_Quiet, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as elsewhere:
        threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
        page = context.new_page()
        # `localhost` and `127.0.0.1` are different sites to a browser.
        page.goto(f"http://127.0.0.1:{elsewhere.server_port}/mail.html")
        page.get_by_role("link", name="Open").click()
        expect(page.get_by_text("audit page for admin")).to_be_visible()
        expect(page).to_have_url(f"{server.url}/audit?find=x")
        elsewhere.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def test_the_browser_reports_no_violation_and_calls_nobody_else(
    context: BrowserContext, server: Server
) -> None:
    page = context.new_page()
    violations: list[str] = []
    foreign: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            violations.append(message.text)

    page.on("console", heard)
    page.on(
        "request",
        lambda r: (
            None if r.url.startswith((server.url, "data:", "blob:")) else foreign.append(r.url)
        ),
    )
    page.goto(server.url)
    _sign_in(page, "admin")
    expect(page.get_by_text("ask page for admin")).to_be_visible()
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Audit log").click()
    expect(page.get_by_text("audit page for admin")).to_be_visible()
    assert violations == []
    assert [url for url in foreign if not url.startswith("ws://localhost")] == []


@pytest.mark.parametrize("width", [320, 390, 1440])
def test_the_sign_in_page_fits_every_width(browser: Browser, server: Server, width: int) -> None:
    with browser.new_context(viewport={"width": width, "height": 844}) as context:
        page = context.new_page()
        page.goto(server.url)
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_a_websocket_opens_with_a_session_only(server: Server) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(server.socket_url)
    assert refused.value.response.status_code == 403
    with pytest.raises(InvalidStatus):
        connect(server.socket_url, additional_headers={"Cookie": f"{COOKIE}=made-up"})
    cookie = {"Cookie": f"{COOKIE}={_token(server, 'analyst')}"}
    with connect(server.socket_url, additional_headers=cookie) as opened:
        assert opened.protocol.handshake_exc is None
    with pytest.raises(InvalidStatus):
        connect(server.socket_url, additional_headers=cookie, origin="http://evil.example")


def test_streamlits_own_answers_are_behind_the_gate(server: Server) -> None:
    cookie = {"Cookie": f"{COOKIE}={_token(server, 'admin')}"}
    for path, code in (
        ("/_stcore/metrics", 404),
        ("/_stcore/agent/openapi.json", 404),
        ("/_stcore/host-config", 401),
        ("/media/0123.png", 401),
        ("/", 303),
        ("/auth/login", 303),
        ("/_stcore/health", 200),
    ):
        assert httpx.get(server.url + path).status_code == code, path
    assert httpx.get(f"{server.url}/_stcore/metrics", headers=cookie).status_code == 404
    page = httpx.get(server.url, headers=cookie)
    assert page.status_code == 200
    assert "Content-Security-Policy" in page.headers


@pytest.mark.slow
def test_a_fresh_server_shows_an_analyst_no_page_of_admins_even_after_a_restart(
    context: BrowserContext, tmp_path: Path, password_hash: str
) -> None:
    home, port = tmp_path / "home", servers.free_port()
    _populate(home, password_hash)
    project = servers.make_project(tmp_path / "project")
    page = context.new_page()
    with servers.running(project, home, port) as server:
        page.goto(f"{server.url}/audit")
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        _sign_in_by_cookie(context, server, "analyst")
        page.goto(f"{server.url}/audit")
        expect(page.get_by_text("This page needs the admin role.")).to_be_visible()
        page.goto(server.url)
        expect(page.get_by_text("ask page for analyst")).to_be_visible()
    with ExitStack() as stack:
        server = stack.enter_context(servers.running(project, home, port))
        # The open tab comes back by itself, still signed in, and runs the shell again.
        expect(page.get_by_text("ask page for analyst")).to_be_visible()
        page.get_by_test_id("stSidebarNav").get_by_role("link", name="My requests").click()
        expect(page.get_by_text("approvals page for analyst")).to_be_visible(timeout=20_000)
        assert page.get_by_test_id("stSidebarNav").get_by_role("link").count() == 2
