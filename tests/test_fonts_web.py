"""Web slices: every character once, CSS that says what the slices hold, features that stay; and the meta table."""

from __future__ import annotations

import re
from pathlib import Path

import ots
import pytest
from click.testing import CliRunner
from fontTools.ttLib import TTFont
from sample_fonts import NAMED, ZEN, box, rings, small_cff, small_ttf

from fontgen.charset import named_set
from fontgen.cli import main
from fontgen.errors import FontError
from fontgen.fonts import web
from fontgen.fonts.assemble import assemble, assemble_formats
from fontgen.fonts.meta import covered_scripts
from fontgen.fonts.os2 import code_page_sets
from fontgen.fonts.web import SLICE, slices_of, unicode_range, write_web
from fontgen.outlines.outline import Outline


def ranges(css: str) -> dict[str, set[int]]:
    """File -> codepoints that its rule promises."""
    found = {}
    for file, text in re.findall(r'url\("([^"]+)"\).*?unicode-range: ([^;]+);', css, re.DOTALL):
        found[file] = {
            codepoint
            for part in text.split(", ")
            for first, _, last in [part.removeprefix("U+").partition("-")]
            for codepoint in range(int(first, 16), int(last or first, 16) + 1)
        }
    return found


@pytest.fixture(scope="module")
def sliced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("web")
    write_web(TTFont(ZEN, recalcTimestamp=False), folder, "zen")
    return folder


def test_the_css_promises_what_the_slices_map(sliced: Path) -> None:
    promised = ranges((sliced / "zen.css").read_text())
    assert set(promised) == {path.name for path in sliced.glob("*.woff2")}
    for name, codepoints in promised.items():
        assert set(TTFont(sliced / name).getBestCmap()) == codepoints
    everything = [c for codepoints in promised.values() for c in codepoints]
    assert sorted(everything) == sorted(TTFont(ZEN).getBestCmap())


def test_slices_are_sound_fonts_with_names_licence_and_features(sliced: Path, tmp_path: Path) -> None:
    kana = next(path for path in sliced.glob("*.woff2") if 0x3001 in TTFont(path).getBestCmap())
    for path in sliced.glob("*.woff2"):
        assert ots.sanitize(str(path), str(tmp_path / "plain"), capture_output=True).returncode == 0
    font, whole = TTFont(kana), TTFont(ZEN)
    for name_id in (1, 6, 13, 14):
        assert font["name"].getDebugName(name_id) == whole["name"].getDebugName(name_id)
    features = {record.FeatureTag for record in font["GSUB"].table.FeatureList.FeatureRecord}
    assert "vert" in features
    ideograph = font.getBestCmap()[0x3042]
    assert font["vmtx"][ideograph] == whole["vmtx"][whole.getBestCmap()[0x3042]]


def test_a_slice_repeats_byte_for_byte_with_any_number_of_cores(
    sliced: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fontgen.parallel.usable_cores", lambda: 1)
    write_web(TTFont(ZEN, recalcTimestamp=False), tmp_path, "zen")
    for path in sliced.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_everyday_characters_come_first_and_languages_stay_apart() -> None:
    han = named_set("cjk-unified")
    slices = slices_of([0x41, 0x3042, 0xAC00, *han])
    assert slices[:3] == [[0x41], [0x3042], [0xAC00]]
    ideographs = slices[3:]
    assert all(SLICE // 2 < len(part) <= SLICE for part in ideographs)
    assert sorted(c for part in ideographs for c in part) == sorted(han)
    everyday = set().union(*(named_set(name) for name in web.EVERYDAY))
    order = [c in everyday for part in ideographs for c in part]
    first_rare = next(number for number, part in enumerate(ideographs) if not everyday & set(part))
    assert not any(everyday & set(part) for part in ideographs[first_rare:])
    assert sum(order) == len(everyday & set(han))
    japanese = set(named_set("joyo"))
    simplified = set(named_set("gb2312-1")) - set(named_set("big5-1")) - japanese
    touched = [part for part in ideographs if simplified & set(part)]
    assert sum(len(japanese & set(part)) for part in touched) < 0.25 * len(japanese)


def test_unicode_ranges_are_closed() -> None:
    assert unicode_range([0x4E02, 0x4E00, 0x4E01, 0x20000, 0x41]) == "U+41, U+4E00-4E02, U+20000"


@pytest.mark.parametrize("cid", [False, True])
def test_cff_slices(tmp_path: Path, cid: bool) -> None:
    base = small_cff(tmp_path / "base.otf", cid=cid)
    assemble_formats(base, rings([0x4E10, 0x20000]), [tmp_path / "a.otf"], NAMED, web=tmp_path / "web")
    promised = ranges((tmp_path / "web" / "a.css").read_text())
    assert {c for part in promised.values() for c in part} == {0x4E00, 0x2F00, 0x4E8C, 0x4E10, 0x20000}
    assert all("CFF " in TTFont(tmp_path / "web" / name) for name in promised)


def test_the_css_says_family_weight_and_slant(tmp_path: Path) -> None:
    named = NAMED.model_copy(
        update={
            "names": NAMED.names.model_copy(
                update={"family": 'Say "A"', "style": "Medium Italic", "postscript_name": "SayA"}
            )
        }
    )
    assemble_formats(None, rings([0x4E00]), [tmp_path / "a.ttf"], named, web=tmp_path)
    css = (tmp_path / "a.css").read_text()
    assert r'font-family: "Say \"A\"";' in css
    assert "font-weight: 500;" in css
    assert "font-style: italic;" in css


def test_slices_of_an_earlier_run_go_and_other_files_stay(tmp_path: Path) -> None:
    for name in ("a-007.woff2", "a-old.woff2", "b-000.woff2"):
        (tmp_path / name).write_bytes(b"old")
    assemble_formats(None, rings([0x4E00]), [tmp_path / "a.ttf"], NAMED, web=tmp_path)
    found = {path.name for path in tmp_path.glob("*.woff2")}
    assert found == {"a-old.woff2", "b-000.woff2", "a-000.woff2", "a-001.woff2", "a-002.woff2"}


def test_a_font_that_cannot_be_cut_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(FontError, match=r"web slice from U\+4E00 cannot be cut .*; set web = false"):
        web._Cutter(b"no font")([0x4E00])


def test_the_command_writes_slices(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("L", (64, 64), 255).save(tmp_path / "blank.png")
    images = tmp_path / "images"
    images.mkdir()
    picture = Image.new("L", (64, 64), 255)
    picture.paste(0, (16, 16, 48, 48))
    picture.save(images / "U+4E00.png")
    arguments = ["assemble", str(images), "-o", str(tmp_path / "out.ttf"), "--family", "Probe"]
    done = CliRunner().invoke(main, [*arguments, "--web", str(tmp_path / "web")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "web" / "out.css").exists()
    assert len(list((tmp_path / "web").glob("out-*.woff2"))) == 3


def test_meta_says_what_is_designed_and_what_is_covered(tmp_path: Path) -> None:
    letter = Outline((box(0.1, 0, 0.4, 0.7),))
    assert covered_scripts(code_page_sets()[17]) == ["Jpan"]
    assert covered_scripts([*range(0x41, 0x7B), *range(0x3041, 0x3094)]) == ["Hira", "Latn"]
    latin = [type(rings()[0])(c, letter) for c in range(0x41, 0x7B)]
    assemble(None, latin, tmp_path / "latin.ttf", NAMED)
    assert TTFont(tmp_path / "latin.ttf")["meta"].data == {"slng": "Latn"}
    designed = NAMED.model_copy(update={"design_languages": ("Jpan", "zh-Hant-TW")})
    assemble(tmp_path / "latin.ttf", rings(range(0x3105, 0x312A)), tmp_path / "bopo.otf", designed)
    assert TTFont(tmp_path / "bopo.otf")["meta"].data == {"dlng": "Jpan, zh-Hant-TW", "slng": "Bopo, Latn"}
    assemble(tmp_path / "bopo.otf", rings(), tmp_path / "again.ttf", NAMED)
    assert TTFont(tmp_path / "again.ttf")["meta"].data["dlng"] == "Jpan, zh-Hant-TW"
    assemble(small_ttf(tmp_path / "small.ttf"), rings(), tmp_path / "none.ttf", NAMED)
    assert "meta" not in TTFont(tmp_path / "none.ttf")
