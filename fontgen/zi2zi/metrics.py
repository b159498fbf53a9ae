"""What training writes down as it goes: `metrics.jsonl`, and TensorBoard's event files when asked for."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fontgen.errors import TrainingError, writing
from fontgen.files import write_text

METRICS = "metrics.jsonl"
EVENTS = "tensorboard"


class MetricsLog:
    """The log of one training in `folder`. Raises TrainingError when TensorBoard is asked for and not installed."""

    def __init__(self, folder: Path, *, tensorboard: bool = False) -> None:
        self.path = folder / METRICS
        self.events = folder / EVENTS
        self._writer_class: Any = _summary_writer() if tensorboard else None
        self._writer: Any = None

    def clear(self) -> None:
        """Remove what an earlier training wrote."""
        with writing(self.path):
            self.path.unlink(missing_ok=True)
            if self.events.exists():
                shutil.rmtree(self.events)

    def cut(self, step: int) -> list[dict[str, Any]]:
        """Drop the lines after `step`, from which training resumes, and a last line cut short; the lines left."""
        if not self.path.exists():
            return []
        kept: list[dict[str, Any]] = []
        texts = []
        for text in self.path.read_text(encoding="utf-8").splitlines():
            try:
                line = json.loads(text)
                if line["step"] <= step:
                    kept.append(line)
                    texts.append(text + "\n")
            except (ValueError, KeyError, TypeError):
                continue
        write_text(self.path, "".join(texts))
        return kept

    def append(self, line: Mapping[str, Any]) -> dict[str, Any]:
        """Add a line, which has a `step`, and return it as it was written.

        Figures have six digits, and those that are not finite become null, since JSON has no NaN.
        """
        written: dict[str, Any] = _written(line)
        with writing(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(written) + "\n")
        if self._writer_class is not None:
            self._add_events(written)
        return written

    def close(self) -> None:
        """Write out what TensorBoard still holds back."""
        if self._writer is not None:
            with writing(self.events):
                self._writer.close()
            self._writer = None

    def _add_events(self, line: Mapping[str, Any]) -> None:
        step = int(line["step"])
        with writing(self.events):
            if self._writer is None:
                # Events of an interrupted run after the step it resumes from are not shown.
                self._writer = self._writer_class(str(self.events), purge_step=step)
            for name, value in _flat(line):
                self._writer.add_scalar(name, value, step)
            if "held_out" in line:
                self._writer.flush()


class Speed:
    """Images per second since it was last asked, without the pauses for evaluations."""

    def __init__(self, step: int) -> None:
        self._since = time.monotonic()
        self._step = step

    def images_per_second(self, step: int, images_per_step: int) -> float:
        now = time.monotonic()
        speed = (step - self._step) * images_per_step / max(now - self._since, 1e-9)
        self._since, self._step = now, step
        return speed

    def leave_out(self, seconds: float) -> None:
        self._since += seconds


def _summary_writer() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise TrainingError(
            "[train] tensorboard = true, but TensorBoard is not installed: "
            "pip install 'fontgen[tensorboard]', or leave the setting out (metrics.jsonl is always written)"
        ) from error
    return SummaryWriter


def _written(value: Any) -> Any:
    """Six digits, so that files stay short; None for what is not finite."""
    if isinstance(value, Mapping):
        return {name: _written(part) for name, part in value.items()}
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def _flat(line: Mapping[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    """The numbers of a line by `/`-separated name, as TensorBoard groups them."""
    found: list[tuple[str, float]] = []
    for name, value in line.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{prefix}{name}/")
        elif isinstance(value, int | float) and name != "step":
            found.append((prefix + name, float(value)))
    return found
