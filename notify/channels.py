"""The two ways out: Apprise for people, signed JSON for systems."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from guard.noticepolicy import Call, Target
from guard.notices import Value
from notify import http, signing, templates
from notify.errors import NotSent

Fields = Mapping[str, Value]
_TITLES: Mapping[str, str] = {
    "new": "A change waits for review",
    "decided": "A change was decided on",
    "expired": "A change has expired",
    "drifted": "A change is back in review: its rows have changed",
    "reminder": "A change still waits for review",
}


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """Reads a target's secrets from the environment by the names in the policy."""

    environment: Mapping[str, str]

    def get(self, name: str | None) -> str:
        """Returns the secret.

        Raises:
            NotSent: the variable is not set; the message names it.
        """
        value = self.environment.get(name or "", "")
        if not value:
            raise NotSent(f"The environment variable {name} is not set.")
        return value


def post(target: Target, fields: Fields, secrets: Secrets, remember: Callable[[str], None]) -> None:
    """Makes the target's calls for this event; `remember` gets what the target made, if asked for.

    Raises:
        NotSent: a call did not succeed. Those before it did and will be made again.
    """
    calls = [c for c in target.calls if fields["event"] in c.events]
    if not target.calls:
        _call(target, "POST", "", templates.encoded(fields), fields, secrets)
        return
    for call in calls:
        _made(target, call, fields, secrets, remember)


def _made(
    target: Target, call: Call, fields: Fields, secrets: Secrets, remember: Callable[[str], None]
) -> None:
    path, body = templates.path_of(call, fields), templates.body_of(call, fields)
    answer = _call(target, call.method, path, body, fields, secrets)
    if call.remember is not None:
        remember(templates.reference_in(answer, call.remember))


def _call(
    target: Target, method: str, path: str, body: bytes, fields: Fields, secrets: Secrets
) -> bytes:
    notice = str(fields["key"])
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Gatehouse",
        signing.IDEMPOTENCY: notice,
    }
    if target.signing_secret is not None:
        now, key = int(time.time()), secrets.get(target.signing_secret).encode()
        signed = signing.signature(key, timestamp=now, notice=notice, body=body)
        headers |= {signing.TIMESTAMP: str(now), signing.SIGNATURE: signed}
    if target.authorization_secret is not None:
        headers["Authorization"] = secrets.get(target.authorization_secret)
    return http.send(secrets.get(target.url_secret), path, method, headers, body)


def tell(target: Target, fields: Fields, secrets: Secrets) -> None:
    """Sends a short text over Apprise.

    Raises:
        NotSent: Apprise is not installed, does not know the address, or could not deliver.
    """
    try:
        import apprise
    except ImportError as error:
        raise NotSent("Apprise is not installed. Run: pip install 'gatehouse[notify]'.") from error
    service = apprise.Apprise()
    if not service.add(secrets.get(target.url_secret)):
        raise NotSent("Apprise does not know this kind of address.")
    title, text = said(fields)
    try:
        arrived = service.notify(title=title, body=text, body_format=apprise.NotifyFormat.TEXT)
    except Exception as error:  # a plugin of Apprise: its message may quote the address
        raise NotSent(f"Apprise could not send it ({type(error).__name__}).") from None
    if not arrived:
        raise NotSent("Apprise could not deliver it.")


def said(fields: Fields) -> tuple[str, str]:
    """Returns the title and text for people."""
    rows = fields["rows"]
    what = f"{rows:,} {'row' if rows == 1 else 'rows'}" if isinstance(rows, int) else ""
    where = f" in {fields['tables']}" if fields.get("tables") else ""
    lines = [
        f"Request #{fields['id']} on {fields['source']} ({fields['environment']}): {what}{where}.",
        f"Tier {fields['tier']}, now {fields['state']}.",
    ]
    if fields.get("link"):
        lines.append(f"Decide in the console: {fields['link']}")
    return f"{_TITLES[str(fields['event'])]} (#{fields['id']})", "\n".join(lines)
