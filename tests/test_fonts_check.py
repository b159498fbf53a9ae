"""The font check: good fonts pass, and every kind of bad font is caught by the check meant for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fontTools.feaLib.builder import addOpenTypeFeaturesFromString
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables._g_l_y_f import Glyph
from fontTools.ttLib.tables.DefaultTable import DefaultTable
from sample_fonts import DISC, NAMED, RING, rings, small_cff

from fontgen.errors import FontError
from fontgen.fonts.assemble import AssembledGlyph, assemble, assemble_formats
from fontgen.fonts.check import CheckReport, check_font
from fontgen.fonts.check_winding import flatten, winding_fault
from fontgen.fonts.diff import diff_fonts

EXPECTED = {0x20, 0xA0, 0x3000, 0x4E00, 0x4E8C, 0x20000}
NAMES = NAMED.model_copy(
    update={
        "names": NAMED.names.model_copy(
            update={"copyright": "(c) Me", "licence": "OFL", "licence_url": "https://openfontlicense.org"}
        )
    }
)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("good")
    outputs = [folder / f"good.{suffix}" for suffix in ("ttf", "otf", "woff2")]
    glyphs = [*rings([0x4E00, 0x20000]), AssembledGlyph(0x4E8C, DISC)]
    assemble_formats(None, glyphs, outputs, NAMES)
    return {output.suffix[1:]: output for output in outputs}


def levels(report: CheckReport) -> dict[str, str]:
    return {finding.check: finding.level for finding in report.findings if finding.level != "pass"}


@pytest.mark.parametrize("suffix", ["ttf", "otf", "woff2"])
def test_a_good_font_passes_everything(good: dict[str, Path], suffix: str) -> None:
    report = check_font(good[suffix], expected=EXPECTED)
    assert levels(report) == {}
    assert (report.level, report.exit_status) == ("pass", 0)
    assert report.summary() == f"good.{suffix}: 0 failed, 0 warnings, {len(report.findings)} passed"


@pytest.mark.parametrize("name", ["noto-sans-jp-bold.ttf", "zen-maru-gothic-bold.ttf"])
def test_published_fonts_do_not_fail(fixtures: Path, name: str) -> None:
    report = check_font(fixtures / name)
    assert report.level == "warn"
    assert {"sanitizer", "freetype", "winding", "counters", "blank", "size", "shaping"}.isdisjoint(
        finding.check for finding in report.findings if finding.level == "fail"
    )


def squares(*corners: tuple[int, int, int, int], clockwise: tuple[bool, ...]) -> Glyph:
    pen = TTGlyphPen(None)
    for (left, bottom, right, top), turns in zip(corners, clockwise, strict=True):
        points = [(left, bottom), (left, top), (right, top), (right, bottom)]
        points = points if turns else points[::-1]
        pen.moveTo(points[0])
        for point in points[1:]:
            pen.lineTo(point)
        pen.closePath()
    return pen.glyph()


OUTER, INNER = (100, -20, 900, 800), (300, 200, 700, 600)


def put(font: TTFont, glyph: Glyph, name: str = "uni4E00", *, bearing: int | None = None) -> None:
    font["glyf"][name] = glyph
    glyph.recalcBounds(font["glyf"])
    left = bearing if bearing is not None else getattr(glyph, "xMin", 0)
    font["hmtx"][name] = (font["hmtx"][name][0], left)


def blank(font: TTFont) -> None:
    put(font, Glyph())


def reversed_winding(font: TTFont) -> None:
    put(font, squares(OUTER, INNER, clockwise=(False, True)))


def filled_counter(font: TTFont) -> None:
    put(font, squares(OUTER, INNER, clockwise=(True, True)))


def oversized(font: TTFont) -> None:
    put(font, squares((-2000, -20, 4000, 800), clockwise=(True,)))


def misplaced(font: TTFont) -> None:
    put(font, squares((100, 900, 900, 1700), clockwise=(True,)))


def clipped(font: TTFont) -> None:
    put(font, squares((100, 200, 900, 1000), clockwise=(True,)))


def wrong_bearing(font: TTFont) -> None:
    put(font, squares(OUTER, clockwise=(True,)), bearing=40)


def no_advance(font: TTFont) -> None:
    font["hmtx"]["uni4E00"] = (0, 100)


def lost_character(font: TTFont) -> None:
    for table in font["cmap"].tables:
        table.cmap.pop(0x4E8C, None)


def unpromised_character(font: TTFont) -> None:
    for table in font["cmap"].tables:
        table.cmap[0x4E03] = "uni4E00"


def subtables_differ(font: TTFont) -> None:
    for table in font["cmap"].tables:
        if table.format == 4:
            table.cmap = {**table.cmap, 0x4E00: "uni4E8C"}


def no_format_12(font: TTFont) -> None:
    font["cmap"].tables = [table for table in font["cmap"].tables if table.format == 4]


def feature_loses_glyph(font: TTFont) -> None:
    addOpenTypeFeaturesFromString(font, "feature ccmp { sub uni4E00 by .notdef; } ccmp;")


def vertical_feature_loses_glyph(font: TTFont) -> None:
    addOpenTypeFeaturesFromString(font, "feature vert { sub uni4E00 by .notdef; } vert;")


def empty_notdef(font: TTFont) -> None:
    put(font, Glyph(), ".notdef")


def no_full_name(font: TTFont) -> None:
    font["name"].removeNames(nameID=4)


def bad_postscript_name(font: TTFont) -> None:
    font["name"].setName("Probe Hana (Bold)", 6, 3, 1, 0x409)


def style_disagrees(font: TTFont) -> None:
    font["OS/2"].fsSelection = 0x40


def version_disagrees(font: TTFont) -> None:
    font["head"].fontRevision = 3.0


def long_family(font: TTFont) -> None:
    font["name"].setName("Probe Hana of the Very Long Winding Name", 1, 3, 1, 0x409)


def no_licence(font: TTFont) -> None:
    font["name"].removeNames(nameID=13)


def takes_reserved_name(font: TTFont) -> None:
    font["name"].setName("(c) Me, with Reserved Font Name Probe", 0, 3, 1, 0x409)


def line_gap(font: TTFont) -> None:
    font["hhea"].lineGap = 200


def hhea_differs(font: TTFont) -> None:
    font["hhea"].ascent = 880


def typo_metrics_on(font: TTFont) -> None:
    font["OS/2"].fsSelection |= 0x80


def wrong_extremes(font: TTFont) -> None:
    font["hhea"].advanceWidthMax = 2000


def no_vertical_metrics(font: TTFont) -> None:
    del font["vhea"], font["vmtx"]


def false_code_page(font: TTFont) -> None:
    font["OS/2"].ulCodePageRange1 |= 1 << 20


def overlaps(font: TTFont) -> None:
    put(font, squares((100, 0, 600, 500), (300, 200, 900, 700), clockwise=(True, True)))


def no_point_at_the_top(font: TTFont) -> None:
    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    pen.qCurveTo((500, 900), (900, 0))
    pen.closePath()
    put(font, pen.glyph())


def no_gasp(font: TTFont) -> None:
    del font["gasp"]


BAD: list[tuple[Callable[[TTFont], None], str, str]] = [
    (blank, "blank", "fail"),
    (reversed_winding, "winding", "fail"),
    (filled_counter, "counters", "fail"),
    (oversized, "size", "fail"),
    (misplaced, "size", "fail"),
    (clipped, "clipping", "warn"),
    (wrong_bearing, "bearings", "fail"),
    (no_advance, "advance", "fail"),
    (lost_character, "characters", "fail"),
    (unpromised_character, "characters", "fail"),
    (subtables_differ, "cmap", "fail"),
    (no_format_12, "cmap", "warn"),
    (feature_loses_glyph, "shaping", "fail"),
    (vertical_feature_loses_glyph, "vertical shaping", "fail"),
    (empty_notdef, "notdef", "warn"),
    (no_full_name, "names", "fail"),
    (bad_postscript_name, "names", "fail"),
    (style_disagrees, "names", "fail"),
    (version_disagrees, "names", "fail"),
    (long_family, "name length", "warn"),
    (no_licence, "licence", "warn"),
    (takes_reserved_name, "reserved names", "warn"),
    (line_gap, "line metrics", "warn"),
    (hhea_differs, "line metrics", "warn"),
    (typo_metrics_on, "line metrics", "warn"),
    (wrong_extremes, "extremes", "fail"),
    (no_vertical_metrics, "vertical metrics", "warn"),
    (false_code_page, "code pages", "warn"),
    (no_gasp, "smoothing", "warn"),
    (overlaps, "overlaps", "warn"),
    (no_point_at_the_top, "extreme points", "warn"),
]


@pytest.mark.parametrize(("spoil", "check", "level"), BAD, ids=[f"{spoil.__name__}-{check}" for spoil, check, _ in BAD])
def test_a_bad_font_is_caught_by_its_check(
    good: dict[str, Path], tmp_path: Path, spoil: Callable[[TTFont], None], check: str, level: str
) -> None:
    font = TTFont(good["ttf"], recalcBBoxes=spoil is not wrong_extremes)
    spoil(font)
    font.save(tmp_path / "bad.ttf")
    expected = EXPECTED if check == "characters" else None
    assert levels(check_font(tmp_path / "bad.ttf", expected=expected)).get(check) == level


def test_a_cff_font_without_vorg(tmp_path: Path) -> None:
    font = TTFont(small_cff(tmp_path / "cff.otf", cid=False))
    del font["VORG"]
    font.save(tmp_path / "bad.otf")
    assert levels(check_font(tmp_path / "bad.otf"))["vertical metrics"] == "warn"


def test_damaged_files(good: dict[str, Path], tmp_path: Path) -> None:
    data = good["ttf"].read_bytes()
    for content in (data[:300], b"no font at all", b""):
        damaged = tmp_path / "damaged.ttf"
        damaged.write_bytes(content)
        report = check_font(damaged)
        assert levels(report).items() >= {"sanitizer": "fail", "readable": "fail"}.items()
        assert report.exit_status == 1
    with pytest.raises(FontError, match=r"absent\.ttf: cannot be read"):
        check_font(tmp_path / "absent.ttf")


def test_a_broken_outline_table_is_a_finding(good: dict[str, Path], tmp_path: Path) -> None:
    data = bytearray(good["ttf"].read_bytes())
    entry = TTFont(good["ttf"]).reader.tables["glyf"]
    data[entry.offset : entry.offset + entry.length] = b"\xff" * entry.length
    (tmp_path / "broken.ttf").write_bytes(data)
    report = check_font(tmp_path / "broken.ttf")
    assert levels(report).items() >= {"sanitizer": "fail", "freetype": "fail"}.items()


@pytest.mark.parametrize("tag", ["OS/2", "name", "maxp"])
def test_a_table_that_was_cut_off_is_a_finding(good: dict[str, Path], tmp_path: Path, tag: str) -> None:
    data = bytearray(good["ttf"].read_bytes())
    numbers = data[4:6]
    for place in range(12, 12 + 16 * int.from_bytes(numbers, "big"), 16):
        if data[place : place + 4] == tag.encode():
            data[place + 12 : place + 16] = (4).to_bytes(4, "big")  # the table's length
    (tmp_path / "cut.ttf").write_bytes(data)
    assert check_font(tmp_path / "cut.ttf").level == "fail"
    if tag != "maxp":
        with pytest.raises(FontError, match=r"cut\.ttf: a table cannot be read"):
            diff_fonts(tmp_path / "cut.ttf", good["ttf"])


def test_a_refused_woff2_is_still_looked_into(good: dict[str, Path], tmp_path: Path) -> None:
    """The sanitizer refuses what unpacks to more than a hundred times its size."""
    font = TTFont(good["ttf"])
    font["zero"] = DefaultTable("zero")
    font["zero"].data = bytes(1_000_000)
    font.flavor = "woff2"
    font.save(tmp_path / "hollow.woff2")
    assert levels(check_font(tmp_path / "hollow.woff2")) == {"sanitizer": "fail"}


def test_large_files_are_noted(good: dict[str, Path], tmp_path: Path) -> None:
    font = TTFont(good["ttf"])
    font["name"].setName("x" * 30000, 256, 3, 1, 0x409)
    font.save(tmp_path / "large.ttf")
    (tmp_path / "large.ttf").write_bytes((tmp_path / "large.ttf").read_bytes() + b"\0" * (9 * 1024 * 1024))
    assert levels(check_font(tmp_path / "large.ttf"))["file size"] == "warn"


def test_faults_of_the_base_are_warnings(good: dict[str, Path], tmp_path: Path) -> None:
    font = TTFont(good["ttf"])
    filled_counter(font)
    font.save(tmp_path / "bad.ttf")
    assert levels(check_font(tmp_path / "bad.ttf", generated={0x4E8C}))["counters"] == "warn"
    assert levels(check_font(tmp_path / "bad.ttf", generated={0x4E00}))["counters"] == "fail"


def test_report_for_people_and_machines(good: dict[str, Path]) -> None:
    report = check_font(good["ttf"], expected=EXPECTED | {0x4E09})
    rows = {check: (level, message) for check, level, message in report.rows()}
    assert rows["characters"] == ("fail", "1 promised characters are missing and 0 are there unasked: U+4E09 missing")
    data = json.loads(json.dumps(report.to_json()))
    assert (data["font"], data["level"]) == ("good.ttf", "fail")
    assert {"check": "cmap", "level": "pass", "message": "subtables of formats 4 and 12 agree", "culprits": []} in data[
        "findings"
    ]


def outline(*contours: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    points = np.array([point for contour in contours for point in contour], dtype=float)
    return points, np.ones(len(points), dtype=np.uint8), np.cumsum([len(contour) for contour in contours]) - 1


def rectangle(left: float, bottom: float, right: float, top: float) -> list[tuple[float, float]]:
    return [(left, bottom), (left, top), (right, top), (right, bottom)]


def test_overlapping_contours_are_no_winding_fault() -> None:
    stems = outline(rectangle(0, 0, 100, 900), rectangle(800, 0, 900, 900), rectangle(50, 400, 850, 500))
    assert winding_fault(*stems, clockwise=True, units_per_em=1000) is None
    assert winding_fault(*stems, clockwise=False, units_per_em=1000) == "reversed"


def test_islands_in_counters() -> None:
    ring = [rectangle(0, 0, 900, 900), rectangle(100, 100, 800, 800)[::-1]]
    assert winding_fault(*outline(*ring, rectangle(300, 300, 500, 500)), clockwise=True, units_per_em=1000) is None
    fault = winding_fault(*outline(*ring, rectangle(300, 300, 500, 500)[::-1]), clockwise=True, units_per_em=1000)
    assert fault == "reversed"


def test_flattening_follows_the_curves() -> None:
    quadratic = np.array([(100.0, 0.0), (100, 100), (-100, 100), (-100, -100), (100, -100)])
    polygon, ends = flatten(quadratic, np.array([1, 0, 0, 0, 0], dtype=np.uint8), np.array([4]))
    radii = np.hypot(polygon[:, 0], polygon[:, 1])
    assert ends.tolist() == [len(polygon) - 1]
    assert (radii.min(), radii.max()) == pytest.approx((100, np.hypot(75, 75)))
    k = 55.22847498
    cubic = np.array(
        [
            (100, 0),
            (100, k),
            (k, 100),
            (0, 100),
            (-k, 100),
            (-100, k),
            (-100, 0),
            (-100, -k),
            (-k, -100),
            (0, -100),
            (k, -100),
            (100, -k),
        ]
    )
    tags = np.array([1, 2, 2] * 4, dtype=np.uint8)
    polygon, _ = flatten(cubic.astype(float), tags, np.array([11]))
    assert np.hypot(polygon[:, 0], polygon[:, 1]) == pytest.approx(100, abs=0.05)


def test_assembled_ring_is_wound_by_kind(tmp_path: Path) -> None:
    for suffix in ("ttf", "otf"):
        assemble(None, [AssembledGlyph(0x4E00, RING)], tmp_path / f"ring.{suffix}", NAMES)
        assert levels(check_font(tmp_path / f"ring.{suffix}")) == {}
