"""Every option of the networks: shapes, gradients, files, and what each is for."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from fontgen.canvas import Canvas
from fontgen.errors import RecipeError
from fontgen.zi2zi.attention import AttentionStack, SelfAttention, attend
from fontgen.zi2zi.blocks import Join
from fontgen.zi2zi.checkpoint import load_generator, save_generator
from fontgen.zi2zi.data import Batch
from fontgen.zi2zi.discriminator import Discriminator
from fontgen.zi2zi.generator import Generator
from fontgen.zi2zi.header import CheckpointHeader
from fontgen.zi2zi.layout import lay_out
from fontgen.zi2zi.loss_settings import BalanceSettings
from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.settings import TrainSettings
from fontgen.zi2zi.step import Networks

SMALL = NetworkSettings(ngf=8, ndf=8, embedding_num=3, embedding_dim=4, max_channels=16, num_downs=4, dropout=0.0)

OPTIONS: list[dict[str, Any]] = [
    {"skip_conv": (4, 16)},
    {"skip": "concat", "skip_conv": (4, 16)},
    {"skip_conv": (8,), "norm": "group"},
    {"skip_conv": (8,), "skip_dropout": (4, 8), "skip_dropout_rate": 0.3},
    {"skip_remove": (4, 8)},
    {"skip": "concat", "skip_remove": (4,), "skip_dropout": (16,)},
    {"attention_up": (4, 8)},
    {"attention": (8,), "attention_layers": 3},
    {"attention": (8,), "attention_up": (8,), "attention_layers": 2, "attention_residual": False},
    {"upsampling": "transposed"},
    {"upsampling": "upsample", "norm": "batch"},
    {"spectral_norm": True, "spectral_norm_generator": True, "attention": (8,)},
    {"spectral_norm_generator": True, "upsampling": "transposed", "skip": "concat", "skip_conv": (8,)},
    {"image_channels": 3, "source_residual": 1.0},
]


def _images(size_px: int = 32, count: int = 2) -> tuple[Tensor, Tensor]:
    return torch.randn(count, 1, size_px, size_px), torch.arange(count) % 3


def _generator(change: dict[str, Any], size_px: int = 32, **flags: Any) -> Generator:
    torch.manual_seed(0)
    return Generator(SMALL.model_copy(update=change), size_px, **flags)


def _wake(network: nn.Module) -> nn.Module:
    """Attention starts as the identity; here it is to be seen."""
    for module in network.modules():
        if isinstance(module, SelfAttention):
            nn.init.constant_(module.gamma, 0.7)
    return network


@pytest.mark.parametrize("change", OPTIONS, ids=str)
def test_gradients_reach_every_parameter_of_every_option(change: dict[str, Any]) -> None:
    generator = _generator(change)
    discriminator = Discriminator(generator.settings, 32)
    _wake(generator)
    source, style = _images()
    image = generator(source, style)
    assert image.shape == source.shape
    verdict = discriminator(source, image)
    (verdict.truth_B1.sum() + verdict.style_BS.square().sum()).backward()
    for network in (generator, discriminator):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
            if "bias" not in name:
                assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("size_px", [128, 256, 384, 512])
@pytest.mark.parametrize(
    "change",
    [
        {"upsampling": "transposed", "skip": "concat", "skip_conv": (32,)},
        {"upsampling": "upsample", "attention": (16,), "attention_layers": 2},
        {"skip_remove": (16,), "skip_dropout": (64,), "spectral_norm_generator": True},
    ],
    ids=str,
)
def test_options_draw_at_every_size(size_px: int, change: dict[str, Any]) -> None:
    if size_px == 384:  # its maps are 192, 96, 48 ... px wide
        change = {key: tuple(3 * px // 2 for px in value) if isinstance(value, tuple) else value
                  for key, value in change.items()}  # fmt: skip
    generator = _generator({"ngf": 4, "max_channels": 8, "num_downs": None, **change}, size_px).eval()
    with torch.inference_mode():
        image = generator(torch.zeros(1, 1, size_px, size_px), torch.tensor([2]))
    assert image.shape == (1, 1, size_px, size_px)


@pytest.mark.parametrize("change", OPTIONS, ids=str)
def test_every_option_survives_its_file(change: dict[str, Any], tmp_path: Path) -> None:
    generator = _generator(change)
    _wake(generator)
    source, style = _images()
    generator(source, style)  # moves running statistics and power iterations
    header = CheckpointHeader(
        network=generator.settings, canvas=Canvas(size_px=32), styles=["a", "b", "c"], step=1, pairs=""
    )
    save_generator(tmp_path / "g.safetensors", generator, header)
    loaded, described = load_generator(tmp_path / "g.safetensors", "cpu")
    assert described.network == generator.settings
    with torch.inference_mode():
        assert torch.equal(loaded(source, style), generator.eval()(source, style))


@pytest.mark.parametrize("change", [{}, *OPTIONS], ids=str)
def test_recomputed_activations_give_the_same_gradients(change: dict[str, Any]) -> None:
    change = {**change, "dropout": 0.5}
    kept = _generator(change)
    again = copy.deepcopy(kept)
    again.checkpoint_activations = True
    source, style = _images()
    drawn = []
    for network in (kept, again):
        _wake(network)
        torch.manual_seed(7)
        image, encoding = network.draw(source, style)
        # The encoder runs a second time before the backward pass, as in training.
        known = network.encoder(-source).deepest_BCHW
        (image.square().mean() + (encoding.deepest_BCHW - known).abs().mean()).backward()
        drawn.append(image)
    assert torch.equal(*drawn)
    for (name, one), other in zip(kept.named_parameters(), again.parameters(), strict=True):
        assert one.grad is not None
        assert other.grad is not None
        assert torch.equal(one.grad, other.grad), name
    for (name, one), other in zip(kept.state_dict().items(), again.state_dict().values(), strict=True):
        assert torch.equal(one, other), name


def test_recomputed_activations_keep_less() -> None:
    def kept_bytes(generator: Generator) -> int:
        weights = {p.untyped_storage().data_ptr() for p in generator.parameters()}
        kept: dict[int, int] = {}

        def note(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in weights:
                kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            image = generator(*_images())
        assert image.requires_grad
        return sum(kept.values())

    assert kept_bytes(_generator({}, checkpoint_activations=True)) < 0.7 * kept_bytes(_generator({}))


def test_skips_are_weakened_or_gone() -> None:
    skip, below = torch.randn(2, 6, 8, 8), torch.randn(2, 6, 8, 8)

    def join(**change: Any) -> Join:
        return Join(6, SMALL.model_copy(update=change), 8)

    assert torch.equal(join()(below, skip), below + skip)
    assert torch.equal(join(skip="concat")(below, skip), torch.cat([skip, below], 1))
    assert torch.equal(join(skip_remove=(8,))(below, skip), below)
    assert torch.equal(join(skip="concat", skip_remove=(8,))(below, skip), below)
    assert torch.equal(join(skip_remove=(16,), skip_conv=(16,))(below, skip), below + skip), "another map's"
    dropping = join(skip_dropout=(8,), skip_dropout_rate=0.25)
    passed = dropping(torch.zeros_like(below), torch.ones_like(skip))
    assert passed.unique().tolist() == [0.0, pytest.approx(4 / 3)]
    assert torch.equal(dropping.eval()(below, skip), below + skip)
    weakened = join(skip_conv=(8,))(torch.zeros_like(below), skip)
    torch.testing.assert_close(weakened.mean((2, 3)), torch.zeros(2, 6), atol=1e-5, rtol=0)


def test_no_skips_leave_nothing_but_the_bottleneck() -> None:
    widths = (4, 8, 16)
    generator = _generator({"skip_remove": widths}).eval()
    encoding = generator.encoder(_images()[0])
    style = generator.embedding(torch.tensor([0, 1]))
    first = generator.decoder(encoding, style, _images()[0])
    encoding.skips = [torch.randn_like(skip) for skip in encoding.skips]
    assert torch.equal(first, generator.decoder(encoding, style, _images()[0]))


def test_large_maps_attend_as_small_ones_do() -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(2, 1089, 2), torch.randn(2, 1089, 2), torch.randn(2, 1089, 16)
    plain = torch.softmax(query @ key.transpose(1, 2) / math.sqrt(2), 2) @ value
    torch.testing.assert_close(attend(query, key, value), plain, atol=1e-5, rtol=1e-5)


def test_large_maps_hold_no_scores() -> None:
    layer, x = SelfAttention(64), torch.randn(1, 64, 40, 40, requires_grad=True)
    largest = 0

    def note(tensor: Tensor) -> Tensor:
        nonlocal largest
        largest = max(largest, tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        layer(x)
    assert largest == x.numel() < 1600 * 1600


def test_stack_adds_the_scores_of_the_layer_before() -> None:
    torch.manual_seed(0)
    stack, x = AttentionStack(16, 3, residual=True), torch.randn(2, 16, 3, 4)
    assert torch.equal(stack(x), x), "gamma starts at 0"
    _wake(stack)
    expected, scores = x, torch.zeros(2, 12, 12)
    for layer in stack.layers:
        assert isinstance(layer, SelfAttention)
        query, key, value = layer.parts(expected)
        scores = scores + query @ key.transpose(1, 2) / math.sqrt(2)
        seen = torch.softmax(scores, 2) @ value
        expected = expected + layer.gamma * seen.transpose(1, 2).reshape(x.shape)
    torch.testing.assert_close(stack(x), expected, atol=1e-5, rtol=1e-5)
    stack.residual = False
    plain = x
    for layer in stack.layers:
        plain = layer(plain)
    assert torch.equal(stack(x), plain)
    assert not torch.allclose(plain, expected)


def test_spectral_norm_bounds_every_layer_of_the_generator() -> None:
    generator = _generator({"spectral_norm_generator": True, "upsampling": "transposed", "attention": (8,)})
    source, style = _images(count=1)
    for _ in range(30):
        generator(source, style)
    generator.eval()
    layers = [module for module in generator.modules() if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)]
    assert len(layers) == 4 + 4 + 3
    for layer in layers:
        weight = layer.weight.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else layer.weight
        assert torch.linalg.matrix_norm(weight.flatten(1), ord=2).item() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(
    "change",
    [{"spectral_norm_generator": True, "spectral_norm": True}, {"norm": "batch", "attention_layers": 2}],
    ids=str,
)
@pytest.mark.parametrize("checkpoint_activations", [False, True])
def test_a_step_follows_saves_and_loads(change: dict[str, Any], checkpoint_activations: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    settings = SMALL.model_copy(update={**change, "attention": (8,), "dropout": 0.5})
    training = TrainSettings(
        batch_size=2, ema=0.5, checkpoint_activations=checkpoint_activations, balance=BalanceSettings(d_start=0)
    )
    networks = Networks(settings, training, 32, torch.device("cpu"))
    source, style = _images()
    before = [p.clone() for p in networks.mean.parameters()]
    for step in range(2):
        _, counted = networks.update(step, [Batch(source, -source, style)], 0.0)
        assert counted
    assert any(not torch.equal(was, now) for was, now in zip(before, networks.mean.parameters(), strict=True))
    header = CheckpointHeader(network=settings, canvas=Canvas(size_px=32), styles=["a"], step=2, pairs="")
    save_generator(tmp_path / "mean.safetensors", networks.mean, header)
    loaded, _ = load_generator(tmp_path / "mean.safetensors", "cpu")
    with torch.inference_mode():
        drawn = networks.mean(source, style)
        assert torch.isfinite(drawn).all()
        lay_out(loaded, torch.device("cpu"))
        assert torch.equal(loaded(source, style), drawn)


def test_activation_checkpointing_changes_no_weight_of_a_training() -> None:
    weights = []
    for flag in (False, True):
        torch.manual_seed(0)
        settings = SMALL.model_copy(update={"dropout": 0.5, "spectral_norm_generator": True, "norm": "batch"})
        networks = Networks(settings, TrainSettings(checkpoint_activations=flag), 32, torch.device("cpu"))
        source, style = _images()
        for step in range(2):
            networks.update(step, [Batch(source, -source, style)], 0.0)
        weights.append(networks.generator.state_dict())
    for name, tensor in weights[0].items():
        assert torch.equal(tensor, weights[1][name]), name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"skip_conv": (5,)},
            r"skip_conv at 5 px: a canvas of 32 px has maps above the deepest of \[16, 8, 4\] px",
        ),
        ({"skip_remove": (2,)}, r"skip_remove at 2 px: .* choose from these"),
        ({"attention_up": (2,)}, "attention_up at 2 px"),
        ({"skip_remove": (8,), "skip_dropout": (8,)}, "skip_remove at 8 px: that skip is to be weakened as well"),
    ],
)
def test_options_that_do_not_fit(change: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        _generator(change)


def test_recomputation_and_compilation_do_not_go_together() -> None:
    with pytest.raises(ValidationError, match='checkpoint_activations needs compile = "off"'):
        TrainSettings(checkpoint_activations=True, compile="aot_eager")


def test_residual_scores_of_a_large_map_are_refused() -> None:
    settings = NetworkSettings(attention=(96,), attention_layers=2)
    with pytest.raises(RecipeError, match=r"attention at 96 px in 2 layers .* would hold 324 MiB .* at 64 px or less"):
        settings.downs_for(384)
    assert settings.model_copy(update={"attention_residual": False}).downs_for(384) == 7


@pytest.mark.parametrize("change", OPTIONS, ids=str)
def test_options_in_half_precision(change: dict[str, Any]) -> None:
    generator = _generator(change)
    _wake(generator)
    source, style = _images()
    exact = generator(source, style).detach()
    gradients = []
    for generator.checkpoint_activations in (False, True):
        generator.zero_grad()
        torch.manual_seed(1)
        with torch.autocast("cpu", torch.bfloat16):
            image = generator(source, style)
        image.float().square().mean().backward()
        assert image.shape == exact.shape
        gradients.append([parameter.grad for parameter in generator.parameters()])
    for one, other in zip(*gradients, strict=True):
        assert torch.isfinite(one).all()
        if not change.get("spectral_norm_generator"):  # its vectors move from pass to pass
            assert torch.equal(one, other)
