"""The server's own routes: signing in and out, a health check, files on their way out.

Signing in is a plain form post, so it works without any script. The browser gets a random token in
a cookie that pages cannot read and other sites cannot send; the store keeps only its digest.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any, assert_never
from urllib.parse import parse_qs, quote

from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import (
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route
from streamlit import config

from guard.errors import ConfigurationError, Refused
from store import StoreError, signin, websessions
from store.accounts import Account
from store.signin import LockedOut, SignedIn, WrongPassword
from ui import demo_mode, webtemplates
from ui.people import principal_of
from ui.webgate import Gate, account_of
from ui.webparts import COOKIE, UNUSABLE, ExportRequest, SignInEvent, WebParts
from ui.websafety import safe_next, same_origin
from ui.webtemplates import SignInForm

__all__ = ["Gate", "lifespan", "routes"]

_log = logging.getLogger("gatehouse")

_MAX_FORM_BYTES = 8_192
_SIGN_INS_AT_ONCE = 4
_NO_STORE = {"Cache-Control": "no-store"}


def routes(parts: WebParts) -> list[Route]:
    """Returns the routes to hand to `st.App`."""
    handlers = _Handlers(parts)
    return [
        Route("/login", handlers.show_form, methods=["GET"]),
        Route("/login", handlers.sign_in, methods=["POST"]),
        Route("/logout", handlers.sign_out, methods=["POST"]),
        Route("/healthz", handlers.health, methods=["GET"]),
        Route("/export/{kind}/{name:path}", handlers.export, methods=["GET"]),
    ]


def lifespan(parts: WebParts) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """Returns what runs around the server's life.

    Heavy libraries are imported before the first visitor, and what they leave behind is taken out
    of the garbage collector's way.

    Raises:
        ConfigurationError: the server is configured in a way the gate is not made for.
    """

    @asynccontextmanager
    async def around(_: Any) -> AsyncIterator[None]:
        _refuse_base_path()
        await run_in_threadpool(_warm_up)
        try:
            await run_in_threadpool(parts.on_start)
        except UNUSABLE as error:
            # Every request is answered with this sentence too, and the next one tries again.
            _log.error("%s", error)
        try:
            yield
        finally:
            await run_in_threadpool(parts.on_stop)

    return around


def _refuse_base_path() -> None:
    if config.get_option("server.baseUrlPath"):
        raise ConfigurationError(
            "server.baseUrlPath is not supported. Give the console a host name of its own."
        )


def _warm_up() -> None:
    import altair  # noqa: F401  # imported for its side effect on start-up time
    import pandas  # noqa: F401  # likewise
    import pyarrow  # noqa: F401  # likewise

    gc.collect()
    gc.freeze()


class _Handlers:
    def __init__(self, parts: WebParts) -> None:
        self._parts = parts
        # Checking a password is slow on purpose; a flood of them must not hold every thread.
        self._sign_ins = CapacityLimiter(_SIGN_INS_AT_ONCE)

    async def show_form(self, request: Request) -> Response:
        """The sign-in page; somebody who is signed in goes on instead."""
        form = SignInForm(next_path=safe_next(request.query_params.get("next")))
        try:
            if await self._account(request) is not None:
                return RedirectResponse(form.next_path, 303, headers=_NO_STORE)
            form = self._with_demo(form, request.query_params.get("as"))
        except UNUSABLE as error:
            return webtemplates.unavailable(str(error))
        if "out" in request.query_params:
            form = replace(form, message=webtemplates.SIGNED_OUT)
        return webtemplates.sign_in(form)

    async def sign_in(self, request: Request) -> Response:
        """One attempt to sign in."""
        if not _from_here(request):
            return self._form_again(SignInForm(), webtemplates.FOREIGN, 403)
        fields = await _fields(request)
        if fields is None:
            return PlainTextResponse("Send the form of the sign-in page.", 400)
        form = SignInForm(next_path=safe_next(fields.get("next")), name=fields.get("name", "")[:64])
        try:
            outcome, token = await to_thread.run_sync(
                self._attempt,
                request,
                form.name,
                fields.get("password", ""),
                limiter=self._sign_ins,
            )
        except UNUSABLE as error:
            return webtemplates.unavailable(str(error))
        match outcome:
            case SignedIn():
                return _welcome(request, form.next_path, token)
            case WrongPassword():
                return self._form_again(form, webtemplates.WRONG, 403)
            case LockedOut():
                text = webtemplates.locked_out(outcome.wait_seconds)
                return self._form_again(form, text, 429, outcome.wait_seconds)
            case _:
                assert_never(outcome)

    async def sign_out(self, request: Request) -> Response:
        """Ends the session in every tab."""
        if not _from_here(request):
            return webtemplates.message_page("Not signed out", webtemplates.FOREIGN, status=403)
        try:
            await run_in_threadpool(self._end_session, request)
        except UNUSABLE as error:
            return webtemplates.unavailable(str(error))
        response = RedirectResponse("/login?out=1", 303, headers=_NO_STORE)
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return response

    async def health(self, request: Request) -> Response:
        """200 while the store can be read, else 503."""
        try:
            await run_in_threadpool(self._read_store)
        except StoreError:
            return JSONResponse({"status": "store unavailable"}, 503, _NO_STORE)
        return JSONResponse({"status": "ok"}, headers=_NO_STORE)

    async def export(self, request: Request) -> Response:
        """A file, made for this person and sent as it is made."""
        account = await self._account(request)
        if account is None:
            return PlainTextResponse("Sign in first.", 403, _NO_STORE)
        exporter = self._parts.exporters.get(request.path_params["kind"])
        if exporter is None:
            return PlainTextResponse("There is no such download.", 404, _NO_STORE)
        principal = principal_of(account)
        if not principal.roles & exporter.roles:
            return PlainTextResponse("Your role may not download this.", 403, _NO_STORE)
        wanted = ExportRequest(
            principal=principal,
            name=request.path_params["name"],
            query=dict(request.query_params),
        )
        try:
            made = await run_in_threadpool(exporter.make, wanted)
        except Refused as refused:
            return PlainTextResponse(refused.refusal.reason, 403, _NO_STORE)
        except UNUSABLE as error:
            return PlainTextResponse(str(error), 503, _NO_STORE)
        if made is None:
            return PlainTextResponse("There is no such download.", 404, _NO_STORE)
        disposition = f"attachment; filename*=UTF-8''{quote(made.file_name, safe='')}"
        return StreamingResponse(
            made.chunks,
            media_type=made.media_type,
            headers={**_NO_STORE, "Content-Disposition": disposition},
        )

    async def _account(self, request: Request) -> Account | None:
        token = request.cookies.get(COOKIE)
        return await run_in_threadpool(account_of, self._parts, token) if token else None

    def _with_demo(self, form: SignInForm, chosen: str | None) -> SignInForm:
        accounts = demo_mode.accounts(self._parts.home)
        account = next((a for a in accounts if a.name == chosen), None)
        if account is None:
            return replace(form, demo_accounts=accounts)
        return replace(
            form,
            demo_accounts=accounts,
            name=account.name,
            password=account.password,
            message=f"Filled in for {account.display_name}. Press Sign in.",
        )

    def _form_again(
        self, form: SignInForm, message: str, status: int, wait_seconds: int | None = None
    ) -> Response:
        form = replace(
            form,
            message=message,
            tone="problem",
            demo_accounts=demo_mode.accounts(self._parts.home),
        )
        return webtemplates.sign_in(form, status=status, wait_seconds=wait_seconds)

    def _attempt(self, request: Request, name: str, password: str) -> tuple[signin.Outcome, str]:
        """Returns the outcome and, for a success, the new session's token."""
        store = self._parts.store()
        address = _address(request)
        outcome = signin.sign_in(
            store,
            name,
            password,
            address=address,
            demo_mode=demo_mode.is_on(self._parts.home),
        )
        if not isinstance(outcome, SignedIn):
            self._record_failure(outcome, address)
            return outcome, ""
        self._end_session(request)
        with store.write() as conn:
            token = websessions.start(conn, outcome.account.id, now=store.now())
        # Before the browser holds the token: a session that was not recorded is never used.
        self._parts.record(
            SignInEvent(
                kind="session.started",
                account=outcome.account.id,
                address=address,
                roles=outcome.account.roles,
            )
        )
        return outcome, token

    def _record_failure(self, outcome: WrongPassword | LockedOut, address: str) -> None:
        # An attempt that was not even looked at is not recorded, or a stranger could fill the log.
        if isinstance(outcome, LockedOut) and not outcome.tried:
            return
        self._parts.record(
            SignInEvent(
                kind="auth.failed",
                account=outcome.account,
                address=address,
                locked_out=isinstance(outcome, LockedOut),
            )
        )

    def _end_session(self, request: Request) -> None:
        token = request.cookies.get(COOKIE)
        if not token:
            return
        store = self._parts.store()
        with store.write() as conn:
            account = websessions.revoke(conn, token, now=store.now())
        if account is not None:
            self._parts.record(
                SignInEvent(kind="session.ended", account=account, address=_address(request))
            )

    def _read_store(self) -> None:
        with self._parts.store().read() as conn:
            conn.exec_driver_sql("SELECT 1")


def _welcome(request: Request, target: str, token: str) -> Response:
    response = RedirectResponse(target, 303, headers=_NO_STORE)
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(websessions.LIFETIME.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return response


def _from_here(request: Request) -> bool:
    headers = request.headers
    return same_origin(headers.get("origin"), request.url.scheme, headers.get("host"))


async def _fields(request: Request) -> dict[str, str] | None:
    """Returns the posted fields, or None for anything that is not a small form."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return None
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_FORM_BYTES:
            return None
    try:
        parsed = parse_qs(body.decode("ascii"), max_num_fields=10)
    except ValueError:
        return None
    return {name: values[0] for name, values in parsed.items()}


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"
