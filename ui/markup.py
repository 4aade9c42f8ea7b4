"""Small pieces of our own HTML for `st.html`. Every text that goes in is escaped here."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Literal

Theme = Literal["light", "dark"]


def notice(title: str, text: str, *, link: tuple[str, str] | None = None) -> str:
    """Returns a heading, a sentence and at most one link (label, address of ours)."""
    parts = [f"<h2>{escape(title)}</h2>"]
    if text:
        parts.append(f"<p>{escape(text)}</p>")
    if link is not None:
        label, address = link
        parts.append(f'<p><a href="{escape(address)}" target="_self">{escape(label)}</a></p>')
    return f'<div class="gh-notice">{"".join(parts)}</div>'


def person(name: str, roles: Iterable[str], theme: Theme) -> str:
    """Returns who is signed in, a badge for each role, and the button that signs out everywhere."""
    badges = "".join(f'<span class="gh-role">{escape(role)}</span>' for role in sorted(roles))
    return (
        f"{_PERSON_STYLE}"
        f'<div class="gh-person gh-{theme}"><div class="gh-who"><span>{escape(name)}</span>{badges}'
        '</div><form method="post" action="/logout"><button type="submit">Sign out</button></form>'
        "</div>"
    )


_PERSON_STYLE = """<style>
.gh-person { display: flex; flex-direction: column; gap: .6rem; align-items: flex-start;
  margin-top: 1rem;
  --ink: #1c2430; --quiet: #4b5563; --line: #c9d0d9; --soft: #e9ecf1; --accent: #3454d1; }
.gh-person.gh-dark { --ink: #e6e9ee; --quiet: #b4bcc6; --line: #4a5360; --soft: #2b323c;
  --accent: #9db0ff; }
.gh-who { display: flex; flex-wrap: wrap; gap: .4rem; align-items: center; color: var(--ink);
  font-weight: 600; overflow-wrap: anywhere; }
.gh-role { font-size: .78rem; font-weight: 500; color: var(--quiet); background: var(--soft);
  border-radius: 4px; padding: .05rem .45rem; }
.gh-person form { margin: 0; }
.gh-person button { font: inherit; font-size: .9rem; color: var(--ink); background: transparent;
  border: 1px solid var(--line); border-radius: 6px; padding: .25rem .75rem; cursor: pointer; }
.gh-person button:hover { border-color: var(--accent); color: var(--accent); }
.gh-person button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
</style>"""
