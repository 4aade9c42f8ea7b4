"""What a run of the agent may use: the `[agent]` and `[models]` parts of the policy file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from guard.limitpolicy import Positive

_Price = Annotated[int, Field(ge=0)]
_MILLION = 1_000_000


class ModelPrice(BaseModel):
    """What a model costs per 1,000,000 tokens, in millionths of the policy's `currency`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input_price: _Price
    output_price: _Price

    def of(self, input_tokens: int, output_tokens: int) -> int:
        """Returns what so many tokens cost, in millionths of the currency, rounded up."""
        return -(-(input_tokens * self.input_price + output_tokens * self.output_price) // _MILLION)


class AgentPolicy(BaseModel):
    """Caps on one run of the agent, and budgets of everybody together for hosted models.

    A key without a value is no limit. What one person and one question may use stands with the
    other limits.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    unknown_price: Literal["refuse", "tokens_only"] = "refuse"
    """What becomes of a request to a model without a price in `[models]`: nothing is sent, or its
    tokens are counted and its cost is not."""
    max_requests: Annotated[int, Field(gt=0, le=50)] = 8
    """Requests to the model for one question; a run that needs more is halted."""
    max_seconds: Annotated[int, Field(gt=0, le=3_600)] = 300
    """How long one question may take; a run that takes longer is halted."""
    max_output_tokens: Annotated[int, Field(gt=0, le=1_000_000)] = 4_096
    """Tokens a model may answer one request with; the worst case that is reserved."""
    fallback: Literal["offline", "none"] = "offline"
    """Whether the planner answers, and says so, where the model cannot be reached."""
    tokens_per_day: Positive | None = None
    """Tokens all people together may use in a day."""
    tokens_per_month: Positive | None = None
    """Tokens all people together may use in a month."""
    cost_per_day: Positive | None = None
    """What the models may cost in a day, for all people together."""
    cost_per_month: Positive | None = None
    """What the models may cost in a month, for all people together."""
