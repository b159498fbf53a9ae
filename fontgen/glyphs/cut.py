"""Scans of a filled template cut into glyph images: deskewed by its marks, levels set, one image a box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from fontgen.errors import ImageError
from fontgen.glyphs.store import UNREADABLE, image_name, write_ink
from fontgen.glyphs.template import MARK_MM, PAGE_MM, Template, bit_centres, mark_centres
from fontgen.report import Report

Grey = NDArray[np.float64]

_WHITE = 0.80
"""Greys above this share of the paper's become white: paper grain, the template's boxes and patterns (0.87)."""
_INK_PERCENTILE = 0.2
_MARK_TOLERANCE = 0.35
_INSET = 0.02
"""Share of a box cut off at each side, where its own line lies."""
_BLANK_SHARE = 0.003
"""A box with less of it inked was left empty."""


@dataclass(frozen=True)
class _Page:
    """A scan with the way from millimetres of its page to pixels."""

    grey: Grey
    to_px: NDArray[np.float64]
    """(3, 3) homography."""
    number: int
    paper: float
    ink: float

    def px(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, 2) mm -> (n, 2) px (column, row), those of pixel edges."""
        return _apply(self.to_px, points)


def cut_scans(scans: Sequence[Path], template: Template, output: Path, *, size_px: int = 256) -> Report:
    """Cut every box of every scan into `output`, as U+4E00.png that fills the em box; return what became of each.

    Boxes left empty are skipped. Raises ImageError for a scan without its four marks, a page that the template does
    not have, and a page scanned twice.
    """
    report = Report("cut")
    seen: dict[int, Path] = {}
    for scan in scans:
        page = _read_page(scan)
        if page.number >= template.pages:
            raise ImageError(
                f"{scan}: page {page.number + 1}, but the template has {template.pages}; give its own .json"
            )
        if page.number in seen:
            raise ImageError(f"{scan}: page {page.number + 1} again, after {seen[page.number]}; leave one of them out")
        seen[page.number] = scan
        for codepoint, box in template.boxes(page.number).items():
            ink = _cut(page, box, size_px)
            if (ink > 0.5).mean() < _BLANK_SHARE:
                report.add_skipped(codepoint, f"left empty in {scan.name}")
                continue
            write_ink(output / image_name(codepoint), ink)
            report.add_done(codepoint)
    for number in sorted(set(range(template.pages)) - seen.keys()):
        for codepoint in template.boxes(number):
            report.add_skipped(codepoint, f"page {number + 1} was not scanned")
    report.figures = {"pages": len(seen)}
    return report


def _cut(page: _Page, box: tuple[float, float, float, float], size_px: int) -> NDArray[np.float32]:
    """(size_px, size_px) float32 with ink = 1."""
    left, top, right, bottom = box
    steps = (np.arange(size_px) + 0.5) / size_px
    xs, ys = np.meshgrid(left + steps * (right - left), top + steps * (bottom - top))
    at = page.px(np.stack([xs.ravel(), ys.ravel()], axis=1))
    # an average over what one pixel of the image covers in the scan, so that a fine scan does not alias
    width_px = np.hypot(*(page.px(np.array([[right, top]])) - page.px(np.array([[left, top]])))[0])
    smooth = ndimage.gaussian_filter(page.grey, 0.35 * max(1.0, width_px / size_px))
    grey = ndimage.map_coordinates(smooth, [at[:, 1] - 0.5, at[:, 0] - 0.5], order=1, mode="nearest")
    grey = grey.reshape(size_px, size_px)
    white = float(np.percentile(grey, 95)) * _WHITE  # of this box: a scan is seldom lit evenly
    ink = np.clip((white - grey) / max(1.0, white - page.ink), 0, 1)
    edge = round(_INSET * size_px)
    ink[:edge] = ink[-edge:] = 0
    ink[:, :edge] = ink[:, -edge:] = 0
    return np.asarray(ink, np.float32)


def _read_page(path: Path) -> _Page:
    try:
        with Image.open(path) as image:
            grey = np.asarray(image.convert("L")).astype(np.float64)
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such scan") from error
    except UNREADABLE as error:
        raise ImageError(f"{path}: not a readable image ({error}); scan to PNG, TIFF or JPEG") from error
    paper = float(np.percentile(grey, 90))
    dark = grey < paper * 0.5
    found = _marks(dark, path)
    centres = np.array(mark_centres())
    for turn in range(4):  # the scan may lie on its side or upside down
        to_px = _homography(centres, np.roll(found, turn, axis=0))
        middle = _apply(to_px, centres)
        if [_level(grey, point) > paper * 0.5 for point in middle] == [True, False, False, False]:
            break
    else:
        raise ImageError(
            f"{path}: the mark with the white middle is not to be seen; scan the page again, without shadows"
        )
    number = sum(1 << bit for bit, point in enumerate(bit_centres()) if _bit(grey, to_px, point, paper)) - 1
    if number < 0:
        raise ImageError(f"{path}: the page number along the upper edge cannot be read; scan the page again")
    return _Page(grey, to_px, number, paper, float(np.percentile(grey[dark], 100 * _INK_PERCENTILE)))


def _marks(dark: NDArray[Any], path: Path) -> NDArray[np.float64]:
    """(4, 2) centres in px (column, row) of the corner marks, clockwise from the scan's upper left."""
    rows, columns = dark.shape
    expected = MARK_MM / PAGE_MM[0] * min(rows, columns)
    filled = ndimage.binary_fill_holes(dark)
    labels, _ = ndimage.label(filled)
    centres = []
    for index, where in enumerate(ndimage.find_objects(labels), 1):
        height, width = (part.stop - part.start for part in where)
        near = all(abs(side / expected - 1) < _MARK_TOLERANCE for side in (height, width))
        if near and (labels[where] == index).mean() > 0.75:
            row, column = ndimage.center_of_mass(labels[where] == index)
            centres.append((where[1].start + column + 0.5, where[0].start + row + 0.5))
    corners = ((0, 0), (columns, 0), (columns, rows), (0, rows))
    if len(centres) < 4:
        raise ImageError(f"{path}: {len(centres)} of the four corner marks found; scan the whole page, on white")
    points = np.array(centres)
    chosen = [int(np.hypot(*(points - corner).T).argmin()) for corner in corners]
    if len(set(chosen)) < 4:
        raise ImageError(f"{path}: the four corner marks are not in the corners; scan the whole page, alone")
    return points[chosen]


def _homography(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The projective map that takes four points to four points (Hartley and Zisserman, section 4.1)."""
    rows, values = [], []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return np.append(np.linalg.solve(np.array(rows), np.array(values)), 1.0).reshape(3, 3)


def _apply(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    moved = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    return np.asarray(moved[:, :2] / moved[:, 2:])


def _level(grey: Grey, point: NDArray[np.float64]) -> float:
    """The mean grey around a point."""
    column, row = (int(value) for value in point)
    return float(grey[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3].mean())


def _bit(grey: Grey, to_px: NDArray[np.float64], point: tuple[float, float], paper: float) -> bool:
    return _level(grey, _apply(to_px, np.array([point]))[0]) < paper * 0.5
