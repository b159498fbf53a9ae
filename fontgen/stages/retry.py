"""Suspects drawn again by other means, while the gate doubts them and the recipe allows: the best is kept.

The means are those of `fontgen redo`, and after the first rung the checkpoint that was not the run's choice. Every
attempt leaves its drawings and their repairs in folders of its own, glyph by glyph, so that an interrupted stage goes
on where it stopped and one more retry costs one more retry.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fontgen.errors import codepoint_name
from fontgen.files import write_json
from fontgen.glyphs.gate import gate_folder
from fontgen.glyphs.gate_model import GateModel
from fontgen.glyphs.store import ImageFolder, image_name
from fontgen.report import Report
from fontgen.stages.build import Build, Outcome, Stage
from fontgen.stages.drawing import draw_stale, infer_keys
from fontgen.stages.redo import Means, RedoFile
from fontgen.stages.repair import RETRIES, clean_keys, clean_stale, first_scores, gate_model, retry_folder
from fontgen.workspace import StageFolder
from fontgen.zi2zi.header import read_header

_OTHER_CHECKPOINT_AT = 2
"""The attempt that draws with the other checkpoint, where there is one: a likelier change than more shifts."""

_CHECKPOINTS = ("best.safetensors", "latest.safetensors")


def _retry_inputs(build: Build) -> Any:
    return [build.recipe.gate.retries, build.recipe.clean.model_dump(mode="json")]


def _run_retry(build: Build, folder: StageFolder) -> Outcome:
    source, model, redo = ImageFolder.open(build.folder("source").path), gate_model(build), build.redo
    tries = {c: [{"attempt": 0, **record}] for c, record in sorted(first_scores(build).items()) if record["suspect"]}
    attempts = 0
    while attempts < build.recipe.gate.retries:
        left = [c for c, made in tries.items() if _best(made)["suspect"]]
        if not left:
            break
        attempts += 1
        redo = _next_attempt(build, redo, left, attempts)
        means = {c: redo.glyphs[c] for c in left}
        judged = _attempt(build, attempts, source, model, means)
        for codepoint in left:
            tries[codepoint].append({"attempt": attempts, "means": _shown(means[codepoint]), **judged[codepoint]})
    build.reports["retry"] = Report("retry", done=list(tries))
    write_json(folder.path / RETRIES, {"glyphs": {codepoint_name(c): _record(made) for c, made in tries.items()}})
    _remove_past(folder, attempts)
    best = {c: _best(made) for c, made in tries.items()}
    figures = {
        "retried": len(tries),
        "passed": sum(not one["suspect"] for one in best.values()),
        "better": sum(bool(one["attempt"]) and one["suspect"] for one in best.values()),
        "suspects": sum(one["suspect"] for one in best.values()),
    }
    build.talk.line(
        f"  {figures['retried']} suspects drawn again: {figures['passed']} pass now, "
        f"{figures['better']} are better and still suspect, the others stay as they were"
    )
    kept = [f"clean-{one['attempt']}/{image_name(c)}" for c, one in best.items() if one["attempt"]]
    return Outcome(figures, [RETRIES, *kept])


def _best(made: list[dict[str, Any]]) -> dict[str, Any]:
    """The try that is kept: the highest score, of equal ones the earliest."""
    return max(made, key=lambda one: one["score"])


def _record(made: list[dict[str, Any]]) -> dict[str, Any]:
    """`before` and `now` as the gate records them, `kept` the attempt (0: the first drawing) and its means, `tries`."""
    kept = _best(made)
    return {
        "before": _judgement(made[0]),
        "now": _judgement(kept),
        "kept": {key: kept[key] for key in ("attempt", "means") if key in kept},
        "tries": made[1:],
    }


def _judgement(one: Mapping[str, Any]) -> dict[str, Any]:
    return {key: one[key] for key in ("score", "suspect", "reason") if key in one}


def _shown(means: Means) -> dict[str, Any]:
    return means.model_dump(mode="json", exclude_defaults=True, exclude={"attempt"})


def _next_attempt(build: Build, redo: RedoFile, codepoints: list[int], number: int) -> RedoFile:
    other = _other_checkpoint(build) if number == _OTHER_CHECKPOINT_AT else None
    passes = build.recipe.infer.passes
    return redo.with_attempt(codepoints, recipe_passes=passes, passes=None, checkpoint=other)


def _other_checkpoint(build: Build) -> Path | None:
    """Of the run's best and latest checkpoint the one that does not draw, unless they are of the same step."""
    if build.recipe.infer.checkpoint:
        return None
    used = build.checkpoint()
    for path in (used.parent / name for name in _CHECKPOINTS):
        if path.name != used.name and path.is_file() and read_header(path).step != read_header(used).step:
            return path
    return None


def _attempt(
    build: Build, number: int, source: ImageFolder, model: GateModel, means: Mapping[int, Means]
) -> dict[int, dict[str, Any]]:
    """Draw, repair and judge the glyphs of `means`: codepoint -> the gate's record; what fails has the score 0."""
    drawn, cleaned = (retry_folder(build, number, stage) for stage in ("infer", "clean"))
    for folder in (drawn, cleaned):
        folder.path.mkdir(parents=True, exist_ok=True)
    source_keys = build.folder("source").glyph_keys()
    keys = infer_keys(build, {c: source_keys[c] for c in means}, means)
    draw_stale(build, drawn, source, keys, means)
    made = clean_stale(build, cleaned, ImageFolder.open(drawn.path), clean_keys(build, keys))
    judged = gate_folder(ImageFolder.open(cleaned.path), source, settings=build.recipe.gate, model=model)
    failed = {c: {"score": 0.0, "suspect": True, "reason": why} for c, why in (made.failed | judged.failed).items()}
    return {c: score.to_json() for c, score in judged.scores.items()} | failed


def _remove_past(folder: StageFolder, attempts: int) -> None:
    """Remove the images of attempts that an earlier run made and this one did not."""
    for path in folder.path.glob("*-*"):
        if path.is_dir() and int(path.name.rpartition("-")[2]) > attempts:
            shutil.rmtree(path)


STAGE = Stage(
    "retry",
    _retry_inputs,
    _run_retry,
    after=("infer", "gate"),
    wanted=lambda build: build.recipe.gate.retries > 0,
)
