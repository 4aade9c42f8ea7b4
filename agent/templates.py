"""The query templates of the policy as tools: the gate says which there are and runs them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel
from pydantic_ai import RunContext
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.toolsets import AbstractToolset, ToolsetTool

from agent.deps import Deps
from agent.journal import StepKind
from agent.tools import Json
from guard import Result, Template

_RETRIES = 2
_EFFECT = "effect"
_PROPOSES = "It changes nothing: it proposes a change that another person decides on."


class TemplateToolset(AbstractToolset[Deps]):
    """Offers the templates that the person of the turn may use; asked anew before each request."""

    @property
    def id(self) -> str:
        """The name of this set of tools."""
        return "templates"

    async def get_tools(self, ctx: RunContext[Deps]) -> dict[str, ToolsetTool[Deps]]:
        """Returns the templates, with the schema and the check of their arguments."""
        deps = ctx.deps
        found = deps.gate.templates(deps.source, deps.caller)
        return {template.name: self._tool(template) for template in found}

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[Deps], tool: ToolsetTool[Deps]
    ) -> Json:
        """Returns the result of the gate, or what became of the proposal."""
        del tool
        deps = ctx.deps
        # In a thread, so that the run can be stopped and its time measured meanwhile.
        given = await asyncio.to_thread(
            deps.gate.use,
            name,
            tool_args,
            source=deps.source,
            caller=deps.caller,
            why=f"Template {name}",
            call_id=f"{deps.journal.turn}/{ctx.tool_call_id}",
            cancel=deps.cancel,
        )
        if isinstance(given, Result):
            return {"result": given}
        return {"change": given.change, "state": given.state, "rows": given.rows}

    def _tool(self, template: Template) -> ToolsetTool[Deps]:
        settings = template.settings
        said = settings.description
        return ToolsetTool(
            toolset=self,
            max_retries=_RETRIES,
            tool_def=ToolDefinition(
                name=template.name,
                description=said if settings.effect == "read" else f"{said} {_PROPOSES}",
                parameters_json_schema=template.schema(),
                metadata={_EFFECT: settings.effect},
            ),
            args_validator=_Validator(template.arguments),
        )


def kind_of(tool: ToolsetTool[Deps]) -> StepKind:
    """Returns what the call of a template is journalled as."""
    metadata = tool.tool_def.metadata or {}
    return "query" if metadata.get(_EFFECT) == "read" else "proposal"


class _Validator:
    """Checks the arguments of a call and gives them back as plain JSON values, to be journalled.

    Unlike a model's own validator it takes no partial input.
    """

    def __init__(self, model: type[BaseModel]) -> None:
        self._model = model

    def validate_json(
        self,
        input: str | bytes | bytearray,
        *,
        allow_partial: bool | Literal["off", "on", "trailing-strings"] = False,
        **_: object,
    ) -> Mapping[str, object]:
        """Returns the arguments in a JSON text. Raises `ValidationError`."""
        del allow_partial
        return self._model.model_validate_json(input or b"{}").model_dump(mode="json")

    def validate_python(
        self,
        input: object,
        *,
        allow_partial: bool | Literal["off", "on", "trailing-strings"] = False,
        **_: object,
    ) -> Mapping[str, object]:
        """Returns the arguments in a mapping. Raises `ValidationError`."""
        del allow_partial
        return self._model.model_validate({} if input is None else input).model_dump(mode="json")
