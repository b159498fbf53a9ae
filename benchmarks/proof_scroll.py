"""How smoothly the proof page scrolls: `python -m benchmarks.proof_scroll`, or `make bench-proof`.

The page of a font with all its ideographs generated is scrolled in Chromium without a head: steadily, as a wheel
does, and by leaps, as somebody does who drags the bar. What counts is the time between animation frames, and, where
other work disturbs the clock, the processor time of the page's thread a frame.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, Page, sync_playwright

from fontgen.charset import named_set
from fontgen.files import write_json
from fontgen.fonts.face import FontRef, open_face
from fontgen.proof.page import ProofGlyph, write_proof

ROOT = Path(__file__).parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
LONG_MS = 50.0
"""A frame that takes longer is felt as a jolt (the browser's own bound for a long task)."""
OPEN_MS = 180_000

_SCROLL = """async ([frames, kind]) => {
    const grid = document.getElementById("grid"), took = [];
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    const bottom = grid.scrollHeight - grid.clientHeight;
    let most = 0, before = await frame();
    for (let number = 1; number <= frames; number++) {
        if (kind === "steady") grid.scrollTop = (grid.scrollTop + 60) % bottom;
        else grid.scrollTop = (number * 0.6180339887 % 1) * bottom;
        const now = await frame();
        took.push(now - before);
        before = now;
        most = Math.max(most, grid.querySelectorAll(".cell").length);
    }
    return { took, most };
}"""
"""60 px a frame are 3,600 px/s at 60 frames/s: a fast wheel. The golden section leaps everywhere once."""


def browser_path() -> str:
    """Chromium or Chrome. Raises FileNotFoundError when there is none."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        raise FileNotFoundError(f"none of {', '.join(BROWSERS)} is installed; `make setup` installs Chromium")
    return found


def processor_s(session: CDPSession) -> float:
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))


def scroll(page: Page, session: CDPSession, kind: str, frames: int) -> dict[str, Any]:
    before = processor_s(session)
    result = page.evaluate(_SCROLL, [frames, kind])
    took = sorted(result["took"])
    return {
        "frames": frames,
        "median_ms": round(statistics.median(took), 1),
        "p95_ms": round(took[int(0.95 * len(took))], 1),
        "longest_ms": round(took[-1], 1),
        "long_frames": sum(ms > LONG_MS for ms in took),
        "processor_ms": round(1000 * (processor_s(session) - before) / frames, 1),
        "cells": result["most"],
    }


def measure(proof: Path, frames: int) -> dict[str, Any]:
    """Figures of opening and scrolling one proof page."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path(), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1300, "height": 900})
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        begun = time.perf_counter()
        page.goto(proof.as_uri(), timeout=OPEN_MS)
        page.evaluate("document.fonts.ready.then(() => new Promise(requestAnimationFrame))")
        figures: dict[str, Any] = {"open_s": round(time.perf_counter() - begun, 2)}
        figures |= {kind: scroll(page, session, kind, frames) for kind in ("steady", "leaps")}
        browser.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--font", type=Path, default=ROOT / "fonts" / "noto-sans-tc-bold.ttf")
    parser.add_argument("--proof", type=Path, help="scroll this page instead of making one of the font")
    parser.add_argument("--frames", type=int, default=600)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fontgen-bench-") as scratch:
        proof = arguments.proof or Path(scratch) / "proof.html"
        figures: dict[str, Any] = {}
        if arguments.proof is None:
            ideographs = set(named_set("cjk-unified")) & open_face(FontRef.of(arguments.font)).cmap.keys()
            made = [ProofGlyph(c, (c * 0.6180339887) % 1.0) for c in sorted(ideographs)]
            begun = time.process_time()
            write_proof(arguments.font, proof, generated=made)
            figures = {"glyphs": len(made), "made_processor_s": round(time.process_time() - begun, 1)}
        figures |= {"page_mb": round(proof.stat().st_size / 1e6, 1), **measure(proof, arguments.frames)}
    for key, value in figures.items():
        print(f"{key:<18} {value}")
    if arguments.json:
        write_json(arguments.json, figures)


if __name__ == "__main__":
    main()
