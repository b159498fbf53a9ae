"""Early stop: training ends when the held-out figures stand still."""

from __future__ import annotations

import math
from typing import Any


class Plateau:
    """Counts evaluations without a better score; `state` and `restore` carry it over a resume."""

    def __init__(self, patience: int, delta: float) -> None:
        self.patience = patience
        """Evaluations in a row without improvement that end training; 0: never."""
        self.delta = delta
        """A score counts as better when it is higher by more than this."""
        self.best: float | None = None
        """The score from which improvement counts."""
        self.waited = 0

    @property
    def reached(self) -> bool:
        return bool(self.patience) and self.waited >= self.patience

    def saw(self, score: float) -> None:
        """Take note of an evaluation; a score that is not finite is no improvement."""
        if math.isfinite(score) and (self.best is None or score > self.best + self.delta):
            self.best, self.waited = score, 0
        else:
            self.waited += 1

    def state(self) -> dict[str, Any]:
        return {"best": self.best, "waited": self.waited}

    def restore(self, state: dict[str, Any]) -> None:
        self.best = state["best"]
        self.waited = int(state["waited"])
