"""The pages the server draws itself: signing in, and the few that stand in when nothing else can.

No script at all, so the content security policy needs no exception for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal
from urllib.parse import quote

from starlette.responses import HTMLResponse, Response

from ui import ahead
from ui.brand import MARK, MARK_URI, NAME, WHAT
from ui.demo_mode import DemoAccount
from ui.webstyle import STYLE


@dataclass(frozen=True, kw_only=True)
class SignInForm:
    """What the sign-in page shows. `tone` says how the message is meant."""

    next_path: str = "/"
    name: str = ""
    password: str = ""
    message: str = ""
    tone: Literal["problem", "status"] = "status"
    demo_accounts: Sequence[DemoAccount] = ()


WRONG = "That name and password do not match."
SIGNED_OUT = "You are signed out."
FOREIGN = "This form came from another site, so it was not used. Sign in here instead."


def locked_out(wait_seconds: int) -> str:
    """Returns the sentence for somebody who must wait."""
    return f"Too many attempts failed. Try again in {in_words(wait_seconds)}."


def in_words(seconds: int) -> str:
    """Returns a waiting time rounded up: `40 seconds`, `1 minute`, `3 minutes`."""
    if seconds < 60:
        return f"{seconds} second{'' if seconds == 1 else 's'}"
    minutes = -(-seconds // 60)
    return f"{minutes} minute{'' if minutes == 1 else 's'}"


def sign_in(form: SignInForm, *, status: int = 200, wait_seconds: int | None = None) -> Response:
    """Returns the sign-in page, never to be kept by a cache."""
    headers = {"Cache-Control": "no-store"}
    if wait_seconds is not None:
        headers["Retry-After"] = str(wait_seconds)
    classes = "card with-demo" if form.demo_accounts else "card"
    body = f'<main class="{classes}">{_entry(form)}{_demo(form)}</main>'
    return HTMLResponse(_page("Sign in", body, more=ahead.links()), status, headers)


def message_page(title: str, text: str, *, status: int, link: str = "/") -> Response:
    """Returns a page with one sentence and the way back."""
    body = (
        f'<main class="card"><section class="entry">{_BRAND}<h2>{escape(title)}</h2>'
        f'<p class="what">{escape(text)}</p><p><a href="{escape(link)}">Back to {NAME}</a></p>'
        "</section></main>"
    )
    return HTMLResponse(_page(title, body), status, {"Cache-Control": "no-store"})


def unavailable(text: str) -> Response:
    """Returns the page for a console that cannot work: `text` says why and what to do."""
    return message_page("Not available", text, status=503)


def once_more(target: str) -> str:
    """Returns a page that loads `target`, a checked path of ours, once more from here."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Gatehouse</title>'
        f'<meta http-equiv="refresh" content="0; url={escape(target)}"></head>'
        f'<body><a href="{escape(target)}">Continue to {NAME}</a></body></html>'
    )


_BRAND = f'<header class="brand">{MARK}<h1>{NAME}</h1></header>'


def _page(title: str, body: str, *, more: str = "") -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f'<title>{escape(title)} · {NAME}</title><link rel="icon" href="{MARK_URI}">'
        f"{more}"
        f"<style>{STYLE}</style></head><body>{body}</body></html>"
    )


def _entry(form: SignInForm) -> str:
    failed = form.tone == "problem" and bool(form.message)
    focus = "button" if form.password else "password" if form.name else "name"
    invalid = ' aria-invalid="true" aria-describedby="message"' if failed else ""
    return (
        f'<section class="entry">{_BRAND}<p class="what">{WHAT}</p>{_message(form)}'
        '<form method="post" action="/login">'
        f'<input type="hidden" name="next" value="{escape(form.next_path)}">'
        '<label for="name">Name</label>'
        '<input id="name" name="name" autocomplete="username" autocapitalize="none" '
        f'spellcheck="false" required maxlength="64" value="{escape(form.name)}"'
        f"{_focus(focus == 'name')}{invalid}>"
        '<label for="password">Password</label>'
        '<input id="password" name="password" type="password" autocomplete="current-password" '
        f'required maxlength="256" value="{escape(form.password)}"'
        f"{_focus(focus == 'password')}{invalid}>"
        f'<button type="submit"{_focus(focus == "button")}>Sign in</button></form></section>'
    )


def _focus(here: bool) -> str:
    return " autofocus" if here else ""


def _message(form: SignInForm) -> str:
    if not form.message:
        return ""
    role = "alert" if form.tone == "problem" else "status"
    return f'<p id="message" class="{form.tone}" role="{role}">{escape(form.message)}</p>'


def _demo(form: SignInForm) -> str:
    if not form.demo_accounts:
        return ""
    items = "".join(_demo_account(account, form) for account in form.demo_accounts)
    return (
        '<section class="demo" aria-labelledby="demo-title"><h2 id="demo-title">Demo accounts</h2>'
        '<p class="what">The company is made up. Choose an account to fill in the form.</p>'
        f"<ul>{items}</ul></section>"
    )


def _demo_account(account: DemoAccount, form: SignInForm) -> str:
    after = f"&next={quote(form.next_path, safe='')}" if form.next_path != "/" else ""
    chosen = form.name == account.name and form.password
    current = ' aria-current="true"' if chosen else ""
    return (
        f'<li><a href="/login?as={quote(account.name, safe="")}{escape(after)}"{current}>'
        f'<span class="line"><b>{escape(account.name)}</b> <span>{escape(account.display_name)}'
        f'</span></span><span class="note">{escape(account.note)}</span>'
        f"<code>{escape(account.password)}</code></a></li>"
    )
