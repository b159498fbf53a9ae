"""Starting from an earlier checkpoint: what the new network takes over, and what it owes. Imports no torch.

The new network's styles are the recipe's, by label; then come the checkpoint's that the recipe does not name.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fontgen.canvas import Canvas
from fontgen.errors import CheckpointError, RecipeError
from fontgen.zi2zi.header import CheckpointHeader
from fontgen.zi2zi.network_settings import NetworkSettings

_FREE = {
    *("embedding_num", "dropout", "skip_dropout", "skip_dropout_rate"),
    *("ndf", "discriminator_norm", "spectral_norm"),
}
"""Settings that may differ from the checkpoint's: they shape no weight of the generator but the embedding."""

_MARGIN_EM = 0.02
"""Margins as close as this draw a glyph at the same size to within 4 %, less than styles differ by."""


def styles_after(known: Sequence[str], styles: Sequence[str]) -> list[str]:
    """Names of the new network's styles, by style index: `styles`, then the `known` ones that are not among them."""
    own = {name.casefold() for name in styles}
    return [*styles, *(name for name in known if name and name.casefold() not in own)]


def row_of(known: Sequence[str], name: str) -> int | None:
    """The checkpoint's style index for a name; None for a style that it has not learned."""
    names = [other.casefold() for other in known]
    return names.index(name.casefold()) if name and name.casefold() in names else None


def network_after(
    path: Path, header: CheckpointHeader, given: NetworkSettings, styles: Sequence[str]
) -> NetworkSettings:
    """The checkpoint's network with room for all styles; `given` is what the recipe sets.

    Raises RecipeError when the recipe sets something else than the checkpoint has.
    """
    network, set_here = header.network, given.model_fields_set
    for key in sorted(set_here - _FREE):
        ours, theirs = getattr(given, key), getattr(network, key)
        if ours != theirs and not _same_depth(key, given, header):
            raise RecipeError(
                f"[network] {key} = {ours}: {path.name}, which training starts from, has {theirs}; "
                "leave the key out, or start from another checkpoint"
            )
    room = len(styles_after(header.styles, styles))
    if "embedding_num" in set_here and given.embedding_num < room:
        raise RecipeError(
            f"[network] embedding_num = {given.embedding_num}: the styles of {path.name} and the recipe's come to "
            f"{room}; leave the key out, or raise it"
        )
    changed = {key: getattr(given, key) for key in set_here & _FREE}
    return network.model_copy(update={**changed, "embedding_num": max(room, changed.get("embedding_num", 0))})


def _same_depth(key: str, given: NetworkSettings, header: CheckpointHeader) -> bool:
    """Whether a default written out (`num_downs` 5 at 128 px, `max_channels` 8 ngf) says the same."""
    size_px = header.canvas.size_px
    if key not in {"num_downs", "max_channels"}:
        return False
    network = header.network.model_copy(update={key: getattr(given, key)})
    return network.channels_for(size_px) == header.network.channels_for(size_px)


def require_canvas(path: Path, header: CheckpointHeader, size_px: int, margin_em: float, fit: str) -> None:
    """Raises CheckpointError when images on a canvas are not what the checkpoint's generator draws."""
    canvas, their_fit = header.canvas, header.metadata.get("fit", "em")
    if canvas.size_px != size_px or abs(canvas.margin_em - margin_em) > _MARGIN_EM or their_fit != fit:
        raise CheckpointError(
            f"{path}: draws on a canvas of {canvas.size_px} px with a margin of {canvas.margin_em:.4g} em "
            f"(fit {their_fit}), the recipe on one of {size_px} px with {margin_em:.4g} em (fit {fit}); "
            "give the recipe the same canvas, or start from another checkpoint"
        )


def lineage(path: Path, digest: str, header: CheckpointHeader) -> list[dict[str, Any]]:
    """What a checkpoint made from this one must record: this one, then those that it came from itself."""
    this = {
        "file": path.name,
        "sha256": digest,
        "step": header.step,
        "styles": header.styles,
        "fonts": header.metadata.get("fonts", {}),
    }
    return [this, *header.metadata.get("lineage", [])]


def placements_after(header: CheckpointHeader, styles: Sequence[str]) -> dict[str, Any]:
    """The checkpoint's placements for the styles that follow the recipe's own, by their new index."""
    recorded = header.metadata.get("placements", {})
    found = {}
    for index, name in enumerate(styles_after(header.styles, styles)):
        row = row_of(header.styles, name)
        if index >= len(styles) and row is not None and str(row) in recorded:
            found[str(index)] = recorded[str(row)]
    return found


def require_pairs_canvas(path: Path, header: CheckpointHeader, canvas: Canvas) -> None:
    """The same for the canvas of pairs that are drawn. Raises CheckpointError."""
    require_canvas(path, header, canvas.size_px, canvas.margin_em, header.metadata.get("fit", "em"))
