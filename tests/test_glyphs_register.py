"""Known shifts come back; what carries no information is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fontgen.canvas import Canvas
from fontgen.errors import ImageError
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.clean_morphology import dilate_square
from fontgen.glyphs.register import ShiftEstimate, drifting, estimate_shift, register_folder, shift_ink
from fontgen.glyphs.register_settings import RegisterSettings
from fontgen.glyphs.render import render_ink
from fontgen.glyphs.store import ImageFolder, image_name, write_ink, write_manifest

CANVAS = Canvas(size_px=128)


@pytest.fixture(scope="module")
def glyphs(source_font: Path, target_font: Path) -> list[tuple[int, np.ndarray, np.ndarray]]:
    source, target = open_face(FontRef.of(source_font)), open_face(FontRef.of(target_font))
    shared = sorted(c for c in set(source.cmap) & set(target.cmap) if c >= 0x4E00)[::13]
    return [(c, render_ink(target, c, CANVAS), render_ink(source, c, CANVAS)) for c in shared]


def blob(row: float, col: float) -> np.ndarray:
    y, x = np.mgrid[:128, :128]
    return np.rint(255 * np.clip(20.5 - np.hypot(y - row, x - col), 0, 1)).astype(np.uint8)


def test_a_blob_tells_its_shift_right_and_down() -> None:
    found = estimate_shift([(1, blob(60 + 2.25, 64 - 3.5), blob(60, 64))], CANVAS)
    assert (found.dx_px, found.dy_px) == pytest.approx((-3.5, 2.25), abs=0.02)
    assert found.in_em(CANVAS) == pytest.approx((-3.5 / CANVAS.px_per_em, -2.25 / CANVAS.px_per_em), abs=3e-4)


@pytest.mark.parametrize(("dx", "dy"), [(3.0, -2.0), (-0.4, 0.25), (4.0, 3.7)])
def test_shift_is_recovered_across_styles_and_noise(glyphs: list, dx: float, dy: float) -> None:
    rng = np.random.default_rng(0)
    plain = estimate_shift(glyphs, CANVAS)

    def moved(image: np.ndarray) -> np.ndarray:
        noisy = shift_ink(image, dx, dy) + rng.normal(0, 8, image.shape)
        return np.clip(noisy, 0, 255).astype(np.uint8)

    found = estimate_shift([(c, moved(image), source) for c, image, source in glyphs], CANVAS)
    assert (found.dx_px - plain.dx_px, found.dy_px - plain.dy_px) == pytest.approx((dx, dy), abs=0.05)
    assert found.num_glyphs == len(glyphs)
    assert 0 < found.half_width_x_px < 1


def test_a_few_wild_glyphs_do_not_move_the_set(glyphs: list) -> None:
    plain = estimate_shift(glyphs, CANVAS)
    wild = [(c, shift_ink(image, 6, 6) if i % 10 == 0 else image, s) for i, (c, image, s) in enumerate(glyphs)]
    found = estimate_shift(wild, CANVAS)
    assert abs(found.dx_px - plain.dx_px) < 0.3
    assert set(drifting(found, 2.0)) >= {c for i, (c, _, _) in enumerate(glyphs) if i % 10 == 0} - set(
        drifting(plain, 1.0)
    )


def test_shift_by_whole_pixels_copies_and_there_and_back_agree() -> None:
    image = blob(60, 64)
    assert np.array_equal(shift_ink(image, 3, -2), np.roll(image, (-2, 3), axis=(0, 1)))
    assert shift_ink(image, 0, 0) is image
    back = shift_ink(shift_ink(image, 0.3, -0.7), -0.3, 0.7)
    off, moved_off = (np.abs(x.astype(int) - image).sum() for x in (back, shift_ink(image, 0.3, -0.7)))
    assert off < 0.3 * moved_off


def test_what_cannot_be_registered_is_refused() -> None:
    blank = np.zeros((128, 128), np.uint8)
    with pytest.raises(ImageError, match="no glyph to register"):
        estimate_shift([(1, blank, blob(60, 60))], CANVAS)
    with pytest.raises(ImageError, match="canvas has 128"):
        estimate_shift([(1, blank[:64, :64], blank[:64, :64])], CANVAS)


def test_insignificant_shifts_are_told_apart() -> None:
    def estimate(dx_px: float) -> ShiftEstimate:
        return ShiftEstimate(
            dx_px=dx_px, dy_px=0.0, half_width_x_px=0.196, half_width_y_px=0.196, num_glyphs=100,
            spread_x_px=1.0, spread_y_px=1.0,
        )  # fmt: skip

    assert not estimate(0.19).is_significant(2.0)
    assert estimate(0.21).is_significant(2.0)


def test_folder_is_moved_back_and_a_broken_image_counted(glyphs: list, tmp_path: Path) -> None:
    few = glyphs[:24]
    for codepoint, _, source in few:
        write_ink(tmp_path / "ref" / image_name(codepoint), source)
        write_ink(tmp_path / "in" / image_name(codepoint), shift_ink(source, 2.5, -1.25))
    records = {codepoint: {} for codepoint, _, _ in few}
    write_manifest(tmp_path / "ref", CANVAS, records)
    write_manifest(tmp_path / "in", CANVAS, records)
    broken = few[3][0]
    (tmp_path / "in" / image_name(broken)).write_bytes(b"no image")
    report = register_folder(
        ImageFolder.open(tmp_path / "in"), ImageFolder.open(tmp_path / "ref"), tmp_path / "out",
        settings=RegisterSettings(),
    )  # fmt: skip
    assert report.figures["corrected"]
    assert report.figures["shift"]["dx_px"] == pytest.approx(2.5, abs=0.05)
    assert report.figures["shift"]["dy_px"] == pytest.approx(-1.25, abs=0.05)
    assert list(report.failed) == [broken]
    out = ImageFolder.open(tmp_path / "out")
    assert broken not in out.files
    folder = ImageFolder.open(tmp_path / "in")
    for codepoint, _, source in few:
        if codepoint != broken:
            before, after = (np.abs(f.read(codepoint).astype(int) - source).mean() for f in (folder, out))
            assert after < 0.2 * before


@pytest.mark.parametrize("scale", [0.97, 1.006, 1.03])
def test_scale_is_recovered_across_styles_and_the_shift_beside_it(glyphs: list, scale: float) -> None:
    settings = RegisterSettings(scale=True)
    plain = estimate_shift(glyphs, CANVAS, settings=settings)
    moved = [(c, shift_ink(image, 1.5, -0.75, scale), source) for c, image, source in glyphs]
    found = estimate_shift(moved, CANVAS, settings=settings)
    assert found.scale / plain.scale == pytest.approx(scale, abs=0.001)
    expected = (scale * plain.dx_px + 1.5, scale * plain.dy_px - 0.75)
    assert (found.dx_px, found.dy_px) == pytest.approx(expected, abs=0.12)
    assert 0 < found.scale_half_width < 0.01


def test_a_bolder_drawing_is_no_larger_one(glyphs: list) -> None:
    settings = RegisterSettings(scale=True, significance=0)
    bolder = [(c, dilate_square(image), image) for c, image, _ in glyphs]
    assert estimate_shift(bolder, CANVAS, settings=settings).scale == pytest.approx(1, abs=0.003)


def test_an_insignificant_scale_is_left() -> None:
    def estimate(scale: float) -> ShiftEstimate:
        return ShiftEstimate(
            dx_px=0.0, dy_px=0.0, half_width_x_px=0.1, half_width_y_px=0.1, num_glyphs=100,
            spread_x_px=1.0, spread_y_px=1.0, scale=scale, scale_half_width=0.00196,
        )  # fmt: skip

    assert estimate(1.0019).scale_to_undo(2.0) == 1.0
    assert estimate(1.0021).scale_to_undo(2.0) == 1.0021
    assert estimate(0.9979).scale_to_undo(2.0) == 0.9979


def _folders(root: Path, images: dict[int, np.ndarray], references: dict[int, np.ndarray]) -> list[ImageFolder]:
    for name, inks in (("in", images), ("ref", references)):
        for codepoint, ink in inks.items():
            write_ink(root / name / image_name(codepoint), ink)
        write_manifest(root / name, CANVAS, {codepoint: {} for codepoint in inks})
    return [ImageFolder.open(root / name) for name in ("in", "ref")]


def test_a_folder_gets_its_scale_and_shift_undone_at_once(glyphs: list, tmp_path: Path) -> None:
    sources = {c: source for c, _, source in glyphs[:24]}
    images, reference = _folders(tmp_path, {c: shift_ink(s, 2.5, -1.25, 1.04) for c, s in sources.items()}, sources)
    report = register_folder(images, reference, tmp_path / "out", settings=RegisterSettings(scale=True))
    assert report.figures["scale_corrected"]
    assert report.figures["shift"]["scale"] == pytest.approx(1.04, abs=0.001)
    out = ImageFolder.open(tmp_path / "out")
    for codepoint, source in sources.items():
        before, after = (np.abs(f.read(codepoint).astype(int) - source).mean() for f in (images, out))
        assert after < 0.25 * before
    kept = register_folder(images, reference, tmp_path / "kept", settings=RegisterSettings())
    assert not kept.figures["scale_corrected"]
    assert kept.figures["shift"]["scale"] == 1.0


def test_drifting_glyphs_are_listed_and_put_back_on_request_alone(glyphs: list, tmp_path: Path) -> None:
    sources = {c: source for c, _, source in glyphs[:30]}
    lost = list(sources)[4]
    drawn = {c: shift_ink(s, 1, 0) for c, s in sources.items()} | {lost: shift_ink(sources[lost], 1 + 4, -3)}
    images, reference = _folders(tmp_path, drawn, sources)
    listed = register_folder(images, reference, tmp_path / "listed", settings=RegisterSettings(sample_glyphs=30))
    assert list(listed.figures["drifting"]) == [f"U+{lost:04X}"]
    assert listed.figures["drifting"][f"U+{lost:04X}"] == pytest.approx([4, -3], abs=0.1)
    settings = RegisterSettings(correct_drift=True, sample_glyphs=1)  # every glyph is measured all the same
    back = register_folder(images, reference, tmp_path / "back", settings=settings)
    assert back.figures["drifting"] == listed.figures["drifting"]
    off = {}
    for name in ("listed", "back"):
        out = ImageFolder.open(tmp_path / name)
        off[name] = {c: np.abs(out.read(c).astype(int) - s).mean() for c, s in sources.items()}
    assert off["back"][lost] < 0.1 * off["listed"][lost]
    assert {c: v for c, v in off["back"].items() if c != lost} == {c: v for c, v in off["listed"].items() if c != lost}


def test_folder_without_shared_glyphs_is_refused(tmp_path: Path) -> None:
    for name, codepoint in (("in", 0x4E00), ("ref", 0x4E01)):
        write_ink(tmp_path / name / image_name(codepoint), blob(60, 60))
        write_manifest(tmp_path / name, CANVAS, {codepoint: {}})
    with pytest.raises(ImageError, match="has no glyph of"):
        register_folder(
            ImageFolder.open(tmp_path / "in"), ImageFolder.open(tmp_path / "ref"), tmp_path / "out",
            settings=RegisterSettings(),
        )  # fmt: skip
