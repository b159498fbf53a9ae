"""How close a font comes to the true one: every glyph of both drawn on one pinned canvas and measured.

Figures are comparable only under the same canvas, so the report states it. Glyphs that the font
lacks or leaves blank are measured as an empty image: leaving a bad glyph out never raises a mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity

from fontgen.canvas import Canvas, Placement
from fontgen.errors import CharsetError, GlyphError, codepoint_name
from fontgen.fonts.face import FontRef, is_whitespace, open_face
from fontgen.glyphs.render import render_ink
from fontgen.glyphs.store import to_ink
from fontgen.parallel import parallel_map

EVALUATION_CANVAS = Canvas(size_px=256)
"""The canvas of every published figure: 256 px, a margin of 1/16 em, descender at -0.12 em."""

UNITS_PER_EM = 1000
"""Position and weight errors are printed in units of a 1000-unit em, whatever the fonts' own."""


@dataclass(frozen=True)
class GlyphFigures:
    """One glyph against the truth. Units are 1/1000 em."""

    iou: float
    """Intersection over union of the pixels that are at least half covered."""
    l1: float
    """Mean absolute difference of coverage (0..1) over the whole canvas."""
    ink_l1: float
    """Sum of absolute differences over the true glyph's sum of ink: independent of the canvas's margin."""
    ssim: float
    """Structural similarity (Wang et al. 2004), 7 px uniform window, data range 1."""
    dx_units: float | None
    """How far the ink's centroid lies right of the true one; None for a blank glyph."""
    dy_units: float | None
    """How far it lies above."""
    weight_units: float | None
    """Mean stroke width less the true one; None for a blank glyph."""
    points_ratio: float | None = None
    """Points of the outline over the true outline's, both as their fonts store them; None for a blank glyph."""

    @property
    def position_units(self) -> float | None:
        """Distance between the centroids."""
        if self.dx_units is None or self.dy_units is None:
            return None
        return float(np.hypot(self.dx_units, self.dy_units))


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


@dataclass
class FontFigures:
    """What one font scored."""

    font: str
    glyphs: dict[int, GlyphFigures] = field(default_factory=dict)
    missing: list[int] = field(default_factory=list)
    """Codepoints that its cmap lacks."""
    blank: list[int] = field(default_factory=list)
    """Codepoints whose glyph has no ink where the true one has some."""
    failed: dict[int, str] = field(default_factory=dict)
    """Codepoints whose glyph could not be drawn, and why."""

    def mean(self, key: str, of: Callable[[float], float] = float) -> float | None:
        values = [of(value) for figures in self.glyphs.values() if (value := getattr(figures, key)) is not None]
        return float(np.mean(values)) if values else None

    def means(self) -> dict[str, float | None]:
        return {name: self.mean(key, of) for name, key, of in _MEANS} | {"iou_p05": self._low_iou()}

    def _low_iou(self) -> float:
        return float(np.percentile([figures.iou for figures in self.glyphs.values()], 5))

    def to_json(self) -> dict[str, Any]:
        return {
            "font": self.font,
            "missing": [codepoint_name(codepoint) for codepoint in self.missing],
            "blank": [codepoint_name(codepoint) for codepoint in self.blank],
            "failed": {codepoint_name(codepoint): why for codepoint, why in self.failed.items()},
            "means": _rounded(self.means()),
            "glyphs": {
                codepoint_name(codepoint): _rounded(asdict(figures)) for codepoint, figures in self.glyphs.items()
            },
        }


_MEANS: tuple[tuple[str, str, Callable[[float], float]], ...] = (
    ("iou", "iou", float),
    ("l1", "l1", float),
    ("ink_l1", "ink_l1", float),
    ("ssim", "ssim", float),
    ("dx_units", "dx_units", float),
    ("dy_units", "dy_units", float),
    ("position_units", "position_units", float),
    ("weight_units", "weight_units", float),
    ("weight_error_units", "weight_units", abs),
    ("points_ratio", "points_ratio", float),
)


@dataclass
class EvaluateReport:
    """A font, and where given a baseline, against the truth."""

    canvas: Canvas
    truth: str
    font: FontFigures
    baseline: FontFigures | None = None
    not_in_truth: list[int] = field(default_factory=list)
    """Asked for, but the truth has no glyph or a blank one: nothing to measure against."""

    @property
    def exit_status(self) -> int:
        """1 when the font misses a glyph, leaves one blank or has one that cannot be drawn."""
        return 1 if self.font.missing or self.font.blank or self.font.failed else 0

    def difference(self) -> dict[str, float | None]:
        """Font less baseline for each mean, and the relative change of the L1s (`l1_percent`)."""
        if self.baseline is None:
            return {}
        ours, theirs = self.font.means(), self.baseline.means()
        found: dict[str, float | None] = {}
        for key, value in ours.items():
            other = theirs[key]
            found[key] = None if value is None or other is None else value - other
            if key in {"l1", "ink_l1"} and value is not None and other:
                found[f"{key}_percent"] = 100.0 * (value / other - 1.0)
        return found

    def to_json(self) -> dict[str, Any]:
        return {
            "protocol": {
                "canvas": self.canvas.to_json(),
                "ink_threshold": 0.5,
                "missing_and_blank": "measured as an empty image",
            },
            "truth": self.truth,
            "not_in_truth": [codepoint_name(codepoint) for codepoint in self.not_in_truth],
            "compared": len(self.font.glyphs),
            "font": self.font.to_json(),
            "baseline": self.baseline.to_json() if self.baseline else None,
            "difference": _rounded(self.difference()),
        }

    def table_lines(self, worst: int = 5) -> Iterator[str]:
        """A plain table of the means, then what is missing or blank, then the `worst` glyphs by IoU."""
        yield f"{self.font.font} against {self.truth}"
        margin, size_px = self.canvas.margin_em, self.canvas.size_px
        yield f"{len(self.font.glyphs)} characters at {size_px} px, margin {margin:.4g} em"
        if self.baseline is not None:
            yield f"baseline: {self.baseline.font}"
        ours = self.font.means()
        theirs = self.baseline.means() if self.baseline else {}
        change = self.difference()
        head = f"{'':34}{'font':>10}"
        yield head + (f"{'baseline':>12}{'difference':>14}" if self.baseline else "")
        for key, title, form in _ROWS:
            line = f"{title:34}{_figure(ours[key], form):>10}"
            if self.baseline:
                line += f"{_figure(theirs[key], form):>12}{self._change(key, change, form):>14}"
            yield line
        for who, figures in (("", self.font), ("baseline: ", self.baseline)):
            if figures is not None:
                yield from _absence_lines(who, figures)
        if self.not_in_truth:
            yield f"not measured, the truth has no glyph: {_names(self.not_in_truth)}"
        if worst and self.font.glyphs:
            lowest = sorted(self.font.glyphs, key=lambda codepoint: (self.font.glyphs[codepoint].iou, codepoint))[
                :worst
            ]
            named = (f"{codepoint_name(c)} {chr(c)} {self.font.glyphs[c].iou:.3f}" for c in lowest)
            yield f"lowest IoU: {', '.join(named)}"

    def _change(self, key: str, change: Mapping[str, float | None], form: str) -> str:
        percent = change.get(f"{key}_percent")
        return f"{percent:+.1f} %" if percent is not None else _figure(change.get(key), "+" + form)


_ROWS = (
    ("iou", "IoU, mean", ".4f"),
    ("iou_p05", "IoU, 5th percentile", ".4f"),
    ("l1", "L1", ".4f"),
    ("ink_l1", "L1 per ink", ".4f"),
    ("ssim", "SSIM", ".4f"),
    ("position_units", "position error (1/1000 em)", ".1f"),
    ("dx_units", "  mean shift right", ".1f"),
    ("dy_units", "  mean shift up", ".1f"),
    ("weight_error_units", "stroke width error (1/1000 em)", ".1f"),
    ("weight_units", "  mean, heavier is positive", ".1f"),
    ("points_ratio", "points per true point", ".2f"),
)


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"


def _absence_lines(who: str, figures: FontFigures) -> Iterator[str]:
    for what, codepoints in (("missing", figures.missing), ("blank", figures.blank), ("failed", list(figures.failed))):
        if codepoints:
            yield f"{who}{len(codepoints)} {what}: {_names(codepoints)}"


def _names(codepoints: list[int], limit: int = 12) -> str:
    names = " ".join(f"{codepoint_name(codepoint)} {chr(codepoint)}" for codepoint in codepoints[:limit])
    return names if len(codepoints) <= limit else f"{names} and {len(codepoints) - limit} more"


def _rounded(figures: Mapping[str, float | None]) -> dict[str, float | None]:
    # six decimals are far below what a pixel grid resolves, and keep the file free of float noise
    return {key: None if value is None else round(value, 6) for key, value in figures.items()}


@dataclass(frozen=True)
class _Measured:
    codepoint: int
    state: str
    figures: GlyphFigures | None = None
    why: str = ""


@dataclass(frozen=True)
class _Job:
    """Picklable: measures one codepoint of each contender."""

    truth: FontRef
    contenders: tuple[tuple[FontRef, Placement | None], ...]
    canvas: Canvas

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
        return _Measured(codepoint, state, figures, why)


def evaluate_fonts(
    font: FontRef | Path,
    truth: FontRef | Path,
    codepoints: Iterable[int] | None = None,
    *,
    baseline: FontRef | Path | None = None,
    placement: Placement | None = None,
    canvas: Canvas = EVALUATION_CANVAS,
    workers: int | None = None,
) -> EvaluateReport:
    """Measure `font` against `truth`, and a `baseline` (drawn through `placement`) on the same characters.

    Without `codepoints` every inked character of the truth is measured. The baseline is usually the
    calibrated source font as it is, which tells what the network added. Raises FontError for a font
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
    job = _Job(truth_ref, tuple(contenders), canvas)
    for codepoint, results in zip(ordered, parallel_map(job, ordered, workers=workers), strict=True):
        if not results:
            report.not_in_truth.append(codepoint)
        for figures, measured in zip(scored, results, strict=False):
            _record(figures, measured)
    if not report.font.glyphs:
        raise CharsetError(f"{truth_ref}: has no glyph of the characters asked for; choose characters that it covers")
    return report


def _record(figures: FontFigures, measured: _Measured) -> None:
    if measured.figures is not None:
        figures.glyphs[measured.codepoint] = measured.figures
    if measured.state == "missing":
        figures.missing.append(measured.codepoint)
    elif measured.state == "blank":
        figures.blank.append(measured.codepoint)
    elif measured.state == "failed":
        figures.failed[measured.codepoint] = measured.why


def _ref(font: FontRef | Path) -> FontRef:
    return font if isinstance(font, FontRef) else FontRef.of(font)
