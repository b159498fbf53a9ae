import base64
import json
import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from fontTools.ttLib import TTCollection, TTFont
from sample_fonts import drawing

from fontgen.errors import FontError
from fontgen.fonts.face import FontRef, open_face
from fontgen.proof.page import ProofGlyph, write_proof
from fontgen.proof.samples import SAMPLES, choose_samples, showpieces, spread

FIXTURES = Path(__file__).parents[1] / "fixtures"
TARGET = FIXTURES / "zen-maru-gothic-bold.ttf"
SOURCE = FIXTURES / "noto-sans-jp-bold.ttf"
TRUTH = FIXTURES / "zen-maru-gothic-bold-truth.ttf"
KANJI = [codepoint for codepoint in sorted(open_face(FontRef.of(TRUTH)).cmap) if codepoint >= 0x4E00]


class Page(HTMLParser):
    """The parts of a page that tests look at."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text = path.read_text(encoding="utf-8")
        self.ids: list[str] = []
        self.references: list[str] = []
        self.labelled: set[str] = set()
        self.controls: list[dict[str, str | None]] = []
        self._open: list[str] = []
        self._in_data = False
        self._label_depth = 0
        self.data_text = ""
        self.feed(self.text)
        self.close()
        self.data: dict[str, Any] = json.loads(self.data_text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        self.references += [str(given[name]) for name in ("src", "href", "action", "data") if given.get(name)]
        if tag == "label":
            self._label_depth += 1
            if given.get("for"):
                self.labelled.add(str(given["for"]))
        if tag in {"input", "textarea", "select"}:
            self.controls.append(given | {"wrapped": "yes" if self._label_depth else None})
        self._in_data = tag == "script" and given.get("id") == "proof-data"

    def handle_endtag(self, tag: str) -> None:
        if tag == "label":
            self._label_depth -= 1
        self._in_data = False

    def handle_data(self, data: str) -> None:
        if self._in_data:
            self.data_text += data

    def fonts(self) -> dict[str, TTFont]:
        faces = re.findall(
            r'font-family: "([^"]+)"; [^}]*url\("data:font/woff2?;base64,([^"]+)"\) format\("woff2?"\)', self.text
        )
        return {family: TTFont(BytesIO(base64.b64decode(data))) for family, data in faces}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    path = tmp_path_factory.mktemp("proof") / "proof.html"
    glyphs = [ProofGlyph(KANJI[1], 0.5, "a <stroke> is missing"), ProofGlyph(KANJI[0], 0.91234)]
    write_proof(
        TRUTH,
        path,
        generated=glyphs,
        references={"Source": SOURCE, "Target": TARGET},
        title="Rounded & <new>",
        figures={"held-out IoU": 0.81239, "note": "</script>"},
    )
    return Page(path)


def test_the_embedded_font_opens_and_is_whole(page: Page) -> None:
    font = page.fonts()["Proof Font"]
    assert font.flavor == "woff"
    assert set(font.getBestCmap()) == set(open_face(FontRef.of(TRUTH)).cmap)
    assert font["glyf"][font.getBestCmap()[KANJI[0]]].numberOfContours > 0


def test_the_reference_is_cut_down_to_the_characters_of_the_font(page: Page) -> None:
    reference = page.fonts()["Proof Reference 0"]
    shared = set(open_face(FontRef.of(TRUTH)).cmap) & set(open_face(FontRef.of(SOURCE)).cmap)
    assert set(reference.getBestCmap()) == shared
    assert len(open_face(FontRef.of(SOURCE)).cmap) > len(shared)


def test_packed_references_and_those_of_collections_are_cut_down_too(tmp_path: Path) -> None:
    packed = TTFont(SOURCE)
    packed.flavor = "woff2"
    packed.save(tmp_path / "packed.woff2")
    collection = TTCollection()
    collection.fonts = [TTFont(TARGET), TTFont(SOURCE)]
    collection.save(tmp_path / "both.ttc")
    references = {"Packed": tmp_path / "packed.woff2", "Second": FontRef.of(tmp_path / "both.ttc", 1)}
    write_proof(TRUTH, tmp_path / "proof.html", references=references)
    fonts = Page(tmp_path / "proof.html").fonts()
    first, second = fonts["Proof Reference 0"], fonts["Proof Reference 1"]
    whole = TTFont(SOURCE)
    shared = set(open_face(FontRef.of(TRUTH)).cmap) & set(whole.getBestCmap())
    for font in (first, second):
        assert set(font.getBestCmap()) == shared
        for codepoint in KANJI[::60]:
            assert drawing(font, font.getBestCmap()[codepoint]) == drawing(whole, whole.getBestCmap()[codepoint])


def test_nothing_is_loaded_from_elsewhere(page: Page) -> None:
    assert all(reference.startswith("#") for reference in page.references)
    without_fonts = re.sub(r"base64,[A-Za-z0-9+/=]+", "", page.text)
    assert not re.search(r"@import|\burl\((?![\"']?data:)|\bfetch\(|XMLHttpRequest|WebSocket|import\(", without_fonts)
    visible = re.sub(r"<footer>.*</footer>", "", without_fonts, flags=re.S)
    assert not re.search(r"https?:|//[a-z0-9-]+\.[a-z]", visible)
    assert "default-src 'none'" in page.text


def test_every_element_the_script_asks_for_exists_once(page: Page) -> None:
    asked = set(re.findall(r'\$\("([a-z-]+)"\)', page.text))
    assert {"grid", "typed", "query", "inspector"} <= asked
    assert asked <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


def test_every_control_has_a_name(page: Page) -> None:
    assert len(page.controls) > 8
    for control in page.controls:
        assert control["wrapped"] or control.get("aria-label") or control.get("id") in page.labelled, control


def test_data_of_the_glyphs(page: Page) -> None:
    data = page.data
    assert data["generated"] == [[KANJI[0], 0.9123, None], [KANJI[1], 0.5, 0]]
    assert data["reasons"] == ["a <stroke> is missing"]
    covered = {code for first, last in data["covered"] for code in range(first, last + 1)}
    assert covered == set(open_face(FontRef.of(TRUTH)).cmap)
    assert [reference["label"] for reference in data["references"]] == ["Source", "Target"]
    assert len(data["digests"]) == 6 * len(covered)
    assert data["presets"][0]["name"] == "Generated"


def test_what_the_user_gives_is_escaped(page: Page) -> None:
    assert "<h1>Rounded &amp; &lt;new&gt;</h1>" in page.text
    assert "<dd>0.8124</dd>" in page.text
    assert "<dd>&lt;/script&gt;</dd>" in page.text
    assert page.text.count("</script>") == 2


def test_same_input_same_bytes_and_no_reference(tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        write_proof(TRUTH, tmp_path / name)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    page = Page(tmp_path / "a.html")
    assert list(page.fonts()) == ["Proof Font"]
    assert page.data["generated"] == []
    assert page.data["presets"]


def test_a_packed_font_is_not_unpacked_when_its_plain_file_is_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = TTFont(TARGET)
    packed.flavor = "woff2"
    packed.save(tmp_path / "packed.woff2")
    write_proof(tmp_path / "packed.woff2", tmp_path / "a.html")
    monkeypatch.setattr("fontgen.fonts.face._unpack", lambda *_: pytest.fail("unpacked"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    write_proof(tmp_path / "packed.woff2", tmp_path / "b.html", unpacked=TARGET)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_generated_characters_that_did_not_reach_the_font_are_counted(tmp_path: Path) -> None:
    write_proof(TRUTH, tmp_path / "proof.html", generated=[ProofGlyph(KANJI[0]), ProofGlyph(0x10FFFD)])
    text = (tmp_path / "proof.html").read_text(encoding="utf-8")
    assert "<dt>generated</dt><dd>1</dd>" in text
    assert "<dt>generated, not in the font</dt><dd>1</dd>" in text


def test_a_digest_changes_with_its_glyph_alone(tmp_path: Path) -> None:
    font = TTFont(BytesIO(TRUTH.read_bytes()))
    name = font.getBestCmap()[KANJI[0]]
    font["glyf"][name].coordinates.translate((0, 3))
    font.save(tmp_path / "new.ttf")
    write_proof(TRUTH, tmp_path / "old.html")
    write_proof(tmp_path / "new.ttf", tmp_path / "new.html")
    old, new = (Page(tmp_path / f"{name}.html").data["digests"] for name in ("old", "new"))
    codepoints = sorted(open_face(FontRef.of(TRUTH)).cmap)
    changed = [code for i, code in enumerate(codepoints) if old[6 * i : 6 * i + 6] != new[6 * i : 6 * i + 6]]
    assert changed == KANJI[:1]


def test_a_damaged_font_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(TRUTH.read_bytes()[:2000])
    with pytest.raises(FontError, match=r"broken\.ttf"):
        write_proof(broken, tmp_path / "proof.html")
    assert not (tmp_path / "proof.html").exists()


def test_samples_are_chosen_by_coverage() -> None:
    japanese = next(sample for sample in SAMPLES if sample.name == "Japanese")
    shown, left = choose_samples({ord(character) for character in japanese.characters})
    assert [sample.large for sample in shown] == [japanese.large]
    assert {name for name, share in left if share < 0.8} == {name for name, _ in left}
    kana = {ord(character) for character in SAMPLES[4].characters}
    assert [sample.large for sample in choose_samples(kana)[0]] == [SAMPLES[4].large]


def test_showpieces_prefer_ideographs_and_spread_evenly() -> None:
    assert showpieces([0x41, 0x3042, 0x4E00]) == [0x4E00]
    assert showpieces([0x41, 0x3042]) == [0x3042]
    assert showpieces([0x21, 0x41]) == [0x41]
    assert spread(range(0x4E00, 0x4E0A), 2) == "\u4e02\u4e07"
    assert spread([0x4E00], 5) == "一"
