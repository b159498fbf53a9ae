"""Outlines from UFO: one GLIF file is one glyph, in font units with y up."""

from __future__ import annotations

import plistlib
import re
from pathlib import Path
from types import SimpleNamespace
from xml.etree.ElementTree import ParseError
from xml.parsers.expat import ExpatError

from fontTools.pens.basePen import MissingComponentError
from fontTools.pens.pointPen import PointToSegmentPen
from fontTools.pens.recordingPen import DecomposingRecordingPen, RecordingPen, RecordingPointPen
from fontTools.pens.transformPen import TransformPen
from fontTools.ufoLib.errors import UFOLibError
from fontTools.ufoLib.glifLib import GlyphSet, readGlyphFromString

from fontgen.errors import ImageError
from fontgen.fonts.ufo_mark import DRAWN_KEY, drawing_digest
from fontgen.outlines.outline import Outline
from fontgen.outlines.svg import recorded_contours

_UNITS_PER_EM = 1000
_UNICODE = re.compile(rb'<unicode\s+hex\s*=\s*["\']([0-9A-Fa-f]{4,6})["\']')


def glyphs_of_ufo(ufo: Path) -> dict[int, Path]:
    """Codepoint -> GLIF file of a UFO's default layer, but for glyphs that still are as fontgen wrote them.

    Raises ImageError when the UFO has no glyph with a codepoint, or one of fontgen's cannot be read any more.
    """
    found: dict[int, Path] = {}
    has_any = False
    for path in sorted((ufo / "glyphs").glob("*.glif")):
        data = path.read_bytes()
        codes = _UNICODE.findall(data)
        has_any = has_any or bool(codes)
        if codes and not _is_untouched(path, data):
            for code in codes:
                found.setdefault(int(code, 16), path)
    if not has_any:
        raise ImageError(f"{ufo}: no glyph with a codepoint in it; export it again as UFO 3, or take it away")
    return found


def stands_as_in_font(path: Path) -> bool:
    """Whether a GLIF comes from a UFO that fontgen wrote of a finished font, edited or not."""
    return path.suffix.lower() == ".glif" and path.exists() and DRAWN_KEY.encode() in path.read_bytes()


def _is_untouched(path: Path, data: bytes) -> bool:
    if DRAWN_KEY.encode() not in data:
        return False
    glyph, points = SimpleNamespace(), RecordingPointPen()
    try:
        readGlyphFromString(data, glyph, points)
    except (ValueError, LookupError, UFOLibError, ExpatError, ParseError) as error:
        raise _unreadable(path, error) from error
    return bool(getattr(glyph, "lib", {}).get(DRAWN_KEY) == drawing_digest(points.value))


def _unreadable(path: Path, error: Exception) -> ImageError:
    return ImageError(f"{path}: not readable as a UFO glyph ({error}); export it again or remove it")


def read_glif(path: Path) -> Outline:
    """Read one glyph; in a UFO its units per em and its components count, alone an em has 1,000 units.

    Directions count as drawn, PostScript's way round. Raises ImageError when the file is missing or damaged, or refers
    to a component that is not there.
    """
    in_ufo = (path.parent / "contents.plist").exists()
    drawn, placed = DecomposingRecordingPen({}), RecordingPen()
    try:
        units = _units_per_em(path.parent.parent / "fontinfo.plist") if in_ufo else _UNITS_PER_EM
        if in_ufo:
            drawn = DecomposingRecordingPen(GlyphSet(str(path.parent)))
        readGlyphFromString(path.read_bytes(), None, PointToSegmentPen(drawn))
        drawn.replay(TransformPen(placed, (1 / units, 0, 0, 1 / units, 0, 0)))
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such UFO glyph") from error
    except (OSError, ValueError, LookupError, MissingComponentError, UFOLibError, ExpatError, ParseError) as error:
        raise _unreadable(path, error) from error
    return Outline(tuple(recorded_contours(placed)))


def _units_per_em(path: Path) -> float:
    with path.open("rb") as file:
        return float(plistlib.load(file).get("unitsPerEm", _UNITS_PER_EM))
