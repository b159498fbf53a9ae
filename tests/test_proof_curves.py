import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fontgen.errors import TrainingError
from fontgen.proof.curves import plot_curves, read_metrics


def write(path: Path, records: list[dict[str, object]], tail: str = "") -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records) + tail)
    return path


def test_draws_the_keys_that_exist(tmp_path: Path) -> None:
    records: list[dict[str, object]] = [
        {"step": step, "epoch": 0, "l1": 20 / step, "d_loss": 0.3, "lambda_adv": 0.25} for step in range(1, 90)
    ]
    records.append({"step": 90, "held_out": {"l1": 0.08, "iou": 0.8}})
    drawn = plot_curves(write(tmp_path / "metrics.jsonl", records), tmp_path / "curves.png")
    assert drawn == ["l1", "d_loss", "lambda_adv", "held_out.l1", "held_out.iou"]
    with Image.open(tmp_path / "curves.png") as image:
        picture = np.asarray(image.convert("RGB"))
    assert picture.shape[0] > 600
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50


def test_same_metrics_same_bytes(tmp_path: Path) -> None:
    metrics = write(tmp_path / "metrics.jsonl", [{"step": s, "l1": 1.0 / s, "d_loss": 0.2} for s in (1, 2, 3)])
    for name in ("a.png", "b.png"):
        plot_curves(metrics, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_resumed_run_overwrites_its_steps(tmp_path: Path) -> None:
    metrics = write(
        tmp_path / "metrics.jsonl",
        [{"step": 1, "l1": 9.0}, {"step": 2, "l1": 8.0}, {"step": 3, "l1": 7.0}, {"step": 2, "l1": 5.0}],
    )
    steps, values = read_metrics(metrics)["l1"]
    assert steps.tolist() == [1, 2, 3]
    assert values.tolist() == [9, 5, 7]


def test_an_unfinished_last_line_is_left_out(tmp_path: Path) -> None:
    metrics = write(tmp_path / "metrics.jsonl", [{"step": 1, "l1": 9.0}], tail='{"step": 2, "l1"')
    assert read_metrics(metrics)["l1"][0].tolist() == [1]


def test_figures_that_are_not_finite_are_left_out(tmp_path: Path) -> None:
    metrics = write(tmp_path / "metrics.jsonl", [{"step": 1, "l1": float("nan")}, {"step": 2, "l1": 3.0}])
    assert read_metrics(metrics)["l1"][1].tolist() == [3]


def test_errors_say_where(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.jsonl"
    damaged.write_text('{"step": 1}\n{"st\n{"step": 3}\n')
    with pytest.raises(TrainingError, match="line 2 is damaged"):
        plot_curves(damaged, tmp_path / "curves.png")
    with pytest.raises(TrainingError, match="no figures to draw"):
        plot_curves(write(tmp_path / "empty.jsonl", []), tmp_path / "curves.png")
    with pytest.raises(TrainingError, match="cannot be read"):
        plot_curves(tmp_path / "absent.jsonl", tmp_path / "curves.png")
