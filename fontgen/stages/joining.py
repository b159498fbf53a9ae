"""A folder of glyph images or outlines as glyphs ready to join a font."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from fontgen.canvas import Placement
from fontgen.fonts.join import AssembledGlyph
from fontgen.glyphs.store import ImageFolder
from fontgen.outlines.folder import (
    BATCH,
    FEW_BATCHES,
    in_batches,
    outline_records,
    read_outline_folder,
    trace_images,
)
from fontgen.outlines.outline import Outline
from fontgen.outlines.settings import TraceSettings
from fontgen.parallel import parallel_map


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
        tracer = partial(trace_images, canvas=folder.canvas, settings=settings or TraceSettings())
        batches = parallel_map(tracer, in_batches(folder.files.items(), BATCH), chunk=1, few=FEW_BATCHES)
        for codepoint, outline, problem in chain.from_iterable(batches):
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
