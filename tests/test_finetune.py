"""Training that starts from a checkpoint: what is taken over, what is new, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file
from tiny_build import NEW, Project, make_project, ran
from tiny_pairs import TinyPairs, bar_pairs

from fontgen.canvas import Canvas
from fontgen.cli import main
from fontgen.errors import CheckpointError, RecipeError
from fontgen.glyphs.store import ImageFolder
from fontgen.pipeline import make_build
from fontgen.recipe import load_recipe
from fontgen.talk import Talk
from fontgen.zi2zi.checkpoint import export_generator, load_generator, load_state
from fontgen.zi2zi.header import read_header
from fontgen.zi2zi.keeping import LATEST, STATE
from fontgen.zi2zi.lineage import network_after, require_canvas, styles_after
from fontgen.zi2zi.loss_settings import BalanceSettings
from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.settings import TrainSettings
from fontgen.zi2zi.trainer import train

NETWORK = NetworkSettings(ngf=4, ndf=4, embedding_num=2, embedding_dim=8, num_downs=3, skip="concat", dropout=0.0)
SETTINGS = TrainSettings(
    steps=40, batch_size=4, lr_generator=0.01, lr_discriminator=0.002, balance=BalanceSettings(start=0.2), ema=0.5
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that has learned `thick` and `thicker`, with its trainer's state beside it."""
    folder = tmp_path_factory.mktemp("base")
    pairs = bar_pairs()
    pairs.target[1::2] = 255 - pairs.target[1::2]  # so that the two styles lie far apart
    return train(pairs, NETWORK, SETTINGS, folder=folder, device="cpu", metadata={"fonts": {"a": {}}}).checkpoint


def new_pairs() -> TinyPairs:
    """One new style, which looks like the base's `thick`."""
    return replace(bar_pairs(), styles=["new"], style_index=np.zeros(10, np.int32), fingerprint="new")


def settings_from(base: Path, **changed: Any) -> TrainSettings:
    return SETTINGS.model_copy(update={"start_from": base, "steps": 4, "evaluate_every": 2, **changed})


def network_from(base: Path, styles: list[str]) -> NetworkSettings:
    return network_after(base, read_header(base), NetworkSettings(), styles)


def tune(base: Path, folder: Path, pairs: TinyPairs | None = None, **changed: Any) -> Path:
    chosen = pairs or new_pairs()
    network = network_from(base, chosen.styles)
    train(chosen, network, settings_from(base, **changed), folder=folder, device="cpu")
    return folder / LATEST


# what is taken over


def test_the_new_style_comes_first_and_the_known_ones_follow(base: Path, tmp_path: Path) -> None:
    header = read_header(tune(base, tmp_path))
    assert header.styles == ["new", "thick", "thicker"]
    assert header.network == NETWORK.model_copy(update={"embedding_num": 3})


def test_a_new_style_begins_as_the_known_one_that_draws_it_best(base: Path, tmp_path: Path) -> None:
    tuned = tune(base, tmp_path, lr_generator=1e-12, lr_discriminator=1e-12)
    assert read_header(tuned).metadata["start"] == {"began_as": {"new": "thick"}, "discriminator": True}
    before, after = (load_generator(path, "cpu")[0] for path in (base, tuned))
    torch.testing.assert_close(after.embedding.weight, before.embedding.weight[[0, 0, 1]])
    for name, tensor in before.state_dict().items():
        if name != "embedding.weight":
            torch.testing.assert_close(after.state_dict()[name], tensor)


def test_a_style_known_by_name_goes_on_with_its_own_embedding(base: Path, tmp_path: Path) -> None:
    pairs = replace(new_pairs(), styles=["THICKER"])
    tuned = tune(base, tmp_path, pairs, lr_generator=1e-12, lr_discriminator=1e-12)
    header = read_header(tuned)
    assert header.styles == ["THICKER", "thick"]
    assert header.metadata["start"]["began_as"] == {}
    rows = load_generator(tuned, "cpu")[0].embedding.weight
    torch.testing.assert_close(rows, load_generator(base, "cpu")[0].embedding.weight[[1, 0]])


def test_the_discriminator_comes_along_with_its_styles_reordered(base: Path, tmp_path: Path) -> None:
    tuned = tune(base, tmp_path, lr_generator=1e-12, lr_discriminator=1e-12)
    before, after = (load_state(path.parent / STATE)[0]["discriminator"] for path in (base, tuned))
    torch.testing.assert_close(after["style.weight"][1:], before["style.weight"])
    torch.testing.assert_close(after["truth.weight"], before["truth.weight"])


def test_without_the_trainer_s_state_the_discriminator_is_fresh(base: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone" / "base.safetensors"
    export_generator(base, alone, "fp32")
    assert read_header(tune(alone, tmp_path / "tuned")).metadata["start"]["discriminator"] is False


def test_a_discriminator_may_learn_alone_at_first(base: Path, tmp_path: Path) -> None:
    balance = BalanceSettings(mode="fixed", start=0.5, d_alone=3)
    tune(base, tmp_path, log_every=1, steps=5, balance=balance)
    lines = [line for line in (tmp_path / "metrics.jsonl").read_text().splitlines() if '"epoch"' in line]
    assert ['"d_loss"' in line for line in lines] == [True] * 5
    assert ['"adversarial"' in line for line in lines] == [False, False, False, True, True]


def test_starting_from_the_base_is_better_than_starting_afresh(base: Path, tmp_path: Path) -> None:
    tuned = read_header(tune(base, tmp_path / "tuned"))
    fresh = train(new_pairs(), NETWORK, settings_from(base, start_from=None), folder=tmp_path / "fresh", device="cpu")
    assert tuned.figures["l1"] < 0.9 * fresh.figures["l1"]


# the encoder


@pytest.mark.parametrize("norm", ["instance", "batch", "group"])
def test_a_frozen_encoder_stays_as_it_is_with_its_statistics(norm: str, tmp_path: Path) -> None:
    network = NETWORK.model_copy(update={"norm": norm, "num_downs": 4})
    start = train(bar_pairs(), network, settings_from(tmp_path, start_from=None), folder=tmp_path / "a", device="cpu")
    before = load_file(start.checkpoint)
    tuned = load_file(tune(start.checkpoint, tmp_path / "b", freeze_encoder=True))
    encoder = [name for name in before if name.startswith("downs.")]
    assert len(encoder) >= 4
    assert (norm == "batch") == any("running_mean" in name for name in encoder)
    for name in encoder:
        assert torch.equal(tuned[name], before[name]), name
    moved = [name for name in before if name.startswith("ups.") and not torch.equal(tuned[name], before[name])]
    assert any(name.endswith("weight") for name in moved)


def test_without_freezing_the_encoder_learns(base: Path, tmp_path: Path) -> None:
    before, tuned = load_file(base), load_file(tune(base, tmp_path))
    assert not torch.equal(tuned["downs.0.conv.weight"], before["downs.0.conv.weight"])


# interruption


def stop_at(last: int) -> Callable[[int, int, dict[str, Any]], None]:
    """Interrupts training after a step, as Ctrl-C does."""

    def progress(step: int, total: int, figures: dict[str, Any]) -> None:
        if step == last:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("freeze", [False, True])
def test_a_resumed_fine_tuning_equals_an_uninterrupted_one(base: Path, tmp_path: Path, freeze: bool) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    tune(base, whole, freeze_encoder=freeze, steps=6, log_every=1)
    network, settings = network_from(base, ["new"]), settings_from(base, freeze_encoder=freeze, steps=6, log_every=1)
    with pytest.raises(KeyboardInterrupt):
        train(new_pairs(), network, settings, folder=cut, device="cpu", on_progress=stop_at(3))
    train(new_pairs(), network, settings, folder=cut, device="cpu", resume=True)
    for name in (LATEST, STATE):
        assert (whole / name).read_bytes() == (cut / name).read_bytes()


def test_a_resumed_fine_tuning_insists_on_its_base(base: Path, tmp_path: Path) -> None:
    tune(base, tmp_path / "tuned")
    other = tmp_path / "other.safetensors"
    export_generator(base, other)
    network, settings = network_from(base, ["new"]), settings_from(other)
    with pytest.raises(CheckpointError, match="was trained with another checkpoint to start from"):
        train(new_pairs(), network, settings, folder=tmp_path / "tuned", device="cpu", resume=True)


# what is refused


def test_a_network_that_contradicts_the_checkpoint_is_refused(base: Path) -> None:
    header = read_header(base)

    def after(**given: Any) -> NetworkSettings:
        return network_after(base, header, NetworkSettings(**given), ["new"])

    with pytest.raises(RecipeError, match=r"\[network\] ngf = 64: .*safetensors, .*, has 4; leave the key out"):
        after(ngf=64)
    with pytest.raises(RecipeError, match=r"embedding_num = 2: .* come to 3; leave the key out, or raise it"):
        after(embedding_num=2)
    with pytest.raises(RecipeError, match="num_downs = 4"):
        after(num_downs=4)
    same = after(ngf=4, skip="concat", num_downs=3, max_channels=32)
    assert same == after()
    assert after(embedding_num=9, dropout=0.3, ndf=8) == NETWORK.model_copy(
        update={"embedding_num": 9, "dropout": 0.3, "ndf": 8}
    )


def test_another_canvas_is_refused(base: Path, tmp_path: Path) -> None:
    header = read_header(base)
    with pytest.raises(CheckpointError, match=r"canvas of 32 px .* the recipe on one of 64 px"):
        require_canvas(base, header, 64, header.canvas.margin_em, "em")
    with pytest.raises(CheckpointError, match=r"with 0\.2 em"):
        require_canvas(base, header, 32, 0.2, "em")
    with pytest.raises(CheckpointError, match=r"\(fit em\), .*\(fit box\)"):
        require_canvas(base, header, 32, header.canvas.margin_em, "box")
    with pytest.raises(CheckpointError, match="draws on a canvas"):
        tune(base, tmp_path, replace(new_pairs(), canvas=Canvas(size_px=32, margin_em=0.3)))


def test_known_styles_follow_the_new_ones_once_each() -> None:
    assert styles_after(["a", "", "B", "c"], ["b", "new"]) == ["b", "new", "a", "c"]


def test_freezing_the_encoder_needs_a_checkpoint_to_start_from() -> None:
    with pytest.raises(ValueError, match="freeze_encoder keeps the encoder of start_from"):
        TrainSettings(freeze_encoder=True)


# half precision


def test_half_precision_halves_the_file_and_draws_the_same(base: Path, tmp_path: Path) -> None:
    half = tmp_path / "half.safetensors"
    result = CliRunner().invoke(main, ["export-checkpoint", str(base), "-o", str(half)])
    assert result.exit_code == 0, result.output
    assert "fp16, step 40" in result.stderr
    assert read_header(half).precision == "fp16"
    assert read_header(base).precision == "fp32"
    assert {tensor.dtype for tensor in load_file(half).values()} == {torch.float16}
    weights = sum(tensor.numel() for tensor in load_file(base).values())
    assert base.stat().st_size - half.stat().st_size == pytest.approx(2 * weights, abs=100)
    (whole, _), (halved, _) = load_generator(base, "cpu"), load_generator(half, "cpu")
    assert {parameter.dtype for parameter in halved.parameters()} == {torch.float32}
    source, style = torch.rand(2, 1, 32, 32) * 2 - 1, torch.tensor([0, 1])
    with torch.inference_mode():
        torch.testing.assert_close(halved(source, style), whole(source, style), atol=0.01, rtol=0)


def test_exporting_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"nothing")
    result = CliRunner().invoke(
        main, ["export-checkpoint", str(tmp_path / "x.safetensors"), "-o", str(tmp_path / "y.safetensors")]
    )
    assert result.exit_code == 2
    assert "damaged, cut short or not a safetensors file" in result.stderr
    assert not (tmp_path / "y.safetensors").exists()


# a build


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that is trained, and its checkpoint exported to `base.safetensors`."""
    project = make_project(tmp_path_factory.mktemp("tuned") / "project")
    project.recipe.write_text(project.recipe.read_text() + '\n[output]\nfolder = "first"\n')
    result = CliRunner().invoke(main, ["train", str(project.recipe)])
    assert result.exit_code == 0, result.output
    export_generator(project.root / "first" / "train" / "best.safetensors", project.root / "base.safetensors")
    return project


@pytest.fixture
def tuning(built: Project, tmp_path: Path) -> Callable[..., Project]:
    """Writes a recipe that starts from the base: another name for the target, no [network] of its own."""

    def write(train_table: str = "", network: str = "", canvas: str = "[canvas]\nsize_px = 64\n") -> Project:
        project = built.copy(tmp_path / "project")
        start = '[train]\nstart_from = "base.safetensors"\nsteps = 2\nbatch_size = 4\n'
        project.write(
            target='[target]\nfont = "target.ttf"\nname = "Mine"\n',
            network=network,
            train=start + train_table,
            canvas=canvas,
        )
        return project

    return write


def test_a_build_from_a_base_knows_where_it_comes_from(tuning: Callable[..., Project]) -> None:
    project = tuning("freeze_encoder = true\n")
    result = project.run()
    assert result.exit_code == 0, result.output
    assert "Mine: began as Zen Maru Gothic Bold" in result.stderr
    assert "discriminator: fresh" in result.stderr
    header = read_header(project.out / "train" / "best.safetensors")
    assert header.styles == ["Mine", "Zen Maru Gothic Bold"]
    assert (header.network.ngf, header.network.embedding_num) == (4, 2)
    assert set(header.metadata["placements"]) == {"0", "1"}
    (origin,) = header.metadata["lineage"]
    assert (origin["file"], origin["styles"], origin["step"]) == ("base.safetensors", ["Zen Maru Gothic Bold"], 3)
    assert origin["fonts"]["target.font"].keys() == {"file", "sha256", "copyright", "licence"}
    assert "Copyright" in origin["fonts"]["target.font"]["copyright"]

    other = project.root / "other.safetensors"
    assert "train" not in ran(project.run())
    export_generator(project.root / "base.safetensors", other, "fp32")
    other.replace(project.root / "base.safetensors")
    assert "train" in ran(project.run()), "another base, another network"

    arguments = ["infer", "--checkpoint", str(project.out / "train" / "best.safetensors"), "--charset", chr(NEW[0])]
    arguments += ["--source", str(project.root / "source.ttf"), "--style", "0.5*Mine + 0.5*Zen Maru Gothic Bold"]
    result = CliRunner().invoke(main, [*arguments, "-o", str(project.root / "mixed")])
    assert result.exit_code == 0, result.output
    assert ImageFolder.open(project.root / "mixed").codepoints == [NEW[0]]


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"network": "[network]\nngf = 8\n"}, "[network] ngf = 8: base.safetensors"),
        ({"canvas": "[canvas]\nsize_px = 32\n"}, "draws on a canvas of 64 px"),
        ({"canvas": '[canvas]\nsize_px = 64\nfit = "box"\n'}, "(fit box)"),
    ],
)
def test_a_base_that_does_not_fit_stops_the_build_at_once(
    tuning: Callable[..., Project], tables: dict[str, str], message: str
) -> None:
    project = tuning(**tables)
    result = project.run()
    assert result.exit_code == 2
    assert message in result.stderr
    assert not project.out.exists()


def test_a_preset_leaves_the_network_to_the_checkpoint(tuning: Callable[..., Project]) -> None:
    project = tuning()
    saved = make_build(
        load_recipe(project.recipe, preset="cpu"), project.recipe, output=None, device=None, want=None, talk=Talk()
    )
    assert (saved.recipe.network.ngf, saved.recipe.network.embedding_num) == (4, 2)


def test_a_base_that_is_not_there_is_named_with_its_line(tuning: Callable[..., Project]) -> None:
    project = tuning()
    (project.root / "base.safetensors").unlink()
    result = project.run()
    assert result.exit_code == 2
    assert "[train] start_from: no such file" in result.stderr
