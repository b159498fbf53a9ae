"""What to build: the recipe, TOML in, resolved JSON out.

Each table is declared once, by its owner; here stand the inputs and how they come together. Paths are
relative to the recipe's folder. Errors name the file, the line, the table and the key.
"""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from fontgen.canvas import DEFAULT_DESCENDER_EM, DEFAULT_MARGIN_EM, Canvas, Placement, canvas_from_zi2zi
from fontgen.errors import FontgenError, RecipeError
from fontgen.files import write_text
from fontgen.fonts.settings import FontSettings
from fontgen.glyphs.clean_settings import CleanSettings
from fontgen.glyphs.gate_settings import GateSettings
from fontgen.glyphs.register_settings import RegisterSettings
from fontgen.outlines.settings import TraceSettings
from fontgen.presets import filled, preset_named, presets
from fontgen.recipe_errors import explain, key_text, line_of
from fontgen.settings import RecipePath, Settings
from fontgen.zi2zi.network_settings import NetworkSettings
from fontgen.zi2zi.settings import TrainSettings


class FontInput(Settings):
    """A font file; a plain string stands for its path."""

    path: RecipePath
    """TTF, OTF, TTC, WOFF or WOFF2 file."""
    face_index: int = Field(default=0, ge=0)
    """Which face of a TTC."""
    location: dict[str, float] = {}
    """Where in the design space of a variable font, for instance {wght = 700}."""


def _from_string(value: Any) -> Any:
    if not isinstance(value, str | dict | FontInput):
        raise ValueError(f"give the path of a font, or a table with its path, not {value!r}")
    return {"path": value} if isinstance(value, str) else value


FontField = Annotated[FontInput, BeforeValidator(_from_string)]


class SourceTable(Settings):
    """The fonts whose glyphs the network redraws."""

    fonts: list[FontField] = Field(min_length=1)
    """Tried in this order for each character."""


class TargetTable(Settings):
    """One style to learn: a font, or a folder of glyph images (scans)."""

    font: FontField | None = None
    """The font to extend."""
    images: RecipePath | None = None
    """A folder of images named U+4E00.png, 4e00.png, 19968.png or 一.png, instead of a font."""
    name: str | None = None
    """The style's name; default: the font's own name or the folder's."""
    label: int = Field(default=0, ge=0)
    """zi2zi's label: the row of the style embedding that this target trains."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.font is None) == (self.images is None):
            raise ValueError("give either font or images, and not both")
        return self


class CharsetTable(Settings):
    """Which characters the finished font is to have."""

    want: str | None = None
    """Charset expression; default: every character that the source fonts have."""


class CanvasTable(Settings):
    """The square on which glyphs are drawn for the network."""

    size_px: int = Field(default=256, ge=8, le=2048)
    """Width and height in pixels; 128, 256, 384 and 512 suit the network."""
    margin_em: float = Field(default=DEFAULT_MARGIN_EM, ge=-0.4, le=4)
    """Room around the em box."""
    descender_em: float = Field(default=DEFAULT_DESCENDER_EM, ge=-1, le=0.5)
    """Lower edge of the em box."""
    fit: Literal["em", "box"] = "em"
    """em: glyphs keep their place. box: zi2zi's auto-fit, every glyph's box fills the em box (undone after)."""


class Zi2ziTable(Settings):
    """The geometry of a zi2zi run in its own terms, instead of [canvas]."""

    canvas_size: int = Field(ge=8, le=2048)
    """Width and height of the images in pixels."""
    char_size: int = Field(ge=4, le=4096)
    """Pixels per em."""
    src_x_offset: float = 0
    """Pixels from the left edge to the source glyph's origin."""
    src_y_offset: float = 0
    """Pixels from the upper edge to the source font's ascender."""
    dst_x_offset: float = 0
    """Pixels from the left edge to the target glyph's origin."""
    dst_y_offset: float = 0
    """Pixels from the upper edge to the target font's ascender."""
    fit: Literal["em", "box"] = "em"
    """box is zi2zi's auto fit; the offsets then have no effect, as there, and the placement is measured."""
    calibrate: bool = False
    """Measure the source's placement instead of taking it from the offsets."""

    def target_canvas(self, ascender_em: float) -> Canvas:
        """The canvas of the target images; `ascender_em` is the target font's hhea ascender.

        With auto fit the fitted boxes stand in the middle, wherever the offsets would put the em box.
        """
        canvas = canvas_from_zi2zi(
            canvas_size=self.canvas_size,
            char_size=self.char_size,
            x_offset=self.dst_x_offset,
            y_offset=self.dst_y_offset,
            ascender_em=ascender_em,
        )
        return replace(canvas, shift_x_em=0.0, shift_y_em=0.0) if self.fit == "box" else canvas

    @property
    def places_source(self) -> bool:
        """Whether the offsets say where source glyphs lie, rather than a measurement."""
        return not self.calibrate and self.fit == "em"

    def source_placement(self, source_ascender_em: float, target_ascender_em: float) -> Placement:
        """Where the offsets put source glyphs, relative to where they put the target's."""
        return Placement(
            dx_em=(self.src_x_offset - self.dst_x_offset) / self.char_size,
            dy_em=target_ascender_em - source_ascender_em - (self.src_y_offset - self.dst_y_offset) / self.char_size,
        )


class CalibrateTable(Settings):
    """Where source glyphs are placed to meet the target; measured unless given here."""

    scale: float | None = Field(default=None, gt=0.3, lt=3)
    """Hand-given scale."""
    dx_em: float | None = None
    """Hand-given shift to the right."""
    dy_em: float | None = None
    """Hand-given shift upwards."""


class PairsTable(Settings):
    """Which shared characters are trained on."""

    charset: str | None = None
    """Charset expression that limits the pairs; default: the ideographs, kana and hangul of [charset] and beyond."""
    limit: int | None = Field(default=None, ge=2)
    """At most so many pairs."""
    shuffle: bool = True
    """With a limit: characters spread over the whole charset (zi2zi's --shuffle), or its first ones."""
    held_out: float = Field(default=0.05, ge=0)
    """Share of the pairs (below 1) or their number kept from training, chosen by a hash of the codepoint."""

    @field_validator("held_out")
    @classmethod
    def _share_or_number(cls, value: float) -> float:
        if value > 1 and value != int(value):
            raise ValueError(f"give a share below 1 or a whole number, not {value:g}")
        return value


class InferTable(Settings):
    """How missing characters are drawn."""

    batch_size: int = Field(default=16, ge=1)
    """Glyphs a forward pass."""
    passes: int = Field(default=1, ge=1, le=9)
    """Draw each glyph so many times from slightly shifted sources and take the mean: truer, as many times the work."""
    checkpoint: RecipePath | None = None
    """Use this checkpoint instead of training one."""
    style: str | None = None
    """The style to draw in, by name or index, or a mixture: "0.3*a + 0.7*b"; default: the target's label."""

    @field_validator("style", mode="before")
    @classmethod
    def _index_or_name(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class OutputTable(Settings):
    """Where things go."""

    folder: RecipePath | None = None
    """The build folder; default: build/ and the recipe's name, in the current folder."""
    overrides: RecipePath | None = None
    """A folder of hand-made U+4E00.png, U+4E00.svg or U+4E00.glif, or of a UFO, that replace what the network made."""
    previous: RecipePath | None = None
    """An earlier version of the font, which the proof page compares with."""
    on_suspect: Literal["keep", "drop", "source"] = "keep"
    """Glyphs that the gate suspects: into the font all the same, left out, or the calibrated source glyph for them."""


class TruthTable(Settings):
    """A font that has the characters the target lacks: to measure against, never trained on."""

    font: FontField
    """The font of the true glyphs."""


MAX_NAME_BYTES = 200
"""Files are called by the recipe's name and a suffix, and file systems allow 255 bytes."""


class Recipe(Settings):
    """Everything a build needs to know."""

    name: str = Field(default="", pattern=r"^(\.*[\w-][\w.-]*)?$")
    """Names the build folder and the files; default: the recipe file's name."""
    preset: str | None = None
    """Values for a kind of machine, wherever this recipe gives none of its own: see [Presets](#presets)."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the network runs."""
    source: SourceTable
    target: TargetTable
    styles: list[TargetTable] = []
    """Further targets learned together with it, each under a label of its own."""
    charset: CharsetTable = CharsetTable()
    canvas: CanvasTable = CanvasTable()
    zi2zi: Zi2ziTable | None = None
    calibrate: CalibrateTable = CalibrateTable()
    pairs: PairsTable = PairsTable()
    network: NetworkSettings = NetworkSettings()
    train: TrainSettings = TrainSettings()
    infer: InferTable = InferTable()
    clean: CleanSettings = CleanSettings()
    register_: RegisterSettings = Field(default=RegisterSettings(), alias="register")
    gate: GateSettings = GateSettings()
    trace: TraceSettings = TraceSettings()
    font: FontSettings = FontSettings()
    output: OutputTable = OutputTable()
    truth: TruthTable | None = None

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, data: Any) -> Any:
        name = data.get("preset") if isinstance(data, dict) else None
        # What is no name of a preset is refused below, with its line.
        return filled(data, name) if name in presets() else data

    @field_validator("preset")
    @classmethod
    def _known_preset(cls, name: str | None) -> str | None:
        return None if name is None else preset_named(name).name

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.zi2zi is not None and "canvas" in self.model_fields_set:
            raise ValueError("[canvas] and [zi2zi] both set the geometry; keep one of them")
        if self.zi2zi is not None and self.zi2zi.places_source and self.calibrate != CalibrateTable():
            raise ValueError(
                "[calibrate] and the offsets of [zi2zi] both place the source; keep one of them, "
                "or set [zi2zi] calibrate = true"
            )
        labels = [target.label for target in self.targets]
        if len(set(labels)) != len(labels):
            raise ValueError(f"[target] and [[styles]]: labels {labels} repeat; give each style its own label")
        if max(labels) >= self.network.embedding_num:
            raise ValueError(
                f"label {max(labels)} is outside the embedding; raise [network] embedding_num "
                f"above it (it is {self.network.embedding_num})"
            )
        try:
            self.network.downs_for(self.canvas_size_px)
        except FontgenError as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def targets(self) -> list[TargetTable]:
        """The target first, then the further styles."""
        return [self.target, *self.styles]

    @property
    def canvas_size_px(self) -> int:
        return self.zi2zi.canvas_size if self.zi2zi else self.canvas.size_px

    @property
    def fit(self) -> Literal["em", "box"]:
        return self.zi2zi.fit if self.zi2zi else self.canvas.fit

    def input_files(self) -> dict[str, Path]:
        """Key -> file or folder that must exist."""
        found = {f"source.fonts.{i}": font.path for i, font in enumerate(self.source.fonts)}
        for key, target in zip(
            ("target", *(f"styles.{i}" for i in range(len(self.styles)))), self.targets, strict=True
        ):
            if target.font:
                found[f"{key}.font"] = target.font.path
            elif target.images:
                found[f"{key}.images"] = target.images
        if self.truth:
            found["truth.font"] = self.truth.font.path
        if self.output.previous:
            found["output.previous"] = self.output.previous
        if self.infer.checkpoint:
            return found | {"infer.checkpoint": self.infer.checkpoint}
        if self.train.start_from:
            found["train.start_from"] = self.train.start_from
        if self.train.losses.perceptual and self.train.losses.perceptual_weights:
            found["train.losses.perceptual_weights"] = self.train.losses.perceptual_weights
        return found


def load_recipe(path: Path, *, preset: str | None = None) -> Recipe:
    """Read and validate a recipe; `preset` takes the place of its own.

    Raises RecipeError that names file, line, table and key.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")  # Windows' Notepad may put a mark before the text
    except FileNotFoundError as error:
        raise RecipeError(f"{path}: no such recipe; `fontgen init` writes one") from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from error
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read ({error.strerror or error})") from error
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path}: not valid TOML: {error}") from error
    if preset is not None:
        data["preset"] = preset
    try:
        recipe = Recipe.model_validate(data, context={"folder": path.parent})
    except ValidationError as error:
        raise RecipeError(explain(path, text, error, Recipe)) from error
    for key, file in recipe.input_files().items():
        if not file.exists():
            line = line_of(text, tuple(key.split(".")))
            raise RecipeError(
                f"{path}{line}: {key_text(tuple(key.split('.')))}: no such file: {file}{_fonts_hint(file)}"
            )
    recipe = recipe if recipe.name else recipe.model_copy(update={"name": path.stem})
    if len(recipe.name.encode()) > MAX_NAME_BYTES:
        raise RecipeError(
            f"{path}: the name {recipe.name[:20]}… has more than {MAX_NAME_BYTES} bytes, too many for names of files; "
            "give a shorter one as name, before the first table"
        )
    return recipe


def with_changes(recipe: Recipe, *, checkpoint: Path | None = None, version: str | None = None) -> Recipe:
    """The recipe with what the command line says in the place of its own. Raises RecipeError for a wrong version."""
    if checkpoint is not None:
        if not checkpoint.is_file():
            raise RecipeError(f"--checkpoint {checkpoint}: no such file; name a checkpoint of `fontgen train`")
        infer = recipe.infer.model_copy(update={"checkpoint": checkpoint.resolve()})
        recipe = recipe.model_copy(update={"infer": infer})
    if version is not None:
        try:
            names = recipe.font.names.model_validate(recipe.font.names.model_dump() | {"version": version})
        except ValidationError as error:
            raise RecipeError(f"--version {version!r}: write it as X.YYY, for instance 1.001") from error
        recipe = recipe.model_copy(update={"font": recipe.font.model_copy(update={"names": names})})
    return recipe


def save_resolved(recipe: Recipe, path: Path) -> None:
    """Write the recipe with every default filled in, as JSON."""
    write_text(path, recipe.model_dump_json(indent=1, by_alias=True) + "\n")


def _fonts_hint(file: Path) -> str:
    if file.parent.name == "base-model":
        return "; `make base-model` puts the fonts of the base model in place"
    return "; `make fonts` puts the production fonts in place" if file.parent.name == "fonts" else ""
