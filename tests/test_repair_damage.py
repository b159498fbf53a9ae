"""The damage of the repair benchmark is where it says, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.repair import merged
from benchmarks.repair_damage import CHANGED, damage, is_dense
from benchmarks.repair_links import cut_stroke, link_strokes
from fontgen.files import write_json
from fontgen.glyphs.clean_morphology import topology


def test_gaps_lie_in_ink_and_dents_and_defects_are_all_that_changed() -> None:
    glyph = np.zeros((256, 256), np.uint8)
    glyph[100:130, 40:216] = glyph[40:216, 118:140] = 255
    gaps = 0
    for seed in range(12):
        damaged = damage(glyph, np.random.default_rng(seed))
        changed = np.abs(glyph.astype(int) - damaged.ink8) > CHANGED
        assert np.array_equal(changed, damaged.defect | damaged.dent)
        assert not (damaged.defect & damaged.dent).any()
        assert (glyph[damaged.dent] == 255).all()
        assert damaged.repaired(glyph, glyph).all()
        assert not damaged.repaired(glyph, damaged.ink8)[changed].any()
        gaps += np.count_nonzero(damaged.defect & (glyph == 255))
        again = damage(glyph, np.random.default_rng(seed))
        assert np.array_equal(again.ink8, damaged.ink8)
    assert gaps > 500


def test_dense_is_more_than_twenty_strokes() -> None:
    assert all(is_dense(ord(character)) for character in "儷鬱龘儺")  # 21, 29, 48, 21 strokes
    assert not any(is_dense(ord(character)) for character in "一勸龍\u3042")  # 1, 20, 16 strokes, kana


def test_a_cut_parts_one_stroke_and_a_link_joins_two() -> None:
    glyph = np.zeros((256, 256), np.uint8)
    glyph[60:72, 40:216] = glyph[80:92, 40:216] = glyph[60:200, 120:130] = 255
    components, holes = topology(glyph >= 128)
    for seed in range(4):
        for injure, sign in ((cut_stroke, 1), (link_strokes, -1)):
            damaged = injure(glyph, np.random.default_rng(seed))
            assert damaged is not None
            now = topology(damaged.ink8 >= 128)
            assert sign * (now[0] - components - now[1] + holes) == 1
            assert np.array_equal(np.abs(glyph.astype(int) - damaged.ink8) > CHANGED, damaged.defect)
    assert cut_stroke(np.zeros_like(glyph), np.random.default_rng(0)) is None


def test_a_run_keeps_what_others_measured_alike(tmp_path: Path) -> None:
    kept = {"size_px": 256, "seed": 0, "source": "a.ttf", "B": {"gate": {"pairs": 3}, "clean": {"glyphs": 1}}}
    write_json(tmp_path / "repair.json", kept)
    new = {"size_px": 256, "seed": 0, "source": "a.ttf", "B": {"clean": {"glyphs": 2}}}
    assert merged(tmp_path / "repair.json", new)["B"] == {"gate": {"pairs": 3}, "clean": {"glyphs": 2}}
    assert merged(tmp_path / "repair.json", {**new, "seed": 1}) == {**new, "seed": 1}
