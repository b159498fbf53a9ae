"""The proof page in a browser without a head: 20,000 glyphs, search, marks, comparison, keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.proof_scroll import browser_path
from fontgen.marks import read_marks
from fontgen.proof.page import ProofGlyph, write_proof

FIRST, COUNT = 0x4E00, 20_000
SHAPES = 40
pytestmark = [
    pytest.mark.slow,
    # Playwright's own event loop closes its pipes late
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


def big_font(path: Path, *, shift: int = 0) -> Path:
    """20,000 ideographs that share a few boxes, and some letters."""
    builder = FontBuilder(1000, isTTF=True)
    names = [f"shape{number}" for number in range(SHAPES)]
    builder.setupGlyphOrder([".notdef", *names])
    builder.setupCharacterMap(
        {code: names[code % SHAPES] for code in [*range(0x20, 0x7F), *range(FIRST, FIRST + COUNT)]}
    )
    glyphs = {}
    for number, name in enumerate([".notdef", *names]):
        pen = TTGlyphPen(None)
        left, right, top = 100 + shift, 300 + 15 * number, 200 + 10 * number
        for start, *rest in [[(left, 0), (left, top), (right, top), (right, 0)]]:
            pen.moveTo(start)
            for point in rest:
                pen.lineTo(point)
            pen.closePath()
        glyphs[name] = pen.glyph()
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics(dict.fromkeys([".notdef", *names], (1000, 100 + shift)))
    builder.setupHorizontalHeader(ascent=880, descent=-120)
    builder.setupNameTable({"familyName": "Twenty Thousand", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=880, usWinAscent=880, usWinDescent=120)
    builder.setupPost()
    builder.save(path)
    return path


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("proof")
    font = big_font(root / "big.ttf")
    reasons = {FIRST + 5: "ink is missing at the upper left", FIRST + 17: "rough edges"}
    glyphs = [
        ProofGlyph(code, (code - FIRST + 1) / (COUNT + 1), reasons.get(code, ""))
        for code in range(FIRST, FIRST + COUNT)
    ]
    references = {"Source": big_font(root / "source.ttf", shift=50), "Previous": big_font(root / "old.ttf", shift=90)}
    write_proof(font, root / "proof.html", generated=glyphs, references=references)
    return root / "proof.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser, proof: Path) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1300, "height": 900})
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    opened.on("request", lambda request: faults.append(request.url) if request.url.startswith("http") else None)
    opened.goto(proof.as_uri())
    opened.evaluate("document.fonts.ready")
    yield opened
    context.close()
    assert faults == []


def cells(page: Page) -> list[str]:
    found: list[str] = page.locator("#grid .cell .code").all_inner_texts()
    return found


def count(page: Page) -> str:
    return page.locator("#count").inner_text()


def find(page: Page, query: str) -> None:
    page.fill("#query", query)


def test_twenty_thousand_glyphs_of_which_only_those_in_sight_exist(page: Page) -> None:
    assert count(page) == "20,000 glyphs"
    assert cells(page)[0] == "4E00"  # the lowest score first
    assert len(cells(page)) < 300
    state: dict[str, Any] = page.evaluate(
        """async () => {
            const grid = document.getElementById("grid"), most = [];
            const frame = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
            for (let step = 1; step <= 60; step++) {
                grid.scrollTop = grid.scrollHeight * step / 60;
                await frame();
                most.push(grid.querySelectorAll(".cell").length);
            }
            return { most: Math.max(...most), last: [...grid.querySelectorAll(".code")].pop().textContent };
        }"""
    )
    assert state["most"] < 300
    assert state["last"] == f"{FIRST + COUNT - 1:04X}"


def test_search_by_character_codepoint_range_and_reason(page: Page) -> None:
    for query, expected in (
        (chr(FIRST + 3), ["4E03"]),
        ("U+4E10", ["4E10"]),
        ("4E20-4E22", ["4E20", "4E21", "4E22"]),
        ("rough", ["4E11"]),
        ("ink is missing", ["4E05"]),
    ):
        find(page, query)
        assert cells(page) == expected, query
    find(page, "no such reason")
    assert page.locator("#grid").inner_text() == "No glyph matches."
    find(page, "")
    page.select_option("#scope", "suspect")
    assert cells(page) == ["4E05", "4E11"]


def test_sorting_by_score_codepoint_and_reason(page: Page) -> None:
    page.select_option("#sort", "best")
    assert cells(page)[0] == f"{FIRST + COUNT - 1:04X}"
    page.select_option("#sort", "codepoint")
    assert cells(page)[0] == "4E00"
    page.select_option("#sort", "reason")
    assert cells(page)[:2] == ["4E05", "4E11"]


def test_marks_from_the_keyboard_survive_a_reload_and_are_exported(page: Page, tmp_path: Path) -> None:
    page.focus("#grid")
    for key in ("a", "r", "f", "r"):
        page.keyboard.press(key)
    assert page.locator("#tally").inner_text() == "1 accept, 2 redo, 1 fix"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("u")
    assert page.locator("#tally").inner_text() == "1 accept, 1 redo, 1 fix"
    page.reload()
    assert page.locator("#tally").inner_text() == "1 accept, 1 redo, 1 fix"
    page.select_option("#scope", "redo")
    assert cells(page) == ["4E01"]
    page.click("#list-open")
    with page.expect_download() as download:
        page.click("#list-save")
    download.value.save_as(tmp_path / "marks.txt")
    # what the page exports is what `fontgen redo` and `fontgen fix` read
    assert read_marks(tmp_path / "marks.txt", "redo") == [FIRST + 1]
    assert read_marks(tmp_path / "marks.txt", "fix") == [FIRST + 2]
    page.fill("#list-text", "U+4E00 fix\nU+4E01 fix\n")
    page.click("#list-apply")
    assert page.locator("#tally").text_content() == "0 accept, 0 redo, 2 fix"


def visible(page: Page, kind: str) -> bool:
    shown: str = page.locator(f"#plate .layer.{kind}").evaluate("element => getComputedStyle(element).visibility")
    return shown == "visible"


def test_comparing_by_toggle_and_overlay_with_one_reference_or_another(page: Page) -> None:
    assert (visible(page, "font"), visible(page, "reference")) == (True, False)
    page.focus("#grid")
    page.keyboard.press("Space")
    assert (visible(page, "font"), visible(page, "reference")) == (False, True)
    page.keyboard.press("3")
    assert (visible(page, "font"), visible(page, "reference")) == (True, True)
    family = "element => getComputedStyle(element).fontFamily"
    layer = page.locator("#plate .layer.reference")
    assert layer.evaluate(family) == '"Proof Reference 0"'
    page.select_option("#against", label="Previous")
    assert layer.evaluate(family) == '"Proof Reference 1"'
    assert page.locator("#reference-name").inner_text() == "Previous"
    page.focus("#grid")
    page.keyboard.press("c")
    assert layer.evaluate(family) == '"Proof Reference 0"'
    for family in ("Proof Font", "Proof Reference 0"):
        assert page.evaluate(f"document.fonts.check('16px \"{family}\"', '\\u4e00')")


def test_anything_typed_is_set_across_and_down_at_several_sizes(page: Page) -> None:
    page.fill("#typed", "\u4e00\u4e01x\U0002a6d6")
    lines = page.locator("#waterfall .line")
    assert lines.count() >= 5
    assert "1 not in this font: \U0002a6d6" in page.locator("#typed-coverage").inner_text()
    mode = "element => getComputedStyle(element).writingMode"
    first = page.locator("#waterfall .layer.font").first
    assert first.evaluate(mode) == "horizontal-tb"
    page.focus("#grid")
    page.keyboard.press("v")
    assert first.evaluate(mode) == "vertical-rl"


def test_readable_in_light_and_dark_and_by_keyboard_alone(page: Page) -> None:
    contrast = """() => {
        const parse = (text) => {
            const numbers = text.match(/[\\d.]+/g).map(Number);
            return text.startsWith("color(") ? numbers.slice(0, 3) : numbers.slice(0, 3).map((part) => part / 255);
        };
        const light = (rgb) => {
            const [r, g, b] = rgb.map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const style = getComputedStyle(document.body);
        const paper = light(parse(style.backgroundColor));
        return ["body", ".hint", ".reason"].map((name) => {
            const ink = light(parse(getComputedStyle(document.querySelector(name)).color));
            return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
        });
    }"""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert min(page.evaluate(contrast)) >= 4.5, scheme  # WCAG 2.2, 1.4.3
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the glyphs"
    page.focus("#grid")
    page.keyboard.press("End")
    chosen = page.locator('#grid [aria-selected="true"]')
    assert chosen.get_attribute("aria-label") is not None
    assert f"U+{FIRST + COUNT - 1:04X}" in str(chosen.get_attribute("aria-label"))
    assert page.locator("#grid").get_attribute("aria-activedescendant") == chosen.get_attribute("id")
