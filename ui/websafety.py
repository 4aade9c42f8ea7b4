"""Checks of one request that need no state: headers, origins, host names, where `next` may lead."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from urllib.parse import urlsplit

FIXED_HEADERS: Mapping[str, str] = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # `no-referrer` would make browsers send `Origin: null` on form posts.
    "Referrer-Policy": "same-origin",
}


class _InlineScripts(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.bodies: list[str] = []
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open = tag == "script" and not any(name == "src" for name, _ in attrs)
        if self._open:
            self.bodies.append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = False

    def handle_data(self, data: str) -> None:
        if self._open:
            self.bodies[-1] += data


def content_security_policy(index_html: str) -> str:
    """Returns the policy that lets exactly the inline scripts of this page run, and no other.

    `font-src data:` is for one inlined formula font of Streamlit's.
    """
    parser = _InlineScripts()
    parser.feed(index_html)
    hashes = "".join(f" 'sha256-{_sha256(body)}'" for body in parser.bodies)
    return (
        f"default-src 'self'; script-src 'self'{hashes}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
        "frame-ancestors 'none'; object-src 'none'; base-uri 'self'; form-action 'self'"
    )


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def host_allowed(host: str | None, allowed: Sequence[str]) -> bool:
    """Returns whether a Host header names this console, whatever the port.

    A foreign name that resolves to this machine (DNS rebinding) would otherwise pass as our own
    origin.
    """
    name = _host_name(host)
    if name is None:
        return False
    patterns = [a.strip().lower().rstrip(".") for a in allowed]
    return any(
        p == "*" or name == p or (p.startswith("*.") and name.endswith(p[1:])) for p in patterns
    )


def _host_name(host: str | None) -> str | None:
    if not host or any(c in host for c in "/@?#\\ "):
        return None
    try:
        parsed = urlsplit(f"//{host}")
        _ = parsed.port
    except ValueError:
        return None
    return parsed.hostname.lower().rstrip(".") if parsed.hostname else None


def same_origin(origin: str | None, scheme: str, host: str | None) -> bool:
    """Returns whether a form came from our own pages. No Origin, and `null`, are foreign."""
    if not origin or not host:
        return False
    return origin.lower() == f"{scheme}://{host}".lower()


def safe_next(target: str | None) -> str:
    """Returns the path of ours to go on to after signing in, `/` for anything doubtful.

    Only a path with a query, as this console makes them: no scheme, no host, nothing a browser
    would read as one (two slashes, a backslash, control characters), and not the sign-in page.
    """
    if not target or len(target) > 2_000:
        return "/"
    if not target.startswith("/") or target.startswith(("//", "/\\")) or "\\" in target:
        return "/"
    if any(ord(c) <= 0x20 or ord(c) == 0x7F for c in target):
        return "/"
    try:
        parsed = urlsplit(target)
    except ValueError:
        return "/"
    if parsed.scheme or parsed.netloc or parsed.path in ("/login", "/logout"):
        return "/"
    return target
