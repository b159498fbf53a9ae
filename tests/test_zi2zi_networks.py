"""The networks: sizes of record, shapes, gradients, known values."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from skimage.metrics import structural_similarity

from fontgen.errors import RecipeError
from fontgen.zi2zi.attention import SelfAttention
from fontgen.zi2zi.blocks import count_parameters
from fontgen.zi2zi.data import Sampler, to_ink8, to_network
from fontgen.zi2zi.device import resolve_device
from fontgen.zi2zi.discriminator import Discriminator
from fontgen.zi2zi.figures import fidelity, ssim
from fontgen.zi2zi.generator import Generator
from fontgen.zi2zi.loss_settings import BalanceSettings
from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.settings import TrainSettings

SMALL = NetworkSettings(ngf=8, ndf=8, embedding_num=3, embedding_dim=4, max_channels=16)


def test_generator_of_record_has_the_published_size() -> None:
    with torch.device("meta"):
        plain = count_parameters(Generator(NetworkSettings(), 384))
        attentive = count_parameters(Generator(NetworkSettings(attention=(12, 24)), 384))
    assert round(plain / 1e6, 3) == 52.218
    assert round(attentive / 1e6, 3) == 52.875


def test_discriminator_of_record_has_the_published_size() -> None:
    with torch.device("meta"):
        discriminator = Discriminator(NetworkSettings(), 384)
    assert round(count_parameters(discriminator) / 1e6, 3) == 4.412


@pytest.mark.parametrize(("size_px", "downs"), [(128, 5), (256, 8), (384, 7), (512, 8), (192, 6), (160, 5)])
def test_levels_follow_the_canvas(size_px: int, downs: int) -> None:
    assert NetworkSettings().downs_for(size_px) == downs


@pytest.mark.parametrize("size_px", [128, 256, 384, 512])
@pytest.mark.parametrize("ngf", [8, 16, 24])
def test_generator_draws_at_every_size(size_px: int, ngf: int) -> None:
    settings = SMALL.model_copy(update={"ngf": ngf, "max_channels": 2 * ngf})
    image = Generator(settings, size_px)(torch.zeros(1, 1, size_px, size_px), torch.tensor([2]))
    assert image.shape == (1, 1, size_px, size_px)
    assert image.abs().max() <= 1


@pytest.mark.parametrize(
    "change",
    [
        {"skip": "concat"},
        {"norm": "batch"},
        {"norm": "group", "discriminator_norm": "group"},
        {"norm": "none", "discriminator_norm": "none"},
        {"attention": (8, 16)},
        {"source_residual": 1.0},
        {"spectral_norm": True},
    ],
    ids=str,
)
def test_gradients_reach_every_parameter(change: dict[str, object]) -> None:
    torch.manual_seed(0)
    settings = SMALL.model_copy(update={"dropout": 0.0, **change})
    generator, discriminator = Generator(settings, 64), Discriminator(settings, 64)
    for module in generator.modules():
        if isinstance(module, SelfAttention):
            torch.nn.init.ones_(module.gamma)  # at its initial 0 the layers behind it rest
    source, style = torch.randn(2, 1, 64, 64), torch.tensor([0, 1])
    verdict = discriminator(source, generator(source, style))
    (verdict.truth_B1.sum() + verdict.style_BS.square().sum()).backward()
    # A bias before a normalisation over the whole map is taken out again by it: no gradient is right there.
    for network in (generator, discriminator):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
            if "bias" not in name and name != "embedding.weight":
                assert parameter.grad.abs().max() > 0, name
    assert generator.embedding.weight.grad is not None
    assert (generator.embedding.weight.grad.abs().sum(1) > 0).tolist() == [True, True, False]


def test_style_changes_the_drawing_and_the_encoder_ignores_it() -> None:
    torch.manual_seed(0)
    generator = Generator(SMALL, 64).eval()
    source = torch.randn(1, 1, 64, 64)
    first, encoding = generator.draw(source, torch.tensor([0]))
    second, _ = generator.draw(source, torch.tensor([1]))
    assert not torch.equal(first, second)
    assert torch.equal(generator.encoder(source).deepest_BCHW, encoding.deepest_BCHW)


def test_source_residual_starts_near_the_source() -> None:
    torch.manual_seed(0)
    source = torch.ones(1, 1, 64, 64)
    source[:, :, 20:40, 20:40] = -1
    drawn = Generator(SMALL.model_copy(update={"source_residual": 3.0}), 64).eval()(source, torch.tensor([0]))
    assert (torch.sign(drawn) == source).float().mean() > 0.99


def test_attention_starts_as_the_identity() -> None:
    x = torch.randn(2, 16, 5, 5)
    assert torch.equal(SelfAttention(16)(x), x)


def test_attention_is_softmax_of_query_and_key() -> None:
    torch.manual_seed(0)
    layer, x = SelfAttention(16), torch.randn(1, 16, 3, 4)
    torch.nn.init.ones_(layer.gamma)
    query, key, value = (part(x).flatten(2)[0] for part in (layer.query, layer.key, layer.value))
    weights = torch.softmax(query.T @ key / math.sqrt(2), 1)
    expected = x + (value @ weights.T).reshape(x.shape)
    torch.testing.assert_close(layer(x), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "size_px", "message"),
    [
        (NetworkSettings(num_downs=3), 100, "canvas of 100 px and num_downs 3 .* must be a multiple of 8 px"),
        (NetworkSettings(), 130, "must be a multiple of 4 px"),
        (NetworkSettings(num_downs=8), 384, "must be a multiple of 256 px"),
        (NetworkSettings(attention=(20,)), 384, r"attention at 20 px: .*\[192, 96, 48, 24, 12, 6, 3\]"),
    ],
)
def test_settings_that_do_not_fit_the_canvas(settings: NetworkSettings, size_px: int, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Generator(settings, size_px)


def test_unknown_and_wrong_settings_are_refused() -> None:
    with pytest.raises(ValidationError, match="ngff"):
        NetworkSettings.model_validate({"ngff": 3})
    with pytest.raises(ValidationError, match="must ascend"):
        BalanceSettings(schedule=((20, 0.1), (5, 0.3)))


def test_ssim_agrees_with_scikit_image() -> None:
    rng = np.random.default_rng(0)
    a = rng.random((48, 48), np.float32)
    b = np.clip(a + rng.normal(0, 0.1, a.shape), 0, 1).astype(np.float32)
    expected = structural_similarity(
        a, b, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    mine = ssim(torch.from_numpy(a)[None, None], torch.from_numpy(b)[None, None])
    assert mine.item() == pytest.approx(expected, abs=1e-4)


def test_fidelity_of_a_half_missing_square() -> None:
    truth, half = torch.zeros(1, 1, 32, 32), torch.zeros(1, 1, 32, 32)
    truth[..., 8:24, 8:24] = 1
    half[..., 8:16, 8:24] = 1
    figures = {name: value.item() for name, value in fidelity(half, truth).items()}
    assert figures["l1"] == pytest.approx(128 / 1024)
    assert figures["ink_l1"] == figures["iou"] == figures["soft_iou"] == pytest.approx(0.5)
    assert fidelity(truth, truth)["ssim"].item() == pytest.approx(1.0, abs=1e-5)


def test_ink_survives_the_network_range() -> None:
    ink8 = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    image = to_network(ink8)
    assert (image.min().item(), image.max().item()) == (-1.0, 1.0)
    assert image[0, 0, 0, 0] == 1.0, "background is +1"
    assert np.array_equal(to_ink8(image), ink8[:, 0].numpy())


def test_sampler_shows_every_pair_once_an_epoch_and_resumes() -> None:
    sampler = Sampler(7, seed=3)
    drawn = np.concatenate([sampler.take(4) for _ in range(7)])
    epochs = drawn.reshape(4, 7)
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs.tolist())
    assert not np.array_equal(epochs[0], epochs[1])
    other = Sampler(7, seed=3)
    other.position = 8
    assert np.array_equal(other.take(20), drawn[8:])


def test_total_steps_come_from_epochs_or_steps() -> None:
    assert TrainSettings(epochs=3, batch_size=4, accumulate=2).total_steps(20) == 8
    assert TrainSettings(steps=5).total_steps(20) == 5


def test_device_names() -> None:
    assert resolve_device("cpu").type == "cpu"
    with pytest.raises(RecipeError, match="choose auto, cpu or cuda"):
        resolve_device("gpu")


def test_cuda_is_asked_for_and_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto").type == "cpu"
    with pytest.raises(RecipeError, match=r"device 'cuda': .*choose --device cpu"):
        resolve_device("cuda")
