"""Opening fonts of every container, and telling a real glyph from a placeholder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from box_fonts import NOTO, TOFU, ZEN, box_font, part_of
from fontTools.designspaceLib import AxisDescriptor, DesignSpaceDocument, SourceDescriptor
from fontTools.ttLib import TTCollection, TTFont
from fontTools.ttLib.tables._c_m_a_p import CmapSubtable
from fontTools.varLib import build as build_variable

from fontgen.canvas import Canvas
from fontgen.errors import FontError, GlyphError
from fontgen.fonts.face import Face, FontRef, GlyphState, open_face
from fontgen.fonts.stack import FontStack
from fontgen.glyphs.render import render_ink

ONE = [(100, 0, 900, 700)]
TWO = [(100, 0, 900, 300), (100, 400, 900, 700)]
CANVAS = Canvas(size_px=64)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def face_of(path: Path, index: int = 0, **location: float) -> Face:
    return open_face(FontRef.of(path, index, location))


def in_flavor(font: Path, flavor: str, path: Path) -> Path:
    opened = TTFont(font)
    opened.flavor = flavor
    opened.save(path)
    return path


def collection(fonts: list[Path], path: Path) -> Path:
    together = TTCollection()
    together.fonts = [TTFont(font) for font in fonts]
    together.save(path)
    return path


def variable_font(folder: Path, *, light: int = 100, bold: int = 300) -> Path:
    """A bar whose thickness runs from `light` at wght 100 to `bold` at wght 900."""
    document = DesignSpaceDocument()
    axis = AxisDescriptor(name="Weight", tag="wght", minimum=100, default=100, maximum=900)
    document.addAxis(axis)
    for weight, thickness in ((100, light), (900, bold)):
        path = box_font(folder / f"{weight}.ttf", {0x4E00: [(100, 300, 900, 300 + thickness)]})
        source = SourceDescriptor(path=str(path), name=str(weight), location={"Weight": weight})
        source.font = TTFont(path)
        document.addSource(source)
    font, _, _ = build_variable(document)
    font.save(folder / "variable.ttf")
    return folder / "variable.ttf"


# containers


@pytest.mark.parametrize("cff", [False, True])
@pytest.mark.parametrize("flavor", [None, "woff", "woff2"])
def test_every_container_gives_the_same_picture(tmp_path: Path, cff: bool, flavor: str | None) -> None:
    path = box_font(tmp_path / "f.otf", {0x4E00: TWO}, cff=cff)
    if flavor:
        path = in_flavor(path, flavor, tmp_path / f"f.{flavor}")
    face = face_of(path)
    assert face.units_per_em == 1000
    assert face.ascender_em == pytest.approx(0.88)
    assert face.descender_em == pytest.approx(-0.12)
    assert (face.family_name, face.style_name) == ("Boxes", "Regular")
    assert face.advance_em(0x4E00) == 1.0
    assert face.bounds_em(0x4E00) == pytest.approx((0.1, 0.0, 0.9, 0.7))
    ink = render_ink(face, 0x4E00, CANVAS)
    assert ink.sum() / 255 / CANVAS.px_per_em**2 == pytest.approx(0.8 * 0.6, abs=0.002)


@pytest.mark.parametrize("flavor", ["woff", "woff2"])
def test_a_real_font_is_the_same_picture_packed(tmp_path: Path, flavor: str) -> None:
    plain = part_of(ZEN, map(ord, "東国"), tmp_path / "plain.ttf")
    packed = in_flavor(plain, flavor, tmp_path / f"packed.{flavor}")
    for character in "東国":
        expected = render_ink(face_of(plain), ord(character), CANVAS)
        assert expected.any()
        np.testing.assert_array_equal(render_ink(face_of(packed), ord(character), CANVAS), expected)


def test_an_unpacked_font_is_kept_and_its_damage_does_not_matter(tmp_path: Path) -> None:
    packed = in_flavor(box_font(tmp_path / "f.ttf", {0x4E00: ONE}), "woff2", tmp_path / "f.woff2")
    face_of(packed)
    (kept,) = (tmp_path / "cache").rglob("*.sfnt")
    assert TTFont(kept).getBestCmap() == {0x4E00: "u4E00"}


def test_without_a_place_for_the_cache_a_packed_font_still_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    packed = in_flavor(box_font(tmp_path / "f.ttf", {0x4E00: ONE}), "woff2", tmp_path / "f.woff2")
    assert face_of(packed).cmap.keys() == {0x4E00}


def test_faces_of_a_collection_are_told_apart(tmp_path: Path) -> None:
    first = box_font(tmp_path / "1.ttf", {0x4E00: ONE}, family="First")
    second = box_font(tmp_path / "2.ttf", {0x4E00: TWO, 0x4E8C: ONE}, family="Second")
    path = collection([first, second], tmp_path / "both.ttc")
    assert face_of(path).family_name == "First"
    assert face_of(path, 1).family_name == "Second"
    assert face_of(path, 1).cmap.keys() == {0x4E00, 0x4E8C}
    one, two = (render_ink(face_of(path, index), 0x4E00, CANVAS).sum() for index in (0, 1))
    assert two / one == pytest.approx(6 / 7, abs=0.01)


@pytest.mark.parametrize(("weight", "thickness"), [(100, 0.1), (500, 0.2), (900, 0.3)])
def test_a_variable_font_is_drawn_at_its_location(tmp_path: Path, weight: float, thickness: float) -> None:
    face = face_of(variable_font(tmp_path), wght=weight)
    assert face.bounds_em(0x4E00) == pytest.approx((0.1, 0.3, 0.9, 0.3 + thickness))


def test_a_variable_font_without_a_location_is_its_default(tmp_path: Path) -> None:
    assert face_of(variable_font(tmp_path)).bounds_em(0x4E00) == pytest.approx((0.1, 0.3, 0.9, 0.4))


def test_glyphs_beyond_the_basic_plane(tmp_path: Path) -> None:
    face = face_of(box_font(tmp_path / "f.ttf", {0x20000: ONE, 0x2A6D6: TWO, 0x41: ONE}))
    assert face.cmap.keys() == {0x41, 0x20000, 0x2A6D6}
    assert set(face.states([0x20000, 0x2A6D6, 0x20001]).values()) == {"ok", "missing"}
    assert render_ink(face, 0x2A6D6, CANVAS).any()


# what cannot be opened


def no_font(path: Path) -> Path:
    path.write_bytes(b"hello, world" * 100)
    return path


def empty_file(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def cut_short(path: Path) -> Path:
    path.write_bytes(ZEN.read_bytes()[:3000])
    return path


def cut_in_the_directory(path: Path) -> Path:
    path.write_bytes(ZEN.read_bytes()[:40])
    return path


def cut_woff2(path: Path) -> Path:
    whole = in_flavor(box_font(path, {0x4E00: ONE}), "woff2", path)
    path.write_bytes(whole.read_bytes()[:-100])
    return path


def scrambled_cmap(path: Path) -> Path:
    font = TTFont(ZEN)
    entry = font.reader.tables["cmap"]
    data = bytearray(ZEN.read_bytes())
    data[entry.offset : entry.offset + entry.length] = b"\xff" * entry.length
    path.write_bytes(bytes(data))
    return path


@pytest.mark.parametrize("damage", [no_font, empty_file, cut_short, cut_in_the_directory, cut_woff2, scrambled_cmap])
def test_a_damaged_font_is_named_with_what_to_do(tmp_path: Path, damage: Callable[[Path], Path]) -> None:
    path = damage(tmp_path / "broken.ttf")
    with pytest.raises(FontError, match=r"broken\.ttf: ") as caught:
        face_of(path)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_status == 2


@pytest.mark.parametrize("place", ["nothing.ttf", "."])
def test_a_missing_font_and_a_folder_are_named(tmp_path: Path, place: str) -> None:
    with pytest.raises(FontError, match=r"no such font file|cannot be read"):
        face_of(tmp_path / place)


def with_cmap(font: Path, path: Path, *, platform: int | None, encoding: int = 0) -> Path:
    """The font with one subtable of another platform, or without a cmap at all."""
    opened = TTFont(font)
    if platform is None:
        del opened["cmap"]
    else:
        table = CmapSubtable.newSubtable(0 if platform == 1 else 4)
        table.platformID, table.platEncID, table.language = platform, encoding, 0
        table.cmap = {0x41: opened.getGlyphOrder()[1]}
        opened["cmap"].tables = [table]
    opened.save(path)
    return path


@pytest.mark.parametrize(
    ("platform", "encoding", "message"),
    [
        (1, 0, r"no Unicode cmap \(it has: platform 1 encoding 0\)"),
        (3, 0, r"no Unicode cmap \(it has: platform 3 encoding 0\)"),
        (3, 4, r"no Unicode cmap \(it has: platform 3 encoding 4\)"),  # Big5 codes
        (None, 0, "no cmap table"),
    ],
)
def test_a_font_without_a_unicode_cmap_says_what_it_has(
    tmp_path: Path, platform: int | None, encoding: int, message: str
) -> None:
    # glyph names as in real fonts: FreeType would make up a Unicode map from them
    path = with_cmap(
        box_font(tmp_path / "f.ttf", {0x4E00: ONE}), tmp_path / "g.ttf", platform=platform, encoding=encoding
    )
    with pytest.raises(FontError, match=message):
        face_of(path)


def test_an_empty_unicode_cmap_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FontError, match="cmap is empty"):
        face_of(box_font(tmp_path / "f.ttf", {}))


def test_a_face_that_a_file_does_not_have_is_refused(tmp_path: Path) -> None:
    single = box_font(tmp_path / "f.ttf", {0x4E00: ONE})
    with pytest.raises(FontError, match="a single font has no face 1; leave face_index out"):
        face_of(single, 1)
    both = collection([single, single], tmp_path / "both.ttc")
    with pytest.raises(FontError, match=r"both\.ttc"):
        face_of(both, 2)


def test_a_location_that_a_font_does_not_have_is_refused(tmp_path: Path) -> None:
    variable = variable_font(tmp_path)
    with pytest.raises(FontError, match="no axis 'wdth'; it has wght"):
        face_of(variable, wdth=100)
    with pytest.raises(FontError, match=r"wght=1000 is outside 100\.\.900"):
        face_of(variable, wght=1000)
    with pytest.raises(FontError, match="not a variable font; leave the location out"):
        face_of(ZEN, wght=700)


def test_a_reference_prints_all_of_itself() -> None:
    assert str(FontRef.of(Path("a.ttc"), 2, {"wght": 700, "opsz": 12.5})) == "a.ttc#2@opsz=12.5,wght=700"
    assert str(FontRef.of(Path("a.ttf"))) == "a.ttf"


# states


def states_of(path: Path, *codepoints: int) -> list[GlyphState]:
    return list(face_of(path).states(codepoints).values())


@pytest.mark.parametrize("cff", [False, True])
def test_missing_blank_and_placeholder_glyphs_are_told_apart(tmp_path: Path, cff: bool) -> None:
    font = box_font(tmp_path / "f", {0x4E00: ONE, 0x4E01: [], 0x4E02: [TOFU], 0x3000: [], 0x20: []}, cff=cff)
    assert states_of(font, 0x4E00, 0x4E01, 0x4E02, 0x4E03) == ["ok", "blank", "tofu", "missing"]
    assert states_of(font, 0x3000, 0x20) == ["ok", "ok"]  # spaces are rightly blank


def test_an_outline_without_area_is_blank(tmp_path: Path) -> None:
    assert states_of(box_font(tmp_path / "f.ttf", {0x4E00: [(500, 500, 500, 500)]}), 0x4E00) == ["blank"]


def test_a_shape_repeated_under_many_codepoints_is_a_placeholder(tmp_path: Path) -> None:
    repeated = range(0x4E00, 0x4E08)
    # each centred on another advance, as placeholders are
    glyphs = {c: [(100 + 10 * i, 0, 800 + 10 * i, 700)] for i, c in enumerate(repeated)}
    font = box_font(tmp_path / "f.ttf", {**glyphs, 0x5000: TWO})
    assert states_of(font, *repeated, 0x5000) == ["tofu"] * 8 + ["ok"]
    # two or three compatibility ideographs that share a shape are genuine
    assert states_of(font, *list(repeated)[:3]) == ["ok"] * 3


def test_a_blank_notdef_makes_no_placeholders(tmp_path: Path) -> None:
    assert states_of(box_font(tmp_path / "f.ttf", {0x4E00: ONE, 0x4E01: []}, notdef=()), 0x4E00, 0x4E01) == [
        "ok",
        "blank",
    ]


@pytest.mark.parametrize("font", [NOTO, ZEN])
def test_every_character_of_a_real_font_is_genuine(font: Path) -> None:
    face = face_of(font)
    states = face.states(sorted(face.cmap))
    assert {c for c, state in states.items() if state != "ok"} == set()


def test_a_missing_glyph_cannot_be_drawn(tmp_path: Path) -> None:
    face = face_of(box_font(tmp_path / "f.ttf", {0x4E00: ONE}))
    with pytest.raises(GlyphError, match=r"f\.ttf: no glyph for U\+4E01"):
        render_ink(face, 0x4E01, CANVAS)


# stacks


def test_a_stack_takes_each_character_from_the_first_font_that_really_has_it(tmp_path: Path) -> None:
    first = box_font(tmp_path / "1.ttf", {0x4E00: ONE, 0x4E01: [TOFU], 0x4E02: [], 0x4E03: []})
    second = box_font(tmp_path / "2.ttf", {0x4E00: TWO, 0x4E01: TWO, 0x20000: TWO, 0x4E02: [TOFU]})
    refs = [FontRef.of(first), FontRef.of(second)]
    found = FontStack(refs).resolve([0x4E00, 0x4E01, 0x20000, 0x4E02, 0x4E03, 0x4E04])
    assert found.refs == {0x4E00: refs[0], 0x4E01: refs[1], 0x20000: refs[1]}
    assert found.lacking == {0x4E02: "tofu", 0x4E03: "blank", 0x4E04: "missing"}
    assert FontStack(refs).codepoints == {0x4E00, 0x4E01, 0x4E02, 0x4E03, 0x20000}


def test_a_stack_needs_a_font() -> None:
    with pytest.raises(ValueError, match="at least one font"):
        FontStack([])


def test_a_font_is_opened_once(tmp_path: Path) -> None:
    path = tmp_path / "f.ttf"
    shutil.copy(box_font(tmp_path / "g.ttf", {0x4E00: ONE}), path)
    assert face_of(path) is face_of(path)
