"""Which model answers: `GATEHOUSE_MODEL`. Keys come from the environment and are kept nowhere.

offline                      the planner, no network
anthropic:NAME openai:NAME google:NAME
ollama:NAME                  at OLLAMA_BASE_URL, default http://127.0.0.1:11434/v1
http(s)://HOST/v1#NAME       any server that speaks the OpenAI protocol
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pydantic_ai.models import Model

from agent import offline
from guard import ConfigurationError

_KEYS = {"anthropic": "ANTHROPIC_API_KEY", "openai": "OPENAI_API_KEY", "google": "GOOGLE_API_KEY"}
AnyModel = Model[Any]
"""A model whatever client its provider uses."""
_OLLAMA = "http://127.0.0.1:11434/v1"


@dataclass(frozen=True, kw_only=True)
class ModelChoice:
    """A model as configured. `label` is what the screen says; it never holds a key."""

    provider: str
    name: str
    label: str
    base_url: str | None = None

    @property
    def offline(self) -> bool:
        """True when no model is asked at all."""
        return self.provider == offline.NAME


def choose(setting: str | None) -> ModelChoice:
    """Returns the model that `GATEHOUSE_MODEL` names.

    Raises:
        ConfigurationError: it names none; the message lists the forms.
    """
    value = (setting or offline.NAME).strip()
    if value == offline.NAME:
        return ModelChoice(provider=offline.NAME, name=offline.NAME, label=offline.LABEL)
    if value.startswith(("http://", "https://")):
        url, _, name = value.partition("#")
        if name and urlsplit(url).hostname:
            label = f"{name} at {urlsplit(url).hostname}"
            return ModelChoice(provider="compatible", name=name, label=label, base_url=url)
    provider, _, name = value.partition(":")
    if name and provider in {*_KEYS, "ollama"}:
        return ModelChoice(provider=provider, name=name, label=f"{name} ({provider})")
    raise ConfigurationError(
        f"GATEHOUSE_MODEL is {value!r}. Use offline, anthropic:NAME, openai:NAME, google:NAME, "
        "ollama:NAME or https://HOST/v1#NAME."
    )


def build(choice: ModelChoice, environment: Mapping[str, str]) -> AnyModel:
    """Returns the model, ready to be asked. Not for the offline choice.

    Raises:
        ConfigurationError: a key is not set, or the provider's package is not installed.
    """
    try:
        return _build(choice, environment)
    except ImportError as error:
        raise ConfigurationError(
            f"The package for {choice.provider} is not installed. "
            "Run: pip install 'gatehouse[models]'."
        ) from error


def _build(choice: ModelChoice, environment: Mapping[str, str]) -> AnyModel:
    if choice.provider == "anthropic":
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        return AnthropicModel(
            choice.name, provider=AnthropicProvider(api_key=_key(choice, environment))
        )
    if choice.provider == "google":
        from pydantic_ai.models.google import GoogleModel
        from pydantic_ai.providers.google import GoogleProvider

        return GoogleModel(choice.name, provider=GoogleProvider(api_key=_key(choice, environment)))
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.profiles.openai import OpenAIModelProfile
    from pydantic_ai.providers.openai import OpenAIProvider

    # A stream without its end marker has broken off: half an answer is no answer.
    whole = OpenAIModelProfile(openai_chat_streaming_requires_finish_reason=True)
    if choice.provider == "openai":
        provider = OpenAIProvider(api_key=_key(choice, environment))
    else:
        url = choice.base_url or environment.get("OLLAMA_BASE_URL", _OLLAMA)
        key = environment.get("GATEHOUSE_MODEL_KEY", "none")
        provider = OpenAIProvider(base_url=url, api_key=key)
    return OpenAIChatModel(choice.name, provider=provider, profile=whole)


def _key(choice: ModelChoice, environment: Mapping[str, str]) -> str:
    name = _KEYS[choice.provider]
    value = environment.get(name)
    if not value:
        raise ConfigurationError(
            f"{choice.label} needs the environment variable {name}. Set it and start again, or set "
            "GATEHOUSE_MODEL=offline."
        )
    return value
