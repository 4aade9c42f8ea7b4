"""The style of our own HTML inside the pages, in the colours of `.streamlit/config.toml`.

Streamlit's own theme variables do not reach `st.html`, and popovers and dialogs live outside the
page's element, so the colours are set on the root for the theme the reader has chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

import streamlit as st

from ui.markup import Theme

_LIGHT = {
    "ink": "#1c2430",
    "quiet": "#4b5563",
    "line": "#dfe3e8",
    "soft": "#f6f7f9",
    "raised": "#ffffff",
    "accent": "#3454d1",
    "primary": "#3454d1",
    "ok": "#0a7f4f",
    "ok-soft": "#eef8f3",
    "bad": "#b02a37",
    "bad-soft": "#fdf0f1",
    "wait": "#8a5a00",
    "wait-soft": "#fdf5e6",
    "info": "#3454d1",
    "info-soft": "#eef1fd",
    "none-soft": "#eff1f4",
    "old": "#fae8ea",
    "old-mark": "#eeb0b6",
    "new": "#def1e9",
    "new-mark": "#84cdb0",
}
_DARK = {
    "ink": "#e6e9ee",
    "quiet": "#b4bcc6",
    "line": "#323a45",
    "soft": "#1c2128",
    "raised": "#14171c",
    "accent": "#9db0ff",
    "primary": "#4a63dc",
    "ok": "#6fd3a4",
    "ok-soft": "#1b3329",
    "bad": "#ff9aa2",
    "bad-soft": "#3a2226",
    "wait": "#f0bd6a",
    "wait-soft": "#35291a",
    "info": "#9db0ff",
    "info-soft": "#252d45",
    "none-soft": "#2b323c",
    "old": "#3b2328",
    "old-mark": "#8a3b45",
    "new": "#1b3530",
    "new-mark": "#2d6e58",
}


COLOURS: Mapping[Theme, Mapping[str, str]] = {"light": _LIGHT, "dark": _DARK}


def theme() -> Theme:
    """Returns the theme the reader sees."""
    return "dark" if st.context.theme.type == "dark" else "light"


def apply() -> None:
    """Gives this page's HTML its style; call it once at the top of a page."""
    values = "".join(f"--gh-{name}:{value};" for name, value in COLOURS[theme()].items())
    st.html(f"<style>:root{{{values}}}\n{STYLE}</style>")


def _drawn(icons: Mapping[str, str]) -> str:
    rules = []
    for name, path in icons.items():
        svg = (
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" fill="none" '
            f'stroke="#000" stroke-width="1.8" stroke-linecap="round">{path}</svg>'
        )
        image = f'url("data:image/svg+xml,{quote(svg)}")'
        rules.append(f".gh-i-{name}{{-webkit-mask-image:{image};mask-image:{image}}}")
    return "\n".join(rules)


_RING = '<circle cx="8" cy="8" r="6.3"/>'
_ICONS = {
    "check": '<path d="M3 8.5l3.2 3.2L13 4.8"/>',
    "block": f'{_RING}<path d="M3.8 12.2l8.4-8.4"/>',
    "clock": f'{_RING}<path d="M8 4.6V8l2.3 1.8"/>',
    "hidden": '<path d="M1.6 8S4 3.9 8 3.9 14.4 8 14.4 8 12 12.1 8 12.1 1.6 8 1.6 8z'
    'M2.8 13.2L13.2 2.8"/>',
    "shown": '<path d="M1.6 8S4 3.9 8 3.9 14.4 8 14.4 8 12 12.1 8 12.1 1.6 8 1.6 8z"/>'
    '<circle cx="8" cy="8" r="1.9"/>',
    "stop": f'{_RING}<path d="M6.2 6.2h3.6v3.6H6.2z"/>',
    "error": f'{_RING}<path d="M8 4.7v3.8M8 11v.2"/>',
    "help": f'{_RING}<path d="M6.2 6.4a1.9 1.9 0 1 1 2.6 1.9c-.6.3-.8.6-.8 1.1M8 11.4v.2"/>',
    "dot": '<circle cx="8" cy="8" r="2.2" fill="#000"/>',
    "undo": '<path d="M3 6.5h6.2a3.4 3.4 0 1 1 0 6.8H6M5.6 3.6L2.7 6.5l2.9 2.9"/>',
    "download": '<path d="M8 2.5v7.6M4.8 7.2L8 10.4l3.2-3.2M3 13.4h10"/>',
}

STYLE = f"""
.gh-icon {{ display: inline-block; width: 1em; height: 1em; flex: none; background: currentColor;
  -webkit-mask: center / contain no-repeat; mask: center / contain no-repeat;
  vertical-align: -.125em; }}
{_drawn(_ICONS)}
.gh-badge {{ display: inline-flex; align-items: center; gap: .35em; border-radius: 5px;
  padding: .1em .55em; font-size: .9rem; font-weight: 500; white-space: nowrap;
  color: var(--gh-tone); background: var(--gh-tone-soft); }}
.gh-ok {{ --gh-tone: var(--gh-ok); --gh-tone-soft: var(--gh-ok-soft); }}
.gh-bad {{ --gh-tone: var(--gh-bad); --gh-tone-soft: var(--gh-bad-soft); }}
.gh-wait {{ --gh-tone: var(--gh-wait); --gh-tone-soft: var(--gh-wait-soft); }}
.gh-info {{ --gh-tone: var(--gh-info); --gh-tone-soft: var(--gh-info-soft); }}
.gh-quiet {{ --gh-tone: var(--gh-quiet); --gh-tone-soft: var(--gh-none-soft); }}

.gh-said {{ margin: 0; color: var(--gh-ink); line-height: 1.5; overflow-wrap: anywhere; }}
.gh-note {{ margin: 0; color: var(--gh-quiet); font-size: .93rem; line-height: 1.5;
  overflow-wrap: anywhere; }}
.gh-note strong, .gh-said strong {{ color: var(--gh-ink); font-weight: 600; }}
.gh-code {{ font-family: "Source Code Pro", ui-monospace, Menlo, Consolas, monospace;
  font-size: .87em; background: var(--gh-none-soft); color: var(--gh-ink); border-radius: 4px;
  padding: .05em .35em; overflow-wrap: anywhere; }}
.gh-response {{ display: grid; gap: .6rem; }}
.gh-underway {{ display: grid; gap: .35rem; }}
.gh-underway progress {{ width: 100%; height: .5rem; accent-color: var(--gh-accent); }}
ul.gh-notes {{ list-style: none; margin: 0; padding: 0; display: grid; gap: .3rem; }}
.gh-notes li {{ display: flex; gap: .45em; margin: 0; color: var(--gh-quiet); font-size: .93rem;
  line-height: 1.45; }}
.gh-notes .gh-icon {{ margin-top: .22em; }}
.gh-notes .gh-code {{ flex: none; white-space: nowrap; }}
.gh-head + .gh-notes {{ margin-top: .4rem; }}
.gh-notes span {{ overflow-wrap: anywhere; }}
.gh-notes strong {{ color: var(--gh-ink); font-weight: 600; }}

.gh-panel {{ display: flex; gap: .7rem; border-radius: 8px; padding: .8rem .95rem;
  background: var(--gh-tone-soft); border: 1px solid color-mix(in srgb, var(--gh-tone) 22%,
  transparent); }}
.gh-panel > .gh-icon {{ color: var(--gh-tone); font-size: 1.15rem; margin-top: .12em; }}
.gh-panel p {{ margin: 0 0 .3rem; color: var(--gh-ink); line-height: 1.5;
  overflow-wrap: anywhere; }}
.gh-panel p:last-child {{ margin: 0; }}
.gh-panel strong {{ color: var(--gh-tone); font-weight: 650; }}
.gh-panel .gh-note {{ color: var(--gh-quiet); font-size: .93rem; }}
.gh-panel .gh-code {{ background: color-mix(in srgb, var(--gh-tone) 12%, transparent); }}
.gh-panel a, .gh-link {{ color: var(--gh-accent); }}
.gh-panel div {{ min-width: 0; }}

.gh-head {{ display: flex; flex-wrap: wrap; gap: .3rem .8rem; align-items: center;
  justify-content: space-between; }}
.gh-head h2, .gh-title {{ margin: 0; padding: 0; font-size: 1.25rem; font-weight: 600;
  line-height: 1.35; color: var(--gh-ink); overflow-wrap: anywhere; }}
.gh-title {{ font-size: 1.6rem; font-weight: 650; }}
.gh-sub {{ margin: .3rem 0 0; color: var(--gh-quiet); font-size: .95rem; line-height: 1.5;
  overflow-wrap: anywhere; }}
.gh-actions {{ display: flex; flex-wrap: wrap; gap: .5rem; }}
.gh-button, .st-key-gh-transcript [data-testid="stPageLink-NavLink"] {{ display: inline-flex;
  align-items: center; gap: .45em; box-sizing: border-box; min-height: 2.5rem; padding: 0 .75rem;
  border: 1px solid var(--gh-line); border-radius: .35rem; color: var(--gh-ink);
  font-size: .875rem; text-decoration: none; background: var(--gh-raised); }}
.gh-button:hover {{ border-color: var(--gh-accent); color: var(--gh-accent); }}
:is(.gh-button, .gh-link, .gh-scroll, .gh-panel a, .gh-trail a, .gh-trail):focus-visible {{
  outline: 2px solid var(--gh-accent); outline-offset: 2px; }}

ul.gh-trail {{ list-style: none; margin: 0; padding: 0; }}
.gh-trail li {{ display: grid; grid-template-columns: 1rem 1fr; gap: 0 .5rem; margin: 0;
  padding: .5rem 0 .55rem; border-bottom: 1px solid var(--gh-line); color: var(--gh-ink); }}
.gh-trail li:last-child {{ border: 0; }}
.gh-trail .gh-icon {{ margin-top: .28em; color: var(--gh-tone); font-size: .95rem; }}
.gh-trail .gh-what {{ display: flex; flex-wrap: wrap; gap: 0 .55rem; align-items: baseline; }}
.gh-trail b {{ font-weight: 600; font-size: .93rem; }}
.gh-trail .gh-word {{ color: var(--gh-tone); font-size: .87rem; font-weight: 600; }}
.gh-trail time, .gh-trail .gh-hash {{ color: var(--gh-quiet); font-size: .87rem; }}
.gh-trail p {{ margin: 0; grid-column: 2; font-size: .93rem; line-height: 1.45;
  overflow-wrap: anywhere; }}
.gh-trail .gh-hash {{ grid-column: 2; font-family: "Source Code Pro", ui-monospace, monospace;
  text-decoration: none; }}
.gh-trail a.gh-hash:hover {{ color: var(--gh-accent); text-decoration: underline; }}

.gh-tables details {{ border-bottom: 1px solid var(--gh-line); padding: .35rem 0; }}
.gh-tables details:last-child {{ border: 0; }}
.gh-tables summary {{ cursor: pointer; color: var(--gh-ink); font-weight: 600; }}
.gh-tables summary span {{ color: var(--gh-quiet); font-weight: 400; font-size: .9rem; }}
.gh-tables details ul {{ list-style: none; margin: .3rem 0 .3rem 1.1rem; padding: 0; }}
.gh-tables li {{ display: flex; flex-wrap: wrap; gap: 0 .6rem; margin: 0; padding: .1rem 0;
  color: var(--gh-ink); font-size: .93rem; }}
.gh-tables li > span {{ color: var(--gh-quiet); }}
.gh-tables .gh-masked {{ display: inline-flex; gap: .3em; align-items: center; }}

.gh-scroll {{ overflow: auto; max-height: 34rem; border: 1px solid var(--gh-line);
  border-radius: 8px; }}
.gh-diff {{ border-collapse: separate; border-spacing: 0; width: 100%; font-size: .93rem;
  color: var(--gh-ink); }}
.gh-diff th {{ position: sticky; top: 0; z-index: 1; background: var(--gh-soft); text-align: left;
  font-weight: 600; white-space: nowrap; padding: .5rem .7rem;
  border-bottom: 1px solid var(--gh-line); }}
.gh-diff th.gh-differs {{ color: var(--gh-wait); background: var(--gh-wait-soft); }}
.gh-diff th .gh-icon {{ margin-left: .3em; color: var(--gh-quiet); }}
.gh-diff td {{ padding: .38rem .7rem; vertical-align: top;
  border-bottom: 1px solid var(--gh-line); }}
.gh-diff td > span {{ display: block; width: max-content; max-width: 24rem; white-space: pre-wrap;
  overflow-wrap: anywhere; }}
.gh-diff tr:last-child td {{ border-bottom: 0; }}
.gh-diff .gh-sign {{ width: 1.6rem; min-width: 0; text-align: center; color: var(--gh-quiet);
  font-family: "Source Code Pro", ui-monospace, monospace; font-weight: 600; }}
.gh-diff td.gh-pair {{ padding: 0; height: 1px; }}
.gh-diff .gh-old, .gh-diff .gh-new {{ padding: .3rem .7rem; }}
.gh-diff td.gh-pair > span {{ width: auto; min-width: max-content; }}
.gh-diff .gh-old, .gh-diff tr.gh-removed td {{ background: var(--gh-old); }}
.gh-diff .gh-new, .gh-diff tr.gh-added td {{ background: var(--gh-new); }}
.gh-diff .gh-old mark {{ background: var(--gh-old-mark); color: inherit; border-radius: 3px; }}
.gh-diff .gh-new mark {{ background: var(--gh-new-mark); color: inherit; border-radius: 3px; }}
.gh-diff td.gh-number > span {{ margin-left: auto; }}
.gh-diff .gh-number {{ text-align: right; font-variant-numeric: tabular-nums; }}
.gh-tools td:is(:nth-child(2), :nth-child(3)) {{ white-space: nowrap; }}
.gh-diff em {{ color: var(--gh-quiet); }}
.gh-diff caption {{ text-align: left; padding: .55rem .7rem; font-weight: 600;
  color: var(--gh-ink); background: var(--gh-soft); border-bottom: 1px solid var(--gh-line); }}

.gh-lines {{ max-height: 27rem; }}
.gh-lines pre {{ margin: 0; padding: .6rem 0; width: max-content; min-width: 100%;
  color: var(--gh-ink); background: none; line-height: 1.5;
  font: .87rem/1.5 "Source Code Pro", ui-monospace, Menlo, Consolas, monospace; }}
.gh-lines span {{ display: inline-block; box-sizing: border-box; width: 100%; padding: 0 .8rem; }}
.gh-lines .gh-removed {{ background: var(--gh-old); }}
.gh-lines .gh-added {{ background: var(--gh-new); }}
.gh-lines .gh-where {{ color: var(--gh-quiet); }}

dl.gh-facts {{ display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1rem; padding: 0;
  margin: .7rem 0 0; font-size: .95rem; }}
.gh-facts dt {{ color: var(--gh-quiet); font-weight: 400; }}
.gh-facts dd {{ margin: 0; color: var(--gh-ink); overflow-wrap: anywhere; }}
dl.gh-told {{ grid-template-columns: 11rem 1fr; margin: 0; }}
.gh-told dd {{ white-space: pre-wrap; }}
[class*="st-key-gh-step-"] button {{ justify-content: flex-start; text-align: left;
  min-height: 0; padding: .3rem .5rem; border-radius: 6px; }}
[class*="st-key-gh-step-"] button > div {{ justify-content: flex-start; text-align: left; }}
[class*="st-key-gh-step-now-"] button {{ background: var(--gh-info-soft);
  box-shadow: inset 3px 0 0 var(--gh-accent); }}

ul.gh-checks {{ list-style: none; margin: 0; padding: 0; display: grid; gap: .6rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); }}
.gh-checks li {{ display: flex; gap: .9rem; align-items: flex-start; margin: 0;
  border: 1px solid var(--gh-line); border-radius: 8px; padding: .55rem .8rem; }}
.gh-checks .gh-badge {{ min-width: 4.9rem; }}
.gh-checks div {{ min-width: 0; }}
.gh-checks b {{ display: block; font-weight: 600; color: var(--gh-ink); overflow-wrap: anywhere; }}
.gh-checks p {{ margin: .1rem 0 0; color: var(--gh-quiet); font-size: .93rem;
  overflow-wrap: anywhere; }}

.gh-risk {{ border: 1px solid color-mix(in srgb, var(--gh-tone) 30%, transparent);
  border-radius: 8px; padding: .45rem .8rem; color: var(--gh-ink); }}
.gh-risk summary {{ cursor: pointer; line-height: 1.5; }}
.gh-risk summary strong {{ color: var(--gh-tone); margin-right: .5em; }}
.gh-risk ul {{ list-style: none; margin: .35rem 0 .15rem; padding: 0; display: grid; gap: .25rem; }}
.gh-risk li {{ display: flex; gap: .55em; align-items: baseline; margin: 0; font-size: .93rem;
  line-height: 1.45; overflow-wrap: anywhere; }}
.gh-tier {{ flex: none; min-width: 1.45em; text-align: center; border-radius: 4px; font-weight: 600;
  color: var(--gh-tone); background: var(--gh-tone-soft); }}
.gh-risk summary:focus-visible {{ outline: 2px solid var(--gh-accent); outline-offset: 2px; }}

ul.gh-votes {{ list-style: none; margin: 0; padding: 0; display: grid; gap: .55rem; }}
.gh-votes li {{ margin: 0; color: var(--gh-ink); overflow-wrap: anywhere; }}
.gh-votes span {{ color: var(--gh-quiet); font-size: .9rem; }}

[class*="st-key-gh-card-"] {{ position: relative; }}
[class*="st-key-gh-card-"]:hover, [class*="st-key-gh-card-open-"] {{
  border-color: var(--gh-accent) !important; }}
[class*="st-key-gh-card-open-"] {{ background: var(--gh-info-soft); }}
[class*="st-key-gh-card-"] button {{ text-align: left; justify-content: flex-start; }}
[class*="st-key-gh-card-"] button {{ padding: 0; min-height: 0; }}
[class*="st-key-gh-card-"] button p {{ font-weight: 600; }}
[class*="st-key-gh-card-"] button::after {{ content: ""; position: absolute; inset: 0; }}
.st-key-gh-transcript, div:has(> .st-key-gh-transcript) {{ flex: none !important;
  height: max(22rem, calc(100dvh - 12rem - var(--gh-composer, 8.5rem) - var(--gh-left, 0rem)))
    !important; }}
.st-key-gh-trail, div:has(> .st-key-gh-trail) {{ flex: none !important;
  height: max(22rem, calc(100dvh - 16.5rem)) !important; }}

/* What Streamlit draws in colours that are too pale to read well. */
[data-testid="stCode"] code {{
  :is(.token.keyword, .token.function, .token.class-name, .token.property, .token.attr-name,
    .token.table) {{ color: var(--gh-accent); }}
  :is(.token.string, .token.number, .token.boolean, .token.constant) {{ color: var(--gh-ok); }}
  .token.operator {{ color: var(--gh-wait); }}
  :is(.token.comment, .token.punctuation) {{ color: var(--gh-quiet); }}
}}
[data-testid^="stBaseButton-primary"]:enabled {{ background-color: var(--gh-primary);
  border-color: var(--gh-primary); }}
[data-testid^="stBaseButton-primary"]:enabled:hover {{ filter: brightness(1.12); }}
:is([data-testid="stButtonGroup"] button, [data-testid="stTab"])[data-selected="true"] p {{
  color: var(--gh-accent); }}
[data-testid="stBaseButton-primary"] kbd {{ color: inherit; opacity: 1; }}
[data-testid="stExpander"] summary {{ opacity: 1; }}

.gh-revealed {{ animation: gh-gone 0s linear 70s forwards; }}
@keyframes gh-gone {{ to {{ visibility: hidden; }} }}

@media (min-width: 641px) {{
  [data-testid="stMainBlockContainer"] {{ padding-left: 3rem; padding-right: 3rem; }}
}}
@media (max-width: 1200px) {{
  :is(.st-key-gh-found, .st-key-gh-sealed)
    [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"]) {{
    flex-direction: column; }}
  :is(.st-key-gh-found, .st-key-gh-sealed) [data-testid="stColumn"] {{ width: 100%; flex: none; }}
  .st-key-gh-steps, div:has(> .st-key-gh-steps) {{ flex: none !important;
    height: 15rem !important; }}
}}
.gh-narrow {{ display: none; }}
@media (max-width: 640px) {{
  .gh-wide {{ display: none; }}
  .gh-narrow {{ display: inline; }}
  .st-key-gh-desk-one [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"]) {{
    flex-direction: column-reverse; }}
  .st-key-gh-transcript, div:has(> .st-key-gh-transcript), .st-key-gh-trail,
  div:has(> .st-key-gh-trail) {{ height: auto !important; }}
  dl.gh-facts {{ grid-template-columns: 1fr; gap: 0; }}
  .gh-facts dd {{ margin-bottom: .4rem; }}
  .gh-checks li {{ flex-direction: column; gap: .35rem; }}
}}
"""
