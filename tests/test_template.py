"""A printed template, written into, scanned askew, and cut again: every glyph lands in its place."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from box_fonts import NOTO, ZEN, kanji_of
from click.testing import CliRunner
from PIL import Image

from fontgen.canvas import Canvas
from fontgen.cli import main
from fontgen.errors import ImageError
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.cut import cut_scans
from fontgen.glyphs.render import render_ink
from fontgen.glyphs.store import read_ink
from fontgen.glyphs.template import BITS, Template, draw_page, mark_centres, write_template

DPI = 120
CHARACTERS = kanji_of(ZEN)[::20][:40]
TEMPLATE = Template(tuple(CHARACTERS), box_mm=34.0)
SIZE = 96


def written(page: int, *, leave_out: frozenset[int] = frozenset()) -> Image.Image:
    """A page with the characters of a font in its boxes, as a hand would have written them."""
    sheet = draw_page(TEMPLATE, page, dpi=DPI)
    face, scale = open_face(FontRef.of(ZEN)), DPI / 25.4
    for codepoint, (left, top, right, _) in TEMPLATE.boxes(page).items():
        if codepoint in leave_out:
            continue
        width = round((right - left) * scale)
        ink = render_ink(face, codepoint, Canvas(size_px=width, margin_em=0.0))
        sheet.paste(Image.new("L", (width, width), 0), (round(left * scale), round(top * scale)), Image.fromarray(ink))
    return sheet


def scanned(sheet: Image.Image, path: Path, *, degrees: float = 1.5, seed: int = 0) -> Path:
    """Turned, seen at a slant, unevenly lit, grey and noisy, on a dark bed with white paper around."""
    wide, high = sheet.width + 160, sheet.height + 160
    bed = Image.new("L", (wide, high), 255)
    bed.paste(sheet, (80, 80))
    slant = (1, 0.012, -4, 0.004, 1, -3, 6e-6, 9e-6)  # a perspective of a few pixels over the page
    bent = bed.transform((wide, high), Image.Transform.PERSPECTIVE, slant, Image.Resampling.BICUBIC, fillcolor=255)
    turned = bent.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    grey = np.asarray(turned).astype(np.float64)
    light = np.linspace(0.88, 1.0, grey.shape[1])[None, :]
    noise = np.random.default_rng(seed).normal(0, 6, grey.shape)
    Image.fromarray(np.clip((45 + grey * 0.74) * light + noise, 0, 255).astype(np.uint8)).save(path)
    return path


def overlap(codepoint: int, folder: Path) -> float:
    """Soft IoU of a cut glyph and the one that was written, within what is cut off at the boxes' lines."""
    ink = read_ink(folder / f"U+{codepoint:04X}.png") / 255
    true = render_ink(open_face(FontRef.of(ZEN)), codepoint, Canvas(size_px=SIZE, margin_em=0.0)) / 255
    return float(np.minimum(ink, true).sum() / np.maximum(ink, true).sum())


def test_what_was_written_comes_back_in_its_place_from_scans_askew(tmp_path: Path) -> None:
    assert TEMPLATE.pages == 2
    scans = [
        scanned(written(1), tmp_path / "b.png", degrees=-1.2),  # in any order, and upside down
        scanned(written(0).rotate(180), tmp_path / "a.png"),
    ]
    report = cut_scans(scans, TEMPLATE, tmp_path / "cut", size_px=SIZE)
    assert sorted(report.done) == sorted(CHARACTERS)
    assert report.skipped == {}
    overlaps = [overlap(codepoint, tmp_path / "cut") for codepoint in CHARACTERS]
    assert min(overlaps) > 0.8
    # paper is white and ink is black, whatever the scan's greys
    ink = read_ink(tmp_path / "cut" / f"U+{CHARACTERS[3]:04X}.png")
    assert (ink == 0).mean() > 0.3
    assert np.percentile(ink, 95) > 230


def test_boxes_left_empty_and_pages_not_scanned_are_told(tmp_path: Path) -> None:
    scan = scanned(written(0, leave_out=frozenset(CHARACTERS[:2])), tmp_path / "a.png")
    report = cut_scans([scan], TEMPLATE, tmp_path / "cut", size_px=SIZE)
    on_first = list(TEMPLATE.boxes(0))
    assert report.done == on_first[2:]
    assert report.skipped[CHARACTERS[0]] == "left empty in a.png"
    assert report.skipped[CHARACTERS[-1]] == "page 2 was not scanned"
    assert not (tmp_path / "cut" / f"U+{CHARACTERS[0]:04X}.png").exists()


def test_patterns_to_write_over_vanish_with_the_levels(tmp_path: Path) -> None:
    face = open_face(FontRef.of(NOTO))

    def pattern(codepoint: int, size_px: int) -> Image.Image:
        return Image.fromarray(255 - render_ink(face, codepoint, Canvas(size_px=size_px, margin_em=0.0)))

    sheet = draw_page(TEMPLATE, 0, dpi=DPI, pattern=pattern)
    assert len(np.unique(np.asarray(sheet))) > 10
    report = cut_scans([scanned(sheet, tmp_path / "a.png")], TEMPLATE, tmp_path / "cut", size_px=SIZE)
    assert report.done == []


def test_unusable_scans_are_named(tmp_path: Path) -> None:
    page = written(0)

    def refused(match: str, *scans: Path) -> None:
        with pytest.raises(ImageError, match=match):
            cut_scans(scans, TEMPLATE, tmp_path / "cut", size_px=SIZE)

    refused("no such scan", tmp_path / "nothing.png")
    (tmp_path / "text.png").write_text("no image")
    refused("not a readable image", tmp_path / "text.png")
    cropped = tmp_path / "cropped.png"
    page.crop((0, 0, page.width, page.height - 120)).save(cropped)
    refused("of the four corner marks found", cropped)
    page.save(tmp_path / "a.png")
    page.save(tmp_path / "again.png")
    refused("page 1 again, after", tmp_path / "a.png", tmp_path / "again.png")
    other = tmp_path / "other.png"
    draw_page(Template(tuple(range(0x4E00, 0x4EFF)), 34.0), 5, dpi=DPI).save(other)
    refused("page 6, but the template has 2", other)
    plain = draw_page(TEMPLATE, 0, dpi=DPI)
    x, y = (value * DPI / 25.4 for value in mark_centres()[0])
    plain.paste(0, (round(x) - 10, round(y) - 10, round(x) + 10, round(y) + 10))
    plain.save(tmp_path / "plain.png")
    refused("the mark with the white middle", tmp_path / "plain.png")


def test_the_commands_make_a_pdf_and_cut_its_scans(tmp_path: Path) -> None:
    characters = "".join(map(chr, CHARACTERS[:8]))
    made = CliRunner().invoke(main, ["template", characters, "-o", str(tmp_path / "t.pdf"), "--font", str(NOTO)])
    assert made.exit_code == 0, made.output
    assert (tmp_path / "t.pdf").read_bytes().startswith(b"%PDF-")
    assert len(json.loads((tmp_path / "t.json").read_text())["codepoints"]) == 8
    scan = scanned(draw_page(Template.open(tmp_path / "t.json"), 0, dpi=DPI), tmp_path / "scan.png")
    command = ["cut", str(scan), "--template", str(tmp_path / "t.json"), "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    assert "cut: 0 done, 8 skipped" in result.stderr


def test_too_many_pages_and_foreign_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="choose fewer characters"):
        write_template(Template(tuple(range(0x4E00, 0x4E00 + 7000)), box_mm=80.0), tmp_path / "t.pdf")
    with pytest.raises(ImageError, match="no such template"):
        Template.open(tmp_path / "t.json")
    (tmp_path / "t.json").write_text("{}")
    with pytest.raises(ImageError, match="not a template"):
        Template.open(tmp_path / "t.json")
    assert BITS == 10
