"""From cleaned images to a font that is checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from glob import escape
from pathlib import Path
from typing import Any

from fontgen.canvas import DEFAULT_UNITS_PER_EM, Placement
from fontgen.errors import codepoint_name, writing
from fontgen.files import write_json
from fontgen.fonts.base import open_base
from fontgen.fonts.blank import SPACES
from fontgen.fonts.face import open_face
from fontgen.fonts.join import AssembledGlyph
from fontgen.glyphs.store import ImageFolder
from fontgen.outlines.folder import TRACER_VERSION, outline_files, trace_folder
from fontgen.outlines.genre import for_font
from fontgen.outlines.glif import stands_as_in_font
from fontgen.outlines.outline import Outline
from fontgen.outlines.settings import TraceSettings
from fontgen.outlines.stored import StoredOutline
from fontgen.outlines.trace import trace_ink
from fontgen.parallel import MANY_GLYPHS, parallel_map
from fontgen.stages import by_hand
from fontgen.stages.build import Build, Outcome, Stage
from fontgen.stages.inputs import read_charset
from fontgen.stages.provenance import provenance, provenance_file
from fontgen.stages.repair import images_after, put_back, registered_canvas, suspects
from fontgen.workspace import StageFolder

# trace


def _trace_inputs(build: Build) -> Any:
    return [build.recipe.trace.model_dump(mode="json"), font_units(build), by_hand.hand_hash(build)]


def font_units(build: Build) -> int:
    """Units per em of the font that the build makes."""
    ref = build.target_refs[0]
    return open_face(ref).units_per_em if ref else build.recipe.font.units_per_em or DEFAULT_UNITS_PER_EM


def trace_settings(build: Build) -> TraceSettings:
    """The recipe's settings; genre auto becomes what the target font's own outlines say."""
    settings, base = build.recipe.trace, build.recipe.target.font
    if settings.genre != "auto" or base is None:
        return settings
    return for_font(settings, open_base(base.path, face_index=base.face_index, location=base.location).open())


def images_to_trace(build: Build) -> tuple[ImageFolder, set[int]]:
    """The cleaned images on the canvas that takes out the shift, and the codepoints whose image was made by hand."""
    images = images_after(build, "clean")
    painted = {c: path for c, path in by_hand.painted(build).items() if c in images.files}
    files = images.files | painted
    return replace(images, canvas=registered_canvas(build, images.canvas), files=files), set(painted)


def _run_trace(build: Build, folder: StageFolder) -> Outcome:
    images, painted = images_to_trace(build)
    settings = trace_settings(build)
    if build.recipe.trace.genre != settings.genre:
        build.talk.line(f"  genre {settings.genre}, by the target font's own outlines")
    for name, why in by_hand.without_effect(build, read_charset(build)).items():
        build.talk.line(f"  override {name} has no effect: {why}")
    report = trace_folder(images, folder.path, settings, units_per_em=font_units(build))
    build.reports["trace"] = report
    figures = {**report.figures, "failed": len(report.failed), "by_hand": len(painted)}
    if build.target_refs[0] is None:
        figures["drawn"] = _trace_target_images(build, folder)
    return Outcome(figures, ["outlines.json"])


def _trace_target_images(build: Build, folder: StageFolder) -> int:
    """Without a target font the font's own glyphs are the target's images, traced like the others."""
    root = build.recipe.target.images
    assert root is not None
    units = font_units(build)
    report = trace_folder(ImageFolder.open(root), folder.path / "target", build.recipe.trace, units_per_em=units)
    build.reports["trace"].failed.update(report.failed)
    return len(report.done)


# assemble


def _assemble_inputs(build: Build) -> Any:
    recipe = build.recipe
    return [
        build.hashes_of("target.", "source"),
        recipe.font.model_dump(mode="json"),
        recipe.output.on_suspect,
        recipe.name,
    ]


def _glyphs(build: Build) -> Iterator[AssembledGlyph]:
    charset = read_charset(build)
    source = ImageFolder.open(build.folder("source").path)
    dropped, replaced = _dropped(build), _replaced(build)
    drawn, painted = by_hand.drawn(build), by_hand.painted(build)
    outlines = outline_files(build.folder("trace").path) | drawn
    moves = {c: move for c, move in put_back(build, font_units(build)).items() if c not in drawn and c not in painted}
    settings = trace_settings(build) if replaced else build.recipe.trace
    units = font_units(build)
    _, placement = build.geometry()
    for codepoint in charset["generate"]:
        record = source.glyphs.get(codepoint, {})
        unfitting = _unfitting(record, placement)
        if codepoint in replaced and codepoint in source.files:
            outline = trace_ink(source.read(codepoint), source.canvas, settings, units_per_em=units)
            for step in unfitting:
                outline = outline.placed(step)
            yield AssembledGlyph(codepoint, outline, record.get("advance_em"))
            continue
        if codepoint not in outlines or codepoint in dropped:
            continue
        unfit = () if stands_as_in_font(outlines[codepoint]) else unfitting
        steps = (moves[codepoint], *unfit) if codepoint in moves else unfit
        stored = StoredOutline(outlines[codepoint], steps, by_hand.read_drawn)
        yield AssembledGlyph(codepoint, stored, record.get("advance_em"))
    for codepoint in charset["blank"]:
        ref = build.stack.resolve([codepoint]).refs[codepoint]
        yield AssembledGlyph(codepoint, Outline(), open_face(ref).advance_em(codepoint))
    own = build.folder("trace").path / "target"
    if build.target_refs[0] is None:
        for codepoint, path in outline_files(own).items():
            yield AssembledGlyph(codepoint, StoredOutline(path), 1.0)


def _dropped(build: Build) -> set[int]:
    """Suspects that stay out of the font."""
    return _doubted(build) if build.recipe.output.on_suspect == "drop" else set()


def _replaced(build: Build) -> set[int]:
    """Suspects for which the calibrated source glyph goes into the font."""
    return _doubted(build) if build.recipe.output.on_suspect == "source" else set()


def _doubted(build: Build) -> set[int]:
    """Suspects; hand work is never doubted."""
    return suspects(build).keys() - by_hand.drawn(build).keys() - by_hand.painted(build).keys()


def _unfitting(record: dict[str, Any], placement: Placement) -> tuple[Placement, ...]:
    """Undoes the box fit of the source glyph, so that the new glyph stands where the source's does."""
    return (Placement.from_json(record["fit"]).inverse(), placement) if "fit" in record else ()


def font_files(build: Build) -> list[Path]:
    """The files of the finished font, in the order of the recipe's formats."""
    root = build.folder("assemble").path
    return [root / f"{build.recipe.name}.{suffix}" for suffix in build.recipe.font.formats if suffix != "ufo"]


def _ufos(build: Build) -> list[Path]:
    """The UFO of the finished font, where the recipe wants one."""
    return [build.folder("assemble").path / f"{build.recipe.name}.ufo"] if "ufo" in build.recipe.font.formats else []


def require_names(build: Build) -> None:
    """Say before anything is drawn what would keep the font from being assembled. Raises FontError."""
    from fontgen.fonts.assemble import require_names

    for ref in [*build.stack.refs, *build.target_refs]:
        if ref is not None:
            open_face(ref)  # what is wrong with a font as such comes first
    require_names(**_grounds(build))


def _grounds(build: Build) -> dict[str, Any]:
    """What the glyphs join, and which fonts have a say in its name."""
    base = build.recipe.target.font
    return {
        "base": base.path if base else None,
        "settings": build.recipe.font,
        "face_index": base.face_index if base else 0,
        "location": base.location if base else None,
        "licence_fonts": [ref.path for ref in build.stack.refs],
    }


def _run_assemble(build: Build, folder: StageFolder) -> Outcome:
    from fontgen.fonts.assemble import assemble_formats

    outputs = [*font_files(build), *_ufos(build)]
    replaced = sorted(_replaced(build))
    for codepoint in replaced:
        build.talk.line(f"  the source glyph for the suspect {codepoint_name(codepoint)} {chr(codepoint)}")
    reports = assemble_formats(
        glyphs=_glyphs(build),
        outputs=outputs,
        **_grounds(build),
        web=folder.path / "web" if build.recipe.font.web else None,
        suspects=_doubted(build),
    )
    _remove_unwanted(build, folder.path)
    build.reports["assemble"] = reports[0]
    for notice in reports[0].notices:
        build.talk.line(f"  {notice}")
    figures = {
        "added": len(reports[0].added),
        "from_source": [codepoint_name(c) for c in replaced],
        "failed": len(reports[0].failed),
        "files": {path.name: _bytes_of(path) for path in outputs},
    }
    write_json(provenance_file(build), provenance(build, font_files(build)))
    files = [*(path.name for path in outputs), provenance_file(build).name]
    if build.recipe.font.web:
        slices = sorted((folder.path / "web").glob(f"{escape(build.recipe.name)}-*.woff2"))
        figures["web"] = {"slices": len(slices), "bytes": sum(path.stat().st_size for path in slices)}
        slices.append(folder.path / "web" / f"{build.recipe.name}.css")
        files += [f"web/{path.name}" for path in slices]
    return Outcome(figures, files)


def _remove_unwanted(build: Build, folder: Path) -> None:
    """Take away fonts of formats that the recipe no longer names, which show an earlier state; a UFO may be edited."""
    name, wanted = build.recipe.name, set(font_files(build))
    kinds = [folder / f"{name}.{suffix}" for suffix in ("ttf", "otf", "woff2")]
    slices = () if build.recipe.font.web else (folder / "web").glob(f"{escape(name)}[-.]*")
    for path in [*(path for path in kinds if path not in wanted), *slices]:
        with writing(path):
            path.unlink(missing_ok=True)


def _bytes_of(path: Path) -> int:
    """Size of a file, or of all files in a folder."""
    return (
        sum(part.stat().st_size for part in path.rglob("*") if part.is_file()) if path.is_dir() else path.stat().st_size
    )


# check


def _run_check(build: Build, folder: StageFolder) -> Outcome:
    from fontgen.fonts.check import check_font

    figures: dict[str, Any] = {}
    charset = read_charset(build)
    traced = outline_files(build.folder("trace").path) | by_hand.drawn(build)
    dropped = _dropped(build)
    made = traced.keys() | _replaced(build)
    added = {c for c in charset["generate"] if c in made and c not in dropped} | set(charset["blank"])
    ref = build.target_refs[0]
    kept = set(open_face(ref).cmap) if ref else {*SPACES, *outline_files(build.folder("trace").path / "target")}
    paths = font_files(build)
    checks = partial(check_font, expected=kept | added, generated=added)
    few = 2 if len(kept | added) > MANY_GLYPHS else len(paths) + 1
    for path, report in zip(paths, parallel_map(checks, paths, chunk=1, few=few), strict=True):
        write_json(folder.path / f"{path.name}.json", report.to_json())
        figures[path.name] = report.level
        build.talk.line(f"  {report.summary()}")
        for check, level, message in report.rows():
            if level != "pass":
                build.talk.line(f"    {level}: {check}: {message}")
    return Outcome(figures, [f"{path.name}.json" for path in paths])


STAGES = (
    Stage("trace", _trace_inputs, _run_trace, after=("clean", "register", "retry"), version=TRACER_VERSION),
    Stage("assemble", _assemble_inputs, _run_assemble, after=("trace", "gate", "retry", "charset"), version=4),
    Stage("check", lambda build: None, _run_check, after=("assemble",), version=2),
)
