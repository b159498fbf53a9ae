"""The smallest build that goes through every stage: two fonts of 24 shared kanji, three steps of training."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from box_fonts import FIXTURES, NOTO, ZEN, box_font, kanji_of, part_of
from click.testing import CliRunner, Result

from fontgen.cli import main

SHARED = kanji_of(ZEN)[::33][:24]
NEW = kanji_of(FIXTURES / "zen-maru-gothic-bold-truth.ttf")[::30][:6]
BEYOND = 0x20000
"""Has its glyph from a second source font, and lies beyond the basic plane."""
SPACE = 0x3000

RECIPE = """\
device = "cpu"

[source]
fonts = ["source.ttf", "extra.ttf"]

[target]
font = "target.ttf"

[truth]
font = "truth.ttf"

[charset]
want = "{want} + U+3000"

[canvas]
size_px = 64

[pairs]
limit = 24
held_out = 4

[network]
ngf = 4
ndf = 4
max_channels = 8
embedding_num = 1
embedding_dim = 4
num_downs = 3
skip = "concat"
dropout = 0.0
source_residual = 1.0

[train]
steps = 3
batch_size = 4
log_every = 1

[font.names]
family = "{family}"
"""

EVERYTHING = "".join(map(chr, [*SHARED, *NEW, BEYOND]))
"""What is wanted, but for the ideographic space."""


@dataclass(frozen=True)
class Project:
    """A folder with fonts, a recipe, and the build in `out`."""

    root: Path

    @property
    def recipe(self) -> Path:
        return self.root / "tiny.toml"

    @property
    def out(self) -> Path:
        return self.root / "out"

    @property
    def ttf(self) -> Path:
        return self.out / "assemble" / "tiny.ttf"

    def write(self, *, want: str = EVERYTHING, family: str = "Tiny", **replaced: str) -> None:
        """Write the recipe; each of `replaced` is a table whose text takes the place of the standing one."""
        text = RECIPE.format(want=want, family=family)
        for table, body in replaced.items():
            before, _, rest = text.partition(f"[{table}]\n")
            after = rest[rest.index("\n[") + 1 :] if "\n[" in rest else ""
            text = f"{before}{body}\n{after}"
        self.recipe.write_text(text, encoding="utf-8")

    def run(self, *arguments: str | Path) -> Result:
        given = map(str, ("build", self.recipe, "--output", self.out, *arguments))
        return CliRunner().invoke(main, list(given))

    def copy(self, root: Path) -> Project:
        shutil.copytree(self.root, root)
        return Project(root)


def make_project(root: Path) -> Project:
    root.mkdir(parents=True, exist_ok=True)
    part_of(NOTO, [*SHARED, *NEW, SPACE], root / "source.ttf")
    part_of(ZEN, SHARED, root / "target.ttf")
    part_of(FIXTURES / "zen-maru-gothic-bold-truth.ttf", NEW, root / "truth.ttf")
    box_font(root / "extra.ttf", {BEYOND: [(80, 300, 920, 420), (440, -80, 560, 820)], NEW[0]: [(0, 0, 10, 10)]})
    project = Project(root)
    project.write()
    return project


def built_with_checkpoint(root: Path, settings: str = "") -> Project:
    """A project built without training: `tiny_checkpoint` draws. `settings` are added to the recipe."""
    project = make_project(root)
    tiny_checkpoint(root / "tiny.safetensors")
    with project.recipe.open("a") as file:
        file.write(f'\n[infer]\ncheckpoint = "tiny.safetensors"\n{settings}')
    assert project.run().exit_code == 0
    return project


def tiny_checkpoint(path: Path, styles: Sequence[str] = ("Zen Maru Gothic Bold",)) -> Path:
    """A generator that was never trained, for builds without training: it draws the source, a little worn."""
    import torch

    from fontgen.canvas import Canvas, Placement
    from fontgen.zi2zi.checkpoint import save_generator
    from fontgen.zi2zi.generator import Generator
    from fontgen.zi2zi.header import CheckpointHeader
    from fontgen.zi2zi.network_settings import NetworkSettings

    table = tomllib.loads(RECIPE.format(want="x", family="x"))["network"]
    network = NetworkSettings.model_validate(table | {"embedding_num": len(styles)})
    canvas = Canvas(size_px=64)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        generator = Generator(network, canvas.size_px)
    placement = Placement(scale=0.98, dx_em=0.004, dy_em=-0.002)
    header = CheckpointHeader(
        network=network,
        canvas=canvas,
        styles=list(styles),
        step=0,
        pairs="",
        metadata={"placements": {str(index): placement.to_json() for index in range(len(styles))}, "fit": "em"},
    )
    save_generator(path, generator, header)
    return path


def ran(result: Result) -> list[str]:
    """The stages that a run ran, in order."""
    return [line.partition(":")[0] for line in result.stderr.splitlines() if line.endswith(", running")]


def half_written(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.startswith(".part-")]
