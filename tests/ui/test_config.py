from __future__ import annotations

import tomllib
from pathlib import Path

from streamlit import config

FILE = Path(__file__).resolve().parents[2] / ".streamlit" / "config.toml"
SETTINGS = {
    f"{section}.{name}": value
    for section, values in tomllib.loads(FILE.read_text()).items()
    for name, value in values.items()
    if not isinstance(value, dict)
}


def test_what_protects_the_console_is_set() -> None:
    expected = {
        "client.showErrorDetails": "none",
        "client.disableDataExport": True,
        "client.toolbarMode": "viewer",
        "server.address": "127.0.0.1",
        "server.allowedHosts": ["localhost", "127.0.0.1"],
        "server.enableStaticServing": False,
        "server.enableAgentApi": False,
        "server.disconnectedSessionTTL": 30,
        "browser.gatherUsageStats": False,
        "logger.enableRich": False,
    }
    assert {name: SETTINGS.get(name) for name in expected} == expected


def test_no_full_garbage_collection_follows_every_run() -> None:
    assert SETTINGS["runner.postScriptGC"] is False


def test_every_setting_is_one_streamlit_knows() -> None:
    assert [name for name in SETTINGS if name not in config._config_options_template] == []


def test_no_secret_is_written_down() -> None:
    assert not [name for name in SETTINGS if "secret" in name.lower() or "key" in name.lower()]
