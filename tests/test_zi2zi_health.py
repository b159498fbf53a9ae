"""The health monitor: what it says of made-up histories, of real trainings with a fault, and of healthy ones."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_docs import ROOT, rows_under
from tiny_pairs import bar_pairs

from fontgen.recipe import Recipe
from fontgen.zi2zi.ailments import AILMENTS, ailment
from fontgen.zi2zi.data import Batch, PairBatches
from fontgen.zi2zi.health import Monitor
from fontgen.zi2zi.loss_settings import BalanceSettings, LossSettings
from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.settings import TrainSettings
from fontgen.zi2zi.trainer import METRICS, STATE, TrainResult, train

Line = dict[str, Any]

WELL: Line = {"d_loss": 0.3, "adversarial": 1.4, "gradient": 5.0, "skipped_steps": 0, "l1": 0.1}
DRAWN: Line = {"iou": 0.8, "changed": 0.7, "followed": 0.5}


def lines(count: int, start: int = 0, **changes: Any) -> list[Line]:
    """Logged lines every ten steps; a change may be a function of the line's number."""
    found = []
    for number in range(count):
        values = {key: value(number) if callable(value) else value for key, value in changes.items()}
        found.append({"step": 10 * (start + number + 1), **WELL, **values})
    return found


def evaluations(*figures: Line, every: int = 100, start: int = 300) -> list[Line]:
    return [{"step": start + every * n, "held_out": {**DRAWN, **line}} for n, line in enumerate(figures)]


def heard(history: list[Line], total: int = 1000, **settings: Any) -> list[tuple[int, str, str | None]]:
    """What the monitor says: step, kind, words or None."""
    network = NetworkSettings.model_validate(settings.pop("network", {}))
    monitor = Monitor(network, TrainSettings.model_validate(settings), total)
    return [(line["step"], kind, words) for line in history for kind, words in monitor.saw(line).items()]


def kinds(history: list[Line], **settings: Any) -> list[str]:
    return [kind for _, kind, words in heard(history, **settings) if words is not None]


# the discriminator


def test_a_discriminator_that_wins_is_named_with_its_cure_once_and_its_end_too() -> None:
    won = lines(30, 20, d_loss=0.004, adversarial=lambda n: 4 + 0.2 * n)
    said = heard([*lines(20), *won, *lines(40, 50)])
    (begin, kind, words), (end, same, over) = said
    assert (kind, same, over) == ("discriminator_won", "discriminator_won", None)
    assert words is not None
    assert re.search(r"the discriminator has won: d_loss is 0\.0\d\d over 190 steps .* rises from \d\.\d\d to", words)
    # The learning rates of the defaults are in balance already; the next cures are named.
    assert "try [train.balance] d_every = 2, then [train.balance] label_smoothing = 0.1" in words
    assert begin < end


def test_cures_in_use_are_not_named_again() -> None:
    won = lines(30, d_loss=0.004, adversarial=6.0)
    ((_, _, words),) = heard(won, lr_discriminator=2.5e-4)
    assert words is not None
    assert "stands at 6.00" in words
    assert "try [train] lr_discriminator = 6.25e-05, then [train.balance] d_every = 2" in words
    everything = {"d_every": 2, "label_smoothing": 0.001, "instance_noise": 0.1, "r1": 1, "category_freeze_epochs": 9}
    used = {"weight_decay_discriminator": 0.1, "network": {"spectral_norm": True}, "balance": everything}
    ((_, _, words),) = heard(won, **used)
    assert words is not None
    assert words.endswith("more pairs may help (every setting against it is in use)")


def test_a_low_d_loss_alone_is_no_victory() -> None:
    assert kinds(lines(60, d_loss=0.01, adversarial=lambda n: 3.5 - 0.01 * n)) == []
    assert kinds(lines(60, d_loss=lambda n: 0.005 if n % 10 == 0 else 0.3, adversarial=5.0)) == []
    assert kinds(lines(8, d_loss=0.001, adversarial=9.0)) == [], "eight lines are too few to tell"
    fewer = [line for line in lines(60) if line.pop("d_loss") and line.pop("adversarial")]
    assert kinds(fewer) == [], "no adversary"


def test_smoothed_targets_and_other_losses_have_their_own_scale() -> None:
    # With targets 0.9 and 0.1 a discriminator that is never wrong pays 0.325.
    sure = lines(30, d_loss=0.33, adversarial=lambda n: 2 + 0.2 * n)
    assert kinds(sure) == []
    assert kinds(sure, balance={"label_smoothing": 0.1}) == ["discriminator_won"]
    least_squares = lines(30, d_loss=0.01, adversarial=0.48)
    assert kinds(least_squares) == []
    assert kinds(least_squares, losses={"adversarial_kind": "lsgan"}) == ["discriminator_won"]


def test_an_exploded_discriminator() -> None:
    ((_, kind, words), (_, _, over)) = heard([*lines(20), *lines(10, 20, d_loss=12.0), *lines(20, 30)])
    assert (kind, over) == ("discriminator_exploded", None)
    assert words is not None
    assert "d_loss is 12.0" in words
    assert "[train] lr_discriminator = 1.5e-05, then [network] spectral_norm = true" in words


# held-out figures


def test_a_copied_source() -> None:
    said = heard(evaluations({"changed": 0.02, "followed": 0.02}, {"changed": 0.03, "followed": 0.02}))
    ((step, kind, words),) = said
    assert (step, kind) == (400, "copies_source")
    assert words is not None
    assert "changes 3 % of what had to change" in words
    network = {"source_residual": 1.0, "skip": "concat"}
    ((_, _, words),) = heard(evaluations(*[{"changed": 0.0, "followed": 0.0}] * 2), network=network)
    assert words is not None
    assert 'try [network] source_residual = 0.0, then [network] skip = "residual"' in words


def test_held_out_figures_are_given_time() -> None:
    copied = {"changed": 0.02, "followed": 0.02}
    assert kinds(evaluations(copied, copied, start=100)) == [], "the first quarter is too early"
    assert kinds(evaluations(copied)) == []
    assert kinds(evaluations({"changed": 0.05}, {"changed": 0.09}, {"changed": 0.13})) == [], "it rises"
    often = [{"changed": 0.05 + 0.003 * n, "followed": 0.04 + 0.003 * n} for n in range(60)]
    assert kinds(evaluations(*often, every=10)) == [], "it rises, slowly, between evaluations that are close"


def test_a_flat_style_and_none_when_nothing_is_drawn() -> None:
    flat = {"followed": 0.05, "changed": 0.6, "iou": 0.5}
    ((_, kind, words), (_, _, over)) = heard(evaluations(flat, flat, DRAWN))
    assert (kind, over) == ("style_flat", None)
    assert words is not None
    assert "agrees with the target by 5 %" in words
    assert kinds(evaluations(*[{"style_spread": 0.05}] * 2)) == ["style_flat"]
    assert kinds(evaluations(*[{"style_spread": 0.8}] * 2)) == []
    assert kinds(evaluations(*[flat | {"iou": 0.05}] * 2)) == ["draws_nothing"]
    assert kinds(evaluations(*[{"ssim": 0.8}] * 2)) == [], "source and target are the same"


# gradients


def test_bad_gradients() -> None:
    exploding = [*lines(25), *lines(10, 25, gradient=900.0)]
    ((_, kind, words),) = heard(exploding)
    assert kind == "gradient_exploded"
    assert words is not None
    assert "900, after 5 before; try [train] clip_gradient = 1.0" in words
    assert kinds([*lines(25), *lines(1, 25, gradient=900.0), *lines(20, 26)]) == [], "a single step"
    vanishing = [*lines(25), *lines(100, 25, gradient=1e-5)]
    assert kinds(vanishing) == ["gradient_vanished"], "said once, however long it lasts"
    falling = lines(200, gradient=lambda n: 100 * 0.97**n)
    assert kinds(falling) == [], "to 0.2 % of its size, as in a long run"


def test_skipped_steps_and_those_of_a_loss_scale_being_found() -> None:
    ((_, kind, words),) = heard(lines(30, skipped_steps=lambda n: n), precision="bf16")
    assert kind == "steps_skipped"
    assert words is not None
    assert re.search(r"not finite in \d+ of the last \d+ steps", words)
    assert 'try [train] precision = "fp32"' in words
    assert kinds(lines(60, skipped_steps=lambda n: min(n, 3)), precision="fp16") == []
    assert kinds(lines(60, skipped_steps=lambda n: n // 20)) == []


def test_figures_that_are_missing_or_not_finite_break_nothing() -> None:
    nothing = [{"step": 10 * n, "l1": None, "gradient": None, "d_loss": None, "skipped_steps": 0} for n in range(1, 60)]
    assert heard(nothing) == []
    assert heard([{"step": 300, "held_out": {"iou": None}}, {"step": 400, "held_out": {}}]) == []


# what is said


def test_every_setting_named_exists_and_stands_in_its_row_of_the_documentation() -> None:
    rows = rows_under(ROOT / "docs" / "training.md", "## When it does not go well")
    documented = {match[1]: cells[2] for cells in rows if (match := re.match(r"`(\w+)`: ", cells[0]))}
    assert documented.keys() == {each.kind for each in AILMENTS}
    for each in AILMENTS:
        for cure in each.cures:
            table: Any = Recipe
            *path, name = cure.key.split(".")
            for part in path:
                table = table.model_fields[part].annotation
            assert name in table.model_fields, cure.key
            assert re.search(rf"`{name}\b", documented[each.kind]), f"{each.kind}: {name}"


def test_every_advice_is_a_setting_as_it_would_be_written() -> None:
    worst_network = NetworkSettings(source_residual=1.0, skip="concat", norm="batch")
    worst = TrainSettings(
        batch_size=64,
        lr_generator=1e-3,
        lr_discriminator=1e-3,
        precision="bf16",
        losses=LossSettings(l1=0.0, category=0.0),
        balance=BalanceSettings(start=2.0),
    )
    slow = worst.model_copy(update={"lr_generator": 1e-6, "losses": LossSettings(), "steps": 70})
    written = set()
    for each in AILMENTS:
        for cure in each.cures:
            for settings in (worst, slow):
                words = cure.words(worst_network, settings)
                match = re.fullmatch(r"\[([\w.]+)\] (\w+ = .*)", words)
                if match:
                    assert f"{match[1]}.{match[2].partition(' ')[0]}" == cure.key
                    table = "".join(f'"{part}" = {{ ' for part in match[1].split("."))
                    data = tomllib.loads(table + match[2] + " }" * len(match[1].split(".")))
                    part = {"source": {"fonts": ["a"]}, "target": {"font": "b"}}
                    Recipe.model_validate(part | data)
                    written.add(cure.key)
    assert {cure.key for each in AILMENTS for cure in each.cures} - written == {"network.skip_conv"}


def test_the_demo_s_own_history_gives_no_alarm() -> None:
    """Recorded: demo-from-scratch.toml with 480 steps, evaluated every 40, logged every 4, adversary from step 80."""
    history = [json.loads(line) for line in (Path(__file__).parent / "demo_metrics.jsonl").read_text().splitlines()]
    assert sum("held_out" in line for line in history) == 12
    assert heard(history, total=480, lr_generator=1e-3, lr_discriminator=2.5e-4) == []
    # The same history with a discriminator that wins is not healthy: the monitor does look.
    worse = [line | {"d_loss": 0.001, "adversarial": 7.0} if "d_loss" in line else line for line in history]
    assert kinds(worse, total=480) == ["discriminator_won"]


# real trainings


pytestmark = pytest.mark.usefixtures("one_thread")


NETWORK = NetworkSettings(ngf=4, ndf=8, max_channels=8, num_downs=3, embedding_num=2, embedding_dim=4, dropout=0.0)


def trained(folder: Path, network: NetworkSettings = NETWORK, **changes: Any) -> tuple[TrainResult, list[str]]:
    """A training of a second on bars, and what it said."""
    settings = {"batch_size": 4, "steps": 60, "log_every": 1, "evaluate_every": 10, "ema": 0.9, **changes}
    settings["losses"] = {"constancy": 0.0, **settings.get("losses", {})}
    said: list[str] = []
    result = train(
        bar_pairs(),
        network,
        TrainSettings.model_validate(settings),
        folder=folder,
        device="cpu",
        on_health=lambda step, wrong, words: said.append(words),
    )
    return result, said


def test_a_healthy_training_says_nothing(tmp_path: Path) -> None:
    network = NETWORK.model_copy(update={"skip": "concat"})
    result, said = trained(tmp_path, network, lr_generator=5e-3, steps=120, evaluate_every=20)
    assert (result.health, said) == ([], [])
    assert result.figures["followed"] > 0.5


def test_a_discriminator_that_learns_too_fast_wins(tmp_path: Path) -> None:
    result, _ = trained(tmp_path, lr_discriminator=2e-2, losses={"l1": 1.0})
    (episode,) = (each for each in result.health if each["kind"] == "discriminator_won")
    assert "[train] lr_discriminator = 6.25e-05" in episode["words"]
    logged = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()]
    (line,) = (line for line in logged if "discriminator_won" in line.get("health", {}))
    assert line == {"step": episode["from"], "health": {"discriminator_won": episode["words"]}}


def test_a_generator_that_does_not_move_copies_the_source(tmp_path: Path) -> None:
    result, said = trained(tmp_path, NETWORK.model_copy(update={"source_residual": 2.0}), lr_generator=1e-6)
    assert [each["kind"] for each in result.health] == ["copies_source"]
    assert result.health[0]["to"] is None
    assert "changes 0 % of what had to change; try [train] lr_generator = 2.5e-4" in said[0]


def test_without_l1_the_style_is_flat(tmp_path: Path) -> None:
    result, said = trained(tmp_path, lr_generator=5e-3, losses={"l1": 0.0, "edge": 1.0})
    assert result.health[0]["kind"] == "style_flat"
    assert "try [train.losses] l1 = 100" in said[0]


def test_a_learning_rate_far_too_high_kills_the_generator(tmp_path: Path) -> None:
    result, said = trained(tmp_path, lr_generator=0.1, steps=30)
    assert [each["kind"] for each in result.health] == ["gradient_vanished", "draws_nothing"]
    assert all("try [train] lr_generator = 0.00025" in words for words in said)


def test_steps_that_are_left_out_are_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = PairBatches.next
    calls = 0

    def poisoned(self: PairBatches, rng: np.random.Generator) -> Batch:
        nonlocal calls
        calls += 1
        batch = real(self, rng)
        return batch._replace(source_B1HW=batch.source_B1HW * float("nan")) if calls % 4 == 0 else batch

    monkeypatch.setattr(PairBatches, "next", poisoned)
    result, said = trained(tmp_path, steps=20, evaluate_every=20)
    assert [each["kind"] for each in result.health] == ["steps_skipped"]
    assert "of the last" in said[0]


def test_a_resumed_training_knows_what_it_has_said(tmp_path: Path) -> None:
    network, settings = NETWORK.model_copy(update={"source_residual": 2.0}), {"lr_generator": 1e-6}
    whole, _ = trained(tmp_path / "whole", network, **settings)
    said: list[str] = []

    def part(**more: Any) -> TrainResult:
        losses = LossSettings(constancy=0.0)
        full = TrainSettings(batch_size=4, steps=60, log_every=1, evaluate_every=10, ema=0.9, losses=losses, **settings)
        return train(bar_pairs(), network, full, folder=tmp_path / "parts", resume=True, device="cpu", **more)

    def stop(step: int, total: int, figures: Line) -> None:
        if step == 45:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        part(on_progress=stop)
    assert (tmp_path / "parts" / STATE).exists()
    assert part(on_health=lambda step, wrong, words: said.append(words)).health == whole.health
    assert said == [], "it was said before the interruption"


def test_what_is_over_has_words_too() -> None:
    assert all(ailment(each.kind).cured and each.cures for each in AILMENTS)
    assert len({each.cured for each in AILMENTS}) == len(AILMENTS)
