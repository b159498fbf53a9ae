"""The base of every settings table: declared once, frozen, unknown keys refused."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationInfo, field_validator


class Settings(BaseModel):
    """A table of a recipe. Each owner (trainer, tracer, ...) declares its own beside its code."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_text_for_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        """Pydantic takes "20" and true for numbers, "yes" for true; its strict mode does not, nor text for paths."""
        annotation = cls.model_fields[info.field_name or ""].annotation
        kinds = set(get_args(annotation) or (annotation,)) - {type(None)}
        if kinds <= {int, float} and isinstance(value, str | bool):
            raise ValueError(f"give a number, not {value!r}")
        if kinds == {bool} and not isinstance(value, bool):
            raise ValueError(f"give true or false, not {value!r}")
        return value


def _absolute(value: Any, info: ValidationInfo) -> Any:
    folder = (info.context or {}).get("folder")
    if isinstance(value, str) and folder is not None:
        return (Path(folder) / value).resolve()
    return value


RecipePath = Annotated[Path, BeforeValidator(_absolute)]
"""A path written relative to the recipe's folder, absolute once read."""
