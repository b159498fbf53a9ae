"""The outcome of every glyph of a batch, the summary, and the exit status."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from fontgen.errors import codepoint_name


@dataclass
class Report:
    """Counts what a batch did. A failed glyph never stops the others, and always shows in the status."""

    stage: str
    done: list[int] = field(default_factory=list)
    skipped: dict[int, str] = field(default_factory=dict)
    """Codepoint -> why nothing had to or could be done."""
    failed: dict[int, str] = field(default_factory=dict)
    """Codepoint -> what went wrong."""
    figures: dict[str, Any] = field(default_factory=dict)
    """What the stage measured."""

    def add_done(self, codepoint: int) -> None:
        self.done.append(codepoint)

    def add_skipped(self, codepoint: int, reason: str) -> None:
        self.skipped[codepoint] = reason

    def add_failed(self, codepoint: int, reason: object) -> None:
        self.failed[codepoint] = str(reason)

    @property
    def exit_status(self) -> int:
        return 1 if self.failed else 0

    def summary(self) -> str:
        parts = [f"{len(self.done)} done"]
        if self.skipped:
            parts.append(f"{len(self.skipped)} skipped")
        if self.failed:
            parts.append(f"{len(self.failed)} failed")
        return f"{self.stage}: {', '.join(parts)}"

    def failure_lines(self, limit: int = 10) -> Iterable[str]:
        """One line a failed glyph, at most `limit`, then how many more there are."""
        return _lines(self.failed, limit)

    def skip_lines(self, limit: int = 10) -> Iterable[str]:
        """The same for glyphs that were skipped."""
        return _lines(self.skipped, limit)

    def to_json(self) -> dict[str, Any]:
        return {
            "stage": self.stage,
            "done": len(self.done),
            "skipped": {codepoint_name(c): why for c, why in self.skipped.items()},
            "failed": {codepoint_name(c): why for c, why in self.failed.items()},
            "figures": self.figures,
        }


def _lines(reasons: dict[int, str], limit: int) -> Iterable[str]:
    for codepoint, reason in list(reasons.items())[:limit]:
        yield f"{codepoint_name(codepoint)}: {reason}"
    if len(reasons) > limit:
        yield f"... and {len(reasons) - limit} more"
