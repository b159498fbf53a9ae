"""Tables whose rows are measured in several calls: kept in a JSON file, and never mixed across machines."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import torch

from benchmarks.turns import machine
from fontgen.files import read_json


def facts(benchmark: str, device: torch.device, **settings: Any) -> dict[str, Any]:
    """What all rows of one table must share."""
    return {
        "benchmark": benchmark,
        "device": device.type,
        "machine": machine(device),
        "processor": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda if device.type == "cuda" else None,
        "cudnn": torch.backends.cudnn.version() if device.type == "cuda" else None,
        **settings,
    }


def earlier_rows(path: Path, shared: dict[str, Any]) -> dict[str, Any]:
    """The rows of earlier calls that did not fail. Ends the program when they share other facts than these."""
    if not path.exists():
        return {}
    found = read_json(path)
    if other := [name for name, value in shared.items() if found.get(name) != value]:
        raise SystemExit(f"{path}: measured with another {' and '.join(other)}; give another --json, or move it away")
    return {name: row for name, row in found["rows"].items() if "error" not in row}
