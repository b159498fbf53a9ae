"""Glyphs drawn again by other means: which, and how, in a file beside the recipe, so that it is repeatable.

The file is part of the project, as the overrides are: whoever builds the recipe gets the same glyphs.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import Field, ValidationError

from fontgen.canvas import Canvas
from fontgen.errors import CheckpointError, RecipeError, codepoint_name
from fontgen.files import read_json, write_json
from fontgen.settings import Settings

_FORMAT = "fontgen-redo"


class Means(Settings):
    """How one glyph is drawn, where that is not as the recipe says."""

    passes: int = Field(ge=1, le=9)
    """Drawings from slightly shifted sources, of which the mean is taken."""
    shift_em: tuple[float, float] = (0.0, 0.0)
    """How far down and right the source is moved before it is drawn, and the drawing back."""
    checkpoint: str | None = None
    """Another checkpoint, relative to the file of redone glyphs."""
    attempt: int = Field(default=1, ge=1)
    """How often the glyph was asked for again."""

    def shift_px(self, canvas: Canvas) -> tuple[int, int]:
        """(rows, columns) in whole pixels, so that moving and moving back loses nothing."""
        rows, columns = (round(part * canvas.px_per_em) for part in self.shift_em)
        return rows, columns


_STEP_EM = 1 / 64
_LADDER = (
    (5, (0.0, 0.0)),
    (9, (0.0, 0.0)),
    (9, (_STEP_EM, _STEP_EM)),
    (9, (-_STEP_EM, -_STEP_EM)),
    (9, (_STEP_EM, -_STEP_EM)),
    (9, (-_STEP_EM, _STEP_EM)),
)
"""(passes, shift) of the first attempt, the second, and so on; those that are no change are left out."""


@dataclass(frozen=True)
class RedoFile:
    """The glyphs of a project that are drawn by other means."""

    path: Path
    glyphs: dict[int, Means]

    @classmethod
    def open(cls, path: Path) -> RedoFile:
        """Read it; without a file nothing is redone. Raises RecipeError."""
        if not path.exists():
            return cls(path, {})
        data = read_json(path)
        try:
            if data["format"] != _FORMAT:
                raise ValueError("another format")
            glyphs = {int(name[2:], 16): Means.model_validate(record) for name, record in data["glyphs"].items()}
        except (LookupError, TypeError, ValueError, AttributeError, ValidationError) as error:
            raise RecipeError(
                f"{path}: not a file of redone glyphs ({str(error).splitlines()[0]}); remove it and run redo again"
            ) from error
        return cls(path, glyphs)

    def checkpoint(self, means: Means) -> Path | None:
        """The other checkpoint of some means. Raises CheckpointError when it is gone."""
        if means.checkpoint is None:
            return None
        path = self.path.parent / means.checkpoint
        if not path.is_file():
            raise CheckpointError(f"{self.path}: no such checkpoint: {path}; bring it back, or redo --reset its glyphs")
        return path

    def save(self) -> None:
        """Write it, or remove it when nothing is left in it."""
        if not self.glyphs:
            self.path.unlink(missing_ok=True)
            return
        records = {
            codepoint_name(c): means.model_dump(mode="json", exclude_defaults=True) | {"attempt": means.attempt}
            for c, means in self.glyphs.items()
        }
        write_json(self.path, {"format": _FORMAT, "version": 1, "glyphs": records})

    def with_attempt(
        self, codepoints: Iterable[int], *, recipe_passes: int, passes: int | None, checkpoint: Path | None
    ) -> RedoFile:
        """The next attempt at each glyph: what the user says, or the next rung that differs from the recipe."""
        rungs = [(count, shift) for count, shift in _LADDER if count > recipe_passes or shift != (0.0, 0.0)]
        named = Path(os.path.relpath(checkpoint, self.path.parent)).as_posix() if checkpoint else None
        glyphs = dict(self.glyphs)
        for codepoint in codepoints:
            attempt = glyphs[codepoint].attempt + 1 if codepoint in glyphs else 1
            count, shift = rungs[(attempt - 1) % len(rungs)]
            if passes is not None:
                count, shift = passes, (0.0, 0.0)
            glyphs[codepoint] = Means(passes=count, shift_em=shift, checkpoint=named, attempt=attempt)
        return replace(self, glyphs=glyphs)
