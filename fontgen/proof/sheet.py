"""Contact sheets: what a stage made, side by side with what it was made from, for the eye."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from fontgen.errors import ImageError
from fontgen.files import atomic_path

PAPER = (255, 255, 255)
TEXT = (28, 28, 30)
FAINT = (130, 130, 136)
HAIRLINE = (222, 222, 226)
EMPTY = (244, 244, 246)
SUSPECT = (196, 32, 32)

_GAP_PX = 4  # between the tiles of one row
_CELL_GAP_PX = 22  # between one row's tiles and its neighbour's
_EDGE_PX = 24
_LABEL_PX = 12  # smallest size at which the built-in face stays readable on a screen


@dataclass(frozen=True)
class SheetRow:
    """One character of a sheet: its images in the order of the headings."""

    label: str
    """Printed above the images, for instance `U+4E00`."""
    images: Sequence[NDArray[np.uint8] | None]
    """(size, size) uint8, ink = 255; None where there is no such image. Sizes may differ."""
    suspect: bool = False
    """Draws the border and the label in red, and an exclamation mark for those who see no red."""
    note: str = ""
    """A word or figure printed at the right of the label, for instance a score."""


def contact_sheet(
    rows: Iterable[SheetRow],
    headings: Sequence[str],
    path: Path,
    *,
    title: str = "",
    tile_px: int = 96,
    columns: int = 4,
    smooth: bool = True,
) -> int:
    """Write a PNG with each row's images side by side, `columns` rows abreast; return the number of rows.

    Images are resampled to `tile_px`: area-averaged when smaller, cubic when larger; `smooth=False`
    takes the nearest pixel instead. The same input gives the same bytes under one Pillow version.
    Raises ImageError when there are no rows or a row does not fit the headings.
    """
    shown = list(rows)
    if not shown:
        raise ImageError(f"{path}: no images to show; check that the stage before made some")
    for row in shown:
        if len(row.images) != len(headings):
            raise ImageError(f"{path}: {row.label} has {len(row.images)} images for {len(headings)} headings")
    columns = max(1, min(columns, len(shown)))
    layout = _Layout(tile_px=tile_px, tiles=len(headings), columns=columns, rows=len(shown), title=bool(title))
    sheet = Image.new("RGB", layout.size, PAPER)
    draw = ImageDraw.Draw(sheet)
    if title:
        draw.text((_EDGE_PX, _EDGE_PX - 4), title, font=label_font(18), fill=TEXT)
    for column in range(columns):
        for index, heading in enumerate(headings):
            left, _ = layout.tile(0, column, index)
            draw.text((left, layout.headings_top), _fit(heading, tile_px), font=label_font(_LABEL_PX), fill=FAINT)
    for number, row in enumerate(shown):
        _draw_row(sheet, draw, layout, divmod(number, columns), row, smooth=smooth)
    with atomic_path(path) as temporary:
        sheet.save(temporary, format="PNG", optimize=False, compress_level=6)
    return len(shown)


def zoom_sheet(
    rows: Iterable[SheetRow],
    headings: Sequence[str],
    path: Path,
    *,
    title: str = "",
    crop_px: int = 48,
    zoom: int = 8,
    columns: int = 1,
    corner: tuple[int, int] | None = None,
) -> int:
    """Write a PNG of the same small crop of each image, every pixel enlarged `zoom` times; return the row count.

    `corner` is the (row, col) of the crop's upper left pixel; without it each row shows where its
    last image has most edges. Images of a row share one crop, so they should share one canvas.
    """
    return contact_sheet(
        [_cropped(row, crop_px, corner) for row in rows],
        headings,
        path,
        title=title,
        tile_px=crop_px * zoom,
        columns=columns,
        smooth=False,
    )


def _cropped(row: SheetRow, crop_px: int, corner: tuple[int, int] | None) -> SheetRow:
    present = [image for image in row.images if image is not None]
    if not present:
        return row
    top, left = corner if corner is not None else _busiest_corner(present[-1], crop_px)
    crops: list[NDArray[np.uint8] | None] = []
    for image in row.images:
        if image is None:
            crops.append(None)
            continue
        crop = np.zeros((crop_px, crop_px), np.uint8)
        part = image[top : top + crop_px, left : left + crop_px]
        crop[: part.shape[0], : part.shape[1]] = part
        crops.append(crop)
    return replace(row, images=crops)


def _busiest_corner(ink: NDArray[np.uint8], crop_px: int) -> tuple[int, int]:
    """(row, col) of the `crop_px` window with the largest sum of absolute grey steps."""
    grey = ink.astype(np.int32)
    steps = np.zeros_like(grey)
    steps[1:] += np.abs(np.diff(grey, axis=0))
    steps[:, 1:] += np.abs(np.diff(grey, axis=1))
    total = np.zeros((grey.shape[0] + 1, grey.shape[1] + 1), np.int64)
    total[1:, 1:] = steps.cumsum(0).cumsum(1)
    size = min(crop_px, *grey.shape)
    windows = total[size:, size:] - total[:-size, size:] - total[size:, :-size] + total[:-size, :-size]
    row, col = np.unravel_index(int(windows.argmax()), windows.shape)
    return int(row), int(col)


@dataclass(frozen=True)
class _Layout:
    tile_px: int
    tiles: int
    columns: int
    rows: int
    title: bool

    @property
    def cell_width(self) -> int:
        return self.tiles * self.tile_px + (self.tiles - 1) * _GAP_PX

    @property
    def cell_height(self) -> int:
        return _LABEL_PX + 6 + self.tile_px

    @property
    def headings_top(self) -> int:
        return _EDGE_PX + (30 if self.title else 0)

    @property
    def top(self) -> int:
        return self.headings_top + _LABEL_PX + 12

    @property
    def size(self) -> tuple[int, int]:
        lines = -(-self.rows // self.columns)
        width = 2 * _EDGE_PX + self.columns * self.cell_width + (self.columns - 1) * _CELL_GAP_PX
        height = self.top + lines * self.cell_height + (lines - 1) * (_CELL_GAP_PX // 2) + _EDGE_PX
        return width, height

    def tile(self, line: int, column: int, index: int) -> tuple[int, int]:
        """(x, y) of a tile's upper left pixel."""
        left = _EDGE_PX + column * (self.cell_width + _CELL_GAP_PX) + index * (self.tile_px + _GAP_PX)
        return left, self.top + line * (self.cell_height + _CELL_GAP_PX // 2) + _LABEL_PX + 6


def _draw_row(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    layout: _Layout,
    place: tuple[int, int],
    row: SheetRow,
    *,
    smooth: bool,
) -> None:
    line, column = place
    colour = SUSPECT if row.suspect else TEXT
    left, top = layout.tile(line, column, 0)
    label = f"! {row.label}" if row.suspect else row.label
    baseline = top - _LABEL_PX - 5
    draw.text((left, baseline), label, font=label_font(_LABEL_PX), fill=colour)
    if row.note:
        taken = int(label_font(_LABEL_PX).getlength(label)) + 8
        note = _fit(row.note, layout.cell_width - taken)
        width = int(label_font(_LABEL_PX).getlength(note))
        fill = SUSPECT if row.suspect else FAINT
        draw.text((left + layout.cell_width - width, baseline), note, font=label_font(_LABEL_PX), fill=fill)
    for index, image in enumerate(row.images):
        left, top = layout.tile(line, column, index)
        box = (left - 1, top - 1, left + layout.tile_px, top + layout.tile_px)
        if image is None:
            draw.rectangle(box, fill=EMPTY, outline=HAIRLINE)
            continue
        sheet.paste(_tile(image, layout.tile_px, smooth=smooth), (left, top))
        draw.rectangle(box, outline=SUSPECT if row.suspect else HAIRLINE)


def _tile(ink: NDArray[np.uint8], tile_px: int, *, smooth: bool) -> Image.Image:
    image = Image.fromarray(255 - ink)
    if image.size == (tile_px, tile_px):
        return image
    if not smooth:
        return image.resize((tile_px, tile_px), Image.Resampling.NEAREST)
    larger = tile_px > image.width
    return image.resize((tile_px, tile_px), Image.Resampling.BICUBIC if larger else Image.Resampling.BOX)


def label_font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's built-in face: the same on every machine, without ideographs."""
    return ImageFont.load_default(size_px)


def _fit(text: str, width_px: int) -> str:
    """`text`, or as much of it as fits into `width_px` at label size, with an ellipsis."""
    font = label_font(_LABEL_PX)
    if font.getlength(text) <= width_px:
        return text
    while text and font.getlength(text + "...") > width_px:
        text = text[:-1]
    return text + "..." if text else ""
