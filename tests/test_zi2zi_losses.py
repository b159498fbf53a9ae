"""The losses and their balance: known values, published formulas, and what each switch does."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from tiny_pairs import SIZE_PX, bar_pairs
from torchvision.models.vgg import cfgs, make_layers

from fontgen.errors import CheckpointError, FontgenError
from fontgen.recipe import load_recipe
from fontgen.zi2zi import losses
from fontgen.zi2zi.balance import Balance
from fontgen.zi2zi.data import Batch, PairBatches
from fontgen.zi2zi.loss_settings import BalanceSettings, LossSettings
from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.perceptual import Perceptual, find_weights
from fontgen.zi2zi.settings import TrainSettings
from fontgen.zi2zi.step import Networks
from fontgen.zi2zi.trainer import LATEST, train

CPU = torch.device("cpu")
NETWORK = NetworkSettings(ngf=4, ndf=4, max_channels=8, num_downs=3, embedding_num=2, embedding_dim=4, dropout=0.0)

# adversarial losses


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-x))


Formula = Callable[[NDArray[np.float64], NDArray[np.float64]], float]

FORMULAS: dict[str, tuple[Formula, Formula]] = {
    "bce": (
        lambda t, f: 0.5 * (-np.log(sigmoid(t)).mean() - np.log(1 - sigmoid(f)).mean()),
        lambda t, f: -np.log(sigmoid(f)).mean(),
    ),
    "hinge": (
        lambda t, f: 0.5 * (np.maximum(0, 1 - t).mean() + np.maximum(0, 1 + f).mean()),
        lambda t, f: -f.mean(),
    ),
    "lsgan": (
        lambda t, f: 0.5 * ((t - 1) ** 2).mean() + 0.5 * (f**2).mean(),
        lambda t, f: 0.5 * ((f - 1) ** 2).mean(),
    ),
    "relativistic": (
        lambda t, f: 0.5 * (-np.log(sigmoid(t - f.mean())).mean() - np.log(1 - sigmoid(f - t.mean())).mean()),
        lambda t, f: 0.5 * (-np.log(sigmoid(f - t.mean())).mean() - np.log(1 - sigmoid(t - f.mean())).mean()),
    ),
    "relativistic_pairing": (
        lambda t, f: np.log1p(np.exp(-(t - f))).mean(),
        lambda t, f: np.log1p(np.exp(-(f - t))).mean(),
    ),
}
"""The published formulas in numpy, of true and drawn logits: what the discriminator pays, what the generator pays."""


@pytest.mark.parametrize("kind", FORMULAS)
def test_adversarial_losses_are_the_published_formulas(kind: str) -> None:
    true, fake = np.random.default_rng(1).normal(0, 2, (2, 6, 1))
    of_discriminator, of_generator = FORMULAS[kind]
    t, f = torch.from_numpy(true), torch.from_numpy(fake)
    assert losses.discriminator_loss(kind, t, f).item() == pytest.approx(of_discriminator(true, fake), rel=1e-9)
    assert losses.generator_loss(kind, t, f).item() == pytest.approx(of_generator(true, fake), rel=1e-9)


def test_every_kind_of_the_settings_has_its_formula() -> None:
    kinds = LossSettings.model_fields["adversarial_kind"].annotation
    assert set(getattr(kinds, "__args__", ())) == set(FORMULAS)


def test_pairing_compares_pairs_and_the_average_does_not() -> None:
    true, fake = torch.tensor([[3.0], [-3.0]]), torch.tensor([[2.0], [-4.0]])
    swapped = fake.flip(0)
    for kind, same in (("relativistic", True), ("relativistic_pairing", False)):
        one, other = (losses.discriminator_loss(kind, true, f).item() for f in (fake, swapped))
        assert (one == pytest.approx(other)) == same


def test_smoothing_makes_certainty_expensive() -> None:
    sure, wary = torch.full((4, 1), 20.0), torch.full((4, 1), math.log(9) / 2)
    for kind in ("bce", "relativistic", "relativistic_pairing"):
        certain, careful = (losses.discriminator_loss(kind, v, -v, smoothing=0.1) for v in (sure, wary))
        assert careful < certain
        assert losses.discriminator_loss(kind, sure, -sure) < 1e-6
    assert losses.discriminator_loss("lsgan", torch.tensor([[0.9]]), torch.tensor([[0.1]]), smoothing=0.1) < 1e-12


def test_relativistic_losses_insist_on_the_true_verdict() -> None:
    for kind in losses.RELATIVISTIC:
        with pytest.raises(ValueError, match="needs the verdict on the true images"):
            losses.generator_loss(kind, None, torch.zeros(1, 1))


def test_adversarial_losses_have_their_known_values() -> None:
    zero, high = torch.zeros(4, 1), torch.full((4, 1), 30.0)
    log2 = math.log(2)
    assert losses.discriminator_loss("bce", zero, zero).item() == pytest.approx(log2)
    assert losses.discriminator_loss("bce", high, -high).item() == pytest.approx(0, abs=1e-6)
    assert losses.discriminator_loss("bce", high, -high, smoothing=0.1).item() == pytest.approx(3.0, abs=1e-4)
    assert losses.discriminator_loss("hinge", zero, zero).item() == 1.0
    assert losses.discriminator_loss("lsgan", zero, zero).item() == 0.5
    assert losses.discriminator_loss("relativistic", high, high).item() == pytest.approx(log2)
    assert losses.generator_loss("bce", None, high).item() == pytest.approx(0, abs=1e-6)
    assert losses.generator_loss("hinge", None, high).item() == -30.0
    assert losses.generator_loss("lsgan", None, high).item() == 29.0**2 / 2
    assert losses.generator_loss("relativistic", -high, high).item() == pytest.approx(0, abs=1e-6)


def test_category_loss_is_binary_cross_entropy_on_one_hot() -> None:
    right = torch.tensor([[30.0, -30.0, -30.0]])
    assert losses.category_loss(right, torch.tensor([0])).item() == pytest.approx(0, abs=1e-6)
    assert losses.category_loss(right, torch.tensor([1])).item() == pytest.approx(20.0)


def test_constancy_pooled_forgives_a_moved_encoding_and_spatial_does_not() -> None:
    here = torch.zeros(1, 2, 2, 2)
    here[0, 0, 0, 0] = 1
    there = here.flip(2)
    assert losses.constancy_loss("pooled", here, there).item() == 0.0
    assert losses.constancy_loss("spatial", here, there).item() == pytest.approx(2 / 8)


def test_dice_and_edge_losses_of_known_images() -> None:
    image = torch.ones(1, 1, 16, 16)
    image[..., 4:12] = -1
    assert losses.dice_loss(image, image).item() == pytest.approx(0, abs=1e-6)
    assert losses.dice_loss(-image, image).item() == pytest.approx(1.0, abs=0.01)
    assert losses.edge_loss(image, image).item() == 0.0
    # Two edges of height 2 in each row of 15 slopes; none along the columns.
    assert losses.edge_loss(torch.ones_like(image), image).item() == pytest.approx(0.5 * (2 * 2 / 15))


def test_r1_penalty_of_a_linear_verdict() -> None:
    image = torch.randn(3, 1, 4, 4, requires_grad=True)
    assert losses.r1_penalty((2 * image).sum((2, 3)), image).item() == pytest.approx(0.5 * 4 * 16)


def test_balance_follows_d_loss_and_brakes() -> None:
    balance = Balance(BalanceSettings())
    seen = []
    for d_loss in (0.01, 0.05, 0.1, 0.3, 6.0):
        balance.saw(d_loss)
        seen.append(balance.lambda_adv)
    assert seen == [0.20, 0.35, 0.50, 0.60, 0.05]
    copy = Balance(BalanceSettings())
    copy.restore(balance.state())
    assert copy.state() == {"lambda_adv": 0.05, "discriminator_updates": 5, "braking": True}
    assert copy.figures(0) == {"lambda_adv": 0.05, "discriminator_updates": 5, "emergency_brake": True}
    copy.saw(0.3)
    assert copy.figures(0)["emergency_brake"] is False


def test_balance_by_schedule_and_fixed() -> None:
    balance = Balance(BalanceSettings(mode="schedule"))
    weights = []
    for epoch in (0, 4, 5, 19, 20):
        balance.begin_epoch(epoch)
        weights.append(balance.lambda_adv)
    assert weights == [0.1, 0.1, 0.3, 0.3, 0.5]
    fixed = Balance(BalanceSettings(mode="fixed", start=0.7, d_start=2, d_every=3))
    fixed.saw(0.001)
    assert fixed.lambda_adv == 0.7
    assert [fixed.updates_discriminator(step) for step in range(7)] == [False, False, True, False, False, True, False]
    assert Balance(BalanceSettings(mode="fixed", start=0.0)).off


# what each switch of the balance does


def networks_of(settings: TrainSettings, network: NetworkSettings = NETWORK) -> tuple[Networks, Batch]:
    torch.manual_seed(0)
    batch = PairBatches(bar_pairs(), settings, CPU).pick(np.arange(4))
    return Networks(network, settings, SIZE_PX, CPU), batch


def settings_of(**balance: object) -> TrainSettings:
    return TrainSettings(balance=BalanceSettings.model_validate(balance), losses=LossSettings(constancy=0.0))


def head_of(networks: Networks) -> list[torch.Tensor]:
    return [p.detach().clone() for p in networks.discriminator.style.parameters()]


@pytest.mark.parametrize("spectral", [False, True])
def test_a_frozen_category_head_stands_still_and_is_not_judged_by(spectral: bool) -> None:
    settings = settings_of(category_freeze_epochs=2).model_copy(update={"weight_decay_discriminator": 0.5})
    networks, batch = networks_of(settings, NETWORK.model_copy(update={"spectral_norm": spectral}))
    fresh = head_of(networks)
    for step, epoch in enumerate((0, 1)):
        networks.balance.begin_epoch(epoch)
        figures, counted = networks.update(step, [batch], 0.0)
        assert counted
        assert not {"category", "d_category"} & figures.keys()
        assert networks.balance.figures(step)["category_frozen"] is True
    assert all(torch.equal(a, b) for a, b in zip(fresh, head_of(networks), strict=True))
    networks.balance.begin_epoch(2)
    figures, _ = networks.update(2, [batch], 0.0)
    assert {"category", "d_category"} <= figures.keys()
    assert networks.balance.figures(2)["category_frozen"] is False
    assert not any(torch.equal(a, b) for a, b in zip(fresh, head_of(networks), strict=True))


def test_without_freezing_nothing_is_said_of_it() -> None:
    balance = Balance(BalanceSettings())
    assert balance.names_styles
    assert "category_frozen" not in balance.figures(0)


def weights_after(settings: TrainSettings, noise_std: float = 0.0) -> dict[str, torch.Tensor]:
    networks, batch = networks_of(settings)
    torch.manual_seed(1)
    networks.update(0, [batch], noise_std)
    return {name: p.detach().clone() for name, p in networks.discriminator.named_parameters()}


def test_every_switch_of_the_discriminator_changes_its_update_and_off_is_off() -> None:
    plain = settings_of()
    reference = weights_after(plain)

    def same(settings: TrainSettings, noise_std: float = 0.0) -> bool:
        return all(torch.equal(reference[n], p) for n, p in weights_after(settings, noise_std).items())

    assert same(settings_of(label_smoothing=0.0, r1=0.0, instance_noise=0.0, category_freeze_epochs=0))
    assert not same(settings_of(label_smoothing=0.1))
    assert not same(settings_of(r1=1.0))
    assert not same(settings_of(category_freeze_epochs=1))
    assert not same(plain, noise_std=0.1)
    assert not same(plain.model_copy(update={"weight_decay_discriminator": 0.5}))
    assert not same(plain.model_copy(update={"lr_discriminator": 1e-3}))
    pairing = plain.losses.model_copy(update={"adversarial_kind": "relativistic_pairing"})
    assert not same(plain.model_copy(update={"losses": pairing}))


def test_weight_decay_shrinks_what_has_no_gradient_to_grow() -> None:
    decayed = settings_of().model_copy(update={"weight_decay_discriminator": 0.5, "lr_discriminator": 0.01})
    plain = decayed.model_copy(update={"weight_decay_discriminator": 0.0})
    before, _ = networks_of(plain)
    start = dict(before.discriminator.named_parameters())["convs.0.weight"].detach()
    # Decoupled: the weight is first made smaller by lr times decay, whatever the gradient is (arXiv 1711.05101).
    difference = weights_after(plain)["convs.0.weight"] - weights_after(decayed)["convs.0.weight"]
    torch.testing.assert_close(difference, 0.01 * 0.5 * start, atol=1e-7, rtol=1e-3)


def test_the_penalty_is_lazy() -> None:
    networks, batch = networks_of(settings_of(r1=1.0, r1_every=3))
    penalised = ["r1" in networks.update(step, [batch], 0.0)[0] for step in range(7)]
    assert penalised == [True, False, False, True, False, False, True]


# the perceptual loss


def vgg_weights(seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights by the names of torchvision's VGG16, with some of the deeper layers and the classifier."""
    torch.manual_seed(seed)
    shapes = {0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128)}
    tensors = {f"features.{i}.weight": 0.1 * torch.randn(*shape, 3, 3) for i, shape in shapes.items()}
    tensors |= {f"features.{i}.bias": 0.1 * torch.randn(shape[0]) for i, shape in shapes.items()}
    return tensors | {"classifier.6.bias": torch.randn(10)}


@pytest.fixture
def vgg(tmp_path: Path) -> Path:
    torch.save(vgg_weights(), tmp_path / "vgg16.pth")
    return tmp_path / "vgg16.pth"


def test_perceptual_maps_are_torchvision_s_relu1_2_and_relu2_2(vgg: Path) -> None:
    reference = make_layers(cfgs["D"]).eval()
    reference.load_state_dict(
        {n.removeprefix("features."): t for n, t in vgg_weights().items() if n.startswith("features.")}, strict=False
    )
    ink = torch.rand(2, 1, 16, 16)
    colour = ((1 - ink).repeat(1, 3, 1, 1) - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor(
        [0.229, 0.224, 0.225]
    )[:, None, None]
    with torch.no_grad():
        expected = reference[:4](colour), reference[:9](colour)
        found = Perceptual(vgg).maps(1 - 2 * ink)
    assert [tuple(m.shape) for m in found] == [(2, 64, 16, 16), (2, 128, 8, 8)]
    for mine, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)


def test_perceptual_loss_draws_the_drawing_towards_the_truth(vgg: Path) -> None:
    loss = Perceptual(vgg)
    assert sum(p.numel() for p in loss.parameters()) == 260_160, "two blocks and not a layer more"
    assert not any(p.requires_grad for p in loss.parameters())
    true = torch.rand(1, 1, 16, 16) * 2 - 1
    fake = torch.rand(1, 1, 16, 16).requires_grad_(True)
    value = loss(fake, true)
    (slope,) = torch.autograd.grad(value, fake)
    assert loss(fake - 0.01 * slope / slope.abs().max(), true) < value
    assert loss(true, true).item() == 0.0


def perceptual_settings(weights: Path | None, weight: float = 0.05) -> TrainSettings:
    chosen = LossSettings(constancy=0.0, perceptual=weight, perceptual_weights=weights)
    return TrainSettings(batch_size=4, steps=2, log_every=1, losses=chosen)


def test_perceptual_loss_in_a_training_and_off_by_default(vgg: Path, tmp_path: Path) -> None:
    networks, batch = networks_of(perceptual_settings(vgg))
    figures, counted = networks.update(0, [batch], 0.0)
    assert counted
    assert figures["perceptual"] > 0
    assert "perceptual" not in str(list(networks.groups()["generator"])), "no part of what is trained or saved"
    off, batch = networks_of(settings_of())
    assert off.objective.perceptual is None
    assert "perceptual" not in off.update(0, [batch], 0.0)[0]


def test_a_safetensors_copy_of_the_weights_is_the_same(vgg: Path, tmp_path: Path) -> None:
    save_file(vgg_weights(), tmp_path / "vgg16.safetensors")
    one, other = Perceptual(vgg), Perceptual(tmp_path / "vgg16.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_weights_are_looked_for_in_the_hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder, name = Path(torch.hub.get_dir()) / "checkpoints", "vgg16-397923af.pth"
    assert folder.is_relative_to(tmp_path)
    with pytest.raises(CheckpointError) as caught:
        find_weights(None)
    where = re.escape(str(folder / name))
    assert re.search(rf"{where} is not there; put .* there, give its path as perceptual_weights", str(caught.value))
    folder.mkdir(parents=True)
    torch.save(vgg_weights(), folder / name)
    assert find_weights(None) == folder / name


class Sneaky:
    """What unpickling must never run."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('pickled code was run')",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not a file of tensors", "damaged, or no file of tensors"),
        (b"", "damaged, or no file of tensors"),
        (Sneaky(), "damaged, or no file of tensors"),
        ({"features.0.weight": torch.zeros(64, 3, 3, 3)}, "not the weights of VGG16 as torchvision names them"),
        (vgg_weights() | {"features.5.weight": torch.zeros(128, 32, 3, 3)}, "not the weights of VGG16"),
        (torch.zeros(3), "damaged, or no file of tensors"),
        ({"features.0.weight": "text"}, "not the weights of VGG16"),
    ],
)
def test_foreign_and_damaged_weights(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "vgg.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(CheckpointError, match=message) as caught:
        Perceptual(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_missing_weights_stop_training_before_it_removes_anything(tmp_path: Path) -> None:
    (tmp_path / LATEST).write_text("kept")
    with pytest.raises(CheckpointError, match=r"none.pth: no such file of VGG16 weights; correct perceptual_weights"):
        train(bar_pairs(), NETWORK, perceptual_settings(tmp_path / "none.pth"), folder=tmp_path, device="cpu")
    assert (tmp_path / LATEST).read_text() == "kept"


RECIPE = """[source]
fonts = ["s.ttf"]
[target]
font = "t.ttf"
[train.losses]
perceptual_weights = "models/vgg.pth"
"""


def test_a_recipe_s_weights_lie_relative_to_it_and_must_exist(tmp_path: Path) -> None:
    for name in ("s.ttf", "t.ttf"):
        (tmp_path / name).touch()
    path = tmp_path / "r.toml"
    path.write_text(RECIPE)
    load_recipe(path)  # the loss is off: nobody needs the file
    path.write_text(RECIPE + "perceptual = 0.02\n")
    with pytest.raises(FontgenError, match=r"r\.toml:6: \[train\] losses\.perceptual_weights: no such file: .*vgg"):
        load_recipe(path)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "vgg.pth").touch()
    recipe = load_recipe(path)
    assert recipe.train.losses.perceptual_weights == (tmp_path / "models" / "vgg.pth").resolve()
    # Where they lie decides nothing; their content does, as every input file's.
    assert "vgg.pth" not in str(recipe.train.decisive())
    assert "train.losses.perceptual_weights" in recipe.input_files()
