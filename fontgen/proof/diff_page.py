"""The page of a font diff: before, after and both, in one HTML file."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fontgen.canvas import Canvas
from fontgen.errors import GlyphError, codepoint_name
from fontgen.files import write_text
from fontgen.fonts.diff import GlyphChange, SettingChange, describe
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.render import render_ink
from fontgen.glyphs.store import to_ink

if TYPE_CHECKING:
    from fontgen.fonts.diff import FontDiff

_CANVAS = Canvas(size_px=192)  # shown at 96 px, so that it stays sharp on dense screens
_ONLY_OLD = np.array([255, 45, 31], np.float32)
_ONLY_NEW = np.array([0, 165, 214], np.float32)


def write_diff_page(diff: FontDiff, path: Path, *, limit: int = 1000) -> None:
    """Write `diff` as HTML with images inline, at most `limit` glyphs of a kind. Opens without a network."""
    parts = [
        _section("Changed", len(diff.changed), limit, "", (_changed(diff, change) for change in diff.changed[:limit])),
        _single("Added", diff.new, diff.added, limit),
        _single("Removed", diff.old, diff.removed, limit),
        _settings(diff.settings),
    ]
    old, new = diff.old.path.name, diff.new.path.name
    counts = (
        f"{diff.compared:,} characters in both, {len(diff.changed):,} drawn differently "
        f"(more than {diff.threshold:.1%} of the ink, or the advance), {len(diff.added):,} added, "
        f"{len(diff.removed):,} removed"
    )
    values = {
        "title": escape(f"{old} \N{RIGHTWARDS ARROW} {new}" if old != new else f"{new}: two builds"),
        "summary": escape(counts + ("." if diff.differs else ". No differences.")),
        "sections": "\n".join(part for part in parts if part),
    }
    template = files("fontgen.proof").joinpath("templates", "diff.html").read_text(encoding="utf-8")
    write_text(path, Template(template).substitute(values))


def _section(title: str, total: int, limit: int, style: str, figures: Iterable[str]) -> str:
    if not total:
        return ""
    cut = f"<p>The first {limit:,} of {total:,}.</p>" if total > limit else ""
    return f'<h2>{title}: {total:,}</h2>{cut}<div class="glyphs{style}">\n' + "\n".join(figures) + "\n</div>"


def _single(title: str, ref: FontRef, codepoints: Sequence[int], limit: int) -> str:
    def figures() -> Iterable[str]:
        for codepoint in codepoints[:limit]:
            yield _figure([("", _grey(_ink(ref, codepoint)))], codepoint, "")

    return _section(title, len(codepoints), limit, " single", figures())


def _changed(diff: FontDiff, change: GlyphChange) -> str:
    before, after = _ink(diff.old, change.codepoint), _ink(diff.new, change.codepoint)
    images = [("before", _grey(before)), ("after", _grey(after)), ("both", _overlay(before, after))]
    return _figure(images, change.codepoint, describe(change))


def _figure(images: Sequence[tuple[str, Image.Image]], codepoint: int, note: str) -> str:
    name = codepoint_name(codepoint)
    shown = "".join(f'<img src="{_data_url(image)}" alt="{name} {what}">' for what, image in images)
    return f"<figure>{shown}<figcaption><b>{name}</b> {escape(chr(codepoint))} {escape(note)}</figcaption></figure>"


def _ink(ref: FontRef, codepoint: int) -> NDArray[np.uint8]:
    try:
        return render_ink(open_face(ref), codepoint, _CANVAS)
    except GlyphError:
        # the caption says why it could not be drawn
        return np.zeros((_CANVAS.size_px, _CANVAS.size_px), np.uint8)


def _grey(ink: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(255 - ink)


def _overlay(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> Image.Image:
    """Both in their colours, multiplied, so that what they share is nearly black."""
    old, new = to_ink(before)[..., None], to_ink(after)[..., None]
    colours = (255 - old * (255 - _ONLY_OLD)) * (255 - new * (255 - _ONLY_NEW)) / 255
    return Image.fromarray(np.rint(colours).astype(np.uint8))


def _data_url(image: Image.Image) -> str:
    packed = BytesIO()
    image.save(packed, format="PNG", optimize=False, compress_level=9)
    return "data:image/png;base64," + base64.b64encode(packed.getvalue()).decode("ascii")


def _settings(changes: Sequence[SettingChange]) -> str:
    if not changes:
        return ""
    rows = "\n".join(
        f"<tr><td>{escape(change.area)}</td><td>{escape(change.key)}</td>"
        f'<td class="old">{escape(change.old or "none")}</td><td class="new">{escape(change.new or "none")}</td></tr>'
        for change in changes
    )
    head = "<tr><th>Where</th><th>What</th><th>Old</th><th>New</th></tr>"
    return f"<h2>Metrics, features, names, file: {len(changes):,}</h2><table>{head}\n{rows}</table>"
