"""The safety checklist's attacks run for real, and a hole in an adapter would show."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.engines import probes
from guard.engines.child.probes import BY_ENGINE, Attack
from guard.engines.embedded import EmbeddedEngine
from guard.errors import SourceUnavailable
from tests.guard.engines.support import EngineName, fingerprint, opened


def test_every_attack_is_tried_and_held(
    adapter: EmbeddedEngine, engine: EngineName, database: Path
) -> None:
    before = fingerprint(database.parent)
    found = adapter.probe()
    assert [p.name for p in found] == [a.name for a in BY_ENGINE[engine]]
    assert {p.name: p.detail for p in found if not p.passed} == {}
    assert fingerprint(database.parent) == before


def test_a_source_that_cannot_be_opened_passes_nothing(engine: EngineName, tmp_path: Path) -> None:
    with opened(engine, tmp_path / "none") as adapter, pytest.raises(SourceUnavailable):
        adapter.probe()


_ATTACK = (Attack(name="x", sql="x"),)


def test_an_attack_that_succeeds_fails_the_check(tmp_path: Path) -> None:
    [probe] = probes.attempt(_ATTACK, tmp_path / "db", lambda _n, _f: None)
    assert not probe.passed
    assert probe.detail == "the engine did it"


def test_an_attack_that_ends_otherwise_fails_the_check(tmp_path: Path) -> None:
    [probe] = probes.attempt(_ATTACK, tmp_path / "db", lambda _n, _f: "engine")
    assert not probe.passed


def test_a_file_that_appears_fails_the_check(tmp_path: Path) -> None:
    def writes(_number: int, folder: Path) -> probes.Outcome:
        (folder / "out").write_text("x", encoding="ascii")
        return "not_allowed"

    [probe] = probes.attempt(_ATTACK, tmp_path / "db", writes)
    assert not probe.passed
    assert probe.detail == "refused, but a file changed"


def test_a_changed_source_fails_the_check(tmp_path: Path) -> None:
    def writes(_number: int, _folder: Path) -> probes.Outcome:
        (tmp_path / "db").write_text("x", encoding="ascii")
        return "not_allowed"

    [probe] = probes.attempt(_ATTACK, tmp_path / "db", writes)
    assert not probe.passed
