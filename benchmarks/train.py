"""Images per second and peak memory of training and inference: `python -m benchmarks.train`, or `make bench-train`.

Beside fontgen in fp32 and bf16 runs the reference mode (benchmarks/published.py). Every mode has a process
of its own, which gives its peak memory; they take turns, so that what else the machine does hits all alike,
and the ratios are medians over the rounds. Processor seconds are reported too.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from itertools import cycle
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from benchmarks.published import PublishedTrainer, loader, png_pairs
from benchmarks.turns import (
    Job,
    MadePairs,
    Options,
    OwnJob,
    PublishedJob,
    for_ever,
    fresh_checkpoint,
    machine,
    surroundings,
)
from fontgen.files import write_json
from fontgen.glyphs.store import read_ink, write_ink
from fontgen.zi2zi.device import resolve_device
from fontgen.zi2zi.infer import infer_images
from fontgen.zi2zi.network_settings import NetworkSettings

ROOT = Path(__file__).parents[1]
MODES = ("reference", "fp32", "bf16")
TASKS = ("training", "inference")

Turn = Callable[[], int]
"""Does a fixed amount of work, says how many images it was."""


def training(mode: str, batch_size: int, steps: int, size_px: int, ngf: int, device: torch.device) -> Turn:
    """A turn of `steps` steps of training."""
    network = NetworkSettings(ngf=ngf, ndf=ngf)
    job: Job
    if mode == "reference":
        job = PublishedJob(network, batch_size, size_px, device)
    else:
        job = OwnJob(network, Options(precision="bf16" if mode == "bf16" else "fp32"), batch_size, size_px, device)

    def turn() -> int:
        for _ in range(steps):
            job.step(job.next())
        return steps * batch_size

    return turn


def inference(mode: str, batch_size: int, steps: int, size_px: int, ngf: int, device: torch.device) -> Turn:
    """A turn of `steps` batches of drawing, from PNGs to uint8 images."""
    network, pairs = NetworkSettings(ngf=ngf, ndf=ngf), MadePairs(size_px)
    if mode == "reference":
        trainer = PublishedTrainer(network, size_px, device)
        trainer.generator.eval()
        batches = for_ever(loader(png_pairs(pairs.source, pairs.source), batch_size))

        def turn() -> int:
            for _ in range(steps):
                for image in trainer.draw(next(batches)):
                    Image.fromarray(image).save(BytesIO(), "PNG")
            return steps * batch_size

        return turn
    checkpoint, folder = fresh_checkpoint(size_px, ngf), Path(tempfile.mkdtemp(prefix="fontgen-bench-"))
    for codepoint, ink in zip(pairs.codepoints.tolist(), pairs.source, strict=True):
        write_ink(folder / f"{codepoint}.png", ink)
    codepoints = cycle(pairs.codepoints.tolist())
    sources = ((c, read_ink(folder / f"{c}.png")) for c in codepoints)
    drawn = infer_images(checkpoint, sources, device=device, batch_size=batch_size)

    def own_turn() -> int:
        for _ in range(steps * batch_size):
            write_ink(folder / "drawn.png", next(drawn).ink8)
        return steps * batch_size

    return own_turn


def serve(task: str, mode: str, batch_size: int, steps: int, size_px: int, ngf: int, device: torch.device) -> None:
    """Do a turn for every line read, and answer each with its figures."""
    make = training if task == "training" else inference
    turn = make(mode, batch_size, steps, size_px, ngf, device)
    with surroundings(None if mode == "reference" else Options(), device):
        for _ in sys.stdin:
            wall, processor = time.perf_counter(), time.process_time()
            images = turn()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
                peak = torch.cuda.max_memory_allocated(device)
            else:
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            figures = [images, time.perf_counter() - wall, time.process_time() - processor, peak]
            print(json.dumps(figures), flush=True)


def compare(task: str, batch_size: int, modes: tuple[str, ...], arguments: argparse.Namespace) -> dict[str, Any]:
    """The modes in turn, `rounds` times after one that warms up: figures of each."""
    command = [sys.executable, "-m", "benchmarks.train", "--device", arguments.device, "--steps", str(arguments.steps)]
    command += ["--size", str(arguments.size), "--ngf", str(arguments.ngf), "--serve", task, str(batch_size)]
    if task == "inference":
        fresh_checkpoint(arguments.size, arguments.ngf)
    workers = {
        mode: subprocess.Popen(
            [*command, mode], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        for mode in modes
    }
    rounds: dict[str, list[list[float]]] = {mode: [] for mode in modes}
    try:
        for _ in range(1 + arguments.rounds):
            for mode, worker in workers.items():
                assert worker.stdin is not None
                assert worker.stdout is not None
                worker.stdin.write("turn\n")
                answer = worker.stdout.readline()
                if not answer:
                    raise SystemExit(f"benchmarks.train: {task}, batch {batch_size}, {mode}: ended early")
                rounds[mode].append(json.loads(answer))
    finally:
        for worker in workers.values():
            worker.kill()
            worker.communicate()
    result: dict[str, Any] = {}
    for mode, measured in rounds.items():
        counted, base = measured[1:], rounds[modes[0]][1:]
        result[mode] = {
            "images_per_second": [round(images / wall, 3) for images, wall, _, _ in counted],
            "images_per_processor_second": [round(images / cpu, 3) for images, _, cpu, _ in counted],
            "times_the_reference": round(_ratio(counted, base, 1), 3),
            "times_the_reference_by_processor_time": round(_ratio(counted, base, 2), 3),
            "peak_bytes": int(max(peak for *_, peak in measured)),
        }
    return result


def _ratio(own: list[list[float]], base: list[list[float]], column: int) -> float:
    """The median over the rounds of how many times as fast."""
    pairs = zip(own, base, strict=True)
    return statistics.median((o[0] / o[column]) / (b[0] / b[column]) for o, b in pairs)


def table(results: dict[str, Any]) -> list[str]:
    lines = [f"{'task':10} {'batch':>5} {'mode':10} {'images/s':>9} {'times':>6} {'by CPU time':>11} {'peak GiB':>9}"]
    for name, modes in results.items():
        task, batch_size = name.split()
        for mode, figures in modes.items():
            speed = statistics.median(figures["images_per_second"])
            lines.append(
                f"{task:10} {batch_size:>5} {mode:10} {speed:9.2f} {figures['times_the_reference']:6.2f} "
                f"{figures['times_the_reference_by_processor_time']:11.2f} {figures['peak_bytes'] / 2**30:9.2f}"
            )
    return lines


def main(given: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--size", type=int, default=256, metavar="PX")
    parser.add_argument("--ngf", type=int, default=64)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=TASKS)
    parser.add_argument("--batches", type=int, nargs="+", default=[4, 16], metavar="N")
    parser.add_argument("--steps", type=int, default=2, help="steps, or batches drawn, of one turn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round of batch 4")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--serve", nargs=3, metavar=("TASK", "BATCH", "MODE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args(given)
    device = resolve_device(arguments.device)
    if arguments.serve:
        task, batch_size, mode = arguments.serve
        serve(task, mode, int(batch_size), arguments.steps, arguments.size, arguments.ngf, device)
        return
    if arguments.quick:
        arguments.batches, arguments.rounds = arguments.batches[:1], 1
    results: dict[str, Any] = {}
    for task in arguments.tasks:
        for batch_size in arguments.batches:
            # The checkpoint's weights are fp32, and so is drawing.
            modes = MODES if task == "training" else MODES[:2]
            results[f"{task} {batch_size}"] = compare(task, batch_size, modes, arguments)
    print(f"{arguments.size} px, ngf {arguments.ngf}, {device.type}: {machine(device)}, torch {torch.__version__}")
    print("\n".join(table(results)))
    output = arguments.json or ROOT / "benchmarks" / "results" / f"train-{device.type}.json"
    write_json(
        output,
        {
            "benchmark": "train",
            "device": device.type,
            "machine": machine(device),
            "processor": platform.processor() or platform.machine(),
            "torch": torch.__version__,
            "size_px": arguments.size,
            "ngf": arguments.ngf,
            "steps": arguments.steps,
            "results": results,
        },
    )


if __name__ == "__main__":
    main()
