"""Removes personal data from values and text. Knows no policy: it is told what is tagged.

`redact_table` and `redact_text` are the doors for what leaves; both raise `RedactionError` rather
than let a value through. Presidio is imported at the first redaction, or by `warm_up`.
"""

from redaction.detect.presidio import configure, configure_from, language_model, warm_up
from redaction.entities import ENCODED, FREE_TEXT, SECRET, Sink, canonical
from redaction.errors import RedactionError
from redaction.key import NotingKey, SessionKey
from redaction.lexicon import names_secret
from redaction.masks import count_masks, is_pseudonym, mask_tokens
from redaction.suggest import Suggestion, suggest_tag
from redaction.table import Redacted, redact_table
from redaction.text import redact_text
from redaction.values import redact_lines, redact_values
from redaction.verdict import Basis, ColumnReport, ColumnVerdict

__all__ = [
    "ENCODED",
    "FREE_TEXT",
    "SECRET",
    "Basis",
    "ColumnReport",
    "ColumnVerdict",
    "NotingKey",
    "Redacted",
    "RedactionError",
    "SessionKey",
    "Sink",
    "Suggestion",
    "canonical",
    "configure",
    "configure_from",
    "count_masks",
    "is_pseudonym",
    "language_model",
    "mask_tokens",
    "names_secret",
    "redact_lines",
    "redact_table",
    "redact_text",
    "redact_values",
    "suggest_tag",
    "warm_up",
]
