"""A source whose login fails: no page says its address or its password."""

from __future__ import annotations

import pytest

from guard import GuardError
from tests.commands.test_secrets import CANARY, leaked
from tests.company import Company
from tests.pages.conftest import Tabs
from ui.parts import open_parts

SOURCE = """
[sources.far]
engine = "postgres"
environment = "production"
database_secret = "FAR_URL"
write_secret = "FAR_WRITE"
writes = true
[roles.analysts.sources.far]
tables = ["t"]
propose = ["t"]
"""
URL = f"postgresql://reader:{CANARY}@127.0.0.1:1/shop?sslmode=require"


@pytest.fixture
def broken(company: Company) -> Company:
    """The company with a source that cannot be reached."""
    policy = company.home / "policy.toml"
    policy.write_text(policy.read_text(encoding="utf-8") + SOURCE, encoding="utf-8")
    company.parts.close()
    secrets = {"FAR_URL": URL, "FAR_WRITE": URL.replace("reader", "writer")}
    company.parts = open_parts(company.home, company.store, company.log, secrets)
    with pytest.raises(GuardError):
        company.parts.gate.query("SELECT a FROM t", source="far", caller=company.caller("ana"))
    return company


@pytest.mark.parametrize(
    ("page", "name"),
    [
        ("ask", "ana"),
        ("ask", "adam"),
        ("approvals", "rita"),
        ("audit", "adam"),
        ("admin", "adam"),
    ],
)
def test_promise_08_no_page_says_the_password_of_a_source(
    broken: Company, tabs: Tabs, page: str, name: str
) -> None:
    tab = tabs.of(name)
    tab.open(page)
    said = tab.everything() + tab.text()
    assert len(said) > 100
    assert not leaked(said.encode())
    assert "127.0.0.1:1" not in said
