"""Measuring the finished font, and showing it: evaluation, sheets, the proof page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fontgen.errors import codepoint_name
from fontgen.files import write_json
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.render import render_ink, resample_ink
from fontgen.glyphs.store import ImageFolder
from fontgen.proof.sheet import SheetRow, contact_sheet, zoom_sheet
from fontgen.proof.suspects import suspect_sheet
from fontgen.stages.build import Build, Outcome, Stage, font_ref
from fontgen.stages.inputs import read_charset
from fontgen.stages.outputs import font_files
from fontgen.stages.repair import gate_scores, images_after, suspects
from fontgen.workspace import StageFolder

# evaluate


def _evaluate_inputs(build: Build) -> Any:
    return build.hashes_of("truth")


def _run_evaluate(build: Build, folder: StageFolder) -> Outcome:
    from fontgen.fonts.evaluate import evaluate_fonts

    assert build.recipe.truth is not None
    truth = font_ref(build.recipe.truth.font)
    generated = set(read_charset(build)["generate"])
    codepoints = sorted(generated & open_face(truth).cmap.keys())
    if not codepoints:
        build.talk.warn(f"{truth}: has none of the generated characters; nothing to measure against")
        return Outcome({})
    _, placement = build.geometry()
    font = FontRef.of(font_files(build)[0])
    report = evaluate_fonts(font, truth, codepoints, baseline=build.stack.refs[0], placement=placement)
    write_json(folder.path / "evaluation.json", report.to_json())
    for line in report.table_lines():
        build.talk.line(f"  {line}")
    figures = {
        "font": report.font.means(),
        "source_as_is": report.baseline.means() if report.baseline else None,
        "difference": report.difference(),
        "glyphs": len(codepoints),
        "missing": len(report.font.missing),
        "blank": len(report.font.blank),
    }
    return Outcome(figures, ["evaluation.json"])


# proof

_SHEET_GLYPHS = 48
_ZOOMED_GLYPHS = 8


def _run_proof(build: Build, folder: StageFolder) -> Outcome:
    from fontgen.proof.page import ProofGlyph, write_proof

    files = ["sheet.png", "zoom.png", "proof.html"]
    rows = list(sheet_rows(build, _SHEET_GLYPHS))
    headings = sheet_headings(build)
    contact_sheet(rows, headings, folder.path / "sheet.png", title=build.recipe.name, tile_px=96, columns=3)
    zoom_sheet(rows[:_ZOOMED_GLYPHS], headings, folder.path / "zoom.png", title="8x")
    metrics = build.folder("train").path / "metrics.jsonl"
    if metrics.exists():
        from fontgen.proof.curves import plot_curves

        plot_curves(metrics, folder.path / "curves.png")
        files.append("curves.png")
    scores = gate_scores(build)
    if _write_suspects(build, scores, folder.path / "suspects.png"):
        files.append("suspects.png")
    generated = [
        ProofGlyph(c, scores.get(c, {}).get("score"), scores.get(c, {}).get("reason", ""))
        for c in read_charset(build)["generate"]
    ]
    fonts = font_files(build)
    shown = next((path for path in fonts if path.suffix == ".woff2"), fonts[0])
    write_proof(
        shown,
        folder.path / "proof.html",
        generated=generated,
        references=_references(build),
        unpacked=next((path for path in fonts if path.suffix == ".ttf"), None),
        figures=_proof_figures(build),
    )
    return Outcome({"sheet": len(rows)}, files)


def _write_suspects(build: Build, scores: Mapping[int, Mapping[str, Any]], path: Path) -> int:
    doubts = {c: (record["score"], record.get("reason", "")) for c, record in scores.items() if record["suspect"]}
    return suspect_sheet(
        path,
        doubts,
        [("source", ImageFolder.open(build.folder("source").path))]
        + [(heading, images_after(build, stage)) for heading, stage in (("drawn", "infer"), ("repaired", "clean"))],
        open_face(FontRef.of(font_files(build)[0])),
    )


def _references(build: Build) -> dict[str, FontRef | Path]:
    """What the page compares the font with."""
    found: dict[str, FontRef | Path] = {"Source": build.stack.refs[0]}
    if build.recipe.truth:
        found["Truth"] = font_ref(build.recipe.truth.font)
    if build.recipe.output.previous:
        found["Previous"] = build.recipe.output.previous
    return found


def _proof_figures(build: Build) -> dict[str, object]:
    charset = build.folder("charset").figures
    figures: dict[str, object] = {
        "wanted": charset["wanted"],
        "kept": charset["kept"],
        "generated": charset["generate"],
    }
    figures["suspect"] = len(suspects(build))
    measured = build.folder("evaluate").figures if build.recipe.truth else {}
    for key, label in (("iou", "IoU"), ("l1", "L1")):
        if key in measured.get("font", {}):
            values = measured["font"][key], measured["source_as_is"][key]
            figures[f"{label} (source as it is)"] = f"{values[0]:.3f} ({values[1]:.3f})"
    return figures


def sheet_headings(build: Build) -> tuple[str, ...]:
    """What the images of a row of `sheet_rows` are."""
    return ("source", "generated", "in the font", *(["truth"] if build.recipe.truth else []))


def sheet_rows(build: Build, count: int) -> Iterator[SheetRow]:
    """About `count` generated characters, evenly spread: source, raw, as in the font, truth."""
    source = ImageFolder.open(build.folder("source").path)
    raw = images_after(build, "infer")
    font = open_face(FontRef.of(font_files(build)[0]))
    truth = open_face(font_ref(build.recipe.truth.font)) if build.recipe.truth else None
    canvas = source.canvas.resized(max(256, source.canvas.size_px))
    doubtful = suspects(build)
    codepoints = raw.codepoints
    step = max(1, len(codepoints) // count)
    for codepoint in codepoints[::step][:count]:

        def large(folder: ImageFolder, codepoint: int = codepoint) -> NDArray[np.uint8]:
            return resample_ink(folder.read(codepoint), folder.canvas, canvas)

        images: list[NDArray[np.uint8] | None] = [large(source), large(raw)]
        images.append(render_ink(font, codepoint, canvas) if codepoint in font.cmap else None)
        if build.recipe.truth:
            images.append(render_ink(truth, codepoint, canvas) if truth and codepoint in truth.cmap else None)
        name = codepoint_name(codepoint)
        yield SheetRow(name, images, suspect=codepoint in doubtful)


STAGES = (
    Stage(
        "evaluate",
        _evaluate_inputs,
        _run_evaluate,
        after=("assemble",),
        wanted=lambda build: build.recipe.truth is not None,
    ),
    Stage(
        "proof",
        lambda build: build.hashes_of("output."),
        _run_proof,
        after=("assemble", "gate", "retry", "evaluate", "train"),
        version=2,
    ),
)
