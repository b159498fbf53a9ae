"""The font as UFO 3, for hand work in a font editor: drawings, metrics, names, and what was generated.

Keys are those of the UFO 3 specification (fontinfo.plist, lib.plist, GLIF). Layout features and kerning are not in
it: edited glyphs come back into a build as overrides, where the base font's own tables still stand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Mapping
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fontTools.pens.pointPen import SegmentToPointPen
from fontTools.pens.recordingPen import RecordingPointPen
from fontTools.pens.reverseContourPen import ReverseContourPen
from fontTools.ttLib import TTFont
from fontTools.ufoLib import UFOFileStructure, UFOWriter
from fontTools.ufoLib.errors import UFOLibError

from fontgen.errors import FontError
from fontgen.files import atomic_folder
from fontgen.fonts.base import font_bytes
from fontgen.fonts.glyf import Drawable, truetype_bounds
from fontgen.fonts.ufo_info import font_info
from fontgen.fonts.ufo_mark import DRAWN_KEY, drawing_digest

GENERATED_COLOUR = "0.55,0.75,1,1"
"""public.markColor (red, green, blue, alpha) of generated glyphs: blue."""
SUSPECT_COLOUR = "1,0.45,0.35,1"
"""public.markColor of generated glyphs that the gate doubts: red."""
SUSPECT_KEY = "fontgen.suspect"

_DIGEST = Path("data") / "fontgen" / "glyphs.sha256"
_CREATOR = "fontgen"


def require_replaceable(path: Path) -> None:
    """Raise FontError when something lies at `path` that fontgen did not write, or that was edited since."""
    if not path.exists():
        return
    try:
        untouched = (path / _DIGEST).read_text(encoding="ascii").strip() == _glyphs_digest(path)
    except (OSError, ValueError):
        untouched = False
    if not untouched:
        raise FontError(
            f"{path}: has hand work in it, or is not a UFO of fontgen's; move it (into the overrides folder, so that "
            "edited glyphs count) or choose another name"
        )


def write_ufo(
    font: TTFont, output: Path, drawings: Mapping[int, Drawable], *, suspects: Container[int] = frozenset()
) -> None:
    """Write the folder `output`: every glyph of `font`, those of `drawings` from the drawings themselves.

    `drawings`: codepoint -> the outline of a generated glyph, whose cubics then count and not what `font` has of
    them. All outer contours turn counter-clockwise. Raises FontError as `require_replaceable`, and for names or
    metrics that a UFO cannot hold; WorkspaceError when the folder cannot be written. Equal fonts give equal files.
    """
    require_replaceable(output)
    font = TTFont(BytesIO(font_bytes(font)), recalcBBoxes=False, recalcTimestamp=False)  # reading unpacks glyphs
    units_per_em, order, mapping = font["head"].unitsPerEm, font.getGlyphOrder(), font.getBestCmap()
    made = {mapping[codepoint]: codepoint for codepoint in sorted(drawings, reverse=True)}
    origins = _vertical_origins(font)
    shown = _codepoints_shown(mapping)
    drawn = font.getGlyphSet()
    with atomic_folder(output) as folder:
        writer = UFOWriter(str(folder), fileCreator=_CREATOR, structure=UFOFileStructure.PACKAGE)
        glyphs = writer.getGlyphSet()
        for name in order:
            points = RecordingPointPen()
            if name in made:
                drawings[made[name]].draw(SegmentToPointPen(points), units_per_em=units_per_em)
            else:
                pen = SegmentToPointPen(points)
                drawn[name].draw(ReverseContourPen(pen) if "glyf" in font else pen)
            record = SimpleNamespace(width=font["hmtx"].metrics[name][0], unicodes=shown.get(name, []), lib={})
            if "vmtx" in font:
                record.height = font["vmtx"].metrics[name][0]
                record.lib["public.verticalOrigin"] = origins[name]
            if name in made:
                doubted = made[name] in suspects
                record.lib["public.markColor"] = SUSPECT_COLOUR if doubted else GENERATED_COLOUR
                record.lib[DRAWN_KEY] = drawing_digest(points.value)
                if doubted:
                    record.lib[SUSPECT_KEY] = True
            glyphs.writeGlyph(name, record, points.replay)
        glyphs.writeContents()
        writer.writeLayerContents(["public.default"])
        try:
            writer.writeInfo(SimpleNamespace(**font_info(font)))
        except UFOLibError as error:
            raise FontError(
                f"{output}: the base font's tables do not fit a UFO ({error}); correct the base font"
            ) from error
        writer.writeLib(_lib(font))
        writer.close()
        (folder / _DIGEST).parent.mkdir(parents=True)
        (folder / _DIGEST).write_text(_glyphs_digest(folder) + "\n", encoding="ascii")


def _codepoints_shown(mapping: Mapping[int, str]) -> dict[str, list[int]]:
    """Glyph name -> the codepoints that a cmap gives it, in order."""
    shown: dict[str, list[int]] = {}
    for codepoint, name in sorted(mapping.items()):
        shown.setdefault(name, []).append(codepoint)
    return shown


def _glyphs_digest(ufo: Path) -> str:
    """Digest of all glyphs of all layers, by file name and bytes."""
    digest = hashlib.sha256()
    for path in sorted(ufo.glob("glyphs*/*.glif")):
        digest.update(f"{path.relative_to(ufo).as_posix()}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _vertical_origins(font: TTFont) -> dict[str, int]:
    """y of the origin in vertical lines: VORG, else the top of the box and the top side bearing (OpenType: vmtx)."""
    if "vmtx" not in font:
        return {}
    order, metrics = font.getGlyphOrder(), font["vmtx"].metrics
    if "VORG" in font:
        vorg = font["VORG"]
        return {name: vorg.VOriginRecords.get(name, vorg.defaultVertOriginY) for name in order}
    boxes = truetype_bounds(font) if "glyf" in font else {}
    ascender = font["OS/2"].sTypoAscender
    return {name: box[3] + metrics[name][1] if (box := boxes.get(name)) else ascender for name in order}


def _lib(font: TTFont) -> dict[str, Any]:
    lib: dict[str, Any] = {"public.glyphOrder": font.getGlyphOrder()}
    mapping, sequences = font.getBestCmap(), {}
    for table in font["cmap"].tables:
        if table.format != 14:
            continue
        for selector, pairs in sorted(table.uvsDict.items()):
            names = {f"{codepoint:04X}": name or mapping[codepoint] for codepoint, name in sorted(pairs)}
            sequences[f"{selector:04X}"] = names
    if sequences:
        lib["public.unicodeVariationSequences"] = sequences
    return lib
