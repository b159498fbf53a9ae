"""Loss curves of a training run, drawn from its `metrics.jsonl`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from fontgen.errors import TrainingError
from fontgen.files import atomic_path

HEALTHY_D_LOSS = (0.1, 0.5)
"""Where practice sees generator and discriminator in balance; below 0.02 the discriminator has won."""

_COLOURS = {
    "dice": "#b8860b",
    "edge": "#5f7480",
    "l1": "#1b6ca8",
    "adversarial": "#c2452d",
    "constancy": "#3a8f5c",
    "category": "#8a63b5",
    "feature_matching": "#b8860b",
    "perceptual": "#2f2f33",
    "d_loss": "#1d1d1f",
    "lambda_adv": "#c2452d",
}
_OTHER_COLOURS = ("#1b6ca8", "#c2452d", "#3a8f5c", "#8a63b5", "#b8860b", "#5f7480")
_SMOOTH_FROM = 60  # from this many points on, a running mean makes the trend visible


@dataclass(frozen=True)
class _Panel:
    title: str
    keys: tuple[str, ...]
    log: bool = False
    smooth: bool = True
    """False for settings, which change at a step and carry no noise."""
    decorate: Callable[[Axes], None] | None = None


def _healthy_band(axes: Axes) -> None:
    low, high = HEALTHY_D_LOSS
    axes.axhspan(low, high, color="#3a8f5c", alpha=0.14, linewidth=0, label=f"healthy {low:g} to {high:g}")


_PANELS = (
    _Panel(
        "Generator losses",
        ("l1", "dice", "edge", "adversarial", "constancy", "category", "feature_matching", "perceptual"),
        log=True,
    ),
    _Panel("Discriminator loss", ("d_loss",), log=True, decorate=_healthy_band),
    _Panel("Weight of the adversarial loss", ("lambda_adv",), smooth=False),
    _Panel("Held-out characters: L1 (lower is better)", ("held_out.l1", "held_out.ink_l1")),
    _Panel("Held-out characters: IoU and SSIM (higher is better)", ("held_out.iou", "held_out.ssim")),
    _Panel("Held-out characters: the change from the source", ("held_out.changed", "held_out.followed")),
    _Panel("Size of the generator's gradient", ("gradient",), log=True),
    _Panel("Learning rates", ("lr_generator", "lr_discriminator"), smooth=False),
    _Panel("Images per second", ("images_per_second",)),
)


def plot_curves(metrics: Path, path: Path) -> list[str]:
    """Draw the curves of `metrics` (one JSON object a line) into a PNG; return the keys drawn.

    Panels of which no key is present are left out; the step of the last line wins where a resumed
    run repeats a step. An unfinished last line is ignored. Raises TrainingError when the file
    cannot be read, holds a damaged line, or holds no figure to draw.
    """
    series = read_metrics(metrics)
    panels = [(panel, [key for key in panel.keys if key in series]) for panel in _PANELS]
    panels = [(panel, keys) for panel, keys in panels if keys]
    if not panels:
        raise TrainingError(f"{metrics}: no figures to draw; train for at least one logged step")
    columns = 2 if len(panels) > 1 else 1
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(6.4 * columns, 3.3 * lines), dpi=110, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    for number, (panel, keys) in enumerate(panels):
        axes = figure.add_subplot(lines, columns, number + 1)
        _draw(axes, panel, keys, series)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
    return [key for _, keys in panels for key in keys]


def read_metrics(metrics: Path) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Key -> (steps, values), by step; nested objects give dotted keys such as `held_out.l1`."""
    try:
        lines = metrics.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TrainingError(f"{metrics}: cannot be read ({error}); give the metrics.jsonl of a training run") from error
    points: dict[str, dict[float, float]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            step = float(record["step"])
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):
                break  # the run was interrupted, or is still writing
            raise TrainingError(f"{metrics}: line {number} is damaged ({error}); remove that line") from error
        for key, value in _flat(record):
            points.setdefault(key, {})[step] = value
    return {
        key: (np.array(sorted(values)), np.array([values[step] for step in sorted(values)]))
        for key, values in points.items()
    }


def _flat(record: Mapping[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for key, value in record.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{prefix}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool) and np.isfinite(value):
            found.append((prefix + key, float(value)))
    return found


def _draw(
    axes: Axes,
    panel: _Panel,
    keys: Sequence[str],
    series: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> None:
    positive = True
    for number, key in enumerate(keys):
        steps, values = series[key]
        positive = positive and bool((values > 0).all())
        colour = _COLOURS.get(key, _OTHER_COLOURS[number % len(_OTHER_COLOURS)])
        name = key.rpartition(".")[2].replace("_", " ")
        if panel.smooth and len(values) >= _SMOOTH_FROM:
            axes.plot(steps, values, color=colour, alpha=0.22, linewidth=0.8)
            values = _running_mean(values, len(values) // 20)
        marker = "o" if len(values) < 30 else ""
        style = "default" if panel.smooth else "steps-post"
        axes.plot(steps, values, color=colour, linewidth=1.6, marker=marker, markersize=3, drawstyle=style, label=name)
    if panel.decorate is not None:
        panel.decorate(axes)
    if panel.log and positive:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(FuncFormatter(_label_of_2_and_5))
    axes.set_title(panel.title, fontsize=10, loc="left", fontweight="bold")
    axes.set_xlabel("step", fontsize=8)
    axes.tick_params(which="both", labelsize=8)
    axes.grid(True, which="major", color="#e3e3e6", linewidth=0.7)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if len(keys) > 1 or panel.decorate is not None:
        axes.legend(fontsize=8, frameon=False)


def _label_of_2_and_5(value: float, _: int | None) -> str:
    return f"{value:g}" if f"{value:e}"[:3] in {"2.0", "5.0"} else ""


def _running_mean(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Mean over a centred window of `width` points, shorter at the ends. Same length as `values`."""
    half = max(1, width // 2)
    total = np.concatenate([[0.0], values.cumsum()])
    index = np.arange(len(values))
    low, high = np.maximum(index - half, 0), np.minimum(index + half + 1, len(values))
    means: NDArray[np.float64] = (total[high] - total[low]) / (high - low)
    return means
