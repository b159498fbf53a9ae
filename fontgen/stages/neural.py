"""Training and inference: the stages that need torch, which they import when they run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from fontTools.ttLib import TTFont
from numpy.typing import NDArray

from fontgen.canvas import Canvas
from fontgen.errors import CheckpointError, FontError, TrainingError, codepoint_name
from fontgen.files import read_json, write_json
from fontgen.fonts.face import FontRef, open_face
from fontgen.fonts.licence import licence_of
from fontgen.fonts.stack import FontStack
from fontgen.glyphs.pairs import PairSet
from fontgen.glyphs.render import box_fit, render_ink
from fontgen.glyphs.store import ImageFolder, image_name, keeping_records, write_ink, write_manifest
from fontgen.proof.sheet import SheetRow, contact_sheet
from fontgen.report import Report
from fontgen.stages.build import Build, Outcome, Stage, placements_from, stale_images
from fontgen.stages.redo import Means
from fontgen.workspace import RUN, StageFolder, file_hash, fingerprint
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


# train


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
    _order(build, "train", folder=folder.path, resume=resume)
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


def _order(build: Build, name: str, **arguments: Any) -> None:
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


# infer


def _infer_inputs(build: Build) -> Any:
    redone = {codepoint_name(c): _means_key(build, means) for c, means in build.redo.glyphs.items()}
    return [build.hashes_of("infer."), build.style.weights, build.draws_target, build.recipe.infer.passes, redone]


def _means_key(build: Build, means: Means) -> list[Any]:
    other = build.redo.checkpoint(means)
    return [means.passes, means.shift_em, file_hash(other) if other else ""]


def infer_keys(build: Build, source_keys: Mapping[int, str]) -> dict[int, str]:
    """Key of each drawn glyph, from that of its source. Reads the checkpoint."""
    shared = fingerprint(file_hash(build.checkpoint()), build.style.weights, build.recipe.infer.passes)
    redone = build.redo.glyphs
    return {
        c: fingerprint(shared, key, *(_means_key(build, redone[c]) if c in redone else ()))
        for c, key in source_keys.items()
    }


def _by_means(build: Build, codepoints: Iterable[int]) -> dict[Means | None, list[int]]:
    """Codepoints by how they are drawn: first those as the recipe says, under None."""
    groups: dict[Means | None, list[int]] = {None: []}
    for codepoint in codepoints:
        means = build.redo.glyphs.get(codepoint)
        groups.setdefault(means.model_copy(update={"attempt": 1}) if means else None, []).append(codepoint)
    return groups


def _draw(
    build: Build, source: ImageFolder, groups: Mapping[Means | None, list[int]]
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """(codepoint, ink) of each glyph, group by group."""
    from fontgen.zi2zi.infer import infer_images

    for means, codepoints in groups.items():
        checkpoint, rows, columns, options = build.checkpoint(), 0, 0, _draw_options(build)
        if means is not None:
            checkpoint = build.redo.checkpoint(means) or checkpoint
            if read_header(checkpoint).canvas != source.canvas:
                raise CheckpointError(f"{checkpoint}: made for another canvas; redo with a checkpoint of this one")
            rows, columns = means.shift_px(source.canvas)
            options["passes"] = means.passes
        # rolled: margin comes in at the other side, and both are background
        moved = ((c, np.roll(source.read(c), (rows, columns), (0, 1))) for c in codepoints)
        for codepoint, ink in infer_images(checkpoint, moved, **options):
            yield codepoint, np.roll(ink, (-rows, -columns), (0, 1))


def _draw_options(build: Build) -> dict[str, Any]:
    from fontgen.zi2zi.device import resolve_device

    return {
        "style": build.style,
        "device": resolve_device(build.device),
        "batch_size": build.recipe.infer.batch_size,
        "passes": build.recipe.infer.passes,
    }


def _run_infer(build: Build, folder: StageFolder) -> Outcome:
    checkpoint = build.checkpoint()
    canvas, _ = build.geometry()
    source = ImageFolder.open(build.folder("source").path)
    source_keys = build.folder("source").glyph_keys()
    keys = infer_keys(build, {c: source_keys[c] for c in source})
    groups = _by_means(build, stale_images(folder, keys))
    stale = [codepoint for group in groups.values() for codepoint in group]
    report = build.reports["infer"] = Report("infer")
    with build.talk.progress("infer", len(stale)) as update:
        for batch in folder.in_batches(keys, stale):
            _order(build, "infer", codepoints=batch, folder=folder.path)
            done = len(report.done)
            for number, _ in enumerate(_draw_share(build, batch, folder.path), 1):
                update(done + number * (build.team.size if build.team else 1), "")
            _meet(build)
            records = {c: dict(source.glyphs[c]) for c in batch}
            for codepoint in batch:
                report.add_done(codepoint)
            with keeping_records(folder.path, keys):
                write_manifest(folder.path, canvas, records, {"checkpoint": file_hash(checkpoint)})
    if not stale:
        with keeping_records(folder.path, keys):
            write_manifest(folder.path, canvas, {}, {"checkpoint": file_hash(checkpoint)})
    held_out = _infer_held_out(build, folder.path / "held-out", checkpoint, canvas, _draw_options(build))
    return Outcome({"glyphs": len(keys), "drawn": len(stale), "held_out": held_out}, ["manifest.json"])


def _draw_share(build: Build, codepoints: list[int], folder: Path) -> Iterator[int]:
    """Draw this process's glyphs of a batch, as files; a glyph comes out the same whoever draws it."""
    mine = codepoints[build.team.rank :: build.team.size] if build.team else codepoints
    source = ImageFolder.open(build.folder("source").path)
    for codepoint, ink in _draw(build, source, _by_means(build, mine)):
        write_ink(folder / image_name(codepoint), ink)
        yield codepoint


def _meet(build: Build) -> None:
    """Wait until every process has drawn its share."""
    if build.team:
        build.team.gathered(None)


def infer_along(build: Build, *, codepoints: list[int], folder: Path) -> None:
    """Another process's part of `infer`: its share of a batch of glyphs."""
    for _ in _draw_share(build, codepoints, folder):
        pass
    _meet(build)


def _infer_held_out(build: Build, folder: Path, checkpoint: Path, canvas: Canvas, options: dict[str, Any]) -> int:
    """Draw the held-out characters of the target too: what is left of the shift is measured on them.

    In another style than the target's there is no truth to measure against.
    """
    from fontgen.zi2zi.infer import infer_images

    rows = list(held_out_rows(build)) if build.draws_target else []
    records: dict[int, dict[str, Any]] = {}
    for codepoint, ink in infer_images(checkpoint, ((c, source) for c, source, _ in rows), **options):
        write_ink(folder / image_name(codepoint), ink)
        records[codepoint] = {}
    write_manifest(folder, canvas, records)
    return len(records)


def infer_folder(
    checkpoint: Path, font: Path, codepoints: Iterable[int], output: Path, *, style: str, device: str, passes: int
) -> Report:
    """Draw characters with a checkpoint alone: its canvas and placements, any source font, any style expression."""
    from fontgen.zi2zi.device import resolve_device
    from fontgen.zi2zi.infer import infer_images
    from fontgen.zi2zi.styles import parse_style

    header = read_header(checkpoint)
    mix = parse_style(style, header.styles)
    placement, fit = (
        mix.placement(placements_from(header.metadata.get("placements", {}), len(header.styles))),
        header.metadata.get("fit", "em"),
    )
    ref = FontRef.of(font)
    face = open_face(ref)
    resolution = FontStack([ref]).resolve(codepoints)
    report = Report("infer")
    records: dict[int, dict[str, Any]] = {}

    def sources() -> Iterator[tuple[int, NDArray[np.uint8]]]:
        for codepoint in resolution.refs:
            record: dict[str, Any] = {"advance_em": round(face.advance_em(codepoint), 6)}
            where = placement
            if fit == "box":
                where = box_fit(face, codepoint, header.canvas)
                record["fit"] = where.to_json()
            records[codepoint] = record
            yield codepoint, render_ink(face, codepoint, header.canvas, where)

    drawn = infer_images(checkpoint, sources(), style=mix, device=resolve_device(device), passes=passes)
    for codepoint, ink in drawn:
        write_ink(output / image_name(codepoint), ink)
        report.add_done(codepoint)
    for codepoint, state in resolution.lacking.items():
        report.add_skipped(codepoint, f"{state} in {font}")
    if not report.done:
        raise FontError(f"{font}: has none of the characters asked for; choose a source font that has them")
    write_manifest(output, header.canvas, records, {"checkpoint": file_hash(checkpoint)})
    return report


def held_out_rows(build: Build) -> Iterator[tuple[int, NDArray[np.uint8], NDArray[np.uint8]]]:
    """(codepoint, source ink, target ink) of the target's held-out pairs."""
    pairs = PairSet.open(build.folder("pairs").path)
    for row in np.flatnonzero(pairs.held_out & (pairs.style_index == build.recipe.target.label)):
        yield int(pairs.codepoints[row]), np.asarray(pairs.source[row]), np.asarray(pairs.target[row])


STAGES = (Stage("train", _train_inputs, _run_train, after=("pairs",), wanted=_trains),)

INFER = Stage("infer", _infer_inputs, _run_infer, after=("source", "train"))
