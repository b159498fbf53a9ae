"""Training on tiny data: it learns, repeats itself, resumes, stops, and refuses what does not fit."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from tiny_pairs import SIZE_PX, TinyPairs, bar_pairs

from fontgen.errors import CheckpointError, ImageError, RecipeError, TrainingError
from fontgen.zi2zi.checkpoint import load_generator
from fontgen.zi2zi.data import Batch, PairBatches, to_network
from fontgen.zi2zi.generator import Generator
from fontgen.zi2zi.header import describe_checkpoint
from fontgen.zi2zi.infer import infer_images, shifts
from fontgen.zi2zi.loss_settings import BalanceSettings, LossSettings
from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.settings import TrainSettings
from fontgen.zi2zi.step import Networks
from fontgen.zi2zi.trainer import BEST, LATEST, METRICS, STATE, train

CPU = torch.device("cpu")
NETWORK = NetworkSettings(ngf=8, ndf=4, max_channels=16, num_downs=3, embedding_num=2, embedding_dim=4, dropout=0.3)
SETTINGS = TrainSettings(
    batch_size=4,
    steps=8,
    lr_generator=2e-3,
    lr_discriminator=5e-4,
    lr_schedule="cosine",
    augment_shift_em=0.02,
    augment_scale=0.05,
    log_every=2,
    evaluate_every=4,
    balance=BalanceSettings(d_every=2, instance_noise=0.1, r1=1.0, r1_every=2, label_smoothing=0.1),
    losses=LossSettings(feature_matching=1.0, edge=1.0, dice=1.0),
)


@pytest.fixture(scope="module")
def pairs() -> TinyPairs:
    return bar_pairs()


pytestmark = pytest.mark.usefixtures("one_thread")


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_file(path)


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


@pytest.fixture(scope="module")
def whole(pairs: TinyPairs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole")
    torch.manual_seed(99)
    before = torch.get_rng_state()
    train(pairs, NETWORK, SETTINGS, folder=folder, device="cpu", metadata={"placement": {"scale": 0.98}})
    assert torch.equal(torch.get_rng_state(), before), "training leaves the caller's random state alone"
    assert not torch.are_deterministic_algorithms_enabled()
    return folder


def test_pairs_are_learnt_by_heart(pairs: TinyPairs, tmp_path: Path) -> None:
    settings = TrainSettings(
        batch_size=8, steps=100, lr_generator=5e-3, lr_schedule="cosine", ema=0.9, log_every=20, evaluate_every=1000
    )
    network = NETWORK.model_copy(update={"dropout": 0.0, "skip": "concat", "source_residual": 1.0})
    result = train(pairs, network, settings, folder=tmp_path, device="cpu")
    source, target = (images[:8:2].astype(float) for images in (pairs.source, pairs.target))
    items = list(zip(pairs.codepoints.tolist()[:8:2], pairs.source[:8:2], strict=True))
    drawn = np.stack([drawn.ink8 for drawn in infer_images(result.checkpoint, items, style=0, device=CPU)])
    assert np.abs(drawn - target).mean() < 0.5 * np.abs(source - target).mean()
    losses = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()]
    assert losses[0]["d_loss"] > 0
    assert losses[-2]["l1"] < 0.6 * losses[0]["l1"]


def test_same_seed_same_bytes_other_seed_other_weights(pairs: TinyPairs, whole: Path, tmp_path: Path) -> None:
    metadata = {"placement": {"scale": 0.98}}
    train(pairs, NETWORK, SETTINGS, folder=tmp_path / "again", device="cpu", metadata=metadata)
    assert (tmp_path / "again" / LATEST).read_bytes() == (whole / LATEST).read_bytes()
    assert (tmp_path / "again" / BEST).read_bytes() == (whole / BEST).read_bytes()
    other = SETTINGS.model_copy(update={"seed": 2})
    train(pairs, NETWORK, other, folder=tmp_path / "other", device="cpu")
    first, second = weights(whole / LATEST), weights(tmp_path / "other" / LATEST)
    assert any(not torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("stop_at", [2, 6])
def test_resumed_run_equals_an_uninterrupted_one(pairs: TinyPairs, whole: Path, tmp_path: Path, stop_at: int) -> None:
    def interrupt(step: int, total: int, figures: dict[str, Any]) -> None:
        if step == stop_at:
            raise KeyboardInterrupt

    metadata = {"placement": {"scale": 0.98}}
    with pytest.raises(KeyboardInterrupt):
        train(pairs, NETWORK, SETTINGS, folder=tmp_path, device="cpu", on_progress=interrupt, metadata=metadata)
    assert describe_checkpoint(tmp_path / LATEST)["step"] == stop_at
    # A line of a step after the saved one, as a crash leaves it, and one cut short.
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"step": 7, "l1": 0.5}\n{"step": 8, "l')
    result = train(pairs, NETWORK, SETTINGS, folder=tmp_path, resume=True, device="cpu", metadata=metadata)
    assert result.step == 8
    for name in (LATEST, BEST, STATE):
        assert_same_weights(tmp_path / name, whole / name)
    assert (tmp_path / LATEST).read_bytes() == (whole / LATEST).read_bytes()

    def without_speed(folder: Path) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
        return [{name: value for name, value in line.items() if name != "images_per_second"} for line in lines]

    assert without_speed(tmp_path) == without_speed(whole)


def test_signal_saves_after_the_step_and_handlers_are_put_back(pairs: TinyPairs, whole: Path, tmp_path: Path) -> None:
    def kill(step: int, total: int, figures: dict[str, Any]) -> None:
        if step == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        train(pairs, NETWORK, SETTINGS, folder=tmp_path, device="cpu", on_progress=kill)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert describe_checkpoint(tmp_path / LATEST)["step"] == 4


def test_finished_run_is_not_trained_further(pairs: TinyPairs, whole: Path) -> None:
    before = {name: (whole / name).read_bytes() for name in (LATEST, BEST, STATE, METRICS)}
    result = train(pairs, NETWORK, SETTINGS, folder=whole, resume=True, device="cpu")
    assert result.step == 8
    assert result.checkpoint == whole / BEST
    assert {name: (whole / name).read_bytes() for name in before} == before


def test_metrics_name_losses_rates_and_balance(whole: Path) -> None:
    lines = [json.loads(line) for line in (whole / METRICS).read_text().splitlines()]
    steps = [line for line in lines if "l1" in line]
    assert [line["step"] for line in steps] == [2, 4, 6, 8]
    assert all("d_loss" in line for line in steps), "updated at every second step, never at a logged one"
    for name in ("l1", "constancy", "adversarial", "lambda_adv", "lr_generator", "lr_discriminator", "epoch"):
        assert all(line[name] is not None for line in steps), name
    held_out = [line for line in lines if "held_out" in line]
    assert [line["step"] for line in held_out] == [4, 8]
    assert set(held_out[0]["held_out"]) == {"l1", "ink_l1", "iou", "soft_iou", "ssim", "changed", "followed"}


def test_samples_are_the_held_out_glyphs(pairs: TinyPairs, tmp_path: Path) -> None:
    seen: list[tuple[int, NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]] = []
    settings = SETTINGS.model_copy(update={"steps": 4})
    train(pairs, NETWORK, settings, folder=tmp_path, device="cpu", on_sample=lambda *sample: seen.append(sample))
    ((step, source, generated, truth),) = seen
    assert step == 4
    assert np.array_equal(source, pairs.source[8:])
    assert np.array_equal(truth, pairs.target[8:])
    assert generated.shape == source.shape
    assert generated.dtype == np.uint8


def test_without_held_out_pairs_the_last_checkpoint_is_kept(pairs: TinyPairs, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"steps": 2})
    everything = replace(pairs, held_out=np.zeros(10, bool))
    result = train(everything, NETWORK, settings, folder=tmp_path, device="cpu")
    assert (result.checkpoint, result.figures) == (tmp_path / LATEST, {})
    assert not (tmp_path / BEST).exists()


def test_checkpoint_describes_itself(pairs: TinyPairs, whole: Path) -> None:
    described = describe_checkpoint(whole / LATEST)
    generator, header = load_generator(whole / LATEST, CPU)
    assert described["parameters"] == sum(p.numel() for p in generator.parameters())
    assert header.network == NETWORK
    assert header.canvas == pairs.canvas
    assert header.styles == pairs.styles
    assert header.metadata == {"placement": {"scale": 0.98}}
    assert (header.step, header.pairs) == (8, "tiny")
    assert set(header.versions) == {"fontgen", "python", "torch"}
    assert header.figures["iou"] > 0


def test_inference_does_not_depend_on_the_batch(pairs: TinyPairs, whole: Path) -> None:
    items = list(zip(pairs.codepoints.tolist(), pairs.source, strict=True))

    def drawn(chosen: list[tuple[int, NDArray[np.uint8]]]) -> dict[int, NDArray[np.uint8]]:
        drawings = infer_images(whole / LATEST, iter(chosen), style=1, device=CPU, batch_size=4)
        return {one.codepoint: one.ink8 for one in drawings}

    forward, backward, alone = drawn(items), drawn(items[::-1]), drawn(items[5:6])
    assert list(forward) == pairs.codepoints.tolist()
    assert all(np.array_equal(forward[c], backward[c]) for c in forward)
    assert np.array_equal(forward[0x4E05], alone[0x4E05])


def test_passes_average_shifted_drawings(pairs: TinyPairs, whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = list(zip(pairs.codepoints.tolist(), pairs.source, strict=True))
    monkeypatch.setattr(Generator, "decoder", lambda self, encoding, style, source: source)
    drawn = list(infer_images(whole / LATEST, items, device=CPU, passes=5))
    for one, (codepoint, ink8) in zip(drawn, items, strict=True):
        assert one.codepoint == codepoint
        assert np.array_equal(one.ink8, ink8), "every shift is undone"
        assert one.uncertainty == pytest.approx(0, abs=1e-4)
    assert shifts(5, 128) == [(0, 0), (3, 3), (-3, -3), (3, -3), (-3, 3)]
    with pytest.raises(RecipeError, match="10 passes: choose from 1 to 9"):
        shifts(10, 128)


def test_uncertainty_is_the_ink_that_moves(pairs: TinyPairs, whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decoder that ignores where the source lies draws every shifted glyph in another place."""
    items = [(0x4E00, pairs.source[0]), (0x4E01, np.zeros_like(pairs.source[0]))]
    bar_HW = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
    bar_HW[10:20, 10:20] = 255
    still = to_network(torch.from_numpy(bar_HW))[None, None]
    monkeypatch.setattr(Generator, "decoder", lambda self, encoding, style, source: still.expand_as(source))
    drawn = list(infer_images(whole / LATEST, items, device=CPU, passes=3))
    shifted = np.stack([np.roll(bar_HW / 255, (-row, -col), (0, 1)) for row, col in shifts(3, SIZE_PX)])
    apart = np.sqrt(2)  # two axes, along each of which the places 0, 1 and -1 have the variance 1
    expected = shifted.std(0, ddof=1).sum() / shifted.mean(0).sum() / apart
    assert expected > 0.1
    assert [one.uncertainty for one in drawn] == pytest.approx([expected, expected], rel=1e-5)
    assert [one.uncertainty for one in infer_images(whole / LATEST, items, device=CPU)] == [None, None]


def test_inference_refuses_other_sizes_and_styles(pairs: TinyPairs, whole: Path) -> None:
    with pytest.raises(ImageError, match=r"U\+4E00: source image of 16x16 px, .*--canvas-size 32"):
        list(infer_images(whole / LATEST, [(0x4E00, np.zeros((16, 16), np.uint8))], device=CPU))
    with pytest.raises(RecipeError, match=r"no style '2'; there are 0 \(thick\), 1 \(thicker\)"):
        list(infer_images(whole / LATEST, [], style=2, device=CPU))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def _text(path: Path) -> None:
    path.write_text("not a checkpoint at all")


def _foreign(path: Path) -> None:
    save_file({"weight": torch.zeros(3)}, path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [(_cut, "damaged, cut short"), (_text, "damaged, cut short"), (_foreign, "not a checkpoint of fontgen")],
)
def test_damaged_and_foreign_checkpoints(
    pairs: TinyPairs, whole: Path, tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    for name in (LATEST, STATE):
        (tmp_path / name).write_bytes((whole / name).read_bytes())
        damage(tmp_path / name)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_generator(tmp_path / LATEST, CPU)
    assert str(caught.value).startswith(str(tmp_path / LATEST))
    assert "\n" not in str(caught.value)
    with pytest.raises(CheckpointError, match=message):
        train(pairs, NETWORK, SETTINGS, folder=tmp_path, resume=True, device="cpu")


def test_missing_checkpoint_and_trainer_state_as_checkpoint(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        describe_checkpoint(tmp_path / "none.safetensors")
    with pytest.raises(CheckpointError, match="not that of a generator"):
        describe_checkpoint(whole / STATE)


def test_resume_refuses_another_network_and_other_pairs(pairs: TinyPairs, whole: Path) -> None:
    wider = NETWORK.model_copy(update={"ngf": 12})
    with pytest.raises(CheckpointError, match="was trained with another network; restore the recipe"):
        train(pairs, wider, SETTINGS, folder=whole, resume=True, device="cpu")
    with pytest.raises(CheckpointError, match="another set of pairs"):
        train(replace(pairs, fingerprint="other"), NETWORK, SETTINGS, folder=whole, resume=True, device="cpu")
    moved = replace(pairs.canvas, margin_em=0.125)
    with pytest.raises(CheckpointError, match="another canvas"):
        train(replace(pairs, canvas=moved), NETWORK, SETTINGS, folder=whole, resume=True, device="cpu")


def test_what_cannot_be_trained_is_refused(pairs: TinyPairs, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no pairs to train on"):
        train(replace(pairs, held_out=np.ones(10, bool)), NETWORK, SETTINGS, folder=tmp_path, device="cpu")
    with pytest.raises(TrainingError, match=r"3 styles, .*room for 2; raise embedding_num"):
        train(replace(pairs, styles=["a", "b", "c"]), NETWORK, SETTINGS, folder=tmp_path, device="cpu")
    outside = replace(pairs, style_index=np.array([0, 2] * 5, np.int32))
    with pytest.raises(TrainingError, match=r"style index 2 in the pairs, .*room for 2; raise embedding_num"):
        train(outside, NETWORK, SETTINGS, folder=tmp_path, device="cpu")
    deep = NETWORK.model_copy(update={"num_downs": 6})
    with pytest.raises(RecipeError, match="multiple of 64 px"):
        train(pairs, deep, SETTINGS, folder=tmp_path, device="cpu")


def test_losses_that_are_not_finite_never_reach_the_weights(
    pairs: TinyPairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = PairBatches.next
    calls = 0

    def poisoned(self: PairBatches, rng: np.random.Generator) -> Batch:
        nonlocal calls
        calls += 1
        batch = real(self, rng)
        return batch._replace(source_B1HW=batch.source_B1HW * float("nan")) if calls in bad else batch

    monkeypatch.setattr(PairBatches, "next", poisoned)
    bad = {3, 5}
    result = train(pairs, NETWORK, SETTINGS, folder=tmp_path, device="cpu")
    assert result.skipped_steps == 2
    assert all(torch.isfinite(tensor).all() for tensor in weights(tmp_path / STATE).values())
    calls, bad = 0, set(range(5, 100))
    settings = SETTINGS.model_copy(update={"max_bad_steps": 3})
    with pytest.raises(TrainingError, match=r"not finite for 3 steps in a row \(up to step 7\); lower lr_generator"):
        train(pairs, NETWORK, settings, folder=tmp_path, device="cpu")
    assert describe_checkpoint(tmp_path / LATEST)["step"] == 4


def test_accumulated_gradients_equal_the_large_batch(pairs: TinyPairs) -> None:
    network = NETWORK.model_copy(update={"dropout": 0.0})
    losses = LossSettings(constancy_kind="spatial", feature_matching=1.0)
    gradients = []
    for batch_size, accumulate in ((8, 1), (2, 4)):
        settings = TrainSettings(batch_size=batch_size, accumulate=accumulate, losses=losses)
        torch.manual_seed(0)
        networks = Networks(network, settings, SIZE_PX, CPU)
        everything = PairBatches(pairs, settings, CPU)
        batches = [everything.pick(np.arange(i, i + batch_size)) for i in range(0, 8, batch_size)]
        _, counted = networks.update(0, batches, 0.0)
        assert counted
        both = [*networks.generator.parameters(), *networks.discriminator.parameters()]
        gradients.append([p.grad.clone() for p in both if p.grad is not None])
    assert len(gradients[0]) == len(gradients[1])
    for large, small in zip(*gradients, strict=True):
        torch.testing.assert_close(small, large, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", ["bce", "hinge", "lsgan", "relativistic"])
def test_adversary_off_costs_no_figures_and_every_kind_trains(pairs: TinyPairs, kind: str) -> None:
    losses = LossSettings(adversarial_kind=kind, constancy=0.0)
    on = TrainSettings(losses=losses, balance=BalanceSettings(d_start=1), clip_gradient=1.0)
    networks = Networks(NETWORK, on, SIZE_PX, CPU)
    batch = PairBatches(pairs, on, CPU).pick(np.arange(4))
    first, _ = networks.update(0, [batch], 0.0)
    assert set(first) == {"l1", "gradient"}
    before = [p.detach().clone() for p in networks.discriminator.parameters()]
    second, counted = networks.update(1, [batch], 0.0)
    assert counted
    assert {"adversarial", "category", "d_loss", "d_category"} <= set(second)
    assert any(not torch.equal(a, b) for a, b in zip(before, networks.discriminator.parameters(), strict=True))


def test_augmentation_moves_source_and_target_together(pairs: TinyPairs) -> None:
    settings = SETTINGS.model_copy(update={"augment_shift_em": 0.1, "augment_scale": 0.1})
    same = replace(pairs, target=pairs.source)
    batch = PairBatches(same, settings, CPU).next(np.random.default_rng(0))
    assert torch.equal(batch.source_B1HW, batch.target_B1HW)
    plain = PairBatches(same, settings.model_copy(update={"augment_shift_em": 0.0, "augment_scale": 0.0}), CPU)
    untouched = plain.next(np.random.default_rng(0))
    assert not torch.equal(batch.source_B1HW, untouched.source_B1HW)
    assert batch.source_B1HW.abs().max() <= 1
    # Background outside the canvas stays background, and ink keeps its amount but for the scale.
    ink, plain_ink = ((1 - image).sum((1, 2, 3)) for image in (batch.source_B1HW, untouched.source_B1HW))
    assert ((ink / plain_ink - 1).abs() < 0.25).all()


def test_a_shift_of_known_size_moves_the_ink_by_as_much(pairs: TinyPairs) -> None:
    settings = SETTINGS.model_copy(update={"augment_shift_em": 0.1, "augment_scale": 0.0})
    batches = PairBatches(pairs, settings, CPU)

    class AllTheWay:
        def uniform(self, low: float, high: float, size: object) -> NDArray[np.float64]:
            return np.ones(size)

    plain = batches.pick(np.arange(8))
    both = torch.cat([plain.source_B1HW, plain.target_B1HW], 1)
    moved = 1 - batches.augmentation(both, AllTheWay(), slice(None), 8)[:, :1]  # type: ignore[arg-type]

    def centre(ink: torch.Tensor, axis: int) -> torch.Tensor:
        places = torch.arange(SIZE_PX, dtype=torch.float32).reshape((-1, 1) if axis == 2 else (1, -1))
        return (ink * places).sum((1, 2, 3)) / ink.sum((1, 2, 3))

    expected = -0.1 * pairs.canvas.px_per_em
    for axis in (2, 3):
        shift = centre(moved, axis) - centre(1 - plain.source_B1HW, axis)
        torch.testing.assert_close(shift, torch.full_like(shift, expected), atol=1e-3, rtol=0)
