"""What every block of the policy file has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Block(BaseModel):
    """A part of the file. Unknown keys are refused: a misspelt rule must not silently do nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
