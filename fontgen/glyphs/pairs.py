"""Training pairs: source and target images of the same characters in memory-mapped arrays."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from fontgen.canvas import Canvas, Placement
from fontgen.errors import ImageError, codepoint_name, writing
from fontgen.files import read_json, write_json
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.render import Fit, box_fit, render_ink, resample_ink
from fontgen.glyphs.store import ImageFolder
from fontgen.parallel import parallel_map

PAIRS = "pairs.json"
_FORMAT = "fontgen-pairs"


@dataclass(frozen=True)
class PairJob:
    """One pair to draw: the source glyph of a font, the target glyph of a font or an image folder."""

    codepoint: int
    source: FontRef
    target: FontRef | None
    """None when the target image comes from the style's image folder."""
    style_index: int = 0


@dataclass(frozen=True)
class Style:
    """A target: its name and how source glyphs are placed to meet it."""

    name: str
    placement: Placement
    images: Path | None = None
    """A folder of target images (scans), instead of a font."""


@dataclass
class PairSet:
    """n pairs on one canvas. Arrays are memory-mapped: opening costs nothing."""

    root: Path
    canvas: Canvas
    source: NDArray[np.uint8]
    """(n, size_px, size_px), ink = 255."""
    target: NDArray[np.uint8]
    """(n, size_px, size_px), ink = 255."""
    codepoints: NDArray[np.int32]
    style_index: NDArray[np.int32]
    held_out: NDArray[np.bool_]
    styles: list[str]
    fingerprint: str

    def __len__(self) -> int:
        return len(self.codepoints)

    @classmethod
    def open(cls, root: Path) -> PairSet:
        data = read_json(root / PAIRS)
        try:
            if data["format"] != _FORMAT:
                raise ValueError("another format")
            canvas = Canvas.from_json(data["canvas"])
            described: dict[str, Any] = {
                "codepoints": np.array([int(name[2:], 16) for name in data["codepoints"]], dtype=np.int32),
                "style_index": np.array(data["style_index"], dtype=np.int32),
                "held_out": np.array(data["held_out"], dtype=bool),
                "styles": list(data["styles"]),
                "fingerprint": data["fingerprint"],
            }
        except (LookupError, TypeError, ValueError, ImageError) as error:
            raise ImageError(f"{root / PAIRS}: not a set of training pairs; run `fontgen pairs` again") from error
        try:
            source = np.load(root / "source.npy", mmap_mode="r")
            target = np.load(root / "target.npy", mmap_mode="r")
        except (OSError, ValueError, EOFError) as error:
            raise ImageError(f"{root}: damaged training pairs ({error}); remove the folder and run it again") from error
        shape = (len(described["codepoints"]), canvas.size_px, canvas.size_px)
        if source.shape != shape or target.shape != shape:
            raise ImageError(f"{root}: arrays of {source.shape} where the manifest says {shape}; remove the folder")
        return cls(root=root, canvas=canvas, source=source, target=target, **described)


def is_held_out(codepoint: int, fraction: float) -> bool:
    """Whether a codepoint belongs to the held-out part: fixed by its hash, whatever else is in the set."""
    return int.from_bytes(_rank(codepoint)[:8], "big") < fraction * 2**64


def _rank(codepoint: int, purpose: str = "") -> bytes:
    """A codepoint's place in an order that is its own for every purpose: a hash."""
    return hashlib.sha256(f"{purpose}{codepoint_name(codepoint)}".encode("ascii")).digest()


def held_out_split(codepoints: Sequence[int], held_out: float | int) -> dict[int, bool]:
    """Codepoint -> held out. A fraction below 1 compares the hash; a count takes the lowest hashes."""
    if held_out < 1:
        return {codepoint: is_held_out(codepoint, float(held_out)) for codepoint in codepoints}

    chosen = set(sorted(set(codepoints), key=_rank)[: int(held_out)])
    return {codepoint: codepoint in chosen for codepoint in codepoints}


class _PairWriter:
    """Picklable: draws one pair into its row of the arrays, which every worker maps on its own."""

    def __init__(self, root: Path, canvas: Canvas, styles: Sequence[Style], fit: Fit) -> None:
        self.root, self.canvas, self.styles, self.fit = root, canvas, tuple(styles), fit
        self._arrays: tuple[Any, Any] | None = None
        self._folders: dict[int, ImageFolder] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_arrays": None, "_folders": {}}

    def __call__(self, item: tuple[int, PairJob]) -> tuple[int, str]:
        """(row, why the pair must not be trained on or "")."""
        row, job = item
        if self._arrays is None:
            self._arrays = (
                np.load(self.root / "source.npy", mmap_mode="r+"),
                np.load(self.root / "target.npy", mmap_mode="r+"),
            )
        style = self.styles[job.style_index]
        face = open_face(job.source)
        placement = box_fit(face, job.codepoint, self.canvas) if self.fit == "box" else style.placement
        source = render_ink(face, job.codepoint, self.canvas, placement)
        try:
            target = self._target(job, style)
        except ImageError as error:
            return row, str(error)
        self._arrays[0][row] = source
        self._arrays[1][row] = target
        if not source.any():
            return row, "the source glyph is blank on this canvas"
        if not target.any():
            return row, "the target glyph is blank on this canvas"
        return row, ""

    def _target(self, job: PairJob, style: Style) -> NDArray[np.uint8]:
        if job.target is not None:
            face = open_face(job.target)
            placement = box_fit(face, job.codepoint, self.canvas) if self.fit == "box" else None
            return render_ink(face, job.codepoint, self.canvas, placement)
        if job.style_index not in self._folders:
            assert style.images is not None
            self._folders[job.style_index] = ImageFolder.open(style.images)
        folder = self._folders[job.style_index]
        return resample_ink(folder.read(job.codepoint), folder.canvas, self.canvas)


def write_pairs(
    root: Path,
    jobs: Sequence[PairJob],
    canvas: Canvas,
    styles: Sequence[Style],
    *,
    held_out: float | int,
    fingerprint: str,
    fit: Fit = "em",
    workers: int | None = None,
) -> tuple[PairSet, dict[int, str]]:
    """Draw all pairs into `root`; returns them and codepoint -> reason for those left out.

    The manifest is written last: a folder without one is no set of pairs.
    """
    if not jobs:
        raise ImageError(f"{root}: no pairs to draw; source and target share no usable character")
    with writing(root):
        root.mkdir(parents=True, exist_ok=True)
        (root / PAIRS).unlink(missing_ok=True)
        shape = (len(jobs), canvas.size_px, canvas.size_px)
        arrays = [_allocate(root / name, shape) for name in _ARRAYS]
    writer = _PairWriter(root, canvas, styles, fit)
    unusable = {row: why for row, why in parallel_map(writer, enumerate(jobs), workers=workers) if why}
    kept = [row for row in range(len(jobs)) if row not in unusable]
    if not kept:
        raise ImageError(f"{root}: not one usable pair; first problem: {next(iter(unusable.values()))}")
    if unusable:
        with writing(root):
            _keep_rows(root, arrays, kept)
    del arrays
    split = held_out_split([jobs[row].codepoint for row in kept], held_out)
    write_json(
        root / PAIRS,
        {
            "format": _FORMAT,
            "version": 1,
            "canvas": canvas.to_json(),
            "codepoints": [codepoint_name(jobs[row].codepoint) for row in kept],
            "style_index": [jobs[row].style_index for row in kept],
            "held_out": [split[jobs[row].codepoint] for row in kept],
            "styles": [style.name for style in styles],
            "placements": [style.placement.to_json() for style in styles],
            "fit": fit,
            "left_out": {codepoint_name(jobs[row].codepoint): why for row, why in unusable.items()},
            "fingerprint": fingerprint,
        },
    )
    return PairSet.open(root), {jobs[row].codepoint: why for row, why in unusable.items()}


_ARRAYS = ("source.npy", "target.npy")


def _allocate(path: Path, shape: tuple[int, int, int]) -> Any:
    """A zeroed array on disk whose space is really there: a full disk must fail here, not as a bus error."""
    array = open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def _keep_rows(root: Path, arrays: list[Any], kept: list[int]) -> None:
    """Rewrite the arrays without the rows that cannot be trained on."""
    for name, array in zip(_ARRAYS, arrays, strict=True):
        part = root / f".part-{name}"
        try:
            smaller = _allocate(part, (len(kept), *array.shape[1:]))
            for new_row, row in enumerate(kept):
                smaller[new_row] = array[row]
            smaller.flush()
            del smaller
            part.replace(root / name)
        finally:
            part.unlink(missing_ok=True)


def sample(codepoints: Sequence[int], count: int) -> list[int]:
    """At most `count` codepoints, spread by their hash: the same ones for the same set, in its order.

    Independent of the held-out split: a sample holds out the share that the whole set does.
    """
    if len(codepoints) <= count:
        return list(codepoints)
    chosen = set(sorted(set(codepoints), key=lambda codepoint: _rank(codepoint, "sample "))[:count])
    return [codepoint for codepoint in codepoints if codepoint in chosen]


def target_jobs(
    sources: Mapping[int, FontRef], targets: Mapping[int, FontRef | None], style_index: int
) -> list[PairJob]:
    """Pairs of one style: every codepoint that source and target both have, in codepoint order."""
    shared = sorted(sources.keys() & targets.keys())
    return [PairJob(c, sources[c], targets[c], style_index) for c in shared]
