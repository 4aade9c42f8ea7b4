"""A source as the read role: its engine and its tagged catalog, reflected once and kept a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from guard.catalog import Catalog
from guard.engines.base import Engine
from guard.errors import ConfigurationError, SourceUnavailable
from guard.inforce import InForce
from guard.policyfile import Policy, SourcePolicy

_KEEP_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class SourceState:
    """What the admin page says of a source: reachable or the sentence that says why not."""

    name: str
    engine: str
    environment: str
    reachable: bool
    tables: int
    problem: str | None = None


class Source:
    """One database as the read role, for one state of its settings. Threads may share it."""

    def __init__(self, name: str, engine: Engine, settings: SourcePolicy) -> None:
        self.name = name
        self.engine = engine
        self.settings = settings
        self._tags = dict(settings.tags)
        self._lock = threading.Lock()
        self._catalog: Catalog | None = None
        self._reflected_at = float("-inf")

    def catalog(self) -> Catalog:
        """Returns the tagged catalog, at most a minute old.

        Raises:
            SourceUnavailable: the source cannot be read, or a tag names no column: an unguarded
            column
                may be the renamed one, so nothing is served until the policy is mended.
        """
        with self._lock:
            if self._catalog is None or time.monotonic() - self._reflected_at > _KEEP_SECONDS:
                found = self._reflect()
                if found != self._catalog:  # else the same object: what was judged by it holds
                    self._catalog = found
                self._reflected_at = time.monotonic()
            return self._catalog

    def refresh(self) -> None:
        """Makes the next use reflect again."""
        with self._lock:
            self._reflected_at = float("-inf")

    def _reflect(self) -> Catalog:
        catalog = self.engine.reflect()
        missing = catalog.unknown_tags(self._tags)
        if missing:
            raise SourceUnavailable(
                f"The policy tags {missing[0]} in {self.name}, but there is no such column. It may "
                "have been renamed: mend the tag in the policy file before this source is used."
            )
        return catalog.tagged(self._tags)


def reach_of(policy: Policy, source: str) -> tuple[object, ...]:
    """Returns what of the settings an engine is opened with; the rest may change while it runs."""
    s = policy.sources[source]
    return (
        policy.folder,
        s.engine,
        s.database,
        s.database_secret,
        s.write_secret,
        s.ca_file,
        s.schemas,
        s.identity,
        s.writes,
    )


class Sources:
    """The sources of the policy in force, opened on first use through `open_source`.

    A source whose settings another policy has changed is opened anew at its next use; what runs on
    the old engine is stopped where the engine itself must be another.
    """

    def __init__(self, policies: InForce, open_source: Callable[[str, Policy], Engine]) -> None:
        self._policies = policies
        self._open = open_source
        self._lock = threading.Lock()
        self._sources: dict[str, Source] = {}
        self._reaches: dict[str, tuple[object, ...]] = {}

    def get(self, name: str, under: Policy | None = None) -> Source:
        """Returns the source.

        `under` is the policy this call has looked up already. A source that is open as it says is
        the answer; for anything else the policy in force decides, never an older one.

        Raises:
            ConfigurationError: no such source, or its secret is not set.
            SourceUnavailable: its engine cannot be started.
        """
        if under is not None and (found := self._open_as(under, name)) is not None:
            return found
        policy = self._policies.current()
        if name not in policy.sources:
            known = ", ".join(sorted(policy.sources))
            raise ConfigurationError(f"There is no source {name}. The policy names: {known}.")
        with self._lock:
            opened = self._sources.get(name)
            if opened is None or opened.settings != policy.sources[name]:
                opened = self._sources[name] = self._opened(name, policy)
            return opened

    def _open_as(self, policy: Policy, name: str) -> Source | None:
        with self._lock:
            opened, wanted = self._sources.get(name), policy.sources.get(name)
        same = opened is not None and (opened.settings is wanted or opened.settings == wanted)
        return opened if same else None

    def _opened(self, name: str, policy: Policy) -> Source:
        """The source for these settings, on the engine it has where that may stay."""
        before, reach = self._sources.pop(name, None), reach_of(policy, name)
        if before is not None and self._reaches.get(name) == reach:
            return Source(name, before.engine, policy.sources[name])
        if before is not None:
            before.engine.close()
        self._reaches[name] = reach
        return Source(name, self._open(name, policy), policy.sources[name])

    def states(self) -> tuple[SourceState, ...]:
        """Returns one line per source for the admin page and the checklist; never raises."""
        return tuple(
            self._state(name, settings)
            for name, settings in self._policies.current().sources.items()
        )

    def _state(self, name: str, settings: SourcePolicy) -> SourceState:
        tables, problem = 0, None
        try:
            tables = len(self.get(name).catalog().tables)
        except (SourceUnavailable, ConfigurationError) as error:
            problem = str(error)
        return SourceState(
            name=name,
            engine=settings.engine,
            environment=settings.environment,
            reachable=problem is None,
            tables=tables,
            problem=problem,
        )

    def close(self) -> None:
        """Ends every engine."""
        with self._lock:
            for source in self._sources.values():
                source.engine.close()
            self._sources.clear()
