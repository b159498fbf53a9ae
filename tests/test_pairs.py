"""Training pairs: the arrays hold what single renders show, and the held-out split never moves."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from box_fonts import NOTO, ZEN, box_font, kanji_of
from hypothesis import given
from hypothesis import strategies as st

from fontgen.canvas import Canvas, Placement
from fontgen.errors import ImageError, WorkspaceError
from fontgen.files import write_json
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.pairs import (
    PairJob,
    PairSet,
    Style,
    held_out_split,
    is_held_out,
    sample,
    target_jobs,
    write_pairs,
)
from fontgen.glyphs.render import box_fit, render_ink
from fontgen.glyphs.store import write_ink

CANVAS = Canvas(size_px=32)
PLACED = Placement(scale=0.95, dx_em=0.02, dy_em=-0.01)
STYLE = Style("Zen", PLACED)
NOTO_REF, ZEN_REF = FontRef.of(NOTO), FontRef.of(ZEN)


def zen_jobs(count: int) -> list[PairJob]:
    return [PairJob(c, NOTO_REF, ZEN_REF) for c in kanji_of(ZEN)[:count]]


def written(root: Path, jobs: Sequence[PairJob], *styles: Style, **options: Any) -> tuple[PairSet, dict[int, str]]:
    options = {"held_out": 0.2, "fingerprint": "mark", **options}
    return write_pairs(root, jobs, options.pop("canvas", CANVAS), styles or [STYLE], **options)


def test_arrays_hold_what_single_renders_show(tmp_path: Path) -> None:
    jobs = zen_jobs(10)
    pairs, left_out = written(tmp_path, jobs)
    assert left_out == {}
    assert len(pairs) == 10
    assert pairs.codepoints.tolist() == [job.codepoint for job in jobs]
    assert pairs.styles == ["Zen"]
    assert pairs.fingerprint == "mark"
    assert pairs.canvas == CANVAS
    for row, job in enumerate(jobs):
        np.testing.assert_array_equal(pairs.source[row], render_ink(open_face(NOTO_REF), job.codepoint, CANVAS, PLACED))
        np.testing.assert_array_equal(pairs.target[row], render_ink(open_face(ZEN_REF), job.codepoint, CANVAS))


def test_drawn_by_two_processes_the_files_are_the_same(tmp_path: Path) -> None:
    for workers in (1, 2):
        written(tmp_path / str(workers), zen_jobs(70), workers=workers)
    for name in ("source.npy", "target.npy", "pairs.json"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_box_fitted_pairs_are_both_fitted(tmp_path: Path) -> None:
    (job,) = zen_jobs(1)
    pairs, _ = written(tmp_path, [job], fit="box", held_out=0.0)
    for array, ref in ((pairs.source, NOTO_REF), (pairs.target, ZEN_REF)):
        face = open_face(ref)
        fitted = render_ink(face, job.codepoint, CANVAS, box_fit(face, job.codepoint, CANVAS))
        np.testing.assert_array_equal(array[0], fitted)


def test_styles_keep_their_index_and_their_placement(tmp_path: Path) -> None:
    codepoint = kanji_of(ZEN)[0]
    jobs = [PairJob(codepoint, NOTO_REF, ZEN_REF, 2), PairJob(codepoint, NOTO_REF, ZEN_REF, 0)]
    pairs, _ = written(tmp_path, jobs, STYLE, Style("", Placement()), Style("Third", Placement()))
    assert pairs.style_index.tolist() == [2, 0]
    assert pairs.styles == ["Zen", "", "Third"]
    np.testing.assert_array_equal(pairs.source[0], render_ink(open_face(NOTO_REF), codepoint, CANVAS))
    np.testing.assert_array_equal(pairs.source[1], render_ink(open_face(NOTO_REF), codepoint, CANVAS, PLACED))


def test_only_shared_characters_make_pairs() -> None:
    jobs = target_jobs({3: NOTO_REF, 1: NOTO_REF, 2: NOTO_REF}, {1: ZEN_REF, 3: None, 4: ZEN_REF}, 5)
    assert [(job.codepoint, job.target, job.style_index) for job in jobs] == [(1, ZEN_REF, 5), (3, None, 5)]


# left out


def test_blank_glyphs_are_left_out_and_listed(tmp_path: Path) -> None:
    full = [(100, 0, 900, 700)]
    source = FontRef.of(box_font(tmp_path / "s.ttf", {0x4E00: full, 0x4E01: [], 0x4E02: full, 0x4E03: full}))
    target = FontRef.of(box_font(tmp_path / "t.ttf", {0x4E00: full, 0x4E01: full, 0x4E02: [], 0x4E03: full}))
    jobs = [PairJob(c, source, target) for c in range(0x4E00, 0x4E04)]
    pairs, left_out = written(tmp_path / "p", jobs, Style("Boxes", Placement()))
    assert pairs.codepoints.tolist() == [0x4E00, 0x4E03]
    assert left_out == {
        0x4E01: "the source glyph is blank on this canvas",
        0x4E02: "the target glyph is blank on this canvas",
    }
    assert pairs.source.shape == pairs.target.shape == (2, 32, 32)
    assert all(image.any() for image in (*pairs.source, *pairs.target))
    assert {p.name for p in (tmp_path / "p").iterdir()} == {"pairs.json", "source.npy", "target.npy"}


def test_target_images_come_from_a_folder(tmp_path: Path) -> None:
    ink = np.zeros((64, 64), np.uint8)
    ink[16:48, 16:48] = 255
    for name in ("U+4E00", "4e01"):
        write_ink(tmp_path / "scans" / f"{name}.png", ink)
    write_ink(tmp_path / "scans" / "丂.png", np.zeros((48, 48), np.uint8))
    (tmp_path / "scans" / "丄.png").write_text("damaged")
    style = Style("Scans", Placement(), tmp_path / "scans")
    source = FontRef.of(
        box_font(tmp_path / "s.ttf", {c: [(100, 0, 900, 700)] for c in (0x4E00, 0x4E01, 0x4E02, 0x4E04)})
    )
    jobs = [PairJob(c, source, None) for c in (0x4E00, 0x4E01, 0x4E02, 0x4E04)]
    pairs, left_out = written(tmp_path / "p", jobs, style, canvas=Canvas(size_px=40, margin_em=0.125))
    assert pairs.codepoints.tolist() == [0x4E00, 0x4E01]
    assert "48x48 px where 64x64 is needed" in left_out[0x4E02]
    assert "not a readable image" in left_out[0x4E04]
    # the scan fills the em box: half an em of ink is 16 of the 40 px, behind the margin of 4 px
    expected = np.zeros((40, 40), np.uint8)
    expected[12:28, 12:28] = 255
    np.testing.assert_allclose(pairs.target[0], expected, atol=60)  # a resampled edge rings a little
    assert pairs.target[0].sum() / 255 == pytest.approx(16 * 16, rel=0.02)


def test_without_any_usable_pair_the_first_reason_is_told(tmp_path: Path) -> None:
    blank = FontRef.of(box_font(tmp_path / "s.ttf", {0x4E00: []}))
    with pytest.raises(ImageError, match="not one usable pair; first problem: the source glyph is blank"):
        written(tmp_path / "p", [PairJob(0x4E00, blank, blank)])
    with pytest.raises(ImageError, match="share no usable character"):
        written(tmp_path / "q", [])


# the split


@given(st.sets(st.integers(0x4E00, 0x9FFF), max_size=60), st.sets(st.integers(0x4E00, 0x9FFF), max_size=60))
def test_more_characters_never_move_one_between_the_parts(some: set[int], more: set[int]) -> None:
    small, large = held_out_split(sorted(some), 0.2), held_out_split(sorted(some | more), 0.2)
    assert {c: large[c] for c in some} == small


def test_the_share_held_out_is_the_one_asked_for() -> None:
    unified = range(0x4E00, 0xA000)
    for fraction in (0.0, 0.05, 0.5):
        share = sum(is_held_out(c, fraction) for c in unified) / len(unified)
        assert share == pytest.approx(fraction, abs=0.01)
    # whoever is held out of a small share is held out of a larger one
    assert all(is_held_out(c, 0.2) for c in unified if is_held_out(c, 0.1))


def test_the_split_is_the_same_on_every_machine() -> None:
    held = [c for c in range(0x4E00, 0x4E40) if is_held_out(c, 0.05)]
    assert held == [0x4E05, 0x4E09, 0x4E17, 0x4E1E]


@pytest.mark.parametrize("count", [1, 7, 20])
def test_a_number_holds_out_so_many(count: int) -> None:
    assert sum(held_out_split(list(range(0x4E00, 0x4E14)), count).values()) == count


def test_one_character_in_two_styles_is_held_out_of_both(tmp_path: Path) -> None:
    jobs = [PairJob(c, NOTO_REF, ZEN_REF, style) for style in (0, 1) for c in kanji_of(ZEN)[:12]]
    pairs, _ = written(tmp_path, jobs, STYLE, Style("Second", Placement()), held_out=3)
    np.testing.assert_array_equal(pairs.held_out[:12], pairs.held_out[12:])
    assert pairs.held_out.sum() == 6


def test_a_sample_is_spread_and_keeps_its_order() -> None:
    codepoints = list(range(0x4E00, 0x5200))
    chosen = sample(codepoints, 100)
    assert len(chosen) == 100
    assert chosen == sorted(chosen)
    assert chosen[0] < 0x4E40
    assert chosen[-1] > 0x51C0
    assert sample(codepoints[:50], 100) == codepoints[:50]
    # of fewer characters the same ones are chosen first
    assert set(sample(codepoints, 10)) <= set(chosen)


# damage and disk


def test_a_folder_without_its_manifest_is_no_set_of_pairs(tmp_path: Path) -> None:
    written(tmp_path, zen_jobs(2))
    (tmp_path / "pairs.json").unlink()
    with pytest.raises(WorkspaceError, match=r"pairs\.json"):
        PairSet.open(tmp_path)


@pytest.mark.parametrize("data", [{"format": "other"}, [], {"format": "fontgen-pairs"}])
def test_a_manifest_of_another_kind_is_refused(tmp_path: Path, data: Any) -> None:
    written(tmp_path, zen_jobs(2))
    write_json(tmp_path / "pairs.json", data)
    with pytest.raises(ImageError, match=r"pairs\.json: not a set of training pairs"):
        PairSet.open(tmp_path)


@pytest.mark.parametrize("length", [0, 50, 1000])
def test_a_truncated_array_is_named(tmp_path: Path, length: int) -> None:
    written(tmp_path, zen_jobs(2))
    path = tmp_path / "source.npy"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ImageError, match="damaged training pairs"):
        PairSet.open(tmp_path)


def test_arrays_of_another_shape_are_refused(tmp_path: Path) -> None:
    written(tmp_path, zen_jobs(2))
    np.save(tmp_path / "source.npy", np.zeros((1, 32, 32), np.uint8))
    with pytest.raises(ImageError, match="where the manifest says"):
        PairSet.open(tmp_path)


def test_a_full_disk_is_found_before_drawing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(WorkspaceError, match="no space left on the disk"):
        written(tmp_path, zen_jobs(2))
    with pytest.raises(WorkspaceError, match=r"pairs\.json"):
        PairSet.open(tmp_path)


def test_a_sample_holds_out_the_share_that_the_whole_set_does() -> None:
    codepoints = list(range(0x4E00, 0x9FFF))
    chosen = sample(codepoints, 1000)
    assert len(chosen) == 1000
    assert chosen == sorted(chosen)
    assert 20 <= sum(held_out_split(chosen, 0.05).values()) <= 90
