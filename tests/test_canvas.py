"""The map between pixels and em: exact both ways, and the same place where zi2zi draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from box_fonts import box_font
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from fontgen.canvas import Canvas, Placement, canvas_from_zi2zi, compose
from fontgen.errors import ImageError
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.render import render_ink

canvases = st.builds(
    Canvas,
    size_px=st.integers(8, 1024),
    margin_em=st.floats(-0.3, 1),
    descender_em=st.floats(-0.5, 0.2),
    shift_x_em=st.floats(-0.5, 0.5),
    shift_y_em=st.floats(-0.5, 0.5),
    content_scale=st.sampled_from([1.0, 0.9, 1.03125]),
)
IDENTITY = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


@given(canvases)
def test_the_two_maps_undo_each_other(canvas: Canvas) -> None:
    np.testing.assert_allclose(compose(canvas.em_to_px, canvas.px_to_em), IDENTITY, atol=1e-9)
    np.testing.assert_allclose(compose(canvas.px_to_em, canvas.em_to_px), IDENTITY, atol=1e-9)


def test_corners_of_the_canvas_are_the_em_box_and_its_margin() -> None:
    canvas = Canvas(size_px=120, margin_em=0.1, descender_em=-0.12)
    x_em, y_em = canvas.px_to_em @ np.array([[0, 120], [0, 120], [1, 1]])
    np.testing.assert_allclose(x_em, [-0.1, 1.1])
    np.testing.assert_allclose(y_em, [0.98, -0.22])  # row 0 is the upper edge: y points up


def test_a_square_of_known_corners_covers_exactly_the_known_pixels(tmp_path: Path) -> None:
    font = box_font(tmp_path / "f.ttf", {0x4E00: [(250, -120, 750, 130)]})
    canvas = Canvas(size_px=96, margin_em=0.25, descender_em=-0.12)  # 64 px an em
    ink = render_ink(open_face(FontRef.of(font)), 0x4E00, canvas)
    expected = np.zeros((96, 96), np.uint8)
    expected[64:80, 32:64] = 255  # 16 rows up from the em box's lower edge at row 80, columns 16 + 16 .. 16 + 48
    np.testing.assert_array_equal(ink, expected)


def test_half_a_pixel_of_shift_makes_half_covered_edges(tmp_path: Path) -> None:
    font = box_font(tmp_path / "f.ttf", {0x4E00: [(250, -120, 750, 130)]})
    canvas = Canvas(size_px=96, margin_em=0.25, descender_em=-0.12).displaced(0.5 / 64, 0.0)
    ink = render_ink(open_face(FontRef.of(font)), 0x4E00, canvas)
    assert set(ink[64:80, 32].tolist()) <= {127, 128}
    assert set(ink[64:80, 64].tolist()) <= {127, 128}
    assert (ink[64:80, 33:64] == 255).all()


def test_a_displaced_canvas_shows_its_content_further_right_and_up() -> None:
    plain = Canvas(size_px=64, margin_em=0.0, descender_em=0.0)
    moved = plain.displaced(0.25, 0.125)
    np.testing.assert_allclose(moved.em_to_px @ [0.5, 0.5, 1], plain.em_to_px @ [0.5, 0.5, 1] + [16, -8])
    assert moved.displaced(-0.25, -0.125) == plain


def test_an_enlarged_canvas_shows_its_content_larger_about_its_centre(tmp_path: Path) -> None:
    plain = Canvas(size_px=96, margin_em=0.25, descender_em=-0.12)
    large = plain.enlarged(1.25)
    np.testing.assert_allclose(large.em_to_px @ [0.5, 0.38, 1], [48, 48])
    np.testing.assert_allclose(large.em_to_px @ [0.9, 0.38, 1], [48 + 1.25 * 0.4 * 64, 48])
    # where the content is shifted, the place of the centre stays the fixed point
    shifted = plain.displaced(0.1, 0.05)
    fixed = shifted.em_to_px @ [0.5, 0.38, 1]
    np.testing.assert_allclose(shifted.enlarged(1.25).em_to_px @ [0.5, 0.38, 1], fixed)
    font = box_font(tmp_path / "f.ttf", {0x4E00: [(250, 130, 750, 630)]})  # 32 px wide, in the middle
    ink = render_ink(open_face(FontRef.of(font)), 0x4E00, large)
    expected = np.zeros((96, 96), np.uint8)
    expected[28:68, 28:68] = 255
    np.testing.assert_array_equal(ink, expected)
    assert "content_scale" not in plain.to_json()
    with pytest.raises(ImageError, match=r"choose from 0\.5 to 2"):
        plain.enlarged(3.0)


def test_a_resized_canvas_shows_the_same_region() -> None:
    small = Canvas(size_px=64, shift_x_em=0.01)
    large = small.resized(256)
    np.testing.assert_allclose(small.px_to_em @ [64, 0, 1], large.px_to_em @ [256, 0, 1])


@given(canvases)
def test_a_canvas_survives_json(canvas: Canvas) -> None:
    assert Canvas.from_json(canvas.to_json()) == canvas


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size_px": 7}, "choose a size from 8 to 8192 px"),
        ({"size_px": 64, "margin_em": 5.0}, "choose one from -0.4 to 4 em"),
        ({"size_px": 64, "margin_px": 3}, "not one of fontgen's"),
    ],
)
def test_a_canvas_that_cannot_be_is_refused(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(ImageError, match=message):
        Canvas.from_json(wrong)


def test_a_placement_and_its_inverse_cancel() -> None:
    placement = Placement(scale=0.93, dx_em=0.031, dy_em=-0.017)
    np.testing.assert_allclose(compose(placement.inverse().matrix, placement.matrix), IDENTITY, atol=1e-12)
    assert Placement.from_json(placement.to_json()) == placement


# zi2zi's geometry, as PIL draws it


def pil_box(font: Path, text: str, canvas_size: int, char_size: int, x: int, y: int) -> tuple[int, int, int, int]:
    """Where zi2zi's own drawing (PIL's text at an offset) puts ink: first and last columns and rows."""
    image = Image.new("L", (canvas_size, canvas_size), 255)
    ImageDraw.Draw(image).text((x, y), text, 0, font=ImageFont.truetype(font, char_size))
    return ink_box(255 - np.asarray(image))


def ink_box(ink: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    rows, cols = np.nonzero(ink > 127)
    return int(cols.min()), int(rows.min()), int(cols.max()), int(rows.max())


@pytest.mark.parametrize(
    ("canvas_size", "char_size", "x", "y"),
    [(256, 256, 0, 0), (256, 200, 20, -15), (384, 300, 30, 17), (128, 150, -9, -30)],
)
@pytest.mark.parametrize("font", ["source_font", "target_font"])
def test_zi2zi_offsets_put_a_glyph_where_zi2zi_draws_it(
    font: str, canvas_size: int, char_size: int, x: int, y: int, request: pytest.FixtureRequest
) -> None:
    path: Path = request.getfixturevalue(font)
    face = open_face(FontRef.of(path))
    canvas = canvas_from_zi2zi(
        canvas_size=canvas_size, char_size=char_size, x_offset=x, y_offset=y, ascender_em=face.ascender_em
    )
    for character in "東国":
        drawn = ink_box(render_ink(face, ord(character), canvas))
        expected = pil_box(path, character, canvas_size, char_size, x, y)
        # PIL rounds the origin to whole pixels
        np.testing.assert_allclose(drawn, expected, atol=1)


@pytest.mark.parametrize(("canvas_size", "char_size", "x", "y"), [(256, 200, 20, -15), (128, 150, -9, -30)])
def test_zi2zi_canvas_has_char_size_pixels_an_em(canvas_size: int, char_size: int, x: int, y: int) -> None:
    canvas = canvas_from_zi2zi(canvas_size=canvas_size, char_size=char_size, x_offset=x, y_offset=y, ascender_em=0.88)
    assert canvas.px_per_em == pytest.approx(char_size)
    np.testing.assert_allclose(canvas.em_to_px @ [0.0, 0.88, 1.0], [x, y], atol=1e-9)
