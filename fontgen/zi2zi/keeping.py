"""The checkpoints that a training keeps: the best, the latest, and the last ones by step. Imports no torch."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from fontgen.errors import writing
from fontgen.zi2zi.header import read_header

LATEST = "latest.safetensors"
BEST = "best.safetensors"
STATE = "trainer.safetensors"

_STEP = re.compile(r"step-(\d{7,})\.safetensors")


def step_name(step: int) -> str:
    """The file of the checkpoint of a step."""
    return f"step-{step:07d}.safetensors"


def step_files(folder: Path) -> dict[int, Path]:
    """Step -> its checkpoint in `folder`, in ascending order."""
    found = ((_STEP.fullmatch(path.name), path) for path in folder.glob("step-*.safetensors"))
    return dict(sorted((int(match[1]), path) for match, path in found if match))


def prune(folder: Path, keep: int) -> None:
    """Remove all but the last `keep` checkpoints by step; the best and the latest are no part of them."""
    files = list(step_files(folder).values())
    for path in files[: max(0, len(files) - keep)]:
        with writing(path):
            path.unlink(missing_ok=True)


def kept_checkpoints(folder: Path) -> list[dict[str, Any]]:
    """File name, step and held-out figures of each checkpoint to choose from: the best, then the last by step.

    Raises CheckpointError when one of them is damaged.
    """
    best = [folder / BEST] if (folder / BEST).exists() else []
    headers = [(path, read_header(path)) for path in [*best, *reversed(step_files(folder).values())]]
    return [{"file": path.name, "step": header.step, "held_out": header.figures} for path, header in headers]
