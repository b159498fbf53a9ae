"""Folders of glyph images: `U+4E00.png`, dark ink on light, and a `manifest.json`.

Inside fontgen ink is 1 (float32) or 255 (uint8); the inversion happens here, at the file boundary.
"""

from __future__ import annotations

import re
import struct
from collections import deque
from collections.abc import Container, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fontgen.canvas import Canvas
from fontgen.errors import ImageError, codepoint_name
from fontgen.files import read_json, write_bytes, write_json
from fontgen.glyphs.png import decode_grey, encode_grey
from fontgen.parallel import usable_cores

MANIFEST = "manifest.json"
UNCERTAINTY = "uncertainty"
"""Of a drawn glyph's record: how much of its ink lies otherwise when the source is shifted a little."""
_FORMAT = "fontgen-images"
UNREADABLE = (OSError, SyntaxError, ValueError, struct.error, EOFError, Image.DecompressionBombError)
"""What Pillow raises for a file that is no image, a damaged one, or one of absurd size."""

_WRITERS = 8
"""Threads that write: past that many the interpreter is the limit (a third of the time an image takes is its own)."""
_WAITING = 4
"""Images a writer may be behind."""

_OWN_BYTES = 1 << 20
"""Longer files are none of fontgen's own glyph images."""


def to_ink8(ink: NDArray[Any]) -> NDArray[np.uint8]:
    """Any ink array (bool, float in 0..1, or uint8 already) as uint8 with ink = 255."""
    if ink.dtype == np.uint8:
        return np.asarray(ink, dtype=np.uint8)
    ink8: NDArray[np.uint8] = np.rint(np.clip(ink.astype(np.float32), 0.0, 1.0) * 255.0).astype(np.uint8)
    return ink8


def to_ink(ink8: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 ink (255 = ink) as float32 in 0..1."""
    return ink8.astype(np.float32) * np.float32(1 / 255)


def write_ink(path: Path, ink: NDArray[Any]) -> None:
    """Write (row, col) ink, uint8 with ink = 255 or float with ink = 1, as a grey PNG, dark on light."""
    write_bytes(path, encode_grey(255 - to_ink8(ink)))


def written(folder: Path, images: Iterable[tuple[int, NDArray[Any]]]) -> Iterator[int]:
    """Write (codepoint, ink) into `folder`, yielding each codepoint once its image stands, in order.

    Threads write: packing a PNG leaves the interpreter free, so that the next images come meanwhile.
    """
    count = min(_WRITERS, usable_cores())
    with ThreadPoolExecutor(count, thread_name_prefix="images") as writers:
        waiting: deque[tuple[int, Future[None]]] = deque()
        for codepoint, ink in images:
            waiting.append((codepoint, writers.submit(write_ink, folder / image_name(codepoint), ink)))
            if len(waiting) > _WAITING * count:
                yield _finished(waiting)
        while waiting:
            yield _finished(waiting)


def _finished(waiting: deque[tuple[int, Future[None]]]) -> int:
    codepoint, image = waiting.popleft()
    image.result()
    return codepoint


def read_ink(path: Path, *, size_px: int | None = None) -> NDArray[np.uint8]:
    """Read any PNG (grey, RGB(A), palette, 1 or 16 bit) as (row, col) uint8 with ink = 255.

    Transparent pixels are background. Raises ImageError when the file is missing, damaged, not
    square, or not `size_px` wide.
    """
    try:
        with path.open("rb") as file:
            own = decode_grey(file.read(_OWN_BYTES), size_px)
            if own is not None:
                return np.asarray(255 - own)
            file.seek(0)
            return _read_any(path, file, size_px)
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such image") from error
    except UNREADABLE as error:
        raise ImageError(f"{path}: not a readable image ({error}); replace or remove it") from error


def _read_any(path: Path, file: BinaryIO, size_px: int | None) -> NDArray[np.uint8]:
    with Image.open(file) as image:
        cols, rows = image.size
        if rows != cols or (size_px is not None and rows != size_px):  # before a huge one is decoded
            wanted = f"{size_px}x{size_px}" if size_px is not None else "a square"
            raise ImageError(f"{path}: {cols}x{rows} px where {wanted} is needed; render it on the same canvas")
        image.load()
        return np.asarray(255 - _to_grey(image))


def _to_grey(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image).astype(np.float64)
        top = 65535.0 if values.max(initial=0) > 255 or image.mode.startswith("I;16") else 255.0
        return np.rint(np.clip(values / top, 0, 1) * 255).astype(np.uint8)
    if image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info:
        rgba = image.convert("RGBA")
        paper = Image.new("RGBA", rgba.size, "white")
        return np.asarray(Image.alpha_composite(paper, rgba).convert("L"))
    return np.asarray(image.convert("L"))


def image_name(codepoint: int) -> str:
    return f"{codepoint_name(codepoint)}.png"


_NAME_FORMS = (
    (re.compile(r"^[uU]\+([0-9A-Fa-f]{4,6})$"), 16),
    (re.compile(r"^(?:uni|u|0x)([0-9A-Fa-f]{4,6})$"), 16),
    (re.compile(r"^([0-9]{5,7})$"), 10),
    (re.compile(r"^([0-9A-Fa-f]{4,6})$"), 16),
)


def codepoint_from_name(stem: str) -> int | None:
    """The codepoint that a file name without suffix stands for: `U+4E00`, `4e00`, `19968`, `一`.

    Five digits and more are read as decimal where that is a Unicode scalar value outside the
    hexadecimal four-digit form; None when the name is none of these.
    """
    if len(stem) == 1 and not stem.isascii():
        return ord(stem)
    for pattern, base in _NAME_FORMS:
        if match := pattern.match(stem):
            codepoint = int(match[1], base)
            if codepoint <= 0x10FFFF:
                return codepoint
    return ord(stem) if len(stem) == 1 else None


@dataclass
class ImageFolder:
    """A folder of glyph images that share a canvas."""

    root: Path
    canvas: Canvas
    files: dict[int, Path]
    """Codepoint -> image, in the order of the manifest (of the codepoints for a foreign folder)."""
    glyphs: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Codepoint -> what the stage that made the image recorded about it."""
    provenance: dict[str, Any] = field(default_factory=dict)
    has_manifest: bool = True
    """False for a foreign folder, whose images are taken as filling the em box."""

    @property
    def codepoints(self) -> list[int]:
        return list(self.files)

    def read(self, codepoint: int) -> NDArray[np.uint8]:
        """(row, col) uint8, ink = 255; ImageError names the file when it is missing or of another size."""
        if codepoint not in self.files:
            raise ImageError(f"{self.root}: no image of {codepoint_name(codepoint)}")
        return read_ink(self.files[codepoint], size_px=self.canvas.size_px)

    def subset(self, codepoints: Iterable[int]) -> ImageFolder:
        """The same folder, seen through some of its glyphs."""
        wanted = set(codepoints)
        return replace(self, files={c: path for c, path in self.files.items() if c in wanted})

    def __iter__(self) -> Iterator[int]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)

    @classmethod
    def open(cls, root: Path) -> ImageFolder:
        """Open a folder with fontgen's manifest, or a foreign one of em-box-filling images."""
        if not root.is_dir():
            raise ImageError(f"{root}: no such folder of glyph images")
        if (root / MANIFEST).exists():
            return cls._from_manifest(root)
        return cls._foreign(root)

    @classmethod
    def _from_manifest(cls, root: Path) -> ImageFolder:
        data = read_json(root / MANIFEST)
        try:
            if data["format"] != _FORMAT:
                raise ValueError("another format")
            glyphs = {int(name[2:], 16): dict(record) for name, record in data["glyphs"].items()}
            canvas = Canvas.from_json(data["canvas"])
        except (LookupError, TypeError, ValueError, AttributeError, ImageError) as error:
            raise ImageError(
                f"{root / MANIFEST}: not a manifest of glyph images; remove it to read the folder as is"
            ) from error
        return cls(
            root=root,
            canvas=canvas,
            files={codepoint: root / image_name(codepoint) for codepoint in sorted(glyphs)},
            glyphs=glyphs,
            provenance=data.get("provenance", {}),
        )

    @classmethod
    def _foreign(cls, root: Path) -> ImageFolder:
        files: dict[int, Path] = {}
        for path in sorted(root.iterdir()):
            if path.suffix.lower() == ".png" and not path.name.startswith("."):
                codepoint = codepoint_from_name(path.stem)
                if codepoint is not None:
                    if codepoint in files:
                        raise ImageError(
                            f"{path}: {codepoint_name(codepoint)} is also {files[codepoint].name}; keep one of them"
                        )
                    files[codepoint] = path
        if not files:
            raise ImageError(f"{root}: no glyph images; name them U+4E00.png, 4e00.png, 19968.png or 一.png")
        size_px = _majority_size(files)
        return cls(root, Canvas(size_px=size_px, margin_em=0.0), dict(sorted(files.items())), has_manifest=False)


def _majority_size(files: Mapping[int, Path]) -> int:
    """The commonest width among the images, so that one odd file cannot set the canvas."""
    counts: dict[int, int] = {}
    for path in files.values():
        try:
            with Image.open(path) as image:
                counts[image.width] = counts.get(image.width, 0) + 1
        except UNREADABLE:
            continue  # the read of that glyph names the damaged file
    if not counts:
        raise ImageError(f"{next(iter(files.values())).parent}: none of its images can be read")
    return max(counts, key=lambda size: (counts[size], size))


@contextmanager
def keeping_records(root: Path, keep: Container[int]) -> Iterator[None]:
    """Let a stage write a manifest for part of a folder: records of the other glyphs in `keep` come back after it."""
    earlier = ImageFolder.open(root).glyphs if (root / MANIFEST).exists() else {}
    yield
    now = ImageFolder.open(root)
    records = {codepoint: record for codepoint, record in {**earlier, **now.glyphs}.items() if codepoint in keep}
    if records.keys() != now.glyphs.keys():
        write_manifest(root, now.canvas, records, now.provenance)


def write_manifest(
    root: Path,
    canvas: Canvas,
    glyphs: Mapping[int, Mapping[str, Any]],
    provenance: Mapping[str, Any] | None = None,
) -> None:
    """Write `manifest.json`: canvas, one record a codepoint (may be empty), where the images come from."""
    write_json(
        root / MANIFEST,
        {
            "format": _FORMAT,
            "version": 1,
            "canvas": canvas.to_json(),
            "glyphs": {codepoint_name(codepoint): dict(record) for codepoint, record in sorted(glyphs.items())},
            "provenance": dict(provenance or {}),
        },
    )
