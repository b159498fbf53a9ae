from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fontgen.errors import ImageError
from fontgen.proof.sheet import SUSPECT, SheetRow, contact_sheet, zoom_sheet

INK = np.full((32, 32), 255, np.uint8)
BLANK = np.zeros((32, 32), np.uint8)


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.mode == "RGB"
        return np.asarray(image)


def dark_px(sheet: np.ndarray) -> int:
    return int((sheet.max(axis=2) < 16).sum())


def test_every_image_is_drawn_at_the_tile_size(tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    rows = [SheetRow(f"U+{0x4E00 + n:04X}", [INK, BLANK]) for n in range(5)]
    assert contact_sheet(rows, ["source", "generated"], path, tile_px=40, columns=2) == 5
    assert dark_px(pixels(path)) == 5 * 40 * 40


def test_a_missing_image_leaves_its_place_empty(tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    contact_sheet([SheetRow("U+4E00", [INK, None, INK])], ["source", "generated", "truth"], path, tile_px=32)
    assert dark_px(pixels(path)) == 2 * 32 * 32


def test_only_suspects_are_drawn_in_red(tmp_path: Path) -> None:
    reds = []
    for suspect in (False, True):
        path = tmp_path / f"{suspect}.png"
        contact_sheet([SheetRow("U+4E00", [BLANK], suspect=suspect)], ["generated"], path)
        reds.append(int((pixels(path) == SUSPECT).all(axis=2).sum()))
    assert reds[0] == 0
    assert reds[1] >= 4 * 96


def test_same_rows_same_bytes(tmp_path: Path) -> None:
    rows = [SheetRow("U+9F8D", [INK, BLANK], note="0.91", suspect=True)]
    for name in ("a.png", "b.png"):
        contact_sheet(rows, ["source", "generated"], tmp_path / name, title="Demo")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_nothing_to_show_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no images to show"):
        contact_sheet([], ["source"], tmp_path / "sheet.png")
    with pytest.raises(ImageError, match="U\\+4E00 has 1 images for 2 headings"):
        contact_sheet([SheetRow("U+4E00", [INK])], ["source", "generated"], tmp_path / "sheet.png")
    assert list(tmp_path.iterdir()) == []


def test_zoom_shows_every_pixel_of_the_crop_enlarged(tmp_path: Path) -> None:
    ink = BLANK.copy()
    ink[10, 12] = 255
    ink[11, 13] = 255
    path = tmp_path / "zoom.png"
    zoom_sheet([SheetRow("U+4E00", [ink])], ["generated"], path, crop_px=8, zoom=8, corner=(8, 8))
    sheet = pixels(path).max(axis=2) < 16
    rows, cols = np.nonzero(sheet)
    assert sheet.sum() == 2 * 8 * 8
    assert (np.ptp(rows) + 1, np.ptp(cols) + 1) == (16, 16)


def test_zoom_finds_the_place_with_most_edges(tmp_path: Path) -> None:
    ink = BLANK.copy()
    ink[20:28:2, 4:12] = 255
    path = tmp_path / "zoom.png"
    zoom_sheet([SheetRow("U+4E00", [ink])], ["generated"], path, crop_px=10, zoom=4)
    assert dark_px(pixels(path)) == 4 * 8 * 4 * 4


def test_zoom_of_a_crop_larger_than_the_image_is_padded(tmp_path: Path) -> None:
    path = tmp_path / "zoom.png"
    zoom_sheet([SheetRow("U+4E00", [INK])], ["generated"], path, crop_px=48, zoom=2)
    assert dark_px(pixels(path)) == 32 * 32 * 4
