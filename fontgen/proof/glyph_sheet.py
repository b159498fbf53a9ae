"""One glyph large: its stages side by side, and what is known about it in words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fontgen.files import atomic_path
from fontgen.proof.sheet import FAINT, HAIRLINE, PAPER, SUSPECT, TEXT, label_font

_EDGE_PX = 24
_GAP_PX = 12
_TEXT_PX = 15
Stage = tuple[str, NDArray[np.uint8] | None]


def glyph_sheet(
    stages: Sequence[Stage], lines: Sequence[str], path: Path, *, title: str, tile_px: int = 320, suspect: bool = False
) -> None:
    """Write a PNG with the stages of one glyph side by side, and `lines` below them.

    Text is set in a face that has no ideographs: give it codepoints. The same input gives the same bytes under one
    Pillow version.
    """
    font, large = label_font(_TEXT_PX), label_font(22)
    top = _EDGE_PX + 36 + _TEXT_PX + 8
    width = 2 * _EDGE_PX + len(stages) * tile_px + (len(stages) - 1) * _GAP_PX
    height = top + tile_px + 16 + len(lines) * (_TEXT_PX + 7) + _EDGE_PX
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((_EDGE_PX, _EDGE_PX - 4), title, font=large, fill=SUSPECT if suspect else TEXT)
    for number, (heading, image) in enumerate(stages):
        left = _EDGE_PX + number * (tile_px + _GAP_PX)
        draw.text((left, top - _TEXT_PX - 6), heading, font=font, fill=FAINT)
        if image is None:
            draw.text((left + 12, top + 12), "not there", font=font, fill=FAINT)
        else:
            small = Image.fromarray(255 - image).resize((tile_px, tile_px), Image.Resampling.BOX)
            sheet.paste(small, (left, top))
        draw.rectangle((left - 1, top - 1, left + tile_px, top + tile_px), outline=HAIRLINE)
    for number, line in enumerate(lines):
        draw.text((_EDGE_PX, top + tile_px + 16 + number * (_TEXT_PX + 7)), line, font=font, fill=TEXT)
    with atomic_path(path) as temporary:
        sheet.save(temporary, format="PNG", optimize=False, compress_level=6)
