"""What the sign-in page has a browser fetch before it is needed."""

from __future__ import annotations

from pathlib import Path

import streamlit

from ui import ahead, webtemplates
from ui.webtemplates import SignInForm

STATIC = Path(streamlit.__file__).parent / "static"


def test_the_files_of_the_first_page_are_named_and_are_there() -> None:
    named = ahead.files((STATIC / "index.html").read_text("utf-8"))
    assert any(f.endswith(".js") for f in named)
    assert any(f.endswith(".css") for f in named)
    for address in named:
        assert address.startswith("/static/")
        assert (STATIC / address.lstrip("/")).is_file()


def test_nothing_of_another_host_or_place_is_fetched() -> None:
    page = '<script src="https://x/a.js"></script><link href="./_stcore/b"><script src="//x/c.js">'
    assert ahead.files(page) == ()


def test_only_the_sign_in_page_fetches_ahead() -> None:
    assert b'rel="prefetch"' in webtemplates.sign_in(SignInForm()).body
    assert b'rel="prefetch"' not in webtemplates.message_page("Gone", "It is.", status=404).body
