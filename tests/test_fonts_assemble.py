"""Assembling: what joins a base font, and that everything else of the base stays."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import freetype
import ots
import pytest
import uharfbuzz as hb
from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from sample_fonts import NAMED, NEW, RING, ZEN, area, box, rings, small_ttf

from fontgen.errors import FontError
from fontgen.fonts import join
from fontgen.fonts.assemble import AssembledGlyph, assemble, assemble_formats
from fontgen.fonts.check import check_font
from fontgen.fonts.os2 import code_page_sets, covered_code_pages
from fontgen.outlines.outline import Outline


@pytest.fixture(scope="module")
def zen() -> TTFont:
    return TTFont(ZEN)


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A part of Zen Maru with three new glyphs and a replaced one, in every format."""
    folder = tmp_path_factory.mktemp("grown")
    part = TTFont(ZEN)
    subsetter = Subsetter(Options(layout_features="*", glyph_names=True))
    subsetter.populate(text="ABCagあいアイ一二三愛永、。ー「」()")
    subsetter.subset(part)
    part.save(folder / "part.ttf")
    outputs = [folder / f"grown.{suffix}" for suffix in ("ttf", "otf", "woff2")]
    assemble_formats(folder / "part.ttf", rings([*NEW, 0x3042]), outputs, NAMED)
    return {output.suffix[1:]: output for output in outputs}


@pytest.mark.parametrize("suffix", ["ttf", "otf", "woff2"])
def test_every_format_loads_shapes_and_passes_the_sanitizer(
    grown: dict[str, Path], suffix: str, tmp_path: Path
) -> None:
    plain = tmp_path / "plain"
    assert ots.sanitize(str(grown[suffix]), str(plain), capture_output=True).returncode == 0
    face = freetype.Face(str(plain))
    for codepoint in (*NEW, 0x3042):
        face.load_char(chr(codepoint), freetype.FT_LOAD_NO_SCALE)
        assert face.glyph.outline.get_bbox().xMin == 100
    font = hb.Font(hb.Face(plain.read_bytes()))
    for direction in ("ltr", "ttb"):
        buffer = hb.Buffer()
        buffer.add_str("".join(map(chr, NEW)))
        buffer.direction = direction
        buffer.guess_segment_properties()
        hb.shape(font, buffer)
        assert all(info.codepoint for info in buffer.glyph_infos)
    assert check_font(grown[suffix], generated=NEW).level != "fail"


def test_the_base_stays_whole(tmp_path: Path, zen: TTFont) -> None:
    assemble(ZEN, rings([*NEW, 0x3042]), tmp_path / "grown.ttf", NAMED)
    font = TTFont(tmp_path / "grown.ttf")
    order, replaced = zen.getGlyphOrder(), zen.getBestCmap()[0x3042]
    assert font.getGlyphOrder()[: len(order)] == order
    for tag in ("GSUB", "GPOS", "BASE", "gasp"):
        assert font.reader[tag] == zen.reader[tag]
    for name in order:
        if name != replaced:
            assert font["glyf"][name] == zen["glyf"][name]
            assert font["hmtx"][name] == zen["hmtx"][name]
            assert font["vmtx"][name] == zen["vmtx"][name]
    for field in ("ascent", "descent", "lineGap"):
        assert getattr(font["hhea"], field) == getattr(zen["hhea"], field)
    assert {c: n for c, n in font.getBestCmap().items() if c not in NEW} == zen.getBestCmap()


def test_a_new_glyph_gets_all_its_tables(grown: dict[str, Path]) -> None:
    font = TTFont(grown["ttf"])
    name = font.getBestCmap()[0x20000]
    assert name == "u20000"
    assert font.getBestCmap()[0x4E02] == "uni4E02"
    assert font["hmtx"][name] == (1000, 100)
    height, top_bearing = font["vmtx"][name]
    assert (height, top_bearing + 800) == (1000, 880)  # hung from the same height as the base's ideographs
    assert font["GDEF"].table.GlyphClassDef.classDefs.get(name) == 1
    assert font["maxp"].numGlyphs == len(font.getGlyphOrder())
    assert font["OS/2"].usLastCharIndex == 0xFFFF
    assert 57 in font["OS/2"].getUnicodeRanges()
    assert area(font, name) == pytest.approx(-(800 * 820 - 400 * 400))  # clockwise outside, the counter the other way
    assert area(TTFont(grown["otf"]), name) == pytest.approx(800 * 820 - 400 * 400)


def test_cmap_has_formats_4_and_12(grown: dict[str, Path]) -> None:
    tables = {(t.platformID, t.platEncID): t for t in TTFont(grown["ttf"])["cmap"].tables}
    assert {key: table.format for key, table in tables.items()} == {(0, 3): 4, (0, 4): 12, (3, 1): 4, (3, 10): 12}
    assert 0x20000 in tables[3, 10].cmap
    assert max(tables[3, 1].cmap) <= 0xFFFF
    assert {c: n for c, n in tables[3, 10].cmap.items() if c <= 0xFFFF} == tables[3, 1].cmap


def test_a_replaced_glyph_keeps_its_name_and_advance(tmp_path: Path, zen: TTFont) -> None:
    assemble(ZEN, rings([0x3042]), tmp_path / "grown.ttf", NAMED)
    font, name = TTFont(tmp_path / "grown.ttf"), zen.getBestCmap()[0x3042]
    assert font.getBestCmap()[0x3042] == name
    assert font["hmtx"][name] == (zen["hmtx"][name][0], 100)
    assert area(font, name) == pytest.approx(-(800 * 820 - 400 * 400))


def test_keep_existing_leaves_the_base_alone(tmp_path: Path, zen: TTFont) -> None:
    report = assemble(ZEN, rings([0x3042, 0x20000]), tmp_path / "kept.ttf", NAMED, keep_existing=True)
    font, name = TTFont(tmp_path / "kept.ttf"), zen.getBestCmap()[0x3042]
    assert font["glyf"][name] == zen["glyf"][name]
    assert report.added == [0x20000]
    assert report.skipped == {0x3042: "the base font's own glyph is kept"}


def test_converted_outlines_stay_within_the_tolerance(grown: dict[str, Path], zen: TTFont) -> None:
    cubic = TTFont(grown["otf"])
    for character in "一Ag、":
        name, original = cubic.getBestCmap()[ord(character)], zen.getBestCmap()[ord(character)]
        assert area(cubic, name) == pytest.approx(-area(zen, original), rel=0.01)
        assert cubic["hmtx"][name][0] == zen["hmtx"][original][0]
    assert "glyf" not in cubic
    assert cubic["maxp"].tableVersion == 0x00005000


def test_without_a_base_the_font_is_complete(tmp_path: Path) -> None:
    outputs = [tmp_path / f"new.{suffix}" for suffix in ("ttf", "otf", "woff2")]
    assemble_formats(None, rings([0x4E00, 0x20000]), outputs, NAMED)
    for output in outputs:
        report = check_font(output, expected={0x20, 0xA0, 0x3000, 0x4E00, 0x20000})
        assert {f.check for f in report.findings if f.level != "pass"} == {"licence"}
    font = TTFont(outputs[0])
    assert (font["OS/2"].sTypoAscender, font["OS/2"].sTypoDescender, font["OS/2"].sTypoLineGap) == (880, -120, 0)
    assert font["gasp"].gaspRange == {0xFFFF: 0x000F}
    assert "BASE" in font
    tall = Outline((box(0.1, -0.4, 0.9, 1.1),))
    assemble(None, [AssembledGlyph(0x4E00, tall)], tmp_path / "tall.ttf", NAMED)
    font = TTFont(tmp_path / "tall.ttf")
    assert (font["hhea"].ascent, font["OS/2"].usWinAscent) == (1100, 1100)
    assert (font["hhea"].descent, font["OS/2"].usWinDescent) == (-400, 400)


def test_units_per_em_scale_everything(tmp_path: Path) -> None:
    settings = NAMED.model_copy(update={"units_per_em": 2048})
    for suffix in ("ttf", "otf"):
        assemble(None, rings([0x4E00]), tmp_path / f"big.{suffix}", settings)
        font = TTFont(tmp_path / f"big.{suffix}")
        assert font["hmtx"]["uni4E00"] == (2048, 205)
        assert check_font(tmp_path / f"big.{suffix}").level != "fail"


def test_advances(tmp_path: Path) -> None:
    base, source = small_ttf(tmp_path / "base.ttf"), tmp_path / "source.ttf"
    assemble(None, [*rings([0xFF71], advance_em=0.5), *rings([0x4E00])], source, NAMED)
    glyphs = [*rings([0x4E09], advance_em=0.75), *rings([0xFF71, 0x4E10]), *rings([0x4E03])]
    glyphs.append(AssembledGlyph(0x4E11, RING, vertical_advance_em=0.5))
    assemble(base, glyphs, tmp_path / "out.ttf", NAMED, source_font=source)
    font = TTFont(tmp_path / "out.ttf")
    cmap, metrics = font.getBestCmap(), font["hmtx"]
    assert [metrics[cmap[c]][0] for c in (0x4E09, 0xFF71, 0x4E10, 0x4E03)] == [750, 500, 1000, 1000]
    assert font["vmtx"][cmap[0x4E11]][0] == 500


@pytest.mark.parametrize("suffix", ["ttf", "otf", "woff2"])
def test_same_input_same_bytes(tmp_path: Path, suffix: str) -> None:
    base, files = small_ttf(tmp_path / "base.ttf"), []
    for name, glyphs in (("a", rings()), ("b", rings()[::-1])):
        assemble(base, glyphs, tmp_path / f"{name}.{suffix}", NAMED)
        files.append((tmp_path / f"{name}.{suffix}").read_bytes())
    assert files[0] == files[1]


def test_dates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base, out = small_ttf(tmp_path / "base.ttf"), tmp_path / "out.ttf"
    since_1904 = 2082844800
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assemble(base, rings(), out, NAMED)
    assert TTFont(out)["head"].modified == TTFont(base)["head"].modified
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    assemble(base, rings(), out, NAMED)
    head = TTFont(out)["head"]
    assert head.created == head.modified == 1000000000 + since_1904
    dated = NAMED.model_copy(update={"timestamp": datetime(2020, 1, 1, tzinfo=UTC)})
    assemble(base, rings(), out, dated)
    assert TTFont(out)["head"].modified == 1577836800 + since_1904
    for never in ("yesterday", "-3000000000"):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", never)
        with pytest.raises(FontError, match=f"SOURCE_DATE_EPOCH is '{never}'; set it to whole seconds"):
            assemble(base, rings(), out, NAMED)


def test_code_pages_need_real_coverage(tmp_path: Path) -> None:
    sets = code_page_sets()
    assert {bit: len(characters) for bit, characters in sets.items()} == {17: 3134, 18: 3755, 19: 2350, 20: 5401}
    some = sorted(sets[17])
    assert covered_code_pages(some) == {17}
    assert covered_code_pages(some[: len(some) * 98 // 100]) == set()
    assemble(None, [AssembledGlyph(c, RING) for c in sorted(sets[19])], tmp_path / "hangul.ttf", NAMED)
    assert TTFont(tmp_path / "hangul.ttf")["OS/2"].ulCodePageRange1 == 1 << 19 | 1


def test_failed_glyphs_are_counted_and_the_others_go_on(tmp_path: Path) -> None:
    huge = Outline((box(0, 0, 50, 50),))
    glyphs = [
        AssembledGlyph(0x4E09, Outline()),
        AssembledGlyph(0x4E10, huge),
        AssembledGlyph(0x2003, Outline()),
        *rings([0x4E11]),
    ]
    report = assemble(small_ttf(tmp_path / "base.ttf"), glyphs, tmp_path / "out.ttf", NAMED)
    assert set(report.done) == {0x2003, 0x4E11}
    assert "outline is empty" in report.failed[0x4E09]
    assert "do not fit a font's 16 bits" in report.failed[0x4E10]
    assert report.exit_status == 1
    assert report.to_json()["added"] == 2


def test_errors_say_which(tmp_path: Path) -> None:
    base, out = small_ttf(tmp_path / "base.ttf"), tmp_path / "out.ttf"
    with pytest.raises(FontError, match=r"more than one glyph for U\+4E00, U\+4E8C; keep one image"):
        assemble(base, rings([0x4E00, 0x4E8C, 0x4E00, 0x4E8C]), out)
    with pytest.raises(FontError, match=r"U\+D800 is not a character"):
        assemble(base, rings([0xD800]), out)
    with pytest.raises(FontError, match="unknown kind of font; end the name in"):
        assemble(base, rings(), tmp_path / "out.fon")
    with pytest.raises(FontError, match="family name missing"):
        assemble(None, rings(), out)
    with pytest.raises(FontError, match="not a variable font"):
        assemble(base, rings(), out, location={"wght": 400})
    with pytest.raises(FontError, match="no face 1; it holds one face"):
        assemble(base, rings(), out, face_index=1)
    with pytest.raises(FontError, match="no such font"):
        assemble(tmp_path / "absent.ttf", rings(), out)
    cut = tmp_path / "cut.ttf"
    cut.write_bytes(base.read_bytes()[:600])
    with pytest.raises(FontError, match="not a readable font"):
        assemble(cut, rings(), out)
    assert not out.exists()


def test_a_font_holds_65535_glyphs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert join.MAX_GLYPHS == 65535
    monkeypatch.setattr(join, "MAX_GLYPHS", 7)
    base = small_ttf(tmp_path / "base.ttf")
    assemble(base, rings(NEW[:2]), tmp_path / "out.ttf", NAMED)
    with pytest.raises(FontError, match="the base font's 5 glyphs and 3 new ones make 8, but a font holds at most 7"):
        assemble(base, rings(), tmp_path / "out.ttf", NAMED)
