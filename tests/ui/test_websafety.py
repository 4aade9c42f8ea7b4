from __future__ import annotations

import base64
import hashlib

import pytest

from ui import websafety

ALLOWED = ("localhost", "127.0.0.1", "*.example.org")


@pytest.mark.parametrize(
    "target",
    ["/", "/audit", "/audit?find=x%20y&page=2", "/approvals?change=42", "/?c=0a1b", "/a#b"],
)
def test_paths_of_ours_are_kept(target: str) -> None:
    assert websafety.safe_next(target) == target


@pytest.mark.parametrize(
    "target",
    [
        None,
        "",
        "audit",
        "https://evil.example/",
        "HTTPS:evil.example",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "/a\\..\\evil",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/\tevil",
        "/a\r\nSet-Cookie: x=1",
        " /audit",
        "/ audit",
        "/\x00",
        "/login",
        "/login?next=/login",
        "/logout",
        "/" + "a" * 2_001,
    ],
)
def test_everything_doubtful_leads_home(target: str | None) -> None:
    assert websafety.safe_next(target) == "/"


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8501", "127.0.0.1:80", "a.example.org", "localhost.:8501"],
)
def test_hosts_on_the_list_are_allowed_whatever_the_port(host: str) -> None:
    assert websafety.host_allowed(host, ALLOWED)


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "example.org",
        "badexample.org",
        "localhost.evil.example",
        "evil@localhost",
        "localhost/x",
        "localhost:x",
        "localhost:99999",
        "[::1]",
        "a b",
    ],
)
def test_other_hosts_are_not(host: str | None) -> None:
    assert not websafety.host_allowed(host, ALLOWED)


def test_a_star_allows_any_well_formed_host() -> None:
    assert websafety.host_allowed("anything.example:1", ("*",))
    assert not websafety.host_allowed("a@b", ("*",))


def test_only_the_very_same_origin_is_ours() -> None:
    assert websafety.same_origin("http://localhost:8501", "http", "localhost:8501")
    for origin in (
        None,
        "",
        "null",
        "https://localhost:8501",
        "http://localhost",
        "http://localhost:8501.evil.example",
        "http://evil.example",
    ):
        assert not websafety.same_origin(origin, "http", "localhost:8501")
    assert not websafety.same_origin("http://", "http", "")


def test_the_policy_names_every_inline_script_and_nothing_else() -> None:
    body = "\n  window.a = '<b>' && 1\n"
    page = (
        f"<html><script>{body}</script><script type=module src='./x.js'></script>"
        "<script>second()</script></html>"
    )
    policy = websafety.content_security_policy(page)
    for script in (body, "second()"):
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    script_part = next(p for p in policy.split("; ") if p.startswith("script-src"))
    assert script_part.count("sha256-") == 2
    assert "unsafe" not in script_part


def test_a_page_without_inline_scripts_allows_none() -> None:
    policy = websafety.content_security_policy("<html><script src='x.js'></script></html>")
    assert "script-src 'self';" in policy
