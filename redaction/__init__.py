"""Removes personal data from values and text. Knows no policy: it is told what is tagged.

`redact_table` and `redact_text` are the doors for what leaves; both raise `RedactionError` rather
than let a value through. Presidio is imported at the first redaction, or by `warm_up`.
"""

from redaction.detect.presidio import configure, language_model, warm_up
from redaction.entities import Sink
from redaction.errors import RedactionError
from redaction.key import SessionKey
from redaction.masks import mask_tokens
from redaction.suggest import Suggestion, suggest_tag
from redaction.table import Redacted, redact_table
from redaction.text import redact_text
from redaction.values import redact_lines, redact_values
from redaction.verdict import Basis, ColumnReport, ColumnVerdict

__all__ = [
    "Basis",
    "ColumnReport",
    "ColumnVerdict",
    "Redacted",
    "RedactionError",
    "SessionKey",
    "Sink",
    "Suggestion",
    "configure",
    "language_model",
    "mask_tokens",
    "redact_lines",
    "redact_table",
    "redact_text",
    "redact_values",
    "suggest_tag",
    "warm_up",
]
