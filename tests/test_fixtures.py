"""The fixture fonts are what `fixtures/README.md` says: real, complete, sound and disjoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import ots
import pytest
import uharfbuzz as hb
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.ttLib import TTFont

FIXTURES = Path(__file__).parents[1] / "fixtures"
SOURCE, TARGET, TRUTH = (
    FIXTURES / f"{name}.ttf" for name in ("noto-sans-jp-bold", "zen-maru-gothic-bold", "zen-maru-gothic-bold-truth")
)


def kanji(path: Path) -> set[int]:
    return {codepoint for codepoint in TTFont(path)["cmap"].getBestCmap() if 0x4E00 <= codepoint <= 0x9FFF}


def read_characters(name: str) -> set[int]:
    lines = (FIXTURES / name).read_text(encoding="utf-8").splitlines()
    return {ord(character) for line in lines if not line.startswith("#") for character in line}


def test_target_and_truth_share_out_the_kanji_of_the_source() -> None:
    source, target, truth = kanji(SOURCE), kanji(TARGET), kanji(TRUTH)
    assert (len(source), len(target), len(truth)) == (1000, 800, 200)
    assert not target & truth
    assert target | truth == source


def test_everything_else_is_in_source_and_target_and_not_in_truth() -> None:
    source, target = (set(TTFont(path)["cmap"].getBestCmap()) - kanji(path) for path in (SOURCE, TARGET))
    assert source == target
    assert set(range(0x20, 0x7F)) <= source
    assert set(map(ord, "あゃんアヴンー")) <= source
    assert set(map(ord, "、。「」々〇")) <= source
    assert set(TTFont(TRUTH)["cmap"].getBestCmap()) == kanji(TRUTH)


def test_character_lists_say_what_the_fonts_hold() -> None:
    assert read_characters("demo-kanji.txt") == kanji(SOURCE)
    assert read_characters("truth-kanji.txt") == kanji(TRUTH)


def test_truth_is_as_dense_as_the_rest_and_both_reach_from_simple_to_dense() -> None:
    font = TTFont(SOURCE)
    glyphs, cmap = font.getGlyphSet(), font.getBestCmap()

    def points(codepoint: int) -> int:
        pen = DecomposingRecordingPen(glyphs)
        glyphs[cmap[codepoint]].draw(pen)
        return sum(len(arguments) for _, arguments in pen.value)

    truth = [points(codepoint) for codepoint in kanji(TRUTH)]
    rest = [points(codepoint) for codepoint in kanji(TARGET)]
    for share in (0.1, 0.5, 0.9):
        assert np.quantile(truth, share) == pytest.approx(np.quantile(rest, share), rel=0.1)
    assert min(rest) < 20
    assert max(rest) > 200
    assert set(map(ord, "鬱鷹")) <= kanji(SOURCE)  # 29 and 24 strokes


@pytest.mark.parametrize("path", [SOURCE, TARGET, TRUTH], ids=lambda path: path.stem)
def test_fonts_pass_the_sanitizer_and_keep_vertical_metrics_names_and_licence(path: Path) -> None:
    assert ots.sanitize(str(path), capture_output=True).returncode == 0
    font = TTFont(path)
    assert font["vhea"].ascent - font["vhea"].descent == font["head"].unitsPerEm
    assert {glyph: font["vmtx"][glyph][0] for glyph in font.getBestCmap().values()}
    assert "OFL" in font["name"].getDebugName(14)
    assert "Bold" in font["name"].getDebugName(4)
    assert font["OS/2"].usWeightClass == 700


@pytest.mark.parametrize("path", [SOURCE, TARGET], ids=lambda path: path.stem)
def test_kerning_and_vertical_forms_came_along(path: Path) -> None:
    font = hb.Font(hb.Face(path.read_bytes()))

    def shape(text: str, direction: str, features: dict[str, bool] | None = None) -> list[tuple[int, int]]:
        buffer = hb.Buffer()
        buffer.add_str(text)
        buffer.guess_segment_properties()
        buffer.direction = direction
        hb.shape(font, buffer, features)
        return [
            (info.codepoint, position.x_advance)
            for info, position in zip(buffer.glyph_infos, buffer.glyph_positions, strict=True)
        ]

    assert shape("AV", "ltr") != shape("AV", "ltr", {"kern": False})
    assert shape("ー", "ttb")[0][0] != shape("ー", "ltr")[0][0]


def test_the_folder_is_small_and_has_the_licences() -> None:
    files = [path for path in FIXTURES.rglob("*") if path.is_file() and path.parent.name != "models"]
    assert sum(path.stat().st_size for path in files) < 3_000_000
    for name in ("OFL-NotoSansJP.txt", "OFL-ZenMaruGothic.txt"):
        assert "SIL OPEN FONT LICENSE Version 1.1" in (FIXTURES / name).read_text(encoding="utf-8")
