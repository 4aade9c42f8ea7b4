"""The gate and the routes, in front of an application that would answer everything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from http.cookies import SimpleCookie

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from store import StoreError, accounts, passwords
from store.accounts import ConsoleRole
from tests.ui.conftest import PASSWORD, Console
from ui import demo_mode, web
from ui.webparts import COOKIE, SignInEvent, WebParts

ORIGIN = "http://localhost:8501"
SOCKETS = "ws://localhost:8501"
INSIDE = "inside"


async def _answer(_: Request) -> PlainTextResponse:
    return PlainTextResponse(INSIDE)


async def _talk(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text(INSIDE)
    await socket.close()


def _client(parts: WebParts, base: str = ORIGIN) -> TestClient:
    anything = ["GET", "POST", "PUT", "DELETE", "HEAD"]
    app = Starlette(
        routes=[
            *web.routes(parts),
            WebSocketRoute("/{path:path}", _talk),
            Route("/{path:path}", _answer, methods=anything),
        ],
        middleware=[Middleware(web.Gate, parts=parts)],
    )
    return TestClient(app, base_url=base, follow_redirects=False, raise_server_exceptions=False)


@pytest.fixture
def client(console: Console) -> Iterator[TestClient]:
    with _client(console.parts()) as made:
        yield made


def _sign_in(
    client: TestClient, name: str = "analyst", password: str = PASSWORD, **more: str
) -> httpx.Response:
    form = {"name": name, "password": password, **more}
    return client.post("/login", data=form, headers={"Origin": ORIGIN})


def _holding(client: TestClient, token: str) -> TestClient:
    client.cookies.set(COOKIE, token)
    return client


# The table of the gate, one row a test.


@pytest.mark.parametrize(
    "path",
    ["/", "/audit", "/approvals?change=4", "/anything/else", "/docs.html", "//x", "/Static/a.js"],
)
def test_a_page_without_a_session_leads_to_the_sign_in(path: str, client: TestClient) -> None:
    response = client.get(path)
    assert response.status_code == 303
    assert response.headers["location"].startswith("/login")
    assert INSIDE not in response.text


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/", "/login"),
        ("/audit", "/login?next=%2Faudit"),
        ("/audit?find=a%20b&page=2", "/login?next=%2Faudit%3Ffind%3Da%2520b%26page%3D2"),
        ("//evil.example/x", "/login"),
    ],
)
def test_the_way_back_is_kept_if_it_is_ours(path: str, location: str, client: TestClient) -> None:
    assert client.get(ORIGIN + path).headers["location"] == location


@pytest.mark.parametrize(
    "path",
    [
        "/media/0a1b.png",
        "/_stcore/upload_file/x/y",
        "/_stcore/host-config",
        "/audit/_stcore/health",
        "/component/x/index.html",
        "/app/static/x.csv",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_files_and_calls_without_a_session_get_401(
    path: str, method: str, client: TestClient
) -> None:
    response = client.request(method, path)
    assert response.status_code == 401
    assert INSIDE not in response.text


def test_sending_anything_to_a_page_without_a_session_gets_401(client: TestClient) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert client.request(method, "/audit").status_code == 401


def test_an_export_without_a_session_gets_403(client: TestClient) -> None:
    for path in ("/export/audit/all.csv", "/export/", "/export/nothing/x"):
        assert client.get(path).status_code == 403


@pytest.mark.parametrize("path", ["/_stcore/stream", "/", "/anything"])
def test_a_websocket_without_a_session_is_closed_before_it_opens(
    path: str, client: TestClient
) -> None:
    with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect(SOCKETS + path):
        pytest.fail("it must not open")
    assert closed.value.code == 4401


@pytest.mark.parametrize(
    "path",
    [
        "/_stcore/metrics",
        "/_stcore/agent/interact",
        "/_stcore/agent/openapi.json",
        "/_stcore/script-health-check",
        "/x/_stcore/metrics",
    ],
)
def test_metrics_and_the_agent_api_are_for_nobody(
    path: str, client: TestClient, console: Console
) -> None:
    assert client.get(path).status_code == 404
    assert _holding(client, console.token("admin")).get(path).status_code == 404


@pytest.mark.parametrize(
    "path", ["/_stcore/health", "/static/js/index.js", "/favicon.png", "/manifest.json"]
)
def test_health_and_static_files_are_open(path: str, client: TestClient) -> None:
    assert client.get(path).text == INSIDE


def test_the_health_check_reads_the_store(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}


def test_with_a_session_everything_else_passes(client: TestClient, console: Console) -> None:
    _holding(client, console.token("analyst"))
    for path in ("/", "/audit", "/media/x", "/_stcore/host-config"):
        assert client.get(path).text == INSIDE
    with client.websocket_connect(f"{SOCKETS}/_stcore/stream") as socket:
        assert socket.receive_text() == INSIDE


@pytest.mark.parametrize("why", ["unknown", "empty", "revoked", "expired", "disabled"])
def test_a_token_that_is_no_session_opens_nothing(
    why: str, client: TestClient, console: Console
) -> None:
    token = console.token("analyst")
    if why == "unknown":
        token = "x" * 43
    elif why == "empty":
        token = ""
    elif why == "revoked":
        console.revoke(token)
    elif why == "expired":
        console.clock.pass_(hours=8)
    else:
        with console.store.write() as conn:
            accounts.set_disabled(conn, console.accounts["analyst"].id, disabled=True)
    _holding(client, token)
    assert client.get("/").status_code == 303
    assert client.get("/media/x").status_code == 401
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(f"{SOCKETS}/_stcore/stream"):
        pytest.fail("it must not open")


# Headers, hosts and origins.


@pytest.mark.parametrize(
    "path", ["/", "/login", "/static/x.js", "/_stcore/metrics", "/media/x", "/healthz", "/export/x"]
)
def test_every_answer_carries_the_headers(path: str, client: TestClient) -> None:
    headers = client.get(path).headers
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    policy = headers["content-security-policy"]
    assert re.search(r"script-src 'self' 'sha256-[A-Za-z0-9+/]{43}=';", policy)
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-eval" not in policy


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "evil@localhost"])
def test_a_foreign_host_name_gets_nothing(host: str, client: TestClient, console: Console) -> None:
    _holding(client, console.token("admin"))
    for path in ("/", "/login", "/static/x.js", "/media/x"):
        response = client.get(path, headers={"Host": host})
        assert response.status_code == 421
        assert host not in response.text
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect(f"{SOCKETS}/_stcore/stream", headers={"Host": host}),
    ):
        pytest.fail("it must not open")


def test_a_health_probe_may_use_any_host_name(client: TestClient) -> None:
    assert client.get("/healthz", headers={"Host": "10.0.0.7"}).status_code == 200


FOREIGN = [None, "null", "http://evil.example", "https://localhost:8501", "http://localhost:9999"]


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_form_from_elsewhere_does_not_sign_in(
    origin: str | None, client: TestClient, console: Console
) -> None:
    headers = {} if origin is None else {"Origin": origin}
    form = {"name": "analyst", "password": PASSWORD}
    response = client.post("/login", data=form, headers=headers)
    assert response.status_code == 403
    assert "set-cookie" not in response.headers
    assert console.events == []


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_form_from_elsewhere_does_not_sign_out(
    origin: str | None, client: TestClient, console: Console
) -> None:
    _holding(client, console.token("analyst"))
    headers = {} if origin is None else {"Origin": origin}
    assert client.post("/logout", headers=headers).status_code == 403
    assert client.get("/").text == INSIDE


def test_signing_out_is_never_a_link(client: TestClient, console: Console) -> None:
    _holding(client, console.token("analyst"))
    client.get("/logout")
    assert client.get("/").text == INSIDE


# Signing in.


def test_signing_in_sets_a_cookie_no_script_and_no_other_site_can_use(
    client: TestClient, console: Console
) -> None:
    response = _sign_in(client, "Analyst ")
    assert response.status_code == 303
    assert response.headers["location"] == "/"
    (cookie,) = SimpleCookie(response.headers["set-cookie"]).values()
    assert cookie.key == COOKIE
    assert len(cookie.value) >= 43
    assert (cookie["httponly"], cookie["samesite"].lower(), cookie["path"]) == (True, "strict", "/")
    assert cookie["max-age"] == str(8 * 3600)
    assert not cookie["secure"]
    assert client.get("/").text == INSIDE
    assert console.events == [
        SignInEvent(
            kind="session.started",
            account=console.accounts["analyst"].id,
            address="testclient",
            roles=frozenset({"analyst"}),
        )
    ]


def test_on_https_the_cookie_is_secure(console: Console) -> None:
    with _client(console.parts(), "https://localhost:8501") as client:
        response = client.post(
            "/login",
            data={"name": "analyst", "password": PASSWORD},
            headers={"Origin": "https://localhost:8501"},
        )
        (cookie,) = SimpleCookie(response.headers["set-cookie"]).values()
    assert cookie["secure"]


def test_signing_in_leads_back_to_where_one_wanted_to_go(client: TestClient) -> None:
    page = client.get("/login?next=%2Faudit%3Ffind%3Dx").text
    assert 'name="next" value="/audit?find=x"' in page
    assert _sign_in(client, next="/audit?find=x").headers["location"] == "/audit?find=x"


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "/\\evil.example"])
def test_signing_in_never_leads_away(target: str, client: TestClient) -> None:
    assert "evil" not in client.get("/login", params={"next": target}).text
    assert _sign_in(client, next=target).headers["location"] == "/"


def test_somebody_signed_in_is_sent_on(client: TestClient, console: Console) -> None:
    _holding(client, console.token("analyst"))
    assert client.get("/login?next=/audit").headers["location"] == "/audit"


def test_signing_in_again_ends_the_session_before(client: TestClient, console: Console) -> None:
    old = console.token("admin")
    _sign_in(_holding(client, old))
    client.cookies.clear()
    assert _holding(client, old).get("/").status_code == 303
    assert [event.kind for event in console.events] == ["session.ended", "session.started"]


@pytest.mark.parametrize(("name", "known"), [("analyst", True), ("nobody", False)])
def test_a_wrong_password_says_one_sentence_and_keeps_the_name(
    name: str, known: bool, client: TestClient, console: Console
) -> None:
    response = _sign_in(client, name, "wrong", next="/audit")
    assert response.status_code == 403
    assert "That name and password do not match." in response.text
    assert f'value="{name}"' in response.text
    assert 'value="/audit"' in response.text
    assert "wrong" not in response.text
    assert "set-cookie" not in response.headers
    account = console.accounts["analyst"].id if known else None
    assert console.events == [
        SignInEvent(kind="auth.failed", account=account, address="testclient")
    ]


def test_too_many_failures_tell_the_wait_even_to_the_right_password(
    client: TestClient, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "verify", lambda *_: False)
    for _ in range(4):
        assert _sign_in(client).status_code == 403
    locked = _sign_in(client)
    assert locked.status_code == 429
    assert locked.headers["retry-after"] == "60"
    assert "Too many attempts failed. Try again in 1 minute." in locked.text
    monkeypatch.undo()
    console.clock.pass_(seconds=30)
    waiting = _sign_in(client)
    assert "Try again in 30 seconds." in waiting.text
    assert len(console.events) == 5
    assert console.events[-1].locked_out
    console.clock.pass_(seconds=30)
    assert _sign_in(client).status_code == 303


def test_what_was_typed_cannot_become_markup(client: TestClient) -> None:
    text = _sign_in(client, '"><script>alert(1)</script>', "wrong").text
    assert "<script" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"name=a&password=" + b"x" * 9_000, "application/x-www-form-urlencoded"),
        (b'{"name":"a"}', "application/json"),
        (b"name=\xff", "application/x-www-form-urlencoded"),
        (b"a=1&" * 20, "application/x-www-form-urlencoded"),
    ],
)
def test_what_is_no_small_form_is_refused(
    content: bytes, kind: str, client: TestClient, console: Console
) -> None:
    response = client.post(
        "/login", content=content, headers={"Origin": ORIGIN, "Content-Type": kind}
    )
    assert response.status_code == 400
    assert console.events == []


def test_an_empty_form_is_a_failed_attempt(client: TestClient) -> None:
    response = client.post("/login", data={"x": "y"}, headers={"Origin": ORIGIN})
    assert response.status_code == 403


def test_the_sign_in_page_is_never_cached_and_runs_no_script(client: TestClient) -> None:
    response = client.get("/login")
    assert response.headers["cache-control"] == "no-store"
    assert "<script" not in response.text
    assert not re.search(r"\son\w+=", response.text)
    assert '<label for="name">' in response.text
    assert '<label for="password">' in response.text
    assert 'lang="en"' in response.text


# Signing out.


def test_signing_out_ends_the_session_in_every_tab(client: TestClient, console: Console) -> None:
    token = console.token("analyst")
    _holding(client, token)
    response = client.post("/logout", headers={"Origin": ORIGIN})
    assert response.status_code == 303
    assert response.headers["location"] == "/login?out=1"
    (cookie,) = SimpleCookie(response.headers["set-cookie"]).values()
    assert (cookie.value, cookie["max-age"]) == ("", "0")
    other_tab = _holding(client, token)
    assert other_tab.get("/").status_code == 303
    with (
        pytest.raises(WebSocketDisconnect),
        other_tab.websocket_connect(f"{SOCKETS}/_stcore/stream"),
    ):
        pytest.fail("it must not open")
    assert [event.kind for event in console.events] == ["session.ended"]
    assert "You are signed out." in client.get("/login?out=1").text


# The trail comes first.


def test_promise_09_a_sign_in_that_cannot_be_recorded_gives_no_session(console: Console) -> None:
    def fail(_: SignInEvent) -> None:
        raise StoreError("The audit log cannot be written.")

    with _client(replace(console.parts(), record=fail)) as client:
        response = _sign_in(client)
        assert response.status_code == 503
        assert "The audit log cannot be written." in response.text
        assert "set-cookie" not in response.headers


# A store that does not work.


def test_a_store_that_cannot_be_opened_is_said_on_every_page(console: Console) -> None:
    def fail() -> None:
        raise StoreError("The store is from a newer version of <b>Gatehouse</b>.")

    parts = replace(console.parts(), store=fail)  # type: ignore[arg-type]  # it only raises
    with _client(parts) as client:
        assert client.get("/login").status_code == 200
        _holding(client, "a token")
        for path in ("/", "/audit", "/login"):
            response = client.get(path)
            assert response.status_code == 503
            assert "The store is from a newer version of &lt;b&gt;Gatehouse" in response.text
        assert _sign_in(client).status_code == 503
        assert client.get("/healthz").status_code == 503
        with (
            pytest.raises(WebSocketDisconnect),
            client.websocket_connect(f"{SOCKETS}/_stcore/stream"),
        ):
            pytest.fail("it must not open")


# Downloads.


def test_a_download_is_made_for_the_person_who_asks(client: TestClient, console: Console) -> None:
    _holding(client, console.token("admin"))
    response = client.get("/export/audit/all.csv?find=x")
    assert response.text == "admin,x\n1,2\n"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-type"].startswith("text/csv")
    assert response.headers["content-disposition"] == (
        "attachment; filename*=UTF-8''log%20%C3%A9.csv"
    )


@pytest.mark.parametrize("name", ["analyst", "reviewer", "norole"])
def test_a_role_that_may_not_download_is_told(
    name: ConsoleRole, client: TestClient, console: Console
) -> None:
    response = _holding(client, console.token(name)).get("/export/audit/all.csv")
    assert response.status_code == 403
    assert response.text == "Your role may not download this."


def test_a_download_that_does_not_exist_is_not_found(client: TestClient, console: Console) -> None:
    _holding(client, console.token("admin"))
    assert client.get("/export/audit/other.csv").status_code == 404
    assert client.get("/export/nothing/all.csv").status_code == 404


def test_a_download_that_cannot_be_made_says_why(console: Console) -> None:
    import dataclasses

    from audit import Unavailable
    from ui.webparts import Exporter, ExportRequest

    def fail(_asked: ExportRequest) -> None:
        raise Unavailable("The audit trail cannot be written. Nothing left.")

    parts = dataclasses.replace(
        console.parts(), exporters={"audit": Exporter(roles=frozenset({"admin"}), make=fail)}
    )
    with _client(parts) as client:
        response = _holding(client, console.token("admin")).get("/export/audit/all.csv")
    assert response.status_code == 503
    assert response.text == "The audit trail cannot be written. Nothing left."


# A link from a mail arrives without the cookie.


def test_a_link_from_another_site_is_loaded_once_more_from_here(client: TestClient) -> None:
    response = client.get("/approvals?change=4&x=<", headers={"Sec-Fetch-Site": "cross-site"})
    assert response.status_code == 200
    refresh = 'http-equiv="refresh" content="0; url=/approvals?change=4&amp;x=%3C"'
    assert refresh in response.text
    assert INSIDE not in response.text
    again = client.get("/approvals?change=4", headers={"Sec-Fetch-Site": "same-origin"})
    assert again.headers["location"] == "/login?next=%2Fapprovals%3Fchange%3D4"


def test_a_link_from_another_site_cannot_lead_away(client: TestClient) -> None:
    response = client.get(f"{ORIGIN}//evil.example/x", headers={"Sec-Fetch-Site": "cross-site"})
    assert "evil" not in response.text


# Demo mode.


def _demo(console: Console) -> None:
    accounts_shown = [
        demo_mode.DemoAccount(
            name="analyst", password="demo-only-analyst", display_name="Nora", note="All countries"
        ),
        demo_mode.DemoAccount(
            name="<b>", password="demo-only-b", display_name="<i>", note="<script>"
        ),
    ]
    demo_mode.write(console.home, accounts_shown)


def test_demo_accounts_are_shown_in_demo_mode_only(client: TestClient, console: Console) -> None:
    assert "Demo accounts" not in client.get("/login").text
    assert 'value="demo' not in client.get("/login?as=analyst").text
    _demo(console)
    page = client.get("/login").text
    assert "Demo accounts" in page
    assert "demo-only-analyst" in page
    assert "<script>" not in page
    assert "<i>" not in page
    assert "Demo accounts" in _sign_in(client, "analyst", "wrong").text
    (console.home / demo_mode.MARKER).unlink()
    assert "Demo accounts" not in client.get("/login").text


def test_choosing_a_demo_account_fills_the_form(client: TestClient, console: Console) -> None:
    _demo(console)
    page = client.get("/login?as=analyst&next=/audit").text
    assert 'name="name"' in page
    assert 'value="analyst"' in page
    assert 'value="demo-only-analyst"' in page
    assert 'href="/login?as=analyst&amp;next=%2Faudit" aria-current="true"' in page
    assert "Filled in for Nora. Press Sign in." in page


def test_a_broken_demo_marker_is_said(client: TestClient, console: Console) -> None:
    (console.home / demo_mode.MARKER).write_text("{")
    response = client.get("/login")
    assert response.status_code == 503
    assert "gatehouse init --demo" in response.text


def test_the_demo_marker_is_private(console: Console) -> None:
    _demo(console)
    assert (console.home / demo_mode.MARKER).stat().st_mode & 0o077 == 0
