"""Internet and hardware addresses."""

from __future__ import annotations

import ipaddress
from typing import Final

from redaction.detect.rule import Rule
from redaction.entities import IP_ADDRESS, MAC_ADDRESS
from redaction.lists import phrases

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_NOT_AN_ADDRESS: Final = phrases("vocabulary", "version words")


def _of_a_host(value: str) -> bool:
    text = value.partition("/")[0].partition("%")[0]
    if text.count(".") == 3:
        text = text.partition(":")[0] if text.count(":") <= 1 else text
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or str(address) == "255.255.255.255")


def _v6(value: str) -> bool:
    groups = [g for g in value.partition("%")[0].split(":") if g]
    return len(groups) >= 3 and _of_a_host(value)


def _some_hardware(value: str) -> bool:
    return len(set(value.lower()) - set(":-.")) > 2


RULES: Final = (
    Rule(
        name="ipv4",
        entity=IP_ADDRESS,
        body=rf"{_OCTET}(?:\.{_OCTET}){{3}}(?::[0-9]{{1,5}})?(?:/[0-9]{{1,2}})?",
        accept=_of_a_host,
        before=r"[A-Za-z0-9_.\-]",
        after=r"[.\-]?[A-Za-z0-9_]",
        unless=_NOT_AN_ADDRESS,
    ),
    Rule(
        name="ipv6",
        entity=IP_ADDRESS,
        body=(
            r"(?:[0-9A-Fa-f]{0,4}:){2,7}(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f]{0,4})"
            r"(?:%[0-9A-Za-z]{1,16})?"
        ),
        accept=_v6,
        before=r"[A-Za-z0-9_:.]",
        after=r"[A-Za-z0-9_:]",
    ),
    Rule(
        name="mac",
        entity=MAC_ADDRESS,
        body=r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{2}-){5}[0-9A-Fa-f]{2}",
        accept=_some_hardware,
        before=r"[A-Za-z0-9_:\-]",
        after=r"[:\-]?[A-Za-z0-9_]",
    ),
    Rule(
        name="mac_dotted",
        entity=MAC_ADDRESS,
        body=r"[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}",
        accept=lambda v: _some_hardware(v) and any(c in "abcdefABCDEF" for c in v),
        before=r"[A-Za-z0-9_.]",
        after=r"[.]?[A-Za-z0-9_]",
    ),
)
