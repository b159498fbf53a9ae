"""What all stages of one build share: the recipe, the build folder, what earlier stages found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fontgen.canvas import Canvas, Placement
from fontgen.charset import Codepoints, parse_charset
from fontgen.fonts.face import FontRef, open_face
from fontgen.fonts.stack import FontStack
from fontgen.glyphs.store import MANIFEST, ImageFolder, image_name
from fontgen.recipe import FontInput, Recipe, TargetTable
from fontgen.report import Report
from fontgen.stages.redo import RedoFile
from fontgen.talk import Talk
from fontgen.workspace import StageFolder, Workspace, file_hash
from fontgen.zi2zi.header import CheckpointHeader, read_header

if TYPE_CHECKING:
    from fontgen.zi2zi.styles import StyleMix


@dataclass
class Build:
    """One run of a recipe."""

    recipe: Recipe
    recipe_folder: Path
    workspace: Workspace
    talk: Talk
    device: Any = "auto"
    """auto, cpu, cuda, or the torch device of this process."""
    team: Any = None
    """The processes that torchrun started with this one (zi2zi's Team); None when there are no others."""
    want: str | None = None
    """A charset expression from the command line, relative to the current folder; it goes before the recipe's."""
    marks: dict[str, str] = field(default_factory=dict)
    """Stage -> its fingerprint in this run."""
    reports: dict[str, Report] = field(default_factory=dict)
    """Stage -> what became of its glyphs, for stages that ran and for those whose last run had failures."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Stage -> how long it took in this run, for stages that ran."""

    def folder(self, stage: str) -> StageFolder:
        return self.workspace.stage(stage)

    @cached_property
    def stack(self) -> FontStack:
        """The source fonts in their order."""
        return FontStack([font_ref(font) for font in self.recipe.source.fonts])

    @cached_property
    def target_refs(self) -> list[FontRef | None]:
        """The font of each target; None for a folder of images."""
        return [font_ref(target.font) if target.font else None for target in self.recipe.targets]

    @cached_property
    def input_hashes(self) -> dict[str, str]:
        """Key -> digest of each input font or folder."""
        return {key: file_hash(path) for key, path in self.recipe.input_files().items()}

    def hashes_of(self, *prefixes: str) -> dict[str, str]:
        return {key: value for key, value in self.input_hashes.items() if key.startswith(prefixes)}

    @cached_property
    def redo(self) -> RedoFile:
        """The glyphs that are drawn by other means than the recipe's."""
        return RedoFile.open(self.recipe_folder / f"{self.recipe.name}.redo.json")

    @cached_property
    def wanted(self) -> Codepoints:
        """The characters the finished font is to have, in order."""
        if self.want is not None:
            return parse_charset(self.want)
        if self.recipe.charset.want is not None:
            return parse_charset(self.recipe.charset.want, folder=self.recipe_folder)
        return tuple(sorted(self.stack.codepoints))

    def checkpoint(self) -> Path:
        """The generator that draws the missing characters."""
        if self.recipe.infer.checkpoint:
            return self.recipe.infer.checkpoint
        train = self.folder("train")
        return train.path / str(train.figures["checkpoint"])

    @cached_property
    def style_names(self) -> list[str]:
        """The styles that the generator draws, by style index; "" where an index has none."""
        from fontgen.zi2zi.lineage import styles_after

        if self.recipe.infer.checkpoint:
            return self.known.styles if self.known else []
        own = own_styles(self.recipe)
        return styles_after(self.known.styles, own) if self.known else own

    @cached_property
    def style(self) -> StyleMix:
        """The style that the missing characters are drawn in. Raises RecipeError for one that nobody learned."""
        from fontgen.zi2zi.styles import StyleMix, parse_style

        if self.recipe.infer.style is None and self.recipe.infer.checkpoint is None:
            return StyleMix.of(self.recipe.target.label)
        return parse_style(self.recipe.infer.style or str(self.recipe.target.label), self.style_names)

    @property
    def draws_target(self) -> bool:
        """Whether the style drawn is the target's own, whose held-out characters then tell how well it is drawn."""
        return self.style.single == self.recipe.target.label

    @cached_property
    def known(self) -> CheckpointHeader | None:
        """The checkpoint that inference uses or training starts from, if the recipe names one."""
        path = self.recipe.infer.checkpoint or self.recipe.train.start_from
        return read_header(path) if path else None

    def placements(self) -> list[Placement]:
        """Where source glyphs are placed for each style, by style index."""
        return placements_from(self.placement_records(), len(self.style_names))

    def placement_records(self) -> dict[str, Any]:
        """The same as a checkpoint's metadata has them: style index -> scale, dx_em, dy_em."""
        from fontgen.zi2zi.lineage import placements_after

        if self.recipe.infer.checkpoint and self.known:
            return dict(self.known.metadata.get("placements", {}))
        styles = self.folder("calibrate").figures["styles"]
        own = {str(style["label"]): style["placement"] for style in styles}
        return placements_after(self.known, own_styles(self.recipe)) | own if self.known else own

    def canvas(self) -> Canvas:
        """The canvas of all images."""
        if self.recipe.infer.checkpoint and self.known:
            return self.known.canvas
        return Canvas.from_json(self.folder("calibrate").figures["canvas"])

    def geometry(self) -> tuple[Canvas, Placement]:
        """The canvas of all images, and where the source glyphs that are to be redrawn are placed on it."""
        return self.canvas(), self.style.placement(self.placements())


@dataclass(frozen=True)
class Outcome:
    """What a stage leaves: figures for its manifest, the files that must exist for it to stand."""

    figures: Mapping[str, Any]
    files: Iterable[str] = ()


@dataclass(frozen=True)
class Stage:
    """A step of the build."""

    name: str
    inputs: Callable[[Build], Any]
    """JSON-able: all that the result depends on, but for the marks of `after`."""
    run: Callable[[Build, StageFolder], Outcome]
    after: tuple[str, ...] = ()
    """Stages whose results it reads."""
    version: int = 1
    """Raised when the stage's code makes something else of the same inputs."""
    wanted: Callable[[Build], bool] = lambda build: True
    """Whether the recipe has this stage at all."""


def stale_images(folder: StageFolder, keys: Mapping[int, str]) -> list[int]:
    """Codepoints whose image must be made (again): another key than recorded, or image or record are gone."""
    recorded = ImageFolder.open(folder.path).glyphs if (folder.path / MANIFEST).exists() else {}
    stale = set(folder.stale_glyphs(keys, lambda codepoint: folder.path / image_name(codepoint)))
    if lost := keys.keys() - recorded.keys() - stale:
        folder.forget(lost)
    return [codepoint for codepoint in keys if codepoint in stale or codepoint in lost]


def font_ref(font: FontInput) -> FontRef:
    return FontRef.of(font.path, font.face_index, font.location)


def target_name(target: TargetTable) -> str:
    """The style's name: the recipe's, else the font's own, else the folder's."""
    if target.name:
        return target.name
    if target.font:
        face = open_face(font_ref(target.font))
        return f"{face.family_name} {face.style_name}".strip()
    assert target.images is not None
    return target.images.name


def own_styles(recipe: Recipe) -> list[str]:
    """Names of the recipe's own styles by label; "" where no target has a label."""
    names = [""] * (1 + max(target.label for target in recipe.targets))
    for target in recipe.targets:
        names[target.label] = target_name(target)
    return names


def placements_from(records: Mapping[str, Any], count: int) -> list[Placement]:
    """Where source glyphs are placed for each of `count` styles, by style index, from a checkpoint's records."""
    found = (records.get(str(index)) for index in range(count))
    return [Placement.from_json(record) if record else Placement() for record in found]
