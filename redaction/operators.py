"""Our masks as Presidio anonymizer operators. Importing this module imports Presidio.

Each takes `key` (a SessionKey) and `trust` among its parameters; Presidio adds `entity_type`. A
program that uses Presidio's AnonymizerEngine itself can add them with `add_anonymizer`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final, cast

from presidio_anonymizer import AnonymizerEngine
from presidio_anonymizer.entities import OperatorConfig
from presidio_anonymizer.operators import Operator, OperatorType

from redaction import masks
from redaction.entities import MASKED, Sink
from redaction.key import SessionKey
from redaction.masks import Mask, Trust

_PREFIX: Final = "gatehouse_"


class MaskOperator(Operator):
    """Base of our operators: one mask each, applied by `redaction.masks`."""

    mask: ClassVar[Mask] = "token"

    def operate(self, text: str, params: dict[str, object] | None = None) -> str:
        """Returns what stands in place of `text`."""
        given = params or {}
        key = given.get("key")
        if not isinstance(key, SessionKey):
            raise ValueError("The operator needs a SessionKey as its parameter key.")
        trust = cast(Trust, given.get("trust", "found"))
        return masks.apply(self.mask, text, str(given.get("entity_type", MASKED)), key, trust)

    def validate(self, params: dict[str, object] | None = None) -> None:
        """Refuses parameters without a key.

        Raises:
            ValueError: There is no SessionKey under `key`.
        """
        if not isinstance((params or {}).get("key"), SessionKey):
            raise ValueError("The operator needs a SessionKey as its parameter key.")

    def operator_name(self) -> str:
        """Returns the name the operator is configured by."""
        return _PREFIX + self.mask

    def operator_type(self) -> OperatorType:
        """Returns the kind of operator: it hides and cannot be undone."""
        return OperatorType.Anonymize


class TokenOperator(MaskOperator):
    """`<EMAIL_ADDRESS>`."""

    mask = "token"


class PseudonymOperator(MaskOperator):
    """`person_3k7d2m9x`, the same for equal values under one key."""

    mask = "pseudonym"


class LastFourOperator(MaskOperator):
    """`••••4242`, for numbers of eight digits or more."""

    mask = "last_four"


class YearOperator(MaskOperator):
    """The year of a date."""

    mask = "year"


class BandOperator(MaskOperator):
    """Five years around a date, such as `1990-1994`."""

    mask = "band"


class PrefixOperator(MaskOperator):
    """The network part of an IP address or the maker part of a hardware address."""

    mask = "prefix"


OPERATORS: Final[tuple[type[MaskOperator], ...]] = (
    TokenOperator,
    PseudonymOperator,
    LastFourOperator,
    YearOperator,
    BandOperator,
    PrefixOperator,
)


def anonymizer() -> AnonymizerEngine:
    """Returns a Presidio engine that knows our operators."""
    engine = AnonymizerEngine()  # type: ignore[no-untyped-call]  # Presidio leaves it bare
    for operator in OPERATORS:
        engine.add_anonymizer(operator)
    return engine


def configs(
    entities: Iterable[str], sink: Sink, key: SessionKey, trust: Trust
) -> dict[str, OperatorConfig]:
    """Returns the operator of each entity at a sink, for Presidio; others get the token."""
    params = {"key": key, "trust": trust}
    chosen = {
        entity: OperatorConfig(_PREFIX + masks.mask_for(entity, sink, trust), params)
        for entity in entities
    }
    return {**chosen, "DEFAULT": OperatorConfig(_PREFIX + "token", params)}
