"""What differs between two builds of a font: characters, drawn glyphs, metrics, features, names, size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from fontTools.ttLib import TTFont

from fontgen.canvas import Canvas
from fontgen.errors import FontError, GlyphError, codepoint_name
from fontgen.fonts.base import UNREADABLE
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.render import render_ink
from fontgen.parallel import parallel_map

DIFF_CANVAS = Canvas(size_px=128)
"""Glyphs are compared at this size, placed by their em, so fonts of other units per em compare too."""

DEFAULT_THRESHOLD = 0.02
"""Share of the ink that must differ. Moving every edge of a bold stroke by one unit changes about 1 %."""

_METRIC_FIELDS = {
    "head": ("unitsPerEm", "xMin", "yMin", "xMax", "yMax", "macStyle"),
    "hhea": ("ascent", "descent", "lineGap", "advanceWidthMax"),
    "vhea": ("ascent", "descent", "lineGap", "advanceHeightMax"),
    "OS/2": (
        "usWeightClass",
        "usWidthClass",
        "fsType",
        "fsSelection",
        "xAvgCharWidth",
        "sTypoAscender",
        "sTypoDescender",
        "sTypoLineGap",
        "usWinAscent",
        "usWinDescent",
        "sxHeight",
        "sCapHeight",
        "ulUnicodeRange1",
        "ulUnicodeRange2",
        "ulUnicodeRange3",
        "ulUnicodeRange4",
        "ulCodePageRange1",
        "ulCodePageRange2",
    ),
    "post": ("italicAngle", "underlinePosition", "underlineThickness", "isFixedPitch"),
}


@dataclass(frozen=True)
class GlyphChange:
    """A character that both fonts map and draw differently."""

    codepoint: int
    difference: float
    """Sum of absolute differences over the larger of the two sums of ink; 0 the same, up to 2."""
    old_advance: int
    """Font units of the old font."""
    new_advance: int
    """Font units of the new font."""
    problem: str = ""
    """Why it could not be drawn, in either font."""


@dataclass(frozen=True)
class SettingChange:
    """Something else that differs; None where one font has no such thing."""

    area: str
    """`metrics`, `features`, `names`, `tables` or `file`."""
    key: str
    old: str | None
    new: str | None


@dataclass
class FontDiff:
    """What changed from `old` to `new`. `file` settings (size, format) alone are no difference."""

    old: FontRef
    new: FontRef
    threshold: float
    added: list[int] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    changed: list[GlyphChange] = field(default_factory=list)
    """Largest difference first."""
    settings: list[SettingChange] = field(default_factory=list)
    compared: int = 0
    """Characters that both fonts map."""

    @property
    def differs(self) -> bool:
        glyphs = self.added or self.removed or self.changed
        return bool(glyphs) or any(change.area != "file" for change in self.settings)

    def text_lines(self, limit: int = 20) -> Iterator[str]:
        """A readable account; at most `limit` characters of a kind are named."""
        yield f"{self.old} -> {self.new}"
        yield f"{self.compared} characters in both, {len(self.changed)} drawn differently"
        for what, codepoints in (("added", self.added), ("removed", self.removed)):
            if codepoints:
                named = " ".join(f"{codepoint_name(codepoint)} {chr(codepoint)}" for codepoint in codepoints[:limit])
                yield f"{len(codepoints)} {what}: {named}{_more(codepoints, limit)}"
        for change in self.changed[:limit]:
            yield f"  {codepoint_name(change.codepoint)} {chr(change.codepoint)}: {describe(change)}"
        if len(self.changed) > limit:
            yield f"  and {len(self.changed) - limit} more"
        for setting in self.settings:
            yield f"{setting.area} {setting.key}: {_shown(setting.old)} -> {_shown(setting.new)}"
        if not self.differs:
            yield "no differences"

    def to_json(self) -> dict[str, Any]:
        return {
            "old": str(self.old),
            "new": str(self.new),
            "threshold": self.threshold,
            "differs": self.differs,
            "compared": self.compared,
            "added": [codepoint_name(codepoint) for codepoint in self.added],
            "removed": [codepoint_name(codepoint) for codepoint in self.removed],
            "changed": [
                asdict(change)
                | {"codepoint": codepoint_name(change.codepoint), "difference": round(change.difference, 6)}
                for change in self.changed
            ],
            "settings": [asdict(setting) for setting in self.settings],
        }

    def write_html(self, path: Path, *, limit: int = 1000) -> None:
        """Write a self-contained page with before, after and overlay of up to `limit` glyphs of a kind."""
        from fontgen.proof.diff_page import write_diff_page

        write_diff_page(self, path, limit=limit)


def describe(change: GlyphChange) -> str:
    """`12.3 % of the ink, advance 1000 -> 980`."""
    parts = []
    if change.problem:
        parts.append(change.problem)
    else:
        parts.append(f"{100 * change.difference:.1f} % of the ink")
    if change.old_advance != change.new_advance:
        parts.append(f"advance {change.old_advance} -> {change.new_advance}")
    return ", ".join(parts)


def _more(codepoints: Sequence[int], limit: int) -> str:
    return f" and {len(codepoints) - limit} more" if len(codepoints) > limit else ""


def _shown(value: str | None) -> str:
    return "none" if value is None else value if len(value) <= 60 else value[:57] + "..."


@dataclass(frozen=True)
class _Job:
    """Picklable: how much one character differs."""

    old: FontRef
    new: FontRef

    def __call__(self, codepoint: int) -> tuple[GlyphChange, bool]:
        """The comparison, and whether the advances differ in em."""
        old, new = open_face(self.old), open_face(self.new)
        try:
            old_em, new_em = old.advance_em(codepoint), new.advance_em(codepoint)
            before = render_ink(old, codepoint, DIFF_CANVAS).astype(np.int64)
            after = render_ink(new, codepoint, DIFF_CANVAS).astype(np.int64)
        except GlyphError as error:
            return GlyphChange(codepoint, 2.0, 0, 0, str(error)), False
        ink = max(int(before.sum()), int(after.sum()))
        difference = float(np.abs(before - after).sum()) / ink if ink else 0.0
        advances = round(old_em * old.units_per_em), round(new_em * new.units_per_em)
        return GlyphChange(codepoint, difference, *advances), abs(old_em - new_em) > 1e-4


def diff_fonts(
    old: FontRef | Path, new: FontRef | Path, *, threshold: float = DEFAULT_THRESHOLD, workers: int | None = None
) -> FontDiff:
    """Compare two fonts; a glyph has changed when more than `threshold` of its ink or its advance differs.

    Raises FontError when one cannot be opened.
    """
    old_ref, new_ref = _ref(old), _ref(new)
    before, after = open_face(old_ref).cmap.keys(), open_face(new_ref).cmap.keys()
    shared = sorted(before & after)
    diff = FontDiff(old_ref, new_ref, threshold, sorted(after - before), sorted(before - after), compared=len(shared))
    for change, moved in parallel_map(_Job(old_ref, new_ref), shared, workers=workers):
        if moved or change.difference > threshold:
            diff.changed.append(change)
    diff.changed.sort(key=lambda change: (-change.difference, change.codepoint))
    diff.settings = list(_setting_changes(_settings(old_ref), _settings(new_ref)))
    return diff


def _settings(ref: FontRef) -> dict[tuple[str, str], str]:
    """(area, key) -> value, as text."""
    try:
        data = ref.path.read_bytes()
        font = TTFont(BytesIO(data), fontNumber=ref.face_index, lazy=True)
        found: dict[tuple[str, str], str] = {}
        for tag, fields in _METRIC_FIELDS.items():
            if tag in font:
                for name in fields:
                    value = getattr(font[tag], name, None)
                    if value is not None:
                        found["metrics", f"{tag} {name}"] = f"{value:g}" if isinstance(value, float) else str(value)
        for tag in ("GSUB", "GPOS"):
            for feature, lookups in _features(font, tag).items():
                found["features", f"{tag} {feature}"] = f"{lookups} lookups"
        if "name" in font:
            for record in font["name"].names:
                key = f"{record.nameID} (platform {record.platformID}, language {record.langID:#x})"
                found["names", key] = record.toUnicode(errors="replace")
        for tag in font.keys():  # noqa: SIM118 - iterating a TTFont itself is not supported
            if tag != "GlyphOrder":
                found["tables", tag] = "present"
        found["file", "glyphs"] = str(font["maxp"].numGlyphs)
        found["file", "bytes"] = str(len(data))
        found["file", "format"] = str(font.flavor or ("OpenType CFF" if font.sfntVersion == "OTTO" else "TrueType"))
    except UNREADABLE as error:
        raise FontError(f"{ref}: a table cannot be read ({error}); run `fontgen check` on it") from error
    return found


def _features(font: TTFont, tag: str) -> dict[str, int]:
    """Feature tag -> number of lookups it refers to, over all scripts."""
    table = font[tag].table if tag in font else None
    if table is None or table.FeatureList is None:
        return {}
    lookups: dict[str, set[int]] = {}
    for record in table.FeatureList.FeatureRecord:
        lookups.setdefault(record.FeatureTag, set()).update(record.Feature.LookupListIndex)
    return {feature: len(indices) for feature, indices in lookups.items()}


_AREAS = ("metrics", "features", "names", "tables", "file")


def _setting_changes(old: dict[tuple[str, str], str], new: dict[tuple[str, str], str]) -> Iterator[SettingChange]:
    for area, key in sorted(old.keys() | new.keys(), key=lambda item: (_AREAS.index(item[0]), item[1])):
        before, after = old.get((area, key)), new.get((area, key))
        if before != after:
            yield SettingChange(area, key, before, after)


def _ref(font: FontRef | Path) -> FontRef:
    return font if isinstance(font, FontRef) else FontRef.of(font)
