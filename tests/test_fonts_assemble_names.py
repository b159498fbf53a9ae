"""Names, style linking, licences and Reserved Font Names of assembled fonts."""

from __future__ import annotations

from pathlib import Path

import pytest
from fontTools.ttLib import TTFont
from pydantic import ValidationError
from sample_fonts import rings, small_cff, small_ttf

from fontgen.errors import FontError
from fontgen.fonts.assemble import assemble
from fontgen.fonts.check import check_font
from fontgen.fonts.licence import Licence, reserved_in, reserved_names
from fontgen.fonts.names import base_style, style_weight
from fontgen.fonts.settings import FontSettings, NameSettings

RESERVED = "Copyright 2020 Someone (https://example.org), with Reserved Font Name 'Small'."


def named(tmp_path: Path, notice: str = "", **names: object) -> TTFont:
    """A small base font assembled with these name settings."""
    base = small_ttf(tmp_path / "base.ttf", notice=notice)
    settings = FontSettings(names=NameSettings.model_validate(names))
    assemble(base, rings(), tmp_path / "out.ttf", settings)
    return TTFont(tmp_path / "out.ttf")


def english(font: TTFont) -> dict[int, str]:
    return {record.nameID: str(record) for record in font["name"].names if record.langID == 0x409}


def test_a_linked_style(tmp_path: Path) -> None:
    font = named(tmp_path, family="Hana Maru", style="bold italic", version="2.345", vendor="HANA")
    names = english(font)
    assert {i: names[i] for i in (1, 2, 3, 4, 5, 6)} == {
        1: "Hana Maru",
        2: "Bold Italic",
        3: "2.345;HANA;HanaMaru-BoldItalic",
        4: "Hana Maru Bold Italic",
        5: "Version 2.345",
        6: "HanaMaru-BoldItalic",
    }
    assert not {16, 17} & set(names)
    assert font["OS/2"].fsSelection & 0b1100001 == 0b0100001
    assert (font["head"].macStyle, font["OS/2"].usWeightClass, font["OS/2"].achVendID) == (3, 700, "HANA")
    assert font["head"].fontRevision == pytest.approx(2.345, abs=1e-4)


def test_another_style_is_linked_by_its_own_family(tmp_path: Path) -> None:
    font = named(tmp_path, family="Hana Maru", style="Medium Italic")
    names = english(font)
    assert {i: names[i] for i in (1, 2, 4, 16, 17)} == {
        1: "Hana Maru Medium",
        2: "Italic",
        4: "Hana Maru Medium Italic",
        16: "Hana Maru",
        17: "Medium Italic",
    }
    assert font["OS/2"].usWeightClass == 500


def test_legal_records_and_credits_travel(tmp_path: Path) -> None:
    other = tmp_path / "other.ttf"
    small_ttf(other, family="Other", notice="Copyright Another")
    base = small_ttf(tmp_path / "base.ttf", notice="Copyright Someone")
    font = TTFont(base)
    for name_id, text in (
        (7, "Small is a trademark"),
        (9, "A. Designer"),
        (13, "OFL"),
        (14, "https://openfontlicense.org"),
    ):
        font["name"].setName(text, name_id, 3, 1, 0x409)
    font["name"].setName("文字", 256, 3, 1, 0x411)
    font.save(base)
    settings = FontSettings(names=NameSettings(family="Hana", copyright="Copyright Me"))
    report = assemble(base, rings(), tmp_path / "out.ttf", settings, licence_fonts=[other])
    font = TTFont(tmp_path / "out.ttf")
    names = english(font)
    assert names[0] == "Copyright Me; Copyright Someone; Copyright Another"
    assert (names[9], names[13], names[14]) == ("A. Designer", "OFL", "https://openfontlicense.org")
    assert names[10] == "3 glyphs generated with fontgen"
    assert 7 not in names
    assert font["name"].getName(256, 3, 1, 0x411).toUnicode() == "文字"
    assert not [notice for notice in report.notices if "licence" in notice]


def test_no_record_keeps_the_old_family_name(tmp_path: Path) -> None:
    font = named(tmp_path, family="Hana", localised={"ja": "花", "zh-Hant": "花體"})
    texts = [str(record) for record in font["name"].names]
    assert not [text for text in texts if "Small" in text or "旧い名" in text]
    japanese = {record.nameID: str(record) for record in font["name"].names if record.langID == 0x411}
    assert japanese == {1: "花", 2: "Regular", 4: "花"}
    assemble(
        small_cff(tmp_path / "cid.otf", cid=True),
        rings(),
        tmp_path / "out.otf",
        FontSettings(names=NameSettings(family="Hana")),
    )
    assert b"Small" not in (tmp_path / "out.otf").read_bytes()


def test_default_family(tmp_path: Path) -> None:
    assert english(named(tmp_path))[1] == "Small Fontgen"
    base = small_ttf(tmp_path / "reserved.ttf", notice=RESERVED)
    report = assemble(base, rings(), tmp_path / "out.ttf")
    assert english(TTFont(tmp_path / "out.ttf"))[1] == "Fontgen Untitled"
    assert report.notices[0] == "'Small' is a Reserved Font Name, so the font is 'Fontgen Untitled'"


def test_reserved_names_are_refused(tmp_path: Path) -> None:
    for names in ({"family": "Small Maru"}, {"family": "SmallMaru"}, {"family": "Hana", "localised": {"ja": "small"}}):
        with pytest.raises(FontError, match="contains 'Small', which a font used here declares a Reserved Font Name"):
            named(tmp_path, RESERVED, **names)
    assert english(named(tmp_path, RESERVED, family="Smaller Hana"))[1] == "Smaller Hana"
    source = small_ttf(tmp_path / "source.ttf", notice="with Reserved Font Name Hana.")
    with pytest.raises(FontError, match="contains 'Hana'"):
        assemble(
            small_ttf(tmp_path / "base.ttf"), rings(), tmp_path / "out.ttf", settings_of("Hana"), source_font=source
        )


def settings_of(family: str) -> FontSettings:
    return FontSettings(names=NameSettings(family=family))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Copyright 2014 Adobe (http://www.adobe.com/), with Reserved Font Name 'Source'", ("Source",)),
        ('(c) X, with Reserved Font Names "Foo" and "Bar Baz".', ("Foo", "Bar Baz")),
        ("(c) X, with Reserved Font Name Klee One. All rights reserved", ("Klee One",)),
        ("with Reserved Font Name: 花", ("花",)),
        ("Copyright 2021 The Zen Maru Gothic Authors", ()),
        ('"Reserved Font Name" refers to any names specified as such after the copyright statement(s).', ()),
        ("with no Reserved Font Name.", ()),
    ],
)
def test_reserved_names_are_read_from_the_notice(text: str, names: tuple[str, ...]) -> None:
    assert reserved_names(text) == names


def test_reserved_names_count_as_whole_words() -> None:
    assert reserved_in("SourceHanSans", ["Source"]) == "Source"
    assert reserved_in("Resource Han", ["Source"]) is None
    assert reserved_in("新花体", ["花"]) == "花"


def test_postscript_names(tmp_path: Path) -> None:
    with pytest.raises(FontError, match=r"beyond plain ASCII .*; set postscript_name in \[font\.names\]"):
        named(tmp_path, family="花")
    assert english(named(tmp_path, family="花", postscript_name="Hana-Regular"))[6] == "Hana-Regular"
    assert len(english(named(tmp_path, family="H" * 55))[6]) == 63
    with pytest.raises(FontError, match="has 64 characters; at most 63"):
        named(tmp_path, family="H" * 56)


def test_names_that_are_too_long_are_named(tmp_path: Path) -> None:
    assert english(named(tmp_path, family="H" * 58, style="Bold", postscript_name="H-Bold"))[4] == "H" * 58 + " Bold"
    with pytest.raises(FontError, match=r"Bold' has 64 characters; Windows keeps 63: shorten names\.family"):
        named(tmp_path, family="H" * 59, style="Bold", postscript_name="H-Bold")
    with pytest.raises(FontError, match=r"has 64 characters; Windows keeps 63: shorten names\.localised\.ko"):
        named(tmp_path, family="Hana", localised={"ja": "花", "ko": "꽃" * 64})


def test_a_name_table_that_overflows_names_its_longest_text(tmp_path: Path) -> None:
    assert len(english(named(tmp_path, family="Hana", licence="L" * 32000))[13]) == 32000
    match = r"need 66\d{3} bytes, but it holds 65535; shorten the longest, name ID 13 \(33000 characters\)"
    with pytest.raises(FontError, match=match):
        named(tmp_path, family="Hana", licence="L" * 33000)


def test_all_localised_names_stand_beside_the_english_ones(tmp_path: Path) -> None:
    families = {"ja": "花", "zh-Hans": "花体", "zh-Hant": "花體", "ko": "꽃"}
    font = named(tmp_path, family="Hana", style="Medium", localised=families)
    languages = {"ja": 0x411, "zh-Hans": 0x804, "zh-Hant": 0x404, "ko": 0x412}
    for language, family in families.items():
        texts = {r.nameID: str(r) for r in font["name"].names if r.langID == languages[language]}
        assert texts == {1: f"{family} Medium", 2: "Regular", 4: f"{family} Medium", 16: family, 17: "Medium"}
    assert english(font)[16] == "Hana"


def test_styles_and_weights(tmp_path: Path) -> None:
    assert [style_weight(style) for style in ("Italic", "Semi Bold", "ExtraBold Italic", "Fancy")] == [
        400,
        600,
        800,
        None,
    ]
    font = TTFont(small_ttf(tmp_path / "base.ttf"))
    font["OS/2"].usWeightClass = 700  # an instance whose name still says Regular
    assert base_style(font) == "Bold"


def test_settings_are_validated() -> None:
    for wrong in (
        {"version": "1.0"},
        {"vendor": "TOOLONG"},
        {"family": ""},
        {"localised": {"fr": "Fleur"}},
        {"localised": {"ja": ""}},
        {"famly": "x"},
    ):
        with pytest.raises(ValidationError):
            NameSettings.model_validate(wrong)


def test_one_licence_under_two_addresses_is_one() -> None:
    plain = Licence("", "", "http://scripts.sil.org/OFL")
    assert plain.terms == Licence("", "whatever", "https://openfontlicense.org/").terms
    assert plain.terms != Licence("", "", "https://example.org/eula").terms


@pytest.mark.parametrize("style", ["粗體", "Bold"])
def test_names_in_other_letters_stand_in_cff_by_the_postscript_name(tmp_path: Path, style: str) -> None:
    names = NameSettings(family="é 花", style=style, postscript_name="Hana-Bold", copyright="© 花")
    assemble(None, rings(), tmp_path / "out.otf", FontSettings(names=names))
    font = TTFont(tmp_path / "out.otf")
    top = font["CFF "].cff.topDictIndex[0]
    assert (top.FamilyName, top.FullName, top.Weight, top.Notice) == ("Hana", "Hana-Bold", "Bold", "© ?")
    assert "é 花" in {font["name"].getDebugName(1), font["name"].getDebugName(16)}
    assert check_font(tmp_path / "out.otf").level != "fail"
