"""How fast images become a saved font: a folder of glyph images is traced and assembled as a build does it.

`python -m benchmarks.outline_speed FONT --glyphs 21000` draws that many characters of a font, ideographs first, and
prints seconds, glyphs a second, processor time a glyph, and the memory of all processes together.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from benchmarks.usage import Usage
from fontgen.canvas import Canvas
from fontgen.fonts.assemble import assemble
from fontgen.fonts.face import Face, FontRef, open_face
from fontgen.fonts.metrics import is_ideographic
from fontgen.fonts.settings import FontSettings, NameSettings
from fontgen.glyphs.render import render_ink
from fontgen.glyphs.store import ImageFolder, image_name, write_ink, write_manifest
from fontgen.outlines.folder import trace_folder
from fontgen.outlines.settings import TraceSettings
from fontgen.parallel import parallel_map, usable_cores
from fontgen.stages.joining import folder_glyphs

_FIRST = 0x20000  # codepoints of the copies, where a font has fewer glyphs than asked for


@dataclass(frozen=True)
class Speed:
    font: str
    size_px: int
    glyphs: int
    cores: int
    wall_s: float
    cpu_s: float
    peak_mib: float
    """Of all processes together."""
    again_s: float
    """Tracing the folder once more with one image changed."""
    traced_again: int

    @property
    def glyphs_per_second(self) -> float:
        return self.glyphs / self.wall_s

    @property
    def cpu_ms_per_glyph(self) -> float:
        return 1e3 * self.cpu_s / self.glyphs

    def to_json(self) -> dict[str, Any]:
        figures = {key: round(value, 3) if isinstance(value, float) else value for key, value in asdict(self).items()}
        rates = {
            "glyphs_per_second": round(self.glyphs_per_second, 1),
            "cpu_ms_per_glyph": round(self.cpu_ms_per_glyph, 2),
        }
        return figures | rates

    def line(self) -> str:
        return (
            f"{self.font[:32]:32} {self.size_px:4} images to saved TTF: {self.glyphs} glyphs, "
            f"{self.glyphs_per_second:.0f} a second on {self.cores} cores; wall {self.wall_s:.1f} s, "
            f"CPU {self.cpu_s:.1f} s ({self.cpu_ms_per_glyph:.2f} ms a glyph), peak memory {self.peak_mib:.0f} MiB; "
            f"one image changed: {self.traced_again} traced in {self.again_s:.1f} s"
        )


def measure_speed(path: Path, face_index: int, size_px: int, count: int, settings: TraceSettings) -> Speed:
    """Draw `count` images (not counted), then trace them and save a TTF without a base font."""
    ref = FontRef.of(path, face_index)
    face = open_face(ref)
    shown = list(islice(cycle(_shown(face)), count))
    canvas = Canvas(size_px=size_px)
    with tempfile.TemporaryDirectory(prefix="fontgen-bench-") as folder:
        root, outlines = Path(folder) / "images", Path(folder) / "outlines"
        jobs = [(_FIRST + number, codepoint) for number, codepoint in enumerate(shown)]
        for _ in parallel_map(partial(_draw, ref, canvas, root), jobs):
            pass
        write_manifest(root, canvas, {codepoint: {} for codepoint, _ in jobs})
        images = ImageFolder.open(root)
        with Usage() as usage:
            trace_folder(images, outlines, settings)
            glyphs, _ = folder_glyphs(outlines)
            report = assemble(
                None, glyphs, Path(folder) / "traced.ttf", FontSettings(names=NameSettings(family="Traced"))
            )
        if len(report.done) != count:
            raise RuntimeError(f"{count} images gave {len(report.done)} glyphs")
        shutil.copyfile(images.files[_FIRST + 1], images.files[_FIRST])
        with Usage() as again:
            figures = trace_folder(images, outlines, settings).figures
    return Speed(
        path.name,
        size_px,
        count,
        usable_cores(),
        usage.wall_s,
        usage.cpu_s,
        usage.peak_mib,
        again.wall_s,
        int(figures["traced"]),
    )


def _shown(face: Face) -> Iterator[int]:
    """Characters of the font that have an outline: the commonest ideographs, other ones, the rest."""

    def rank(codepoint: int) -> int:
        return 0 if 0x4E00 <= codepoint <= 0x9FFF else 1 if is_ideographic(codepoint) else 2

    return (codepoint for codepoint in sorted(sorted(face.cmap), key=rank) if face.bounds_em(codepoint))


def _draw(ref: FontRef, canvas: Canvas, root: Path, job: tuple[int, int]) -> None:
    write_ink(root / image_name(job[0]), render_ink(open_face(ref), job[1], canvas))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    fixture = Path(__file__).parents[1] / "fixtures" / "zen-maru-gothic-bold.ttf"
    parser.add_argument("font", nargs="?", type=Path, default=fixture)
    parser.add_argument("--face-index", type=int, default=0, help="face of a collection (default 0)")
    parser.add_argument("--size", type=int, default=256, help="image size in px (default 256)")
    parser.add_argument("--glyphs", type=int, default=2000, help="how many images (default 2000)")
    options = parser.parse_args()
    speed = measure_speed(options.font, options.face_index, options.size, options.glyphs, TraceSettings())
    print(speed.line())


if __name__ == "__main__":
    main()
