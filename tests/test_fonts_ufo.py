"""A font as UFO for font editors, and the way back of what was edited there."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from fontTools.pens.areaPen import AreaPen
from fontTools.pens.recordingPen import RecordingPen
from fontTools.ttLib import TTFont
from fontTools.ufoLib import UFOReader
from fontTools.ufoLib.glifLib import GlyphSet
from sample_fonts import DISC, NAMED, NEW, ZEN, drawing, rings, small_cff
from tiny_build import NEW as DRAWN
from tiny_build import SHARED, make_project, tiny_checkpoint

from fontgen.cli import main
from fontgen.errors import FontError, ImageError
from fontgen.fonts.assemble import AssembledGlyph, assemble, assemble_formats
from fontgen.outlines.glif import glyphs_of_ufo, read_glif


@pytest.fixture(scope="module")
def ufo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ufo")
    glyphs = [AssembledGlyph(NEW[0], DISC), *rings([*NEW[1:], 0x3042])]
    assemble_formats(ZEN, glyphs, [folder / "a.ttf", folder / "a.ufo"], NAMED, suspects={NEW[1]})
    return folder / "a.ufo"


@pytest.fixture(scope="module")
def glyphs(ufo: Path) -> GlyphSet:
    return UFOReader(str(ufo)).getGlyphSet()


def pens(glyphs: GlyphSet, name: str) -> set[str]:
    pen = RecordingPen()
    glyphs[name].draw(pen)
    return {operator for operator, _ in pen.value}


def area(glyphs: GlyphSet, name: str) -> float:
    pen = AreaPen(glyphs)
    glyphs[name].draw(pen)
    return pen.value


def read(glyphs: GlyphSet, name: str) -> SimpleNamespace:
    glyph = SimpleNamespace(lib={})
    glyphs.readGlyph(name, glyph)
    return glyph


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_glyph_is_in_it_each_with_its_own_kind_of_curve(ufo: Path, glyphs: GlyphSet) -> None:
    font = TTFont(ufo.with_suffix(".ttf"))
    assert UFOReader(str(ufo)).readLib()["public.glyphOrder"] == font.getGlyphOrder()
    assert set(glyphs.keys()) == set(font.getGlyphOrder())
    assert pens(glyphs, "uni4E02") == {"moveTo", "curveTo", "closePath"}
    assert pens(glyphs, "a") == {"moveTo", "lineTo", "qCurveTo", "closePath"}
    # ink turns counter-clockwise in both, though a TrueType font has it clockwise
    before = AreaPen(font.getGlyphSet())
    font.getGlyphSet()["a"].draw(before)
    assert area(glyphs, "a") == pytest.approx(-before.value)
    assert before.value < 0
    assert area(glyphs, "uni4E02") == pytest.approx(3.14159 * 400**2, rel=0.01)


def test_glyphs_keep_characters_and_metrics_and_are_marked(ufo: Path, glyphs: GlyphSet) -> None:
    font = TTFont(ufo.with_suffix(".ttf"))
    mapping = font.getBestCmap()
    assert glyphs.getUnicodes() == {
        name: [c for c in sorted(mapping) if mapping[c] == name] for name in font.getGlyphOrder()
    }
    for name in ("a", "uni4E02", "u20000", mapping[0x3042]):
        glyph = read(glyphs, name)
        assert glyph.width == font["hmtx"][name][0]
        assert glyph.height == font["vmtx"][name][0]
        assert glyph.lib["public.verticalOrigin"] == font["glyf"][name].yMax + font["vmtx"][name][1]
    blue = read(glyphs, "uni4E02").lib["public.markColor"]
    doubted = read(glyphs, mapping[NEW[1]]).lib
    assert doubted["fontgen.suspect"] is True
    assert doubted["public.markColor"] != blue
    assert read(glyphs, mapping[0x3042]).lib["public.markColor"] == blue
    assert "public.markColor" not in read(glyphs, "a").lib


def test_names_licence_and_metrics_are_in_fontinfo(ufo: Path) -> None:
    font, info = TTFont(ufo.with_suffix(".ttf")), SimpleNamespace()
    UFOReader(str(ufo)).readInfo(info)
    assert (info.familyName, info.styleName, info.styleMapStyleName) == ("Probe Hana", "Bold", "bold")
    assert (info.versionMajor, info.versionMinor, info.unitsPerEm) == (1, 0, 1000)
    assert info.postscriptFontName == "ProbeHana-Bold"
    assert "Zen Maru Gothic Authors" in info.copyright
    assert "SIL Open Font License" in info.openTypeNameLicense
    assert (info.ascender, info.descender) == (font["OS/2"].sTypoAscender, font["OS/2"].sTypoDescender)
    assert (info.openTypeHheaAscender, info.openTypeHheaDescender) == (font["hhea"].ascent, font["hhea"].descent)
    assert info.openTypeVheaVertTypoAscender == font["vhea"].ascent


def test_cff_bases_and_no_base_give_cubics_and_vertical_origins(tmp_path: Path) -> None:
    for cid in (False, True):
        output = tmp_path / f"{cid}.ufo"
        base = small_cff(tmp_path / f"{cid}.otf", cid=cid)
        assemble(base, rings([0x4E02]), output, NAMED)
        found = UFOReader(str(output)).getGlyphSet()
        font = TTFont(base)
        for name in font.getGlyphOrder():
            pen = RecordingPen()
            found[name].draw(pen)
            assert area(found, name) == pytest.approx(_area(font, name))
        vorg = font["VORG"]
        name = font.getGlyphOrder()[-1]
        wanted = vorg.VOriginRecords.get(name, vorg.defaultVertOriginY)
        assert read(found, name).lib["public.verticalOrigin"] == wanted
    assemble(None, [AssembledGlyph(0x4E02, DISC)], tmp_path / "none.ufo", NAMED)
    assert pens(UFOReader(str(tmp_path / "none.ufo")).getGlyphSet(), "uni4E02") == {"moveTo", "curveTo", "closePath"}


def _area(font: TTFont, name: str) -> float:
    pen = AreaPen(font.getGlyphSet())
    font.getGlyphSet()[name].draw(pen)
    return float(pen.value)


def test_the_same_font_gives_the_same_files_and_nothing_half_written(tmp_path: Path) -> None:
    base = small_cff(tmp_path / "base.otf", cid=False)
    for name in ("one", "two"):
        assemble(base, rings(), tmp_path / name / "a.ufo", NAMED)
    first = contents(tmp_path / "one" / "a.ufo")
    assert first == contents(tmp_path / "two" / "a.ufo")
    assemble(base, [AssembledGlyph(NEW[0], DISC)], tmp_path / "one" / "a.ufo", NAMED)
    assert contents(tmp_path / "one" / "a.ufo") != first
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["a.ufo"]


def test_hand_work_is_never_written_over(tmp_path: Path) -> None:
    base, output = small_cff(tmp_path / "base.otf", cid=False), tmp_path / "a.ufo"
    assemble(base, rings(), output, NAMED)
    edit(output / "glyphs" / "uni4E_02.glif", 'x="100"', 'x="90"')
    edited = contents(output)
    with pytest.raises(FontError, match=r"a\.ufo: has hand work in it, or is not a UFO of fontgen's; move it"):
        assemble(base, rings(), output, NAMED)
    assert contents(output) == edited
    (tmp_path / "b.ufo").write_text("a file")
    (tmp_path / "c.ufo").mkdir()
    for name in ("b.ufo", "c.ufo"):
        with pytest.raises(FontError, match="is not a UFO of fontgen's"):
            assemble(base, rings(), tmp_path / name, NAMED)


def test_tables_that_no_ufo_can_hold_are_named(tmp_path: Path) -> None:
    font = TTFont(small_cff(tmp_path / "base.otf", cid=False))
    font["OS/2"].usWidthClass = 0
    font.save(tmp_path / "wrong.otf")
    with pytest.raises(FontError, match=r"a\.ufo: the base font's tables do not fit a UFO \(.*openTypeOS2WidthClass"):
        assemble(tmp_path / "wrong.otf", rings(), tmp_path / "a.ufo", NAMED)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base.otf", "wrong.otf"]


def test_a_recipe_wants_a_font_beside_the_ufo_and_slices_want_one_too(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    with project.recipe.open("a") as file:
        file.write('\n[font]\nformats = ["ufo"]\n')
    result = project.run()
    assert result.exit_code == 2
    assert "needs ttf, otf or woff2" in result.output
    given = ["assemble", str(tmp_path), "-o", str(tmp_path / "a.ufo"), "--web", str(tmp_path / "web")]
    result = CliRunner().invoke(main, given)
    assert result.exit_code == 2
    assert "a UFO has no slices for the web" in result.output


def test_only_glyphs_that_were_edited_count_as_hand_work(ufo: Path, tmp_path: Path) -> None:
    hand = tmp_path / "hand.ufo"
    shutil.copytree(ufo, hand)
    found = glyphs_of_ufo(hand)
    assert not found.keys() & {*NEW, 0x3042}
    path = next((hand / "glyphs").glob("uni4E_02*.glif"))
    edit(path, 'smooth="yes"', 'smooth="no" name="editors do this"')
    edit(path, 'x="900"', 'x="900.0"')
    assert NEW[0] not in glyphs_of_ufo(hand)
    edit(path, 'x="900.0"', 'x="890"')
    assert glyphs_of_ufo(hand)[NEW[0]] == path
    assert max(x for contour in read_glif(path).contours for segment in contour for x, _ in segment) == 0.9
    edit(path, "<outline>", "<outline")
    with pytest.raises(ImageError, match="not readable as a UFO glyph"):
        glyphs_of_ufo(hand)


@pytest.mark.slow
@pytest.mark.parametrize("fit", ["em", "box"])
def test_an_edited_glyph_comes_back_into_the_font_and_the_others_stay(tmp_path: Path, fit: str) -> None:
    project = make_project(tmp_path / "project")
    project.write(canvas=f'[canvas]\nsize_px = 64\nfit = "{fit}"\n')
    with project.recipe.open("a") as file:
        file.write('\n[output]\noverrides = "overrides"\n[font]\nformats = ["ttf", "ufo"]\n')
        if fit == "em":
            tiny_checkpoint(project.root / "tiny.safetensors")
            file.write('[infer]\ncheckpoint = "tiny.safetensors"\n')
    overrides = project.root / "overrides"
    overrides.mkdir()
    assert project.run().exit_code == 0
    before, data = TTFont(project.ttf), project.ttf.read_bytes()
    shutil.copytree(project.out / "assemble" / "tiny.ufo", overrides / "tiny.ufo")
    if fit == "em":  # nothing edited, nothing changed
        assert project.run().exit_code == 0
        assert project.ttf.read_bytes() == data
    found = UFOReader(str(overrides / "tiny.ufo")).getGlyphSet()
    name = before.getBestCmap()[DRAWN[0]]
    path = overrides / "tiny.ufo" / "glyphs" / found.contents[name]
    square = "".join(f'<point x="{x}" y="{y}" type="line"/>' for x, y in ((200, 0), (800, 0), (800, 600), (200, 600)))
    text = path.read_text()
    start, end = text.index("<outline>"), text.index("</outline>")
    path.write_text(f"{text[:start]}<outline><contour>{square}</contour>{text[end:]}")
    result = project.run()
    assert result.exit_code == 0, result.output
    after = TTFont(project.ttf)
    changed = [n for n in before.getGlyphOrder() if drawing(before, n) != drawing(after, n)]
    assert changed == [name]
    glyph = after["glyf"][name]
    assert (glyph.xMin, glyph.yMin, glyph.xMax, glyph.yMax) == (200, 0, 800, 600)
    assert len(SHARED) < len(before.getGlyphOrder()) == len(after.getGlyphOrder())
