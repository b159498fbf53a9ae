"""The inference stage, and drawing with a checkpoint alone. They need torch, which they import when they run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fontgen.canvas import Canvas, Placement
from fontgen.errors import CheckpointError, FontError, codepoint_name
from fontgen.fonts.face import FontRef, open_face
from fontgen.fonts.stack import FontStack
from fontgen.glyphs.pairs import PairSet
from fontgen.glyphs.render import Fit, box_fit, render_folder, render_ink
from fontgen.glyphs.store import UNCERTAINTY, ImageFolder, keeping_records, write_manifest, written
from fontgen.report import Report
from fontgen.stages.build import Build, Outcome, Stage, placements_from, stale_images
from fontgen.stages.redo import Means
from fontgen.stages.training import order
from fontgen.workspace import StageFolder, file_hash, fingerprint
from fontgen.zi2zi.header import CheckpointHeader, read_header

if TYPE_CHECKING:
    from fontgen.zi2zi.infer import Drawn
    from fontgen.zi2zi.styles import StyleMix


def _infer_inputs(build: Build) -> Any:
    redone = {codepoint_name(c): _means_key(build, means) for c, means in build.redo.glyphs.items()}
    return [build.hashes_of("infer."), build.style.weights, build.draws_target, build.recipe.infer.passes, redone]


def _means_key(build: Build, means: Means) -> list[Any]:
    other = build.redo.checkpoint(means)
    return [means.passes, means.shift_em, file_hash(other) if other else ""]


def infer_keys(build: Build, source_keys: Mapping[int, str], redone: Mapping[int, Means]) -> dict[int, str]:
    """Key of each drawn glyph, from that of its source and its means. Reads the checkpoint."""
    shared = fingerprint(file_hash(build.checkpoint()), build.style.weights, build.recipe.infer.passes)
    return {
        c: fingerprint(shared, key, *(_means_key(build, redone[c]) if c in redone else ()))
        for c, key in source_keys.items()
    }


def _by_means(redone: Mapping[int, Means], codepoints: Iterable[int]) -> dict[Means | None, list[int]]:
    """Codepoints by how they are drawn: first those as the recipe says, under None."""
    groups: dict[Means | None, list[int]] = {None: []}
    for codepoint in codepoints:
        means = redone.get(codepoint)
        groups.setdefault(means.model_copy(update={"attempt": 1}) if means else None, []).append(codepoint)
    return groups


def _draw(build: Build, source: ImageFolder, groups: Mapping[Means | None, list[int]]) -> Iterator[Drawn]:
    """Each glyph, group by group."""
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
        for drawn in infer_images(checkpoint, moved, **options):
            yield drawn._replace(ink8=np.roll(drawn.ink8, (-rows, -columns), (0, 1)))


def _recorded(folder: Path, drawn: Iterable[Drawn]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Write the drawings: each codepoint, once its image stands, with what the manifest says of it."""
    records: dict[int, dict[str, Any]] = {}

    def images() -> Iterator[tuple[int, NDArray[np.uint8]]]:
        for codepoint, ink8, uncertainty in drawn:
            records[codepoint] = {} if uncertainty is None else {UNCERTAINTY: round(uncertainty, 5)}
            yield codepoint, ink8

    for codepoint in written(folder, images()):
        yield codepoint, records[codepoint]


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
    keys = infer_keys(build, {c: source_keys[c] for c in source}, build.redo.glyphs)
    report = build.reports["infer"] = Report("infer")
    drawn = draw_stale(build, folder, source, keys, build.redo.glyphs)
    for codepoint in drawn:
        report.add_done(codepoint)
    held_out = _infer_held_out(build, folder.path / "held-out", checkpoint, canvas, _draw_options(build))
    return Outcome({"glyphs": len(keys), "drawn": len(drawn), "held_out": held_out}, ["manifest.json"])


def draw_stale(
    build: Build, folder: StageFolder, source: ImageFolder, keys: Mapping[int, str], redone: Mapping[int, Means]
) -> list[int]:
    """Draw the glyphs of `keys` that are stale into an image folder, by the means of `redone`: their codepoints."""
    groups = _by_means(redone, stale_images(folder, keys))
    stale = [codepoint for group in groups.values() for codepoint in group]
    provenance, done = {"checkpoint": file_hash(build.checkpoint())}, 0
    with build.talk.progress(folder.name, len(stale)) as update:
        for batch in folder.in_batches(keys, stale):
            means = {c: redone[c] for c in batch if c in redone}
            order(build, "infer", codepoints=batch, folder=folder.path, redone=means)
            made: dict[int, dict[str, Any]] = {}
            for number, (codepoint, record) in enumerate(_draw_share(build, batch, folder.path, means), 1):
                made[codepoint] = record
                update(done + number * (build.team.size if build.team else 1), "")
            made = _of_all(build, made)
            done += len(batch)
            with keeping_records(folder.path, keys):
                records = {c: {**source.glyphs[c], **made[c]} for c in batch}
                write_manifest(folder.path, source.canvas, records, provenance)
    if not stale:
        with keeping_records(folder.path, keys):
            write_manifest(folder.path, source.canvas, {}, provenance)
    return stale


def _draw_share(
    build: Build, codepoints: list[int], folder: Path, redone: Mapping[int, Means]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Draw this process's glyphs of a batch, as files; a glyph comes out the same whoever draws it."""
    mine = codepoints[build.team.rank :: build.team.size] if build.team else codepoints
    source = ImageFolder.open(build.folder("source").path)
    yield from _recorded(folder, _draw(build, source, _by_means(redone, mine)))


def _of_all(build: Build, records: dict[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """Wait until every process has drawn its share: the records of all."""
    shares = build.team.gathered(records) if build.team else [records]
    return {codepoint: record for share in shares for codepoint, record in share.items()}


def infer_along(build: Build, *, codepoints: list[int], folder: Path, redone: Mapping[int, Means]) -> None:
    """Another process's part of `infer`: its share of a batch of glyphs."""
    _of_all(build, dict(_draw_share(build, codepoints, folder, redone)))


def _infer_held_out(build: Build, folder: Path, checkpoint: Path, canvas: Canvas, options: dict[str, Any]) -> int:
    """Draw the held-out characters of the target too: what is left of the shift is measured on them.

    In another style than the target's there is no truth to measure against.
    """
    from fontgen.zi2zi.infer import infer_images

    rows = list(held_out_rows(build)) if build.draws_target else []
    drawn = infer_images(checkpoint, ((c, source) for c, source, _ in rows), **options)
    records = dict(_recorded(folder, drawn))
    write_manifest(folder, canvas, records)
    return len(records)


def _source_place(header: CheckpointHeader, style: StyleMix) -> tuple[Placement, Fit]:
    """How a network was shown its source glyphs for a style."""
    placements = placements_from(header.metadata.get("placements", {}), len(header.styles))
    return style.placement(placements), header.metadata.get("fit", "em")


def render_for(checkpoint: Path, refs: Mapping[int, FontRef], output: Path, *, style: str) -> Report:
    """Draw glyphs of fonts as a checkpoint's network is shown them: on its canvas, at its placement, with its fit."""
    from fontgen.zi2zi.styles import parse_style

    header = read_header(checkpoint)
    placement, fit = _source_place(header, parse_style(style, header.styles))
    return render_folder(refs, header.canvas, output, placement=placement, fit=fit)


def infer_folder(
    checkpoint: Path, font: Path, codepoints: Iterable[int], output: Path, *, style: str, device: str, passes: int
) -> Report:
    """Draw characters with a checkpoint alone: its canvas and placements, any source font, any style expression."""
    from fontgen.zi2zi.device import resolve_device
    from fontgen.zi2zi.infer import infer_images
    from fontgen.zi2zi.styles import parse_style

    header = read_header(checkpoint)
    mix = parse_style(style, header.styles)
    placement, fit = _source_place(header, mix)
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
    for codepoint, record in _recorded(output, drawn):
        records[codepoint] |= record
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


STAGE = Stage("infer", _infer_inputs, _run_infer, after=("source", "train"))
