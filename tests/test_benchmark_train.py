"""The benchmark of training: the reference mode learns, and the figures of every mode come out whole."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import train as benchmark  # noqa: E402
from benchmarks.published import PngPairs, PublishedTrainer, loader, png_pairs  # noqa: E402
from fontgen.zi2zi.data import PairBatches  # noqa: E402
from fontgen.zi2zi.network_settings import NetworkSettings  # noqa: E402
from fontgen.zi2zi.norms import InstanceNorm  # noqa: E402
from fontgen.zi2zi.settings import TrainSettings  # noqa: E402

NETWORK = NetworkSettings(ngf=4, ndf=4, max_channels=8, num_downs=3, embedding_num=2, embedding_dim=4, dropout=0.0)
CPU = torch.device("cpu")


def test_the_reference_mode_sees_the_same_images_and_learns() -> None:
    pairs = benchmark.MadePairs(32)
    pngs = png_pairs(pairs.source, pairs.target)
    own = PairBatches(pairs, TrainSettings(), CPU).pick(np.array([5]))
    _, source, target = PngPairs(pngs)[5]
    torch.testing.assert_close(source, own.source_B1HW[0])
    torch.testing.assert_close(target, own.target_B1HW[0])

    torch.manual_seed(0)
    trainer = PublishedTrainer(NETWORK, 32, CPU)
    calls: list[None] = []
    trainer.generator.downs[0].register_forward_hook(lambda *_: calls.append(None))
    assert not any(isinstance(m, InstanceNorm) for m in trainer.generator.modules())
    batch = next(iter(loader(pngs, 4)))
    figures = [trainer.step(batch) for _ in range(15)]
    assert len(calls) == 30, "two passes of the generator a step"
    assert figures[-1]["l1"] < 0.8 * figures[0]["l1"]
    assert trainer.draw(batch).shape == (4, 32, 32)


@pytest.mark.parametrize("mode", benchmark.MODES)
def test_every_mode_trains_what_a_turn_asks_for(mode: str) -> None:
    assert benchmark.training(mode, 2, 2, 32, 2, CPU)() == 4


def test_figures_are_written_and_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "train.json"
    given = ["--device", "cpu", "--size", "32", "--ngf", "2", "--batches", "2", "--quick", "--steps", "1"]
    benchmark.main([*given, "--tasks", "inference", "--json", str(output)])
    found = json.loads(output.read_text())["results"]
    assert {name: list(modes) for name, modes in found.items()} == {"inference 2": ["fp32", "reference"]}
    assert found["inference 2"]["reference"]["times_the_reference"] == 1.0
    for figures in found["inference 2"].values():
        assert figures["images_per_second"][0] > 0
        assert figures["peak_bytes"] > 1 << 26
    assert capsys.readouterr().out.count("reference") == 1
