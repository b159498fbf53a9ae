"""Glyph images on disk: names, modes, sizes, damage, folders from elsewhere."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fontgen.canvas import Canvas
from fontgen.errors import ImageError, WorkspaceError
from fontgen.files import write_json
from fontgen.glyphs.png import decode_grey, encode_grey
from fontgen.glyphs.store import (
    ImageFolder,
    codepoint_from_name,
    image_name,
    keeping_records,
    read_ink,
    to_ink8,
    write_ink,
    write_manifest,
    written,
)


@pytest.mark.parametrize(
    ("stem", "codepoint"),
    [
        ("U+4E00", 0x4E00),
        ("u+4e00", 0x4E00),
        ("4e00", 0x4E00),
        ("4E00", 0x4E00),
        ("uni4E00", 0x4E00),
        ("u20000", 0x20000),
        ("0x4e00", 0x4E00),
        ("19968", 0x4E00),
        ("131072", 0x20000),
        ("2a6d6", 0x2A6D6),
        ("一", 0x4E00),
        ("𠀀", 0x20000),
        ("あ", 0x3042),
        ("A", 0x41),
        ("7", 0x37),
        ("sheet", None),
        ("U+110000", None),
        ("一二", None),
        ("", None),
    ],
)
def test_names_that_stand_for_a_codepoint(stem: str, codepoint: int | None) -> None:
    assert codepoint_from_name(stem) == codepoint


@pytest.mark.parametrize("codepoint", [0x41, 0x4E00, 0x20000, 0x10FFFF])
def test_our_own_names_are_understood(codepoint: int) -> None:
    assert codepoint_from_name(Path(image_name(codepoint)).stem) == codepoint


# pixels


def diagonal() -> NDArray[np.uint8]:
    """A wedge of ink with every grey in it."""
    return np.add.outer(np.arange(16), np.arange(16)).astype(np.uint8) * np.uint8(8)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_ink(tmp_path / "i.png", diagonal())
    np.testing.assert_array_equal(read_ink(tmp_path / "i.png", size_px=16), diagonal())


@pytest.mark.parametrize("side", [1, 8, 129])
def test_our_own_coder_and_a_general_one_agree(tmp_path: Path, side: int) -> None:
    ink8 = np.random.default_rng(0).integers(0, 256, (side, side)).astype(np.uint8)
    write_ink(tmp_path / "ours.png", ink8)
    with Image.open(tmp_path / "ours.png") as image:
        assert image.mode == "L"
        np.testing.assert_array_equal(np.asarray(image), 255 - ink8)
        image.save(tmp_path / "theirs.png")
    np.testing.assert_array_equal(read_ink(tmp_path / "ours.png"), ink8)
    np.testing.assert_array_equal(read_ink(tmp_path / "theirs.png"), ink8)


def test_no_damage_to_our_own_images_goes_unseen_in_ink(tmp_path: Path) -> None:
    whole = encode_grey(diagonal())
    for at in range(len(whole)):
        assert decode_grey(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :], 16) is None
        assert decode_grey(whole[:at], 16) is None
    (tmp_path / "i.png").write_bytes(whole[:60] + bytes([whole[60] ^ 1]) + whole[61:])
    with pytest.raises(ImageError, match=r"i\.png: not a readable image"):
        read_ink(tmp_path / "i.png")
    assert decode_grey(whole, 32) is None
    np.testing.assert_array_equal(decode_grey(whole, None), diagonal())


def test_files_are_dark_on_light(tmp_path: Path) -> None:
    write_ink(tmp_path / "i.png", np.eye(8, dtype=np.float32))
    with Image.open(tmp_path / "i.png") as image:
        assert image.mode == "L"
        assert image.getpixel((3, 3)) == 0
        assert image.getpixel((3, 4)) == 255


@pytest.mark.parametrize("dtype", [bool, np.float32, np.float64, np.uint8])
def test_ink_of_every_kind_becomes_the_same_bytes(dtype: Any) -> None:
    ink = np.eye(4).astype(dtype) * (255 if dtype == np.uint8 else 1)
    np.testing.assert_array_equal(to_ink8(ink.astype(dtype)), np.eye(4, dtype=np.uint8) * 255)


def test_ink_outside_its_range_is_clipped() -> None:
    np.testing.assert_array_equal(to_ink8(np.array([[-0.5, 1.5]])), [[0, 255]])


def as_mode(mode: str, grey: NDArray[np.uint8]) -> Image.Image:
    """The same picture, dark on light, in another PNG mode."""
    image = Image.fromarray(grey)
    if mode == "I;16":
        return Image.fromarray(grey.astype(np.uint16) * 257)
    if mode == "P":
        return image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    if mode in {"LA", "RGBA"}:
        # ink in the alpha channel, as drawing programs export it: black, here and there transparent
        black = Image.new(mode, image.size, (0,) * len(mode))
        black.putalpha(Image.fromarray(255 - grey))
        return black
    return image.convert(mode)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "P", "I;16"])
def test_every_mode_of_png_is_the_same_picture(tmp_path: Path, mode: str) -> None:
    grey = np.full((16, 16), 255, np.uint8)
    grey[4:12, 4:12] = 0
    if mode != "1":
        grey[4:12, 4] = 128
    as_mode(mode, grey).save(tmp_path / "i.png")
    with Image.open(tmp_path / "i.png") as image:
        assert image.mode == mode
    np.testing.assert_allclose(read_ink(tmp_path / "i.png"), 255 - grey, atol=1)


def test_a_transparent_colour_of_a_palette_is_background(tmp_path: Path) -> None:
    image = Image.new("P", (8, 8), 0)
    image.putpalette([255, 0, 255, 0, 0, 0])  # 0: magenta, made transparent; 1: black
    image.putpixel((2, 3), 1)
    image.save(tmp_path / "i.png", transparency=0)
    ink = read_ink(tmp_path / "i.png")
    assert ink[3, 2] == 255
    assert ink.sum() == 255


def test_a_dark_sixteen_bit_image_is_not_taken_for_eight_bits(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 200, np.uint16)).save(tmp_path / "i.png")
    np.testing.assert_array_equal(read_ink(tmp_path / "i.png"), 254)  # 200 of 65535 is nearly black


@pytest.mark.parametrize("shape", [(16, 24), (24, 24)])
def test_an_image_of_the_wrong_size_is_named(tmp_path: Path, shape: tuple[int, int]) -> None:
    Image.fromarray(np.zeros(shape, np.uint8)).save(tmp_path / "U+4E00.png")
    with pytest.raises(ImageError, match=rf"U\+4E00\.png: {shape[1]}x{shape[0]} px where 16x16 is needed"):
        read_ink(tmp_path / "U+4E00.png", size_px=16)


def test_an_image_that_is_not_square_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((16, 24), np.uint8)).save(tmp_path / "i.png")
    with pytest.raises(ImageError, match="24x16 px where a square is needed"):
        read_ink(tmp_path / "i.png")


def broken(path: Path, kind: str) -> None:
    write_ink(path, np.random.default_rng(0).integers(0, 255, (32, 32), np.uint8))
    data = path.read_bytes()
    if kind == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("not a picture")
    else:
        path.write_bytes(data[:60] + b"\0\0\0\0" + data[64:])


@pytest.mark.parametrize("kind", ["cut", "empty", "text", "flipped bytes"])
def test_a_damaged_image_is_named(tmp_path: Path, kind: str) -> None:
    broken(tmp_path / "i.png", kind)
    with pytest.raises(ImageError, match=r"i\.png: not a readable image .* replace or remove it"):
        read_ink(tmp_path / "i.png")


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"nothing\.png: no such image"):
        read_ink(tmp_path / "nothing.png")


def test_a_full_disk_leaves_the_old_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "i.png"
    write_ink(path, diagonal())
    old = path.read_bytes()

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(WorkspaceError, match="no space left"):
        write_ink(path, diagonal() * 0)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


# folders


def test_a_folder_with_a_manifest_keeps_canvas_records_and_provenance(tmp_path: Path) -> None:
    canvas = Canvas(size_px=16, margin_em=0.1).displaced(0.01, -0.02)
    for codepoint in (0x4E8C, 0x4E00):
        write_ink(tmp_path / image_name(codepoint), diagonal())
    write_manifest(tmp_path, canvas, {0x4E8C: {"advance_em": 0.5}, 0x4E00: {}}, {"fonts": ["a.ttf"]})
    folder = ImageFolder.open(tmp_path)
    assert folder.canvas == canvas
    assert folder.codepoints == [0x4E00, 0x4E8C]
    assert folder.glyphs[0x4E8C] == {"advance_em": 0.5}
    assert folder.provenance == {"fonts": ["a.ttf"]}
    assert folder.has_manifest
    np.testing.assert_array_equal(folder.read(0x4E00), diagonal())
    assert folder.subset([0x4E8C, 0x1]).codepoints == [0x4E8C]
    with pytest.raises(ImageError, match=r"no image of U\+4E01"):
        folder.read(0x4E01)


def test_a_foreign_folder_fills_the_em_box_and_takes_the_commonest_size(tmp_path: Path) -> None:
    for name, size in {"U+4E00": 32, "4e01": 32, "19970": 32, "丄": 48, "notes": 8}.items():
        write_ink(tmp_path / f"{name}.png", np.zeros((size, size), np.uint8))
    (tmp_path / "read me.txt").write_text("hello")
    (tmp_path / ".hidden.png").write_bytes(b"")
    folder = ImageFolder.open(tmp_path)
    assert folder.codepoints == [0x4E00, 0x4E01, 0x4E02, 0x4E04]
    assert folder.canvas == Canvas(size_px=32, margin_em=0.0)
    assert not folder.has_manifest
    with pytest.raises(ImageError, match="48x48 px where 32x32 is needed"):
        folder.read(0x4E04)


def test_a_damaged_image_does_not_hide_the_others(tmp_path: Path) -> None:
    write_ink(tmp_path / "U+4E00.png", diagonal())
    broken(tmp_path / "U+4E01.png", "text")
    folder = ImageFolder.open(tmp_path)
    assert folder.read(0x4E00).any()
    with pytest.raises(ImageError, match=r"U\+4E01\.png"):
        folder.read(0x4E01)


def test_two_images_of_one_character_are_refused(tmp_path: Path) -> None:
    write_ink(tmp_path / "U+4E00.png", diagonal())
    write_ink(tmp_path / "一.png", diagonal())
    with pytest.raises(ImageError, match=r"U\+4E00 is also U\+4E00\.png; keep one of them"):
        ImageFolder.open(tmp_path)


def test_folders_without_images_say_how_to_name_them(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"no glyph images; name them U\+4E00\.png"):
        ImageFolder.open(tmp_path)
    with pytest.raises(ImageError, match="no such folder"):
        ImageFolder.open(tmp_path / "nowhere")
    broken(tmp_path / "U+4E00.png", "text")
    with pytest.raises(ImageError, match="none of its images can be read"):
        ImageFolder.open(tmp_path)


@pytest.mark.parametrize(
    "manifest",
    [
        {"format": "something else"},
        [],
        {"format": "fontgen-images"},
        {"format": "fontgen-images", "canvas": {"size_px": 16}, "glyphs": {"U+XYZ": {}}},
        {"format": "fontgen-images", "canvas": {"size_px": "16"}, "glyphs": {}},
        {"format": "fontgen-images", "canvas": None, "glyphs": {}},
        {"format": "fontgen-images", "canvas": {"size_px": 16}, "glyphs": []},
    ],
)
def test_a_manifest_of_another_kind_is_refused(tmp_path: Path, manifest: Any) -> None:
    write_json(tmp_path / "manifest.json", manifest)
    with pytest.raises(ImageError, match=r"manifest\.json: not a manifest of glyph images; remove it"):
        ImageFolder.open(tmp_path)


def test_records_of_the_glyphs_to_keep_come_back(tmp_path: Path) -> None:
    canvas = Canvas(size_px=16)
    write_manifest(tmp_path, canvas, {0x4E00: {"n": 0}, 0x4E01: {"n": 1}, 0x4E02: {"n": 2}})
    with keeping_records(tmp_path, {0x4E00, 0x4E01}):
        write_manifest(tmp_path, canvas, {0x4E01: {"n": 9}})
    assert ImageFolder.open(tmp_path).glyphs == {0x4E00: {"n": 0}, 0x4E01: {"n": 9}}


def test_records_are_left_alone_when_the_stage_fails(tmp_path: Path) -> None:
    canvas = Canvas(size_px=16)
    write_manifest(tmp_path, canvas, {0x4E00: {"n": 0}})
    with pytest.raises(KeyboardInterrupt), keeping_records(tmp_path, {0x4E00, 0x4E01}):
        raise KeyboardInterrupt
    assert ImageFolder.open(tmp_path).glyphs == {0x4E00: {"n": 0}}


def test_images_written_by_threads_all_stand_when_they_are_said_to(tmp_path: Path) -> None:
    inks = {0x4E00 + n: np.full((16, 16), n, np.uint8) for n in range(100)}
    seen = []
    for codepoint in written(tmp_path, inks.items()):
        np.testing.assert_array_equal(read_ink(tmp_path / image_name(codepoint)), inks[codepoint])
        seen.append(codepoint)
    assert seen == list(inks)
    (tmp_path / "plain").touch()
    assert len({path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}) == 1


def test_an_image_that_a_thread_cannot_write_ends_the_writing(tmp_path: Path) -> None:
    (tmp_path / image_name(0x4E01)).mkdir()
    with pytest.raises(WorkspaceError, match=r"U\+4E01"):
        list(written(tmp_path, ((0x4E00 + n, np.zeros((8, 8), np.uint8)) for n in range(4))))
