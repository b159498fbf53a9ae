"""What makes training fast leaves its result what it is."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import label
from tiny_pairs import SIZE_PX, TinyPairs, bar_pairs
from torch.nn import functional

from fontgen.zi2zi.augment import grown
from fontgen.zi2zi.data import PairBatches
from fontgen.zi2zi.generator import Generator
from fontgen.zi2zi.layout import lay_out
from fontgen.zi2zi.loss_settings import BalanceSettings, LossSettings
from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.norms import InstanceNorm
from fontgen.zi2zi.passes import Drawing
from fontgen.zi2zi.settings import TrainSettings
from fontgen.zi2zi.step import Networks
from fontgen.zi2zi.trainer import LATEST, METRICS, STATE, train

CPU = torch.device("cpu")
NETWORK = NetworkSettings(ngf=8, ndf=8, max_channels=16, num_downs=3, embedding_num=2, embedding_dim=4, dropout=0.3)
SETTINGS = TrainSettings(
    batch_size=4,
    steps=6,
    log_every=1,
    evaluate_every=6,
    losses=LossSettings(feature_matching=1.0),
    balance=BalanceSettings(r1=1.0, r1_every=2),
)


@pytest.fixture(scope="module")
def pairs() -> TinyPairs:
    return bar_pairs()


pytestmark = pytest.mark.usefixtures("one_thread")


def with_(**changes: Any) -> TrainSettings:
    return SETTINGS.model_copy(update=changes)


def after_steps(pairs: TinyPairs, settings: TrainSettings, steps: int = 2) -> tuple[Networks, list[dict[str, float]]]:
    """The networks after a few steps on the first pairs, and each step's figures."""
    torch.manual_seed(0)
    networks = Networks(NETWORK, settings, SIZE_PX, CPU)
    batch = PairBatches(pairs, settings, CPU).pick(np.arange(4))
    figures = []
    for step in range(steps):
        torch.manual_seed(step)
        figures.append(networks.update(step, [batch], 0.0)[0])
    return networks, figures


def assert_close_weights(one: Networks, other: Networks, atol: float) -> None:
    for name in ("generator", "discriminator", "mean"):
        for first, second in zip(getattr(one, name).parameters(), getattr(other, name).parameters(), strict=True):
            torch.testing.assert_close(first, second, atol=atol, rtol=0.0)


@pytest.mark.parametrize("kind", ["bce", "relativistic"])
def test_one_verdict_for_both_networks_gives_the_gradients_of_two(
    pairs: TinyPairs, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    losses = LossSettings(feature_matching=1.0, adversarial_kind=kind)
    settings = with_(losses=losses)
    once, figures_once = after_steps(pairs, settings, steps=1)
    monkeypatch.setattr(Networks, "_judges_once", False)
    twice, figures_twice = after_steps(pairs, settings, steps=1)
    for one, two in ((once.generator, twice.generator), (once.discriminator, twice.discriminator)):
        gradients = [(p.grad, q.grad) for p, q in zip(one.parameters(), two.parameters(), strict=True)]
        assert all(first is not None for first, _ in gradients)
        for first, second in gradients:
            torch.testing.assert_close(first, second, atol=1e-6, rtol=1e-4)
    assert figures_once[0] == pytest.approx(figures_twice[0], rel=1e-4)


def test_one_verdict_costs_one_forward_pass(pairs: TinyPairs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the discriminator: true and drawn; three where the backward pass cannot be shared."""
    settings = with_(losses=LossSettings(), balance=BalanceSettings())
    counts = []
    for once in (True, False):
        monkeypatch.setattr(Networks, "_judges_once", once)
        networks = Networks(NETWORK, settings, SIZE_PX, CPU)
        calls: list[None] = []
        networks.discriminator.register_forward_hook(lambda *_, calls=calls: calls.append(None))
        networks.update(0, [PairBatches(pairs, settings, CPU).pick(np.arange(4))], 0.0)
        counts.append(len(calls))
    assert counts == [2, 3]


def test_fused_optimizers_move_the_weights_as_plain_ones_do() -> None:
    both = []
    for fused in (True, False):
        torch.manual_seed(0)
        networks = Networks(NETWORK, with_(fused=fused, weight_decay_discriminator=0.1), SIZE_PX, CPU)
        for _ in range(3):
            for network in (networks.generator, networks.discriminator):
                for weight in network.parameters():
                    weight.grad = torch.empty_like(weight).copy_(torch.randn(weight.shape))
            networks.optimizer_g.step()
            networks.optimizer_d.step()
        both.append(networks)
    assert_close_weights(*both, atol=1e-7)


def test_gradients_and_restored_moments_have_the_layout_that_fused_kernels_take_for_granted(pairs: TinyPairs) -> None:
    networks, _ = after_steps(pairs, with_(), steps=1)
    fresh = Networks(NETWORK, SETTINGS, SIZE_PX, CPU)
    fresh.restore(
        {
            group: {name: value.contiguous() for name, value in named.items()}
            for group, named in networks.groups().items()
        },
        networks.balance.state(),
        "state",
    )
    for network, optimizer in ((networks.generator, fresh.optimizer_g), (networks.discriminator, fresh.optimizer_d)):
        for weight, moments in zip(network.parameters(), optimizer.state.values(), strict=True):
            assert weight.grad is not None
            assert weight.grad.stride() == weight.stride()
            assert all(m.stride() == weight.stride() for m in moments.values() if m.ndim)


def test_memory_layout_changes_nothing_but_speed(pairs: TinyPairs) -> None:
    last, _ = after_steps(pairs, with_(losses=LossSettings(), balance=BalanceSettings()), steps=1)
    first, _ = after_steps(pairs, with_(losses=LossSettings(), balance=BalanceSettings(), channels_last=False), steps=1)
    for one, other in zip(last.generator.parameters(), first.generator.parameters(), strict=True):
        assert one.grad is not None
        torch.testing.assert_close(one.grad, other.grad, atol=1e-4, rtol=1e-3)


def test_instance_norm_is_torchs_in_every_layout_and_type() -> None:
    x = torch.randn(2, 6, 5, 7, generator=torch.Generator().manual_seed(0))
    slope = torch.randn(2, 6, 5, 7, generator=torch.Generator().manual_seed(1))
    expected = x.clone().requires_grad_(True)
    functional.instance_norm(expected).backward(slope)
    assert expected.grad is not None
    norm = InstanceNorm(6)
    for layout in (torch.contiguous_format, torch.channels_last):
        given = x.clone().to(memory_format=layout).requires_grad_(True)
        normed = norm(given)
        normed.backward(slope.to(memory_format=layout))
        torch.testing.assert_close(normed, functional.instance_norm(x), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(given.grad, expected.grad, atol=1e-5, rtol=1e-4)
        with torch.inference_mode():
            half = norm(x.bfloat16().to(memory_format=layout))
        assert half.dtype == torch.bfloat16
        torch.testing.assert_close(half.float(), functional.instance_norm(x), atol=0.05, rtol=0.02)
    kept = norm(x.to(memory_format=torch.channels_last))
    assert kept.is_contiguous(memory_format=torch.channels_last), "no copy into another layout"


def test_instance_norm_in_place_has_torchs_gradients_of_both_orders() -> None:
    x = torch.randn(3, 4, 5, 6, generator=torch.Generator().manual_seed(0))
    slope = torch.randn(3, 4, 5, 6, generator=torch.Generator().manual_seed(1))

    def penalty(layout: torch.memory_format, normalise: Any) -> tuple[torch.Tensor, torch.Tensor]:
        given = x.to(memory_format=layout).requires_grad_(True)
        (first,) = torch.autograd.grad((normalise(given) * slope).sum(), given, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), given)
        return first.detach(), second

    own = penalty(torch.channels_last, InstanceNorm(4))
    torchs = penalty(torch.contiguous_format, functional.instance_norm)
    for one, other in zip(own, torchs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)
    assert own[1].abs().max() > 0.1, "a gradient of nothing would agree too"


@pytest.mark.parametrize("norm", ["instance", "group", "batch", "none"])
def test_source_and_target_encoded_together_are_as_encoded_apart(norm: str) -> None:
    torch.manual_seed(0)
    network = Generator(NETWORK.model_copy(update={"norm": norm, "dropout": 0.0}), SIZE_PX)
    source, target = torch.rand(2, 3, 1, SIZE_PX, SIZE_PX) * 2 - 1
    style = torch.tensor([0, 1, 0])
    fake, encoding, known = Drawing(network)(source, style, target)
    expected, own = network.draw(source, style)
    torch.testing.assert_close(fake, expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(encoding.deepest_BCHW, own.deepest_BCHW, atol=1e-5, rtol=1e-4)
    assert known is not None
    torch.testing.assert_close(known, network.encoder(target).deepest_BCHW, atol=1e-5, rtol=1e-4)


def test_small_maps_lie_contiguous_on_a_cpu_and_no_weight_is_lost() -> None:
    network = Generator(NETWORK, SIZE_PX)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    lay_out(network, CPU)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    widths = [SIZE_PX >> level for level in range(1, NETWORK.num_downs + 1)]
    assert [down.contiguous for down in network.downs] == [width <= 8 for width in widths]
    assert {True, False} == {down.contiguous for down in network.downs}
    for level in (*network.downs, *network.ups):
        channels_last = level.conv.weight.is_contiguous(memory_format=torch.channels_last)
        assert level.conv.weight.is_contiguous() if level.contiguous else channels_last


def test_compiled_networks_train_to_the_same_weights(pairs: TinyPairs) -> None:
    """Traced by the compiler's front end; R1 and its second derivative stay with the network itself."""
    eager, figures = after_steps(pairs, SETTINGS)
    compiled, compiled_figures = after_steps(pairs, with_(compile="aot_eager"))
    assert [step.keys() for step in figures] == [step.keys() for step in compiled_figures]
    assert "r1" in figures[0]
    for one, other in zip(figures, compiled_figures, strict=True):
        assert one == pytest.approx(other, rel=1e-3, abs=1e-5)
    assert compiled.groups()["generator"].keys() == eager.groups()["generator"].keys()
    # Adam's first steps have the size of the rate whatever the gradient, so signs of tiny ones decide.
    assert_close_weights(eager, compiled, atol=4 * SETTINGS.lr_generator)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_follows_the_full_one(pairs: TinyPairs, precision: str) -> None:
    _, full = after_steps(pairs, SETTINGS, steps=2)
    networks, half = after_steps(pairs, with_(precision=precision), steps=2)
    assert all(p.dtype == torch.float32 for p in networks.generator.parameters())
    for name in ("l1", "d_loss", "adversarial", "constancy", "gradient"):
        assert half[0][name] == pytest.approx(full[0][name], rel=0.1), name


def test_fp16_scales_losses_and_lowers_the_scale_after_an_overflow(pairs: TinyPairs) -> None:
    networks, _ = after_steps(pairs, with_(precision="fp16"), steps=1)
    before = [p.detach().clone() for p in networks.generator.parameters()]
    scaler = networks.precision.scaler
    assert scaler is not None
    scaler.update(3.0e38)
    batch = PairBatches(pairs, SETTINGS, CPU).pick(np.arange(4))
    figures, counted = networks.update(1, [batch], 0.0)
    assert not counted, "scaled gradients overflow, and the step is left out"
    assert np.isfinite(figures["l1"])
    assert scaler.get_scale() == pytest.approx(1.5e38)
    assert all(torch.equal(a, b) for a, b in zip(before, networks.generator.parameters(), strict=True))
    scaler.update(2.0**10)
    _, counted = networks.update(2, [batch], 0.0)
    assert counted


@pytest.mark.parametrize("changes", [{"precision": "fp16"}, {"precision": "bf16"}, {"fused": False}])
def test_resume_is_exact_in_every_precision(pairs: TinyPairs, tmp_path: Path, changes: dict[str, Any]) -> None:
    settings = with_(**changes)

    def stop(step: int, total: int, figures: dict[str, Any]) -> None:
        if step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    train(pairs, NETWORK, settings, folder=tmp_path / "whole", device="cpu")
    with pytest.raises(KeyboardInterrupt):
        train(pairs, NETWORK, settings, folder=tmp_path / "cut", device="cpu", on_progress=stop)
    train(pairs, NETWORK, settings, folder=tmp_path / "cut", device="cpu", resume=True)
    for name in (LATEST, STATE):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes()
    lines = [json.loads(line) for line in (tmp_path / "cut" / METRICS).read_text().splitlines()]
    assert lines[-2]["skipped_steps"] < 6


# Data


@pytest.mark.parametrize("accumulate", [1, 3])
def test_batches_are_the_same_wherever_the_pairs_lie(pairs: TinyPairs, accumulate: int) -> None:
    settings = with_(batch_size=3, augment_shift_em=0.02, augment_scale=0.05, augment_weight_em=0.02)
    resident = PairBatches(pairs, settings, CPU, mode="resident")
    streamed = PairBatches(pairs, settings, CPU, mode="streamed")
    assert PairBatches(pairs, settings, CPU).mode == "resident"
    for step in range(4):
        for _ in range(accumulate):
            first, second = (batches.next(np.random.default_rng(step)) for batches in (resident, streamed))
            assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
        assert resident.sampler.position == streamed.sampler.position == 3 * accumulate * (step + 1)
        held_out = resident.pick(resident.held_out), streamed.pick(streamed.held_out)
        assert all(torch.equal(a, b) for a, b in zip(*held_out, strict=True))
    streamed.sampler.position = 0
    assert torch.equal(
        streamed.next(np.random.default_rng(0)).source_B1HW,
        PairBatches(pairs, settings, CPU).next(np.random.default_rng(0)).source_B1HW,
    ), "a batch that was expected is not taken for another one"


def _bar(width: float) -> torch.Tensor:
    """An upright bar of a width in px, edges on the grey scale, 40 px high, in -1..1."""
    left, right = 32 - width / 2, 32 + width / 2
    places = np.arange(64)
    row = np.clip(np.minimum(places + 1, right) - np.maximum(places, left), 0, 1)
    ink = np.zeros((64, 64), np.float32)
    ink[12:52] = row
    return 1 - 2 * torch.from_numpy(ink)[None, None]


@pytest.mark.parametrize("edge_px", [-1.5, -0.4, 0.0, 0.3, 1.0, 1.7])
def test_strokes_grow_by_the_amount_asked_for(edge_px: float) -> None:
    """In the middle of an upright bar every row gains twice the amount; nothing else changes."""
    bar = _bar(10.0)
    ink = (1 - grown(bar, np.array([edge_px]))) / 2
    assert ink[0, 0, 20:44].sum(1).numpy() == pytest.approx(10.0 + 2 * edge_px, abs=1e-4)
    assert float(ink.min()) >= -1e-6
    assert float(ink.max()) <= 1 + 1e-6


def test_a_slanted_edge_moves_by_the_same_amount() -> None:
    rows, columns = np.mgrid[:64, :64]
    ink = np.clip(0.5 + (24 - np.abs(rows + columns - 63)) / 2**0.5, 0, 1).astype(np.float32)
    band = 1 - 2 * torch.from_numpy(ink)[None, None]
    # Across the band a pixel of its diagonal is sqrt(2) px long, and there are two edges.
    gain = float(((1 - grown(band, np.array([0.5]))) / 2 - (1 - band) / 2)[0, 0, 24:40].sum(1).mean())
    assert gain == pytest.approx(2 * 0.5 * 2**0.5, rel=0.1)


def test_stroke_weight_is_the_same_for_source_and_target_and_keeps_topology(pairs: TinyPairs) -> None:
    batches = PairBatches(pairs, with_(augment_weight_em=0.02), CPU)
    plain = batches.pick(np.arange(8))
    both = torch.cat([plain.source_B1HW, plain.source_B1HW], 1)
    changed = batches.augmentation(both, np.random.default_rng(0), slice(None), 8)
    assert torch.equal(changed[:, 0], changed[:, 1])
    assert not torch.equal(changed, both)
    ring = _bar(24.0)
    ring[:, :, 24:40, 28:36] = 1.0
    for edge_px in (-1.0, 1.0):
        _, count = label((grown(ring, np.array([edge_px])) < 0)[0, 0].numpy())
        _, holes = label((grown(ring, np.array([edge_px])) >= 0)[0, 0].numpy())
        assert (count, holes) == (1, 2), "one ring, its hole and the outside"
