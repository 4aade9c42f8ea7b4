"""The shell around the pages, for every role and for none. The pages here only say who they are."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from store import accounts, changes
from tests.ui.conftest import Console
from ui import identity, session

MAIN = Path(identity.__file__).parent / "main.py"
ROLES = {
    "ask": "'analyst', 'reviewer', 'admin'",
    "approvals": "'analyst', 'reviewer', 'admin'",
    "audit": "'admin'",
    "admin": "'admin'",
}
PAGE = """
import streamlit as st
from ui import identity
person = identity.require({roles})
st.text("{name} page for " + person.name)
"""


class Shell:
    """One browser tab with the shell in it."""

    def __init__(self, root: Path, console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
        self._root = root
        self._console = console
        self._token: str | None = None
        monkeypatch.setattr(session, "store", lambda: console.store)
        monkeypatch.setattr(session, "home", lambda: console.home)
        monkeypatch.setattr(identity, "cookie_token", lambda: self._token)
        self.tab = AppTest.from_file(root / "ui" / "main.py", default_timeout=20)

    def sign_in(self, name: str) -> None:
        self._token = self._console.token(name)

    def sign_out_elsewhere(self) -> None:
        assert self._token is not None
        self._console.revoke(self._token)

    def run(self) -> str:
        """What the tab shows after a run: its texts and our own HTML."""
        self.tab.run()
        assert not self.tab.exception
        return self.shown()

    def open(self, page: str) -> str:
        self.tab.switch_page(f"../pages/{page}.py")
        return self.run()

    def run_file(self, page: str) -> str:
        """What the page file shows when it is run on its own, without the shell."""
        alone = AppTest.from_file(self._root / "pages" / f"{page}.py", default_timeout=20).run()
        assert not alone.exception
        return _shown(alone)

    def shown(self) -> str:
        return _shown(self.tab)


def _shown(tab: AppTest) -> str:
    texts = [text.value for text in tab.text]
    pieces = [piece.proto.body for piece in tab.get("html")]
    return "\n".join([*texts, *pieces])


@pytest.fixture
def shell(tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    root = tmp_path / "project"
    (root / "ui").mkdir(parents=True)
    (root / "pages").mkdir()
    shutil.copy(MAIN, root / "ui" / "main.py")
    for name, roles in ROLES.items():
        (root / "pages" / f"{name}.py").write_text(PAGE.format(name=name, roles=roles))
    path = list(sys.path)
    yield Shell(root, console, monkeypatch)
    sys.path[:] = path


def test_nobody_sees_a_page_only_the_way_to_sign_in(shell: Shell) -> None:
    shown = shell.run()
    assert "You are signed out." in shown
    assert 'href="/login"' in shown
    assert "page for" not in shown
    for page in ROLES:
        assert "page for" not in shell.run_file(page)
        with pytest.raises(ValueError, match="Could not find a navigation page"):
            shell.open(page)


@pytest.mark.parametrize("name", ["analyst", "reviewer", "admin"])
def test_everybody_with_a_role_lands_on_ask(name: str, shell: Shell) -> None:
    shell.sign_in(name)
    shown = shell.run()
    assert f"ask page for {name}" in shown
    assert f"{name.title()} Person" in shown
    assert f'<span class="gh-role">{name}</span>' in shown
    assert '<form method="post" action="/logout">' in shown


def test_somebody_without_a_role_is_told_so_and_opens_nothing(shell: Shell) -> None:
    shell.sign_in("norole")
    shown = shell.run()
    assert "You have no role yet." in shown
    assert "You are signed in as Norole Person." in shown
    assert "Sign out" in shown
    for page in ROLES:
        assert "page for" not in shell.run_file(page)
        with pytest.raises(ValueError, match="Could not find a navigation page"):
            shell.open(page)


@pytest.mark.parametrize("name", ["analyst", "reviewer"])
@pytest.mark.parametrize("screen", ["audit", "admin"])
def test_pages_of_admins_are_not_even_registered_for_others(
    name: str, screen: str, shell: Shell
) -> None:
    shell.sign_in(name)
    shell.run()
    with pytest.raises(ValueError, match="Could not find a navigation page"):
        shell.open(screen)


@pytest.mark.parametrize(("name", "screen"), [("analyst", "audit"), ("reviewer", "admin")])
def test_a_page_run_on_its_own_says_which_role_it_needs(
    name: str, screen: str, shell: Shell
) -> None:
    shell.sign_in(name)
    shown = shell.run_file(screen)
    assert "This page needs the admin role." in shown
    assert f"You are signed in as {name.title()} Person ({name})." in shown
    assert "page for" not in shown


@pytest.mark.parametrize("screen", list(ROLES))
def test_an_admin_opens_every_page(screen: str, shell: Shell) -> None:
    shell.sign_in("admin")
    shell.run()
    assert f"{screen} page for admin" in shell.open(screen)


def test_signing_out_elsewhere_empties_this_tab_at_its_next_run(shell: Shell) -> None:
    shell.sign_in("admin")
    shell.run()
    shell.tab.session_state["draft"] = "secret"
    shell.sign_out_elsewhere()
    shown = shell.run()
    assert "You are signed out." in shown
    assert "page for" not in shown
    assert "draft" not in shell.tab.session_state


def test_another_person_never_finds_the_state_of_the_one_before(shell: Shell) -> None:
    shell.sign_in("admin")
    shell.run()
    shell.tab.session_state["draft"] = "secret"
    assert "draft" in shell.tab.session_state
    shell.run()
    assert shell.tab.session_state["draft"] == "secret"
    shell.sign_in("analyst")
    assert "ask page for analyst" in shell.run()
    assert "draft" not in shell.tab.session_state


def test_a_role_taken_away_closes_the_page_at_the_next_run(shell: Shell, console: Console) -> None:
    shell.sign_in("admin")
    shell.run()
    assert "audit page for admin" in shell.open("audit")
    with console.store.write() as conn:
        accounts.set_roles(conn, console.accounts["admin"].id, {"analyst"})
    assert "audit page" not in shell.run()


def test_a_name_cannot_become_markup(shell: Shell, console: Console) -> None:
    with console.store.write() as conn:
        account = accounts.create(
            conn,
            name="evil",
            display_name="<img src=x onerror=alert(1)>",
            roles={"analyst"},
            password_hash="x",
            now=console.clock(),
        )
    console.accounts["evil"] = account
    shell.sign_in("evil")
    shown = shell.run() + shell.run_file("audit")
    assert "<img" not in shown
    assert shown.count("&lt;img src=x onerror=alert(1)&gt;") == 2


def _titles(console: Console, name: str) -> dict[str, str]:
    from ui.main import screens

    person = identity.principal_of(console.accounts[name])
    return {screen.file: screen.title for screen in screens(person)}


def test_the_approvals_title_counts_what_waits_for_this_person(
    shell: Shell, console: Console
) -> None:
    assert _titles(console, "reviewer")["approvals.py"] == "Approvals"
    author = console.accounts["analyst"].id
    now = console.clock()
    with console.store.write() as conn:
        change = changes.create(
            conn,
            changes.NewChange(
                source="shop",
                author=author,
                statement="UPDATE t SET a = 1",
                statement_sha="s",
                reason="because",
                rule="write.production",
                environment="production",
                approvers_needed=1,
            ),
            now=now,
            expires_at=now,
        ).id
        preview = changes.Preview(
            summary_json="{}", preview_json="{}", fingerprint="f", undo_kind="exact"
        )
        changes.move(conn, change, "draft", "previewing", now=now)
        changes.record_preview(conn, change, preview, now=now)
        changes.move(conn, change, "previewing", "pending", now=now)
    assert _titles(console, "reviewer")["approvals.py"] == "Approvals (1)"
    assert _titles(console, "admin")["approvals.py"] == "Approvals (1)"
    assert _titles(console, "analyst")["approvals.py"] == "My requests"


def test_whoever_is_signed_out_is_told_at_the_address_where_they_were(
    console: Console,
) -> None:
    from ui.main import _ADDRESSES, screens

    person = identity.principal_of(console.accounts["admin"])
    assert tuple(screen.url_path for screen in screens(person)) == _ADDRESSES


def test_roles_read_as_words() -> None:
    assert identity.either(("admin",)) == "admin"
    assert identity.either(("analyst", "reviewer", "admin")) == "analyst, reviewer or admin"


@pytest.mark.parametrize(
    "cookies", [{}, {"gatehouse_session": ""}, {"gatehouse_session": object()}]
)
def test_what_is_no_text_is_no_session(
    cookies: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Context:
        pass

    context = Context()
    context.cookies = cookies  # type: ignore[attr-defined]  # a stand-in, as Streamlit has one
    monkeypatch.setattr("ui.identity.st.context", context)
    assert identity.cookie_token() is None
