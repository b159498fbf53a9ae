"""FontBakery's universal profile, where it is installed: a second opinion, in findings of our own."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fontgen.errors import FontError
from fontgen.fonts.check_subject import Finding, Level, passed

_LEVELS: dict[str, Level] = {"FATAL": "fail", "FAIL": "warn", "ERROR": "warn", "WARN": "warn"}
"""FontBakery's statuses that are findings. Its FAIL is a warning here, with the word before the message: some of its
rules are not those of CJK fonts (it wants hhea to equal the typo metrics). ERROR is a check that broke down.
"""

_ASKS_THE_NETWORK = "fontdata_namecheck"

_LONGEST = 160


def find_bakery() -> Path:
    """The program `fontbakery`, beside this Python or on the path. Raises FontError when it is not installed."""
    beside = shutil.which("fontbakery", path=str(Path(sys.executable).parent))
    found = beside or shutil.which("fontbakery")
    if found is None:
        raise FontError('fontbakery is not installed; pip install "fontgen[fontbakery]", or leave --fontbakery out')
    return Path(found)


def check_bakery(font: Path) -> list[Finding]:
    """Run `fontbakery check-universal` and state what it warns of or fails, a finding a check.

    Raises FontError when it is not installed or ends without a report.
    """
    program = find_bakery()
    with tempfile.TemporaryDirectory(prefix="fontgen-bakery-") as folder:
        report = Path(folder) / "report.json"
        arguments = ["check-universal", "--no-colors", "--quiet", "--loglevel", "WARN"]
        arguments += ["--exclude-checkid", _ASKS_THE_NETWORK, "--json", str(report)]
        done = subprocess.run([str(program), *arguments, str(font)], capture_output=True, check=False)
        try:
            data = json.loads(report.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it wrote no report"]
            raise FontError(f"{font}: fontbakery ended without a report ({said[-1]}); run it by itself") from error
    found = list(_findings(data))
    counts = data.get("result", {})
    return found or [passed("fontbakery", f"the universal profile passes ({counts.get('PASS', 0)} checks)")]


def _findings(data: dict[str, Any]) -> Iterator[Finding]:
    for section in data.get("sections", []):
        for check in section.get("checks", []):
            status = check.get("result", "")
            if status not in _LEVELS:
                continue
            name = re.sub(r"^<\w+:|>$", "", str(check["key"][1]))  # "<FontBakeryCheck:family/win_ascent_and_descent>"
            logs = [log for log in check.get("logs", []) if log.get("status") == status]
            text = _plain(logs[0].get("message", "")) if logs else str(check.get("description", ""))
            yield Finding(f"fontbakery {name}", _LEVELS[status], f"{status}: {text}")


def _plain(message: Any) -> str:
    """One line of a message, which is Markdown and may be wrapped in an object."""
    text = message.get("message", "") if isinstance(message, dict) else str(message)
    line = re.sub(r"[*`]|\s+", lambda match: " " if match[0].isspace() else "", text).strip()
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} …"
