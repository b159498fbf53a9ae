"""The training stage. It needs torch, which it imports when it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from fontTools.ttLib import TTFont
from numpy.typing import NDArray

from fontgen.errors import TrainingError
from fontgen.files import read_json, write_json
from fontgen.fonts.licence import licence_of
from fontgen.glyphs.pairs import PairSet
from fontgen.proof.sheet import SheetRow, contact_sheet
from fontgen.stages.build import Build, Outcome, Stage
from fontgen.workspace import RUN, StageFolder, fingerprint
from fontgen.zi2zi.header import read_header


def require_device(build: Build) -> None:
    """A missing GPU must show before hours of drawing, not after. Raises RecipeError."""
    if build.device != "cpu":
        from fontgen.zi2zi.device import resolve_device

        resolve_device(build.device)


def require_training(build: Build) -> None:
    """What training lacks must show at once, too. Raises CheckpointError or TrainingError."""
    from fontgen.zi2zi.metrics import MetricsLog
    from fontgen.zi2zi.perceptual import find_weights

    settings = build.recipe.train
    if settings.losses.perceptual:
        find_weights(settings.losses.perceptual_weights)
    MetricsLog(build.folder("train").path, tensorboard=settings.tensorboard)


def _trains(build: Build) -> bool:
    return build.recipe.infer.checkpoint is None


def _train_inputs(build: Build) -> Any:
    recipe = build.recipe
    given = [recipe.network.model_dump(mode="json"), recipe.train.decisive(), version("torch")]
    weights = build.hashes_of("train.")
    return [*given, weights] if weights else given


def _run_train(build: Build, folder: StageFolder) -> Outcome:
    from fontgen.zi2zi.header import read_metadata
    from fontgen.zi2zi.keeping import kept_checkpoints
    from fontgen.zi2zi.trainer import STATE, train

    recipe, pairs = build.recipe, PairSet.open(build.folder("pairs").path)
    processes = build.team.size if build.team else 1
    total = recipe.train.total_steps(int((~pairs.held_out).sum()), processes)
    resume = _is_same_run(folder.path / RUN, build, processes) and (folder.path / STATE).exists()
    done = 0
    if resume:
        done = int(read_metadata(folder.path / STATE)["trainer"]["step"])
        build.talk.line(f"  going on with the interrupted training, from step {done}")
    order(build, "train", folder=folder.path, resume=resume)
    with build.talk.progress("train", total, done=done) as update:
        result = train(
            pairs,
            recipe.network,
            recipe.train,
            folder=folder.path,
            resume=resume,
            device=build.device,
            metadata=_metadata(build),
            on_progress=lambda step, total, figures: update(step, _progress_words(figures)),
            on_sample=lambda step, *images: _write_sample(folder.path, step, *images),
            on_evaluated=lambda step: _draw_curves(folder.path),
            on_health=lambda step, wrong, words: _say_health(build, step, wrong, words),
            **_with_team(build),
        )
    for line in _start_lines(result.checkpoint):
        build.talk.line(f"  {line}")
    if result.ended:
        build.talk.line(f"  {result.ended}")
    name = result.checkpoint.name
    figures = {
        "checkpoint": name,
        "steps": result.step,
        "skipped": result.skipped_steps,
        "held_out": result.figures,
        "ended": result.ended,
        "health": result.health,
        "checkpoints": kept_checkpoints(folder.path),
    }
    return Outcome(figures, [name])


def _start_lines(checkpoint: Path) -> Iterator[str]:
    """What a training that did not start afresh began with."""
    start = read_header(checkpoint).metadata.get("start", {})
    for name, known in start.get("began_as", {}).items():
        yield f"{name}: began as {known}"
    if start:
        yield f"discriminator: {'taken over' if start['discriminator'] else 'fresh'}"


def _is_same_run(path: Path, build: Build, processes: int) -> bool:
    """Whether the interrupted training was this one; this one is noted in its place.

    The same pairs in a step may be split otherwise: into smaller batches where memory ran out, or over
    more processes. The trainer refuses to go on with another number of them, which for one and the same
    recipe means that the number of processes has changed.
    """
    settings = build.recipe.train
    network, decisive, *rest = _train_inputs(build)
    decisive = {k: v for k, v in decisive.items() if k not in {"batch_size", "accumulate"}}
    run = {
        "mark": fingerprint(build.marks["pairs"], network, decisive, rest),
        "shares": [settings.batch_size, settings.accumulate],
        "effective_batch": settings.effective_batch(processes),
    }
    found = read_json(path) if path.exists() else None
    was = found if isinstance(found, dict) else {}
    same = was.get("mark") == run["mark"] and (
        was.get("effective_batch") == run["effective_batch"] or was.get("shares") == run["shares"]
    )
    if not same or was.get("effective_batch") == run["effective_batch"]:
        write_json(path, run)
    return same


def order(build: Build, name: str, **arguments: Any) -> None:
    """Have the other processes do the same, where there are any."""
    if build.team:
        build.team.told((name, arguments))


def _with_team(build: Build) -> dict[str, Any]:
    return {"team": build.team} if build.team else {}


def train_along(build: Build, *, folder: Path, resume: bool) -> None:
    """Another process's part of `train`: its share of every batch."""
    from fontgen.zi2zi.trainer import train

    recipe, pairs = build.recipe, PairSet.open(build.folder("pairs").path)
    train(pairs, recipe.network, recipe.train, folder=folder, resume=resume, device=build.device, team=build.team)


def _progress_words(figures: Mapping[str, Any]) -> str:
    """Losses, lambda_adv, speed and, on a GPU, the peak of its memory; what was not measured is left out."""
    shown = {
        "l1": "l1 {:.3g}",
        "adversarial": "adversarial {:.3g}",
        "d_loss": "d_loss {:.3g}",
        "lambda_adv": "lambda_adv {:.2g}",
        "images_per_second": "{:.3g} images/s",
        "gpu_gib": "{:.1f} GiB",
    }
    return ", ".join(text.format(figures[key]) for key, text in shown.items() if figures.get(key) is not None)


def _write_sample(folder: Path, step: int, *images: NDArray[np.uint8]) -> None:
    """A sheet of the same held-out characters at every evaluation: source, generated, truth."""
    rows = [SheetRow(f"{number + 1}", list(row)) for number, row in enumerate(zip(*images, strict=True))]
    headings = ("source", "generated", "truth")
    contact_sheet(rows, headings, folder / "samples" / f"{step:07d}.png", title=f"step {step}", tile_px=128)


def _say_health(build: Build, step: int, wrong: bool, words: str) -> None:
    (build.talk.warn if wrong else build.talk.line)(f"train, step {step}: {words}")


def _draw_curves(folder: Path) -> None:
    """The curves so far. Where there is nothing to draw yet, or somebody damaged a line, training goes on."""
    from fontgen.proof.curves import plot_curves

    with suppress(TrainingError):
        plot_curves(folder / "metrics.jsonl", folder / "curves.png")


def _metadata(build: Build) -> dict[str, Any]:
    """What a checkpoint must know to be used alone: placements, fonts, their hashes and licences, the recipe, and
    the same of the checkpoints that it comes from."""
    from fontgen.zi2zi.lineage import lineage

    fonts = {
        key: {"file": path.name, "sha256": build.input_hashes[key], **_licence(key, path)}
        for key, path in build.recipe.input_files().items()
        if not key.startswith("train.")
    }
    start = build.recipe.train.start_from
    before = {"lineage": lineage(start, build.input_hashes["train.start_from"], read_header(start))} if start else {}
    return {
        **before,
        "placements": build.placement_records(),
        "fit": build.recipe.fit,
        "fonts": fonts,
        "recipe": {"name": build.recipe.name, "mark": build.marks.get("pairs", "")},
    }


def _licence(key: str, path: Path) -> dict[str, str]:
    """Copyright and licence of an input font; nothing for a folder of images."""
    if key.endswith(".images"):
        return {}
    with TTFont(path, fontNumber=0, lazy=True) as font:
        found = licence_of(font)
    return {"copyright": found.copyright, "licence": found.url or found.licence}


STAGES = (Stage("train", _train_inputs, _run_train, after=("pairs",), wanted=_trains),)
