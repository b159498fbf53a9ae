"""The stages in order: which are stale, and why; run them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fontgen.errors import RecipeError
from fontgen.files import write_json
from fontgen.recipe import Recipe, save_resolved
from fontgen.report import Report
from fontgen.stages import drawing, inputs, outputs, repair, retry, showing, training
from fontgen.stages.build import Build, Stage
from fontgen.stages.forecast import forecast
from fontgen.stages.start import with_start
from fontgen.stages.together import together
from fontgen.talk import Talk
from fontgen.workspace import Workspace, fingerprint

STAGES: tuple[Stage, ...] = (
    *inputs.STAGES,
    *training.STAGES,
    inputs.SOURCE,
    drawing.STAGE,
    *repair.STAGES,
    retry.STAGE,
    *outputs.STAGES,
    *showing.STAGES,
)

STAGE_NAMES = tuple(stage.name for stage in STAGES)


@dataclass(frozen=True)
class Step:
    """One stage in a plan."""

    stage: Stage
    mark: str
    runs: bool
    why: str
    afresh: bool = False
    """Whether what an earlier run left of it counts for nothing."""


def plan(build: Build, *, from_stage: str | None = None, until: str | None = None) -> list[Step]:
    """Which stages would run and why. Fills `build.marks`; runs nothing.

    `from_stage` forces that stage and all after it; `until` ends the plan with that stage.
    """
    for name in (from_stage, until):
        if name is not None and name not in STAGE_NAMES:
            raise RecipeError(f"unknown stage {name!r}; the stages are {', '.join(STAGE_NAMES)}")
    steps: list[Step] = []
    forced = False
    for stage in STAGES:
        if stage.wanted(build):
            forced = forced or stage.name == from_stage
            before = {name: build.marks[name] for name in stage.after if name in build.marks}
            mark = fingerprint(stage.name, stage.version, stage.inputs(build), before)
            build.marks[stage.name] = mark
            steps.append(_step(build, stage, mark, forced))
        if stage.name == until:
            break
    return steps


def _step(build: Build, stage: Stage, mark: str, forced: bool) -> Step:
    folder = build.folder(stage.name)
    if forced:
        return Step(stage, mark, True, "asked for", afresh=True)
    if folder.stands(mark):
        return Step(stage, mark, False, "unchanged")
    manifest = folder.manifest
    if not manifest:
        return Step(stage, mark, True, "not finished" if folder.path.exists() else "not made yet")
    same = manifest.get("fingerprint") == mark
    return Step(stage, mark, True, "a file of it is gone" if same else "its inputs changed")


def plan_lines(build: Build, *, from_stage: str | None = None) -> list[str]:
    """What a build would do, one line a stage: whether it runs, why, and on how many glyphs."""
    steps = plan(build, from_stage=from_stage)
    running = {step.stage.name for step in steps if step.runs}
    counts = forecast(build, running, {step.stage.name for step in steps if step.afresh})
    lines = []
    for step in steps:
        name = step.stage.name
        glyphs = f": {counts[name]}" if name in counts else ""
        lines.append(f"{'run ' if step.runs else 'keep'} {name:<10} {step.why}{glyphs}")
    return lines


def run(build: Build, *, from_stage: str | None = None, until: str | None = None) -> int:
    """Run what is stale, in order; the exit status is 1 when glyphs failed or a check failed.

    Under torchrun only the leading process does; the others help it and then exit.
    """
    with together(build), build.workspace.locked():
        save_resolved(build.recipe, build.workspace.root / "recipe.json")
        seconds = build.seconds
        steps = plan(build, from_stage=from_stage, until=until)
        running = {step.stage.name for step in steps if step.runs}
        if running & {"train", "infer"}:
            training.require_device(build)
        if "train" in running:
            training.require_training(build)
        if "assemble" in running and running & {"train", "infer"}:
            outputs.require_names(build)
        for step in steps:
            name = step.stage.name
            if not step.runs:
                build.talk.line(f"{name}: {step.why}")
                _recall_failures(build, name)
                continue
            build.talk.line(f"{name}: {step.why}, running")
            started = time.monotonic()
            folder = build.folder(name)
            folder.begin(afresh=step.afresh)
            outcome = step.stage.run(build, folder)
            report = build.reports.get(name)
            folder.finish(step.mark, outcome.figures, outcome.files, report.failed if report else None)
            seconds[name] = round(time.monotonic() - started, 2)
            for line in _outcome_lines(build, name):
                build.talk.line(f"  {line}")
        if seconds:
            write_json(build.workspace.root / "seconds.json", seconds)
        status = max((report.exit_status for report in build.reports.values()), default=0)
        return max(status, 1 if _checks_failed(build) else 0)


def _recall_failures(build: Build, name: str) -> None:
    """What failed in a stage that stands still counts, and is said again."""
    failed = build.folder(name).failed
    if failed:
        build.reports[name] = Report(name, failed=failed)
        for line in build.reports[name].failure_lines():
            build.talk.line(f"  {line}")


def _outcome_lines(build: Build, name: str) -> list[str]:
    report = build.reports.get(name)
    if report is None:
        return []
    return [report.summary(), *report.failure_lines()]


def _checks_failed(build: Build) -> bool:
    figures: dict[str, Any] = build.folder("check").figures if "check" in build.marks else {}
    return "fail" in figures.values()


def summary_lines(build: Build) -> list[str]:
    """What a build made: characters, figures, files and sizes."""
    charset = build.folder("charset").figures
    doubtful = repair.suspects(build)
    lines = [
        f"characters  {charset['wanted']} wanted, {charset['kept']} kept from the target, "
        f"{charset['generate']} generated, {len(doubtful)} suspect, {charset['lacking']} in neither font"
    ]
    trained = build.folder("train").figures if build.recipe.infer.checkpoint is None else {}
    for episode in trained.get("health", []):
        if episode["to"] is None:
            lines.append(f"training    since step {episode['from']}: {episode['words']}")
    if trained.get("ended"):
        lines.append(f"training    {trained['ended']}")
    if held_out := trained.get("held_out", {}):
        lines.append("held out    " + ", ".join(f"{key} {value:.4f}" for key, value in sorted(held_out.items())))
    placed = build.folder("calibrate").figures["styles"][0]
    where, measured = placed["placement"], placed["measured"]
    lines.append(
        f"calibrate   source at scale {where['scale']:.4f}, shift {where['dx_em']:+.4f} {where['dy_em']:+.4f} em "
        f"(soft IoU {measured['iou_before']:.3f} -> {measured['iou_after']:.3f}, {measured['num_glyphs']} glyphs)"
    )
    register = build.folder("register").figures
    if register.get("words"):
        lines.append(f"register    {register['words']}")
    measured = build.folder("evaluate").figures if build.recipe.truth else {}
    if measured.get("source_as_is"):
        font, source = measured["font"], measured["source_as_is"]
        more, less = font["iou"] - source["iou"], (font["l1"] / source["l1"] - 1) * 100
        lines.append(
            f"truth       IoU {font['iou']:.4f} (source as it is {source['iou']:.4f}, {more:+.4f}), "
            f"L1 {font['l1']:.4f} ({source['l1']:.4f}, {less:+.1f} %)"
        )
        counts = f"{measured['missing']} missing, {measured['blank']} blank"
        lines.append(f"            on {measured['glyphs']} characters that the target lacks, {counts}")
    for path in outputs.font_files(build):
        lines.append(f"file        {_relative(path)}  {path.stat().st_size / 1000:,.0f} kB")
    if build.seconds:
        took = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in build.seconds.items() if seconds >= 0.05)
        lines.append(f"time        {took}; {sum(build.seconds.values()):.1f} s in all")
    proof = build.folder("proof").path
    for name in ("proof.html", "sheet.png", "zoom.png", "curves.png"):
        if (proof / name).exists():
            lines.append(f"look at     {_relative(proof / name)}")
    return lines


def _relative(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def make_build(
    recipe: Recipe, recipe_path: Path, *, output: Path | None, device: str | None, want: str | None, talk: Talk
) -> Build:
    """The build of a recipe, with what the command line says going before the recipe."""
    recipe = with_start(recipe)
    root = output or recipe.output.folder or Path("build") / recipe.name
    return Build(
        recipe=recipe,
        recipe_folder=recipe_path.parent,
        workspace=Workspace(root.resolve()),
        talk=talk,
        device=device or recipe.device,
        want=want,
    )
