"""From fonts to training pairs: which characters, where the source lies on the target, the pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fontgen.canvas import Canvas, Placement
from fontgen.charset import BLOCKS, parse_charset
from fontgen.errors import CharsetError, FontError, codepoint_name
from fontgen.files import read_json, write_json
from fontgen.fonts.face import FontRef, GlyphState, is_whitespace, open_face
from fontgen.fonts.stack import FontStack
from fontgen.glyphs.calibrate import Calibration, calibrate, calibration_sample, placement_difference_px
from fontgen.glyphs.pairs import PAIRS, PairJob, Style, sample, target_jobs, write_pairs
from fontgen.glyphs.render import record_rendered, render_images, render_ink, resample_ink
from fontgen.glyphs.store import ImageFolder, keeping_records
from fontgen.report import Report
from fontgen.stages.build import Build, Outcome, Stage, font_ref, stale_images, target_name
from fontgen.workspace import StageFolder, fingerprint

_LEARNABLE = (
    *("hiragana", "katakana", "bopomofo", "hangul-modern", "cjk-unified", "cjk-ext-a", "cjk-compat"),
    *(f"cjk-ext-{letter}" for letter in "bcdefghi"),
)
"""Blocks whose glyphs fill the em box; others teach the network little about them."""


# charset


def _charset_inputs(build: Build) -> Any:
    return [list(build.wanted), build.hashes_of("source", "target.")]


@dataclass(frozen=True)
class Fates:
    """What becomes of each wanted character, in the order of the wanted set."""

    wanted: list[int]
    kept: list[int]
    """The target has them."""
    generate: list[int]
    blank: list[int]
    """White space, taken over from the source."""
    lacking: dict[int, GlyphState]
    """In neither font; with what the source fonts have instead of a glyph."""


def fates(build: Build) -> Fates:
    """Look every wanted character up in the fonts."""
    existing = set(_target_codepoints(build, 0))
    missing = [c for c in build.wanted if c not in existing]
    resolution = build.stack.resolve(missing)
    return Fates(
        wanted=list(build.wanted),
        kept=[c for c in build.wanted if c in existing],
        generate=[c for c in missing if c in resolution.refs and not is_whitespace(c)],
        blank=[c for c in missing if c in resolution.refs and is_whitespace(c)],
        lacking={c: state for c, state in resolution.lacking.items() if not is_whitespace(c)},
    )


def _run_charset(build: Build, folder: StageFolder) -> Outcome:
    found = fates(build)
    if not found.generate and not found.blank:
        raise CharsetError(_nothing_to_do(build, len(found.wanted), found.lacking))
    lacking = {codepoint_name(c): state for c, state in found.lacking.items()}
    named = {key: _names(getattr(found, key)) for key in ("wanted", "kept", "generate", "blank")}
    write_json(folder.path / "charset.json", {**named, "lacking": lacking})
    report = Report("charset", done=[*found.generate, *found.blank], figures={})
    for codepoint, state in found.lacking.items():
        report.add_failed(codepoint, f"{_STATE_TEXT[state]} in the source fonts and missing in the target")
    build.reports["charset"] = report
    return Outcome({key: len(names) for key, names in {**named, "lacking": lacking}.items()}, ["charset.json"])


_STATE_TEXT = {"missing": "missing", "blank": "blank", "tofu": "a placeholder (tofu)"}


def _nothing_to_do(build: Build, wanted: int, lacking: Mapping[int, GlyphState]) -> str:
    if lacking:
        shown = " ".join(codepoint_name(c) for c in list(lacking)[:8])
        return (
            f"charset: none of the {len(lacking)} characters that the target lacks is in the source fonts "
            f"({shown}); add a source font that has them"
        )
    return f"charset: the target has all {wanted} characters already; ask for more with --charset or [charset] want"


def read_charset(build: Build) -> dict[str, list[int]]:
    """What the charset stage found: wanted, kept, generate, blank, lacking, each as codepoints."""
    data = read_json(build.folder("charset").path / "charset.json")
    return {key: [int(name[2:], 16) for name in names] for key, names in data.items()}


def _names(codepoints: Sequence[int]) -> list[str]:
    return [codepoint_name(c) for c in codepoints]


# targets: fonts or folders of images


def _target_codepoints(build: Build, index: int) -> list[int]:
    """Characters that a target really has, in order."""
    ref = build.target_refs[index]
    if ref is None:
        images = build.recipe.targets[index].images
        assert images is not None
        return ImageFolder.open(images).codepoints
    face = open_face(ref)
    return [c for c, state in face.states(sorted(face.cmap)).items() if state == "ok"]


def _target_drawer(build: Build, index: int) -> Callable[[int, Canvas], NDArray[np.uint8]]:
    """A function that draws a target's glyph on any canvas."""
    ref = build.target_refs[index]
    if ref is not None:
        return lambda codepoint, canvas: render_ink(open_face(ref), codepoint, canvas)
    images = build.recipe.targets[index].images
    assert images is not None
    folder = ImageFolder.open(images)
    return lambda codepoint, canvas: resample_ink(folder.read(codepoint), folder.canvas, canvas)


# calibrate


def _calibrate_inputs(build: Build) -> Any:
    recipe = build.recipe
    return [
        build.hashes_of("source", "target.", "styles."),
        recipe.calibrate.model_dump(),
        recipe.canvas.model_dump(),
        recipe.zi2zi.model_dump() if recipe.zi2zi else None,
        [target.label for target in recipe.targets],
        [target_name(target) for target in recipe.targets],
    ]


def _run_calibrate(build: Build, folder: StageFolder) -> Outcome:
    canvas = _canvas(build)
    styles = [_calibrated_style(build, index, canvas) for index in range(len(build.recipe.targets))]
    figures = {"canvas": canvas.to_json(), "styles": styles}
    write_json(folder.path / "calibration.json", figures)
    return Outcome(figures, ["calibration.json"])


def _canvas(build: Build) -> Canvas:
    recipe = build.recipe
    if recipe.zi2zi is None:
        table = recipe.canvas
        return Canvas(size_px=table.size_px, margin_em=table.margin_em, descender_em=table.descender_em)
    ref = build.target_refs[0]
    return recipe.zi2zi.target_canvas(open_face(ref).ascender_em if ref else 1.0 + recipe.canvas.descender_em)


def _calibrated_style(build: Build, index: int, canvas: Canvas) -> dict[str, Any]:
    """Measure one target, apply what the recipe gives by hand, and say when the two disagree."""
    target = build.recipe.targets[index]
    name = target_name(target)
    shared, sources = _shared(build, index)
    chosen = calibration_sample(shared)
    measured = calibrate(sources, chosen, _target_drawer(build, index), descender_em=canvas.descender_em)
    by_hand = _placement_by_hand(build, index, measured)
    used = by_hand or measured.placement
    record = {"name": name, "label": target.label, "placement": used.to_json(), "measured": measured.to_json()}
    placed = used.scale, used.dx_em, used.dy_em
    build.talk.line(
        f"  {name}: source placed at scale {placed[0]:.4f}, shift {placed[1]:+.4f} {placed[2]:+.4f} em "
        f"(spread {measured.spread_x_em:.4f} {measured.spread_y_em:.4f}, {measured.num_glyphs} glyphs, "
        f"soft IoU {measured.iou_before:.3f} -> {measured.iou_after:.3f})"
    )
    if by_hand is not None:
        off_px = placement_difference_px(by_hand, measured.placement, canvas)
        record["difference_px"] = round(off_px, 3)
        if off_px > 0.5:
            best = measured.placement
            build.talk.warn(
                f"{name}: the placement given by hand is {off_px:.1f} px from the measured one "
                f"(scale {best.scale:.4f}, dx_em {best.dx_em:+.4f}, dy_em {best.dy_em:+.4f}); check the offsets"
            )
    return record


def _placement_by_hand(build: Build, index: int, measured: Calibration) -> Placement | None:
    table, zi2zi = build.recipe.calibrate, build.recipe.zi2zi
    if zi2zi is not None and zi2zi.places_source:
        ref = build.target_refs[index]
        target_ascender = open_face(ref).ascender_em if ref else open_face(build.stack.refs[0]).ascender_em
        return zi2zi.source_placement(open_face(build.stack.refs[0]).ascender_em, target_ascender)
    if table.scale is None and table.dx_em is None and table.dy_em is None:
        return None
    best = measured.placement
    return Placement(
        scale=best.scale if table.scale is None else table.scale,
        dx_em=best.dx_em if table.dx_em is None else table.dx_em,
        dy_em=best.dy_em if table.dy_em is None else table.dy_em,
    )


def _shared(build: Build, index: int) -> tuple[list[int], dict[int, FontRef]]:
    """Learnable characters that source and target both have, and the source font of each."""
    has = set(_target_codepoints(build, index))
    learnable = {c for name in _LEARNABLE for first, last in BLOCKS[name] for c in range(first, last + 1)}
    candidates = sorted(has & build.stack.codepoints)
    resolution = build.stack.resolve([c for c in candidates if c in learnable])
    if not resolution.refs:  # a font of symbols or Latin: learn from what there is
        resolution = build.stack.resolve([c for c in candidates if not is_whitespace(c)])
    if not resolution.refs:
        raise FontError(
            f"{target_name(build.recipe.targets[index])}: shares no character with the source fonts; "
            "use fonts that have characters in common"
        )
    return sorted(resolution.refs), resolution.refs


# pairs


def _pairs_inputs(build: Build) -> Any:
    return [build.recipe.pairs.model_dump(), _pair_limit(build), build.hashes_of("infer.")]


def _pair_limit(build: Build) -> list[int] | None:
    expression = build.recipe.pairs.charset
    return list(parse_charset(expression, folder=build.recipe_folder)) if expression else None


def _training_sources(build: Build, index: int) -> dict[int, FontRef]:
    """Characters of one target to train on, within the recipe's limits, and the source font of each."""
    table, limit = build.recipe.pairs, _pair_limit(build)
    shared, sources = _shared(build, index)
    if limit is not None:
        allowed = set(limit)
        shared = [c for c in shared if c in allowed]
    if table.limit is not None:
        shared = sample(shared, table.limit) if table.shuffle else shared[: table.limit]
    return {c: sources[c] for c in shared}


def training_codepoints(build: Build) -> list[int]:
    """The codepoint of every pair that the recipe will have, held-out ones too, without drawing them."""
    return [codepoint for index in range(len(build.recipe.targets)) for codepoint in _training_sources(build, index)]


def _run_pairs(build: Build, folder: StageFolder) -> Outcome:
    table = build.recipe.pairs
    calibration = build.folder("calibrate").figures
    canvas, placements = build.canvas(), build.placements()
    jobs: list[PairJob] = []
    labels = [record["label"] for record in calibration["styles"]]
    # the style index is the label; labels that no target has stay without a name
    styles = [Style("", Placement()) for _ in range(max(labels) + 1)]
    for index, record in enumerate(calibration["styles"]):
        target = build.recipe.targets[index]
        ref = build.target_refs[index]
        placed = Placement.from_json(record["placement"])
        if index == 0 and target.label < len(placements):
            placed = placements[target.label]  # as the generator knows it, which may come from a checkpoint
        styles[record["label"]] = Style(record["name"], placed, target.images)
        sources = _training_sources(build, index)
        jobs += target_jobs(sources, dict.fromkeys(sources, ref), record["label"])
    mark = fingerprint([build.marks["calibrate"], _pairs_inputs(build)])
    pairs, left_out = write_pairs(
        folder.path, jobs, canvas, styles, held_out=table.held_out, fingerprint=mark, fit=build.recipe.fit
    )
    report = Report("pairs", done=list(map(int, pairs.codepoints)))
    for codepoint, why in left_out.items():
        report.add_skipped(codepoint, why)
    build.reports["pairs"] = report
    held_out = int(pairs.held_out.sum())
    if held_out == len(pairs):
        raise CharsetError(f"[pairs] held_out {table.held_out:g}: nothing is left to train on; hold out fewer")
    figures = {"pairs": len(pairs), "held_out": held_out, "left_out": len(left_out)}
    return Outcome(figures, [PAIRS, "source.npy", "target.npy"])


# source: what the network is asked to redraw, and what its output is compared with


def _source_inputs(build: Build) -> Any:
    return [build.hashes_of("source", "infer."), build.recipe.fit, build.style.weights]


def source_keys(build: Build, codepoints: Iterable[int]) -> tuple[dict[int, str], dict[int, FontRef]]:
    """Key and font of each source glyph. Reads the calibration or the checkpoint."""
    canvas, placement = build.geometry()
    refs = FontStack(build.stack.refs).resolve(codepoints).refs
    hashes = {
        font_ref(font): build.input_hashes[f"source.fonts.{i}"] for i, font in enumerate(build.recipe.source.fonts)
    }
    shared = fingerprint(canvas.to_json(), placement.to_json(), build.recipe.fit)
    keys = {c: fingerprint(shared, hashes[ref], ref.face_index, ref.location) for c, ref in refs.items()}
    return keys, refs


def _run_source(build: Build, folder: StageFolder) -> Outcome:
    canvas, placement = build.geometry()
    keys, refs = source_keys(build, read_charset(build)["generate"])
    stale = stale_images(folder, keys)
    report = build.reports["source"] = Report("source")
    drawing = {c: refs[c] for c in stale}
    # the same workers for all batches
    rendered = render_images(drawing, canvas, folder.path, placement, build.recipe.fit)
    # with nothing to draw the manifest still has to lose the characters that are no longer wanted
    for batch in folder.in_batches(keys, stale) if stale else [[]]:
        with keeping_records(folder.path, keys):
            part = record_rendered(refs, canvas, folder.path, islice(rendered, len(batch)), placement)
        report.done += part.done
        report.failed |= part.failed
    return Outcome({"glyphs": len(keys), "drawn": len(stale)}, ["manifest.json"])


STAGES = (
    Stage("charset", _charset_inputs, _run_charset),
    Stage("calibrate", _calibrate_inputs, _run_calibrate),
    Stage("pairs", _pairs_inputs, _run_pairs, after=("calibrate",)),
)

SOURCE = Stage("source", _source_inputs, _run_source, after=("charset", "calibrate"))
