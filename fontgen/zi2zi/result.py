"""What a training hands back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class TrainResult:
    """What a finished training left behind."""

    checkpoint: Path
    """The checkpoint to infer with: the best by held-out fidelity, or the last where none is held out."""
    step: int
    """Steps made in all."""
    figures: dict[str, float] = field(default_factory=dict)
    """Held-out figures of `checkpoint`."""
    skipped_steps: int = 0
    """Steps left out because their losses were not finite."""
    health: list[dict[str, Any]] = field(default_factory=list)
    """What the health monitor found wrong: kind, words, and the steps `from` and `to` (None: to the end)."""
    ended: str = ""
    """Why training ended before its last step, in words; empty when it did not."""
