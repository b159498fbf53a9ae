"""The only map between pixels and em.

Em space: 1.0 is the font's units per em, y points up, the origin is the glyph origin on the
baseline. Pixel space: (row, col), row points down, measured at pixel *edges*: the centre of the
top left pixel is (0.5, 0.5). The y axis flips here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fontgen.errors import ImageError

DEFAULT_MARGIN_EM = 1 / 16
"""Room for overshoots around the em box; CJK strokes rarely leave it by more than 0.04 em."""

DEFAULT_UNITS_PER_EM = 1000
"""Of a font that no base font and no recipe sets another number for."""

DEFAULT_DESCENDER_EM = -0.12
"""The em box of CJK fonts: ascender 0.88, descender -0.12 (OpenType's ideographic em-box default)."""


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """A square image covering x in [-m, 1+m], y in [descender-m, descender+1+m] em.

    `shift_*_em` says how far the content of the images lies from its true place (right and up), and
    `content_scale` how much larger it is, about the centre of the canvas; `px_to_em` takes both out
    again, so a registered image needs no resampling.
    """

    size_px: int
    margin_em: float = DEFAULT_MARGIN_EM
    descender_em: float = DEFAULT_DESCENDER_EM
    shift_x_em: float = 0.0
    shift_y_em: float = 0.0
    content_scale: float = 1.0

    def __post_init__(self) -> None:
        if not 8 <= self.size_px <= 8192:
            raise ImageError(f"canvas of {self.size_px} px: choose a size from 8 to 8192 px")
        if not -0.4 <= self.margin_em <= 4.0:
            raise ImageError(f"canvas margin of {self.margin_em} em: choose one from -0.4 to 4 em")
        if not 0.5 <= self.content_scale <= 2.0:
            raise ImageError(f"canvas content enlarged {self.content_scale} times: choose from 0.5 to 2")

    @property
    def px_per_em(self) -> float:
        return self.size_px / (1.0 + 2.0 * self.margin_em)

    @property
    def top_em(self) -> float:
        """y of the canvas's upper edge, in em, before `shift_y_em`."""
        return self.descender_em + 1.0 + self.margin_em

    @property
    def em_to_px(self) -> NDArray[np.float64]:
        """(2, 3) affine: [col, row] = A @ [x_em, y_em, 1], at pixel edges."""
        scale = self.px_per_em
        plain = np.array(
            [
                [scale, 0.0, scale * (self.margin_em + self.shift_x_em)],
                [0.0, -scale, scale * (self.top_em - self.shift_y_em)],
            ]
        )
        return plain if self.content_scale == 1.0 else compose(self._enlarged(self.content_scale), plain)

    @property
    def px_to_em(self) -> NDArray[np.float64]:
        """(2, 3) affine: [x_em, y_em] = A @ [col, row, 1], the exact inverse of `em_to_px`."""
        em_per_px = 1.0 / self.px_per_em
        plain = np.array(
            [
                [em_per_px, 0.0, -self.margin_em - self.shift_x_em],
                [0.0, -em_per_px, self.top_em - self.shift_y_em],
            ]
        )
        return plain if self.content_scale == 1.0 else compose(plain, self._enlarged(1 / self.content_scale))

    def _enlarged(self, scale: float) -> NDArray[np.float64]:
        """(2, 3) affine in px: enlarges about the place to which the canvas's centre is shifted."""
        middle = self.size_px / 2
        col, row = middle + self.shift_x_em * self.px_per_em, middle - self.shift_y_em * self.px_per_em
        return np.array([[scale, 0.0, (1 - scale) * col], [0.0, scale, (1 - scale) * row]])

    def displaced(self, dx_em: float, dy_em: float) -> Canvas:
        """The canvas of images whose content lies a further (dx, dy) em right and up of its place."""
        return replace(self, shift_x_em=self.shift_x_em + dx_em, shift_y_em=self.shift_y_em + dy_em)

    def enlarged(self, scale: float) -> Canvas:
        """The canvas of images whose content is larger than it should be by this factor besides."""
        return replace(self, content_scale=self.content_scale * scale)

    def resized(self, size_px: int) -> Canvas:
        """The same region at another size."""
        return replace(self, size_px=size_px)

    def to_json(self) -> dict[str, Any]:
        """The fields; `content_scale` only where it is not 1, as of hardly any canvas."""
        data = asdict(self)
        if self.content_scale == 1.0:
            del data["content_scale"]
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Canvas:
        try:
            return cls(**data)
        except TypeError as error:
            raise ImageError(f"canvas description {data!r} is not one of fontgen's: {error}") from error


@dataclass(frozen=True, kw_only=True)
class Placement:
    """A similarity in em space: p -> scale * p + (dx, dy). Carries source glyphs onto the target."""

    scale: float = 1.0
    dx_em: float = 0.0
    dy_em: float = 0.0

    @property
    def matrix(self) -> NDArray[np.float64]:
        """(2, 3) affine in em space."""
        return np.array([[self.scale, 0.0, self.dx_em], [0.0, self.scale, self.dy_em]])

    def inverse(self) -> Placement:
        return Placement(scale=1 / self.scale, dx_em=-self.dx_em / self.scale, dy_em=-self.dy_em / self.scale)

    def to_json(self) -> dict[str, float]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Placement:
        return cls(scale=float(data["scale"]), dx_em=float(data["dx_em"]), dy_em=float(data["dy_em"]))


def compose(outer: NDArray[np.float64], inner: NDArray[np.float64]) -> NDArray[np.float64]:
    """The (2, 3) affine that applies `inner` first and then `outer`."""
    linear = outer[:, :2] @ inner[:, :2]
    offset = outer[:, :2] @ inner[:, 2] + outer[:, 2]
    return np.column_stack([linear, offset])


def canvas_from_zi2zi(
    *, canvas_size: int, char_size: int, x_offset: float, y_offset: float, ascender_em: float
) -> Canvas:
    """The Canvas that equals zi2zi's `canvas_size`, `char_size` and `x/y offset`.

    zi2zi draws a character with its upper left corner, the font's `hhea` ascender above the
    baseline, at (x_offset, y_offset) pixels of a square of `canvas_size` pixels, one em being
    `char_size` pixels.
    """
    margin_em = (canvas_size / char_size - 1.0) / 2.0
    plain = Canvas(size_px=canvas_size, margin_em=margin_em)
    baseline_row = y_offset + ascender_em * char_size
    return plain.displaced(
        x_offset / char_size - margin_em,
        plain.top_em - baseline_row / char_size,
    )
