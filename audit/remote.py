"""Anchors to other machines over HTTP: a signed webhook, and objects in an S3-style store.

Redirects are not followed: an anchor goes where it was told to go, or it has failed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import re
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

from audit.checkpoint import origin_of
from audit.encoding import canonical
from audit.sinks import Anchor

_TIMEOUT_S: Final = 10.0
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class WebhookSink:
    """Posts the newest anchor as JSON, signed with a shared secret.

    `Gatehouse-Signature: t=UNIX,v1=HEX`, where HEX is HMAC-SHA-256 of `UNIX.BODY`. A receiver
    refuses what is older than a few minutes.
    """

    def __init__(self, url: str, secret: str, name: str = "webhook") -> None:
        """Raises ValueError when `url` is neither https nor on this machine, or a part is empty."""
        self.name = name
        self._url = _address(url)
        self._secret = secret.encode()
        if not secret:
            raise ValueError("a webhook needs a secret to sign with")

    def send(self, anchors: Sequence[Anchor]) -> None:
        """See `Sink.send`."""
        newest = anchors[-1]
        body = canonical({"logged": newest.logged, "note": newest.note, "size": newest.size})
        moment = str(int(time.time()))
        mac = hmac.digest(self._secret, f"{moment}.{body}".encode(), "sha256").hex()
        headers = {
            "Content-Type": "application/json",
            "Gatehouse-Signature": f"t={moment},v1={mac}",
        }
        _request("POST", self._url, self._url.path or "/", headers, body.encode())


@dataclass(frozen=True, kw_only=True)
class S3Access:
    """What signs requests to an S3-style store. Secret."""

    region: str
    access_key: str
    secret_key: str


class S3Sink:
    """Puts the newest anchor as an object of its own, best under a bucket with object lock.

    `url` names the bucket in path style and a prefix: `https://s3.eu-central-1.amazonaws.com/b/p`.
    Signed with AWS Signature Version 4, the payload included.
    https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
    """

    def __init__(
        self, url: str, access: S3Access, name: str = "s3", lock_days: int | None = None
    ) -> None:
        """With `lock_days` nobody can remove or change an object for that long.

        Raises:
            ValueError: `url` is neither https nor on this machine.
        """
        self._lock_days = lock_days
        self.name = name
        self._url = _address(url)
        self._access = access

    def send(self, anchors: Sequence[Anchor]) -> None:
        """See `Sink.send`."""
        newest = anchors[-1]
        path = f"{self._url.path.rstrip('/')}/{quote(object_name(newest), safe='/-_.~')}"
        body = f"{newest.line}\n".encode()
        now, others = datetime.now(UTC), {}
        if self._lock_days is not None:
            until = now + timedelta(days=self._lock_days)
            digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
            others = {
                "x-amz-checksum-sha256": digest,
                "x-amz-object-lock-mode": "COMPLIANCE",
                "x-amz-object-lock-retain-until-date": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        headers = signed_headers("PUT", self._url.netloc, path, body, self._access, now, others)
        _request("PUT", self._url, path, headers, body)


def object_name(anchor: Anchor) -> str:
    """Returns the name of an anchor as a file or object: one a size, in order."""
    return f"{re.sub('[^A-Za-z0-9._-]', '_', origin_of(anchor.note))}/{anchor.size:016d}.json"


def signed_headers(
    method: str,
    host: str,
    path: str,
    body: bytes,
    access: S3Access,
    now: datetime,
    others: Mapping[str, str],
) -> Mapping[str, str]:
    """Returns the headers of a signed request, `others` among them, whose names are lower case.

    `path` is encoded and has no query.
    """
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    digest = hashlib.sha256(body).hexdigest()
    own = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": stamp}
    signed = dict(sorted({**others, **own}.items()))
    names = ";".join(signed)
    lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
    request = f"{method}\n{path}\n\n{lines}\n{names}\n{digest}"
    scope = f"{day}/{access.region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{access.secret_key}".encode()
    for part in (day, access.region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    mac = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"Credential={access.access_key}/{scope}"
    authorization = f"AWS4-HMAC-SHA256 {credential},SignedHeaders={names},Signature={mac}"
    return {**signed, "authorization": authorization}


def _address(url: str) -> SplitResult:
    parts = urlsplit(url)
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if (parts.scheme != "https" and not local) or not parts.hostname or parts.username:
        raise ValueError("an anchor goes to an https address without a name or password in it")
    if parts.query or parts.fragment:
        raise ValueError("the address of an anchor has no query")
    return parts


def _request(
    method: str, url: SplitResult, path: str, headers: Mapping[str, str], body: bytes
) -> None:
    connection: http.client.HTTPConnection
    host = url.hostname or ""
    if url.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(
            host, url.port, timeout=_TIMEOUT_S, context=context
        )
    else:
        connection = http.client.HTTPConnection(host, url.port, timeout=_TIMEOUT_S)
    try:
        connection.request(method, path, body, dict(headers))
        status = connection.getresponse().status
    finally:
        connection.close()
    if not 200 <= status < 300:
        raise OSError(f"status {status}")
