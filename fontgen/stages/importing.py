"""Importing a foreign checkpoint: its canvas from zi2zi's numbers, then the weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from fontgen.canvas import DEFAULT_DESCENDER_EM
from fontgen.errors import CheckpointError
from fontgen.fonts.face import FontRef, open_face
from fontgen.recipe import Zi2ziTable

_USUAL_ASCENDER_EM = 1.0 + DEFAULT_DESCENDER_EM
"""The ascender that offsets of 0 go with when the em box, at its usual place, is to fill the canvas."""


def import_checkpoint(
    path: Path,
    output: Path,
    *,
    size_px: int | None = None,
    char_size: int | None = None,
    source: Path | None = None,
    target: Path | None = None,
    src_offset: tuple[float, float] = (0.0, 0.0),
    dst_offset: tuple[float, float] = (0.0, 0.0),
    fit: Literal["em", "box"] = "em",
    styles: Sequence[str] = (),
    norm: Literal["instance", "none"] = "instance",
    attention: Literal["auto", "down", "both"] = "auto",
) -> tuple[dict[str, Any], list[str]]:
    """Write a generator of zi2zi-pytorch as a checkpoint of ours: what it is, and what had to be assumed.

    `source` and `target` are fonts of the training run, of which the ascenders are read: zi2zi's vertical offsets
    count from there. Offsets are (x, y) in pixels. Raises CheckpointError, FontError, and ImageError for a geometry
    that is none.
    """
    from fontgen.zi2zi.header import describe_checkpoint
    from fontgen.zi2zi.legacy_import import import_foreign, read_foreign_generator

    found = read_foreign_generator(path)
    assumed = []
    size = size_px or found.usual_size_px
    if size is None:
        raise CheckpointError(
            f"{path}: give the canvas with --size, a multiple of {2 ** len(found.channels)} px; the weights do not tell"
        )
    if size_px is None and found.sizes_px != [size]:
        assumed.append(f"a canvas of {size} px, as zi2zi-pytorch has it for {len(found.channels)} levels (--size)")
    if char_size is None:
        assumed.append(f"{size} px an em (--char-size)")
    if found.norm == "none or instance":
        assumed.append(f"norm {norm} (--norm)")
    if attention == "auto" and any(each.place == "unknown" for each in found.attention):
        ways = "both" if found.attends_both_ways else "down"
        assumed.append(f"attention that applies {'on both ways' if ways == 'both' else 'downwards'} (--attention)")
    for font, option, offset in ((source, "source", src_offset), (target, "target", dst_offset)):
        if offset[1] and font is None:
            raise CheckpointError(
                f"{path}: zi2zi's y offset of the {option} counts from the font's ascender; "
                f"give the font of the run with --{option}"
            )
    geometry = Zi2ziTable(
        canvas_size=size,
        char_size=char_size or size,
        src_x_offset=src_offset[0],
        src_y_offset=src_offset[1],
        dst_x_offset=dst_offset[0],
        dst_y_offset=dst_offset[1],
        fit=fit,
    )
    source_ascender, target_ascender = _ascender_em(source), _ascender_em(target)
    metadata: dict[str, Any] = {"fit": fit, "fonts": {}}
    if fit == "em":
        placement = geometry.source_placement(source_ascender, target_ascender).to_json()
        metadata["placements"] = {str(index): placement for index in range(found.embedding_num)}
        if source is None and target is None:
            assumed.append("fonts with an ascender of 0.88 em (--source, --target)")
    import_foreign(
        path,
        output,
        found,
        canvas=geometry.target_canvas(target_ascender),
        styles=styles,
        norm=norm,
        attention=attention,
        metadata=metadata,
    )
    return describe_checkpoint(output), assumed


def _ascender_em(font: Path | None) -> float:
    return _USUAL_ASCENDER_EM if font is None else open_face(FontRef.of(font)).ascender_em
