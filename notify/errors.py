"""What this package raises."""

from __future__ import annotations


class NotSent(Exception):
    """A notice did not arrive. The message is ours: it holds neither an address nor an answer."""
