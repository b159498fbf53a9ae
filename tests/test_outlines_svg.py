from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fontgen.errors import ImageError
from fontgen.outlines.outline import Contour, Outline, signed_area
from fontgen.outlines.svg import read_splines, read_svg, svg_text, write_svg

HEADER = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 -880 1000 1000">'


def read_text(tmp_path: Path, body: str, header: str = HEADER) -> Outline:
    path = tmp_path / "U+4E00.svg"
    path.write_text(f"{header}{body}</svg>", encoding="utf-8")
    return read_svg(path)


def flat(outline: Outline) -> list[float]:
    return [value for contour in outline.contours for segment in contour for point in segment for value in point]


_point = st.tuples(st.floats(-0.5, 1.5), st.floats(-0.5, 1.5))
_segment = st.one_of(st.tuples(_point), st.tuples(_point, _point, _point))


@settings(max_examples=40, deadline=None)
@given(segments=st.lists(_segment, min_size=3, max_size=6), units=st.sampled_from([1000, 2048]))
def test_round_trip_is_exact_to_a_millionth(
    tmp_path_factory: pytest.TempPathFactory, segments: list[tuple[tuple[float, float], ...]], units: int
) -> None:
    contour: Contour = tuple(segments)
    if abs(signed_area(contour)) < 1e-3:
        return
    if signed_area(contour) < 0:
        contour = (((0.0, 0.0),), ((1.9, 0.0),), ((1.9, 1.9),), ((0.0, 1.9),))
    path = tmp_path_factory.mktemp("svg") / "U+4E00.svg"
    write_svg(path, Outline((contour,)), units_per_em=units)
    assert flat(read_svg(path)) == pytest.approx(flat(Outline((contour,))), abs=1e-6)


def test_empty_outline_round_trips(tmp_path: Path) -> None:
    write_svg(tmp_path / "a.svg", Outline())
    assert read_svg(tmp_path / "a.svg").is_empty


def test_file_shows_font_units_with_the_flip_in_a_transform() -> None:
    text = svg_text(Outline(((((0.5, 0.0),), ((0.5, 0.25),), ((0.0, 0.0),)),)))
    assert 'viewBox="0 -880 1000 1000"' in text
    assert 'transform="scale(1 -1)"' in text
    assert "M0 0L500 0L500 250L0 0Z" in text


SQUARE = [(0.1, 0.0), (0.6, 0.0), (0.6, 0.5), (0.1, 0.5)]


@pytest.mark.parametrize(
    "body",
    [
        '<path d="M100 0 H600 V-500 H100 Z"/>',
        '<path d="m100 0 h500 v-500 h-500 z"/>',
        '<path d="M100,0 L600,0 600,-500 100,-500"/>',
        '<rect x="100" y="-500" width="500" height="500"/>',
        '<polygon points="100,0 600,0 600,-500 100,-500"/>',
        '<g transform="translate(100 0)"><g transform="scale(5,-5)"><path d="M0 0h100v100h-100z"/></g></g>',
        '<g transform="matrix(1 0 0 1 50 0)"><path transform="translate(50)" d="M0 0h500v-500h-500z"/></g>',
        '<path transform="rotate(90 100 0)" d="M100 0 v-500 h-500 v500 z"/>',
    ],
)
def test_hand_made_squares_are_read_whatever_way_they_are_written(tmp_path: Path, body: str) -> None:
    outline = read_text(tmp_path, body)
    (contour,) = outline.contours
    assert signed_area(contour) > 0
    assert sorted((round(x, 9), round(y, 9)) for ((x, y),) in contour) == sorted(SQUARE)


def test_quadratics_become_the_same_curve(tmp_path: Path) -> None:
    (contour,) = read_text(tmp_path, '<path d="M0 0 Q 300 -600 600 0 Z"/>').contours
    # Two thirds of the triangle of its control points, by Archimedes.
    assert abs(signed_area(contour)) == pytest.approx(2 / 3 * 0.6 * 0.6 / 2)
    (smooth,) = read_text(tmp_path, '<path d="M0 0 Q 100 -100 200 0 T 400 0 L 400 500 L0 500 Z"/>').contours
    assert sum(len(segment) == 3 for segment in smooth) == 2


def test_foreign_viewbox_is_the_em_square(tmp_path: Path) -> None:
    header = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 256 256">'
    outline = read_text(tmp_path, '<rect x="0" y="0" width="256" height="256"/>', header)
    assert outline.bounds_em() == pytest.approx((0.0, -0.12, 1.0, 0.88))


def test_direction_is_turned_only_as_a_whole(tmp_path: Path) -> None:
    ring = '<path d="M0 0v-500h500v500z M100 -100h300v-300h-300z"/>'
    assert [signed_area(c) > 0 for c in read_text(tmp_path, ring).contours] == [True, False]
    even_odd = '<path fill-rule="evenodd" d="M0 0v-500h500v500z M100 -100v-300h300v300z"/>'
    assert [signed_area(c) > 0 for c in read_text(tmp_path, even_odd).contours] == [True, False]


def test_definitions_and_hidden_shapes_are_no_ink(tmp_path: Path) -> None:
    shape = '<path d="M0 0h500v-500z"/>'
    assert read_text(tmp_path, f'<defs>{shape}</defs><g display="none">{shape}</g>').is_empty


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<svg", "not readable as SVG"),
        ('<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h5v5z"/></svg>', "viewBox"),
        ('<svg viewBox="0 0 10 0"><path d="M0 0h5v5z"/></svg>', "no height"),
        (f'{HEADER}<path d="M0 0 L 5 Q"/></svg>', "cannot be read"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "U+4E00.svg"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ImageError, match=message) as caught:
        read_svg(path)
    assert str(path) in str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such SVG"):
        read_svg(tmp_path / "U+4E00.svg")


def _spline_outline() -> Outline:
    from test_outlines_truetype import traced

    return traced(1)[0]


def test_splines_come_back_exactly_as_long_as_the_path_stands(tmp_path: Path) -> None:
    outline = _spline_outline()
    path = tmp_path / "U+4E00.svg"
    write_svg(path, outline)
    assert read_svg(path) == outline
    # A program that writes the same path in its own way keeps the splines out of it, but keeps the drawing.
    path.write_text(path.read_text().replace("\nM", " M").replace("<g ", "<g id='layer1' "), encoding="utf-8")
    again = read_svg(path)
    assert again.splines is None
    assert flat(again) == pytest.approx(flat(outline), abs=1e-9)


def test_splines_of_a_path_edited_by_hand_are_left(tmp_path: Path) -> None:
    outline = _spline_outline()
    path = tmp_path / "U+4E00.svg"
    text = svg_text(outline)
    x = text.split("M")[1].split(" ")[0]
    path.write_text(text.replace(f"M{x} ", f"M{float(x) + 30:g} ", 1), encoding="utf-8")
    assert read_svg(path).splines is None


@pytest.mark.parametrize("damage", ["C1 2 3", "L1", "M"])
def test_own_file_with_a_damaged_path_is_an_error(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "U+4E00.svg"
    path.write_text(svg_text(Outline(((((0.5, 0.0),), ((0.5, 0.25),), ((0.0, 0.0),)),))).replace("L500 0", damage))
    with pytest.raises(ImageError, match="cannot be read"):
        read_svg(path)


def test_splines_are_read_alone_as_with_their_outline(tmp_path: Path) -> None:
    path = tmp_path / "U+4E00.svg"
    outline = _spline_outline()
    write_svg(path, outline)
    assert read_splines(path) == read_svg(path).splines == outline.splines
    path.write_text(path.read_text().replace("M", "M1 1L", 1))
    assert read_splines(path) is None
    path.write_text('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>')
    assert read_splines(path) is None
    assert read_splines(tmp_path / "U+4E01.svg") is None
