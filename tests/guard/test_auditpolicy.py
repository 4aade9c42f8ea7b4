"""What the policy says of the audit trail."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from guard.auditpolicy import AnchorPolicy, AuditPolicy
from guard.errors import ConfigurationError

HOOK = {"name": "hook", "kind": "webhook", "to": "https://example.com/a", "secret": "HOOK_SECRET"}
STORE = {
    "name": "store",
    "kind": "s3",
    "to": "https://s3.example.com/bucket/audit",
    "secret": "S3_SECRET",
    "access_key": "S3_KEY",
    "lock_days": 30,
}
GIT = {"name": "git", "kind": "git", "to": "ssh://git@example.com/anchors.git"}
VARIABLES = {"HOOK_SECRET": "x", "S3_SECRET": "y", "S3_KEY": "z"}


def test_each_kind_of_anchor_becomes_a_sink(tmp_path: Path) -> None:
    policy = AuditPolicy.model_validate({"anchors": [HOOK, STORE, GIT]})
    sinks = policy.sinks(VARIABLES, tmp_path)
    assert [sink.name for sink in sinks] == ["hook", "store", "git"]
    assert AuditPolicy().sinks({}, tmp_path) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({**HOOK, "secret": None}, "secret is missing"),
        ({**STORE, "access_key": None}, "access_key is missing"),
        ({**GIT, "secret": "X"}, "nothing that git uses"),
        ({**HOOK, "lock_days": 3}, "for s3 only"),
        ({**HOOK, "kind": "ftp"}, "kind"),
        ({**HOOK, "name": "Two Words"}, "name"),
        ({**HOOK, "secret": "not a variable"}, "secret"),
        ({**HOOK, "other": 1}, "other"),
    ],
)
def test_a_wrong_anchor_is_refused_by_its_key(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        AnchorPolicy.model_validate(given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"anchors": [GIT, GIT]}, "same name"),
        ({"anchored_within_minutes": 5}, "no anchors that could meet it"),
        ({"anchor_minutes": 0}, "anchor_minutes"),
        ({"retention_years": -1}, "retention_years"),
        ({"legal_hold": "maybe"}, "legal_hold"),
        ({"years": 1}, "years"),
    ],
)
def test_a_wrong_audit_section_is_refused_by_its_key(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        AuditPolicy.model_validate(given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (HOOK, "HOOK_SECRET is not set"),
        ({**HOOK, "to": "http://example.com"}, "https"),
        ({**GIT, "to": "ext::sh -c id"}, "git repository"),
    ],
)
def test_what_cannot_be_used_is_said_without_the_secret(
    given: dict[str, object], said: str, tmp_path: Path
) -> None:
    variables = {} if given is HOOK else VARIABLES
    with pytest.raises(ConfigurationError, match=said) as caught:
        AnchorPolicy.model_validate(given).sink(variables, tmp_path)
    assert "hook" in str(caught.value) or "git" in str(caught.value)
