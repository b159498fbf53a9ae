"""The base of every settings table: declared once, frozen, unknown keys refused."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """A table of a recipe. Each owner (trainer, tracer, ...) declares its own beside its code."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
