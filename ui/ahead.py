"""What the first page loads, named on the sign-in page so that a browser fetches it meanwhile.

The files are Streamlit's own, open to everybody and kept by the browser for good: over a slow line
or on a busy machine they are most of the wait between signing in and the first page.
"""

from __future__ import annotations

from functools import cache
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import streamlit

_INDEX = Path(streamlit.__file__).parent / "static" / "index.html"
_OURS = "./static/"


class _Files(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        address = given.get("src") if tag == "script" else given.get("href")
        if tag in ("script", "link") and address and address.startswith(_OURS):
            self.found.append(f"/static/{address.removeprefix(_OURS)}")


def files(index_html: str) -> tuple[str, ...]:
    """Returns the addresses of the scripts, styles and fonts that this page begins with."""
    parser = _Files()
    parser.feed(index_html)
    return tuple(dict.fromkeys(parser.found))


@cache
def links() -> str:
    """Returns the `<link>` elements for the head of a page; empty where there is nothing to read.

    A browser may leave them out, and nothing depends on it.
    """
    try:
        index = _INDEX.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    return "".join(f'<link rel="prefetch" href="{escape(address)}">' for address in files(index))
