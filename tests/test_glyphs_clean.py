"""Repairs on glyphs drawn by hand, where the truth is known, and on real glyphs, where nothing may change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from fontgen.canvas import Canvas
from fontgen.errors import GlyphError, ImageError
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.clean import CleanResult, clean_folder, clean_ink, weigh_source
from fontgen.glyphs.clean_gaps import Gaps
from fontgen.glyphs.clean_links import _fill
from fontgen.glyphs.clean_morphology import close, dilate, stroke_width_px, topology
from fontgen.glyphs.clean_settings import CleanSettings
from fontgen.glyphs.render import render_ink
from fontgen.glyphs.store import ImageFolder, image_name, write_ink, write_manifest

SETTINGS = CleanSettings()
Y, X = np.mgrid[:256, :256] + 0.5


def bar(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    ink8 = np.zeros((256, 256), np.uint8)
    ink8[top:bottom, left:right] = 255
    return ink8


def ring(outer: float = 80, inner: float = 55) -> np.ndarray:
    distance = np.hypot(X - 128, Y - 128)
    ink = np.clip(outer + 0.5 - distance, 0, 1) * np.clip(distance - inner + 0.5, 0, 1)
    return np.rint(255 * ink).astype(np.uint8)


def cut(ink8: np.ndarray, angle_deg: float, width_px: float, row: float = 128, col: float = 128, depth: float = 1.0):
    """A white line of that angle and width through (row, col)."""
    angle = np.radians(angle_deg)
    across = np.abs((X - col) * np.sin(angle) - (Y - row) * np.cos(angle))
    return np.rint(ink8 * (1 - depth * np.clip(width_px / 2 + 0.5 - across, 0, 1))).astype(np.uint8)


def disc(row: float, col: float, radius: float) -> np.ndarray:
    return np.rint(255 * np.clip(radius + 0.5 - np.hypot(X - col, Y - row), 0, 1)).astype(np.uint8)


def clean(ink8: np.ndarray, reference8: np.ndarray | None = None, **settings: object) -> CleanResult:
    return clean_ink(ink8, reference8, settings=SETTINGS.model_copy(update=settings))


@pytest.mark.parametrize("angle_deg", [0, 20, 45, 70, 90, 135, 160])
@pytest.mark.parametrize(("width_px", "depth"), [(1.5, 1.0), (3.0, 1.0), (2.0, 0.7)])
def test_hairline_through_a_ring_is_closed_at_any_angle(angle_deg: float, width_px: float, depth: float) -> None:
    whole = ring()
    result = clean(cut(whole, angle_deg, width_px, depth=depth), whole)
    assert topology(result.ink8 >= 128) == (1, 1)
    assert np.count_nonzero(np.abs(result.ink8.astype(int) - whole) > 64) <= 8
    assert "gap" in {defect.kind for defect in result.defects}


def test_hairline_is_closed_without_a_reference_too() -> None:
    whole = ring()
    assert topology(clean(cut(whole, 30, 2), boldness=0.6).ink8 >= 128) == topology(whole >= 128)


def test_crossing_hairlines_are_both_closed() -> None:
    whole = bar(60, 60, 200, 200)
    result = clean(cut(cut(whole, 20, 2), 75, 2), whole)
    assert np.count_nonzero(np.abs(result.ink8.astype(int) - whole) > 64) <= 16


def test_gap_between_two_strokes_stays_when_the_source_has_it() -> None:
    two = bar(80, 40, 104, 216) | bar(107, 40, 131, 216)
    result = clean(two, two)
    assert result.ink8 is two
    assert result.defects == []


def test_narrow_counter_stays() -> None:
    box = bar(60, 60, 200, 200)
    box[120:124, 80:180] = 0
    assert topology(clean(box, box).ink8 >= 128) == (1, 1)


def test_pinholes_and_specks_go_and_their_boxes_say_where() -> None:
    whole = bar(60, 60, 120, 200)
    damaged = np.maximum(np.minimum(whole, 255 - disc(90, 130, 1.2)), disc(200, 100, 1.5))
    result = clean(damaged, whole)
    assert np.array_equal(result.ink8, whole)
    found = {defect.kind: defect.box for defect in result.defects}
    assert found.keys() == {"pinhole", "speck"}
    row0, col0, row1, col1 = found["speck"]
    assert row0 <= 199 < row1
    assert col0 <= 99 < col1
    row0, col0, row1, col1 = found["pinhole"]
    assert row0 <= 89 < row1
    assert col0 <= 129 < col1


def test_the_tip_of_a_stroke_that_runs_dry_is_no_speck() -> None:
    """A faint thread leads from the stroke to its last dot; without the thread the dot is dust."""
    stroke = bar(100, 40, 112, 120)
    dry = stroke.copy()
    dry[105:107, 124:126] = 160
    loose = clean(dry)
    assert [defect.kind for defect in loose.defects] == ["speck"]
    assert np.array_equal(loose.ink8, stroke)
    dry[105, 120:124] = (60, 12, 10, 30)
    assert not clean(dry).defects


def test_a_few_faint_pixels_are_no_veil() -> None:
    faint = bar(100, 40, 112, 120)
    faint[60, 60:64] = 20
    assert not clean(faint).defects
    faint[60, 60:70] = 20
    assert [defect.kind for defect in clean(faint).defects] == ["veil"]


def test_ink_of_a_source_that_is_another_drawing_acquits_a_gap_but_does_not_convict_it() -> None:
    local, guided = np.array([0.0, 0.0, 5.0]), np.array([4.0, 4.0, -3.0])
    misfit = np.array([3.0, 4.5, 4.5])
    assert weigh_source(local, guided, misfit).tolist() == [4.0, 1.0, -3.0]


def test_dot_as_wide_as_a_stroke_is_no_speck() -> None:
    glyph = bar(60, 60, 80, 200) | bar(120, 120, 138, 138)
    assert np.array_equal(clean(glyph).ink8, glyph)


def test_the_only_ink_is_never_dust() -> None:
    dot = disc(128, 128, 1.5)
    assert clean(dot).ink8.any()


def test_veil_and_grey_ink_are_levelled() -> None:
    whole = ring()
    veiled = np.maximum(whole, 30).astype(np.uint8)
    veiled[veiled > 200] = 210
    result = clean(veiled, whole)
    assert {defect.kind for defect in result.defects} >= {"veil", "grey ink"}
    assert result.ink8[:20].max() == 0
    assert np.count_nonzero(result.ink8 == 255) > 0.8 * np.count_nonzero(whole == 255)


def test_ragged_edges_are_smoothed() -> None:
    rng = np.random.default_rng(0)
    whole = ring()
    edge = dilate(whole >= 128, 2) & dilate(whole < 128, 2)
    ragged = np.where(edge & (rng.random(whole.shape) < 0.3), 255 - whole, whole).astype(np.uint8)
    result = clean(ragged, whole)
    assert "ragged edge" in {defect.kind for defect in result.defects}
    off = [np.count_nonzero((image >= 128) != (whole >= 128)) for image in (ragged, result.ink8)]
    assert off[1] < 0.5 * off[0]


@pytest.mark.parametrize("left", [60, 120, 200])
def test_bridge_that_the_source_lacks_is_taken_away(left: int) -> None:
    two = bar(80, 40, 104, 216) | bar(114, 40, 138, 216)
    bridged = two | bar(104, left, 114, left + 3)
    result = clean(bridged, two)
    assert topology(result.ink8 >= 128) == (2, 0)
    assert np.count_nonzero((result.ink8 >= 128) != (two >= 128)) <= 4
    (defect,) = result.defects
    assert defect.kind == "bridge"
    row0, col0, row1, col1 = defect.box
    assert row0 <= 105 < 113 <= row1
    assert col0 <= left < left + 3 <= col1
    assert topology(clean(bridged, two, bridges=False).ink8 >= 128) == (1, 0)


def test_a_link_of_one_pixel_has_an_extent_too() -> None:
    ink8 = np.full((9, 9), 255, np.uint8)
    ink8[4, 4] = 0
    one, at = np.ones(1), np.array([4])
    gaps = Gaps(
        closed=ink8,
        scale=0.25,
        row=4 * one,
        col=4 * one,
        axis=np.array([[0.0, 1.0]]),
        length=one,
        width=one,
        measures=np.zeros((1, 1)),
        rows=at,
        cols=at,
        members=np.array([0]),
        dips=one,
        stroke_px=3.0,
    )
    filled = _fill(ink8, gaps, np.array([0]))
    assert filled[4, 4] == 255
    assert filled.min() == 255


@pytest.mark.parametrize(("width_px", "angle_deg"), [(5, 90), (6, 90), (5, 80), (6, 100)])
def test_stroke_that_is_severed_where_the_source_is_not_is_joined(width_px: float, angle_deg: float) -> None:
    whole = bar(60, 40, 72, 216) | bar(60, 120, 200, 134)
    severed = cut(whole, angle_deg, width_px, row=66, col=80)
    assert topology(severed >= 128) == (2, 0)
    result = clean(severed, whole, cuts=True)
    assert topology(result.ink8 >= 128) == (1, 0)
    assert np.count_nonzero((result.ink8 >= 128) != (whole >= 128)) <= 0.2 * 12 * width_px
    assert {defect.kind for defect in result.defects} <= {"cut", "gap"}


def test_link_and_gap_that_the_source_has_too_stay() -> None:
    linked = bar(80, 40, 104, 216) | bar(114, 40, 138, 216) | bar(104, 120, 114, 123)
    assert clean(linked, linked).ink8 is linked
    severed = cut(bar(60, 40, 72, 216), 90, 7, row=66, col=80)
    assert clean(severed, severed, cuts=True).ink8 is severed


def test_a_cut_is_left_where_joining_goes_against_the_source() -> None:
    whole = bar(60, 40, 72, 216)
    severed = cut(whole, 90, 8, row=66, col=80)
    apart = whole | bar(150, 40, 170, 100)  # one component more than the severed stroke would leave
    assert topology(clean(severed, apart, cuts=True).ink8 >= 128) == (2, 0)
    assert topology(clean(severed, cuts=True).ink8 >= 128) == (2, 0)


def test_grey_where_the_source_has_a_counter_is_left() -> None:
    box = bar(60, 60, 200, 200)
    box[125:131, 80:180] = 180
    source = bar(60, 60, 200, 200)
    source[124:132, 80:180] = 0
    assert (clean(box, source).ink8[127:129, 90:170] == 180).all()
    assert (clean(box, bar(60, 60, 200, 200)).ink8[127:129, 90:170] == 255).all()


def test_pixels_outside_the_boxes_keep_their_value() -> None:
    whole = ring()
    damaged = cut(whole, 33, 2)
    result = clean(damaged, whole)
    untouched = np.ones(whole.shape, bool)
    for defect in result.defects:
        row0, col0, row1, col1 = defect.box
        untouched[row0:row1, col0:col1] = False
    assert np.array_equal(result.ink8[untouched], damaged[untouched])


def test_blank_passes_and_wrong_polarity_is_refused() -> None:
    blank = np.zeros((256, 256), np.uint8)
    assert clean(blank).ink8 is blank
    with pytest.raises(GlyphError, match="light on dark"):
        clean(255 - ring())
    with pytest.raises(GlyphError, match="black all over"):
        clean(255 - blank)
    with pytest.raises(ImageError, match="128 px for an image of 256 px"):
        clean(ring(), np.zeros((128, 128), np.uint8))


def test_strength_follows_the_canvas(target_font: Path) -> None:
    face = open_face(FontRef.of(target_font))
    codepoint = next(c for c in sorted(face.cmap) if c >= 0x5000)
    for size_px in (128, 384):
        whole = render_ink(face, codepoint, Canvas(size_px=size_px))
        damaged = whole.copy()
        middle = int(np.flatnonzero((whole >= 128).any(axis=0)).mean())
        width = max(1, size_px // 128)
        damaged[:, middle : middle + width] = 0
        repaired = clean_ink(damaged, whole, settings=SETTINGS).ink8
        hurt = np.abs(whole.astype(int) - damaged) > 64
        assert np.count_nonzero(hurt & (np.abs(whole.astype(int) - repaired) > 64)) < 0.2 * np.count_nonzero(hurt)


def test_genuine_glyphs_keep_their_topology(source_font: Path, target_font: Path) -> None:
    source, target = open_face(FontRef.of(source_font)), open_face(FontRef.of(target_font))
    canvas = Canvas(size_px=256)
    shared = sorted(c for c in set(source.cmap) & set(target.cmap) if c >= 0x4E00)[::16]
    for codepoint in shared:
        ink8 = render_ink(target, codepoint, canvas)
        out = clean_ink(ink8, render_ink(source, codepoint, canvas), settings=SETTINGS).ink8
        assert topology(out >= 128) == topology(ink8 >= 128)
        assert np.count_nonzero((out >= 128) != (ink8 >= 128)) <= 0.001 * np.count_nonzero(ink8 >= 128)


def test_folder_counts_failures_and_records_repairs(tmp_path: Path) -> None:
    whole = ring()
    canvas = Canvas(size_px=256)
    images = {0x4E00: cut(whole, 30, 2), 0x4E01: whole, 0x4E02: cut(whole, 60, 2), 0x4E03: 255 - whole}
    for codepoint, ink8 in images.items():
        write_ink(tmp_path / "in" / image_name(codepoint), ink8)
    (tmp_path / "in" / image_name(0x4E04)).write_bytes(b"\x89PNG broken")
    write_manifest(tmp_path / "in", canvas, {c: {"advance_em": 1.0} for c in range(0x4E00, 0x4E06)})
    for codepoint in (0x4E00, 0x4E01):
        write_ink(tmp_path / "ref" / image_name(codepoint), whole)
    write_manifest(tmp_path / "ref", canvas, {0x4E00: {}, 0x4E01: {}})
    report = clean_folder(
        ImageFolder.open(tmp_path / "in"), tmp_path / "out", ImageFolder.open(tmp_path / "ref"), settings=SETTINGS,
        overlay=tmp_path / "overlay",
    )  # fmt: skip
    assert report.done == [0x4E00, 0x4E01, 0x4E02]
    assert report.exit_status == 1
    assert "U+4E03.png" in report.failed[0x4E03]
    assert "light on dark" in report.failed[0x4E03]
    assert "U+4E04.png" in report.failed[0x4E04]
    assert "U+4E05.png" in report.failed[0x4E05]
    assert report.figures["glyphs_without_reference"] == 1
    out = ImageFolder.open(tmp_path / "out")
    assert out.codepoints == [0x4E00, 0x4E01, 0x4E02]
    assert out.glyphs[0x4E01] == {"advance_em": 1.0}
    assert {repair["kind"] for repair in out.glyphs[0x4E00]["repairs"]} == {"gap"}
    assert np.array_equal(out.read(0x4E01), whole)
    pictures = sorted((tmp_path / "overlay").iterdir())
    assert [path.name for path in pictures] == [image_name(c) for c in out if "repairs" in out.glyphs[c]]
    with Image.open(pictures[0]) as picture:
        assert picture.size == (512, 512)
        assert {(0, 140, 60), (40, 90, 220)} <= {colour for _, colour in picture.getcolors(1 << 16)}


def test_folder_refuses_a_reference_of_another_canvas(tmp_path: Path) -> None:
    for name, size_px in (("in", 64), ("ref", 128)):
        write_ink(tmp_path / name / image_name(0x4E00), np.zeros((size_px, size_px), np.uint8))
        write_manifest(tmp_path / name, Canvas(size_px=size_px), {0x4E00: {}})
    with pytest.raises(ImageError, match="same canvas"):
        clean_folder(
            ImageFolder.open(tmp_path / "in"), tmp_path / "out", ImageFolder.open(tmp_path / "ref"), settings=SETTINGS
        )


def test_morphology_on_known_shapes() -> None:
    strip = bar(100, 0, 120, 256) >= 128
    assert stroke_width_px(strip) == pytest.approx(20 * 1.12, rel=1e-6)
    gap = strip.copy()
    gap[:, 100:102] = False
    assert np.array_equal(close(gap, 1), strip)
    assert topology(ring() >= 128) == (1, 1)
    noise = np.random.default_rng(0).random((40, 40)) < 0.4
    assert topology(noise) == (ndimage.label(noise, np.ones((3, 3)))[1], ndimage.label(~np.pad(noise, 1))[1] - 1)
    assert dilate(disc(128.5, 128.5, 0.4) >= 128, 4).sum() == 69  # the octagon of radius 4
