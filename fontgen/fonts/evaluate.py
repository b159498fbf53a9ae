"""How close a font comes to the true one: every glyph of both drawn on one pinned canvas and measured.

Figures are comparable only under the same canvas, so the report states it. Glyphs that the font
lacks or leaves blank are measured as an empty image: leaving a bad glyph out never raises a mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity

from fontgen.canvas import Canvas, Placement
from fontgen.errors import CharsetError, GlyphError
from fontgen.fonts.evaluate_report import EvaluateReport, FontFigures, GlyphFigures
from fontgen.fonts.face import FontRef, is_whitespace, open_face
from fontgen.glyphs.render import render_ink
from fontgen.glyphs.store import to_ink
from fontgen.parallel import parallel_map

EVALUATION_CANVAS = Canvas(size_px=256)
"""The canvas of every published figure: 256 px, a margin of 1/16 em, descender at -0.12 em."""

UNITS_PER_EM = 1000
"""Position and weight errors are printed in units of a 1000-unit em, whatever the fonts' own."""

_SET = 16
"""Images that `ImageMetrics` gets at a time."""


class ImageMetrics(Protocol):
    """Measures by networks, which look at images in sets (`fontgen.zi2zi.image_metrics`)."""

    protocol: dict[str, Any]
    """What the figures depend on, for the report."""
    left_out: list[str]
    """What is not measured, and why, in a line each."""

    def compare(
        self, contender: int, drawn_NHW: NDArray[np.uint8], true_NHW: NDArray[np.uint8]
    ) -> list[float] | list[None]:
        """LPIPS of each pair of images, uint8 ink; what else is measured is kept for `distance`."""
        ...

    def distance(self, contender: int) -> float | None:
        """FID between all images of a contender and their true ones."""
        ...


def compare_ink(ink: NDArray[np.uint8], truth: NDArray[np.uint8], canvas: Canvas) -> GlyphFigures:
    """Measure an image against the true one: (size, size) uint8, ink = 255, both on `canvas`.

    Raises GlyphError when the true image is blank, since most figures then have no meaning.
    """
    if not truth.any():
        raise GlyphError("the true glyph is blank; leave it out of the comparison")
    drawn, true = to_ink(ink), to_ink(truth)
    solid, true_solid = ink >= 128, truth >= 128
    union = np.count_nonzero(solid | true_solid)
    difference = float(np.abs(drawn - true).sum(dtype=np.float64))
    offset = weight = None
    if ink.any():
        per_px = UNITS_PER_EM / canvas.px_per_em
        offset = (_centroid_px(drawn) - _centroid_px(true)) * per_px
        weight = (stroke_width_px(drawn) - stroke_width_px(true)) * per_px
    return GlyphFigures(
        iou=np.count_nonzero(solid & true_solid) / union if union else 1.0,
        l1=difference / drawn.size,
        ink_l1=difference / float(true.sum(dtype=np.float64)),
        ssim=float(structural_similarity(drawn, true, data_range=1.0)),
        dx_units=None if offset is None else float(offset[1]),
        dy_units=None if offset is None else -float(offset[0]),
        weight_units=weight,
    )


def _centroid_px(ink: NDArray[np.float32]) -> NDArray[np.float64]:
    """(row, col) of the centre of the ink."""
    rows, cols = ink.sum(axis=1, dtype=np.float64), ink.sum(axis=0, dtype=np.float64)
    index = np.arange(ink.shape[0]) + 0.5
    return np.array([float(rows @ index), float(cols @ index)]) / float(rows.sum())


def stroke_width_px(ink: NDArray[np.float32]) -> float:
    """Mean stroke width: twice the ink's area over the length of its outline, in pixels.

    The length is the integral of the gradient's magnitude (coarea formula), taken after a blur of
    one pixel, which makes the discrete gradient nearly independent of the edge's direction.
    """
    down, right = np.gradient(gaussian_filter(ink, 1.0))
    outline = float(np.hypot(down, right).sum(dtype=np.float64))
    return 2.0 * float(ink.sum(dtype=np.float64)) / outline


@dataclass(frozen=True)
class _Measured:
    codepoint: int
    state: str
    figures: GlyphFigures
    why: str = ""
    images: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None = None
    """What was drawn and what is true, where they are asked for."""


@dataclass(frozen=True)
class _Job:
    """Picklable: measures one codepoint of each contender."""

    truth: FontRef
    contenders: tuple[tuple[FontRef, Placement | None], ...]
    canvas: Canvas
    keep_images: bool = False

    def __call__(self, codepoint: int) -> tuple[_Measured, ...]:
        try:
            truth = render_ink(open_face(self.truth), codepoint, self.canvas)
        except GlyphError:
            truth = np.zeros((self.canvas.size_px, self.canvas.size_px), np.uint8)
        if not truth.any():
            return ()
        return tuple(self._measure(ref, placement, codepoint, truth) for ref, placement in self.contenders)

    def _measure(
        self, ref: FontRef, placement: Placement | None, codepoint: int, truth: NDArray[np.uint8]
    ) -> _Measured:
        face = open_face(ref)
        ink = np.zeros_like(truth)
        state, why = "ok", ""
        if codepoint not in face.cmap:
            state = "missing"
        else:
            try:
                ink = render_ink(face, codepoint, self.canvas, placement)
                state = "ok" if ink.any() else "blank"
            except GlyphError as error:
                state, why = "failed", str(error)
        figures = compare_ink(ink, truth, self.canvas)
        if state == "ok":
            figures = replace(
                figures, points_ratio=face.point_count(codepoint) / open_face(self.truth).point_count(codepoint)
            )
        return _Measured(codepoint, state, figures, why, (ink, truth) if self.keep_images else None)


def evaluate_fonts(
    font: FontRef | Path,
    truth: FontRef | Path,
    codepoints: Iterable[int] | None = None,
    *,
    baseline: FontRef | Path | None = None,
    placement: Placement | None = None,
    canvas: Canvas = EVALUATION_CANVAS,
    metrics: ImageMetrics | None = None,
    workers: int | None = None,
) -> EvaluateReport:
    """Measure `font` against `truth`, and a `baseline` (drawn through `placement`) on the same characters.

    Without `codepoints` every inked character of the truth is measured. The baseline is usually the
    calibrated source font as it is, which tells what the network added. `metrics` measures the same images
    by networks. Raises FontError for a font
    that cannot be opened and CharsetError when nothing is left to measure.
    """
    truth_ref, font_ref = _ref(truth), _ref(font)
    contenders: list[tuple[FontRef, Placement | None]] = [(font_ref, None)]
    if baseline is not None:
        contenders.append((_ref(baseline), placement))
    for ref in (truth_ref, *(ref for ref, _ in contenders)):
        open_face(ref)
    wanted = open_face(truth_ref).cmap if codepoints is None else codepoints
    ordered = [codepoint for codepoint in dict.fromkeys(wanted) if not is_whitespace(codepoint)]
    if codepoints is None:
        ordered.sort()
    scored = [FontFigures(str(ref)) for ref, _ in contenders]
    report = EvaluateReport(canvas, str(truth_ref), scored[0], scored[1] if baseline is not None else None)
    job = _Job(truth_ref, tuple(contenders), canvas, keep_images=metrics is not None)
    results = zip(ordered, parallel_map(job, ordered, workers=workers), strict=True)
    while batch := list(islice(results, _SET)):
        report.not_in_truth += [codepoint for codepoint, measured in batch if not measured]
        found = [measured for _, measured in batch if measured]
        for contender, figures in enumerate(scored if found else []):
            for measured in _looked_at([each[contender] for each in found], contender, metrics):
                _record(figures, measured)
    if not report.font.glyphs:
        raise CharsetError(f"{truth_ref}: has no glyph of the characters asked for; choose characters that it covers")
    if metrics is not None:
        report.metrics, report.left_out = metrics.protocol, metrics.left_out
        for contender, figures in enumerate(scored):
            figures.fid = metrics.distance(contender)
    return report


def _looked_at(some: list[_Measured], contender: int, metrics: ImageMetrics | None) -> Iterator[_Measured]:
    """The same with what the networks say of the images; these are let go."""
    if metrics is None:
        yield from some
        return
    drawn, true = (np.stack([each.images[side] for each in some if each.images]) for side in (0, 1))
    for measured, lpips in zip(some, metrics.compare(contender, drawn, true), strict=True):
        yield replace(measured, figures=replace(measured.figures, lpips=lpips), images=None)


def _record(figures: FontFigures, measured: _Measured) -> None:
    figures.glyphs[measured.codepoint] = measured.figures
    if measured.state == "missing":
        figures.missing.append(measured.codepoint)
    elif measured.state == "blank":
        figures.blank.append(measured.codepoint)
    elif measured.state == "failed":
        figures.failed[measured.codepoint] = measured.why


def _ref(font: FontRef | Path) -> FontRef:
    return font if isinstance(font, FontRef) else FontRef.of(font)
