"""What a process cost, by the operating system's account."""

from __future__ import annotations

import os
import subprocess
import time
from typing import NamedTuple

MEGABYTE = 1e6


class Cost(NamedTuple):
    """Wall-clock seconds, and peak resident memory in MB of 10⁶ bytes."""

    seconds: float
    peak_memory_mb: float


def cost_of(command: list[str]) -> Cost:
    """Run a command in a process of its own.

    Raises
    ------
    RuntimeError
        If it fails.
    """
    start = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status != 0:
        raise RuntimeError(f"{' '.join(command)} ended with status {status}")
    # Linux counts ru_maxrss in KiB
    return Cost(round(seconds, 1), round(usage.ru_maxrss * 1024 / MEGABYTE, 1))
