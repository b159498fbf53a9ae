"""The benchmark of quality on a GPU, on a CPU at a tiny size: rows train for their time, over several calls."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import quality_cuda as benchmark  # noqa: E402
from fontgen.glyphs.pairs import PairSet  # noqa: E402

CPU = torch.device("cpu")
PRODUCTION = ROOT / "pipelines" / "zen-maru-bold.toml"
RECIPE = f"""
[source]
fonts = ["{ROOT}/fixtures/noto-sans-jp-bold.ttf"]
[target]
font = "{ROOT}/fixtures/zen-maru-gothic-bold.ttf"
[pairs]
charset = "cjk-unified"
limit = 24
held_out = 8
[network]
num_downs = 3
max_channels = 16
ngf = 8
ndf = 8
embedding_num = 1
embedding_dim = 4
[train]
batch_size = 4
augment_shift_em = 0.01
[train.balance]
label_smoothing = 0.1
"""
SET = ["canvas.size_px=64", "network.attention=[8]", "train.batch_size=4"]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("quality")
    (root / "tiny.toml").write_text(RECIPE)
    return root


def measured(folder: Path, *given: str) -> dict[str, Any]:
    options = ["--device", "cpu", "--recipe", str(folder / "tiny.toml"), "--set", *SET, "--work", str(folder / "work")]
    benchmark.main([*options, "--json", str(folder / "q.json"), *given])
    found: dict[str, Any] = json.loads((folder / "q.json").read_text())
    return found


def test_rows_are_trained_for_their_time_and_judged(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [benchmark.SOURCE, benchmark.PUBLISHED, "no running mean"]
    found = measured(folder, "--seconds", "0.1", "--rows", *rows)["rows"]
    assert set(found) == set(rows)
    assert found[benchmark.SOURCE]["steps"] == 0
    for name in rows[1:]:
        assert found[name]["seconds"] >= 0.1
        assert found[name]["pairs_seen"] == 4 * found[name]["steps"] > 0
        assert found[name]["held_out"]["l1"] != found[benchmark.SOURCE]["held_out"]["l1"]
        assert 0 < found[name]["held_out"]["ssim"] < 1
    assert found["no running mean"]["overrides"] == {"train.ema": 0.0}
    with Image.open(folder / "work" / "no-running-mean.png") as sheet:
        assert sheet.width > 3 * 128
    # what is there is not trained again; what lacks time is left for the next call
    capsys.readouterr()
    again = measured(folder, "--seconds", "0.1", "--slice-seconds", "0", "--rows", *rows, benchmark.BASE)["rows"]
    assert again == found
    assert "1 rows are left (base next)" in capsys.readouterr().out


@pytest.mark.parametrize("name", [benchmark.BASE, benchmark.PUBLISHED])
def test_a_row_goes_on_in_the_next_call(folder: Path, tmp_path: Path, name: str) -> None:
    measured(folder, "--rows", benchmark.SOURCE)
    pairs = PairSet.open(folder / "work" / "pairs")
    recipe = benchmark.with_overrides(folder / "tiny.toml", benchmark._overrides(SET))
    seen = []
    for _ in range(2):
        row = benchmark.Row(name, recipe, {}, 1e9, tmp_path)
        row.begin(pairs)
        benchmark.train_row(row, pairs, CPU, time.monotonic() + 0.1)
        assert not row.done
        seen.append((row.steps, row.used))
    assert seen[1][0] > seen[0][0] > 0
    assert seen[1][1] > seen[0][1] > 0
    torch.testing.assert_close(
        *(next(benchmark.drawer(row, 64, CPU).parameters()) for _ in range(2)), msg="the same weights come back"
    )
    other = benchmark.with_overrides(folder / "tiny.toml", benchmark._overrides(SET), {"train.ema": 0.5})
    anew = benchmark.Row(name, other, {}, 1e9, tmp_path)
    anew.begin(pairs)
    assert anew.steps == 0, "another recipe is another training"


@pytest.mark.parametrize("name", [benchmark.PRODUCTION, *benchmark.CHANGES])
def test_every_row_is_a_valid_recipe_and_another_one(name: str) -> None:
    fonts = {"source.fonts": ["a.ttf"], "target.font": "b.ttf"}
    base = benchmark.with_overrides(PRODUCTION, fonts, benchmark.AT_256)
    recipe = benchmark.with_overrides(PRODUCTION, fonts, benchmark.AT_256, benchmark.CHANGES.get(name, {}))
    recipe.network.downs_for(recipe.canvas.size_px)
    changed = (recipe.network, recipe.train) != (base.network, base.train)
    assert changed == (name != benchmark.PRODUCTION)
    assert recipe.pairs == base.pairs
    assert recipe.pairs.held_out == 500
