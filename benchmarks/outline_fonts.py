"""Traced outlines of many fonts: `python -m benchmarks.outline_fonts FILE[#FACE]...`.

For every font glyphs drawn by lot (Han where it has any) are traced from perfect images and measured as
`outline_roundtrip.py` does. The table has the outlines of the font's own kind, whose points compare with its own;
faults are those of both kinds: IoU below 0.95, contours that turn the wrong way, contours that cross. Everything goes
into `benchmarks/results/outline-fonts.json`. Exit status 1 when there is any fault.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from fontTools.ttLib import TTFont

from benchmarks.outline_roundtrip import measure
from fontgen.files import write_json
from fontgen.outlines.settings import TraceSettings


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("fonts", nargs="+", metavar="FILE[#FACE]", help="fonts, and which face of a collection")
    parser.add_argument("--size", type=int, default=256, help="image size in px (default 256)")
    parser.add_argument("--count", type=int, default=40, help="glyphs drawn by lot from each font (default 40)")
    parser.add_argument("--seed", type=int, default=1, help="the lot (default 1)")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results" / "outline-fonts.json")
    options = parser.parse_args()
    print(f"| {' | '.join(_COLUMNS)} |\n|{'---|' * len(_COLUMNS)}")
    results: list[dict[str, Any]] = []
    faulty = False
    for font in options.fonts:
        name, _, face = font.partition("#")
        path, face_index = Path(name), int(face or 0)
        rows = list(measure(path, face_index, options.size, options.count, options.seed, TraceSettings()))
        results += [row.to_json() | {"face": face_index} for row in rows]
        own = rows["glyf" not in TTFont(path, fontNumber=face_index)].to_json()
        faults = [sum(row.to_json()["wrong"] for row in rows)]
        faults += [len({codepoint for row in rows for codepoint in getattr(row, key)}) for key in _FAULTS]
        faulty |= any(faults)
        figures = [own["curves"], own["glyphs"], *(f"{own[key]:.4f}" for key in _IOU), own["points"]]
        figures += [own["true_points"], f"{own['points_ratio']:.2f}", f"{own['stems_within_1_unit']:.1%}", *faults]
        label = path.stem + (f" {face_index}" if face else "")
        print(f"| {label} | {' | '.join(map(str, figures))} |", flush=True)
        write_json(options.results, results)
    return int(faulty)


_COLUMNS = ("Font", "outlines", "glyphs", "IoU mean", "p5", "worst", "points", "own", "ratio", "stems")
_COLUMNS += ("wrong", "turned", "crossing")
_IOU = ("iou_mean", "iou_p5", "iou_worst")
_FAULTS = ("miswound", "crossing")

if __name__ == "__main__":
    raise SystemExit(main())
