"""A build of a whole block of ideographs from a stored checkpoint, stage by stage:

    python -m benchmarks.build_big --source NotoSansCJK-Bold.ttc --checkpoint best.safetensors

Every stage's seconds, and how long all but the inference takes. The target is the demo's, so that nearly all of
the wanted characters are generated. The checkpoint is the base model unless another is given. The figures of the
whole set go into benchmarks/results/build-cpu.json.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from fontgen.files import read_json, write_json, write_text
from fontgen.parallel import usable_cores
from fontgen.pipeline import STAGE_NAMES, make_build, run
from fontgen.recipe import load_recipe, with_changes
from fontgen.talk import Talk

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "build-cpu.json"
WHOLE = "cjk-unified"
LIMIT_SECONDS = 300
"""What all stages but the inference may take together, for 20,992 characters on 2 cores."""


def write_recipe(path: Path, source: Path, face_index: int, want: str, passes: int) -> Path:
    target = ROOT / "fixtures" / "zen-maru-gothic-bold.ttf"
    write_text(
        path,
        f'device = "cpu"\n[source]\nfonts = [{{path = "{source.resolve()}", face_index = {face_index}}}]\n'
        f'[target]\nfont = "{target}"\n[charset]\nwant = "{want}"\n[infer]\npasses = {passes}\n'
        '[font.names]\nfamily = "Big"\n',
    )
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, default=ROOT / "fonts" / "noto-sans-tc-bold.ttf")
    parser.add_argument("--face-index", type=int, default=0)
    parser.add_argument("--charset", default=WHOLE)
    parser.add_argument("--checkpoint", type=Path, default=ROOT / "fixtures" / "models" / "base-128.safetensors")
    parser.add_argument("--passes", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="keep the build here, and go on with it")
    parser.add_argument("--json", type=Path, help="where the figures go; of a part of the set they go nowhere else")
    arguments = parser.parse_args()
    results = arguments.json or (RESULTS if arguments.charset == WHOLE else None)
    with tempfile.TemporaryDirectory(prefix="fontgen-bench-") as scratch:
        root = arguments.folder or Path(scratch)
        recipe = write_recipe(
            root / "big.toml", arguments.source, arguments.face_index, arguments.charset, arguments.passes
        )
        loaded = with_changes(load_recipe(recipe), checkpoint=arguments.checkpoint)
        build = make_build(loaded, recipe, output=root / "build", device="cpu", want=None, talk=Talk())
        run(build)
        seconds = read_json(build.workspace.root / "seconds.json")
        figures = build.folder("charset").figures
    outside = sum(value for name, value in seconds.items() if name != "infer")
    print(f"{figures['generate']:,} glyphs generated on {usable_cores()} cores")
    for name in (stage for stage in STAGE_NAMES if stage in seconds):
        print(f"  {name:<10} {seconds[name]:>8.1f} s")
    print(f"  all but the inference {outside:.1f} s (limit for 20,992 characters on 2 cores: {LIMIT_SECONDS} s)")
    if results is not None:
        measured = {"glyphs": figures["generate"], "seconds": seconds, "outside_inference": round(outside, 1)}
        write_json(
            results,
            measured
            | {"checkpoint": arguments.checkpoint.name, "cores": usable_cores(), "source": arguments.source.name},
        )
    sys.exit(int(outside > LIMIT_SECONDS))


if __name__ == "__main__":
    main()
