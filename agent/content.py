"""Signals that a text tries to give orders to the agent: a hint, never a wall.

What holds is the guard. Detection finds the usual wrappings and misses a polite request in plain
words, so a signal never blocks: it is shown, recorded, and takes the right to propose changes from
the turn. Patterns are read on the text as a reader sees it: compatibility forms folded, invisible
characters removed, letters spelled with digits put back.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Literal, Protocol

from guard import ConfigurationError

Where = Literal["question", "data"]
RULE = "content.flagged"
"""The rule that refuses a proposal in a flagged turn."""
UNKNOWN = "unchecked"
"""The signal of a moderation service that was asked and gave no answer."""
_LONGEST = 500_000
"""Characters that are looked at; a longer text is `UNKNOWN` too."""
_AI = r"(?:ai|llm|assistant|agent|chat ?bot|language model|model)"
_OURS = r"(?:the |all |any |every |these |those |your |my |its )*"

_FAMILIES: Mapping[str, tuple[str, ...]] = {
    "override": (
        rf"\b(?:ignore|disregard|forget|override|bypass|skip) {_OURS}"
        r"(?:previous|prior|above|earlier|preceding|former|other|system|original|safety|given)? ?"
        r"(?:instruction|rule|prompt|direction|guideline|directive|command|polic|restriction)",
    ),
    "new role": (
        r"\byou are (?:now|no longer) ",
        r"\b(?:act|behave|respond|answer) as (?:if you|though you|an? (?:admin|root|developer|"
        r"unrestricted|unfiltered|system|evil|superuser))",
        r"\bpretend (?:to be|that you|you are|you have)",
        r"\brole ?play as",
    ),
    "jailbreak": (
        r"\bjail ?break",
        r"\bdo anything now\b",
        r"\b(?:dan|developer|god|debug|sudo|admin) mode\b",
        r"\bwithout (?:any )?(?:restriction|filter|limitation|censorship)",
        r"\bunfiltered (?:ai|mode)",
    ),
    "prompt": (
        rf"\b(?:reveal|show|print|repeat|output|tell|give|leak|display)\b.{{0,20}}\b{_OURS}"
        r"(?:system|hidden|initial|secret|original) (?:prompt|instruction|message|rule)",
    ),
    "forged turn": (
        r"<\s*/?\s*(?:system|assistant|instructions?|important|admin|data)\b[^<>]{0,40}>",
        r"<\|[a-z_]{2,20}\|>",
        r"\[/?(?:inst|system|assistant)\]",
        r"(?:^|\n)\s*(?:###\s*)?(?:system|assistant|instruction)s?\s*(?:message|prompt|note)?\s*:",
        r"\bbegin (?:system|admin) ",
    ),
    "to the agent": (
        r"\b(?:important|urgent|note|message|instruction)s?\b.{0,20}\b(?:for|to) "
        rf"(?:the |any |all |you,? the )?{_AI}\b",
        rf"\b(?:dear|hey|attention,?) {_AI}\b",
        rf"\bif you are an? {_AI}\b",
        rf"\b{_AI} (?:reading|processing|handling) this\b",
    ),
    "tool": (
        r"\b(?:call|invoke|use|run|execute|trigger) (?:the |your )?(?:tool|function|"
        r"propose_change|run_query|describe_table|list_tables)\b",
        r"\b(?:auto-?)?approve (?:this|the|my|all|every|it|its own) ?(?:change|request|proposal|"
        r"pending)?\b.{0,30}(?:change|request|proposal|now|immediately)",
    ),
    "statement": (
        r"\b(?:run|execute|send|perform|apply|issue)\b.{0,40}\b(?:delete\s+from|drop\s+(?:table|"
        r"database|schema)|truncate|insert\s+into|update\s+\w+\s+set|grant\s+\w+|alter\s+table)\b",
    ),
    "carry out": (
        r"!\[[^\]]{0,80}\]\(\s*https?:",
        r"\b(?:send|post|e-?mail|upload|forward|exfiltrate|leak|transmit)\b.{0,60}\bto\b.{0,30}"
        r"(?:https?://|www\.|[\w.]{1,40}@[\w.]{1,40})",
    ),
    "disarm": (
        r"\b(?:bypass|disable|deactivate|turn off|switch off|circumvent|evade|get around)\b.{0,20}"
        r"\b(?:guard|filter|policy|policies|security|safety|mask|redaction|approval|audit|"
        r"restriction|limit)",
        r"\b(?:decode|base64)\b.{0,30}\b(?:and|then) (?:follow|run|execute|obey|do)\b",
    ),
}
_COMPILED = {name: re.compile("|".join(forms)) for name, forms in _FAMILIES.items()}
_LEET = str.maketrans("013457@$", "oieastas")
_SPACES = re.compile(r"[ \t\r\f\v]+")


class Moderation(Protocol):
    """Another opinion on a text, such as a moderation service. Off unless it is set up."""

    def signals(self, text: str, where: Where) -> tuple[str, ...]:
        """Returns the names of what it finds, none where all is well.

        `text` is redacted already. It MUST come back within seconds and never raise: where it
        cannot tell it returns `UNKNOWN`.
        """
        ...


def signals(text: str) -> tuple[str, ...]:
    """Returns the families of orders found in a text, in a fixed order."""
    plain = _folded(text[:_LONGEST])
    spelled = plain.translate(_LEET)
    found = [
        name
        for name, pattern in _COMPILED.items()
        if pattern.search(plain) or (spelled != plain and pattern.search(spelled))
    ]
    return tuple(found if len(text) <= _LONGEST else [*found, UNKNOWN])


def said_in(value: object) -> str:
    """Returns every text of a JSON value once, names of columns included, a line each."""
    return "\n".join(dict.fromkeys(_texts(value)))


def delimited(result: Mapping[str, object], mark: str) -> str:
    """Returns a tool's result as JSON between marks that nothing inside can write.

    `mark` is made anew for each turn and is not in the data.
    """
    inside = json.dumps(result, ensure_ascii=False, default=str).replace("</", "<\\/")
    return f"<data-{mark}>{inside}</data-{mark}>"


def _folded(text: str) -> str:
    compatible = unicodedata.normalize("NFKC", text)
    seen = "".join(c for c in compatible if unicodedata.category(c) != "Cf")
    return _SPACES.sub(" ", seen.casefold())


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key)
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def moderation_of(environment: Mapping[str, str]) -> Moderation | None:
    """Returns the service that `GATEHOUSE_MODERATION_URL` names, None without it.

    Raises:
        ConfigurationError: it is no address of a service.
    """
    url = environment.get("GATEHOUSE_MODERATION_URL")
    if not url:
        return None
    from agent.moderation import HttpModeration

    try:
        return HttpModeration(url)
    except ValueError as error:
        raise ConfigurationError(f"GATEHOUSE_MODERATION_URL: {error}") from None
