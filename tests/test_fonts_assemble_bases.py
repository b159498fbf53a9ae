"""Kinds of base fonts: CFF, CID-keyed, collections, variable, WOFF2, shared and composite glyphs."""

from __future__ import annotations

from pathlib import Path

import pytest
from fontTools.designspaceLib import AxisDescriptor
from fontTools.fontBuilder import FontBuilder
from fontTools.ttLib import TTCollection, TTFont, newTable
from fontTools.ttLib.sfnt import SFNTWriter
from fontTools.ttLib.tables._g_v_a_r import TupleVariation
from fontTools.ttLib.tables.otTables import GDEF
from sample_fonts import DISC, NAMED, area, drawing, rings, small_cff, small_cff2, small_ttf

from fontgen.errors import FontError
from fontgen.fonts.assemble import AssembledGlyph, assemble, require_names
from fontgen.fonts.base import open_base
from fontgen.fonts.check import check_font


def test_conversion_can_be_exact(tmp_path: Path) -> None:
    disc = tmp_path / "disc.ttf"
    assemble(None, [AssembledGlyph(0x4E00, DISC)], disc, NAMED)
    assemble(disc, [], tmp_path / "exact.otf", NAMED.model_copy(update={"conversion_error_em": 0.0}))
    quadratic, cubic = TTFont(disc), TTFont(tmp_path / "exact.otf")
    assert area(cubic, "uni4E00") == pytest.approx(-area(quadratic, "uni4E00"), rel=1e-6)


@pytest.mark.parametrize("cid", [False, True])
def test_cff_base_keeps_its_charstrings(tmp_path: Path, cid: bool) -> None:
    base = small_cff(tmp_path / "base.otf", cid=cid)
    report = assemble(base, rings([0x4E8C, 0x4E09]), tmp_path / "out.otf", NAMED)
    before, after = TTFont(base), TTFont(tmp_path / "out.otf")
    names = before.getGlyphOrder()
    assert (report.added, report.replaced) == ([0x4E09], [0x4E8C])
    assert after.getGlyphOrder() == [*names, "cid00010" if cid else "uni4E09"]
    assert drawing(after, names[1]) == drawing(before, names[1])
    for name in (names[2], after.getGlyphOrder()[3]):
        assert area(after, name) == 800 * 820 - 400 * 400
        assert after["hmtx"][name] == (1000, 100)
    assert after["vmtx"][names[2]] == (1000, 82)  # its own origin, 882, less the new top, 800
    assert after["VORG"].VOriginRecords == {names[2]: 882}
    assert list(after["CFF "].cff[0].FontBBox)[:2] == [0, -20] or after["head"].yMin == -20
    assert after["CFF "].cff.fontNames == ["ProbeHana-Bold"]
    assert check_font(tmp_path / "out.otf", expected={0x4E00, 0x2F00, 0x4E8C, 0x4E09}).level != "fail"


def test_cff_base_becomes_truetype(tmp_path: Path) -> None:
    base = small_cff(tmp_path / "base.otf", cid=True)
    assemble(base, rings([0x4E09]), tmp_path / "out.ttf", NAMED)
    font = TTFont(tmp_path / "out.ttf")
    assert "VORG" not in font
    assert "CFF " not in font
    assert area(font, font.getBestCmap()[0x4E00]) < 0  # clockwise, as TrueType fills
    assert check_font(tmp_path / "out.ttf").level != "fail"


def test_woff2_base_and_woff2_of_a_cff_base(tmp_path: Path) -> None:
    assemble(small_ttf(tmp_path / "base.ttf"), rings(), tmp_path / "packed.woff2", NAMED)
    assemble(tmp_path / "packed.woff2", rings([0x4E04]), tmp_path / "again.ttf", NAMED)
    assert 0x4E04 in TTFont(tmp_path / "again.ttf").getBestCmap()
    assemble(small_cff(tmp_path / "base.otf", cid=False), rings([0x4E04]), tmp_path / "cff.woff2", NAMED)
    assert "CFF " in TTFont(tmp_path / "cff.woff2")


def test_collection_face(tmp_path: Path) -> None:
    collection = TTCollection()
    faces = [small_ttf(tmp_path / "a.ttf", family="First"), small_ttf(tmp_path / "b.ttf", family="Second")]
    collection.fonts = [TTFont(face) for face in faces]
    collection.save(tmp_path / "both.ttc")
    assemble(tmp_path / "both.ttc", rings([0x4E09]), tmp_path / "out.ttf", face_index=1)
    assert TTFont(tmp_path / "out.ttf")["name"].getDebugName(1) == "Second Fontgen"
    with pytest.raises(FontError, match="no face 2; choose 0 to 1"):
        open_base(tmp_path / "both.ttc", face_index=2)


def test_variable_base_is_instanced(tmp_path: Path) -> None:
    static = TTFont(small_ttf(tmp_path / "static.ttf"))
    builder = FontBuilder(font=static)
    axis = AxisDescriptor(tag="wght", name="Weight", minimum=400, default=400, maximum=900)
    builder.setupFvar([axis], [])
    shift = [(0, 0), (0, 100), (0, 100), (0, 0), None, None, None, None]
    builder.setupGvar({"one": [TupleVariation({"wght": (0, 1, 1)}, shift)]})
    static.save(tmp_path / "variable.ttf")
    report = assemble(tmp_path / "variable.ttf", [], tmp_path / "out.ttf", NAMED, location={"wght": 900})
    assert report.notices[0] == "variable font: the instance at wght=900 is the base"
    font = TTFont(tmp_path / "out.ttf")
    assert "fvar" not in font
    assert font["glyf"]["one"].yMax == 899
    with pytest.raises(FontError, match="axis wght cannot be 100; choose 400 to 900"):
        open_base(tmp_path / "variable.ttf", location={"wght": 100})
    with pytest.raises(FontError, match="no axis 'wdth'; it has wght"):
        open_base(tmp_path / "variable.ttf", location={"wdth": 100})


@pytest.mark.parametrize("suffix", ["otf", "ttf"])
def test_cff2_base_becomes_static(tmp_path: Path, suffix: str) -> None:
    variable, static = (small_cff2(tmp_path / f"{v}.otf", variable=v) for v in (True, False))
    out = tmp_path / f"out.{suffix}"
    for base, weight, notice, inked in (
        (variable, None, "variable font: the instance at wght=400 is the base", 500 * 600),
        (variable, 900, "variable font: the instance at wght=900 is the base", 700 * 600),
        (static, None, "CFF2 outlines were turned into CFF", 500 * 600),
    ):
        location = {"wght": weight} if weight else None
        report = assemble(base, rings([0x4E8C, 0x4E09]), out, NAMED, location=location)
        assert (report.notices, report.added, report.replaced) == ([notice], [0x4E09], [0x4E8C])
        font = TTFont(out)
        assert not {"CFF2", "fvar", "HVAR"} & set(font.keys())
        cmap = font.getBestCmap()
        assert abs(area(font, cmap[0x4E00])) == inked
        assert abs(area(font, cmap[0x4E09])) == abs(area(font, cmap[0x4E8C])) == 800 * 820 - 400 * 400
        assert check_font(out, expected={0x4E00, 0x4E8C, 0x4E09}).level != "fail"


def test_a_face_of_a_cid_keyed_collection(tmp_path: Path) -> None:
    """As Noto Sans CJK comes: an OTC whose faces are CID-keyed."""
    collection = TTCollection()
    collection.fonts = [TTFont(small_cff(tmp_path / f"{cid}.otf", cid=cid)) for cid in (False, True)]
    collection.save(tmp_path / "both.otc")
    report = assemble(tmp_path / "both.otc", rings([0x4E8C, 0x4E09]), tmp_path / "out.otf", NAMED, face_index=1)
    assert (report.added, report.replaced) == ([0x4E09], [0x4E8C])
    font = TTFont(tmp_path / "out.otf")
    assert hasattr(font["CFF "].cff[0], "ROS")
    assert font.getGlyphOrder() == [".notdef", "cid00005", "cid00009", "cid00010"]
    assert check_font(tmp_path / "out.otf", expected={0x4E00, 0x2F00, 0x4E8C, 0x4E09}).level != "fail"


def test_a_shared_glyph_is_not_altered(tmp_path: Path) -> None:
    base = small_ttf(tmp_path / "base.ttf")
    report = assemble(base, rings([0x4E00]), tmp_path / "out.ttf", NAMED)
    font = TTFont(tmp_path / "out.ttf")
    assert font.getBestCmap()[0x2F00] == "one"
    assert font.getBestCmap()[0x4E00] == "uni4E00"
    assert font["glyf"]["one"] == TTFont(base)["glyf"]["one"]
    assert report.replaced == [0x4E00]
    assemble(base, rings([0x4E00, 0x2F00]), tmp_path / "both.ttf", NAMED)  # nobody is left to protect: one takes over
    cmap = TTFont(tmp_path / "both.ttf").getBestCmap()
    assert (cmap[0x2F00], cmap[0x4E00]) == ("one", "uni4E00")


def test_a_component_is_not_altered_in_its_composites(tmp_path: Path) -> None:
    base = small_ttf(tmp_path / "base.ttf")
    assemble(base, rings([0x2EA0]), tmp_path / "out.ttf", NAMED)
    before, after = TTFont(base), TTFont(tmp_path / "out.ttf")
    assert drawing(after, "pair") == drawing(before, "pair")
    assert drawing(after, "accent") != drawing(before, "accent")
    assert check_font(tmp_path / "out.ttf").level != "fail"


def test_features_variations_and_hints_stay_and_the_signature_goes(tmp_path: Path) -> None:
    base = small_ttf(tmp_path / "base.ttf")
    report = assemble(base, rings([0x4E09]), tmp_path / "out.ttf", NAMED)
    before, after = TTFont(base), TTFont(tmp_path / "out.ttf")
    for tag in ("GSUB", "GPOS", "fpgm", "prep"):
        assert after.reader[tag] == before.reader[tag]
    assert "gasp" not in after
    assert "DSIG" not in after
    assert any("DSIG" in notice for notice in report.notices)
    variation = next(t for t in after["cmap"].tables if t.format == 14)
    assert variation.uvsDict == {0xFE00: [(0x4E8C, "pair")]}
    classes = after["GDEF"].table.GlyphClassDef.classDefs
    assert (classes["uni4E09"], classes["accent"]) == (1, 3)
    assert {"vhea", "vmtx"} <= set(after.keys())  # added, since the font is set vertically too


def test_bases_without_what_a_font_needs(tmp_path: Path) -> None:
    font = TTFont(small_ttf(tmp_path / "base.ttf"))
    font["cmap"].tables = [t for t in font["cmap"].tables if t.format == 14]
    font.save(tmp_path / "mapless.ttf")
    with pytest.raises(FontError, match="has no Unicode cmap"):
        open_base(tmp_path / "mapless.ttf")
    font = TTFont(tmp_path / "base.ttf")
    del font["OS/2"]
    font.save(tmp_path / "short.ttf")
    with pytest.raises(FontError, match="lacks the tables OS/2"):
        open_base(tmp_path / "short.ttf")


def with_tables(path: Path, whole: Path, **tables: bytes | None) -> Path:
    """A copy of a font with the bytes of some tables replaced, or without them."""
    reader = TTFont(whole).reader
    kept = {tag: tables.get(tag.replace("/", ""), reader[tag]) for tag in reader.keys()}  # noqa: SIM118
    present = {tag: data for tag, data in kept.items() if data is not None}
    with path.open("w+b") as file:
        writer = SFNTWriter(file, len(present), reader.sfntVersion)
        for tag, data in present.items():
            writer[tag] = data
        writer.close()
    return path


@pytest.mark.parametrize("tag", ["OS2", "hmtx", "loca", "GDEF"])
def test_a_base_with_a_broken_table_is_refused_before_anything_is_made(tmp_path: Path, tag: str) -> None:
    font = TTFont(small_ttf(tmp_path / "base.ttf"))
    font["GDEF"] = newTable("GDEF")
    font["GDEF"].table = GDEF()
    font["GDEF"].table.Version = 0x00010000
    font.save(tmp_path / "whole.ttf")
    cut = font.reader[{"OS2": "OS/2"}.get(tag, tag)][:3] if tag != "GDEF" else b"\0"
    broken = with_tables(tmp_path / "broken.ttf", tmp_path / "whole.ttf", **{tag: cut})
    name = {"OS2": "OS/2", "loca": "(loca|glyf)"}.get(tag, tag)
    with pytest.raises(FontError, match=rf"broken\.ttf: its {name} table (is broken|lacks glyphs).*whole copy"):
        require_names(broken, NAMED)
    assert open_base(tmp_path / "whole.ttf").path


def test_of_the_other_fonts_only_the_names_are_needed(tmp_path: Path) -> None:
    base = small_ttf(tmp_path / "base.ttf", notice="Copyright Someone")
    whole = small_ttf(tmp_path / "source.ttf", notice="Copyright Another")
    bare = with_tables(tmp_path / "bare.ttf", whole, OS2=None, post=None, hmtx=b"")
    nameless = with_tables(tmp_path / "nameless.ttf", whole, name=None)
    assemble(base, rings([0x4E09]), tmp_path / "out.ttf", NAMED, licence_fonts=[bare, nameless])
    notice = TTFont(tmp_path / "out.ttf")["name"].getDebugName(0)
    assert notice == "Copyright Someone; Copyright Another"
    broken = with_tables(tmp_path / "broken.ttf", whole, name=b"\0")
    with pytest.raises(FontError, match=r"broken\.ttf: not a readable font"):
        require_names(base, NAMED, licence_fonts=[broken])
