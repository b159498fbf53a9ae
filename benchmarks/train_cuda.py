"""What each optimization of the training brings on a GPU: `python -m benchmarks.train_cuda`, or `make bench-cuda`.

At 256 px with a batch of 16 and at 384 px with one of 32: the reference mode (benchmarks/published.py), fontgen with
nothing switched on, and then one optimization more in each row. Images per second, the peak of the card's memory, the
floating point operations of the step as a share of what the card does in a large bf16 matrix product, and the share of
the step that its data takes: what a step on the next batch takes longer than one on a batch that is there already.
Then the seconds in which `fontgen infer` draws 20,992 glyphs at 256 px into a folder of PNGs.

Every row has a process of its own and is saved when it is measured; `--resume` leaves out those that are there, so that
the rows need not fit into one call.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.rows import earlier_rows, facts
from benchmarks.turns import Job, Options, OwnJob, PublishedJob, fresh_checkpoint, machine, surroundings
from fontgen.files import write_json
from fontgen.fonts.face import FontRef, open_face
from fontgen.zi2zi.device import resolve_device
from fontgen.zi2zi.network_settings import NetworkSettings

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
SIZES = ((256, 16), (384, 32))
"""Canvas in px and batch."""
FONTS = (ROOT / "fonts" / "noto-sans-tc-bold.ttf", ROOT / "fixtures" / "noto-sans-jp-bold.ttf")
"""Whose ideographs are drawn: the first that is there."""

REFERENCE = "reference"
_NOTHING = Options(precision="fp32", channels_last=False, data="png", encoder_only=False, fused=False)
_ADDED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("bf16", {"precision": "bf16"}),
    ("channels_last", {"channels_last": True}),
    ("resident data", {"data": "resident"}),
    ("encoder only", {"encoder_only": True}),
    ("fused", {"fused": True}),
    ("compile", {"compile": "inductor"}),
)


def configurations(backend: str) -> dict[str, Options | None]:
    """Row -> what is switched on in it, each row one thing more than the one before; None is the reference mode."""
    options = _NOTHING
    found: dict[str, Options | None] = {REFERENCE: None, "fontgen, nothing on": options}
    for name, change in _ADDED:
        options = replace(options, **(change if name != "compile" else {"compile": backend}))
        found[f"+ {name}"] = options
    return found


def training_row(options: Options | None, device: torch.device, arguments: argparse.Namespace) -> dict[str, Any]:
    """The figures of one row at `arguments.size` and `arguments.batch`."""
    size_px, batch_size = arguments.size, arguments.batch
    network = NetworkSettings(ngf=arguments.ngf, ndf=arguments.ngf)

    def make(options: Options | None) -> Job:
        if options is None:
            return PublishedJob(network, batch_size, size_px, device)
        return OwnJob(network, options, batch_size, size_px, device)

    with surroundings(options, device):
        # A compiled step hides its operations: they are counted in the same step without that.
        operations = _operations(make(options and replace(options, compile="off")))
        job = make(options)
        begun = time.perf_counter()
        for _ in range(arguments.warm_up):
            job.step(job.next())
        _settle(device)
        warm_up = time.perf_counter() - begun
        _forget_peak(device)
        held = job.next()
        fed: list[float] = []
        alone: list[float] = []
        for _ in range(arguments.rounds):
            fed.append(_seconds(lambda: job.step(job.next()), arguments.steps, device))
            alone.append(_seconds(lambda: job.step(held), arguments.steps, device))
    seconds = statistics.median(fed)
    return {
        "images_per_second": [round(batch_size / each, 3) for each in fed],
        "seconds_per_step": seconds,
        "data_share": round(1.0 - statistics.median(alone) / seconds, 4),
        "operations_per_image": operations / batch_size,
        "teraflops": operations / seconds / 1e12,
        "peak_bytes": _peak(device),
        "warm_up_seconds": round(warm_up, 2),
    }


def _operations(job: Job) -> int:
    """Floating point operations of a step, as torch counts those of its convolutions and matrix products."""
    batch = job.next()
    job.step(batch)  # the first step also makes the optimizers' moments
    with FlopCounterMode(display=False) as counter:
        job.step(batch)
    return int(counter.get_total_flops())


def matrix_row(device: torch.device) -> dict[str, Any]:
    """What this device does in a large product of bf16 matrices of random numbers."""
    width = 8192 if device.type == "cuda" else 512
    one, other = (torch.randn(width, width, device=device).bfloat16() for _ in range(2))
    _seconds(lambda: one @ other, 3, device)
    seconds = statistics.median(_seconds(lambda: one @ other, 10, device) for _ in range(5))
    return {"width": width, "teraflops": 2.0 * width**3 / seconds / 1e12}


def inference_row(device: torch.device, arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds in which `fontgen infer` draws so many glyphs into PNGs; where a font has too few, it draws again."""
    from fontgen.stages.drawing import infer_folder

    font = next(path for path in (arguments.font, *FONTS) if path is not None and path.exists())
    checkpoint = fresh_checkpoint(arguments.size, arguments.ngf)
    ideographs = [c for c in open_face(FontRef.of(font)).cmap if 0x4E00 <= c <= 0x9FFF]
    _forget_peak(device)
    drawn, begun = 0, time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="fontgen-bench-") as folder:
        for number in range(-(-arguments.glyphs // len(ideographs))):
            chosen = ideographs[: arguments.glyphs - drawn]
            options = {"style": "0", "device": str(device), "passes": 1}
            report = infer_folder(checkpoint, font, chosen, Path(folder) / str(number), **options)
            drawn += len(report.done)
        seconds = time.perf_counter() - begun
        files = sum(1 for _ in Path(folder).rglob("*.png"))
    assert drawn == files == arguments.glyphs
    return {"font": font.name, "glyphs": drawn, "seconds": round(seconds, 2), "peak_bytes": _peak(device)}


def _seconds(work: Callable[[], Any], times: int, device: torch.device) -> float:
    """Seconds of one of `times` repetitions, the device's work included."""
    _settle(device)
    begun = time.perf_counter()
    for _ in range(times):
        work()
    _settle(device)
    return (time.perf_counter() - begun) / times


def _settle(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _forget_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def _peak(device: torch.device) -> int:
    """The most that tensors took on the card; on a CPU the most that the process ever had."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def rows(arguments: argparse.Namespace) -> Iterator[tuple[str, list[str]]]:
    """Name of each row, and the arguments that make a process measure it."""
    yield "matrix", ["matrix"]
    sizes = [(arguments.size, arguments.batch)] if arguments.size else SIZES
    for size_px, batch_size in sizes:
        for name in configurations(arguments.backend):
            given = ["training", name, "--size", str(size_px), "--batch", str(batch_size)]
            yield f"{size_px} px, batch {batch_size}: {name}", given
    size_px = sizes[0][0]
    yield f"{size_px} px: inference", ["inference", "--size", str(size_px)]


def measure(arguments: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """The row that `--row` asks for, in this process."""
    task, *name = arguments.row
    if task == "matrix":
        return matrix_row(device)
    if task == "inference":
        return inference_row(device, arguments)
    return training_row(configurations(arguments.backend)[name[0]], device, arguments)


def table(found: dict[str, Any]) -> list[str]:
    """The figures for people. A row's rate is compared with the reference mode's of the same size."""
    done = found["rows"]
    peak = done.get("matrix", {}).get("teraflops")
    lines = [f"{'row':44} {'images/s':>9} {'times':>6} {'TFLOP/s':>8} {'of bf16':>7} {'data':>6} {'peak GiB':>9}"]
    for name, row in done.items():
        if "error" in row:
            lines.append(f"{name:44} {row['error']}")
        elif "images_per_second" in row:
            speed = statistics.median(row["images_per_second"])
            base = done.get(f"{name.partition(': ')[0]}: {REFERENCE}", {}).get("images_per_second")
            times = f"{speed / statistics.median(base):6.2f}" if base else " " * 6
            share = f"{row['teraflops'] / peak:7.1%}" if peak else " " * 7
            lines.append(
                f"{name:44} {speed:9.1f} {times} {row['teraflops']:8.2f} {share} {row['data_share']:6.1%} "
                f"{row['peak_bytes'] / 2**30:9.2f}"
            )
        elif "seconds" in row:
            lines.append(f"{name:44} {row['glyphs']:,} glyphs in {row['seconds']:.1f} s")
        else:
            lines.append(f"{name:44} {'':9} {'':6} {row['teraflops']:8.2f}   bf16 product, {row['width']} wide")
    return lines


def main(given: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="cuda")
    parser.add_argument("--size", type=int, metavar="PX", help="this canvas alone, with --batch")
    parser.add_argument("--batch", type=int, default=16, metavar="N")
    parser.add_argument("--ngf", type=int, default=64)
    parser.add_argument("--steps", type=int, default=20, help="steps of one round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warm-up", type=int, default=5, metavar="N", help="steps before the rounds")
    parser.add_argument("--glyphs", type=int, default=20_992, help="glyphs to draw")
    parser.add_argument("--font", type=Path, help="whose ideographs to draw; default: the first of the known fonts")
    parser.add_argument("--backend", default="inductor", help="of torch.compile in the last row")
    parser.add_argument("--only", nargs="+", metavar="TEXT", help="the rows whose names contain one of these")
    parser.add_argument("--resume", action="store_true", help="leave out the rows that are in the file already")
    parser.add_argument("--slice-seconds", type=float, metavar="S", help="begin no row after so many seconds")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--row", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args(given)
    device = resolve_device(arguments.device)
    if arguments.row:
        print(json.dumps(measure(arguments, device)))
        return
    output = arguments.json or RESULTS / f"{device.type}-train.json"
    settings = {"ngf": arguments.ngf, "steps": arguments.steps, "rounds": arguments.rounds}
    shared = facts("train_cuda", device, **settings)
    found = {**shared, "rows": earlier_rows(output, shared) if arguments.resume else {}}
    begun = time.monotonic()
    every = dict(rows(arguments))
    wanted = [name for name in every if not arguments.only or any(text in name for text in arguments.only)]
    for name in wanted:
        if name in found["rows"]:
            continue
        if arguments.slice_seconds is not None and time.monotonic() - begun > arguments.slice_seconds:
            break
        found["rows"][name] = _in_a_process(every[name], arguments)
        write_json(output, found)
        print(table({"rows": {name: found["rows"][name]}})[-1], flush=True)
    found["rows"] = {name: found["rows"][name] for name in every if name in found["rows"]}
    write_json(output, found)
    print(f"\n{machine(device)}, torch {torch.__version__}, ngf {arguments.ngf}")
    print("\n".join(table(found)))
    if left := [name for name in wanted if name not in found["rows"]]:
        print(f"{len(left)} rows are left: the same command with --resume goes on")


def _in_a_process(row: list[str], arguments: argparse.Namespace) -> dict[str, Any]:
    """A row's figures; `error` where it failed (a card too small for it), which hides no other row."""
    command = [sys.executable, "-m", "benchmarks.train_cuda", "--device", arguments.device, "--row", *row]
    for name in ("ngf", "steps", "rounds", "warm_up", "glyphs", "backend", "font"):
        if (value := getattr(arguments, name)) is not None:
            command += [f"--{name.replace('_', '-')}", str(value)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ended.returncode:
        words = ended.stderr.strip().splitlines() or [f"ended with status {ended.returncode}"]
        return {"error": words[-1]}
    row_found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return row_found


if __name__ == "__main__":
    main()
