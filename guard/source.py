"""A source as the read role: its engine and its tagged catalog, reflected once and kept a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from guard.catalog import Catalog
from guard.engines.base import Engine
from guard.errors import ConfigurationError, SourceUnavailable
from guard.policyfile import Policy

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
    """One database as the read role. Safe to share between threads."""

    def __init__(self, name: str, engine: Engine, tags: Mapping[str, str]) -> None:
        self.name = name
        self.engine = engine
        self._tags = dict(tags)
        self._lock = threading.Lock()
        self._catalog: Catalog | None = None
        self._reflected_at = 0.0

    def catalog(self) -> Catalog:
        """Returns the tagged catalog, at most a minute old.

        Raises:
            SourceUnavailable: the source cannot be read, or a tag names no column: an unguarded
            column
                may be the renamed one, so nothing is served until the policy is mended.
        """
        with self._lock:
            if self._catalog is None or time.monotonic() - self._reflected_at > _KEEP_SECONDS:
                self._catalog = self._reflect()
                self._reflected_at = time.monotonic()
            return self._catalog

    def refresh(self) -> None:
        """Forgets the catalog, so that the next use reflects again."""
        with self._lock:
            self._catalog = None

    def _reflect(self) -> Catalog:
        catalog = self.engine.reflect()
        missing = catalog.unknown_tags(self._tags)
        if missing:
            raise SourceUnavailable(
                f"The policy tags {missing[0]} in {self.name}, but there is no such column. It may "
                "have been renamed: mend the tag in the policy file before this source is used."
            )
        return catalog.tagged(self._tags)


class Sources:
    """The sources of one policy, opened on first use through `open_engine`."""

    def __init__(self, policy: Policy, open_source: Callable[[str], Engine]) -> None:
        self._policy = policy
        self._open = open_source
        self._lock = threading.Lock()
        self._sources: dict[str, Source] = {}

    def get(self, name: str) -> Source:
        """Returns the source.

        Raises:
            ConfigurationError: no such source, or its secret is not set.
            SourceUnavailable: its engine cannot be started.
        """
        settings = self._policy.sources.get(name)
        if settings is None:
            known = ", ".join(sorted(self._policy.sources))
            raise ConfigurationError(f"There is no source {name}. The policy names: {known}.")
        with self._lock:
            if name not in self._sources:
                self._sources[name] = Source(name, self._open(name), settings.tags)
            return self._sources[name]

    def states(self) -> tuple[SourceState, ...]:
        """Returns one line per source for the admin page and the checklist; never raises."""
        return tuple(self._state(name) for name in self._policy.sources)

    def _state(self, name: str) -> SourceState:
        settings = self._policy.sources[name]
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
