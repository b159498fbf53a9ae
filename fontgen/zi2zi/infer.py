"""Drawing glyphs with a trained generator.

Shapes: B batch, D drawings of a glyph, H rows, W columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fontgen.errors import ImageError, RecipeError, codepoint_name
from fontgen.zi2zi.checkpoint import load_generator
from fontgen.zi2zi.data import to_ink, to_ink8, to_network
from fontgen.zi2zi.device import repeatable, resolve_device, sent
from fontgen.zi2zi.generator import Generator
from fontgen.zi2zi.layout import lay_out
from fontgen.zi2zi.styles import StyleMix, parse_style

_DIRECTIONS = ((0, 0), (1, 1), (-1, -1), (1, -1), (-1, 1), (1, 0), (-1, 0), (0, 1), (0, -1))


class Drawn(NamedTuple):
    """One glyph as a generator drew it."""

    codepoint: int
    ink8: NDArray[np.uint8]
    """(size, size), ink = 255."""
    uncertainty: float | None
    """How much of the ink lies otherwise when the source is shifted a little; None when it was drawn once."""


def infer_images(
    checkpoint: Path,
    items: Iterable[tuple[int, NDArray[np.uint8]]],
    *,
    style: StyleMix | str | int = 0,
    device: str | torch.device = "auto",
    batch_size: int = 16,
    passes: int = 1,
) -> Iterator[Drawn]:
    """Yield a drawing for each (codepoint, (size, size) uint8 ink), in order.

    With `passes` above 1 (up to 9) each glyph is drawn so many times from slightly shifted sources,
    and the mean of the drawings, shifted back, is taken: smoother edges and truer shapes for as many
    times the work. Streams: two batches are held at a time, of which a GPU draws one while the images of the other
    are taken. A glyph's image does not depend on its neighbours in the
    batch. `style` is a mixture, an index or an expression (`fontgen.zi2zi.styles`), `device` is auto, cpu, cuda
    or a torch device. Raises RecipeError for a style that the checkpoint lacks and ImageError for a source
    image of another size.
    """
    where = resolve_device(device)
    generator, header = load_generator(checkpoint, where)
    mix = style if isinstance(style, StyleMix) else parse_style(str(style), header.styles)
    lay_out(generator, where)
    iterator = iter(items)
    before: Iterator[Drawn] = iter(())
    while batch := list(islice(iterator, batch_size)):
        ink_BHW, uncertainty_B = draw_batch(generator, batch, mix, where, batch_size, passes)
        yield from before
        before = _fetched([codepoint for codepoint, _ in batch], ink_BHW, uncertainty_B)
    yield from before


def _fetched(codepoints: list[int], ink_BHW: Tensor, uncertainty_B: Tensor | None) -> Iterator[Drawn]:
    """What `draw_batch` returned, waited for when the first glyph is asked for."""
    uncertainty = [None] * len(codepoints) if uncertainty_B is None else uncertainty_B.tolist()
    yield from (Drawn(*one) for one in zip(codepoints, ink_BHW.cpu().numpy(), uncertainty, strict=False))


def draw_batch(
    generator: Generator,
    batch: list[tuple[int, NDArray[np.uint8]]],
    style: StyleMix,
    device: torch.device,
    batch_size: int,
    passes: int = 1,
) -> tuple[Tensor, Tensor | None]:
    """Draw at most `batch_size` glyphs: (batch_size, size, size) uint8 ink, those past the batch blank sources.

    With several passes also (batch_size,) uncertainties: the sum over all pixels of the standard deviation of their
    ink, over the ink of the mean and over how far the shifts lie apart, so that numbers of passes compare. Both are on
    the device, which may not be done with them.

    Always the same number is drawn, since the kernels chosen for another number round differently.
    """
    size_px = generator.size_px
    source = np.zeros((batch_size, size_px, size_px), np.uint8)
    for row, (codepoint, ink8) in enumerate(batch):
        if ink8.shape != (size_px, size_px):
            raise ImageError(
                f"{codepoint_name(codepoint)}: source image of {ink8.shape[1]}x{ink8.shape[0]} px, the checkpoint "
                f"was trained at {size_px} px; render the source at --canvas-size {size_px}"
            )
        source[row] = ink8
    with repeatable(device), torch.inference_mode():
        style_BE = style_vector(generator, style).expand(batch_size, -1)
        source_B1HW = to_network(sent(source, device))[:, None]
        drawings: list[Tensor] = []
        for rows, columns in shifts(passes, size_px):
            # The roll wraps margin around to margin: both are background.
            moved_B1HW = source_B1HW.roll((rows, columns), (2, 3))
            drawn_B1HW = generator.decoder(generator.encoder(moved_B1HW), style_BE, moved_B1HW)
            drawings.append(drawn_B1HW.roll((-rows, -columns), (2, 3)))
        drawings_DB1HW = torch.stack(drawings)
        mean_B1HW = drawings_DB1HW.mean(0)
        if passes == 1:
            return to_ink8(mean_B1HW), None
        deviation_B1HW = drawings_DB1HW.std(0) / 2  # the network's range is twice that of ink
        ink_B = to_ink(mean_B1HW).sum((1, 2, 3)).clamp_min_(1.0)
        return to_ink8(mean_B1HW), deviation_B1HW.sum((1, 2, 3)) / (ink_B * _apart(passes))


def style_vector(generator: Generator, style: StyleMix) -> Tensor:
    """The embedding (1, E) of a style, or the weighted sum of several."""
    rows_SE = generator.embedding.weight[[index for index, _ in style.weights]]
    if style.single is not None:
        return rows_SE
    weights_S1 = torch.tensor([[weight] for _, weight in style.weights], dtype=rows_SE.dtype, device=rows_SE.device)
    return (weights_S1 * rows_SE).sum(0, keepdim=True)


def _apart(passes: int) -> float:
    """Standard deviation of the places of `shifts`, in its steps: for small steps drawings differ in proportion."""
    return float(np.sqrt(np.var(_DIRECTIONS[:passes], axis=0, ddof=1).sum()))


def shifts(passes: int, size_px: int) -> list[tuple[int, int]]:
    """Shifts (rows, columns) in px of the passes: none, then the diagonals, then the axes of a small square.

    3 px at 128 px did best: less averages too little, more leaves what augmentation has shown.
    """
    if not 1 <= passes <= len(_DIRECTIONS):
        raise RecipeError(f"{passes} passes: choose from 1 to {len(_DIRECTIONS)}")
    reach = max(1, round(size_px * 3 / 128))
    return [(rows * reach, columns * reach) for rows, columns in _DIRECTIONS[:passes]]
