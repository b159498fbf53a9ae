"""The damage of the repair benchmark is where it says, and nowhere else."""

from __future__ import annotations

import numpy as np

from benchmarks.repair_damage import CHANGED, damage, is_dense


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
