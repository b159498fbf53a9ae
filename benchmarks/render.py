"""Pairs drawn per second: `python -m benchmarks.render`, or `make bench-render`.

The rate of `write_pairs`, start of the worker processes and writing of the arrays included, beside what
most zi2zi pipelines do: PIL draws both characters as text, one after the other, in one process.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fontgen.canvas import Canvas, Placement
from fontgen.files import write_json
from fontgen.fonts.face import FontRef, open_face
from fontgen.glyphs.pairs import PairJob, Style, write_pairs
from fontgen.parallel import usable_cores

ROOT = Path(__file__).parents[1]


def draw_with_fontgen(jobs: Sequence[PairJob], canvas: Canvas, workers: int) -> None:
    with tempfile.TemporaryDirectory(prefix="fontgen-bench-") as folder:
        write_pairs(
            Path(folder),
            jobs,
            canvas,
            [Style("target", Placement())],
            held_out=0.05,
            fingerprint="benchmark",
            workers=workers,
        )


def draw_with_pil(jobs: Sequence[PairJob], canvas: Canvas) -> None:
    """Both characters as text at the same size and place, kept in arrays as the pairs are."""
    em_px = round(canvas.size_px / (1 + 2 * canvas.margin_em))
    margin_px = round(canvas.margin_em * em_px)
    fonts = [ImageFont.truetype(str(ref.path), em_px) for ref in (jobs[0].source, jobs[0].target) if ref is not None]
    arrays = [np.zeros((len(jobs), canvas.size_px, canvas.size_px), dtype=np.uint8) for _ in fonts]
    for row, job in enumerate(jobs):
        for font, array in zip(fonts, arrays, strict=True):
            image = Image.new("L", (canvas.size_px, canvas.size_px), 0)
            ImageDraw.Draw(image).text((margin_px, margin_px), chr(job.codepoint), fill=255, font=font)
            array[row] = np.asarray(image)


def rates(draw: Callable[[], None], num_pairs: int, repeats: int) -> list[float]:
    """Pairs per second of each repeat."""
    results: list[float] = []
    for _ in range(repeats):
        start = time.perf_counter()
        draw()
        results.append(num_pairs / (time.perf_counter() - start))
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=ROOT / "fixtures" / "noto-sans-jp-bold.ttf")
    parser.add_argument("--target", type=Path, default=ROOT / "fixtures" / "zen-maru-gothic-bold.ttf")
    parser.add_argument(
        "--pairs", type=int, default=6600, help="how many; shared characters are repeated to make it up"
    )
    parser.add_argument("--size", type=int, default=256, metavar="PX")
    parser.add_argument("--workers", type=int, default=usable_cores())
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks" / "results" / "render.json", metavar="FILE")
    arguments = parser.parse_args()

    source, target = FontRef.of(arguments.source), FontRef.of(arguments.target)
    han = [c for c in open_face(source).cmap.keys() & open_face(target).cmap.keys() if c >= 0x3400]
    codepoints = islice(cycle(sorted(han)), arguments.pairs)
    jobs = [PairJob(codepoint, source, target) for codepoint in codepoints]
    canvas = Canvas(size_px=arguments.size)
    measured = {
        "fontgen": rates(lambda: draw_with_fontgen(jobs, canvas, arguments.workers), len(jobs), arguments.repeats),
        "PIL text, one process": rates(lambda: draw_with_pil(jobs, canvas), len(jobs), arguments.repeats),
    }

    print(f"{len(jobs):,} pairs of {len(han):,} characters at {canvas.size_px} px, {arguments.workers} processes")
    baseline = statistics.median(measured["PIL text, one process"])
    for name, results in measured.items():
        median = statistics.median(results)
        print(
            f"{name:24} {median:8,.0f} pairs/s ({min(results):,.0f}-{max(results):,.0f}), {median / baseline:.2f} times"
        )
    write_json(
        arguments.json,
        {
            "benchmark": "render",
            "pairs": len(jobs),
            "size_px": canvas.size_px,
            "workers": arguments.workers,
            "source": arguments.source.name,
            "target": arguments.target.name,
            "pairs_per_second": {name: [round(rate, 1) for rate in results] for name, results in measured.items()},
        },
    )


if __name__ == "__main__":
    main()
