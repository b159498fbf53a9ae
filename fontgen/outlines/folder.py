"""Folders of outlines: `U+4E00.svg` for every glyph and an `outlines.json`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from fontgen.canvas import DEFAULT_UNITS_PER_EM, Canvas
from fontgen.errors import ImageError, codepoint_name
from fontgen.files import read_json, write_bytes, write_json
from fontgen.glyphs.store import ImageFolder, codepoint_from_name, read_ink
from fontgen.outlines.outline import Outline
from fontgen.outlines.settings import TraceSettings
from fontgen.outlines.svg import read_svg, svg_text
from fontgen.outlines.trace import trace_inks
from fontgen.parallel import parallel_map
from fontgen.report import Report

Item = TypeVar("Item")

MANIFEST = "outlines.json"
FORMAT = "fontgen-outlines"
UNITS_PER_EM = 1000
"""Of the SVG files, whatever the font's."""

BATCH = 32
"""Glyphs traced at once: enough that the arrays outweigh the calls, few enough that they stay in the cache."""

FEW_BATCHES = 2
"""Up to this many batches starting workers costs about as much as the work."""

TRACER_VERSION = 5
"""Raise it when the same image gives another outline: kept outlines are then traced again."""


@dataclass(frozen=True)
class _Job:
    codepoint: int
    image: Path
    svg: Path
    settings_key: str
    known: dict[str, Any] | None


@dataclass(frozen=True)
class _Outcome:
    codepoint: int
    record: dict[str, Any] | None
    traced: bool = True
    error: str = ""


_CARRIED = ("advance_em", "fit")
"""What an image's record says about the glyph rather than about the image."""


def svg_name(codepoint: int) -> str:
    return f"{codepoint_name(codepoint)}.svg"


def trace_folder(
    folder: ImageFolder,
    output: Path,
    settings: TraceSettings | None = None,
    *,
    units_per_em: int = DEFAULT_UNITS_PER_EM,
    workers: int | None = None,
) -> Report:
    """Trace every image into `output` for a font with `units_per_em`, and record them in `outlines.json`.

    A glyph whose image, canvas and settings are those of the last run is left as it lies, so that an SVG
    edited by hand stays. SVGs of an earlier run whose codepoint has no image any more are removed. A glyph
    that fails (a damaged image, or no ink where the codepoint is not white space) is counted in the report
    and gets no SVG.
    """
    report = Report("trace")
    known = outline_records(output)
    settings = settings or TraceSettings()
    jobs = _jobs(folder, output, settings, units_per_em, known)
    records: dict[int, dict[str, Any]] = {}
    traced = points = 0
    batches = in_batches(jobs, BATCH)
    tracer = _FolderTracer(folder.canvas, settings, units_per_em)
    for outcome in chain.from_iterable(parallel_map(tracer, batches, workers=workers, chunk=1, few=FEW_BATCHES)):
        if outcome.record is None:
            report.add_failed(outcome.codepoint, outcome.error)
            continue
        report.add_done(outcome.codepoint)
        image = folder.glyphs.get(outcome.codepoint, {})
        records[outcome.codepoint] = outcome.record | {key: image[key] for key in _CARRIED if key in image}
        traced += outcome.traced
        points += outcome.record["points"]
    for codepoint in known.keys() - records.keys():
        (output / svg_name(codepoint)).unlink(missing_ok=True)
    write_json(
        output / MANIFEST,
        {
            "format": FORMAT,
            "version": 1,
            "units_per_em": UNITS_PER_EM,
            "glyphs": {codepoint_name(codepoint): record for codepoint, record in records.items()},
        },
    )
    report.figures = {"traced": traced, "kept": len(records) - traced, "points": points}
    return report


def _jobs(
    folder: ImageFolder, output: Path, settings: TraceSettings, units_per_em: int, known: Mapping[int, dict[str, Any]]
) -> Iterator[_Job]:
    key = f"{TRACER_VERSION} {units_per_em} {folder.canvas.to_json()} {settings.model_dump_json()}"
    for codepoint, path in folder.files.items():
        yield _Job(
            codepoint=codepoint,
            image=path,
            svg=output / svg_name(codepoint),
            settings_key=key,
            known=known.get(codepoint),
        )


def stale_outlines(
    folder: ImageFolder, output: Path, settings: TraceSettings, units_per_em: int = DEFAULT_UNITS_PER_EM
) -> list[int]:
    """Codepoints that `trace_folder` would trace, rather than keep."""
    jobs = _jobs(folder, output, settings, units_per_em, outline_records(output))
    return [job.codepoint for job in jobs if not _stands(job, _source(job))]


def read_outline_folder(path: Path) -> Iterator[tuple[int, Outline]]:
    """Yield (codepoint, outline) in the order of codepoints for every SVG in the folder.

    With or without a manifest, so that SVGs added or edited by hand are taken too.
    Raises ImageError when the folder has no glyphs, a recorded SVG is missing or one cannot be read.
    """
    files = outline_files(path)
    for codepoint in sorted(files):
        yield codepoint, read_svg(files[codepoint])


def outline_files(path: Path) -> dict[int, Path]:
    """Codepoint -> SVG of a folder of outlines. Raises ImageError as `read_outline_folder` does."""
    if not path.is_dir():
        raise ImageError(f"{path}: no such folder of outlines")
    files: dict[int, Path] = {}
    for file in sorted(path.glob("*.svg")):
        codepoint = codepoint_from_name(file.stem)
        if codepoint is None or file.name.startswith("."):
            continue
        if codepoint in files:
            raise ImageError(f"{file}: {codepoint_name(codepoint)} is also {files[codepoint].name}; keep one of them")
        files[codepoint] = file
    missing = sorted(outline_records(path).keys() - files.keys())
    if missing:
        raise ImageError(f"{path / svg_name(missing[0])}: recorded but missing; trace the images again")
    if not files:
        raise ImageError(f"{path}: no outlines; name them U+4E00.svg")
    return files


def outline_records(root: Path) -> dict[int, dict[str, Any]]:
    """Codepoint -> what tracing recorded: points, and the image's `advance_em` and `fit` where it had them."""
    if not (root / MANIFEST).exists():
        return {}
    data = read_json(root / MANIFEST)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ImageError(f"{root / MANIFEST}: not a manifest of outlines; remove it or choose another folder")
    return {int(name[2:], 16): dict(record) for name, record in data["glyphs"].items()}


def _source(job: _Job) -> str:
    """Digest of all that the outline depends on. Raises FileNotFoundError without an image."""
    return hashlib.sha256(job.settings_key.encode() + job.image.read_bytes()).hexdigest()[:16]


def _stands(job: _Job, source: str) -> bool:
    return job.known is not None and job.known.get("source") == source and job.svg.exists()


class _FolderTracer:
    """Picklable: traces those images of a batch whose SVG does not stand yet."""

    def __init__(self, canvas: Canvas, settings: TraceSettings, units_per_em: int) -> None:
        self.canvas, self.settings, self.units_per_em = canvas, settings, units_per_em

    def __call__(self, jobs: Sequence[_Job]) -> list[_Outcome]:
        outcomes: dict[int, _Outcome] = {}
        waiting: dict[int, tuple[_Job, str]] = {}
        for job in jobs:
            try:
                source = _source(job)
            except FileNotFoundError:
                outcomes[job.codepoint] = _Outcome(job.codepoint, None, error=f"{job.image}: no such image")
                continue
            if _stands(job, source):
                outcomes[job.codepoint] = _Outcome(job.codepoint, job.known, traced=False)
            else:
                waiting[job.codepoint] = job, source
        images = [(codepoint, job.image) for codepoint, (job, _) in waiting.items()]
        for codepoint, outline, problem in trace_images(images, self.canvas, self.settings, self.units_per_em):
            job, source = waiting[codepoint]
            if outline is None:
                outcomes[codepoint] = _Outcome(codepoint, None, error=problem)
                continue
            write_bytes(job.svg, svg_text(outline, UNITS_PER_EM).encode())
            outcomes[codepoint] = _Outcome(codepoint, {"source": source, "points": outline.point_count()})
        return [outcomes[job.codepoint] for job in jobs]


def trace_images(
    images: Sequence[tuple[int, Path]],
    canvas: Canvas,
    settings: TraceSettings,
    units_per_em: int = DEFAULT_UNITS_PER_EM,
) -> list[tuple[int, Outline | None, str]]:
    """(codepoint, outline, "") for each (codepoint, image file), or (codepoint, None, what is wrong with it)."""
    inks: dict[int, NDArray[np.uint8]] = {}
    problems: dict[int, str] = {}
    for codepoint, path in images:
        try:
            inks[codepoint] = read_ink(path, size_px=canvas.size_px)
        except ImageError as error:
            problems[codepoint] = str(error)
    outlines = dict(
        zip(inks, trace_inks(list(inks.values()), canvas, settings, units_per_em=units_per_em), strict=True)
    )
    for codepoint, path in images:
        if codepoint in outlines and outlines[codepoint].is_empty and not chr(codepoint).isspace():
            problems[codepoint] = (
                f"{path}: {codepoint_name(codepoint)} has no ink to trace; make its image again or leave it out"
            )
    return [
        (codepoint, None, problems[codepoint]) if codepoint in problems else (codepoint, outlines[codepoint], "")
        for codepoint, _ in images
    ]


def in_batches(items: Iterable[Item], size: int) -> Iterator[tuple[Item, ...]]:
    """Tuples of `size` items, the last maybe shorter."""
    iterator = iter(items)
    while batch := tuple(islice(iterator, size)):
        yield batch
