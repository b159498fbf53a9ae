"""A build of a whole block of ideographs from a stored checkpoint, stage by stage:

    python -m benchmarks.build_big --source NotoSansCJK-Bold.ttc --checkpoint best.safetensors

Every stage's seconds, and how long all but the inference takes. The target is the demo's, so that nearly all of
the wanted characters are generated. Without a checkpoint an untrained network of the demo's size draws, which
measures all but the quality.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import tomllib
from pathlib import Path

from fontgen.canvas import Canvas, Placement
from fontgen.files import read_json, write_json, write_text
from fontgen.parallel import usable_cores
from fontgen.pipeline import STAGE_NAMES, make_build, run
from fontgen.recipe import load_recipe, with_changes
from fontgen.talk import Talk
from fontgen.zi2zi.network_settings import NetworkSettings

ROOT = Path(__file__).parents[1]
LIMIT_SECONDS = 300
"""What all stages but the inference may take together, for 20,992 characters on 2 cores."""


def untrained_checkpoint(path: Path) -> Path:
    """A generator as the demo's, with random weights, which draws its source with noise."""
    import torch

    from fontgen.zi2zi.checkpoint import save_generator
    from fontgen.zi2zi.generator import Generator
    from fontgen.zi2zi.header import CheckpointHeader

    recipe = tomllib.loads((ROOT / "pipelines" / "demo.toml").read_text(encoding="utf-8"))
    network, canvas = NetworkSettings.model_validate(recipe["network"]), Canvas(size_px=recipe["canvas"]["size_px"])
    torch.manual_seed(0)
    header = CheckpointHeader(
        network=network,
        canvas=canvas,
        styles=["Zen Maru Gothic Bold"],
        step=0,
        pairs="",
        metadata={"placements": {"0": Placement().to_json()}, "fit": "em"},
    )
    save_generator(path, Generator(network, canvas.size_px), header)
    return path


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
    parser.add_argument("--charset", default="cjk-unified")
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--passes", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="keep the build here, and go on with it")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fontgen-bench-") as scratch:
        root = arguments.folder or Path(scratch)
        recipe = write_recipe(
            root / "big.toml", arguments.source, arguments.face_index, arguments.charset, arguments.passes
        )
        checkpoint = arguments.checkpoint or untrained_checkpoint(root / "untrained.safetensors")
        loaded = with_changes(load_recipe(recipe), checkpoint=checkpoint)
        build = make_build(loaded, recipe, output=root / "build", device="cpu", want=None, talk=Talk())
        run(build)
        seconds = read_json(build.workspace.root / "seconds.json")
        figures = build.folder("charset").figures
    outside = sum(value for name, value in seconds.items() if name != "infer")
    print(f"{figures['generate']:,} glyphs generated on {usable_cores()} cores")
    for name in (stage for stage in STAGE_NAMES if stage in seconds):
        print(f"  {name:<10} {seconds[name]:>8.1f} s")
    print(f"  all but the inference {outside:.1f} s (limit for 20,992 characters on 2 cores: {LIMIT_SECONDS} s)")
    if arguments.json:
        write_json(arguments.json, {"glyphs": figures["generate"], "seconds": seconds, "outside_inference": outside})
    sys.exit(int(outside > LIMIT_SECONDS))


if __name__ == "__main__":
    main()
