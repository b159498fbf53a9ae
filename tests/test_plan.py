"""The plan of a training: its foretold memory is the measured one, and its advice fits."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from click.testing import CliRunner, Result
from safetensors.torch import save_file
from tiny_build import make_project
from torch.profiler import ProfilerActivity, profile

from fontgen.cli import main
from fontgen.errors import RecipeError
from fontgen.zi2zi import planning
from fontgen.zi2zi.device import repeatable
from fontgen.zi2zi.loss_settings import BalanceSettings, LossSettings
from fontgen.zi2zi.memory import Memory, fitting_batch, foretell
from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.planning import GB, Plan, Remedy, duration, make_plan, room_for_tensors
from fontgen.zi2zi.probe import Timing, random_batches, time_steps
from fontgen.zi2zi.rehearsal import rehearsing
from fontgen.zi2zi.settings import TrainSettings
from fontgen.zi2zi.step import Networks

CPU = torch.device("cpu")
DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
SMALL = {"ngf": 16, "ndf": 16, "num_downs": 4, "embedding_num": 2, "embedding_dim": 8}

CASES: dict[str, tuple[dict[str, Any], dict[str, Any], int]] = {
    "plain": ({}, {"batch_size": 4}, 64),
    "wide": ({"ngf": 64, "ndf": 64}, {"batch_size": 2}, 32),
    "concatenated, accumulated": ({"skip": "concat"}, {"batch_size": 3, "accumulate": 3}, 64),
    "attention with its scores": ({"attention": (16, 32)}, {"batch_size": 2}, 64),
    "batch norm, one size up": ({"norm": "batch", "discriminator_norm": "none"}, {"batch_size": 1}, 128),
    "R1, group norm": (
        {"discriminator_norm": "group", "norm": "group"},
        {"batch_size": 4, "balance": BalanceSettings(r1=1.0)},
        64,
    ),
    "many losses": (
        {"spectral_norm": True},
        {"batch_size": 4, "losses": LossSettings(feature_matching=10.0, edge=5.0, dice=10.0, constancy=0.0)},
        64,
    ),
    "no adversary, spatial constancy": (
        {},
        {
            "batch_size": 4,
            "losses": LossSettings(constancy_kind="spatial"),
            "balance": BalanceSettings(mode="fixed", start=0.0),
        },
        64,
    ),
    "bf16, channels first": ({}, {"batch_size": 8, "precision": "bf16", "channels_last": False}, 64),
    "stacked attention, levels computed again": (
        {"attention": (16,), "attention_layers": 2, "spectral_norm_generator": True},
        {"batch_size": 4, "checkpoint_activations": True},
        64,
    ),
    "fp16, optimizers not fused": ({}, {"batch_size": 8, "precision": "fp16", "fused": False}, 64),
}


pytestmark = pytest.mark.usefixtures("one_thread")


def networks_of(case: str) -> tuple[NetworkSettings, TrainSettings, int]:
    network, training, size_px = CASES[case]
    return NetworkSettings.model_validate(SMALL | network), TrainSettings(**training), size_px


def measured_peak(network: NetworkSettings, settings: TrainSettings, size_px: int, device: torch.device) -> int:
    """Bytes at the peak of two real steps: of torch's allocator on CUDA, of its every allocation on a CPU."""

    def two_steps() -> None:
        networks = Networks(network, settings, size_px, device)
        for _ in range(2):
            state = networks.balance.state()
            networks.update(settings.balance.d_start, random_batches(settings.accumulate, *each, device), 0.0)
            networks.balance.restore(state)

    each = settings.batch_size, size_px
    with repeatable(device):
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            two_steps()
            return torch.cuda.max_memory_allocated(device)
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
            two_steps()
    assert profiler.profiler is not None
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    now = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        now += event.nbytes()
        peak = max(peak, now)
    return peak


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("case", CASES)
def test_the_foretold_peak_is_the_measured_one_within_15_percent(case: str, device: str) -> None:
    network, settings, size_px = networks_of(case)
    where = torch.device(device)
    foretold = foretell(network, settings, size_px, where).peak
    measured = measured_peak(network, settings, size_px, where)
    print(f"{case} on {device}: foretold {foretold:,}, measured {measured:,}, {foretold / measured - 1:+.1%}")
    assert abs(foretold / measured - 1) < 0.15


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_the_perceptual_loss_is_foretold_too(tmp_path: Path, ending: str) -> None:
    features = torchvision.models.vgg16(weights=None).features
    tensors = {f"features.{name}": tensor for name, tensor in features.state_dict().items()}
    path = tmp_path / f"vgg16.{ending}"
    (torch.save if ending == "pth" else save_file)(tensors, path)
    network, settings, size_px = networks_of("plain")
    losses = LossSettings(perceptual=0.02, perceptual_weights=path)
    settings = settings.model_copy(update={"losses": losses, "batch_size": 12})
    foretold = foretell(network, settings, size_px, CPU).peak
    assert abs(foretold / measured_peak(network, settings, size_px, CPU) - 1) < 0.15


def test_the_parts_are_those_of_real_networks() -> None:
    network, settings, size_px = networks_of("many losses")
    memory = foretell(network, settings, size_px, CPU)
    networks = Networks(network, settings, size_px, CPU)
    networks.update(0, random_batches(1, settings.batch_size, size_px, CPU), 0.0)
    for number, module in (
        (memory.generator_parameters, networks.generator),
        (memory.discriminator_parameters, networks.discriminator),
    ):
        assert number == sum(p.numel() for p in module.parameters())
    sizes = {name: sum(tensor.nbytes for tensor in tensors.values()) for name, tensors in networks.groups().items()}
    assert memory.weights == sizes["generator"] + sizes["discriminator"]
    assert memory.mean == sizes["mean"]
    assert memory.optimizers == sizes["optimizer_g"] + sizes["optimizer_d"]
    assert memory.gradients == 4 * (memory.generator_parameters + memory.discriminator_parameters)
    assert memory.peak == memory.standing + memory.gradients + memory.working
    assert len(memory.levels) == 4
    # What the outermost level draws from is a map of the level below it, which is activated in place.
    assert list(memory.levels[1:]) == sorted(memory.levels[1:], reverse=True)
    image = 4 * settings.batch_size * (size_px // 2) ** 2 * 16
    assert memory.levels[0] > image, "the map down, and the drawing"
    assert memory.levels[1] > image, "the map up, and its own"
    assert image < memory.verdict < memory.working


def test_a_large_training_is_foretold_in_seconds_without_its_memory() -> None:
    """384 px, ngf 64, batch 32, attention at 48 px: many gigabytes, of which none is touched."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        started = time.process_time()
        memory = foretell(NetworkSettings(attention=(24, 48)), TrainSettings(batch_size=32), 384, CPU)
        seconds = time.process_time() - started
    assert 52e6 < memory.generator_parameters < 53e6
    assert memory.peak > 6 * GB
    assert seconds < 60
    assert profiler.profiler is not None
    touched = sum(
        max(0, event.nbytes())
        for event in profiler.profiler.kineto_results.events()
        if event.name() == "[memory]" and str(event.device_type()).endswith("CPU")
    )
    assert touched < GB / 4


def test_memory_grows_with_the_batch_and_shrinks_with_the_network() -> None:
    network, settings, size_px = networks_of("plain")

    def peak(**changes: Any) -> int:
        return foretell(network, settings.model_copy(update=changes), size_px, CPU).peak

    assert peak(batch_size=2) < peak() < peak(batch_size=8)
    assert peak(accumulate=2) == peak(accumulate=9), "the second pass finds gradients, the ninth no more than they"
    assert peak() <= peak(accumulate=2)
    narrow = network.model_copy(update={"ngf": 8, "ndf": 8})
    assert foretell(narrow, settings, size_px, CPU).peak < peak()


def test_rehearsing_leaves_torch_as_it_was() -> None:
    swap = torch.utils.swap_tensors
    with rehearsing() as counter:
        assert torch.ones(1000).sum().item() == 1.0
        assert torch.ones(2, 2).tolist() == [[1.0, 1.0], [1.0, 1.0]]
        kept = torch.zeros(1000)
        assert (counter.now, counter.peak >= 4000) == (4000, True)
        del kept
        assert counter.now == 0
    with pytest.raises(RecipeError, match="do not go together"):
        foretell(NetworkSettings(num_downs=8), TrainSettings(), 384, CPU)
    assert torch.utils.swap_tensors is swap
    assert torch.ones(3).sum().item() == 3.0


def test_the_fitting_batch_is_the_largest_that_keeps_the_effective_batch() -> None:
    network, settings, size_px = networks_of("plain")
    settings = settings.model_copy(update={"batch_size": 12, "accumulate": 1})
    peaks = {
        size: foretell(
            network, settings.model_copy(update={"batch_size": size, "accumulate": 12 // size}), size_px, CPU
        ).peak
        for size in (1, 4, 6, 12)
    }
    assert fitting_batch(network, settings, size_px, peaks[12]) == (12, 1)
    assert fitting_batch(network, settings, size_px, peaks[12] - 1) == (6, 2)
    assert fitting_batch(network, settings, size_px, peaks[6] - 1) == (4, 3)
    assert fitting_batch(network, settings, size_px, peaks[12], below=5) == (4, 3)
    assert fitting_batch(network, settings, size_px, peaks[1] - 1) is None


def test_every_kind_of_step_is_timed_by_its_share() -> None:
    network, settings, size_px = networks_of("plain")
    settings = settings.model_copy(update={"balance": BalanceSettings(d_start=2, d_every=2, r1=1.0, r1_every=3)})
    timing = time_steps(network, settings, size_px, CPU, steps=10)
    assert timing.batch_size == 4
    assert timing.seconds_per_image > 0
    assert timing.peak_bytes is None
    assert time_steps(network, settings, size_px, CPU, steps=10, most_pairs=2).batch_size <= 2


# what a plan says


def memory_of(peak: int) -> Memory:
    return Memory(
        generator_parameters=1_500_000,
        discriminator_parameters=500_000,
        weights=8 * 2**20,
        mean=6 * 2**20,
        optimizers=16 * 2**20,
        gradients=8 * 2**20,
        peak=peak,
        levels=(GB, GB // 2),
        verdict=GB // 4,
    )


def plan_of(**changes: Any) -> Plan:
    values: dict[str, Any] = {
        "device": "cpu",
        "size_px": 256,
        "levels": [(128, 64), (64, 128)],
        "batch_size": 16,
        "accumulate": 2,
        "memory": memory_of(5 * GB),
        "room": 3 * GB,
        "room_of": "a card of 4.00 GB",
        "fit": (8, 4),
        "fit_peak": int(2.5 * GB),
        "training_pairs": 1000,
        "steps": 500,
        "timing": Timing(batch_size=4, seconds_per_image=0.01, peak_bytes=None),
        "remedies": [
            Remedy(change="no attention", peak=4 * GB, fits=False),
            Remedy(change="ngf 48 and ndf 48", peak=2 * GB, fits=True),
        ],
    }
    return Plan(**values | changes)


def test_what_does_not_fit_is_advised_in_plain_words() -> None:
    plan = plan_of()
    assert not plan.fits
    assert list(plan.advice()) == [
        "does not fit: use batch_size 8 with accumulate 4, the same 32 pairs a step in 2.50 GB",
        "or no attention: 4.00 GB, not enough",
        "or ngf 48 and ndf 48: 2.00 GB, fits",
    ]
    lines = list(plan.lines())
    assert "peak           5.00 GB of 3.00 GB (a card of 4.00 GB): does not fit" in lines
    assert "maps kept      128 px x 64: 1,024 MB, 64 px x 128: 512 MB; discriminator: 256 MB" in lines
    assert (
        "time           0.32 s a step, 10 s an epoch, 3 min for all 500 steps (16.0 epochs), evaluations not counted"
        in lines
    )
    assert "               measured on this device (cpu) with 4 at a time: 100 images/s" in lines
    assert next(plan_of(fit=None, fit_peak=None).advice()) == "does not fit, not even with batch_size 1"


def test_what_fits_needs_no_advice_but_may_hear_of_a_larger_batch() -> None:
    assert list(plan_of(room=6 * GB, fit=(16, 2), remedies=[]).advice()) == []
    (line,) = plan_of(room=9 * GB, fit=(32, 1), fit_peak=8 * GB, remedies=[]).advice()
    assert line == "batch_size 32 with accumulate 1 fits as well (8.00 GB): fewer, larger passes for the same step"
    unknown = plan_of(room=None, room_of="unknown", timing=None, remedies=[])
    assert unknown.fits
    assert "peak           5.00 GB" in list(unknown.lines())
    assert "time           not measured: the networks do not fit into this device's memory" in list(unknown.lines())


def test_the_room_of_a_card_leaves_out_what_is_not_for_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    room, words = room_for_tensors(CPU, 4 * GB)
    assert room is not None
    assert 3 * GB < room < 3.4 * GB
    assert words == "a card of 4.00 GB"
    assert room_for_tensors(CPU, GB // 4) == (0, "a card of 0.25 GB")
    monkeypatch.setattr(planning, "total_memory_gb", lambda: None)
    assert room_for_tensors(CPU) == (None, "unknown")
    monkeypatch.setattr(planning, "total_memory_gb", lambda: 8.0)
    machine, words = room_for_tensors(CPU)
    assert machine is not None
    assert 6 * GB < machine < 8 * GB
    assert words == "this machine's memory"


def test_a_plan_for_too_small_a_card_says_what_would_fit() -> None:
    network, settings, size_px = networks_of("attention with its scores")
    settings = settings.model_copy(update={"batch_size": 8})
    alone = foretell(network, settings.model_copy(update={"batch_size": 2, "accumulate": 4}), size_px, CPU).peak
    vram = int(alone / planning.USABLE) + planning.CONTEXT_BYTES + 2**20
    plan = make_plan(network, settings, size_px, CPU, training_pairs=40, vram_bytes=vram)
    assert not plan.fits
    assert plan.fit == (2, 4)
    assert plan.fit_peak == alone
    assert plan.steps == -(-60 * 40 // 8)
    assert plan.timing is not None
    assert plan.seconds_per_epoch == pytest.approx(40 * plan.timing.seconds_per_image)
    changes = {remedy.change: remedy for remedy in plan.remedies}
    assert {"no attention", "all of these with batch_size 1"} <= changes.keys()
    assert all(remedy.peak < plan.memory.peak for remedy in plan.remedies)
    assert changes["all of these with batch_size 1"].fits


def test_a_plan_that_no_memory_holds_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    network, settings, size_px = networks_of("plain")
    monkeypatch.setattr(planning, "total_memory_gb", lambda: planning.CONTEXT_BYTES / GB + 0.001)
    plan = make_plan(network, settings, size_px, CPU, training_pairs=40)
    assert (plan.timing, plan.seconds, plan.fit, plan.fits) == (None, None, None, False)


@pytest.mark.parametrize(("seconds", "words"), [(0.0123, "0.0123 s"), (95, "95 s"), (600, "10 min"), (7201, "2.0 h")])
def test_durations_are_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


# the command


def plan_command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["plan", *map(str, arguments)])


def test_the_command_prints_a_plan_and_writes_it_as_json(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    project.recipe.write_text(project.recipe.read_text() + '\n[output]\nfolder = "out"\n')
    result = plan_command(project.recipe, "--vram", "4G", "--json", tmp_path / "plan.json")
    assert result.exit_code == 0, result.output
    assert "pairs          20 to train on, 4 held out" in result.stdout
    assert "(a card of 4.00 GB): fits" in result.stdout
    plan = json.loads((tmp_path / "plan.json").read_text())
    assert (plan["pairs"], plan["held_out"], plan["training_pairs"], plan["steps"]) == (24, 4, 20, 3)
    assert plan["memory"]["peak"] > plan["memory"]["weights"] > 0
    assert (plan["batch_size"], plan["fits"], plan["preset"]) == (4, True, None)
    assert not project.out.exists(), "planning builds nothing"
    with_preset = plan_command(project.recipe, "--preset", "cpu", "--vram", "800M")
    assert with_preset.exit_code == 0, with_preset.output
    assert with_preset.stdout.startswith("preset         cpu\n")
    assert "(a card of 0.78 GB)" in with_preset.stdout


@pytest.mark.parametrize("amount", ["4", "much", "0G", "-4G", "4T"])
def test_an_amount_of_memory_that_is_none_is_named(tmp_path: Path, amount: str) -> None:
    result = plan_command(make_project(tmp_path).recipe, f"--vram={amount}")
    assert result.exit_code == 2
    assert f"'{amount}' is no amount of memory; write 4G or 800M" in result.stderr


def test_an_unknown_preset_is_named_with_the_list(tmp_path: Path) -> None:
    result = plan_command(make_project(tmp_path).recipe, "--preset", "t5")
    assert result.exit_code == 2
    assert "no preset 't5'; choose cpu, laptop-4gb, t4, quality-24gb, h200" in result.stderr
