"""A moderation service over HTTP: one POST of a redacted text, the names of what it finds back."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from agent.content import UNKNOWN, Moderation, Where
from guard import ConfigurationError

_TIMEOUT_S = 5.0
_MOST_BYTES = 65_536
_MOST_TEXT = 20_000
_MOST_SIGNALS = 10
_NAME = re.compile(r"[^a-z0-9_ -]+")
_LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})


class HttpModeration:
    """Asks `POST url` with `{"text", "where"}` and reads `{"flags": [names]}`."""

    def __init__(self, url: str) -> None:
        """Raises `ValueError` for an address that is not https, or http on this machine."""
        parts = urlsplit(url)
        if not parts.hostname or parts.scheme not in ("http", "https"):
            raise ValueError("write it as https://HOST/PATH")
        if parts.scheme == "http" and parts.hostname not in _LOCAL:
            raise ValueError("texts leave this machine over https only")
        self._host, self._port = parts.hostname, parts.port
        self._secure = parts.scheme == "https"
        self._path = parts.path or "/"

    def signals(self, text: str, where: Where) -> tuple[str, ...]:
        """Returns what the service finds; `UNKNOWN` where it gives no usable answer in time."""
        try:
            found = self._asked(json.dumps({"text": text[:_MOST_TEXT], "where": where}))
        except (OSError, http.client.HTTPException, ValueError):
            return (UNKNOWN,)
        flags = found.get("flags") if isinstance(found, dict) else None
        if not isinstance(flags, list):
            return (UNKNOWN,)
        names = (_NAME.sub("", str(flag).casefold())[:40].strip() for flag in flags)
        return tuple(dict.fromkeys(name for name in names if name))[:_MOST_SIGNALS]

    def _asked(self, body: str) -> object:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=_TIMEOUT_S)
        try:
            connection.request(
                "POST", self._path, body.encode(), {"Content-Type": "application/json"}
            )
            answer = connection.getresponse()
            if answer.status != 200:
                raise ValueError("not answered")
            return json.loads(answer.read(_MOST_BYTES))
        finally:
            connection.close()


def moderation_of(environment: Mapping[str, str]) -> Moderation | None:
    """Returns the service that `GATEHOUSE_MODERATION_URL` names, None without it.

    Raises:
        ConfigurationError: it is no address of a service.
    """
    url = environment.get("GATEHOUSE_MODERATION_URL")
    if not url:
        return None
    try:
        return HttpModeration(url)
    except ValueError as error:
        raise ConfigurationError(f"GATEHOUSE_MODERATION_URL: {error}") from None
