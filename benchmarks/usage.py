"""What a piece of work takes, with all the processes that it starts: wall and processor time, memory (Linux)."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

_EVERY_S = 0.05


@dataclass
class Usage:
    """`with Usage() as usage: ...`; the figures stand afterwards."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    """Of all processes together."""
    peak_mib: float = 0.0
    """Largest sum of the memory that belongs to the processes (proportional set size), twenty times a second."""

    def __enter__(self) -> Usage:
        self._done = threading.Event()
        self._cpu: dict[int, float] = {}
        self._before = _times(os.getpid())
        self._begun = time.perf_counter()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wall_s = time.perf_counter() - self._begun
        self._done.set()
        self._watcher.join()
        self.cpu_s = _times(os.getpid()) - self._before + sum(self._cpu.values())

    def _watch(self) -> None:
        earlier = {pid: _times(pid) for pid in _descendants(os.getpid())}
        while True:
            last = self._done.is_set()
            family = _descendants(os.getpid())
            self.peak_mib = max(self.peak_mib, sum(map(_memory_mib, [os.getpid(), *family])))
            for pid in family:
                self._cpu[pid] = max(self._cpu.get(pid, 0.0), _times(pid) - earlier.get(pid, 0.0))
            if last:
                return
            self._done.wait(_EVERY_S)


def _descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, waiting = [], [pid]
    while waiting:
        mine = children.get(waiting.pop(), [])
        found += mine
        waiting += mine
    return found


def _stat(pid: int) -> list[str]:
    """State, parent, ... as in proc(5), from the third field on; empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _times(pid: int) -> float:
    """Seconds of processor time of a process by itself; children are watched by themselves."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def _memory_mib(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
