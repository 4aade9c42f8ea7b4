"""A key for what is known by being the very same thing, as a catalog or one of its tables is.

Comparing catalogs by what they hold would cost more than what is kept by them.
"""

from __future__ import annotations

from typing import Generic, TypeVar

_T = TypeVar("_T")


class Same(Generic[_T]):
    """Equal to another only where both hold the same object, which it keeps alive."""

    __slots__ = ("it",)

    def __init__(self, it: _T) -> None:
        self.it = it

    def __hash__(self) -> int:
        """Returns where the object is; no other can be there while this one lives."""
        return id(self.it)

    def __eq__(self, other: object) -> bool:
        """True for the same object and for no other, however alike."""
        return isinstance(other, Same) and self.it is other.it
