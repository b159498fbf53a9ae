"""What a training needs before it is begun: memory against the room there is, time, and what to change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch

from fontgen.errors import RecipeError
from fontgen.parallel import total_memory_gb
from fontgen.zi2zi.memory import Memory, fitting_batch, foretell
from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.probe import Timing, time_steps
from fontgen.zi2zi.settings import TrainSettings

GB = 2**30

CONTEXT_BYTES = 720 * 2**20
"""What a process takes besides its tensors: CUDA's context and libraries on a card (rule of thumb: 0.3 to 0.6 GB),
on a CPU python and torch with their code (measured with torch 2.15: 0.7 GB resident)."""

USABLE = 0.95
"""The share of the rest that tensors can fill before an allocator runs out of pieces large enough. Rule of thumb."""

NO_ATTENTION: dict[str, Any] = {"attention": (), "attention_up": ()}

_NARROWER = 48
"""ngf and ndf that are advised where memory lacks; below it the drawing suffers. Rule of thumb."""


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """One change that takes less memory."""

    change: str
    peak: int
    fits: bool


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a training will cost, and what there is."""

    device: str
    size_px: int
    levels: list[tuple[int, int]]
    """(width in px, channels) of the generator's levels, outermost first."""
    batch_size: int
    accumulate: int
    memory: Memory
    """At the batch size of the recipe."""
    room: int | None
    """Bytes there are for tensors; None where nobody can tell."""
    room_of: str
    """Whose room it is."""
    fit: tuple[int, int] | None
    """The largest (batch_size, accumulate) that fits with the same effective batch."""
    fit_peak: int | None
    training_pairs: int
    steps: int
    timing: Timing | None
    """None when nothing could be timed on this device."""
    remedies: list[Remedy]
    """When the recipe as it is does not fit."""

    @property
    def fits(self) -> bool:
        return self.room is None or self.memory.peak <= self.room

    @property
    def effective_batch(self) -> int:
        return self.batch_size * self.accumulate

    @property
    def seconds(self) -> float | None:
        """The whole run, without evaluations."""
        return self.timing.seconds_per_image * self.effective_batch * self.steps if self.timing else None

    @property
    def seconds_per_epoch(self) -> float | None:
        return self.timing.seconds_per_image * self.training_pairs if self.timing else None

    def to_json(self) -> dict[str, Any]:
        data = asdict(self)
        return data | {
            "fits": self.fits,
            "effective_batch": self.effective_batch,
            "seconds": self.seconds,
            "seconds_per_epoch": self.seconds_per_epoch,
            "advice": list(self.advice()),
        }

    def advice(self) -> Iterator[str]:
        """What to do, in plain words."""
        if self.fits:
            if self.fit and self.fit_peak and self.fit[0] > self.batch_size:
                yield (
                    f"batch_size {self.fit[0]} with accumulate {self.fit[1]} fits as well ({gb(self.fit_peak)}): "
                    "fewer, larger passes for the same step"
                )
            return
        if self.fit and self.fit_peak:
            yield (
                f"does not fit: use batch_size {self.fit[0]} with accumulate {self.fit[1]}, the same "
                f"{self.effective_batch} pairs a step in {gb(self.fit_peak)}"
            )
        else:
            yield "does not fit, not even with batch_size 1"
        for remedy in self.remedies:
            yield f"or {remedy.change}: {gb(remedy.peak)}, {'fits' if remedy.fits else 'not enough'}"

    def lines(self) -> Iterator[str]:
        """All of it for people."""
        memory = self.memory
        levels = [
            f"{width} px x {channels}: {mb(kept)}"
            for (width, channels), kept in zip(self.levels, memory.levels, strict=True)
        ]
        yield f"generator      {memory.generator_parameters / 1e6:.3f} M parameters"
        yield f"discriminator  {memory.discriminator_parameters / 1e6:.3f} M parameters"
        yield f"batch          {self.batch_size}, {self.accumulate} a step: {self.effective_batch} pairs"
        yield (
            f"standing       {mb(memory.weights)} weights, {mb(memory.mean)} running mean, "
            f"{mb(memory.optimizers)} optimizers"
        )
        yield f"in a step      {mb(memory.gradients)} gradients, {mb(memory.working)} maps and all else at the peak"
        yield f"maps kept      {', '.join(levels)}; discriminator: {mb(memory.verdict)}"
        if self.room is None:
            yield f"peak           {gb(memory.peak)}"
        else:
            verdict = "fits" if self.fits else "does not fit"
            yield f"peak           {gb(memory.peak)} of {gb(self.room)} ({self.room_of}): {verdict}"
        if self.timing and self.timing.peak_bytes:
            yield f"measured peak  {gb(self.timing.peak_bytes)} at batch_size {self.timing.batch_size}, on this device"
        yield from self._time_lines()
        for number, line in enumerate(self.advice()):
            yield f"{'' if number else 'advice':<14} {line}"

    def _time_lines(self) -> Iterator[str]:
        if self.timing is None or self.seconds is None or self.seconds_per_epoch is None:
            yield "time           not measured: the networks do not fit into this device's memory"
            return
        each = self.timing.seconds_per_image
        yield (
            f"time           {duration(each * self.effective_batch)} a step, "
            f"{duration(self.seconds_per_epoch)} an epoch, {duration(self.seconds)} for all {self.steps:,} steps "
            f"({self.steps * self.effective_batch / self.training_pairs:.1f} epochs), evaluations not counted"
        )
        yield (
            f"               measured on this device ({self.device}) with {self.timing.batch_size} at a time: "
            f"{1 / each:.3g} images/s"
        )


def make_plan(
    network: NetworkSettings,
    settings: TrainSettings,
    size_px: int,
    device: torch.device,
    *,
    training_pairs: int,
    vram_bytes: int | None = None,
) -> Plan:
    """Foretell the memory, time a few steps, and look for what fits.

    `vram_bytes` is the memory of the card to plan for; without it the plan is for this device.
    Raises RecipeError for settings that do not go together.
    """
    room, room_of = room_for_tensors(device, vram_bytes)
    here, _ = room_for_tensors(device)
    steps = settings.total_steps(training_pairs)
    memory = foretell(network, settings, size_px, device)
    timing = None
    each = (memory.peak - memory.standing) / settings.batch_size
    if here is None or memory.standing + each <= here:
        most = None if here is None else max(1, int((here - memory.standing) / each))
        timing = time_steps(network, settings, size_px, device, steps=steps, most_pairs=most)
    fit: tuple[int, int] | None = (settings.batch_size, settings.accumulate)
    fit_peak = memory.peak
    remedies: list[Remedy] = []
    if room is not None:
        fit = fitting_batch(network, settings, size_px, room, device=device)
        if fit is not None and fit[0] != settings.batch_size:
            fit_peak = foretell(network, _split(settings, fit), size_px, device).peak
        if memory.peak > room:
            remedies = list(_remedies(network, settings, size_px, device, room))
    return Plan(
        device=str(device),
        size_px=size_px,
        levels=[(size_px >> level + 1, count) for level, count in enumerate(network.channels_for(size_px))],
        batch_size=settings.batch_size,
        accumulate=settings.accumulate,
        memory=memory,
        room=room,
        room_of=room_of,
        fit=fit,
        fit_peak=fit_peak if fit else None,
        training_pairs=training_pairs,
        steps=steps,
        timing=timing,
        remedies=remedies,
    )


def room_for_tensors(device: torch.device, vram_bytes: int | None = None) -> tuple[int | None, str]:
    """Bytes that tensors may take, and whose they are: of a card of `vram_bytes`, or of this device."""
    if vram_bytes is not None:
        return max(0, int(USABLE * (vram_bytes - CONTEXT_BYTES))), f"a card of {gb(vram_bytes)}"
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        # What torch holds in this process is this training's as well.
        return int(USABLE * (free + torch.cuda.memory_reserved(device))), "free on this GPU"
    total = total_memory_gb()
    if total is None:
        return None, "unknown"
    return max(0, int(USABLE * (total * GB - CONTEXT_BYTES))), "this machine's memory"


def _remedies(
    network: NetworkSettings, settings: TrainSettings, size_px: int, device: torch.device, room: int
) -> Iterator[Remedy]:
    """Changes that take less memory, each alone at the recipe's batch, then all of them with one pair at a time."""
    together: tuple[dict[str, Any], dict[str, Any]] = {}, {}
    for change, of_network, of_training in _changes(network, settings):
        together[0].update(of_network)
        together[1].update(of_training)
        yield _remedy(change, network, settings, size_px, device, room, of_network, of_training)
    if any(together):
        one = {"batch_size": 1, "accumulate": settings.batch_size * settings.accumulate}
        change = "all of these with batch_size 1"
        yield _remedy(change, network, settings, size_px, device, room, together[0], together[1] | one)
    if size_px > 256:
        try:
            yield _remedy("a canvas of 256 px", network, settings, 256, device, room, NO_ATTENTION, {})
        except RecipeError:
            return  # num_downs or other settings bound to this canvas


def _changes(network: NetworkSettings, settings: TrainSettings) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """(words, changes of the network, changes of the training) of what this recipe can still do."""
    if settings.precision == "fp32":
        yield 'precision = "bf16" (fp16 on cards without it)', {}, {"precision": "bf16"}
    if not settings.checkpoint_activations and settings.compile == "off":
        yield "checkpoint_activations = true (slower, same result)", {}, {"checkpoint_activations": True}
    if network.attention or network.attention_up:
        yield "no attention", NO_ATTENTION, {}
    if network.ngf > _NARROWER:
        ndf = min(network.ndf, _NARROWER)
        yield f"ngf {_NARROWER} and ndf {ndf}", {"ngf": _NARROWER, "ndf": ndf}, {}


def _remedy(
    change: str,
    network: NetworkSettings,
    settings: TrainSettings,
    size_px: int,
    device: torch.device,
    room: int,
    of_network: dict[str, Any],
    of_training: dict[str, Any],
) -> Remedy:
    other = network.model_copy(update=of_network), settings.model_copy(update=of_training)
    peak = foretell(*other, size_px, device).peak
    return Remedy(change=change, peak=peak, fits=peak <= room)


def _split(settings: TrainSettings, split: tuple[int, int]) -> TrainSettings:
    return settings.model_copy(update={"batch_size": split[0], "accumulate": split[1]})


def gb(number: int) -> str:
    """`3.2 GB`: 1 GB is 2^30 bytes, as cards count it."""
    return f"{number / GB:.2f} GB" if number < 10 * GB else f"{number / GB:.1f} GB"


def mb(number: int) -> str:
    """`220 MB`: 1 MB is 2^20 bytes."""
    return f"{number / 2**20:,.0f} MB" if number >= 2**23 else f"{number / 2**20:.1f} MB"


def duration(seconds: float) -> str:
    """`0.25 s`, `95 s`, `12 min`, `5.3 h`."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
