"""The sub-pixel shift (and scale, where asked) of a set of glyph images against a reference, and its correction.

Displacements are in image pixels, right and down, unless a name says em (right and up). A shift of
(1, 0) means: the content of the images lies 1 px right of where the reference says it belongs. A
scale of 1.01 means: it is 1 % too large, about the centre of the canvas.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from fontgen.canvas import Canvas
from fontgen.errors import ImageError, codepoint_name
from fontgen.glyphs.clean_morphology import stroke_width_px
from fontgen.glyphs.polarity import read_dark_on_light
from fontgen.glyphs.register_settings import RegisterSettings
from fontgen.glyphs.store import ImageFolder, image_name, write_ink, write_manifest
from fontgen.parallel import parallel_map
from fontgen.report import Report

Ink8 = NDArray[np.uint8]
Floats = NDArray[np.float64]

_BLUR_EM = 0.05
"""Standard deviation of the smoothing before correlation, more than a stroke is wide: two weights of
one typeface then agree where their strokes' middles do, and image noise averages out."""

_COARSE_PX = 160
"""Images are averaged down to about this size before correlation; the blur hides the difference."""

_NOISE = np.uint8(64)

_HUBER = 1.3
"""Standard deviations within which a glyph counts in full (Huber's estimator, 95 % efficient)."""

_RADIUS_A_WIDTH = 0.15
"""What a px of stroke width adds to the radius of the ink: by 3x3 dilation at 128 px, 0.07 (a kaishu) to 0.22 (a
handwriting), 0.15 to 0.19 in sans, mincho and round gothic."""

_SPLINE = 5
"""Order of the interpolating spline of `shift_ink`; order 5 rings less than a Fourier shift, edges as sharp."""


@dataclass(frozen=True, kw_only=True)
class ShiftEstimate:
    """How far a set lies from its place: right and down in px of the images, with 95 % half-widths."""

    dx_px: float
    dy_px: float
    half_width_x_px: float
    half_width_y_px: float
    num_glyphs: int
    spread_x_px: float
    """Robust standard deviation of single glyphs around the shift."""
    spread_y_px: float
    scale: float = 1.0
    """How much larger the content is than the reference's; 1 where it was not measured."""
    scale_half_width: float = 0.0
    drift: dict[int, tuple[float, float]] = field(default_factory=dict)
    """Key of a glyph (its index or codepoint) -> its own (dx_px, dy_px) from the reference."""

    def is_significant(self, standard_errors: float) -> bool:
        """Whether either component exceeds so many standard errors."""
        return bool(
            abs(self.dx_px) > standard_errors * self.half_width_x_px / 1.96
            or abs(self.dy_px) > standard_errors * self.half_width_y_px / 1.96
        )

    def scale_to_undo(self, standard_errors: float) -> float:
        """The scale where it differs from 1 by more than so many standard errors, else 1."""
        return self.scale if abs(self.scale - 1) > standard_errors * self.scale_half_width / 1.96 else 1.0

    def in_em(self, canvas: Canvas) -> tuple[float, float]:
        """(dx, dy) in em, right and up: what `Canvas.displaced` takes."""
        return self.dx_px / canvas.px_per_em, -self.dy_px / canvas.px_per_em

    def to_json(self) -> dict[str, Any]:
        data = asdict(self)
        del data["drift"]
        return data


def estimate_shift(
    pairs: Iterable[tuple[int, Ink8, Ink8]], canvas: Canvas, *, settings: RegisterSettings | None = None
) -> ShiftEstimate:
    """Measure the common shift of (key, image, reference) triples of (n, n) uint8 ink, n = canvas.size_px.

    Each glyph gives the mean of two measures: the shift at which its blurred ink agrees best with its
    reference's (correlation, quadratic through the peak), and the distance of the two ink centroids.
    The set's shift is their Huber location, which the fifth of glyphs drawn after another model moves
    little, with its standard error. With `settings.scale` the ratio of their ink radii gives the scale
    in the same way; a significant one is taken out of the shifts. Blank images are left out. ImageError
    when none is left or sizes differ.
    """
    settings = settings or RegisterSettings()
    singles: dict[int, Floats] = {}
    centres: list[Floats] = []
    log_scales: list[float] = []
    for key, image, reference in pairs:
        if image.shape != reference.shape or image.shape[0] != canvas.size_px:
            raise ImageError(f"{image.shape} and {reference.shape} px where the canvas has {canvas.size_px}")
        if image.any() and reference.any():
            peak = _correlation_shift(image, reference, canvas, settings.max_shift_em)
            centre = _centroid(reference)
            singles[key] = (peak + _centroid(image) - centre) / 2
            if settings.scale:
                centres.append(centre - (canvas.size_px - 1) / 2)
                log_scales.append(float(np.log(_radius(image) / _radius(reference))))
    if not singles:
        raise ImageError("no glyph to register: every image or its reference is blank or missing")
    stack = np.array(list(singles.values()))
    scale, scale_half_width = 1.0, 0.0
    if settings.scale:
        middle, _, doubt = _huber(np.array(log_scales)[:, None], floor=1e-5)
        scale, scale_half_width = float(np.exp(middle[0])), float(1.96 * doubt[0])
        if abs(scale - 1) > settings.significance * scale_half_width / 1.96:
            # the ink lies off the middle of the canvas, and was carried outward
            stack = stack - (scale - 1) * np.array(centres)
            singles = dict(zip(singles, stack, strict=True))
    common, spread, error = _huber(stack)
    return ShiftEstimate(
        dx_px=float(common[1]), dy_px=float(common[0]),
        half_width_x_px=float(1.96 * error[1]), half_width_y_px=float(1.96 * error[0]),
        num_glyphs=len(stack), spread_x_px=float(spread[1]), spread_y_px=float(spread[0]),
        scale=scale, scale_half_width=scale_half_width,
        drift={key: (float(x), float(y)) for key, (y, x) in singles.items()},
    )  # fmt: skip


def _centroid(ink8: Ink8) -> Floats:
    """(row, col) centre of the ink, in px; grey below a quarter is noise whose mass would pull to the middle."""
    places = np.arange(ink8.shape[0])
    ink8 = np.maximum(ink8, _NOISE) - _NOISE if ink8.max() > _NOISE else ink8
    rows, cols = ink8.sum(axis=1, dtype=np.int64), ink8.sum(axis=0, dtype=np.int64)
    centre: Floats = np.array([(rows * places).sum(), (cols * places).sum()]) / rows.sum()
    return centre


def _radius(ink8: Ink8) -> float:
    """Root-mean-square radius of the ink around its centre, in px, less what the strokes' width adds to it.

    A bolder drawing is no larger one.
    """
    ink = np.maximum(ink8, _NOISE) - _NOISE if ink8.max() > _NOISE else ink8
    places = np.arange(ink8.shape[0])
    variance = 0.0
    for axis in (0, 1):
        mass = ink.sum(axis=axis, dtype=np.int64)
        middle = (mass * places).sum() / mass.sum()
        variance += float((mass * (places - middle) ** 2).sum() / mass.sum())
    radius = float(np.sqrt(variance))
    return max(radius - _RADIUS_A_WIDTH * stroke_width_px(ink8 >= 128), radius / 2, 1e-3)


def _huber(values: Floats, floor: float = 1e-3) -> tuple[Floats, Floats, Floats]:
    """Location, robust standard deviation and standard error of the location, per column of (n, k) values."""
    location = np.median(values, axis=0)
    spread = 1.4826 * np.median(np.abs(values - location), axis=0)
    # a floor so that identical values, as in made-up sets, do not divide by zero
    spread = np.maximum(spread, floor)
    weight = np.ones_like(values)
    for _ in range(20):
        weight = 1 / np.maximum(1, np.abs(values - location) / (_HUBER * spread))
        location = (weight * values).sum(axis=0) / weight.sum(axis=0)
    clipped = weight * (values - location)
    inner = np.maximum((weight >= 1).mean(axis=0), 0.1)
    error = np.sqrt((clipped**2).mean(axis=0) / max(len(values) - 1, 1)) / inner
    return location, spread, np.maximum(error, spread / len(values))


def _correlation_shift(image: Ink8, reference: Ink8, canvas: Canvas, max_shift_em: float) -> Floats:
    """(row, col) px by which the image lies from the reference, where their blurred ink agrees best."""
    step = max(1, canvas.size_px // _COARSE_PX)
    sigma = _BLUR_EM * canvas.px_per_em / step
    limit = max(2, ceil(max_shift_em * canvas.px_per_em / step) + 2)
    coarse = [_block_mean(x, step) for x in (image, reference)]
    size = fft.next_fast_len(coarse[0].shape[0] + limit, real=True)
    a, b = (fft.rfft2(x, (size, size)) for x in coarse)
    square = np.fft.fftfreq(size)[:, None] ** 2 + np.fft.rfftfreq(size)[None, :] ** 2
    cross = fft.irfft2(a * np.conj(b) * np.exp(-4 * np.pi**2 * sigma**2 * square), (size, size))
    window = np.arange(-limit, limit + 1)
    return _peak(cross[window[:, None], window]) * step


def _block_mean(ink8: Ink8, step: int) -> NDArray[np.float64]:
    n = ink8.shape[0]
    side = -(-n // step)
    padded = np.zeros((side * step, side * step))
    padded[:n, :n] = ink8
    mean: Floats = padded.reshape(side, step, side, step).mean(axis=(1, 3)) / 255
    return mean


def _peak(surface: Floats) -> Floats:
    """(row, col) of the maximum relative to the centre, by a quadratic through its neighbourhood."""
    limit = surface.shape[0] // 2
    row, col = (int(np.clip(i, 1, 2 * limit - 1)) for i in np.unravel_index(int(surface.argmax()), surface.shape))
    patch = surface[row - 1 : row + 2, col - 1 : col + 2]
    # least squares quadratic on the 3x3 patch
    gradient = np.array([(patch[2] - patch[0]).sum(), (patch[:, 2] - patch[:, 0]).sum()]) / 6
    h_rr = (patch[0] - 2 * patch[1] + patch[2]).sum() / 3
    h_cc = (patch[:, 0] - 2 * patch[:, 1] + patch[:, 2]).sum() / 3
    h_rc = (patch[0, 0] + patch[2, 2] - patch[0, 2] - patch[2, 0]) / 4
    determinant = h_rr * h_cc - h_rc * h_rc
    offset = np.zeros(2)
    if determinant > 0 and h_rr < 0:
        offset = np.array([h_rc * gradient[1] - h_cc * gradient[0], h_rc * gradient[0] - h_rr * gradient[1]])
        offset = np.clip(offset / determinant, -1, 1)
    peak: Floats = np.array([row - limit, col - limit]) + offset
    return peak


def shift_ink(ink8: Ink8, dx_px: float, dy_px: float, scale: float = 1.0) -> Ink8:
    """(n, n) uint8 ink enlarged about the centre and moved right and down, by one spline resampling.

    A shift by whole pixels copies the values. What enters at the border is background.
    """
    if scale != 1:
        middle = (ink8.shape[0] - 1) / 2
        offset = middle - (middle + np.array([dy_px, dx_px])) / scale
        enlarged = ndimage.affine_transform(
            ink8.astype(np.float64), np.array([1 / scale] * 2), offset, order=_SPLINE, mode="constant", cval=0.0
        )
        larger: Ink8 = np.rint(np.clip(enlarged, 0, 255)).astype(np.uint8)
        return larger
    if dx_px == 0 and dy_px == 0:
        return ink8
    whole = float(dx_px).is_integer() and float(dy_px).is_integer()
    moved = ndimage.shift(
        ink8.astype(np.float64), (dy_px, dx_px), order=0 if whole else _SPLINE, mode="constant", cval=0.0
    )
    out: Ink8 = np.rint(np.clip(moved, 0, 255)).astype(np.uint8)
    return out


def spread_sample(keys: list[int], count: int) -> list[int]:
    """At most `count` keys, evenly over the list."""
    if len(keys) <= count:
        return keys
    return [keys[int(i)] for i in np.linspace(0, len(keys) - 1, count)]


def estimate_folder(
    folder: ImageFolder, reference: ImageFolder, *, settings: RegisterSettings
) -> tuple[ShiftEstimate, Mapping[int, str]]:
    """The shift of a folder against a reference on the same canvas, and the glyphs that could not be read."""
    if reference.canvas.size_px != folder.canvas.size_px:
        raise ImageError(
            f"{reference.root}: images of {reference.canvas.size_px} px, but {folder.root} has "
            f"{folder.canvas.size_px} px; render the reference on the same canvas"
        )
    shared = [codepoint for codepoint in folder.codepoints if codepoint in reference.files]
    if not shared:
        raise ImageError(f"{reference.root}: has no glyph of {folder.root}; render the same charset")
    unread: dict[int, str] = {}

    def pairs() -> Iterable[tuple[int, Ink8, Ink8]]:
        for codepoint in shared if settings.correct_drift else spread_sample(shared, settings.sample_glyphs):
            try:
                yield codepoint, read_dark_on_light(folder, codepoint), read_dark_on_light(reference, codepoint)
            except ImageError as error:
                unread[codepoint] = str(error)

    return estimate_shift(pairs(), folder.canvas, settings=settings), unread


class _ShiftJob:
    """Picklable: writes one image with its shift (right and down, px), then its scale, undone."""

    def __init__(
        self, folder: ImageFolder, output: Path, common: tuple[float, float], scale: float,
        own: Mapping[int, tuple[float, float]],
    ) -> None:  # fmt: skip
        self.folder, self.output, self.common, self.scale, self.own = folder, output, common, scale, own

    def __call__(self, codepoint: int) -> tuple[int, str]:
        try:
            ink8 = read_dark_on_light(self.folder, codepoint)
        except ImageError as error:
            return codepoint, str(error)
        dx_px, dy_px = (a + b for a, b in zip(self.common, self.own.get(codepoint, (0.0, 0.0)), strict=True))
        moved = shift_ink(ink8, -dx_px / self.scale, -dy_px / self.scale, 1 / self.scale)
        write_ink(self.output / image_name(codepoint), moved)
        return codepoint, ""


def drifting(estimate: ShiftEstimate, drift_px: float) -> dict[int, tuple[float, float]]:
    """The glyphs that lie further from the common shift than style alone explains: key -> (dx, dy) px from it."""
    limit_x, limit_y = max(drift_px, 3 * estimate.spread_x_px), max(drift_px, 3 * estimate.spread_y_px)
    away = {key: (x - estimate.dx_px, y - estimate.dy_px) for key, (x, y) in estimate.drift.items()}
    return {key: (x, y) for key, (x, y) in away.items() if abs(x) > limit_x or abs(y) > limit_y}


def register_folder(folder: ImageFolder, reference: ImageFolder, output: Path, *, settings: RegisterSettings) -> Report:
    """Measure shift (and scale) of `folder`, undo them in every image by one resampling, and write them to `output`.

    Drifting glyphs are listed, and put back one by one with `settings.correct_drift`.
    """
    estimate, unread = estimate_folder(folder, reference, settings=settings)
    corrected = estimate.is_significant(settings.significance)
    common = (estimate.dx_px, estimate.dy_px) if corrected else (0.0, 0.0)
    scale = estimate.scale_to_undo(settings.significance)
    away = drifting(estimate, settings.drift_px)
    job = _ShiftJob(folder, output, common, scale, away if settings.correct_drift else {})
    report = Report("register")
    glyphs: dict[int, dict[str, Any]] = {}
    for codepoint, problem in parallel_map(job, folder.codepoints):
        if problem:
            report.add_failed(codepoint, problem)
            continue
        report.add_done(codepoint)
        glyphs[codepoint] = dict(folder.glyphs.get(codepoint, {}))
    report.figures = {
        "shift": estimate.to_json(),
        "corrected": corrected,
        "scale_corrected": scale != 1.0,
        "drifting": {
            codepoint_name(codepoint): [round(x, 2), round(y, 2)] for codepoint, (x, y) in sorted(away.items())
        },
        "drift_corrected": settings.correct_drift,
        "unmeasured": {codepoint_name(c): why for c, why in sorted(unread.items()) if c not in report.failed},
    }
    write_manifest(output, folder.canvas, glyphs, {**folder.provenance, "register": report.figures})
    return report
