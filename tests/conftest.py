"""Shared by all tests: where the real fonts are."""

from __future__ import annotations

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
