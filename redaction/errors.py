"""What the redaction raises.

RedactionError
└── (no subclasses: there is one thing a caller can do)
"""

from __future__ import annotations


class RedactionError(Exception):
    """A value could not be looked at or masked, so nothing may be shown.

    The message names the step and never carries a value. A caller MUST show no rows, no text and no
    part of the input when this is raised.
    """
