"""A font against a scaled and shifted copy of itself gives back the scale and the shift."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from box_fonts import ZEN, kanji_of, moved, part_of
from numpy.typing import NDArray

from fontgen.canvas import Canvas, Placement
from fontgen.errors import ImageError
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.calibrate import (
    Calibration,
    calibrate,
    calibration_sample,
    placement_difference_px,
    soft_iou,
)
from fontgen.glyphs.render import render_ink

COUNT = 40
DESCENDER_EM = -0.12


@pytest.fixture(scope="module")
def codepoints() -> list[int]:
    return kanji_of(ZEN)[::20][:COUNT]


@pytest.fixture(scope="module")
def source(codepoints: list[int], tmp_path_factory: pytest.TempPathFactory) -> FontRef:
    return FontRef.of(part_of(ZEN, codepoints, tmp_path_factory.mktemp("fonts") / "source.ttf"))


def measured(source: FontRef, target: FontRef, codepoints: list[int], drawn_as: dict[int, int]) -> Calibration:
    """`drawn_as`: codepoint -> the one whose glyph stands in its place in the target."""

    def target_ink(codepoint: int, canvas: Canvas) -> NDArray[np.uint8]:
        return render_ink(open_face(target), drawn_as.get(codepoint, codepoint), canvas)

    return calibrate(dict.fromkeys(codepoints, source), codepoints, target_ink, descender_em=DESCENDER_EM)


@pytest.mark.parametrize(
    ("scale", "dx_em", "dy_em", "wrong"),
    [(0.92, 0.031, -0.017, 0.0), (1.06, -0.04, 0.025, 0.15)],
    ids=["all glyphs right", "15 % wrong glyphs"],
)
def test_scale_and_shift_are_found(
    source: FontRef, codepoints: list[int], tmp_path: Path, scale: float, dx_em: float, dy_em: float, wrong: float
) -> None:
    target = FontRef.of(moved(ZEN, codepoints, tmp_path / "t.ttf", scale=scale, dx_em=dx_em, dy_em=dy_em))
    count = round(wrong * COUNT)
    exchanged = dict(zip(codepoints[:count], codepoints[-count:], strict=True)) if count else {}
    found = measured(source, target, codepoints, exchanged)
    assert found.placement.scale == pytest.approx(scale, abs=0.001)
    assert found.placement.dx_em == pytest.approx(dx_em, abs=0.001)
    assert found.placement.dy_em == pytest.approx(dy_em, abs=0.001)
    assert found.num_glyphs == COUNT
    assert found.iou_after > found.iou_before
    assert max(found.spread_x_em, found.spread_y_em) < 0.002
    if not wrong:
        assert found.iou_after > 0.98
    assert Calibration.from_json(found.to_json()) == found


def test_a_font_lies_on_itself(source: FontRef, codepoints: list[int]) -> None:
    found = measured(source, source, codepoints[:12], {})
    assert placement_difference_px(found.placement, Placement(), Canvas(size_px=1000, margin_em=0)) < 0.5
    assert found.iou_before == pytest.approx(1.0)


def test_blank_glyphs_do_not_count(source: FontRef, codepoints: list[int]) -> None:
    def target_ink(codepoint: int, canvas: Canvas) -> NDArray[np.uint8]:
        if codepoint == codepoints[0]:
            return np.zeros((canvas.size_px, canvas.size_px), np.uint8)
        return render_ink(open_face(source), codepoint, canvas)

    sources = dict.fromkeys(codepoints, source)
    assert calibrate(sources, codepoints[:6], target_ink, descender_em=DESCENDER_EM).num_glyphs == 5
    for nothing in (codepoints[:1], []):
        with pytest.raises(ImageError, match="no shared character with ink in both fonts"):
            calibrate(sources, nothing, target_ink, descender_em=DESCENDER_EM)


def test_ideographs_are_measured_alone_where_there_are_enough() -> None:
    kana, kanji = list(range(0x3041, 0x3097)), list(range(0x4E00, 0x4E40))
    assert set(calibration_sample([*kana, *kanji])) == set(kanji)
    assert set(calibration_sample([*kana, *kanji[:10]])) == {*kana, *kanji[:10]}
    assert len(calibration_sample(list(range(0x4E00, 0x9FFF)))) == 240


def test_soft_iou_of_known_squares() -> None:
    a, b = np.zeros((2, 8, 8), np.uint8), np.zeros((2, 8, 8), np.uint8)
    a[0, :4, :4] = 200
    b[0, :4, 2:6] = 100
    assert soft_iou(a, b).tolist() == [pytest.approx(800 / (8 * 200 + 8 * 200 + 8 * 100)), 0.0]


def test_the_difference_of_placements_is_measured_at_the_corners_of_the_em_box() -> None:
    canvas = Canvas(size_px=100, margin_em=0.0, descender_em=-0.12)
    assert placement_difference_px(Placement(dx_em=0.02), Placement(), canvas) == pytest.approx(2.0)
    assert placement_difference_px(Placement(scale=1.1), Placement(), canvas) == pytest.approx(10.0)
