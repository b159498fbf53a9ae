"""Opening fonts: TTF, OTF/CFF, TTC faces, WOFF, WOFF2 and variable fonts at a location.

Outlines come from FreeType unscaled and unhinted, in font units; nothing here rounds to pixels.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, Literal
from unicodedata import category

import freetype
import freetype.raw as ft
import numpy as np
from fontTools.ttLib import TTFont
from numpy.typing import NDArray

from fontgen.errors import FontError, GlyphError, WorkspaceError, codepoint_name
from fontgen.files import write_bytes

GlyphState = Literal["ok", "missing", "blank", "tofu"]

_LOAD_FLAGS = freetype.FT_LOAD_NO_SCALE | freetype.FT_LOAD_NO_HINTING | freetype.FT_LOAD_NO_BITMAP

PLACEHOLDER_REPEATS = 8
"""An outline under this many codepoints is a placeholder: compatibility ideographs share one among 2-4."""

_FIXED = 65536.0
_SUBPIXEL = 64.0


@dataclass(frozen=True)
class FontRef:
    """Which face of which file, and where in its design space. Small, hashable, picklable."""

    path: Path
    face_index: int = 0
    location: tuple[tuple[str, float], ...] = ()

    @classmethod
    def of(cls, path: Path, face_index: int = 0, location: Mapping[str, float] | None = None) -> FontRef:
        return cls(Path(path), face_index, tuple(sorted((location or {}).items())))

    def __str__(self) -> str:
        index = f"#{self.face_index}" if self.face_index else ""
        axes = ",".join(f"{tag}={value:g}" for tag, value in self.location)
        return f"{self.path}{index}{'@' + axes if axes else ''}"


class Face:
    """One open face. Not picklable: workers open their own through `open_face`."""

    def __init__(self, ref: FontRef) -> None:
        self.ref = ref
        data = sfnt_bytes(ref.path)
        _require_unicode_cmap(ref, data)
        try:
            self._face = freetype.Face(BytesIO(data), index=ref.face_index)
        except freetype.FT_Exception as error:
            raise FontError(f"{ref}: FreeType cannot open it ({error}); is the file complete?") from error
        if not self._face.is_scalable:
            raise FontError(f"{ref}: a bitmap font has no outlines; use an outline font")
        if ref.location:
            self._set_location(dict(ref.location))
        self.units_per_em: int = self._face.units_per_EM
        self.ascender_em: float = self._face.ascender / self.units_per_em
        self.descender_em: float = self._face.descender / self.units_per_em
        self.cmap: dict[int, int] = {code: index for code, index in self._face.get_chars() if index}
        """Codepoint -> glyph index."""
        if not self.cmap:
            raise FontError(f"{ref}: its Unicode cmap is empty; use a font that maps characters")

    @property
    def family_name(self) -> str:
        return (self._face.family_name or b"").decode("utf-8", "replace")

    @property
    def style_name(self) -> str:
        return (self._face.style_name or b"").decode("utf-8", "replace")

    def _set_location(self, location: Mapping[str, float]) -> None:
        try:
            axes = self._face.get_variation_info().axes
        except freetype.FT_Exception as error:
            raise FontError(f"{self.ref}: not a variable font; leave the location out") from error
        known = {axis.tag: axis for axis in axes}
        for tag, value in location.items():
            if tag not in known:
                raise FontError(f"{self.ref}: no axis {tag!r}; it has {', '.join(known)}")
            axis = known[tag]
            if not axis.minimum <= value <= axis.maximum:
                raise FontError(f"{self.ref}: {tag}={value:g} is outside {axis.minimum:g}..{axis.maximum:g}")
        self._face.set_var_design_coords([location.get(axis.tag, axis.default) for axis in axes])

    # outlines

    def _load(self, codepoint: int) -> Any:
        """FreeType's glyph slot for `codepoint`, outline in font units."""
        index = self.cmap.get(codepoint)
        if index is None:
            raise GlyphError(f"{self.ref}: no glyph for {codepoint_name(codepoint)}")
        return self._load_index(index)

    def _load_index(self, index: int) -> Any:
        error = ft.FT_Load_Glyph(self._face._FT_Face, index, _LOAD_FLAGS)
        if error:
            raise GlyphError(f"{self.ref}: FreeType cannot load glyph {index} (error {error})")
        return self._face._FT_Face.contents.glyph.contents

    def _fingerprint(self, slot: Any) -> bytes | None:
        """A digest of the outline in the slot; None when nothing would be inked."""
        outline = slot.outline
        if not outline.n_contours or not outline.n_points:
            return None
        points = ctypes.string_at(outline.points, outline.n_points * ctypes.sizeof(ft.FT_Vector))
        coordinates = np.frombuffer(points, dtype=np.int64 if len(points) // outline.n_points == 16 else np.int32)
        xy = coordinates.reshape(-1, 2)
        if (np.ptp(xy, axis=0) == 0).any():
            return None
        # relative to the box: a placeholder centred on different advances is still one placeholder
        return hashlib.blake2b(np.ascontiguousarray(xy - xy.min(axis=0)).tobytes(), digest_size=16).digest()

    def advance_em(self, codepoint: int) -> float:
        return float(self._load(codepoint).advance.x) / self.units_per_em

    def point_count(self, codepoint: int) -> int:
        """Points of the outline, off-curve ones among them, as the font stores it (composites taken apart)."""
        return int(self._load(codepoint).outline.n_points)

    def bounds_em(self, codepoint: int) -> tuple[float, float, float, float] | None:
        """(x_min, y_min, x_max, y_max) of the outline in em; None for a blank glyph."""
        outline = self._load(codepoint).outline
        if not outline.n_points:
            return None
        box = ft.FT_BBox()
        ft.FT_Outline_Get_BBox(ctypes.byref(outline), ctypes.byref(box))
        scale = 1.0 / self.units_per_em
        return box.xMin * scale, box.yMin * scale, box.xMax * scale, box.yMax * scale

    def states(self, codepoints: Iterable[int]) -> dict[int, GlyphState]:
        """What each codepoint has here: a glyph of its own, none, a blank one, or a placeholder (tofu).

        Tofu is found by outline: equal to `.notdef`, or repeated under many codepoints.
        """
        prints: dict[int, bytes] = {}
        states: dict[int, GlyphState] = {}
        for codepoint in codepoints:
            if codepoint not in self.cmap:
                states[codepoint] = "missing"
                continue
            digest = self._fingerprint(self._load(codepoint))
            if digest is None:
                states[codepoint] = "ok" if is_whitespace(codepoint) else "blank"
            else:
                states[codepoint] = "ok"
                prints[codepoint] = digest
        notdef = self._fingerprint(self._load_index(0))
        counts: dict[bytes, int] = {}
        for digest in prints.values():
            counts[digest] = counts.get(digest, 0) + 1
        for codepoint, digest in prints.items():
            if digest == notdef or counts[digest] >= PLACEHOLDER_REPEATS:
                states[codepoint] = "tofu"
        return states

    def rasterize(self, codepoint: int, em_to_px: NDArray[np.float64], size_px: int) -> NDArray[np.uint8]:
        """Exact area coverage of the outline through a (2, 3) em -> pixel affine.

        Returns (size_px, size_px) uint8 ink, 255 = covered. Points are placed to 1/64 px.
        """
        ink = np.zeros((size_px, size_px), dtype=np.uint8)
        outline = self._load(codepoint).outline
        if not outline.n_points:
            return ink
        scale = _SUBPIXEL / self.units_per_em
        # FreeType's raster has y up from the bottom edge; our rows run down from the top edge
        a, b, tx = em_to_px[0]
        c, d, ty = em_to_px[1]
        matrix = ft.FT_Matrix(
            *(round(v * scale * _FIXED) for v in (a, b, -c, -d)),
        )
        ft.FT_Outline_Transform(ctypes.byref(outline), ctypes.byref(matrix))
        ft.FT_Outline_Translate(ctypes.byref(outline), round(tx * _SUBPIXEL), round((size_px - ty) * _SUBPIXEL))
        bitmap = ft.FT_Bitmap()
        bitmap.rows = bitmap.width = bitmap.pitch = size_px
        bitmap.num_grays = 256
        bitmap.pixel_mode = freetype.FT_PIXEL_MODE_GRAY
        bitmap.buffer = ink.ctypes.data_as(ctypes.POINTER(ctypes.c_ubyte))
        library = freetype.get_handle()
        error = ft.FT_Outline_Get_Bitmap(library, ctypes.byref(outline), ctypes.byref(bitmap))
        if error:
            raise GlyphError(f"{self.ref}: FreeType cannot draw {codepoint_name(codepoint)} (error {error})")
        return ink


def is_whitespace(codepoint: int) -> bool:
    """Characters that are rightly blank: spaces, controls and format characters."""
    return category(chr(codepoint)) in {"Zs", "Zl", "Zp", "Cc", "Cf"} or codepoint in {0x115F, 0x1160, 0x3164, 0xFFA0}


def open_face(ref: FontRef) -> Face:
    """Open a face once a process, and again when its file changes.

    Raises FontError for a missing, damaged or unmappable font.
    """
    return _open_face(ref, _file_state(ref.path))


@lru_cache(maxsize=16)
def _open_face(ref: FontRef, state: tuple[int, int]) -> Face:
    return Face(ref)


def _file_state(path: Path) -> tuple[int, int]:
    """What changes when a file does: its time and size."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0  # reading it says what is wrong
    return found.st_mtime_ns, found.st_size


def font_error(path: Path, error: object) -> FontError:
    return FontError(f"{path}: not a readable font ({error}); use a TTF, OTF, TTC, WOFF or WOFF2 file")


def sfnt_bytes(path: Path) -> bytes:
    """The file's bytes, WOFF and WOFF2 unpacked. Raises FontError when it cannot be read or unpacked."""
    return _sfnt_bytes(path, _file_state(path))


@lru_cache(maxsize=4)
def _sfnt_bytes(path: Path, state: tuple[int, int]) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise FontError(f"{path}: no such font file") from error
    except OSError as error:
        raise FontError(f"{path}: cannot be read ({error.strerror or error})") from error
    if data[:4] not in (b"wOFF", b"wOF2"):
        return data
    # Rebuilding the glyphs of a WOFF2 takes seconds for thousands of them; every worker would pay it again.
    cached = _cache_folder() / f"{hashlib.sha256(data).hexdigest()[:32]}.sfnt"
    try:
        return cached.read_bytes()
    except OSError:
        unpacked = _unpack(path, data)
    try:
        write_bytes(cached, unpacked)
    except WorkspaceError:
        return unpacked  # no room or no permission for a cache: it only costs time
    return unpacked


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fontgen" / "unpacked-fonts"


def _unpack(path: Path, data: bytes) -> bytes:
    try:
        font = TTFont(BytesIO(data), recalcTimestamp=False, recalcBBoxes=False)
        font.flavor = None
        unpacked = BytesIO()
        font.save(unpacked, reorderTables=None)
    except Exception as error:
        raise font_error(path, error) from error
    return unpacked.getvalue()


def _require_unicode_cmap(ref: FontRef, data: bytes) -> None:
    """FreeType invents a Unicode map from glyph names where a font has none; the user must know instead."""
    is_collection = data[:4] == b"ttcf"
    try:
        font = TTFont(BytesIO(data), lazy=True, fontNumber=ref.face_index if is_collection else -1)
        if "cmap" not in font:
            raise FontError(f"{ref}: no cmap table; use a font with a Unicode cmap")
        subtables = font["cmap"].tables
    except FontError:
        raise
    except Exception as error:
        raise font_error(ref.path, error) from error
    # fontTools counts Windows' symbol encoding (3, 0) as Unicode, though it maps no character of it
    if not any(table.isUnicode() and (table.platformID, table.platEncID) != (3, 0) for table in subtables):
        found = ", ".join(f"platform {table.platformID} encoding {table.platEncID}" for table in subtables) or "none"
        raise FontError(f"{ref}: no Unicode cmap (it has: {found}); use a font with a Unicode cmap")
    if not is_collection and ref.face_index:
        raise FontError(f"{ref}: a single font has no face {ref.face_index}; leave face_index out")
