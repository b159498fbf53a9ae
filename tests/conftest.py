"""Shared by all tests: where the real fonts are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parent.parent / "fixtures"


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """The folder of small real fonts."""
    return FIXTURES


@pytest.fixture(scope="session")
def source_font() -> Path:
    return FIXTURES / "noto-sans-jp-bold.ttf"


@pytest.fixture(scope="session")
def target_font() -> Path:
    return FIXTURES / "zen-maru-gothic-bold.ttf"


@pytest.fixture(scope="session")
def truth_font() -> Path:
    return FIXTURES / "zen-maru-gothic-bold-truth.ttf"


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Maps of a few pixels gain nothing from threads, and tests may run side by side."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
