"""How true and how lean traced outlines are: `python -m benchmarks.outline_roundtrip FONT...`, or `make bench-outline`.

Perfect images of a font's own glyphs are traced, a TrueType and a CFF font are built from the outlines, and
both are drawn at 1000 pixels per em and compared with the font itself: intersection over union of the pixels
at least half covered (mean, 5th percentile, worst), points against the font's own, and the share of upright
and level edges (80 units and longer, overlaps removed) that come out within 1 unit. A glyph below 0.95 is
counted as wrong: that is what a lost counter or a turned contour costs; so is one with a contour that turns the
wrong way or crosses (`outline_faults.py`). Last comes the speed from a folder of images to a saved TTF
(`outline_speed.py`). Everything goes into `benchmarks/results/outline.json` as well.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pathops
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.recordingPen import DecomposingRecordingPen, RecordingPen
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont
from numpy.typing import NDArray

from benchmarks.outline_faults import crossings, is_miswound, polygons
from benchmarks.outline_speed import measure_speed
from fontgen.canvas import Canvas
from fontgen.errors import codepoint_name
from fontgen.files import write_json
from fontgen.fonts.face import Face, FontRef
from fontgen.glyphs.render import render_ink
from fontgen.outlines.folder import BATCH, in_batches
from fontgen.outlines.genre import for_font
from fontgen.outlines.outline import Outline
from fontgen.outlines.settings import Genre, TraceSettings
from fontgen.outlines.trace import trace_inks

UNITS_PER_EM = 1000
_TILE_PX, _TILES = 256, 5
_WRONG_IOU = 0.95
_STEM_UNITS = 80

Operations = list[tuple[str, tuple[Any, ...]]]


@dataclass(frozen=True)
class Row:
    font: str
    size_px: int
    glyphs: int
    true_points: float
    kind: str
    iou: NDArray[np.float64]
    points: float
    stems_within_1: float
    glyphs_per_second: float
    miswound: list[int]
    """Codepoints with a contour that turns the wrong way."""
    crossing: list[int]
    """Codepoints with contours that cross."""

    def to_json(self) -> dict[str, Any]:
        return {
            "font": self.font,
            "size_px": self.size_px,
            "glyphs": self.glyphs,
            "curves": self.kind,
            "iou_mean": round(float(self.iou.mean()), 5),
            "iou_p5": round(float(np.percentile(self.iou, 5)), 5),
            "iou_worst": round(float(self.iou.min()), 5),
            "wrong": int((self.iou < _WRONG_IOU).sum()),
            "miswound": [codepoint_name(codepoint) for codepoint in self.miswound],
            "crossing": [codepoint_name(codepoint) for codepoint in self.crossing],
            "points": round(self.points, 1),
            "true_points": round(self.true_points, 1),
            "points_ratio": round(self.points / self.true_points, 3),
            "stems_within_1_unit": round(self.stems_within_1, 4),
            "traced_per_second_one_core": round(self.glyphs_per_second, 1),
        }


def measure(path: Path, face_index: int, size_px: int, count: int, seed: int, settings: TraceSettings) -> Iterator[Row]:
    """One row for TrueType and one for CFF outlines."""
    face = Face(FontRef.of(path, face_index))
    truth = TTFont(path, fontNumber=face_index)
    settings = for_font(settings, truth)
    codepoints = _sample(face, count, seed)
    canvas = Canvas(size_px=size_px)
    images = [render_ink(face, codepoint, canvas) for codepoint in codepoints]
    begun = time.process_time()
    outlines = [outline for batch in in_batches(images, BATCH) for outline in trace_inks(batch, canvas, settings)]
    per_second = len(outlines) / (time.process_time() - begun)
    true_operations = [_true_operations(truth, codepoint) for codepoint in codepoints]
    true_points = float(np.mean([_count_points(operations) for operations in true_operations]))
    true_images = [_draw(face, codepoint) for codepoint in codepoints]
    scale = UNITS_PER_EM / truth["head"].unitsPerEm
    stems = [_axis_edges(_without_overlaps(operations), scale) for operations in true_operations]
    for kind in ("quadratic", "cubic"):
        drawn = [_operations(outline, kind) for outline in outlines]
        with tempfile.TemporaryDirectory(prefix="fontgen-bench-") as folder:
            font = Path(folder) / "traced.otf"
            _build(font, codepoints, outlines, kind)
            traced = Face(FontRef.of(font))
            stored = TTFont(font)
            flat = {codepoint: polygons(_true_operations(stored, codepoint)) for codepoint in codepoints}
            iou = [
                _iou(_draw(traced, codepoint), true) for codepoint, true in zip(codepoints, true_images, strict=True)
            ]
        yield Row(
            font=path.stem,
            size_px=size_px,
            glyphs=len(codepoints),
            true_points=true_points,
            kind=kind,
            iou=np.array(iou),
            points=float(np.mean([_count_points(operations) for operations in drawn])),
            stems_within_1=_share_within(stems, [_axis_edges(operations, 1.0) for operations in drawn]),
            glyphs_per_second=per_second,
            miswound=[c for c, outline in flat.items() if is_miswound(outline, kind == "quadratic", UNITS_PER_EM)],
            crossing=[c for c, outline in flat.items() if crossings(outline)],
        )


def _sample(face: Face, count: int, seed: int) -> list[int]:
    han = [codepoint for codepoint in sorted(face.cmap) if 0x4E00 <= codepoint <= 0x9FFF]
    codepoints = han or [codepoint for codepoint in sorted(face.cmap) if face.bounds_em(codepoint)]
    drawn = random.Random(seed).sample(codepoints, min(count, len(codepoints)))
    return sorted(codepoint for codepoint in drawn if _lies_on_canvas(face, codepoint))


def _lies_on_canvas(face: Face, codepoint: int) -> bool:
    """Long strokes of brush fonts leave it, and what an image does not show no tracer can find."""
    box, canvas = face.bounds_em(codepoint), Canvas(size_px=256)
    corners = np.array([(*box[:2], 1.0), (*box[2:], 1.0)]) if box else np.zeros((0, 3))
    at = corners @ canvas.em_to_px.T
    return bool(((at >= 0) & (at <= canvas.size_px)).all())


def _operations(outline: Outline, kind: str) -> Operations:
    pen = RecordingPen()
    if kind == "cubic":
        outline.draw(pen, units_per_em=UNITS_PER_EM)
    else:
        outline.draw_quadratic(pen, units_per_em=UNITS_PER_EM)
    return cast(Operations, pen.value)


def _true_operations(font: TTFont, codepoint: int) -> Operations:
    glyphs = font.getGlyphSet()
    pen = DecomposingRecordingPen(glyphs)
    glyphs[font.getBestCmap()[codepoint]].draw(pen)
    return cast(Operations, pen.value)


def _without_overlaps(operations: Operations) -> Operations:
    path = pathops.Path()
    pen = path.getPen()
    for operator, points in operations:
        getattr(pen, operator)(*points)
    path.simplify()
    simple = RecordingPen()
    path.draw(simple)
    return cast(Operations, simple.value)


def _count_points(operations: Operations) -> int:
    count, start, here = 0, None, None
    for operator, points in operations:
        count += len(points)
        if operator == "moveTo":
            start = points[0]
        elif operator == "closePath" and here == start:
            count -= 1  # drawn, but not stored twice
        here = points[-1] if points else here
    return count


def _axis_edges(operations: Operations, scale: float) -> list[tuple[bool, float, float, float]]:
    """(level, coordinate, from, to) of straight edges on an axis, in units of 1000 per em."""
    edges = []
    start = here = (0.0, 0.0)
    for operator, points in operations:
        if operator == "moveTo":
            start = here = points[0]
        elif operator in {"lineTo", "closePath"}:
            end = points[0] if points else start
            for level, along, across in ((True, 0, 1), (False, 1, 0)):
                if here[across] == end[across] and abs(here[along] - end[along]) * scale >= _STEM_UNITS:
                    low, high = sorted((here[along] * scale, end[along] * scale))
                    edges.append((level, here[across] * scale, low, high))
            here = end
        elif points and points[-1] is not None:  # None ends a contour without any on-curve point
            here = points[-1]
    return edges


def _share_within(truth: list[Any], traced: list[Any]) -> float:
    """Share of the true edges that a traced edge of the same direction matches to 1 unit."""
    hits = total = 0
    for true_edges, edges in zip(truth, traced, strict=True):
        for level, at, low, high in true_edges:
            total += 1
            middle = (low + high) / 2
            hits += any(
                other == level and abs(where - at) <= 1.0 and first - 20 <= middle <= last + 20
                for other, where, first, last in edges
            )
    return hits / total if total else 1.0


def _draw(face: Face, codepoint: int) -> NDArray[np.bool_]:
    """The glyph at 1000 px per em, in tiles small enough for FreeType's raster."""
    side = _TILE_PX * _TILES
    affine = Canvas(size_px=side, margin_em=(side / 1000 - 1) / 2).em_to_px
    rows = []
    for row in range(_TILES):
        tiles = []
        for col in range(_TILES):
            shifted = affine.copy()
            shifted[:, 2] -= (col * _TILE_PX, row * _TILE_PX)
            tiles.append(face.rasterize(codepoint, shifted, _TILE_PX) >= 128)
        rows.append(np.concatenate(tiles, axis=1))
    return np.concatenate(rows)


def _iou(one: NDArray[np.bool_], two: NDArray[np.bool_]) -> float:
    union = int((one | two).sum())
    return int((one & two).sum()) / union if union else 1.0


def _build(path: Path, codepoints: list[int], outlines: list[Outline], kind: str) -> None:
    names = [f"u{codepoint:X}" for codepoint in codepoints]
    builder = FontBuilder(UNITS_PER_EM, isTTF=kind == "quadratic")
    builder.setupGlyphOrder([".notdef", *names])
    builder.setupCharacterMap(dict(zip(codepoints, names, strict=True)))
    glyphs: dict[str, Any] = {}
    for name, outline in zip([".notdef", *names], [Outline(), *outlines], strict=True):
        if kind == "quadratic":
            quadratic = TTGlyphPen(None)
            outline.draw_quadratic(quadratic, units_per_em=UNITS_PER_EM)
            glyphs[name] = quadratic.glyph()
            glyphs[name].recalcBounds(None)
        else:
            cubic = T2CharStringPen(UNITS_PER_EM, None)
            outline.draw(cubic, units_per_em=UNITS_PER_EM)
            glyphs[name] = cubic.getCharString()
    if kind == "quadratic":
        builder.setupGlyf(glyphs)
    else:
        builder.setupCFF("Traced", {}, glyphs, {})
    bearings = {name: getattr(glyph, "xMin", 0) if kind == "quadratic" else 0 for name, glyph in glyphs.items()}
    builder.setupHorizontalMetrics({name: (UNITS_PER_EM, bearing) for name, bearing in bearings.items()})
    builder.setupHorizontalHeader(ascent=880, descent=-120)
    builder.setupOS2()
    builder.setupNameTable({"familyName": "Traced", "styleName": "Regular"})
    builder.setupPost()
    builder.save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    root = Path(__file__).parents[1]
    parser.add_argument("fonts", nargs="*", type=Path, default=[root / "fixtures" / "zen-maru-gothic-bold.ttf"])
    parser.add_argument("--face-index", type=int, default=0, help="face of a collection (default 0)")
    parser.add_argument("--size", type=int, nargs="+", default=[256, 384], help="image sizes in px (default 256 384)")
    parser.add_argument("--count", type=int, default=100, help="glyphs drawn by lot from the font (default 100)")
    parser.add_argument("--seed", type=int, default=1, help="the lot (default 1)")
    parser.add_argument("--genre", default="auto", help="preset of the tracer (default: by the font's own outlines)")
    parser.add_argument("--method", default="fit", choices=["fit", "potrace"])
    parser.add_argument("--tolerance-em", type=float, default=None, help="tolerance of the fit (default: the tracer's)")
    parser.add_argument(
        "--speed-count", type=int, default=2000, help="images for the measure of speed, 0 for none (default 2000)"
    )
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results" / "outline.json")
    options = parser.parse_args()
    settings = TraceSettings(genre=cast(Genre, options.genre), method=options.method)
    if options.tolerance_em is not None:
        settings = settings.model_copy(update={"tolerance_em": options.tolerance_em})
    print(
        f"{'font':32} {'px':>4} {'curves':9} {'IoU':>7} {'p5':>7} {'worst':>7} {'wrong':>5} "
        f"{'points':>7} {'true':>6} {'ratio':>5} {'stems':>6} {'1/s':>5}"
    )
    results: dict[str, list[dict[str, Any]]] = {"fidelity": [], "speed": []}
    for font in options.fonts:
        for size_px in options.size:
            for row in measure(font, options.face_index, size_px, options.count, options.seed, settings):
                data = row.to_json()
                results["fidelity"].append(data)
                print(
                    f"{row.font[:32]:32} {size_px:4} {row.kind:9} {data['iou_mean']:7.4f} {data['iou_p5']:7.4f} "
                    f"{data['iou_worst']:7.4f} {data['wrong']:5} {row.points:7.1f} {row.true_points:6.1f} "
                    f"{data['points_ratio']:5.2f} {row.stems_within_1:6.1%} {row.glyphs_per_second:5.0f}",
                    flush=True,
                )
    for font in options.fonts if options.speed_count else []:
        speed = measure_speed(font, options.face_index, options.size[0], options.speed_count, settings)
        results["speed"].append(speed.to_json())
        print(speed.line(), flush=True)
    options.results.parent.mkdir(parents=True, exist_ok=True)
    write_json(options.results, results)


if __name__ == "__main__":
    main()
