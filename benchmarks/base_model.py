"""What starting from the base model saves: `python -m benchmarks.base_model [FONT...]`, or `make bench-base-model`.

For each target font, two trainings on the 800 kanji of the demo, with the same source and the same held-out kanji:
`pipelines/demo.toml`, which starts from the base model, for 60 seconds of CPU time, and
`pipelines/demo-from-scratch.toml` for 300. The steps of each follow from a few timed ones, so that its schedule ends
with its time; torch uses one thread. Figures on the held-out kanji and on the 200 of the truth, which neither training
nor the base model has seen in any style. Without fonts: the demo's target.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fixtures.make_fixtures import subset
from fontgen.charset import parse_charset
from fontgen.files import write_json
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.pairs import PairSet
from fontgen.glyphs.render import render_ink
from fontgen.pipeline import make_build, run
from fontgen.recipe import FontInput, Recipe, TargetTable, load_recipe
from fontgen.stages.build import Build
from fontgen.talk import Talk
from fontgen.zi2zi.data import PairBatches
from fontgen.zi2zi.figures import fidelity
from fontgen.zi2zi.header import read_header
from fontgen.zi2zi.infer import infer_images
from fontgen.zi2zi.settings import TrainSettings
from fontgen.zi2zi.step import Networks
from fontgen.zi2zi.trainer import train

ROOT = Path(__file__).parents[1]
FIXTURES = ROOT / "fixtures"
DEMO_TARGET = FIXTURES / "zen-maru-gothic-bold.ttf"
RUNS = {
    "base": (ROOT / "pipelines" / "demo.toml", 60.0),
    "scratch": (ROOT / "pipelines" / "demo-from-scratch.toml", 300.0),
}
"""Name -> recipe and seconds of CPU time."""

SHOWN = ("l1", "iou", "ssim")
_SPARE = 0.93
"""Share of the time that is planned for: steps cost a little more in a long run than in a short one."""


def target_of(font: Path, work: Path) -> Path:
    """A target font with the demo's 800 kanji alone, as the demo's own target is."""
    if font == DEMO_TARGET:
        return font
    work.mkdir(parents=True, exist_ok=True)
    kanji = parse_charset(f"@{FIXTURES / 'demo-kanji.txt'} - @{FIXTURES / 'truth-kanji.txt'}")
    subset(font, kanji, work / "target.ttf")
    return work / "target.ttf"


def build_for(recipe: Recipe, path: Path, target: Path, work: Path) -> Build:
    """The recipe's build for another target."""
    changed = recipe.model_copy(update={"target": TargetTable(font=FontInput(path=target)), "truth": None})
    return make_build(changed, path, output=work, device="cpu", want=None, talk=Talk(quiet=True))


def seconds_per_step(build: Build, pairs: PairSet, number: int = 12) -> float:
    settings = build.recipe.train
    networks = Networks(build.recipe.network, settings, pairs.canvas.size_px, torch.device("cpu"))
    batches = PairBatches(pairs, settings, torch.device("cpu"))
    started = 0.0
    for step in range(number + 3):
        if step == 3:  # the first ones also choose kernels
            started = time.process_time()
        networks.update(step, [batches.next(np.random.default_rng(step))], 0.0)
    return (time.process_time() - started) / number


def measure(build: Build, seconds: float, truth: FontRef, folder: Path) -> dict[str, Any]:
    pairs = PairSet.open(build.folder("pairs").path)
    overhead = 4.0 if build.recipe.train.start_from else 2.0  # choosing an embedding, evaluations
    steps = int((seconds * _SPARE - overhead) / seconds_per_step(build, pairs))
    update = {"steps": steps, "evaluate_every": -(-steps // 2)}
    settings: TrainSettings = build.recipe.train.model_copy(update=update)
    started = time.process_time()
    result = train(pairs, build.recipe.network, settings, folder=folder, device="cpu")
    used = time.process_time() - started
    return {
        "cpu_seconds": round(used, 1),
        "steps": result.step,
        "began_as": read_header(result.checkpoint).metadata.get("start", {}).get("began_as", {}),
        "held_out": {name: round(result.figures[name], 4) for name in SHOWN},
        "truth": on_truth(build, result.checkpoint, truth),
    }


def on_truth(build: Build, checkpoint: Path | None, truth: FontRef) -> dict[str, float]:
    """Mean figures on the kanji of the truth; without a checkpoint, of the calibrated source as it is."""
    canvas, placement = build.geometry()
    face, source = open_face(truth), open_face(build.stack.refs[0])
    kanji = [c for c in parse_charset(f"@{FIXTURES / 'truth-kanji.txt'}") if c in face.cmap]
    inks = [render_ink(source, c, canvas, placement) for c in kanji]
    true = torch.from_numpy(np.stack([render_ink(face, c, canvas) for c in kanji]))[:, None] / 255.0
    if checkpoint is not None:
        inks = [drawn.ink8 for drawn in infer_images(checkpoint, zip(kanji, inks, strict=True), device="cpu")]
    figures = fidelity(torch.from_numpy(np.stack(inks))[:, None] / 255.0, true)
    return {name: round(float(figures[name].mean()), 4) for name in SHOWN}


def compare(font: Path, work: Path) -> dict[str, Any]:
    truth = FontRef.of(FIXTURES / "zen-maru-gothic-bold-truth.ttf" if font == DEMO_TARGET else font)
    found: dict[str, Any] = {}
    target = target_of(font, work)
    for name, (path, seconds) in RUNS.items():
        build = build_for(load_recipe(path), path, target, work / name)
        run(build, until="pairs")
        found.setdefault("source", {"truth": on_truth(build, None, truth)})
        found[name] = measure(build, seconds, truth, work / name / "trained")
    return found


def table_lines(results: dict[str, Any]) -> list[str]:
    lines = [
        "font                      run       CPU s  steps   held out: L1     IoU    SSIM   truth: L1     IoU    SSIM"
    ]
    for font, runs in results.items():
        for name, found in runs.items():
            held_out = " ".join(f"{found['held_out'][key]:7.4f}" for key in SHOWN) if "held_out" in found else " " * 23
            truth = " ".join(f"{found['truth'][key]:7.4f}" for key in SHOWN)
            cost = f"{found['cpu_seconds']:6.1f} {found['steps']:6d}" if "steps" in found else " " * 13
            lines.append(f"{font[:24]:<25} {name:<8} {cost}       {held_out}    {truth}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fonts", nargs="*", type=Path, metavar="FONT", help="target fonts; default: the demo's")
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks" / "results" / "base-model.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    results: dict[str, Any] = {}
    for font in arguments.fonts or [DEMO_TARGET]:
        with tempfile.TemporaryDirectory(prefix="fontgen-bench-") as work:
            face = open_face(FontRef.of(font))
            results[f"{face.family_name} {face.style_name}"] = compare(font, Path(work))
        write_json(arguments.json, {"torch": torch.__version__, "fonts": results})
    print("\n".join(table_lines(results)))


if __name__ == "__main__":
    main()
