"""The gate lets genuine glyphs pass and names blank, wrong and mutilated ones, on real fonts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import ndimage

from benchmarks.gate_fit import Network, save
from fontgen.canvas import Canvas
from fontgen.errors import ImageError
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs import gate_net
from fontgen.glyphs.gate import GateReport, calibrate_gate, gate_folder, score
from fontgen.glyphs.gate_features import sketch
from fontgen.glyphs.gate_model import GateModel
from fontgen.glyphs.gate_net import evidence, unpacked
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


def test_the_network_sees_where_a_component_is_gone(pairs: tuple) -> None:
    _, sources, targets = pairs
    rose, near = [], []
    for source, target in zip(sources[::5], targets[::5], strict=True):
        labels, count = ndimage.label(target >= 128, np.ones((3, 3)))
        area = np.bincount(labels.ravel())[1:]
        if count < 2 or area.min() < 0.05 * area.sum():
            continue
        gone = labels == 1 + int(area.argmin())
        before, after = (
            evidence(sketch(source).fine, sketch(image).fine).where
            for image in (target, np.where(gone, 0, target).astype(np.uint8))
        )
        assert before.shape == (2, 32, 32)
        rose.append(after[0].max() > before[0].max())
        row, col = np.unravel_index((after[0] - before[0]).argmax(), (32, 32))
        near.append(ndimage.binary_dilation(gone, iterations=6)[row * 3 + 1, col * 3 + 1])
    assert len(rose) >= 10
    assert np.mean(rose) > 0.95
    assert np.mean(near) > 0.9


def test_the_network_answers_as_it_was_taught_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numpy's evaluation of what was saved against torch's, whose network `benchmarks.gate_fit` teaches."""
    torch.manual_seed(0)
    network = Network()
    for parameter in network.parameters():  # far from an untaught network, whose answers hardly differ, and as stored
        parameter.data = (2.5 * parameter.data).half().float()
    save(network, tmp_path / "gate.npy")
    weights = unpacked(np.load(tmp_path / "gate.npy"))
    monkeypatch.setattr(gate_net, "_weights", lambda: weights)
    source, image = np.random.default_rng(0).random((2, 64, 64), np.float32)
    found = evidence(source, image)
    with torch.inference_mode():
        cells, whole = network(torch.from_numpy(np.stack([source, image]))[None])
    assert found.where.shape == (2, 32, 32)
    assert np.allclose(found.where, cells[0].numpy(), atol=1e-3)
    assert np.isclose(found.other, float(whole), atol=1e-3)
    assert found.where.std() > 0.1
    assert abs(found.other - evidence(source, source).other) > 0.1


def test_an_unsure_drawing_is_suspect_however_good_it_looks(pairs: tuple, model: GateModel) -> None:
    _, sources, targets = pairs
    sure = [score(model, s, t) for s, t in zip(sources[1:41:2], targets[1:41:2], strict=True)]
    good = 1 + 2 * int(np.argmax([result.score for result in sure]))
    judge = model.doubting(np.geomspace(0.05, 0.2, 41).tolist(), 3.5)
    assert judge.doubt is not None
    spread = 1.4826 * np.log(2) / 2
    assert judge.doubt.limit == pytest.approx(np.log(0.1) + 3.5 * spread)
    limit = float(np.exp(judge.doubt.limit))
    assert not score(judge, sources[good], targets[good], 0.99 * limit).suspect
    assert not score(judge, sources[good], targets[good]).suspect, "drawn once: nothing is known"
    doubted = score(judge, sources[good], targets[good], 1.01 * limit)
    assert (doubted.suspect, doubted.reason) == (
        True, f"unsure: a small shift of the source changes it {10.1 * limit:.1f} times as much as other glyphs",
    )  # fmt: skip
    both = score(judge, sources[good], targets[good - 1], 10.0)
    assert "; unsure" in both.reason
    assert GateModel.from_json(json.loads(json.dumps(judge.to_json()))).doubt == judge.doubt
    assert model.doubting([0.1] * 19, 3.5).doubt is None, "19 drawings say nothing about a generator"
    alike = model.doubting([0.1] * 20, 3.5)
    assert not score(alike, sources[good], targets[good], 0.11).suspect, "a tenth more is no outlier"


def test_too_few_pairs_are_refused(pairs: tuple) -> None:
    _, sources, targets = pairs
    with pytest.raises(ImageError, match="20 genuine pairs"):
        calibrate_gate(sources[:5], targets[:5])


def _write(root: Path, codepoints: list[int], images: np.ndarray, **uncertainty: float) -> ImageFolder:
    records = {int(name[1:], 16): {"uncertainty": value} for name, value in uncertainty.items()}
    for codepoint, ink8 in zip(codepoints, images, strict=True):
        write_ink(root / image_name(codepoint), ink8)
    write_manifest(root, CANVAS, {codepoint: records.get(codepoint, {}) for codepoint in codepoints})
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

    assert not judged.figures["uncertainty_known"]

    known = {f"u{codepoint:X}": 0.1 for codepoint in codepoints} | {f"u{codepoints[9]:X}": 0.5}
    unsure = gate_folder(
        _write(tmp_path / "sure", codepoints, targets, **known), reference, truth, settings=GateSettings()
    )
    assert unsure.figures["uncertainty_known"]
    assert "5.0 times as much" in unsure.suspects[codepoints[9]]
    assert sum("unsure" in why for why in unsure.suspects.values()) == 1

    few = gate_folder(_write(tmp_path / "few", codepoints[5:8], damaged[5:8]), reference, settings=GateSettings())
    assert few.figures["basis"] == "fixed rule"
    assert codepoints[5] in few.suspects
