"""How a glyph of a UFO is known that fontgen drew and nobody edited: by a digest in its lib."""

from __future__ import annotations

import hashlib
from typing import Any

DRAWN_KEY = "fontgen.drawn"
"""Key in the lib of a generated glyph, for `drawing_digest` of what was written."""


def drawing_digest(recording: list[tuple[str, tuple[Any, ...], dict[str, Any]]]) -> str:
    """Digest of a drawing given as a RecordingPointPen's value.

    Coordinates, kinds of points and components count; smoothness, names and identifiers, which editors change on their
    own, do not.
    """
    drawn = [[operator, [_exact(argument) for argument in arguments[:2]]] for operator, arguments, _ in recording]
    return hashlib.sha256(repr(drawn).encode()).hexdigest()[:32]


def _exact(argument: Any) -> Any:
    """Numbers as they compare: 3 and 3.0 are one."""
    return [float(value) for value in argument] if isinstance(argument, list | tuple) else argument
