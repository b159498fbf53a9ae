"""Is a training well? Reads its log and says in plain words what is wrong, and which setting cures it. No torch.

The thresholds are rules of thumb of practice, but for those whose comment says what was measured.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from statistics import fmean, median
from typing import Any

from fontgen.zi2zi.ailments import ailment
from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.settings import TrainSettings

_WINDOW = 20
"""Logged lines that a judgement rests on: what lasts shorter is noise."""

_CALM = 10
"""Logged lines without the symptom after which it is over."""

_WON_D_LOSS = 0.02
_WON_ADVERSARIAL = {"bce": 4.0, "relativistic": 4.0, "relativistic_pairing": 4.0, "hinge": 4.0, "lsgan": 0.4}
"""The discriminator has won: d_loss below the one while the adversarial loss rises or is above the other.
0.02 and 4 (of BCE) are the practice of zi2zi-pytorch. A least-squares loss does not rise: it ends at 0.5."""

_RISE = 1.1
"""A mean that is higher than the one before by this factor rises."""

_COPIED = 0.15
"""Fewer changed pixels than this share of those that had to change are a copy of the source."""

_FLAT_FOLLOWED = 0.1
_FLAT_SPREAD = 0.2
"""Changes that agree less than this with the target's, or styles that differ less than this, are a flat style.
Measured on the demo's pairs in 480 steps: a quarter of the way a run that ends well has changed 0.22 of the
pixels and agrees by 0.13, half way 0.32 and 0.20."""

_GAIN = 0.02
_STRETCH = 0.1
"""A figure that rises by the one over this share of the run is on its way."""

_SETTLED = 0.25
"""The held-out figures are judged after this share of the run: before it every network draws badly."""

_LOST_IOU = 0.15
"""Drawings that overlap with their true glyphs by less than this are no drawings of them."""

_SKIPPED_SHARE = 0.05
_EXPLODED = 10.0
_VANISHED = 1e-4
"""The gradient explodes at this many times its median before, and vanishes at this share of its peak. Measured
on bars of 32 px with a network of 4 channels: 2e-2 of the peak in a run that learns, 4e-6 in one that has died."""


class Monitor:
    """Follows one training line by line. All it knows comes from the lines: a resumed run reads them again."""

    def __init__(self, network: NetworkSettings, settings: TrainSettings, total_steps: int) -> None:
        self.network = network
        self.settings = settings
        self.total_steps = total_steps
        self.active: dict[str, str] = {}
        """Kind -> what was said about it, for what is wrong now."""
        self.episodes: list[dict[str, Any]] = []
        """All that was wrong: kind, words, the step it was first said at and the one it was over at, or None."""
        self._lines: deque[Mapping[str, Any]] = deque(maxlen=_WINDOW + 5)
        self._evaluations: list[tuple[int, Mapping[str, Any]]] = []
        self._calm: dict[str, int] = {}
        self._peak_gradient = 0.0

    def saw(self, line: Mapping[str, Any]) -> dict[str, str | None]:
        """Take note of a line of metrics.jsonl; what began to be wrong, in words, and what is over (None)."""
        if "held_out" in line:
            self._evaluations.append((int(line["step"]), line["held_out"]))
            found = {"copies_source": self._copies(), "style_flat": self._flat(), "draws_nothing": self._lost()}
            patience = 1
        elif "health" in line:
            return {}
        else:
            self._lines.append(line)
            self._peak_gradient = max([self._peak_gradient, *self._values("gradient", 1)])
            found, patience = self._of_losses(), _CALM
        changes: dict[str, str | None] = {}
        for kind, symptom in found.items():
            self._calm[kind] = 0 if symptom else self._calm.get(kind, 0) + 1
            if symptom and kind not in self.active:
                changes[kind] = self.active[kind] = f"{symptom}; {self._advice(kind)}"
                self.episodes.append({"kind": kind, "words": self.active[kind], "from": line["step"], "to": None})
            elif kind in self.active and self._calm[kind] >= patience:
                del self.active[kind]
                changes[kind] = None
                next(e for e in self.episodes if e["kind"] == kind and e["to"] is None)["to"] = line["step"]
        return changes

    def _advice(self, kind: str) -> str:
        words = [text for cure in ailment(kind).cures if (text := cure.words(self.network, self.settings))]
        if not words:
            return "more pairs may help (every setting against it is in use)"
        return f"try {words[0]}" + (f", then {words[1]}" if len(words) > 1 else "")

    # losses

    def _of_losses(self) -> dict[str, str]:
        return {
            "discriminator_won": self._won(),
            "discriminator_exploded": self._exploded(),
            "steps_skipped": self._skipped(),
            "gradient_exploded": self._gradient_exploded(),
            "gradient_vanished": self._gradient_vanished(),
        }

    def _values(self, name: str, lines: int) -> list[float]:
        """The figure in the last `lines` lines; where it was not measured or not finite it is left out."""
        last = list(self._lines)[-lines:]
        return [float(line[name]) for line in last if isinstance(line.get(name), int | float)]

    def _won(self) -> str:
        d_loss, adversarial = self._values("d_loss", _WINDOW), self._values("adversarial", _WINDOW)
        if min(len(d_loss), len(adversarial)) < _WINDOW // 2:
            return ""
        kind = self.settings.losses.adversarial_kind
        half = len(adversarial) // 2
        before, now = fmean(adversarial[:half]), fmean(adversarial[half:])
        rises = now > before + (_RISE - 1.0) * abs(before)
        if fmean(d_loss) - self._least_d_loss() >= _WON_D_LOSS or not (rises or now >= _WON_ADVERSARIAL[kind]):
            return ""
        change = f"rises from {before:.2f} to {now:.2f}" if rises else f"stands at {now:.2f}"
        return (
            f"the discriminator has won: d_loss is {fmean(d_loss):.3f} over {self._span(len(d_loss))} steps "
            f"(healthy is 0.1 to 0.5), and the adversarial loss {change}; the generator falls back on L1"
        )

    def _least_d_loss(self) -> float:
        """What a discriminator pays that is never wrong: with smoothed targets it is not 0."""
        part = self.settings.balance.label_smoothing
        if not part or self.settings.losses.adversarial_kind in {"hinge", "lsgan"}:
            return 0.0
        return -(1.0 - part) * math.log(1.0 - part) - part * math.log(part)

    def _exploded(self) -> str:
        d_loss = self._values("d_loss", 5)
        if len(d_loss) < 3 or median(d_loss) <= self.settings.balance.emergency_d_loss:
            return ""
        return f"the discriminator has exploded: d_loss is {median(d_loss):.1f} (healthy is 0.1 to 0.5)"

    def _skipped(self) -> str:
        lines = list(self._lines)[-_WINDOW:]
        if len(lines) < _WINDOW // 2:
            return ""  # a loss scale of fp16 that is still being found skips the first steps
        steps = int(lines[-1]["step"]) - int(lines[0]["step"])
        skipped = int(lines[-1].get("skipped_steps", 0)) - int(lines[0].get("skipped_steps", 0))
        if skipped < max(2.0, _SKIPPED_SHARE * steps):
            return ""
        return f"losses or gradients were not finite in {skipped} of the last {steps} steps, which were left out"

    def _gradient_exploded(self) -> str:
        sizes = self._values("gradient", _WINDOW + 5)
        if len(sizes) < _WINDOW:
            return ""
        before, now = median(sizes[:-5]), median(sizes[-5:])
        if now <= _EXPLODED * before:
            return ""
        return f"the generator's gradient explodes: {now:.3g}, after {before:.3g} before"

    def _gradient_vanished(self) -> str:
        sizes = self._values("gradient", 5)
        if len(self._lines) < _WINDOW or not sizes or median(sizes) >= _VANISHED * self._peak_gradient:
            return ""
        peak = f"{self._peak_gradient:.3g}"
        return f"the generator's gradient vanishes: {median(sizes):.3g}, after up to {peak}; it no longer learns"

    def _span(self, lines: int) -> int:
        last = list(self._lines)[-lines:]
        return int(last[-1]["step"]) - int(last[0]["step"])

    # held-out figures

    def _stretch(self, name: str) -> list[float]:
        """The figure at the evaluations of the last tenth of the run, from the one before it on.

        Empty while there are fewer than two, or while one of them is too early to judge by.
        """
        since = self._evaluations[-1][0] - _STRETCH * self.total_steps
        first = max((step for step, _ in self._evaluations[:-1] if step <= since), default=0)
        if first < _SETTLED * self.total_steps:
            return []
        values = [figures.get(name) for step, figures in self._evaluations if step >= first]
        return [float(value) for value in values if isinstance(value, int | float)]

    def _stays_below(self, name: str, limit: float) -> float | None:
        """The figure, when it stayed below `limit` and hardly rises."""
        values = self._stretch(name)
        if len(values) < 2 or max(values) >= limit or values[-1] - values[0] >= _GAIN:
            return None
        return values[-1]

    def _copies(self) -> str:
        changed = self._stays_below("changed", _COPIED)
        if changed is None:
            return ""
        return (
            f"the generator copies the source: on the held-out characters it changes {100 * changed:.0f} % "
            "of what had to change"
        )

    def _flat(self) -> str:
        spread = self._stays_below("style_spread", _FLAT_SPREAD)
        if spread is not None:
            return (
                f"the styles are flat: held-out characters in two styles differ by {100 * spread:.0f} % "
                "of their true difference"
            )
        followed, now = self._stays_below("followed", _FLAT_FOLLOWED), self._evaluations[-1][1]
        if followed is None or now["changed"] < _COPIED or now["iou"] < _LOST_IOU:
            return ""
        return (
            f"the style is flat: what the generator changes agrees with the target by {100 * followed:.0f} % "
            "on the held-out characters"
        )

    def _lost(self) -> str:
        iou = self._stays_below("iou", _LOST_IOU)
        if iou is None:
            return ""
        return (
            f"the generator does not draw the characters: drawings of the held-out ones overlap by {100 * iou:.0f} % "
            "with their true glyphs"
        )
