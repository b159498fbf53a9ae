"""The sheet of suspects: what the gate doubts, beside its source, with the score and the reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fontgen.errors import codepoint_name
from fontgen.fonts.face import Face
from fontgen.glyphs.render import render_ink
from fontgen.glyphs.store import ImageFolder
from fontgen.proof.sheet import SheetRow, contact_sheet

MOST_SHOWN = 120
"""A sheet of more is no longer looked at; the report has them all."""

_TILE_PX = 152
_DRAWN_PX = 256
Doubt = tuple[float, str]
"""(score, reason) of a suspect."""


def suspect_sheet(
    path: Path,
    doubts: Mapping[int, Doubt],
    folders: Sequence[tuple[str, ImageFolder]],
    font: Face | None = None,
) -> int:
    """Write a PNG of the suspects, worst first, at most MOST_SHOWN; return how many it shows.

    `doubts` is codepoint -> (score, reason). Each row shows the glyph in every one of `folders` (heading, folder), and
    as `font` has it. Without suspects an earlier sheet at `path` is removed, so that none is taken for a new one.
    """
    worst = sorted(doubts, key=lambda codepoint: (doubts[codepoint][0], codepoint))[:MOST_SHOWN]
    if not worst:
        path.unlink(missing_ok=True)
        return 0
    shown = f"the worst {len(worst)} of {len(doubts)}" if len(doubts) > len(worst) else str(len(doubts))
    headings = [heading for heading, _ in folders] + (["in the font"] if font else [])
    rows = _rows(worst, doubts, [folder for _, folder in folders], font)
    return contact_sheet(rows, headings, path, title=f"Suspects: {shown}", tile_px=_TILE_PX, columns=2)


def _rows(
    codepoints: Sequence[int], doubts: Mapping[int, Doubt], folders: Sequence[ImageFolder], font: Face | None
) -> Iterator[SheetRow]:
    for codepoint in codepoints:
        images: list[NDArray[np.uint8] | None] = [
            folder.read(codepoint) if codepoint in folder.files else None for folder in folders
        ]
        if font is not None:
            canvas = folders[0].canvas.resized(max(_DRAWN_PX, folders[0].canvas.size_px))
            images.append(render_ink(font, codepoint, canvas) if codepoint in font.cmap else None)
        score, reason = doubts[codepoint]
        yield SheetRow(codepoint_name(codepoint), images, suspect=True, note=f"{score:.2f} {reason}")
