"""The style of the pages the server draws itself, in the colours of `.streamlit/config.toml`."""

from __future__ import annotations

STYLE = """
:root {
  --page: #f6f7f9; --card: #ffffff; --ink: #1c2430; --quiet: #4b5563; --line: #dfe3e8;
  --field: #8b95a3; --accent: #3454d1; --accent-ink: #ffffff; --accent-soft: #eef1fd;
  --link: #3454d1; --problem: #b02a37; --problem-soft: #fdf0f1; --ok: #0a7f4f; --ok-soft: #eef8f3;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171c; --card: #1c2128; --ink: #e6e9ee; --quiet: #b4bcc6; --line: #323a45;
    --field: #6b7684; --accent: #4a63dc; --accent-ink: #ffffff; --accent-soft: #252d45;
    --link: #9db0ff; --problem: #ff9aa2; --problem-soft: #3a2226; --ok: #6fd3a4; --ok-soft: #1b3329;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; min-height: 100vh; min-height: 100dvh; display: grid; place-items: center;
  padding: 24px 16px; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
h1, h2, p, ul { margin: 0; }
h1 { font-size: 1.35rem; font-weight: 650; letter-spacing: -.01em; }
h2 { font-size: 1rem; font-weight: 600; }
a { color: var(--link); }
.card {
  width: 100%; max-width: 400px; background: var(--card); border: 1px solid var(--line);
  border-radius: 12px; overflow: hidden; box-shadow: 0 1px 2px rgb(0 0 0 / .04),
  0 8px 24px rgb(0 0 0 / .06);
}
.with-demo { max-width: 900px; display: grid; grid-template-columns: 9fr 11fr; }
section { padding: 32px; min-width: 0; }
.entry { display: flex; flex-direction: column; gap: 16px; }
.brand { display: flex; align-items: center; gap: 12px; }
.brand svg { width: 36px; height: 36px; flex: none; }
.what { color: var(--quiet); }
form { display: flex; flex-direction: column; }
label { font-weight: 600; font-size: .9rem; margin-bottom: 4px; }
input {
  font: inherit; color: inherit; background: var(--card); border: 1px solid var(--field);
  border-radius: 6px; padding: 9px 12px; margin-bottom: 14px; width: 100%;
}
input[aria-invalid] { border-color: var(--problem); }
button {
  font: inherit; font-weight: 600; color: var(--accent-ink); background: var(--accent);
  border: 1px solid var(--accent); border-radius: 6px; padding: 10px 16px; margin-top: 4px;
  cursor: pointer;
}
button:hover { filter: brightness(1.08); }
:is(input, button, a):focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
.problem, .status { padding: 10px 12px; border-radius: 6px; font-size: .93rem; }
.problem { color: var(--problem); background: var(--problem-soft); }
.status { color: var(--ok); background: var(--ok-soft); }
.demo { border-left: 1px solid var(--line); background: var(--page); }
.demo .what { font-size: .9rem; margin: 4px 0 12px; }
.demo ul { list-style: none; padding: 0; display: grid; gap: 6px; }
.demo a {
  display: grid; grid-template-columns: 1fr auto; gap: 0 12px; align-items: baseline;
  padding: 8px 12px; color: inherit; text-decoration: none; background: var(--card);
  border: 1px solid var(--line); border-radius: 8px;
}
.demo a:hover { border-color: var(--link); }
.demo a[aria-current] { border-color: var(--link); background: var(--accent-soft); }
.demo .line { grid-column: 1 / -1; }
.demo .line span, .demo .note { color: var(--quiet); font-size: .9rem; }
.demo code {
  font: .8rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; color: var(--quiet);
  overflow-wrap: anywhere;
}
@media (max-width: 760px) {
  body { place-items: start center; }
  .with-demo { max-width: 440px; grid-template-columns: 1fr; }
  .demo { border-left: 0; border-top: 1px solid var(--line); }
  section { padding: 24px 20px; }
  .demo code { grid-column: 1 / -1; }
}
@media (prefers-reduced-motion: no-preference) {
  button, .demo a { transition: border-color .12s, filter .12s; }
}
"""
