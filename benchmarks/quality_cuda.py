"""How well a network draws after so many seconds on a GPU: `python -m benchmarks.quality_cuda`, or
`make bench-cuda-quality`.

Row by row: the calibrated source as it is; the production recipe at 256 px; a zi2zi as published, trained for the same
time; then the recipe for a shorter time, and with one setting changed at a time. Every row is trained on the same pairs
for the same wall-clock time, and judged on the same 500 held-out characters by its last weights.

A row is an override of recipe keys. Rows are saved when they are done; a call that ends within a row (--slice-seconds)
leaves its weights in the work folder, and the same command goes on from there.
"""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import time
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.published import PublishedTrainer, loader, png_pairs
from benchmarks.rows import earlier_rows, facts
from benchmarks.turns import for_ever
from fontgen.errors import codepoint_name
from fontgen.files import read_json, write_json
from fontgen.glyphs.pairs import PairSet
from fontgen.pipeline import make_build, run
from fontgen.proof.sheet import SheetRow, contact_sheet
from fontgen.recipe import Recipe
from fontgen.talk import Talk
from fontgen.workspace import fingerprint
from fontgen.zi2zi.checkpoint import load_generator, load_state, save_state
from fontgen.zi2zi.data import PairBatches, to_ink8
from fontgen.zi2zi.device import repeatable, resolve_device
from fontgen.zi2zi.evaluation import evaluate
from fontgen.zi2zi.settings import TrainSettings
from fontgen.zi2zi.trainer import LATEST, STATE, train

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
Overrides = dict[str, Any]
"""Recipe key, dotted -> value."""

AT_256: Overrides = {"canvas.size_px": 256, "network.attention": [16, 32]}
"""The production recipe on the smaller canvas: attention on the maps of the same depth as 24 and 48 px of 384."""

SOURCE, PRODUCTION, PUBLISHED, BASE = "source as it is", "production", "zi2zi as published", "base"
MAIN_SECONDS, CHANGE_SECONDS = 1200.0, 300.0

CHANGES: dict[str, Overrides] = {
    "no running mean": {"train.ema": 0.0},
    "lambda_adv fixed at 0.25": {"train.balance.mode": "fixed", "train.balance.start": 0.25},
    "lambda_adv fixed at 0.6": {"train.balance.mode": "fixed", "train.balance.start": 0.6},
    "lambda_adv by epoch": {"train.balance.mode": "schedule"},
    "no adversary": {"train.balance.mode": "fixed", "train.balance.start": 0.0},
    "no label smoothing": {"train.balance.label_smoothing": 0.0},
    "R1": {"train.balance.r1": 1.0},
    "relativistic": {"train.losses.adversarial_kind": "relativistic"},
    "relativistic, in pairs": {"train.losses.adversarial_kind": "relativistic_pairing"},
    "feature matching": {"train.losses.feature_matching": 10.0},
    "no attention": {"network.attention": []},
    "attention in 3 layers": {"network.attention_layers": 3, "network.attention_residual": False},
    "attention in 3 layers, residual scores": {"network.attention_layers": 3, "network.attention_residual": True},
    "concatenated skips": {"network.skip": "concat"},
    "no constancy": {"train.losses.constancy": 0.0},
    "constancy place by place": {"train.losses.constancy_kind": "spatial"},
    "no augmentation": {"train.augment_shift_em": 0.0, "train.augment_scale": 0.0},
}
"""One change of the recipe a row."""

# Batch and network of zi2zi-pytorch; rates, losses and the lack of a running mean are the reference mode's.
_OF_PUBLISHED: Overrides = {"train.batch_size": 16, "network.attention": []}
_ENDLESS = 10**7
"""Steps: time ends a row, and nothing is evaluated before."""
_SHOWN = ("l1", "ink_l1", "iou", "ssim")
_SHEET_GLYPHS = 100


class _SourceAsItIs(nn.Module):
    def forward(self, source_B1HW: Tensor, style_index_B: Tensor) -> Tensor:
        return source_B1HW


class Row:
    """One row: a network, its folder, and the seconds it has been trained for."""

    def __init__(self, name: str, recipe: Recipe, overrides: Overrides, seconds: float, work: Path) -> None:
        self.name, self.recipe, self.overrides, self.budget = name, recipe, overrides, seconds
        self.folder = work / (re.sub(r"\W+", "-", name).strip("-").lower())
        settings = recipe.train.model_dump(mode="json"), recipe.network.model_dump(mode="json")
        self.mark = fingerprint(name == PUBLISHED, *settings)
        self.used, self.steps = 0.0, 0

    def begin(self, pairs: PairSet) -> None:
        """Take note of what earlier calls trained; what was trained otherwise is removed."""
        self.mark = fingerprint(self.mark, pairs.fingerprint)
        note = self.folder / "row.json"
        found = read_json(note) if note.exists() else {}
        if found.get("mark") == self.mark and (self.folder / STATE).exists():
            self.used, self.steps = found["seconds"], found["steps"]
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)

    def keep(self, used: float, steps: int) -> None:
        self.used, self.steps = used, steps
        write_json(self.folder / "row.json", {"mark": self.mark, "seconds": used, "steps": steps})

    @property
    def done(self) -> bool:
        return self.used >= self.budget

    def settings(self) -> TrainSettings:
        endless = {"steps": _ENDLESS, "evaluate_every": _ENDLESS, "keep_checkpoints": 0}
        return self.recipe.train.model_copy(update=endless)


def with_overrides(path: Path, *overrides: Overrides) -> Recipe:
    """The recipe with other values for some keys, later overrides going before earlier ones."""
    data: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    for key, value in (item for each in overrides for item in each.items()):
        *tables, last = key.split(".")
        table = data
        for name in tables:
            table = table.setdefault(name, {})
        table[last] = value
    return Recipe.model_validate(data, context={"folder": path.parent})


class _Clock:
    """A row's time in this call, from `start` on."""

    def __init__(self, row: Row, deadline: float) -> None:
        self.row, self.deadline = row, deadline
        self.before = self.spent = row.used

    def start(self) -> None:
        self.begun = time.monotonic()

    def is_over(self) -> bool:
        now = time.monotonic()
        self.spent = self.before + now - self.begun
        return self.spent >= self.row.budget or now >= self.deadline


def train_row(row: Row, pairs: PairSet, device: torch.device, deadline: float) -> None:
    """Train a row until its time is used up, or until `deadline` (of time.monotonic)."""
    clock = _Clock(row, deadline)
    how = _train_published if row.name == PUBLISHED else _train_own
    steps = how(row, pairs, device, clock)
    row.keep(clock.spent, steps)


def _train_own(row: Row, pairs: PairSet, device: torch.device, clock: _Clock) -> int:
    """What the trainer needs to begin counts as well."""
    steps = row.steps

    def watch(step: int, total: int, figures: dict[str, Any]) -> None:
        nonlocal steps
        steps = step
        if clock.is_over():
            # The trainer ends the step, saves and stops, as at Ctrl-C.
            signal.raise_signal(signal.SIGTERM)

    clock.start()
    with suppress(KeyboardInterrupt):
        options: dict[str, Any] = {"folder": row.folder, "resume": True, "device": device, "on_progress": watch}
        train(pairs, row.recipe.network, row.settings(), **options)
    return steps


def _train_published(row: Row, pairs: PairSet, device: torch.device, clock: _Clock) -> int:
    """Its pairs lie ready as PNGs before its time begins."""
    steps, state = row.steps, row.folder / STATE
    torch.manual_seed(row.recipe.train.seed + steps)
    trainer = PublishedTrainer(row.recipe.network, pairs.canvas.size_px, device)
    if steps:
        trainer.restore(load_state(state)[0], state)
    training = np.flatnonzero(~pairs.held_out)
    pngs = png_pairs(pairs.source[training], pairs.target[training])
    batches = for_ever(loader(pngs, row.recipe.train.batch_size))
    clock.start()
    while True:
        trainer.step(next(batches))
        steps += 1
        if clock.is_over():
            break
    save_state(state, trainer.groups(), {"step": steps})
    return steps


def drawer(row: Row, size_px: int, device: torch.device) -> nn.Module:
    """The network of a trained row."""
    if row.name != PUBLISHED:
        return load_generator(row.folder / LATEST, device)[0]
    trainer = PublishedTrainer(row.recipe.network, size_px, device)
    trainer.restore(load_state(row.folder / STATE)[0], row.folder / STATE)
    return trainer.generator.eval()


def judge(
    network: Any, pairs: PairSet, settings: TrainSettings, device: torch.device, sheet: Path, title: str
) -> dict[str, float]:
    """Held-out figures; a sheet of 100 held-out characters goes to `sheet`."""
    batches = PairBatches(pairs, settings, device)
    with repeatable(device):
        figures = evaluate(network, batches, pairs.codepoints, settings.batch_size).figures
        held_out = batches.held_out
        chosen = held_out[np.linspace(0, len(held_out) - 1, min(_SHEET_GLYPHS, len(held_out))).astype(int)]
        shown = []
        with torch.inference_mode():
            for index in chosen:
                source, target, style = batches.pick(np.array([index]))
                images = [to_ink8(each).cpu().numpy()[0] for each in (source, network(source, style), target)]
                shown.append(SheetRow(codepoint_name(int(pairs.codepoints[index])), images))
    contact_sheet(shown, ("source", "drawn", "truth"), sheet, title=title, tile_px=128)
    return {name: round(value, 5) for name, value in figures.items()}


def table(rows: dict[str, Any]) -> list[str]:
    """The figures for people; the change of L1 and of 1 − IoU is against the source as it is."""
    base = rows.get(SOURCE, {}).get("held_out")
    heads = "".join(f"{name:>9}" for name in (*_SHOWN, "L1", "1 - IoU"))
    lines = [f"{'row':40}{'seconds':>8}{'steps':>8}{heads}"]
    for name, row in rows.items():
        found = row["held_out"]
        figures = "".join(f"{found[key]:9.4f}" for key in _SHOWN)
        if base:
            pairs = ((found["l1"], base["l1"]), (1.0 - found["iou"], 1.0 - base["iou"]))
            figures += "".join(f"{own / other - 1.0:+9.1%}" if other else " " * 9 for own, other in pairs)
        lines.append(f"{name:40}{row['seconds']:8.0f}{row['steps']:8d}{figures}")
    return lines


def _overrides(given: list[str]) -> Overrides:
    """`KEY=VALUE` as the command line has them, each value as TOML."""
    found: Overrides = {}
    for text in given:
        key, _, value = text.partition("=")
        found[key.strip()] = tomllib.loads(f"value = {value}")["value"]
    return found


def main(given: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = (SOURCE, PRODUCTION, PUBLISHED, BASE, *CHANGES)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="cuda")
    parser.add_argument("--recipe", type=Path, default=ROOT / "pipelines" / "zen-maru-bold.toml")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="other recipe keys, for every row")
    parser.add_argument("--rows", nargs="+", choices=names, default=names, metavar="ROW", help=", ".join(names))
    parser.add_argument("--seconds", type=float, metavar="S", help="time of each row (1200; 300 from `base` on)")
    parser.add_argument("--slice-seconds", type=float, default=float("inf"), metavar="S", help="end after so many")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "cuda-quality", metavar="DIR")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args(given)
    deadline = time.monotonic() + arguments.slice_seconds
    device = resolve_device(arguments.device)
    output = arguments.json or RESULTS / f"{device.type}-quality.json"
    common = AT_256 | _overrides(arguments.set)
    shared = facts("quality_cuda", device, recipe=arguments.recipe.name, common=common)
    found = {**shared, "rows": earlier_rows(output, shared)}
    recipe = with_overrides(arguments.recipe, common)
    talk = Talk(quiet=True)
    build = make_build(recipe, arguments.recipe, output=arguments.work, device=arguments.device, want=None, talk=talk)
    run(build, until="pairs")
    pairs = PairSet.open(build.folder("pairs").path)
    for name in arguments.rows:
        own = _OF_PUBLISHED | _overrides(arguments.set) if name == PUBLISHED else CHANGES.get(name, {})
        usual = 0.0 if name == SOURCE else MAIN_SECONDS if name in {PRODUCTION, PUBLISHED} else CHANGE_SECONDS
        seconds = usual if arguments.seconds is None or name == SOURCE else arguments.seconds
        row = Row(name, with_overrides(arguments.recipe, common, own), own, seconds, arguments.work / "rows")
        was = found["rows"].get(name, {})
        if was.get("overrides") == own and was.get("budget") == seconds:
            continue
        if time.monotonic() >= deadline:
            break
        network: nn.Module = _SourceAsItIs()
        if name != SOURCE:
            row.begin(pairs)
            if not row.done:
                train_row(row, pairs, device, deadline)
            if not row.done:
                break
            network = drawer(row, pairs.canvas.size_px, device)
        figures = judge(network, pairs, row.recipe.train, device, arguments.work / f"{row.folder.name}.png", name)
        found["rows"][name] = {
            "overrides": own,
            "budget": seconds,
            "seconds": round(row.used, 1),
            "steps": row.steps,
            "pairs_seen": row.steps * row.recipe.train.effective_batch(),
            "held_out": figures,
        }
        write_json(output, found)
        (row.folder / STATE).unlink(missing_ok=True)  # the largest file; nothing goes on from it any more
        print(table({name: found["rows"][name]})[-1], flush=True)
    in_order = {name: found["rows"][name] for name in names if name in found["rows"]}
    print("\n".join(["", *table(in_order)]))
    if left := [name for name in arguments.rows if name not in found["rows"]]:
        print(f"{len(left)} rows are left ({left[0]} next): the same command goes on")


if __name__ == "__main__":
    main()
