"""Labels: names of columns and keys of objects. A pivot or a histogram has its values there."""

from __future__ import annotations

import re
from typing import Final

from redaction import masks
from redaction.cells import Context
from redaction.detect import decode, person
from redaction.detect.spans import covers, replace, resolve
from redaction.entities import ENCODED, LOCATION, PERSON

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z_\-]{0,48}")


def masked_label(label: str, context: Context) -> tuple[str, str] | None:
    """Returns a label with what is personal in it masked, and the entity; None when it may stay."""
    if _PLAIN.fullmatch(label) or not label.strip():
        return None
    rules = [r for r in context.tools.rules if r.entity != LOCATION]
    found = resolve((s for r in rules for s in r.find_in_prose(label)), label)
    if found:
        return replace(label, found, context.mask), covers(found, label) or found[0].entity
    if " " in label.strip() and person.read(label).certain >= 2:
        return masks.token(PERSON), PERSON
    plains = [plain for _, plain in decode.decodings(label)]
    if any(s for plain in plains for r in rules for s in r.find_in_prose(plain)):
        return masks.token(ENCODED), ENCODED
    return None
