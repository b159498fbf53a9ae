"""The benchmark of training on a GPU, on a CPU at a tiny size: every row runs, is kept, and is not measured twice."""

from __future__ import annotations

import argparse
import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import train_cuda as benchmark  # noqa: E402
from benchmarks.turns import OwnJob  # noqa: E402
from fontgen.zi2zi.network_settings import NetworkSettings  # noqa: E402

CPU = torch.device("cpu")
TINY = {"size": 32, "batch": 2, "ngf": 4, "steps": 1, "rounds": 1, "warm_up": 1, "glyphs": 3, "backend": "aot_eager"}
CONFIGURATIONS = benchmark.configurations("aot_eager")

pytestmark = pytest.mark.usefixtures("one_thread")


def arguments(**changes: Any) -> argparse.Namespace:
    return argparse.Namespace(**{**TINY, "font": None, **changes})


def test_each_row_switches_one_thing_on_and_the_last_is_all() -> None:
    rows = [options for options in CONFIGURATIONS.values() if options is not None]
    for before, after in pairwise(rows):
        assert sum(a != b for a, b in zip(vars(before).values(), vars(after).values(), strict=True)) == 1
    assert next(iter(CONFIGURATIONS)) == benchmark.REFERENCE
    assert all(first != last for first, last in zip(vars(rows[0]).values(), vars(rows[-1]).values(), strict=True))


@pytest.mark.parametrize("name", [name for name in CONFIGURATIONS if name != "+ compile"])
def test_every_row_of_training_has_its_figures(name: str) -> None:
    row = benchmark.training_row(CONFIGURATIONS[name], CPU, arguments())
    assert row["images_per_second"][0] > 0
    assert row["seconds_per_step"] * row["teraflops"] * 1e12 == pytest.approx(2 * row["operations_per_image"])
    assert row["data_share"] < 1
    assert row["peak_bytes"] > 1 << 26


def test_drawing_the_target_whole_costs_operations_and_changes_no_loss() -> None:
    """The constancy loss needs the target's encoding alone."""
    network = NetworkSettings(ngf=4, ndf=4, dropout=0.0)
    nothing, encoder_only = CONFIGURATIONS["fontgen, nothing on"], CONFIGURATIONS["+ encoder only"]
    assert nothing is not None
    assert encoder_only is not None
    counts, losses = [], []
    for only in (False, True):
        torch.manual_seed(0)
        job = OwnJob(network, benchmark.replace(nothing, encoder_only=only), 2, 32, CPU)
        torch.manual_seed(1)
        losses.append(job.step(job.next())["constancy"])
        counts.append(benchmark._operations(job))
    assert losses[0] == losses[1]
    assert counts[1] < 0.9 * counts[0]


def test_glyphs_are_drawn_into_files_as_often_as_asked() -> None:
    row = benchmark.inference_row(CPU, arguments(glyphs=5))
    assert row["glyphs"] == 5
    assert row["seconds"] >= 0


def test_rows_are_kept_and_resumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def here(row: list[str], given: argparse.Namespace) -> dict[str, Any]:
        return benchmark.measure(argparse.Namespace(**{**vars(given), "row": row}), CPU)

    monkeypatch.setattr(benchmark, "_in_a_process", here)
    output = tmp_path / "cuda-train.json"
    given = ["--device", "cpu", "--size", "32", "--ngf", "4", "--only", "matrix", "--json", str(output)]
    benchmark.main(given)
    first = json.loads(output.read_text())
    assert first["rows"]["matrix"]["teraflops"] > 0
    assert "bf16 product" in capsys.readouterr().out
    benchmark.main([*given, "--resume"])
    assert json.loads(output.read_text()) == first
    # what lacks time is left for the next call, and said
    benchmark.main([*given[:-4], "--json", str(output), "--resume", "--slice-seconds", "-1"])
    assert json.loads(output.read_text()) == first
    assert "9 rows are left" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="another ngf"):
        benchmark.main([*given, "--resume", "--ngf", "8"])


def test_a_row_that_fails_is_named_and_hides_no_other() -> None:
    row = benchmark._in_a_process(["training", "no such row"], arguments(device="cpu"))
    assert row == {"error": "KeyError: 'no such row'"}
    assert any("no such row" in line for line in benchmark.table({"rows": {"broken": row}}))
