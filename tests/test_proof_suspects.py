"""The sheet of suspects shows them worst first with their reasons, and none when there are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from box_fonts import NOTO, ZEN, kanji_of
from click.testing import CliRunner
from PIL import Image

from fontgen.canvas import Canvas
from fontgen.cli import main
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.render import render_folder
from fontgen.glyphs.store import ImageFolder, image_name, write_ink
from fontgen.proof import suspects
from fontgen.proof.suspects import suspect_sheet

CANVAS = Canvas(size_px=64)
GLYPHS = kanji_of(ZEN)[::60][:8]


@pytest.fixture
def folders(tmp_path: Path) -> list[tuple[str, ImageFolder]]:
    for name, font in (("source", NOTO), ("image", ZEN)):
        render_folder(dict.fromkeys(GLYPHS, FontRef.of(font)), CANVAS, tmp_path / name)
    return [(name, ImageFolder.open(tmp_path / name)) for name in ("source", "image")]


def red_labels(path: Path) -> int:
    with Image.open(path) as sheet:
        pixels = np.asarray(sheet.convert("RGB")).reshape(-1, 3)
    return int((pixels == (196, 32, 32)).all(axis=1).sum())


def test_the_worst_come_first_and_the_best_are_left_out(
    folders: list[tuple[str, ImageFolder]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suspects, "MOST_SHOWN", 3)
    rows: list[tuple[str, str]] = []
    plain_sheet = suspects.contact_sheet

    def watched(given, headings, path, **options):
        given = list(given)
        rows.extend((row.label, row.note) for row in given)
        return plain_sheet(given, headings, path, **options)

    monkeypatch.setattr(suspects, "contact_sheet", watched)
    doubts = {codepoint: (0.1 * number, f"reason {number}") for number, codepoint in enumerate(reversed(GLYPHS[:5]))}
    assert suspect_sheet(tmp_path / "sheet.png", doubts, folders, open_face(FontRef.of(ZEN))) == 3
    worst = GLYPHS[4], GLYPHS[3], GLYPHS[2]
    assert rows == [(f"U+{c:04X}", f"{0.1 * n:.2f} reason {n}") for n, c in enumerate(worst)]
    assert red_labels(tmp_path / "sheet.png") > 0


def test_without_suspects_an_old_sheet_goes(folders: list[tuple[str, ImageFolder]], tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    assert suspect_sheet(path, {GLYPHS[0]: (0.2, "blank: no ink")}, folders) == 1
    assert suspect_sheet(path, {}, folders) == 0
    assert not path.exists()


def test_the_gate_draws_it_on_request(folders: list[tuple[str, ImageFolder]], tmp_path: Path) -> None:
    write_ink(tmp_path / "image" / image_name(GLYPHS[2]), np.zeros((64, 64), np.uint8))
    sheet = tmp_path / "suspects.png"
    arguments = ["gate", tmp_path / "image", "--reference", tmp_path / "source", "--sheet", sheet]
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    assert "blank: no ink" in result.stdout
    with Image.open(sheet) as picture:
        assert picture.width > 2 * 152
