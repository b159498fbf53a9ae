import base64
import json
import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from fontTools.ttLib import TTFont
from PIL import Image

from fontgen.errors import FontError
from fontgen.fonts.diff import diff_fonts

FIXTURES = Path(__file__).parents[1] / "fixtures"
TRUTH = FIXTURES / "zen-maru-gothic-bold-truth.ttf"


def opened(path: Path, **options: bool) -> TTFont:
    return TTFont(BytesIO(path.read_bytes()), **options)


TARGET = FIXTURES / "zen-maru-gothic-bold.ttf"
CODEPOINTS = sorted(opened(TRUTH, lazy=True).getBestCmap())
KANJI = [codepoint for codepoint in CODEPOINTS if codepoint >= 0x4E00]


def edited(path: Path, edit: Callable[[TTFont], None], base: Path = TRUTH) -> Path:
    font = opened(base, recalcTimestamp=False)
    edit(font)
    font.save(path)
    return path


def move(font: TTFont, codepoint: int, dx: int, dy: int = 0) -> None:
    name = font.getBestCmap()[codepoint]
    font["glyf"][name].coordinates.translate((dx, dy))
    font["glyf"][name].recalcBounds(font["glyf"])
    advance, _ = font["hmtx"][name]
    font["hmtx"][name] = (advance, font["glyf"][name].xMin)


def test_a_font_and_its_copy_do_not_differ(tmp_path: Path) -> None:
    copy = tmp_path / "copy.ttf"
    copy.write_bytes(TRUTH.read_bytes())
    diff = diff_fonts(TRUTH, copy)
    assert not diff.differs
    assert diff.settings == []
    assert list(diff.text_lines())[-1] == "no differences"


def test_the_same_font_in_another_format_differs_only_as_a_file(tmp_path: Path) -> None:
    def pack(font: TTFont) -> None:
        font.flavor = "woff"

    diff = diff_fonts(TRUTH, edited(tmp_path / "same.woff", pack), workers=1)
    assert not diff.differs
    assert {change.key for change in diff.settings} == {"bytes", "format"}


def test_changed_added_and_removed_glyphs(tmp_path: Path) -> None:
    moved, touched, gone = KANJI[:3]

    def edit(font: TTFont) -> None:
        move(font, moved, 40)
        move(font, touched, 1)
        name = font.getBestCmap()[gone]
        for table in font["cmap"].tables:
            table.cmap.pop(gone, None)
            table.cmap[0x9F98] = name

    diff = diff_fonts(TRUTH, edited(tmp_path / "new.ttf", edit), workers=1)
    assert diff.differs
    assert diff.removed == [gone]
    assert diff.added == [0x9F98]
    assert [change.codepoint for change in diff.changed] == [moved]
    lines = "\n".join(diff.text_lines())
    assert f"1 removed: U+{gone:04X}" in lines
    assert "1 added: U+9F98 龘" in lines


def test_the_threshold_decides_what_counts(tmp_path: Path) -> None:
    new = edited(tmp_path / "new.ttf", lambda font: move(font, KANJI[0], 3))
    assert diff_fonts(TRUTH, new, threshold=0.5, workers=1).changed == []
    found = diff_fonts(TRUTH, new, threshold=0.001, workers=1).changed
    assert [change.codepoint for change in found] == KANJI[:1]
    assert 0.001 < found[0].difference < 0.5


def test_an_advance_alone_is_a_change(tmp_path: Path) -> None:
    def edit(font: TTFont) -> None:
        name = font.getBestCmap()[KANJI[0]]
        font["hmtx"][name] = (900, font["hmtx"][name][1])

    change = diff_fonts(TRUTH, edited(tmp_path / "new.ttf", edit), workers=1).changed[0]
    assert (change.difference, change.old_advance, change.new_advance) == (0, 1000, 900)


def test_metrics_names_and_features(tmp_path: Path) -> None:
    def edit(font: TTFont) -> None:
        font["hhea"].ascent += 10
        font["name"].setName("Version 9.000", 5, 3, 1, 0x409)
        del font["gasp"]
        font["GSUB"].table.FeatureList.FeatureRecord[0].FeatureTag = "zzzz"

    diff = diff_fonts(TARGET, edited(tmp_path / "new.ttf", edit, TARGET))
    keys = {(change.area, change.key.split(" (")[0]) for change in diff.settings}
    assert {("metrics", "hhea ascent"), ("names", "5"), ("tables", "gasp"), ("features", "GSUB zzzz")} <= keys
    assert diff.differs


def test_json_round_trips(tmp_path: Path) -> None:
    new = edited(tmp_path / "new.ttf", lambda font: move(font, KANJI[0], 30))
    data = json.loads(json.dumps(diff_fonts(TRUTH, new, workers=1).to_json(), allow_nan=False))
    assert data["differs"] is True
    assert data["changed"][0]["codepoint"] == f"U+{KANJI[0]:04X}"


def test_the_page_shows_before_after_and_both_without_a_network(tmp_path: Path) -> None:
    new = edited(tmp_path / "new.ttf", lambda font: move(font, KANJI[0], 60))
    page = tmp_path / "diff.html"
    diff_fonts(TRUTH, new, workers=1).write_html(page)
    html = page.read_text(encoding="utf-8")
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!data:|#)|url\((?!["']?data:)|https?://""", html)
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)" alt="([^"]+)"', html)
    assert [alt.split()[-1] for _, alt in pictures] == ["before", "after", "both"]
    before, after, both = (np.asarray(Image.open(BytesIO(base64.b64decode(data)))) for data, _ in pictures)
    assert (before != after).any()
    shared = (before < 10) & (after < 10)
    assert both[shared].max() < 40
    assert both[(before < 10) & (after > 245)].mean(axis=0)[0] > 200


def test_a_missing_font_is_named(tmp_path: Path) -> None:
    with pytest.raises(FontError, match=r"absent\.ttf: no such font file"):
        diff_fonts(TRUTH, tmp_path / "absent.ttf")
