"""What a training must have before its first step. All raise TrainingError."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fontgen.errors import TrainingError
from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.settings import TrainSettings


def require_room(styles: Sequence[str], style_index: NDArray[np.integer], network: NetworkSettings) -> None:
    """The embedding has a row for every style, and for every pair's (n,) style index."""
    room = network.embedding_num
    if len(styles) > room:
        raise TrainingError(f"{len(styles)} styles, but the network has room for {room}; raise embedding_num")
    highest = int(np.max(style_index, initial=0))
    if highest >= room:
        raise TrainingError(
            f"style index {highest} in the pairs, but the network has room for {room}; raise embedding_num"
        )


def require_watchable(settings: TrainSettings, *, held_out: int, style_index: NDArray[np.integer]) -> None:
    """Early stop has `held_out` pairs to watch, and label shuffling styles to shuffle."""
    if settings.early_stop and not held_out:
        raise TrainingError(
            "[train] early_stop watches held-out pairs, and none are held out; "
            "set [pairs] held_out above 0, or early_stop = 0"
        )
    if settings.label_shuffle_from is not None and len(np.unique(style_index)) < 2:
        raise TrainingError("[train] label_shuffle_from: there is one style, and none to shuffle it with; leave it out")
