"""A folder of glyph images or outlines as glyphs ready to join a font."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from fontgen.canvas import DEFAULT_UNITS_PER_EM, Placement
from fontgen.fonts.join import AssembledGlyph
from fontgen.glyphs.store import ImageFolder
from fontgen.outlines.folder import (
    BATCH,
    FEW_BATCHES,
    in_batches,
    outline_files,
    outline_records,
    trace_images,
)
from fontgen.outlines.settings import TraceSettings
from fontgen.outlines.stored import StoredOutline
from fontgen.parallel import parallel_map


def folder_glyphs(
    root: Path, settings: TraceSettings | None = None, *, units_per_em: int = DEFAULT_UNITS_PER_EM
) -> tuple[Iterator[AssembledGlyph], dict[int, str]]:
    """Glyphs of a folder of SVG outlines, or of images, which are traced on the way for a font with `units_per_em`.

    Returns the glyphs as a stream and a dict of codepoint -> problem that fills while they are read.
    A glyph's advance is the one that its folder records.
    """
    failed: dict[int, str] = {}
    if root.is_dir() and any(root.glob("*.svg")):
        records = outline_records(root)
        return (
            AssembledGlyph(c, StoredOutline(path, _unfitting(records.get(c, {}))), records.get(c, {}).get("advance_em"))
            for c, path in outline_files(root).items()
        ), failed
    folder = ImageFolder.open(root)

    def glyphs() -> Iterator[AssembledGlyph]:
        tracer = partial(
            trace_images, canvas=folder.canvas, settings=settings or TraceSettings(), units_per_em=units_per_em
        )
        batches = parallel_map(tracer, in_batches(folder.files.items(), BATCH), chunk=1, few=FEW_BATCHES)
        for codepoint, outline, problem in chain.from_iterable(batches):
            if outline is None:
                failed[codepoint] = problem
                continue
            record = folder.glyphs.get(codepoint, {})
            for placement in _unfitting(record):
                outline = outline.placed(placement)
            yield AssembledGlyph(codepoint, outline, record.get("advance_em"))

    return glyphs(), failed


def _unfitting(record: Mapping[str, Any]) -> tuple[Placement, ...]:
    """Undoes the box fit of an image."""
    return (Placement.from_json(record["fit"]).inverse(),) if "fit" in record else ()
