"""The signature of a webhook, and how whoever receives it checks that signature.

`X-Gatehouse-Signature: v1=HEX` is the HMAC-SHA256, with the shared key, of the timestamp, a dot,
the idempotency key, a dot, and the bytes of the body. A receiver checks it, refuses a timestamp
that is older than five minutes, and ignores an idempotency key that it has seen: a notice can
arrive twice.
"""

from __future__ import annotations

import hashlib
import hmac

SIGNATURE = "X-Gatehouse-Signature"
TIMESTAMP = "X-Gatehouse-Timestamp"
IDEMPOTENCY = "Idempotency-Key"


def signature(key: bytes, *, timestamp: int, notice: str, body: bytes) -> str:
    """Returns the value of the signature header; `timestamp` in seconds since 1970."""
    signed = f"{timestamp}.{notice}.".encode() + body
    return f"v1={hmac.new(key, signed, hashlib.sha256).hexdigest()}"


def verified(key: bytes, *, timestamp: int, notice: str, body: bytes, given: str) -> bool:
    """True when the signature is that of these bytes; takes the same time whatever it is."""
    expected = signature(key, timestamp=timestamp, notice=notice, body=body)
    return hmac.compare_digest(expected.encode(), given.encode())
