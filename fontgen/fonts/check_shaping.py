"""Every mapped character through HarfBuzz, in horizontal and in vertical lines."""

from __future__ import annotations

from collections.abc import Iterator

import uharfbuzz as hb

from fontgen.errors import codepoint_name
from fontgen.fonts.check_subject import Finding, Subject, judged

_RUN = 256
"""Characters shaped at once."""


def check_shaping(subject: Subject) -> Iterator[Finding]:
    font = hb.Font(hb.Face(subject.plain, subject.face_index))
    codepoints = sorted(subject.cmap)
    for check, direction in (("shaping", "ltr"), ("vertical shaping", "ttb")):
        lost = [codepoint_name(codepoint) for codepoint in _lost(font, codepoints, direction)]
        yield judged(
            check,
            "fail",
            lost,
            f"HarfBuzz finds a glyph for all {len(codepoints)} characters",
            "HarfBuzz shows .notdef for {count} characters",
        )


def _lost(font: hb.Font, codepoints: list[int], direction: str) -> Iterator[int]:
    """Characters of which HarfBuzz makes .notdef (glyph 0)."""
    for start in range(0, len(codepoints), _RUN):
        run = codepoints[start : start + _RUN]
        buffer = hb.Buffer()
        buffer.add_codepoints(run)
        buffer.direction = direction
        buffer.guess_segment_properties()
        hb.shape(font, buffer)
        for position in sorted({info.cluster for info in buffer.glyph_infos if info.codepoint == 0}):
            yield run[position]
