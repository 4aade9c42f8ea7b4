"""One HTTPS request to an address an operator has set: no redirect, no proxy, a small answer.

The address comes from an environment variable that the policy names, never from a request, a
statement or a model. Plain HTTP is for this machine only, and addresses that clouds answer with
credentials on are refused.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from notify.errors import NotSent

_TIMEOUT_S = 10.0
_MOST = 1 << 16


def send(url: str, path: str, method: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """Returns the beginning of the answer, at most 64 KiB.

    Raises:
        NotSent: the address cannot be used, it did not answer in time, or not with 2xx.
    """
    parts = _checked(url)
    target = f"{parts.path.rstrip('/')}{path}" or "/"
    if parts.query and "?" not in target:
        target = f"{target}?{parts.query}"
    connection = _connection(parts)
    try:
        connection.request(method, target, body=body, headers=dict(headers))
        answer = connection.getresponse()
        text = answer.read(_MOST)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NotSent(f"It could not be reached ({type(error).__name__}).") from None
    finally:
        connection.close()
    if not 200 <= answer.status < 300:
        raise NotSent(f"It answered {answer.status}.")
    return text


def _checked(url: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise NotSent("Its address is not a URL.") from None
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or parts.username or parts.fragment:
        raise NotSent("Its address must be https://HOST/... without a login in it.")
    for address in _addresses(host, port or (443 if parts.scheme == "https" else 80)):
        if address.is_link_local or address.is_multicast or address.is_unspecified:
            raise NotSent("Its address is one that no notice is sent to.")
        if parts.scheme == "http" and not address.is_loopback:
            raise NotSent("Its address must begin with https://.")
    return parts


def _addresses(host: str, port: int) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, ...]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotSent("Its host is not known.") from None
    return tuple(ipaddress.ip_address(str(f[4][0]).partition("%")[0]) for f in found)


def _connection(parts: SplitResult) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, parts.port, timeout=_TIMEOUT_S)
    context = ssl.create_default_context()
    return http.client.HTTPSConnection(host, parts.port, timeout=_TIMEOUT_S, context=context)
