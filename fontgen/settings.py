"""The base of every settings table: declared once, frozen, unknown keys refused."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationInfo


class Settings(BaseModel):
    """A table of a recipe. Each owner (trainer, tracer, ...) declares its own beside its code."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def _absolute(value: Any, info: ValidationInfo) -> Any:
    folder = (info.context or {}).get("folder")
    if isinstance(value, str) and folder is not None:
        return (Path(folder) / value).resolve()
    return value


RecipePath = Annotated[Path, BeforeValidator(_absolute)]
"""A path written relative to the recipe's folder, absolute once read."""
