"""Several styles in one network: how they are named, mixed, learned and drawn."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from box_fonts import ZEN
from click.testing import CliRunner
from tiny_build import NEW, SHARED, Project, make_project
from tiny_pairs import bar_pairs

from fontgen.canvas import Canvas, Placement
from fontgen.cli import main
from fontgen.errors import RecipeError, TrainingError
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.pairs import PairSet
from fontgen.glyphs.render import render_ink
from fontgen.glyphs.store import ImageFolder, write_ink
from fontgen.pipeline import make_build, run
from fontgen.recipe import load_recipe
from fontgen.talk import Talk
from fontgen.zi2zi.checkpoint import load_generator, load_state
from fontgen.zi2zi.data import to_ink8, to_network
from fontgen.zi2zi.generator import Generator
from fontgen.zi2zi.infer import infer_images, style_vector
from fontgen.zi2zi.keeping import LATEST, STATE
from fontgen.zi2zi.loss_settings import BalanceSettings, LossSettings
from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.settings import TrainSettings
from fontgen.zi2zi.styles import StyleMix, parse_style
from fontgen.zi2zi.trainer import train

NAMES = ["A", "Kiwi Maru Medium", "", "M+ 1p", "9", "Noto-Sans", "Noto"]


# expressions


@pytest.mark.parametrize(
    ("expression", "weights"),
    [
        ("0", {0: 1.0}),
        ("kiwi maru MEDIUM", {1: 1.0}),
        ("M+ 1p", {3: 1.0}),
        ("9", {4: 1.0}),
        ("Noto-Sans", {5: 1.0}),
        ("0.3*0+0.7*1", {0: 0.3, 1: 0.7}),
        ("A + Kiwi Maru Medium", {0: 0.5, 1: 0.5}),
        (" 3 * A+1*Noto-Sans ", {0: 0.75, 5: 0.25}),
        ("1.5*A - .5*M+ 1p", {0: 1.5, 3: -0.5}),
        ("-0.5*A + 1.5*Noto", {0: -0.5, 6: 1.5}),
        ("A + A", {0: 1.0}),
        ("0.1*A + 0.2*A - 0.3*A + Noto", {6: 1.0}),
    ],
)
def test_an_expression_gives_weights_that_add_up_to_one(expression: str, weights: dict[int, float]) -> None:
    mix = parse_style(expression, NAMES)
    assert dict(mix.weights) == pytest.approx(weights)
    assert mix.single == (next(iter(weights)) if len(weights) == 1 else None)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("Kiwi", r"no style 'Kiwi'; there are 0 \(A\), 1 \(Kiwi Maru Medium\), 3 \(M\+ 1p\)"),
        ("2", "no style '2'"),
        ("7", "no style '7'"),
        ("", "a style is missing at the end"),
        ("0.5*A + ", "a style is missing at the end"),
        ("0.5 A", "no style '0.5 A'"),
        ("A - A", "add up to 0; they must add up to more than 0"),
        ("A - 2*Noto", "add up to -1"),
    ],
)
def test_an_expression_that_says_nothing_is_refused_with_the_known_styles(expression: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        parse_style(expression, NAMES)


def test_a_name_that_two_styles_share_asks_for_the_index() -> None:
    with pytest.raises(RecipeError, match="styles 0 and 1 are both called 'A'; write the index"):
        parse_style("a", ["A", "a"])
    assert parse_style("1", ["A", "a"]) == StyleMix.of(1)


def test_a_mixture_places_the_source_between_its_styles() -> None:
    placements = [Placement(scale=0.9, dx_em=0.1), Placement(scale=1.0, dy_em=-0.2)]
    mixed = parse_style("1*0 + 3*1", ["a", "b"]).placement(placements)
    assert (mixed.scale, mixed.dx_em, mixed.dy_em) == pytest.approx((0.975, 0.025, -0.15))
    assert StyleMix.of(1).placement(placements) == placements[1]


# drawing

NETWORK = NetworkSettings(ngf=4, ndf=4, embedding_num=2, embedding_dim=8, num_downs=3, skip="concat", dropout=0.0)
SETTINGS = TrainSettings(steps=6, batch_size=4, log_every=2, evaluate_every=3, lr_generator=0.01)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("styles")
    train(bar_pairs(), NETWORK, SETTINGS, folder=folder, device="cpu")
    return folder


def test_a_mixture_is_drawn_from_the_weighted_embeddings(trained: Path) -> None:
    items = list(zip(range(4), bar_pairs().source[:4], strict=True))

    def drawn(style: str | int) -> np.ndarray:
        return np.stack([drawn.ink8 for drawn in infer_images(trained / LATEST, items, style=style, device="cpu")])

    generator, _ = load_generator(trained / LATEST, "cpu")
    rows = generator.embedding.weight.detach()
    mixed = style_vector(generator, parse_style("1*thick + 3*thicker", ["thick", "thicker"]))
    torch.testing.assert_close(mixed[0], 0.25 * rows[0] + 0.75 * rows[1])
    with torch.inference_mode():
        source = to_network(torch.from_numpy(bar_pairs().source[:4]))[:, None]
        expected = to_ink8(generator.decoder(generator.encoder(source), mixed.expand(4, -1), source)).numpy()
    assert np.abs(drawn("thick + 3*thicker").astype(int) - expected).max() <= 1
    assert not np.array_equal(drawn("thick + 3*thicker"), drawn("thick"))
    np.testing.assert_array_equal(drawn("thicker"), drawn(1))
    np.testing.assert_array_equal(drawn("2*thicker + 0*thick"), drawn(1))


def test_one_style_is_drawn_from_its_own_row_to_the_last_bit() -> None:
    generator = Generator(NETWORK, 32)
    assert torch.equal(style_vector(generator, StyleMix.of(1))[0], generator.embedding.weight[1])


def test_each_style_s_held_out_figures_are_logged_and_their_mean_is_the_whole_s(trained: Path) -> None:
    lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    evaluated = [line for line in lines if "held_out" in line]
    assert [line["step"] for line in evaluated] == [3, 6]
    for line in evaluated:
        assert list(line["styles"]) == ["0 thick", "1 thicker"]
        mean = np.mean([figures["l1"] for figures in line["styles"].values()])
        assert mean == pytest.approx(line["held_out"]["l1"], rel=1e-4)


# label shuffling


def shuffling(**changed: Any) -> TrainSettings:
    balance = BalanceSettings(mode="fixed", start=0.5, d_every=2)
    return SETTINGS.model_copy(update={"label_shuffle_from": 3, "log_every": 1, "balance": balance, **changed})


def test_shuffled_styles_are_judged_from_the_given_step_on(tmp_path: Path) -> None:
    train(bar_pairs(), NETWORK, shuffling(), folder=tmp_path, device="cpu")
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    logged = [line for line in lines if "l1" in line]
    assert ["adversarial_shuffled" in line for line in logged] == [False] * 3 + [True] * 3
    assert ["category_shuffled" in line for line in logged] == [False] * 3 + [True] * 3
    assert ["d_shuffled" in line for line in logged] == [False, False, False, False, True, False]


def test_shuffled_styles_teach_both_networks_but_give_no_l1(tmp_path: Path) -> None:
    """With L1 and constancy off, no style has a truth to be drawn to: only the discriminator is left."""
    losses = LossSettings(l1=0.0, constancy=0.0, category=0.0)
    plain = shuffling(losses=losses, steps=1, label_shuffle_from=None)
    weights = {}
    for name, settings in (("plain", plain), ("shuffled", plain.model_copy(update={"label_shuffle_from": 0}))):
        train(bar_pairs(), NETWORK, settings, folder=tmp_path / name, device="cpu")
        groups, _ = load_state(tmp_path / name / STATE)
        weights[name] = groups
    for group, tensor in (("generator", "ups.1.conv.weight"), ("discriminator", "convs.1.weight")):
        assert not torch.equal(weights["plain"][group][tensor], weights["shuffled"][group][tensor])
    text = (tmp_path / "shuffled" / "metrics.jsonl").read_text()
    assert '"adversarial_shuffled"' in text
    assert '"l1_shuffled"' not in text


def test_shuffling_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    def stop(step: int, total: int, figures: dict[str, Any]) -> None:
        if step == 4:
            raise KeyboardInterrupt

    train(bar_pairs(), NETWORK, shuffling(), folder=tmp_path / "whole", device="cpu")
    with pytest.raises(KeyboardInterrupt):
        train(bar_pairs(), NETWORK, shuffling(), folder=tmp_path / "cut", device="cpu", on_progress=stop)
    train(bar_pairs(), NETWORK, shuffling(), folder=tmp_path / "cut", device="cpu", resume=True)
    assert (tmp_path / "whole" / LATEST).read_bytes() == (tmp_path / "cut" / LATEST).read_bytes()


def test_shuffling_without_styles_or_without_an_adversary_is_refused(tmp_path: Path) -> None:
    one = replace(bar_pairs(), style_index=np.zeros(10, np.int32))
    with pytest.raises(TrainingError, match="label_shuffle_from: there is one style"):
        train(one, NETWORK, shuffling(), folder=tmp_path, device="cpu")
    with pytest.raises(ValueError, match="only the discriminator judges shuffled styles"):
        TrainSettings(label_shuffle_from=5, balance=BalanceSettings(mode="fixed", start=0.0))


# a build

STYLES = """\
[pairs]
limit = 24
held_out = 0.3

[[styles]]
images = "scans"
name = "Small Hand"
label = 2

[[styles]]
font = "source.ttf"
name = "Plain"
label = 1

"""
ROOM_FOR_FOUR = """\
[network]
ngf = 4
ndf = 4
max_channels = 8
embedding_num = 4
embedding_dim = 4
num_downs = 3

"""


def until_infer(project: Project, **tables: str) -> list[str]:
    """Run the build up to the inference; the stages that ran."""
    project.write(pairs=STYLES, network=ROOM_FOR_FOUR, **tables)
    talk = Talk(quiet=False)
    said: list[str] = []
    talk.line = said.append  # type: ignore[method-assign]
    build = make_build(
        load_recipe(project.recipe), project.recipe, output=project.out, device="cpu", want=None, talk=talk
    )
    assert run(build, until="infer") == 0
    return [line.partition(":")[0] for line in said if line.endswith(", running")]


@pytest.fixture(scope="module")
def styled(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One network learns the target font, a folder of small scans of it, and the source font itself."""
    project = make_project(tmp_path_factory.mktemp("styled") / "project")
    face = open_face(FontRef.of(ZEN))
    for codepoint in SHARED[:20]:
        ink = render_ink(face, codepoint, Canvas(size_px=96, margin_em=0.2))
        write_ink(project.root / "scans" / f"{codepoint}.png", ink)
    assert until_infer(project) == ["charset", "calibrate", "pairs", "train", "source", "infer"]
    return project


def test_each_style_is_calibrated_by_itself(styled: Project) -> None:
    records = {r["name"]: r for r in json.loads((styled.out / "calibrate" / "calibration.json").read_text())["styles"]}
    assert {name: record["label"] for name, record in records.items()} == {
        "Zen Maru Gothic Bold": 0,
        "Small Hand": 2,
        "Plain": 1,
    }
    assert records["Plain"]["placement"] == pytest.approx({"scale": 1.0, "dx_em": 0.0, "dy_em": 0.0}, abs=0.003)
    # the scans show more than the em box, which a folder without a manifest is taken to fill
    assert records["Small Hand"]["placement"]["scale"] < 0.85 * records["Zen Maru Gothic Bold"]["placement"]["scale"]


def test_a_character_is_held_out_in_every_style_or_in_none(styled: Project) -> None:
    pairs = PairSet.open(styled.out / "pairs")
    assert pairs.styles == ["Zen Maru Gothic Bold", "Plain", "Small Hand"]
    assert np.bincount(pairs.style_index).tolist() == [24, 24, 20]
    held_out = set(pairs.codepoints[pairs.held_out].tolist())
    assert len(held_out) > 3
    assert not held_out & set(pairs.codepoints[~pairs.held_out].tolist())


def test_the_recipe_chooses_the_style_and_only_the_drawing_is_made_again(styled: Project, tmp_path: Path) -> None:
    project = styled.copy(tmp_path / "project")
    kanji = NEW[0]
    own = ImageFolder.open(project.out / "infer").read(kanji)
    source = ImageFolder.open(project.out / "source").read(kanji)
    assert ImageFolder.open(project.out / "infer" / "held-out").codepoints
    mixed = '[infer]\nstyle = "0.5*Small Hand + 0.5*Zen Maru Gothic Bold"\n\n[train]\nsteps = 3\n'
    mixed += "batch_size = 4\nlog_every = 1\n"
    assert until_infer(project, train=mixed) == ["source", "infer"]
    assert not np.array_equal(ImageFolder.open(project.out / "infer").read(kanji), own)
    smaller = ImageFolder.open(project.out / "source").read(kanji)
    assert np.ptp(np.flatnonzero(smaller.any(0))) < np.ptp(np.flatnonzero(source.any(0))), "placed for the mixture"
    assert not ImageFolder.open(project.out / "infer" / "held-out").codepoints, "nobody drew the truth of a mixture"
    assert until_infer(project, train=mixed.replace("0.5*Small Hand + 0.5*Zen", "1*Zen")) == ["source", "infer"]
    np.testing.assert_array_equal(ImageFolder.open(project.out / "infer").read(kanji), own)


def test_an_unknown_style_stops_the_build_before_anything_is_drawn(styled: Project, tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    project.root.mkdir()
    for name in ("source.ttf", "extra.ttf", "target.ttf", "truth.ttf"):
        (project.root / name).write_bytes((styled.root / name).read_bytes())
    project.write(train='[infer]\nstyle = "Zen Antique"\n\n[train]\nsteps = 3\n')
    result = project.run()
    assert result.exit_code == 2
    assert "no style 'Zen Antique'; there are 0 (Zen Maru Gothic Bold)" in result.stderr
    assert not (project.out / "charset").exists()


def test_the_command_draws_a_mixture_with_a_checkpoint_alone(styled: Project, tmp_path: Path) -> None:
    arguments = ["infer", "--checkpoint", str(styled.out / "train" / "best.safetensors")]
    arguments += ["--source", str(styled.root / "source.ttf"), "--charset", chr(NEW[0])]

    def drawn(style: str) -> np.ndarray:
        output = tmp_path / style.replace("*", "x")
        result = CliRunner().invoke(main, [*arguments, "-o", str(output), "--style", style])
        assert result.exit_code == 0, result.output
        return ImageFolder.open(output).read(NEW[0])

    np.testing.assert_array_equal(drawn("plain"), drawn("1"))
    assert not np.array_equal(drawn("0.5*plain + 0.5*0"), drawn("1"))
    result = CliRunner().invoke(main, [*arguments, "-o", str(tmp_path / "x"), "--style", "Fancy"])
    assert result.exit_code == 2
    assert "no style 'Fancy'; there are 0 (Zen Maru Gothic Bold), 1 (Plain), 2 (Small Hand)" in result.stderr
