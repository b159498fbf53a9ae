"""Folders of outlines: `U+4E00.svg` for every glyph and an `outlines.json`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fontgen.canvas import Canvas
from fontgen.errors import GlyphError, ImageError, codepoint_name
from fontgen.files import read_json, write_bytes, write_json
from fontgen.glyphs.store import ImageFolder, codepoint_from_name, read_ink
from fontgen.outlines.outline import Outline
from fontgen.outlines.settings import TraceSettings
from fontgen.outlines.svg import read_svg, svg_text
from fontgen.outlines.trace import trace_ink
from fontgen.parallel import parallel_map
from fontgen.report import Report

MANIFEST = "outlines.json"
FORMAT = "fontgen-outlines"
UNITS_PER_EM = 1000
_TRACER_VERSION = 1  # raise it when the same image gives another outline: kept outlines are then traced again


@dataclass(frozen=True)
class _Job:
    codepoint: int
    image: Path
    svg: Path
    canvas: Canvas
    settings: TraceSettings
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
    folder: ImageFolder, output: Path, settings: TraceSettings | None = None, *, workers: int | None = None
) -> Report:
    """Trace every image into `output`, and record them in `outlines.json`.

    A glyph whose image, canvas and settings are those of the last run is left as it lies, so that an SVG
    edited by hand stays. SVGs of an earlier run whose codepoint has no image any more are removed. A glyph
    that fails (a damaged image, or no ink where the codepoint is not white space) is counted in the report
    and gets no SVG.
    """
    report = Report("trace")
    known = outline_records(output)
    jobs = _jobs(folder, output, settings or TraceSettings(), known)
    records: dict[int, dict[str, Any]] = {}
    traced = points = 0
    for outcome in parallel_map(_trace_file, jobs, workers=workers):
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
    folder: ImageFolder, output: Path, settings: TraceSettings, known: Mapping[int, dict[str, Any]]
) -> Iterator[_Job]:
    key = f"{_TRACER_VERSION} {folder.canvas.to_json()} {settings.model_dump_json()}"
    for codepoint, path in folder.files.items():
        yield _Job(
            codepoint=codepoint,
            image=path,
            svg=output / svg_name(codepoint),
            canvas=folder.canvas,
            settings=settings,
            settings_key=key,
            known=known.get(codepoint),
        )


def stale_outlines(folder: ImageFolder, output: Path, settings: TraceSettings) -> list[int]:
    """Codepoints that `trace_folder` would trace, rather than keep."""
    known = outline_records(output)
    return [job.codepoint for job in _jobs(folder, output, settings, known) if not _stands(job, _source(job))]


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


def _trace_file(job: _Job) -> _Outcome:
    try:
        source = _source(job)
        if job.known is not None and _stands(job, source):
            return _Outcome(job.codepoint, job.known, traced=False)
        outline = trace_image(job.image, job.codepoint, job.canvas, job.settings)
        write_bytes(job.svg, svg_text(outline, UNITS_PER_EM).encode())
    except FileNotFoundError:
        return _Outcome(job.codepoint, None, error=f"{job.image}: no such image")
    except (GlyphError, ImageError) as error:
        return _Outcome(job.codepoint, None, error=str(error))
    return _Outcome(job.codepoint, {"source": source, "points": outline.point_count()})


def trace_image(path: Path, codepoint: int, canvas: Canvas, settings: TraceSettings) -> Outline:
    """Read and trace one image file.

    Raises ImageError when it cannot be read, GlyphError when it holds no ink although `codepoint` is not
    white space.
    """
    outline = trace_ink(read_ink(path, size_px=canvas.size_px), canvas, settings)
    if outline.is_empty and not chr(codepoint).isspace():
        raise GlyphError(
            f"{path}: {codepoint_name(codepoint)} has no ink to trace; make its image again or leave it out"
        )
    return outline
