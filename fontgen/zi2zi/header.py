"""What a checkpoint says about itself. Reads no weights and imports no torch."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import ValidationError
from safetensors import SafetensorError, safe_open

from fontgen import __version__
from fontgen.canvas import Canvas
from fontgen.errors import CheckpointError, ImageError
from fontgen.zi2zi.network_settings import NetworkSettings

FORMAT = "fontgen-zi2zi"
FORMAT_VERSION = 1

HEADER_KEY = "fontgen"
"""The one metadata entry of our safetensors files: with more, their order would change from run to run."""

_TORCH_STARTS = (b"PK\x03\x04", b"\x80\x02")
"""How a file of torch.save begins: a zip archive, or, before torch 1.6, a pickle."""

_TORCH_SUFFIXES = {".pth", ".pt"}


Precision = Literal["fp32", "fp16"]


@dataclass(frozen=True, kw_only=True)
class CheckpointHeader:
    """Everything needed to use a generator, and where it came from."""

    network: NetworkSettings
    canvas: Canvas
    """The canvas of the images that the generator reads and draws."""
    styles: list[str]
    """Names of the styles, by style index."""
    step: int
    pairs: str
    """Fingerprint of the pairs it was trained on."""
    figures: dict[str, float] = field(default_factory=dict)
    """Held-out figures at this step."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """What the caller added: the source's placement, fonts and their licences, the recipe."""
    versions: dict[str, str] = field(default_factory=dict)
    precision: Precision = "fp32"
    """In which the weights are stored; they are used in fp32."""

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "network": self.network.model_dump(mode="json"),
            "canvas": self.canvas.to_json(),
            "styles": self.styles,
            "step": self.step,
            "pairs": self.pairs,
            "figures": self.figures,
            "metadata": self.metadata,
            "versions": self.versions,
            "precision": self.precision,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Raises KeyError, TypeError, ValueError or ImageError for what is not a header."""
        return cls(
            network=NetworkSettings.model_validate(data["network"]),
            canvas=Canvas.from_json(data["canvas"]),
            styles=[str(style) for style in data["styles"]],
            step=int(data["step"]),
            pairs=str(data["pairs"]),
            figures=dict(data["figures"]),
            metadata=dict(data["metadata"]),
            versions=dict(data["versions"]),
            precision=data.get("precision", "fp32"),
        )


def is_torch_file(path: Path) -> bool:
    """Whether the file claims to be one of torch.save: by its first bytes, or where these say nothing by its name."""
    if not path.is_file():
        return path.suffix in _TORCH_SUFFIXES
    with path.open("rb") as file:
        start = file.read(9)
    # A safetensors file begins with the length of its JSON, whose first byte follows.
    return start[8:] != b"{" and (start.startswith(_TORCH_STARTS) or path.suffix in _TORCH_SUFFIXES)


def current_versions(torch_version: str) -> dict[str, str]:
    return {"fontgen": __version__, "python": platform.python_version(), "torch": torch_version}


def read_metadata(path: Path) -> dict[str, Any]:
    """The JSON in a safetensors file of ours. Raises CheckpointError when the file is missing, cut or foreign."""
    if not path.is_file():
        raise CheckpointError(f"{path}: no such checkpoint; train first, or give the path of a .safetensors file")
    if is_torch_file(path):
        raise CheckpointError(
            f"{path}: a file of torch.save, not a checkpoint of fontgen; turn it into one first: "
            "fontgen import-checkpoint FILE -o OUT.safetensors"
        )
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(HEADER_KEY)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path}: damaged, cut short or not a safetensors file ({error}); "
            "train again, or use another checkpoint of this run"
        ) from error
    try:
        data: dict[str, Any] = dict(json.loads(text or ""))
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{path}: not a checkpoint of fontgen; train one, or import it first") from error
    if data.get("format") != FORMAT:
        raise CheckpointError(f"{path}: not a checkpoint of fontgen; train one, or import it first")
    if data.get("version") != FORMAT_VERSION:
        raise CheckpointError(
            f"{path}: format version {data.get('version')}, this fontgen reads {FORMAT_VERSION}; "
            "use the fontgen that wrote it, or train again"
        )
    return data


def read_header(path: Path) -> CheckpointHeader:
    """The header of a generator checkpoint. Raises CheckpointError."""
    data = read_metadata(path)
    try:
        return CheckpointHeader.from_json(data)
    except (KeyError, TypeError, AttributeError, ValidationError, ValueError, ImageError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(
            f"{path}: its header is not that of a generator ({reason}); use a checkpoint of `fontgen train`"
        ) from error


def describe_checkpoint(path: Path) -> dict[str, Any]:
    """The header of a generator checkpoint with parameter count and file size, without loading weights."""
    header = read_header(path)
    with safe_open(path, framework="numpy") as file:
        shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118
    parameters = 0
    for shape in shapes:
        count = 1
        for length in shape:
            count *= length
        parameters += count
    return {**header.to_json(), "parameters": parameters, "bytes": path.stat().st_size}
