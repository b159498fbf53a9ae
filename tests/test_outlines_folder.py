from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fontgen.canvas import Canvas
from fontgen.errors import ImageError
from fontgen.glyphs.store import ImageFolder, image_name, write_ink, write_manifest
from fontgen.outlines.folder import read_outline_folder, stale_outlines, trace_folder
from fontgen.outlines.settings import TraceSettings

CANVAS = Canvas(size_px=64)


def images(root: Path, codepoints: list[int]) -> ImageFolder:
    for codepoint in codepoints:
        ink = np.zeros((64, 64), np.uint8)
        if codepoint != 0x3000 and codepoint != 0x4E0F:
            ink[10 : 20 + codepoint % 30, 10:40] = 255
        write_ink(root / image_name(codepoint), ink)
    write_manifest(root, CANVAS, {codepoint: {} for codepoint in codepoints})
    return ImageFolder.open(root)


def test_every_glyph_gets_an_svg_and_a_record(tmp_path: Path) -> None:
    folder = images(tmp_path / "in", [0x4E00, 0x4E01, 0x3000, 0x20000])
    report = trace_folder(folder, tmp_path / "out")
    assert report.exit_status == 0
    assert sorted(report.done) == [0x3000, 0x4E00, 0x4E01, 0x20000]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "U+20000.svg",
        "U+3000.svg",
        "U+4E00.svg",
        "U+4E01.svg",
        "outlines.json",
    ]
    manifest = json.loads((tmp_path / "out" / "outlines.json").read_text())
    assert manifest["format"] == "fontgen-outlines"
    assert manifest["units_per_em"] == 1000
    assert manifest["glyphs"]["U+4E00"]["points"] == 4
    outlines = dict(read_outline_folder(tmp_path / "out"))
    assert list(outlines) == [0x3000, 0x4E00, 0x4E01, 0x20000]
    assert outlines[0x3000].is_empty
    top = CANVAS.px_to_em @ (10, 10, 1)
    bounds = outlines[0x4E00].bounds_em()
    assert bounds is not None
    assert (bounds[0], bounds[3]) == pytest.approx(tuple(top), abs=1e-3)


def test_blank_and_damaged_images_fail_alone(tmp_path: Path) -> None:
    folder = images(tmp_path / "in", [0x4E00, 0x4E0F, 0x4E10])
    (tmp_path / "in" / image_name(0x4E10)).write_bytes(b"not a PNG")
    report = trace_folder(folder, tmp_path / "out")
    assert report.done == [0x4E00]
    assert "no ink" in report.failed[0x4E0F]
    assert "not a readable image" in report.failed[0x4E10]
    assert report.exit_status == 1
    assert [codepoint for codepoint, _ in read_outline_folder(tmp_path / "out")] == [0x4E00]


def test_only_changed_images_are_traced_again(tmp_path: Path) -> None:
    folder = images(tmp_path / "in", [0x4E00, 0x4E01, 0x4E02])
    assert trace_folder(folder, tmp_path / "out").figures["traced"] == 3
    edited = tmp_path / "out" / "U+4E00.svg"
    edited.write_text(edited.read_text().replace("<svg", "<!-- mine --><svg"), encoding="utf-8")
    assert trace_folder(folder, tmp_path / "out").figures == {"traced": 0, "kept": 3, "points": 12}
    assert "mine" in edited.read_text()
    write_ink(tmp_path / "in" / image_name(0x4E01), np.full((64, 64), 255, np.uint8))
    assert trace_folder(folder, tmp_path / "out").figures["traced"] == 1
    assert trace_folder(folder, tmp_path / "out", TraceSettings(genre="pixel")).figures["traced"] == 3
    assert trace_folder(folder, tmp_path / "out", units_per_em=2048).figures["traced"] == 3
    assert stale_outlines(folder, tmp_path / "out", TraceSettings(), 2048) == []
    assert stale_outlines(folder, tmp_path / "out", TraceSettings()) == [0x4E00, 0x4E01, 0x4E02]
    fewer = images(tmp_path / "fewer", [0x4E00])
    trace_folder(fewer, tmp_path / "out")
    assert not (tmp_path / "out" / "U+4E02.svg").exists()


def test_cores_change_nothing(tmp_path: Path) -> None:
    folder = images(tmp_path / "in", list(range(0x4E20, 0x4E20 + 70)))
    trace_folder(folder, tmp_path / "one", workers=1)
    trace_folder(folder, tmp_path / "two", workers=2)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_hand_made_folder_needs_no_manifest(tmp_path: Path) -> None:
    text = '<svg viewBox="0 -880 1000 1000"><path d="M0 0h500v-500z"/></svg>'
    (tmp_path / "一.svg").write_text(text, encoding="utf-8")
    (tmp_path / "notes.svg").write_text("", encoding="utf-8")
    assert [codepoint for codepoint, _ in read_outline_folder(tmp_path)] == [0x4E00]
    (tmp_path / "U+4E00.svg").write_text(text, encoding="utf-8")
    with pytest.raises(ImageError, match="keep one of them"):
        list(read_outline_folder(tmp_path))


def test_missing_outlines_are_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such folder"):
        list(read_outline_folder(tmp_path / "none"))
    with pytest.raises(ImageError, match=r"no outlines; name them U\+4E00"):
        list(read_outline_folder(tmp_path))
    trace_folder(images(tmp_path / "in", [0x4E00, 0x4E01]), tmp_path / "out")
    (tmp_path / "out" / "U+4E01.svg").unlink()
    with pytest.raises(ImageError, match=r"U\+4E01.svg: recorded but missing"):
        list(read_outline_folder(tmp_path / "out"))


def test_foreign_manifest_is_not_overwritten(tmp_path: Path) -> None:
    folder = images(tmp_path / "in", [0x4E00])
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "outlines.json").write_text("[]")
    with pytest.raises(ImageError, match="not a manifest of outlines"):
        trace_folder(folder, tmp_path / "out")
