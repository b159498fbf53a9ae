"""Glyph images from outlines: the one place where glyphs become pixels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fontgen.canvas import Canvas, Placement, compose
from fontgen.errors import GlyphError
from fontgen.fonts.face import Face, FontRef, open_face
from fontgen.glyphs.store import image_name, write_ink, write_manifest
from fontgen.parallel import parallel_map
from fontgen.report import Report

Fit = Literal["em", "box"]
"""em: glyphs keep their place in the em box. box: each glyph's bounding box fills it (zi2zi's auto fit)."""


def render_ink(face: Face, codepoint: int, canvas: Canvas, placement: Placement | None = None) -> NDArray[np.uint8]:
    """Draw a glyph on the canvas; `placement` first moves it in em space (calibration, box fit).

    Returns (size_px, size_px) uint8, 255 = ink, exact area coverage. GlyphError when not in the cmap.
    """
    affine = canvas.em_to_px if placement is None else compose(canvas.em_to_px, placement.matrix)
    return face.rasterize(codepoint, affine, canvas.size_px)


def box_fit(face: Face, codepoint: int, canvas: Canvas) -> Placement:
    """The placement that centres a glyph's bounding box in the em box and scales it to fill it.

    zi2zi's "auto fit". It forgets where the glyph stood, so the placement is stored beside the image
    and undone after inference. A blank glyph keeps its place.
    """
    bounds = face.bounds_em(codepoint)
    if bounds is None:
        return Placement()
    x_min, y_min, x_max, y_max = bounds
    scale = 1.0 / max(x_max - x_min, y_max - y_min, 1e-3)
    centre_y = canvas.descender_em + 0.5
    return Placement(
        scale=scale,
        dx_em=0.5 - scale * (x_min + x_max) / 2,
        dy_em=centre_y - scale * (y_min + y_max) / 2,
    )


def resample_ink(ink: NDArray[np.uint8], canvas: Canvas, onto: Canvas) -> NDArray[np.uint8]:
    """Images of one canvas carried onto another (sizes, margins and shifts may differ), antialiased."""
    if canvas == onto:
        return ink
    # the region of `onto` in pixels of `canvas`, by its upper left and lower right corners
    corners = compose(canvas.em_to_px, onto.px_to_em) @ np.array([[0.0, onto.size_px], [0.0, onto.size_px], [1.0, 1.0]])
    (left, right), (top, bottom) = corners
    pad = int(np.ceil(max(0.0, -left, -top, right - canvas.size_px, bottom - canvas.size_px))) + 1
    padded = np.pad(ink, pad)
    image = Image.fromarray(padded).resize(
        (onto.size_px, onto.size_px),
        Image.Resampling.BICUBIC,
        box=(left + pad, top + pad, right + pad, bottom + pad),
    )
    return np.asarray(image)


Rendered: TypeAlias = tuple[int, dict[str, Any] | None, str]
"""A codepoint with its record in the manifest, or None and what went wrong."""


class _RenderJob:
    """Picklable: draws one codepoint into a folder."""

    def __init__(self, output: Path, canvas: Canvas, placement: Placement | None, fit: Fit) -> None:
        self.output, self.canvas, self.placement, self.fit = output, canvas, placement, fit

    def __call__(self, item: tuple[int, FontRef]) -> Rendered:
        codepoint, ref = item
        try:
            face = open_face(ref)
            record: dict[str, Any] = {"advance_em": round(face.advance_em(codepoint), 6)}
            placement = self.placement
            if self.fit == "box":
                placement = box_fit(face, codepoint, self.canvas)
                record["fit"] = placement.to_json()
            ink = render_ink(face, codepoint, self.canvas, placement)
        except GlyphError as error:
            return codepoint, None, str(error)
        write_ink(self.output / image_name(codepoint), ink)
        return codepoint, record, ""


def render_folder(
    refs: Mapping[int, FontRef],
    canvas: Canvas,
    output: Path,
    *,
    placement: Placement | None = None,
    fit: Fit = "em",
) -> Report:
    """Render codepoint -> font into a folder of glyph images with a manifest.

    The manifest records each glyph's advance and, with `fit="box"`, the placement that fitted it.
    """
    return record_rendered(refs, canvas, output, render_images(refs, canvas, output, placement, fit), placement)


def render_images(
    refs: Mapping[int, FontRef], canvas: Canvas, output: Path, placement: Placement | None = None, fit: Fit = "em"
) -> Iterator[Rendered]:
    """What `render_folder` does but for the manifest, glyph by glyph in the order of `refs`."""
    return parallel_map(_RenderJob(output, canvas, placement, fit), refs.items())


def record_rendered(
    refs: Mapping[int, FontRef],
    canvas: Canvas,
    output: Path,
    rendered: Iterable[Rendered],
    placement: Placement | None = None,
) -> Report:
    """Write the manifest of those glyphs of `refs`, and count them."""
    report = Report("render")
    glyphs: dict[int, dict[str, Any]] = {}
    for codepoint, record, problem in rendered:
        if record is None:
            report.add_failed(codepoint, problem)
        else:
            glyphs[codepoint] = record
            report.add_done(codepoint)
    provenance: dict[str, Any] = {"fonts": sorted({ref.path.name for ref in refs.values()})}
    if placement is not None:
        provenance["placement"] = placement.to_json()
    write_manifest(output, canvas, glyphs, provenance)
    return report
