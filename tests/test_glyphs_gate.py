"""The gate lets genuine glyphs pass and names blank, wrong and mutilated ones, on real fonts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fontgen.canvas import Canvas
from fontgen.errors import ImageError
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.gate import GateReport, calibrate_gate, gate_folder, score
from fontgen.glyphs.gate_features import sketch
from fontgen.glyphs.gate_local import LocalJudge, fit_local, make_lessons
from fontgen.glyphs.gate_model import GateModel, make_mistakes
from fontgen.glyphs.gate_settings import GateSettings
from fontgen.glyphs.render import render_ink
from fontgen.glyphs.store import ImageFolder, image_name, write_ink, write_manifest

CANVAS = Canvas(size_px=96)


@pytest.fixture(scope="module")
def pairs(source_font: Path, target_font: Path) -> tuple[list[int], np.ndarray, np.ndarray]:
    source, target = open_face(FontRef.of(source_font)), open_face(FontRef.of(target_font))
    shared = sorted(c for c in set(source.cmap) & set(target.cmap) if c >= 0x4E00)[::4]
    sources = np.stack([render_ink(source, c, CANVAS) for c in shared])
    return shared, sources, np.stack([render_ink(target, c, CANVAS) for c in shared])


@pytest.fixture(scope="module")
def model(pairs: tuple) -> GateModel:
    _, sources, targets = pairs
    return calibrate_gate(sources[::2], targets[::2], pass_rate=0.97, seed=1)


def test_genuine_pass_and_mistakes_are_caught(pairs: tuple, model: GateModel) -> None:
    _, sources, targets = pairs
    unseen = np.arange(1, len(sources), 2)
    passed = [not score(model, sources[i], targets[i]).suspect for i in unseen]
    wrong = [score(model, sources[i], targets[i - 10]).suspect for i in unseen]
    halved = [score(model, sources[i], np.where(np.arange(96) < 48, targets[i], 0).astype(np.uint8)) for i in unseen]
    assert np.mean(passed) > 0.85
    assert np.mean(wrong) > 0.97
    assert np.mean([result.suspect for result in halved]) > 0.97
    assert np.mean(["right" in result.reason or "another character" in result.reason for result in halved]) > 0.8


def test_blank_and_inverted_are_always_suspect(pairs: tuple, model: GateModel) -> None:
    _, sources, targets = pairs
    blank = np.zeros_like(targets[0])
    assert score(model, sources[0], blank).reason == "blank: no ink"
    assert score(model, sources[0], blank).score == 0
    assert "light on dark" in score(model, sources[0], 255 - targets[0]).reason
    assert "source glyph is blank" in score(model, blank, targets[0]).reason


def test_scores_lie_on_the_side_of_their_verdict(pairs: tuple, model: GateModel) -> None:
    _, sources, targets = pairs
    for i, j in ((1, 1), (3, 3), (1, 30), (5, 60)):
        result = score(model, sources[i], targets[j])
        assert 0 <= result.score <= 1
        assert result.suspect == (result.score < 0.5)
        assert bool(result.reason) == result.suspect


def test_model_survives_json_and_is_the_same_every_time(pairs: tuple, model: GateModel) -> None:
    _, sources, targets = pairs
    again = GateModel.from_json(json.loads(json.dumps(model.to_json())))
    assert score(again, sources[1], targets[7]) == score(model, sources[1], targets[7])
    twin = calibrate_gate(sources[::2], targets[::2], pass_rate=0.97, seed=1)
    assert twin.to_json() == model.to_json()


def test_a_judge_that_goes_on_from_another_learns_what_the_other_lacked(pairs: tuple) -> None:
    _, sources, targets = pairs
    rng = np.random.default_rng(0)
    s, t = ([sketch(image) for image in part[:60]] for part in (sources, targets))
    made = make_mistakes(t, targets[:60], rng)
    lessons = make_lessons(s, t, made, rng)

    def loss(judge: LocalJudge) -> float:
        hidden = np.maximum(lessons.looks @ judge.into[:-1] + judge.into[-1], 0)
        odds = hidden @ judge.out[:-1] + judge.out[-1]
        return float((np.logaddexp(0, odds) - lessons.truth * odds).mean())

    half = np.arange(60) % 2 == 0
    first = fit_local(lessons, half, rng)
    before = first.into.copy()
    second = fit_local(lessons, np.ones(60, bool), rng, first)
    assert loss(second) < 0.9 * loss(first)
    assert np.array_equal(first.into, before)
    # the source's side and the image's come to what the neighbourhoods of both give
    odds = second.log_odds(second.source_side(s[3]), t[3])
    assert odds.shape == (2, 32, 32)
    changed = second.log_odds(second.source_side(s[3]), t[4])
    assert odds.max() < changed.max()


def test_too_few_pairs_are_refused(pairs: tuple) -> None:
    _, sources, targets = pairs
    with pytest.raises(ImageError, match="20 genuine pairs"):
        calibrate_gate(sources[:5], targets[:5])


def _write(root: Path, codepoints: list[int], images: np.ndarray) -> ImageFolder:
    for codepoint, ink8 in zip(codepoints, images, strict=True):
        write_ink(root / image_name(codepoint), ink8)
    write_manifest(root, CANVAS, {codepoint: {} for codepoint in codepoints})
    return ImageFolder.open(root)


def test_folder_report(pairs: tuple, tmp_path: Path) -> None:
    codepoints, sources, targets = (part[:64] for part in pairs)
    damaged = targets.copy()
    damaged[5] = 0
    damaged[6] = targets[40]
    folder = _write(tmp_path / "in", codepoints, damaged)
    (tmp_path / "in" / image_name(codepoints[7])).write_bytes(b"no image")
    reference = _write(tmp_path / "ref", codepoints[:-1], sources[:-1])
    report = gate_folder(folder, reference, settings=GateSettings())
    assert isinstance(report, GateReport)
    assert report.figures["basis"] == "the batch itself"
    assert next(iter(report.suspects)) == codepoints[5]
    assert codepoints[6] in report.suspects
    assert len(report.suspects) <= 10
    assert "U+" in report.failed[codepoints[7]]
    assert "no source glyph" in report.skipped[codepoints[-1]]
    data = json.loads(json.dumps(report.to_json()))
    assert data["suspects"][f"U+{codepoints[5]:04X}"] == "blank: no ink"
    assert len(data["scores"]) == 62

    truth = (_write(tmp_path / "truth", codepoints, targets), reference)
    judged = gate_folder(folder, reference, truth, settings=GateSettings())
    assert judged.figures["basis"] == "genuine pairs"
    assert {codepoints[5], codepoints[6]} <= set(judged.suspects)

    few = gate_folder(_write(tmp_path / "few", codepoints[5:8], damaged[5:8]), reference, settings=GateSettings())
    assert few.figures["basis"] == "fixed rule"
    assert codepoints[5] in few.suspects
