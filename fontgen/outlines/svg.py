"""Outlines as SVG files that a drawing program can edit, and back.

Coordinates in the path are font units with y up, as type designers know them; the y axis flips in the
group's `transform="scale(1 -1)"`. The viewBox is the em square (descender -0.12 em), and that is what gives
an SVG its scale when it is read: one em is the height of the viewBox, the baseline lies 0.12 em above its
lower edge. A drawing from elsewhere, with or without transforms, is therefore read right as long as its
artboard is the em square.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import chain, islice, pairwise
from math import cos, radians, sin, tan
from pathlib import Path
from xml.etree import ElementTree
from zlib import crc32

import numpy as np
from fontTools.misc.transform import Identity, Transform
from fontTools.pens.recordingPen import DecomposingRecordingPen, RecordingPen
from fontTools.pens.transformPen import TransformPen
from fontTools.svgLib.path import PathBuilder, parse_path
from numpy.typing import NDArray

from fontgen.canvas import DEFAULT_DESCENDER_EM
from fontgen.errors import ImageError
from fontgen.files import write_text
from fontgen.fonts.glyf import started_on_curve
from fontgen.outlines.cubic import Point
from fontgen.outlines.outline import Contour, Outline, Segment, reversed_contour, signed_area
from fontgen.outlines.truetype import SplineContours
from fontgen.outlines.winding import wind_by_nesting

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_TRANSFORM = re.compile(r"(matrix|translate|scale|rotate|skewX|skewY)\s*\(([^)]*)\)")


def write_svg(path: Path, outline: Outline, units_per_em: int = 1000) -> None:
    """Write one glyph; `read_svg` gives the same outline back to 1e-6 em."""
    write_text(path, svg_text(outline, units_per_em))


def svg_text(outline: Outline, units_per_em: int = 1000) -> str:
    """The file's text. Splines go into an attribute of the path, with a checksum of the path that they belong to."""
    top = -(1.0 + DEFAULT_DESCENDER_EM) * units_per_em
    numbers, pattern = [], []
    for contour in outline.contours:
        pattern.append("M%.7g %.7g")
        numbers.append(contour[-1][-1])
        for segment in contour:
            pattern.append(_LINE if len(segment) == 1 else _CUBIC)
            numbers += segment
        pattern.append("Z\n")
    data = ("".join(pattern) % _units(numbers, units_per_em)).rstrip()
    splines = ""
    if outline.splines is not None:
        splines = f'\n{_SPLINES}="{_checksum(data)} {_spline_text(outline.splines, units_per_em)}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 {top:g} {units_per_em} {units_per_em}" '
        f'overflow="visible">\n<g transform="scale(1 -1)">\n<path d="{data}"{splines}/>\n</g>\n</svg>\n'
    )


_LINE, _CUBIC = "L%.7g %.7g", "C%.7g %.7g %.7g %.7g %.7g %.7g"
"""Seven digits: a thousandth of a unit of a glyph up to ten em wide, and whole numbers as they are."""

_SPLINES = "data-truetype"
"""Attribute with x, y and 1 (on-curve), 0 (off-curve) or 2 (on-curve, first of a contour) for every point."""


def _units(points: Iterable[Point], units_per_em: int) -> tuple[float, ...]:
    flat = np.array(list(chain.from_iterable(points)), np.float64)
    # A thousandth of a unit; adding 0 makes -0 plain.
    return tuple((np.rint(flat * units_per_em * 1e3) / 1e3 + 0.0).tolist())


def _spline_text(splines: SplineContours, units_per_em: int) -> str:
    kinds = splines.on_curve.astype(np.float64)
    kinds[splines.starts[:-1]] = 2
    columns = np.stack([splines.points.real * units_per_em, splines.points.imag * units_per_em, kinds], axis=1)
    rounded = np.rint(columns * 1e3) / 1e3 + 0.0
    return ("%.7g %.7g %d " * len(rounded) % tuple(rounded.ravel().tolist())).rstrip()


def _checksum(data: str) -> str:
    """Of a path without its white space, which programs change at will."""
    return f"{crc32(''.join(data.split()).encode()):08x}"


def read_svg(path: Path) -> Outline:
    """Read one glyph: our own files or hand-made ones with paths and basic shapes, curves of any kind.

    Open paths are closed. With `fill-rule="evenodd"` anywhere the winding is set from nesting; otherwise the
    drawn directions count (overlapping strokes stay ink), turned round as a whole where the largest contour
    runs clockwise.

    Raises ImageError when the file is missing, is not SVG, has no viewBox or a path that cannot be read.
    """
    try:
        text = path.read_bytes()
        if (own := _OWN.fullmatch(text)) is not None and (outline := _read_own(own)) is not None:
            return outline
        root = ElementTree.fromstring(text)
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such SVG file") from error
    except (OSError, ElementTree.ParseError) as error:
        raise ImageError(f"{path}: not readable as SVG ({error}); export it again or remove it") from error
    pen = RecordingPen()
    try:
        _draw(root, TransformPen(pen, _to_em(root, path)), Identity)
        contours = recorded_contours(pen)
    except (ValueError, IndexError, TypeError, AssertionError, NotImplementedError) as error:
        raise ImageError(f"{path}: a path in it cannot be read ({error}); simplify it in a drawing program") from error
    if re.search(rb"""(fill-rule\s*[:=]\s*["']?\s*evenodd)""", text):
        return Outline(tuple(wind_by_nesting(contours)))
    if contours and signed_area(max(contours, key=lambda contour: abs(signed_area(contour)))) < 0:
        contours = [reversed_contour(contour) for contour in contours]
    return Outline(tuple(contours))


_OWN = re.compile(
    rb'<svg xmlns="http://www\.w3\.org/2000/svg" viewBox="0 (-[0-9.]+) ([0-9]+) \2" overflow="visible">\n'
    rb'<g transform="scale\(1 -1\)">\n<path d="([-+0-9.e MLCZ\n]*)"'
    rb'(?:\ndata-truetype="([0-9a-f]{8}) ([-+0-9.e ]*)")?/>\n</g>\n</svg>\n'
)
"""A file as `svg_text` writes it, whoever changed its numbers since: read ten times as fast as any other."""


def _read_own(own: re.Match[bytes]) -> Outline | None:
    """None when its numbers do not fit its commands after all."""
    units_per_em, lift = _own_scale(own)
    data = own[3].decode()
    contours: list[Contour] = []
    for part in data.split("Z"):
        commands = _COMMANDS.findall(part)
        if not commands:
            continue
        arguments = [part.split() for _, part in commands]
        if [len(each) for each in arguments] != [_NUMBERS[command] for command, _ in commands] or commands[0][0] != "M":
            return None
        pairs = iter(_em_points(list(chain.from_iterable(arguments)), units_per_em, lift))
        start = next(pairs)
        contour = [tuple(islice(pairs, _NUMBERS[command] // 2)) for command, _ in commands[1:]]
        if not contour or contour[-1][-1] != start:
            contour.append((start,))
        contours.append(tuple(contour))
    return Outline(tuple(contours), _own_splines(own))


def read_splines(path: Path) -> SplineContours | None:
    """The splines that `read_svg` would give, in a third of its time; None unless it is a file of ours with some."""
    try:
        own = _OWN.fullmatch(path.read_bytes())
    except OSError:
        return None
    return None if own is None else _own_splines(own)


def _own_splines(own: re.Match[bytes]) -> SplineContours | None:
    if own[4] is None or own[4].decode() != _checksum(own[3].decode()):
        return None
    units_per_em, lift = _own_scale(own)
    columns = np.array(own[5].split(), np.float64).reshape(-1, 3)
    points = _em(columns[:, 0], units_per_em) + 1j * (_em(columns[:, 1], units_per_em) + lift)
    starts = np.append(np.flatnonzero(columns[:, 2] == 2), len(columns))
    return SplineContours(points, columns[:, 2] > 0, starts)


def _own_scale(own: re.Match[bytes]) -> tuple[int, float]:
    """Units to the em, and by how many em the outline stands higher than its numbers say."""
    units_per_em = int(own[2])
    return units_per_em, DEFAULT_DESCENDER_EM + (float(own[1]) + units_per_em) / units_per_em


_COMMANDS = re.compile("([MLC])([^MLCZ]*)")
_NUMBERS = {"M": 2, "L": 2, "C": 6}


def _em(units: NDArray[np.float64], units_per_em: int) -> NDArray[np.float64]:
    # Through whole thousandths: exactly the numbers that were written.
    return np.rint(units * 1e3) / (1e3 * units_per_em)


def _em_points(numbers: list[str], units_per_em: int, lift: float) -> list[Point]:
    em = _em(np.array(numbers, np.float64), units_per_em)
    return list(zip(em[0::2].tolist(), (em[1::2] + lift).tolist(), strict=True))


def _to_em(root: ElementTree.Element, path: Path) -> Transform:
    box = [float(number) for number in _NUMBER.findall(root.get("viewBox", ""))]
    if len(box) != 4:
        size = [_NUMBER.match(root.get(name, "")) for name in ("width", "height")]
        if size[0] is None or size[1] is None:
            raise ImageError(f'{path}: has no viewBox; give it one that is the em square, like "0 -880 1000 1000"')
        box = [0.0, 0.0, float(size[0][0]), float(size[1][0])]
    left, top, _, height = box
    if height <= 0:
        raise ImageError(f"{path}: its viewBox has no height; make it the em square")
    scale = 1.0 / height
    return Transform(scale, 0, 0, -scale, -left * scale, (top + height) * scale + DEFAULT_DESCENDER_EM)


def _draw(element: ElementTree.Element, pen: TransformPen, transform: Transform) -> None:
    tag = element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
    if tag in {"defs", "clipPath", "mask", "symbol", "metadata"} or element.get("display") == "none":
        return
    transform = transform.transform(_transform(element.get("transform", "")))
    builder = PathBuilder()
    shape = ElementTree.Element(tag, {key: value for key, value in element.attrib.items() if key != "transform"})
    builder.add_path_from_element(shape)
    for data in builder.paths:
        if data.strip():
            parse_path(data, TransformPen(pen, transform))
    for child in element:
        _draw(child, pen, transform)


def _transform(text: str) -> Transform:
    result = Identity
    for name, arguments in _TRANSFORM.findall(text):
        numbers = [float(number) for number in _NUMBER.findall(arguments)]
        result = result.transform(_single_transform(name, numbers))
    return result


def _single_transform(name: str, numbers: list[float]) -> Transform:
    if name == "matrix":
        return Transform(*numbers)
    if name == "translate":
        return Transform(dx=numbers[0], dy=numbers[1] if len(numbers) > 1 else 0.0)
    if name == "scale":
        return Transform(xx=numbers[0], yy=numbers[-1])
    if name == "rotate":
        angle = radians(numbers[0])
        x, y = numbers[1:] if len(numbers) > 1 else (0.0, 0.0)
        turn = Transform(cos(angle), sin(angle), -sin(angle), cos(angle))
        return Transform(dx=x, dy=y).transform(turn).transform(Transform(dx=-x, dy=-y))
    slope = tan(radians(numbers[0]))
    return Transform(yx=slope) if name == "skewX" else Transform(xy=slope)


def recorded_contours(pen: RecordingPen) -> list[Contour]:
    """The contours that were drawn into a recording pen, quadratics as cubics, open ones closed."""
    flat = DecomposingRecordingPen({})
    pen.replay(flat)
    flat.value = started_on_curve(flat.value)
    contours: list[Contour] = []
    segments: list[Segment] = []
    start: Point = (0.0, 0.0)
    for operator, points in flat.value:
        if operator == "moveTo":
            start, segments = points[0], []
            here = start
        elif operator == "lineTo":
            segments.append((points[0],))
            here = points[0]
        elif operator == "curveTo":
            segments.append(points)
            here = points[-1]
        elif operator == "qCurveTo":
            for control, end in _quadratics(points):
                segments.append((_between(here, control), _between(end, control), end))
                here = end
        else:
            if segments and here != start:
                segments.append((start,))
            contour = tuple(s for s in segments)
            if contour and signed_area(contour) != 0:
                contours.append(contour)
            segments = []
    return contours


def _quadratics(points: tuple[Point, ...]) -> list[tuple[Point, Point]]:
    """(control, end) pairs of a quadratic spline with implied on-curve points."""
    controls, end = points[:-1], points[-1]
    joints = [((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in pairwise(controls)]
    return list(zip(controls, [*joints, end], strict=True))


def _between(end: Point, control: Point) -> Point:
    """The cubic control point of a quadratic: two thirds of the way to its control point."""
    return end[0] + (control[0] - end[0]) * 2 / 3, end[1] + (control[1] - end[1]) * 2 / 3
