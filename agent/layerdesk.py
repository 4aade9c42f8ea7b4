"""How a semantic layer comes into force: an admin looks at what is proposed and confirms it.

A layer only says what words mean. It widens nobody's rights: every statement that is made with it
is judged for the person who asks. So one admin is enough, and everything they confirm is kept as a
version and recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from agent import planner
from agent.layers import Layer, Layers
from audit import AuditEvent, AuditLog, ConfigFacts, shorten
from guard import Caller, Catalog, ConfigurationError, Illegal, Principal, Refusal, Refused
from store import Store, semantics
from store.ids import digest
from store.semantics import SemanticVersion

MOST_BYTES = 500_000
"""A layer may have this many bytes of text."""
_LONGEST_NOTE = 500
_SHOWN = 5
"""Problems named at once."""


@dataclass(frozen=True, kw_only=True)
class LayerView:
    """What the admin's page shows of a source.

    `proposed` are items that the layer in force does not have, `proposal` is the layer they stand
    in. `problem` says why the file cannot be used. `base` is the number of the version in force,
    None where there is none.
    """

    source: str
    in_force: planner.Semantics
    base: int | None
    from_file: bool
    proposed: tuple[planner.Item, ...]
    proposal: planner.Semantics
    versions: tuple[SemanticVersion, ...]
    problem: str | None = None

    @property
    def stamp(self) -> str:
        """What differs whenever anything that is in force or proposed does."""
        texts = map(planner.write_semantics, (self.in_force, self.proposal))
        return digest("\n".join((str(self.base), *texts)))[:16]

    def chosen(self, keys: Collection[str]) -> str:
        """Returns the text of the layer in force with these proposed items added to it.

        It is made of what was shown, whatever is proposed by now.
        """
        wanted = {i.key for i in self.proposed} & set(keys)
        more = planner.only(self.proposal, wanted)
        return planner.write_semantics(
            planner.merged(self.in_force, more) if wanted else self.in_force
        )


class LayerDesk:
    """One a process; safe to share between threads."""

    def __init__(
        self,
        *,
        store: Store,
        log: AuditLog,
        layers: Layers,
        catalog: Callable[[str], tuple[Catalog, Collection[str]]],
        look_up: Callable[[str], Principal | None],
    ) -> None:
        """`catalog` returns a source's tagged catalog and the columns of prose.

        `look_up` returns the account with that id as it is now, None when it may not act.
        """
        self._store = store
        self._log = log
        self._layers = layers
        self._catalog = catalog
        self._look_up = look_up

    def view(self, source: str, caller: Caller) -> LayerView:
        """Returns what is in force and what is proposed.

        Raises:
            Refused: not an admin.
            guard.GuardError, store.StoreError: the source or the store cannot be read.
        """
        self._admin(caller)
        problems: list[str] = []
        try:
            layer = self._layers.of(source)
        except planner.SemanticsError as error:
            layer = Layer(semantics=planner.Semantics(), stamp="")
            problems.append(str(error))
        try:
            proposal = self._proposal(source, fresh=layer.stamp == "")
        except planner.SemanticsError as error:
            proposal = planner.Semantics()
            problems.append(str(error))
        in_force, base = layer.semantics, layer.version
        known = {item.key for item in planner.items_of(in_force)}
        return LayerView(
            source=source,
            in_force=in_force,
            base=base,
            from_file=base is None and layer.stamp != "",
            proposed=tuple(i for i in planner.items_of(proposal) if i.key not in known),
            proposal=proposal,
            versions=self._layers.versions(source),
            problem=problems[0] if problems else None,
        )

    def confirm(
        self, source: str, text: str, caller: Caller, *, base: int | None, note: str = ""
    ) -> SemanticVersion:
        """Puts a layer into force; the next question is read by it.

        `base` is the number of the version in force as it was shown to this admin.

        Raises:
            ConfigurationError: the text cannot be used; each sentence says what to mend.
            Illegal: something else was confirmed meanwhile, or this is in force already.
            Refused: not an admin, or an agent.
            audit.AuditError: it cannot be recorded, so nothing was confirmed.
        """
        caller = self._admin(caller)
        whole = planner.write_semantics(self.checked(source, text))
        with self._store.write() as conn:
            head = semantics.head(conn, source)
            if (head.id if head else None) != base:
                raise Illegal(
                    "Another admin has confirmed a layer since this was shown. Look again."
                )
            made = semantics.confirm(
                conn,
                source,
                whole,
                by=caller.principal.id,
                note=note.strip()[:_LONGEST_NOTE],
                now=self._store.now(),
            )
            if head is not None and head.sha256 == made.sha256:
                raise Illegal("This layer is in force already; there is nothing to confirm.")
            self._record(caller, made, head.sha256 if head else None)
        return made

    def roll_back(
        self, source: str, version: int, caller: Caller, *, base: int | None
    ) -> SemanticVersion:
        """Puts an older version of the source into force again, as a new one.

        Raises:
            Illegal: there is no such version of it.
            ConfigurationError, Refused, audit.AuditError: as for `confirm`.
        """
        with self._store.read() as conn:
            found = semantics.get(conn, version)
        if found is None or found.source != source:
            raise Illegal(f"There is no version {version} of the layer of {source}.")
        note = f"Back to version {version}."
        return self.confirm(source, found.text, caller, base=base, note=note)

    def checked(self, source: str, text: str) -> planner.Semantics:
        """Returns the layer in a text, confirmed, if it can be used with the source.

        Raises:
            ConfigurationError: it cannot; each sentence says what to mend.
            guard.GuardError: the source cannot be read.
        """
        if len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
            raise ConfigurationError(f"A layer has at most {MOST_BYTES:,} bytes of text.")
        try:
            found = planner.parse_semantics(text, "The text")
        except planner.SemanticsError as error:
            raise ConfigurationError(str(error)) from error
        catalog, prose = self._catalog(source)
        wrong = planner.problems(found, catalog, prose)
        if wrong:
            more = f" And {len(wrong) - _SHOWN} more." if len(wrong) > _SHOWN else ""
            raise ConfigurationError(" ".join(wrong[:_SHOWN]) + more)
        return found.model_copy(update={"confirmed": True})

    def _proposal(self, source: str, *, fresh: bool) -> planner.Semantics:
        """What was proposed at connect time; else, for a source without a layer, from its schema.

        No key is guessed there, because nobody has looked whether its values fit.
        """
        proposed = self._layers.proposed(source)
        if proposed is not None or not fresh:
            return proposed or planner.Semantics()
        catalog, _ = self._catalog(source)
        return planner.propose_semantics(catalog, planner.Evidence(contained=()))

    def _admin(self, caller: Caller) -> Caller:
        person = self._look_up(caller.principal.id)
        if person is None:
            raise _refused("person.disabled", "This account may not act any more. Ask an admin.")
        if caller.channel == "agent":
            raise _refused("semantics.agent", "An agent never says what words mean.")
        if "admin" not in person.roles:
            raise _refused("semantics.role", "Confirming what words mean needs the admin role.")
        return caller.acting_as(person)

    def _record(self, caller: Caller, made: SemanticVersion, before: str | None) -> None:
        count = len(planner.items_of(planner.parse_semantics(made.text, "The text")))
        summary = f"Confirmed {count} items of what words mean in {made.source}, version {made.id}"
        self._log.append(
            AuditEvent(
                type="config.changed",
                actor=caller.actor(),
                outcome="success",
                summary=shorten(summary),
                request=caller.request,
                parts=(
                    ConfigFacts(
                        kind="semantics",
                        name=made.source,
                        change="confirmed",
                        before_sha256=before,
                        after_sha256=made.sha256,
                    ),
                ),
            )
        )


def _refused(rule: str, reason: str) -> Refused:
    return Refused(Refusal(rule=rule, reason=reason))
