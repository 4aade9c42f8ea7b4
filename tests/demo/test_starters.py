"""The questions shown first are answered by the planner that needs no network."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

import demo
from agent import planner
from audit import AuditEvent
from guard.engines import open_engine
from guard.policyfile import Policy, load_policy
from guard.principal import Principal
from guard.rights import scope_of, visible
from guard.sampling import sample

ROOT = Path(__file__).parents[2]
SHIPPED = load_policy(ROOT / "demo" / "policy.toml")
STARTERS = [(source, q) for source, s in SHIPPED.sources.items() for q in s.starters]


class Trail:
    """Takes audit events; what they hold is tested where they are made."""

    def append(self, event: AuditEvent) -> None:
        pass


def vocabulary(policy: Policy, source: str, home: Path) -> planner.Vocabulary:
    """What the planner knows of a source, for the demo's analyst."""
    settings = policy.sources[source]
    analyst = Principal(
        id="p", name="analyst", display_name="Analyst", roles=frozenset({"analyst"})
    )
    scope = scope_of(policy, analyst, source)
    assert scope is not None
    database = policy.database_of(source, {})
    with closing(open_engine(settings.engine, database, source=source)) as engine:
        catalog = visible(engine.reflect().tagged(settings.tags), scope)
        values = sample(engine, catalog, Trail())
    words = home / f"{source}.semantics.toml"
    return planner.Vocabulary(
        catalog=catalog,
        values=values,
        today=demo.TODAY,
        dialect=settings.engine,
        semantics=(planner.load_semantics(words) if words.exists() else planner.Semantics()),
    )


@pytest.fixture(scope="module")
def vocabularies(home: Path) -> dict[str, planner.Vocabulary]:
    policy = load_policy(home / "policy.toml")
    return {source: vocabulary(policy, source, home) for source in policy.sources}


@pytest.mark.parametrize(("source", "question"), STARTERS)
def test_a_starter_is_answered(
    vocabularies: dict[str, planner.Vocabulary], source: str, question: str
) -> None:
    answer = planner.plan(question, vocabularies[source])

    assert isinstance(answer, planner.Plan), answer
