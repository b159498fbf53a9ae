"""Between inference and tracing: repair the images, undo what is left of a shift, find the suspects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from fontgen.canvas import Canvas, Placement
from fontgen.errors import codepoint_name
from fontgen.files import read_json, write_json
from fontgen.glyphs.clean import clean_images, record_cleaned
from fontgen.glyphs.gate import batch_model, calibrate_gate, gate_folder, uncertainties
from fontgen.glyphs.gate_model import MIN_PAIRS, GateModel
from fontgen.glyphs.pairs import PairSet
from fontgen.glyphs.register import ShiftEstimate, drifting, estimate_folder, estimate_shift, spread_sample
from fontgen.glyphs.store import ImageFolder, keeping_records
from fontgen.report import Report
from fontgen.stages.build import Build, Outcome, Stage, stale_images
from fontgen.stages.drawing import held_out_rows
from fontgen.workspace import StageFolder, fingerprint

# clean


def _clean_inputs(build: Build) -> Any:
    return build.recipe.clean.model_dump(mode="json")


def clean_keys(build: Build, infer_keys: Mapping[int, str]) -> dict[int, str]:
    """Key of each cleaned glyph, from that of the drawn one."""
    return {c: fingerprint(key, _clean_inputs(build), CLEAN_VERSION) for c, key in infer_keys.items()}


def _run_clean(build: Build, folder: StageFolder) -> Outcome:
    images = ImageFolder.open(build.folder("infer").path)
    drawn = build.folder("infer").glyph_keys()
    build.reports["clean"] = clean_stale(build, folder, images, clean_keys(build, {c: drawn[c] for c in images}))
    cleaned = ImageFolder.open(folder.path)
    repaired = {c: record["repairs"] for c, record in cleaned.glyphs.items() if record.get("repairs")}
    kinds: dict[str, int] = {}
    for repairs in repaired.values():
        for repair in repairs:
            kinds[repair["kind"]] = kinds.get(repair["kind"], 0) + 1
    return Outcome({"glyphs": len(cleaned), "repaired": len(repaired), "repairs": kinds}, ["manifest.json"])


def clean_stale(build: Build, folder: StageFolder, images: ImageFolder, keys: Mapping[int, str]) -> Report:
    """Repair the glyphs of `keys` that are stale into an image folder."""
    source = ImageFolder.open(build.folder("source").path)
    stale = images.subset(stale_images(folder, keys))
    settings, report = build.recipe.clean, Report("clean")
    cleaned = clean_images(stale, folder.path, source, settings=settings)  # the same workers for all batches
    for batch in folder.in_batches(keys, stale.codepoints) if len(stale) else [[]]:
        with keeping_records(folder.path, keys):
            part = record_cleaned(images, folder.path, islice(cleaned, len(batch)), settings=settings)
        report.done += part.done
        report.failed |= part.failed
    folder.forget(report.failed)
    return report


CLEAN_VERSION = 4
"""Raised when cleaning makes something else of the same image."""


# register


def _run_register(build: Build, folder: StageFolder) -> Outcome:
    """Measure the shift that is left: on held-out pairs against their truth, else against the source."""
    settings = build.recipe.register_
    held_out = _held_out(build) if _has_held_out(build) else None
    if held_out is not None:
        triples = ((c, held_out.read(c), target) for c, _, target in held_out_rows(build))
        canvas, against = held_out.canvas, "held-out truth"
        estimate = estimate_shift(triples, canvas, settings=settings)
    else:
        estimate, canvas = _against_source(build)
        against = "calibrated source"
    corrected = estimate.is_significant(settings.significance)
    dx_em, dy_em = estimate.in_em(canvas) if corrected else (0.0, 0.0)
    scale = estimate.scale_to_undo(settings.significance)
    # of what was drawn only the source says where each glyph belongs
    by_glyph = _against_source(build)[0] if settings.correct_drift and held_out is not None else estimate
    away = drifting(by_glyph, settings.drift_px)
    words = (
        f"shift {estimate.dx_px:+.3f} px right, {estimate.dy_px:+.3f} px down "
        f"(±{estimate.half_width_x_px:.3f}, ±{estimate.half_width_y_px:.3f}; {estimate.num_glyphs} glyphs, "
        f"against the {against}), {'undone' if corrected else 'not significant: left'}"
    )
    if settings.scale:
        words += (
            f"; scale {estimate.scale:.4f} (±{estimate.scale_half_width:.4f}), {'left' if scale == 1 else 'undone'}"
        )
    if settings.correct_drift:
        words += f"; {len(away)} drifting glyphs put back"
    build.talk.line(f"  {words}")
    figures = {
        "dx_em": dx_em,
        "dy_em": dy_em,
        "scale": scale,
        "corrected": corrected,
        "against": against,
        "words": words,
        "estimate": estimate.to_json(),
        "drifting": len(away),
    }
    put_back = {codepoint_name(c): _offset_em(x, y, canvas) for c, (x, y) in sorted(away.items())}
    write_json(folder.path / "registration.json", {**figures, "put_back": put_back if settings.correct_drift else {}})
    return Outcome(figures, ["registration.json"])


def _against_source(build: Build) -> tuple[ShiftEstimate, Canvas]:
    images = ImageFolder.open(build.folder("clean").path)
    source = ImageFolder.open(build.folder("source").path)
    return estimate_folder(images, source, settings=build.recipe.register_)[0], images.canvas


def _offset_em(dx_px: float, dy_px: float, canvas: Canvas) -> list[float]:
    """[dx, dy], right and up."""
    return [dx_px / canvas.px_per_em, -dy_px / canvas.px_per_em]


def put_back(build: Build, units_per_em: int) -> dict[int, Placement]:
    """Codepoint -> what carries the outline of a drifting glyph to its place; empty unless the recipe asks for it.

    By whole font units, so that rounding makes the same of an outline as it did when it was traced.
    """
    offsets = read_json(build.folder("register").path / "registration.json")["put_back"]
    moves = {
        int(name[2:], 16): [-round(d * units_per_em) / units_per_em for d in offset] for name, offset in offsets.items()
    }
    return {codepoint: Placement(dx_em=dx, dy_em=dy) for codepoint, (dx, dy) in moves.items()}


def _has_held_out(build: Build) -> bool:
    return bool(build.folder("infer").figures.get("held_out"))


def _held_out(build: Build) -> ImageFolder:
    return ImageFolder.open(build.folder("infer").path / "held-out")


def registered_canvas(build: Build, canvas: Canvas) -> Canvas:
    """The canvas whose map back to em takes out the measured shift and scale: no pixel is resampled."""
    figures = build.folder("register").figures
    return canvas.displaced(figures["dx_em"], figures["dy_em"]).enlarged(figures["scale"])


# gate


def _gate_inputs(build: Build) -> Any:
    return build.recipe.gate.model_dump(mode="json", exclude={"retries"})


def _run_gate(build: Build, folder: StageFolder) -> Outcome:
    """Judge every cleaned glyph by its source, on the scale that the font's genuine pairs set."""
    settings = build.recipe.gate
    pairs = PairSet.open(build.folder("pairs").path)
    own = np.flatnonzero(pairs.style_index == build.recipe.target.label).tolist()
    chosen = spread_sample(own, settings.max_pairs)
    images, source = (ImageFolder.open(build.folder(stage).path) for stage in ("clean", "source"))
    if len(chosen) >= MIN_PAIRS:
        genuine = pairs.source[chosen], pairs.target[chosen]
        model = calibrate_gate(*genuine, settings.pass_rate, settings.seed, workers=None)
    else:
        model = batch_model(images, source, settings)
    sure = uncertainties(images) + (uncertainties(_held_out(build)) if _has_held_out(build) else [])
    model = model.doubting(sure, settings.outlier_spread)
    write_json(folder.path / _MODEL, model.to_json())
    report = gate_folder(images, source, settings=settings, model=model)
    build.reports["gate"] = report
    write_json(folder.path / "gate.json", report.to_json())
    for codepoint, why in list(report.suspects.items())[:_NAMED_SUSPECTS]:
        build.talk.line(f"  suspect: {codepoint_name(codepoint)} {chr(codepoint)}: {why}")
    return Outcome(report.figures, ["gate.json", _MODEL])


_NAMED_SUSPECTS = 10
_MODEL = "model.json"


def gate_model(build: Build) -> GateModel:
    """The judge that the gate calibrated."""
    return GateModel.from_json(read_json(build.folder("gate").path / _MODEL))


def first_scores(build: Build) -> dict[int, dict[str, Any]]:
    """Codepoint -> score, suspect and reason, as the gate left them before anything was retried."""
    return _by_codepoint(read_json(build.folder("gate").path / "gate.json")["scores"])


def retried(build: Build) -> dict[int, dict[str, Any]]:
    """Codepoint -> what the retries came to, for each suspect that was drawn again."""
    folder = build.folder("retry")
    if not build.recipe.gate.retries or not folder.manifest:
        return {}
    return _by_codepoint(read_json(folder.path / RETRIES)["glyphs"])


RETRIES = "retries.json"


def _by_codepoint(records: Mapping[str, dict[str, Any]]) -> dict[int, dict[str, Any]]:
    return {int(name[2:], 16): record for name, record in records.items()}


def gate_scores(build: Build) -> dict[int, dict[str, Any]]:
    """Codepoint -> score, suspect and reason of the image that goes on, and how it was retried."""
    again = {c: {**record["now"], "retried": record["kept"]} for c, record in retried(build).items()}
    return first_scores(build) | again


def images_after(build: Build, stage: str) -> ImageFolder:
    """The images that `infer` or `clean` left, with the retry that was kept in the place of a suspect."""
    images = ImageFolder.open(build.folder(stage).path)
    files, glyphs, folders = dict(images.files), dict(images.glyphs), dict[int, ImageFolder]()
    for codepoint, record in retried(build).items():
        if number := record["kept"]["attempt"]:
            if number not in folders:
                folders[number] = ImageFolder.open(retry_folder(build, number, stage).path)
            files[codepoint] = folders[number].files[codepoint]
            glyphs[codepoint] = folders[number].glyphs[codepoint]
    return replace(images, files=files, glyphs=glyphs)


def retry_folder(build: Build, attempt: int, stage: str) -> StageFolder:
    """What an attempt at the suspects left of `infer` or `clean`."""
    return StageFolder(build.folder("retry").path / f"{stage}-{attempt}")


def suspects(build: Build) -> dict[int, str]:
    """Codepoint -> why the gate doubts the glyph."""
    return {c: record.get("reason", "") for c, record in gate_scores(build).items() if record["suspect"]}


STAGES = (
    Stage("clean", _clean_inputs, _run_clean, after=("infer",), version=CLEAN_VERSION),
    Stage(
        "register",
        lambda build: build.recipe.register_.model_dump(mode="json"),
        _run_register,
        after=("clean",),
        version=2,
    ),
    Stage("gate", _gate_inputs, _run_gate, after=("clean", "source", "pairs"), version=6),
)
