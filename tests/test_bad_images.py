"""Bad images in a folder: each is dealt with or refused by name, and never stops the others."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from box_fonts import NOTO, ZEN, kanji_of
from PIL import Image

from fontgen.canvas import Canvas
from fontgen.errors import ImageError
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.clean import clean_folder
from fontgen.glyphs.clean_settings import CleanSettings
from fontgen.glyphs.gate import gate_folder
from fontgen.glyphs.gate_settings import GateSettings
from fontgen.glyphs.register import register_folder
from fontgen.glyphs.register_settings import RegisterSettings
from fontgen.glyphs.render import render_ink
from fontgen.glyphs.store import ImageFolder, image_name, read_ink, write_ink, write_manifest
from fontgen.report import Report

CANVAS = Canvas(size_px=96)
GLYPHS = kanji_of(ZEN)[::40][:12]
BAD = GLYPHS[4]
Damage = Callable[[Path, np.ndarray], None]


def corrupt(path: Path, ink: np.ndarray) -> None:
    path.write_bytes(path.read_bytes()[:90])


def no_image(path: Path, ink: np.ndarray) -> None:
    path.write_bytes(b"<html>not found</html>")


def empty_file(path: Path, ink: np.ndarray) -> None:
    path.write_bytes(b"")


def oversized(path: Path, ink: np.ndarray) -> None:
    Image.new("L", (1500, 1500), 255).save(path)


def absurd(path: Path, ink: np.ndarray) -> None:
    """A header that promises 20,000 million pixels, as no memory holds."""
    Image.new("1", (8, 8)).save(path)
    data = bytearray(path.read_bytes())
    data[16:24] = (140_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    path.write_bytes(bytes(data))


def oblong(path: Path, ink: np.ndarray) -> None:
    Image.new("L", (96, 60), 255).save(path)


def black(path: Path, ink: np.ndarray) -> None:
    write_ink(path, np.full_like(ink, 255))


def inverted(path: Path, ink: np.ndarray) -> None:
    write_ink(path, 255 - ink)


def gone(path: Path, ink: np.ndarray) -> None:
    path.unlink()


def blank(path: Path, ink: np.ndarray) -> None:
    write_ink(path, np.zeros_like(ink))


def as_rgba(path: Path, ink: np.ndarray) -> None:
    """Black, and all of the shape in the transparency."""
    Image.fromarray(np.dstack([np.zeros((96, 96, 3), np.uint8), ink])).save(path)


def as_sixteen_bits(path: Path, ink: np.ndarray) -> None:
    Image.fromarray((255 - ink).astype(np.uint16) * 257).save(path)


def as_palette(path: Path, ink: np.ndarray) -> None:
    image = Image.fromarray(ink)
    image = Image.frombytes("P", image.size, image.tobytes())
    image.putpalette([255 - i for i in range(256) for _ in range(3)])
    image.save(path)


REFUSED = (corrupt, no_image, empty_file, oversized, absurd, oblong, black, inverted, gone)
UNDERSTOOD = (as_rgba, as_sixteen_bits, as_palette)


@pytest.fixture(scope="module")
def drawn() -> dict[str, dict[int, np.ndarray]]:
    fonts = {"in": open_face(FontRef.of(ZEN)), "ref": open_face(FontRef.of(NOTO))}
    return {name: {c: render_ink(face, c, CANVAS) for c in GLYPHS} for name, face in fonts.items()}


@pytest.fixture
def folders(drawn: dict[str, dict[int, np.ndarray]], tmp_path: Path) -> Path:
    for name, images in drawn.items():
        for codepoint, ink in images.items():
            write_ink(tmp_path / name / image_name(codepoint), ink)
        write_manifest(tmp_path / name, CANVAS, {codepoint: {} for codepoint in images})
    return tmp_path


def clean(root: Path) -> Report:
    images, reference = ImageFolder.open(root / "in"), ImageFolder.open(root / "ref")
    return clean_folder(images, root / "out", reference, settings=CleanSettings())


def register(root: Path) -> Report:
    images, reference = ImageFolder.open(root / "in"), ImageFolder.open(root / "ref")
    return register_folder(images, reference, root / "out", settings=RegisterSettings(significance=0))


def gate(root: Path) -> Report:
    return gate_folder(ImageFolder.open(root / "in"), ImageFolder.open(root / "ref"), settings=GateSettings())


@pytest.mark.parametrize("work", [clean, register, gate])
@pytest.mark.parametrize("damage", REFUSED)
def test_a_bad_image_is_named_and_the_others_are_done(
    folders: Path, drawn: dict[str, dict[int, np.ndarray]], damage: Damage, work: Callable[[Path], Report]
) -> None:
    damage(folders / "in" / image_name(BAD), drawn["in"][BAD])
    report = work(folders)
    if work is gate and damage in (black, inverted):
        assert report.to_json()["scores"][f"U+{BAD:04X}"]["suspect"]  # it can be judged: it is no glyph
        assert report.done == GLYPHS
        return
    assert report.done == [codepoint for codepoint in GLYPHS if codepoint != BAD]
    assert list(report.failed) == [BAD]
    assert str(folders / "in" / image_name(BAD)) in report.failed[BAD]
    assert report.exit_status == 1
    if work is not gate:
        assert ImageFolder.open(folders / "out").codepoints == report.done


@pytest.mark.parametrize("work", [clean, gate])
@pytest.mark.parametrize("damage", REFUSED)
def test_a_bad_reference_is_named_and_the_others_are_done(
    folders: Path, drawn: dict[str, dict[int, np.ndarray]], damage: Damage, work: Callable[[Path], Report]
) -> None:
    damage(folders / "ref" / image_name(BAD), drawn["ref"][BAD])
    report = work(folders)
    assert report.done == [codepoint for codepoint in GLYPHS if codepoint != BAD]
    assert str(folders / "ref" / image_name(BAD)) in report.failed[BAD]


@pytest.mark.parametrize("damage", REFUSED)
def test_a_bad_reference_measures_nothing_but_its_glyph_is_moved_with_the_set(
    folders: Path, drawn: dict[str, dict[int, np.ndarray]], damage: Damage
) -> None:
    damage(folders / "ref" / image_name(BAD), drawn["ref"][BAD])
    report = register(folders)
    assert report.done == GLYPHS
    assert report.figures["shift"]["num_glyphs"] == len(GLYPHS) - 1
    assert str(folders / "ref" / image_name(BAD)) in report.figures["unmeasured"][f"U+{BAD:04X}"]


@pytest.mark.parametrize("work", [clean, register, gate])
@pytest.mark.parametrize("damage", UNDERSTOOD)
def test_every_kind_of_png_is_the_same_glyph(
    folders: Path, drawn: dict[str, dict[int, np.ndarray]], damage: Damage, work: Callable[[Path], Report]
) -> None:
    plain = work(folders).to_json()
    for name in ("in", "ref"):
        damage(folders / name / image_name(BAD), drawn[name][BAD])
        assert np.array_equal(read_ink(folders / name / image_name(BAD)), drawn[name][BAD])
    assert work(folders).to_json() == plain


def test_blank_images_and_references(folders: Path, drawn: dict[str, dict[int, np.ndarray]]) -> None:
    other = GLYPHS[7]
    blank(folders / "in" / image_name(BAD), drawn["in"][BAD])
    blank(folders / "ref" / image_name(other), drawn["ref"][other])
    assert clean(folders).done == GLYPHS
    assert not ImageFolder.open(folders / "out").read(BAD).any()
    assert register(folders).figures["shift"]["num_glyphs"] == len(GLYPHS) - 2
    suspects = gate(folders).to_json()["suspects"]
    assert suspects[f"U+{BAD:04X}"] == "blank: no ink"
    assert "source glyph is blank" in suspects[f"U+{other:04X}"]


def test_a_reference_that_misses_glyphs(folders: Path, drawn: dict[str, dict[int, np.ndarray]]) -> None:
    write_manifest(folders / "ref", CANVAS, {codepoint: {} for codepoint in GLYPHS if codepoint != BAD})
    cleaned = clean(folders)
    assert (cleaned.done, cleaned.figures["glyphs_without_reference"]) == (GLYPHS, 1)
    registered = register(folders)
    assert (registered.done, registered.figures["shift"]["num_glyphs"]) == (GLYPHS, len(GLYPHS) - 1)
    judged = gate(folders)
    assert list(judged.skipped) == [BAD]
    assert judged.done == [codepoint for codepoint in GLYPHS if codepoint != BAD]


@pytest.mark.parametrize("work", [clean, register, gate])
def test_a_reference_on_another_canvas_is_refused(folders: Path, work: Callable[[Path], Report]) -> None:
    write_manifest(folders / "ref", Canvas(size_px=128), {codepoint: {} for codepoint in GLYPHS})
    with pytest.raises(ImageError, match=r"ref: images of 128 px, but .*in has 96 px; render .*on the same canvas"):
        work(folders)
