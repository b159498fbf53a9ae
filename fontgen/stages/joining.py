"""A folder of glyph images or outlines as glyphs ready to join a font."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fontgen.canvas import Canvas, Placement
from fontgen.errors import GlyphError, ImageError
from fontgen.fonts.join import AssembledGlyph
from fontgen.glyphs.store import ImageFolder
from fontgen.outlines.folder import outline_records, read_outline_folder, trace_image
from fontgen.outlines.outline import Outline
from fontgen.outlines.settings import TraceSettings
from fontgen.parallel import parallel_map


class _Tracer:
    """Picklable: (codepoint, image) -> its outline, or what is wrong with it."""

    def __init__(self, canvas: Canvas, settings: TraceSettings) -> None:
        self.canvas, self.settings = canvas, settings

    def __call__(self, item: tuple[int, Path]) -> tuple[int, Outline | None, str]:
        codepoint, path = item
        try:
            return codepoint, trace_image(path, codepoint, self.canvas, self.settings), ""
        except (GlyphError, ImageError) as error:
            return codepoint, None, str(error)


def folder_glyphs(root: Path, settings: TraceSettings | None = None) -> tuple[Iterator[AssembledGlyph], dict[int, str]]:
    """Glyphs of a folder of SVG outlines, or of images, which are traced on the way.

    Returns the glyphs as a stream and a dict of codepoint -> problem that fills while they are read.
    A glyph's advance is the one that its folder records.
    """
    failed: dict[int, str] = {}
    if root.is_dir() and any(root.glob("*.svg")):
        records = outline_records(root)
        return (_glyph(c, outline, records.get(c, {})) for c, outline in read_outline_folder(root)), failed
    folder = ImageFolder.open(root)

    def glyphs() -> Iterator[AssembledGlyph]:
        tracer = _Tracer(folder.canvas, settings or TraceSettings())
        for codepoint, outline, problem in parallel_map(tracer, folder.files.items()):
            if outline is None:
                failed[codepoint] = problem
                continue
            yield _glyph(codepoint, outline, folder.glyphs.get(codepoint, {}))

    return glyphs(), failed


def _glyph(codepoint: int, outline: Outline, record: Mapping[str, Any]) -> AssembledGlyph:
    """The outline with its recorded advance, its box fit undone."""
    if "fit" in record:
        outline = outline.placed(Placement.from_json(record["fit"]).inverse())
    return AssembledGlyph(codepoint, outline, record.get("advance_em"))
