"""The gate in front of everything the server answers: without a session, nothing but the door bell.

Streamlit itself answers a websocket without an Origin and a media file to whoever knows its hash,
so this is the protection, not a second layer. What is not listed as open needs a session.

| request | without a session |
|---|---|
| websocket | closed with 4401; the client sees 403 |
| `/media/*`, uploads, other files and calls | 401 |
| `/export/*` | 403 |
| GET of a page | 303 to `/login`, which leads back |
| metrics, agent API | 404, with a session too |
| health, `/login`, static files | open |
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import streamlit
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from store import websessions
from store.accounts import Account
from ui import demo_mode, websafety, webtemplates
from ui.webparts import COOKIE, UNUSABLE, WebParts

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_HEALTH = frozenset({"/healthz", "/_stcore/health"})
_OPEN = frozenset({"/login", "/favicon.png", "/manifest.json"})
_OPEN_FOLDER = "/static/"
_NEVER = ("/_stcore/metrics", "/_stcore/agent", "/_stcore/script-health-check")
_NOT_PAGES = ("/media/", "/component/", "/app/static/")


class Gate:
    """ASGI middleware, the first in the list. Takes the parts, so a test can hand in its own."""

    def __init__(self, app: App, parts: WebParts) -> None:
        self._app = app
        self._parts = parts
        index = Path(streamlit.__file__).parent / "static" / "index.html"
        policy = websafety.content_security_policy(index.read_text(encoding="utf-8"))
        self._headers = {**websafety.FIXED_HEADERS, "Content-Security-Policy": policy}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, or answers it here."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._http(scope, receive, self._with_headers(send))

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        try:
            allowed = self._host_allowed(connection) and await self._signed_in(connection)
        except UNUSABLE:
            allowed = None
        if allowed:
            await self._app(scope, receive, send)
            return
        await receive()
        await send({"type": "websocket.close", "code": 4401})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = HTTPConnection(scope)
        try:
            answer = await self._refusal(connection)
        except UNUSABLE as error:
            answer = webtemplates.unavailable(str(error))
        await (answer or self._app)(scope, receive, send)

    async def _refusal(self, request: HTTPConnection) -> Response | None:
        """Returns the answer to give instead, or None to pass the request on."""
        path: str = request.scope["path"]
        if any(never in path for never in _NEVER):
            return PlainTextResponse("Not found.", 404)
        if path in _HEALTH:
            return None
        if not self._host_allowed(request):
            return PlainTextResponse(
                "This console does not answer to that host name. An operator can add the name to "
                "server.allowedHosts in .streamlit/config.toml.",
                421,
            )
        if path in _OPEN or path.startswith(_OPEN_FOLDER) or await self._signed_in(request):
            return None
        return _turn_away(request, path)

    def _host_allowed(self, request: HTTPConnection) -> bool:
        return websafety.host_allowed(request.headers.get("host"), self._parts.allowed_hosts())

    async def _signed_in(self, request: HTTPConnection) -> Account | None:
        token = request.cookies.get(COOKIE)
        if not token:
            return None
        return await run_in_threadpool(account_of, self._parts, token)

    def _with_headers(self, send: Send) -> Send:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        return send_with_headers


def account_of(parts: WebParts, token: str) -> Account | None:
    """Returns whose session the token is at this moment, or None."""
    store = parts.store()
    with store.read() as conn:
        return websessions.signed_in(
            conn, token, now=store.now(), demo_mode=demo_mode.is_on(parts.home)
        )


def _turn_away(request: HTTPConnection, path: str) -> Response:
    if path.startswith("/export/"):
        return PlainTextResponse("Sign in first.", 403)
    # Streamlit's client looks for its calls under page paths too, so `/_stcore/` counts anywhere.
    call = path.startswith(_NOT_PAGES) or "/_stcore/" in path
    if call or request.scope["method"] not in ("GET", "HEAD"):
        return PlainTextResponse("Sign in first.", 401)
    query = request.url.query
    target = websafety.safe_next(f"{quote(path)}?{query}" if query else quote(path))
    if request.headers.get("sec-fetch-site") == "cross-site" and not request.cookies.get(COOKIE):
        # A SameSite=Strict cookie stays away when a link in a mail or chat is followed. Loading the
        # same address once more, from our own page, brings it along.
        return HTMLResponse(webtemplates.once_more(target), headers={"Cache-Control": "no-store"})
    login = "/login" if target == "/" else f"/login?next={quote(target, safe='')}"
    return RedirectResponse(login, 303, headers={"Cache-Control": "no-store"})
