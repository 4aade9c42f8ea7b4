from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from audit import AuditLog
from guard.errors import ConfigurationError
from store import StoreError
from tests.ui.conftest import Console
from ui import session, web

ROOT = Path(__file__).resolve().parents[2]


def test_app_py_run_as_a_plain_script_shows_the_shell(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "store", lambda: console.store)
    monkeypatch.setattr(session, "home", lambda: console.home)
    ran = AppTest.from_file(ROOT / "app.py", default_timeout=20).run()
    assert not ran.exception
    assert "You are signed out." in ran.get("html")[0].proto.body


def test_what_starts_with_the_server_ends_with_it(console: Console) -> None:
    import dataclasses

    calls: list[str] = []
    parts = dataclasses.replace(
        console.parts(),
        on_start=lambda: calls.append("start"),
        on_stop=lambda: calls.append("stop"),
    )
    with TestClient(Starlette(lifespan=web.lifespan(parts))):
        assert calls == ["start"]
    assert calls == ["start", "stop"]


def test_a_store_that_cannot_start_leaves_the_server_up_to_say_so(
    console: Console, caplog: pytest.LogCaptureFixture
) -> None:
    import dataclasses

    def fail() -> None:
        raise StoreError("The store is from a newer version.")

    parts = dataclasses.replace(console.parts(), on_start=fail)
    with TestClient(Starlette(lifespan=web.lifespan(parts))):
        assert "The store is from a newer version." in caplog.text


def test_a_base_path_is_refused_at_the_start(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web.config, "get_option", lambda name: "/console")
    with (
        pytest.raises(ConfigurationError, match=r"server\.baseUrlPath"),
        TestClient(Starlette(lifespan=web.lifespan(console.parts()))),
    ):
        pytest.fail("it must not start")


@pytest.fixture
def own_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GATEHOUSE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GATEHOUSE_STORE_URL", raising=False)
    return tmp_path / "home"


def test_a_service_records_its_begin_and_its_end(own_session: Path) -> None:
    parts = session.web_parts()
    parts.on_start()
    parts.on_stop()
    with AuditLog.open(own_session / "audit", app_version="1") as log:
        events = [record.event for record in log.tail(100)]
    assert [e.type for e in events if e.type in {"log.opened", "log.closed"}] == [
        "log.opened",
        "log.closed",
    ]
    assert events[-1].type == "log.closed"


def test_the_store_is_opened_once_in_the_data_folder(own_session: Path) -> None:
    parts = session.web_parts()
    parts.on_start()
    try:
        assert parts.store() is parts.store()
        assert Path(parts.store().name).parent == own_session
    finally:
        parts.on_stop()
