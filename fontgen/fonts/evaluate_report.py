"""What an evaluation found: figures a glyph, their means, and the report as JSON and as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from fontgen.canvas import Canvas
from fontgen.errors import codepoint_name


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

    lpips: float | None = None
    """Learned perceptual distance (Zhang et al. 2018), 0 for equal images; None where it is not measured."""

    @property
    def position_units(self) -> float | None:
        """Distance between the centroids."""
        if self.dx_units is None or self.dy_units is None:
            return None
        return float(np.hypot(self.dx_units, self.dy_units))


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
    fid: float | None = None
    """Frechet distance between the features of all drawn and all true images (Heusel et al. 2017)."""

    def mean(self, key: str, of: Callable[[float], float] = float) -> float | None:
        values = [of(value) for figures in self.glyphs.values() if (value := getattr(figures, key)) is not None]
        return float(np.mean(values)) if values else None

    def means(self) -> dict[str, float | None]:
        found = {name: self.mean(key, of) for name, key, of in _MEANS} | {"iou_p05": self._low_iou()}
        by_networks = {"lpips": self.mean("lpips"), "fid": self.fid}
        return found | {name: value for name, value in by_networks.items() if value is not None}

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
    metrics: dict[str, Any] = field(default_factory=dict)
    """Network and weights of LPIPS and FID, where they are measured."""
    left_out: list[str] = field(default_factory=list)
    """Which of them are not, and why, in a line each."""

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
                **self.metrics,
            },
            "left_out": self.left_out,
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
            if key not in ours:
                continue
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
        yield from self.left_out

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
    ("lpips", "LPIPS", ".4f"),
    ("fid", "FID", ".2f"),
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
