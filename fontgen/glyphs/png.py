"""Grey PNGs as fontgen writes them: 8 bit, no row filter, one data chunk. Quicker both ways than a general coder.

Glyph images are long runs of white and black: what deflate makes of runs alone is smaller at 256 px than what its
quickest search for repetitions makes of filtered rows, in half the time.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = struct.Struct(">IIBBBBB")
_GREY8 = (8, 0, 0, 0, 0)
"""Bits, colour type, compression, filter method, interlacing."""
_BEGIN = len(_SIGNATURE) + 12 + _HEADER.size
"""Where the data chunk begins."""


_LARGEST_PX = 4096
"""Larger images go the general way, which refuses what is absurd."""


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))


_END = _chunk(b"IEND", b"")


def encode_grey(grey8: NDArray[np.uint8]) -> bytes:
    """The PNG of a (rows, cols) uint8 image, 0 black."""
    height, width = grey8.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each begins with its filter: none
    rows[:, 1:] = grey8
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    data = packer.compress(rows.data) + packer.flush()
    return b"".join((_SIGNATURE, _chunk(b"IHDR", _HEADER.pack(width, height, *_GREY8)), _chunk(b"IDAT", data), _END))


def decode_grey(png: bytes, size_px: int | None) -> NDArray[np.uint8] | None:
    """The (rows, cols) uint8 image of such a square PNG of that size; None for any other, or a damaged one."""
    side = int.from_bytes(png[16:20], "big") if size_px is None else size_px
    if side > _LARGEST_PX or png[:_BEGIN] != _SIGNATURE + _chunk(b"IHDR", _HEADER.pack(side, side, *_GREY8)):
        return None
    length = int.from_bytes(png[_BEGIN : _BEGIN + 4], "big")
    data = png[_BEGIN + 8 : _BEGIN + 8 + length]
    if png[_BEGIN:] != _chunk(b"IDAT", data) + _END:
        return None
    try:
        unpacked: Any = zlib.decompressobj().decompress(data, side * (side + 1) + 1)
    except zlib.error:
        return None
    if len(unpacked) != side * (side + 1):
        return None
    rows = np.frombuffer(unpacked, np.uint8).reshape(side, side + 1)
    return None if rows[:, 0].any() else rows[:, 1:]
