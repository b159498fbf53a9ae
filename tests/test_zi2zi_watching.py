"""What training writes and keeps, when it stops by itself, and what a bad step leaves untouched."""

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
from tiny_pairs import SIZE_PX, TinyPairs, bar_pairs

from fontgen.errors import TrainingError
from fontgen.zi2zi.data import PairBatches
from fontgen.zi2zi.figures import StyleSpread, change_counts, change_figures
from fontgen.zi2zi.header import read_header
from fontgen.zi2zi.keeping import kept_checkpoints, prune, step_files, step_name
from fontgen.zi2zi.loss_settings import BalanceSettings, LossSettings
from fontgen.zi2zi.metrics import EVENTS
from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.plateau import Plateau
from fontgen.zi2zi.settings import TrainSettings
from fontgen.zi2zi.step import Networks
from fontgen.zi2zi.trainer import BEST, LATEST, METRICS, STATE, train

CPU = torch.device("cpu")
NETWORK = NetworkSettings(ngf=4, ndf=4, max_channels=8, num_downs=3, embedding_num=2, embedding_dim=4, dropout=0.0)
LOSSES = LossSettings(constancy=0.0)
SETTINGS = TrainSettings(batch_size=4, steps=12, log_every=2, evaluate_every=2, losses=LOSSES)


@pytest.fixture(scope="module")
def pairs() -> TinyPairs:
    return bar_pairs()


pytestmark = pytest.mark.usefixtures("one_thread")


def interrupt_at(stop_at: int) -> Callable[[int, int, dict[str, Any]], None]:
    """A signal during this step, as from Ctrl-C: the step ends, and so does training."""

    def interrupt(step: int, total: int, figures: dict[str, Any]) -> None:
        if step == stop_at:
            os.kill(os.getpid(), signal.SIGTERM)

    return interrupt


def torn(*sample: Any) -> None:
    raise KeyboardInterrupt


def with_(**changes: Any) -> TrainSettings:
    return SETTINGS.model_copy(update=changes)


# early stop


def test_plateau_counts_evaluations_without_improvement() -> None:
    plateau = Plateau(patience=2, delta=0.01)
    for score, waited in ((0.5, 0), (0.505, 1), (0.52, 0), (float("nan"), 1), (0.4, 2)):
        assert not plateau.reached
        plateau.saw(score)
        assert plateau.waited == waited
    assert plateau.reached
    copy = Plateau(patience=2, delta=0.01)
    copy.restore(json.loads(json.dumps(plateau.state())))
    assert (copy.reached, copy.best) == (True, 0.52)
    never = Plateau(patience=0, delta=0.0)
    for _ in range(100):
        never.saw(0.5)
    assert not never.reached


def test_training_stops_where_held_out_figures_stand_still(pairs: TinyPairs, tmp_path: Path) -> None:
    # No figure rises by more than 2: the first evaluation is the best, and two more are waited for.
    settings = with_(early_stop=2, early_stop_delta=2.0)
    result = train(pairs, NETWORK, settings, folder=tmp_path / "whole", device="cpu")
    assert result.step == 6
    assert result.ended.startswith("stopped early at step 6 of 12: 2 evaluations in a row did not raise")

    with pytest.raises(KeyboardInterrupt):
        train(pairs, NETWORK, settings, folder=tmp_path / "parts", device="cpu", on_progress=interrupt_at(4))
    for _ in range(2):  # resumed to its end, and once more: a stopped training stays stopped
        again = train(pairs, NETWORK, settings, folder=tmp_path / "parts", resume=True, device="cpu")
        assert (again.step, again.ended) == (6, result.ended)
    for name in (LATEST, BEST, STATE):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert train(pairs, NETWORK, SETTINGS, folder=tmp_path / "off", device="cpu").ended == ""


def test_early_stop_needs_held_out_pairs(pairs: TinyPairs, tmp_path: Path) -> None:
    everything = replace(pairs, held_out=np.zeros(10, bool))
    (tmp_path / LATEST).write_text("kept")
    with pytest.raises(TrainingError, match=r"early_stop watches held-out pairs.*set \[pairs\] held_out"):
        train(everything, NETWORK, with_(early_stop=3), folder=tmp_path, device="cpu")
    assert (tmp_path / LATEST).read_text() == "kept"


# what is kept


def test_last_checkpoints_and_the_best_are_kept_and_listed(pairs: TinyPairs, tmp_path: Path) -> None:
    result = train(pairs, NETWORK, with_(keep_checkpoints=3), folder=tmp_path, device="cpu")
    assert list(step_files(tmp_path)) == [8, 10, 12]
    assert (tmp_path / step_name(12)).read_bytes() == (tmp_path / LATEST).read_bytes()
    listed = kept_checkpoints(tmp_path)
    assert [entry["file"] for entry in listed] == [BEST, step_name(12), step_name(10), step_name(8)]
    assert listed[0]["held_out"] == result.figures
    assert listed[2]["step"] == 10
    evaluated = {line["step"]: line["held_out"] for line in metrics(tmp_path) if "held_out" in line}
    scores = {step: found["ssim"] - found["ink_l1"] for step, found in evaluated.items()}
    assert read_header(tmp_path / BEST).step == max(scores, key=lambda step: scores[step])
    # A new training in the same folder leaves nothing of the old one.
    train(pairs, NETWORK, with_(keep_checkpoints=1, steps=4), folder=tmp_path, device="cpu")
    assert list(step_files(tmp_path)) == [4]
    train(pairs, NETWORK, with_(keep_checkpoints=0, steps=4), folder=tmp_path, device="cpu")
    assert step_files(tmp_path) == {}


def test_pruning_spares_what_is_no_checkpoint_of_a_step(tmp_path: Path) -> None:
    for name in (step_name(5), step_name(40), step_name(12345678), "step-mine.safetensors", BEST):
        (tmp_path / name).touch()
    prune(tmp_path, 1)
    assert {path.name for path in tmp_path.iterdir()} == {step_name(12345678), "step-mine.safetensors", BEST}


def metrics(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]


# TensorBoard


def events(folder: Path) -> dict[str, dict[int, float]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(folder / EVENTS))
    read.Reload()
    return {tag: {event.step: event.value for event in read.Scalars(tag)} for tag in read.Tags()["scalars"]}


def test_tensorboard_shows_what_metrics_hold(pairs: TinyPairs, tmp_path: Path) -> None:
    settings = with_(tensorboard=True)
    with pytest.raises(KeyboardInterrupt):
        train(pairs, NETWORK, settings, folder=tmp_path, device="cpu", on_progress=interrupt_at(6))
    train(pairs, NETWORK, settings, folder=tmp_path, resume=True, device="cpu")
    shown = events(tmp_path)
    assert {"l1", "d_loss", "lambda_adv", "lr_generator", "held_out/ssim"} <= shown.keys()
    assert list(shown["l1"]) == list(shown["held_out/ssim"]) == [2, 4, 6, 8, 10, 12]
    for line in metrics(tmp_path):
        if "l1" in line:
            assert shown["l1"][line["step"]] == pytest.approx(line["l1"], rel=1e-5)
    train(pairs, NETWORK, with_(steps=2), folder=tmp_path, device="cpu")
    assert not (tmp_path / EVENTS).exists()


def test_tensorboard_absent_is_said_before_anything_is_removed(
    pairs: TinyPairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    (tmp_path / LATEST).write_text("kept")
    with pytest.raises(TrainingError, match=r"pip install 'fontgen\[tensorboard\]', or leave the setting out"):
        train(pairs, NETWORK, with_(tensorboard=True), folder=tmp_path, device="cpu")
    assert (tmp_path / LATEST).read_text() == "kept"


def test_what_is_only_shown_or_kept_does_not_decide_the_result() -> None:
    assert with_(tensorboard=True, keep_checkpoints=9).decisive() == SETTINGS.decisive()
    assert with_(early_stop=3).decisive() != SETTINGS.decisive()


def test_evaluations_are_announced_when_all_is_saved(pairs: TinyPairs, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    def evaluated(step: int) -> None:
        assert metrics(tmp_path)[-1]["step"] == step
        seen.append((step, read_header(tmp_path / LATEST).step))

    train(pairs, NETWORK, with_(steps=4), folder=tmp_path, device="cpu", on_evaluated=evaluated)
    assert seen == [(2, 2), (4, 4)]


# held-out figures


def image(*rows: str) -> torch.Tensor:
    return torch.tensor([[[[float(pixel == "#") for pixel in row] for row in rows]]])


def test_change_figures_of_known_images() -> None:
    source, truth = image("##..", "##.."), image("####", "##..")

    def figures(drawn: torch.Tensor) -> dict[str, float]:
        return change_figures({name: float(v.sum()) for name, v in change_counts(source, drawn, truth).items()})

    assert figures(source) == {"changed": 0.0, "followed": 0.0}
    assert figures(truth) == {"changed": 1.0, "followed": 1.0}
    # One of the two pixels that had to change, and one that had not.
    assert figures(image("###.", "#...")) == {"changed": 1.0, "followed": pytest.approx(1 / 3)}
    assert change_figures({"px_wanted": 0.0, "px_changed": 4.0, "px_right": 0.0}) == {}


def test_style_spread_of_known_images() -> None:
    thin, thick = image("#...", "...."), image("##..", "##..")
    both = torch.cat([thin, thick])
    for drawn, expected in ((both, 1.0), (torch.cat([thin, thin]), 0.0), (both * 0.5, 0.5)):
        spread = StyleSpread([7, 7, 8])
        spread.add([7, 8], torch.cat([drawn[:1], thin]), torch.cat([thin, thick]))
        spread.add([7], drawn[1:], thick)
        assert spread.figures() == {"style_spread": pytest.approx(expected)}
    alone = StyleSpread([7, 8])
    alone.add([7, 8], both, both)
    assert alone.figures() == {}


# steps that are not finite


@pytest.mark.parametrize("where", ["source", "target"])
def test_a_bad_step_moves_nothing_at_all(pairs: TinyPairs, where: str) -> None:
    network = NETWORK.model_copy(update={"norm": "batch", "discriminator_norm": "batch", "spectral_norm": True})
    torch.manual_seed(0)
    networks = Networks(network, with_(weight_decay_discriminator=0.1), SIZE_PX, CPU)
    batch = PairBatches(pairs, SETTINGS, CPU).pick(np.arange(4))
    bad = batch._replace(**{f"{where}_B1HW": getattr(batch, f"{where}_B1HW") * float("nan")})
    assert networks.update(0, [batch], 0.0)[1]

    def everything() -> dict[str, torch.Tensor]:
        return {f"{group}/{name}": t.clone() for group, named in networks.groups().items() for name, t in named.items()}

    before, balance = everything(), networks.balance.state()
    names = " ".join(before)
    assert all(part in names for part in ("running_mean", "num_batches_tracked", "_u", "exp_avg", "mean/"))
    assert not networks.update(1, [batch, bad], 0.0)[1]
    after = everything()
    assert before.keys() == after.keys()
    assert [name for name in before if not torch.equal(before[name], after[name])] == []
    assert networks.balance.state() == balance
    assert networks.update(1, [batch], 0.0)[1]
    moved = everything()
    assert not torch.equal(moved["generator/downs.0.conv.weight"], after["generator/downs.0.conv.weight"])


@pytest.mark.parametrize("mode", ["d_loss", "schedule"])
def test_resuming_with_everything_of_the_balance_on(pairs: TinyPairs, tmp_path: Path, mode: str) -> None:
    network = NETWORK.model_copy(update={"spectral_norm": True, "norm": "batch", "dropout": 0.3})
    settings = with_(
        log_every=1,
        accumulate=2,
        early_stop=9,
        lr_schedule="epoch",
        lr_warmup=3,
        clip_gradient=1.0,
        weight_decay_discriminator=0.1,
        augment_shift_em=0.02,
        losses=LossSettings(adversarial_kind="relativistic_pairing", feature_matching=1.0, dice=1.0, edge=1.0),
        balance=BalanceSettings(
            mode=mode,
            schedule=((2, 0.1), (7, 0.3)),
            d_every=2,
            d_start=1,
            label_smoothing=0.1,
            instance_noise=0.1,
            r1=1.0,
            r1_every=3,
            category_freeze_epochs=3,
        ),
    )

    train(pairs, network, settings, folder=tmp_path / "whole", device="cpu")
    parts: dict[str, Any] = {"folder": tmp_path / "parts", "resume": True, "device": "cpu"}
    for stop_at in (1, 6, 10):
        with pytest.raises(KeyboardInterrupt):
            train(pairs, network, settings, **parts, on_progress=interrupt_at(stop_at))
    # A second signal, in the middle of an evaluation.
    with pytest.raises(KeyboardInterrupt):
        train(pairs, network, settings, **parts, on_sample=torn)
    train(pairs, network, settings, **parts)
    for name in (LATEST, BEST, STATE, step_name(10), step_name(12)):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    timeless = [
        [{key: value for key, value in line.items() if key != "images_per_second"} for line in metrics(tmp_path / part)]
        for part in ("whole", "parts")
    ]
    assert timeless[0] == timeless[1]
    balance = [line for line in timeless[0] if "lambda_adv" in line]
    assert [line["category_frozen"] for line in balance] == [True] * 3 + [False] * 9
    assert all("category" in line for line in balance[3:] if "adversarial" in line)
    assert [line["discriminator_updates"] for line in balance] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert balance[0]["instance_noise"] == 0.1
    assert balance[-1]["instance_noise"] < 0.01
    weights = [line["lambda_adv"] for line in balance]
    if mode == "schedule":
        assert weights == [0.0, 0.1] + [0.3] * 5 + [0.5] * 5
    else:
        assert weights[:3] == [0.0, 0.25, 0.6], "from d_loss, once there is one"
        assert {line["emergency_brake"] for line in balance} == {False}
