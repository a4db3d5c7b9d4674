"""What cells of a study share: things made once by whoever needs them first, and the time that is left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

SHORTEST_MIN = 0.01
"""A training that is begun after the deadline does one epoch and stops."""
MINUTE_S = 60.0


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Wait until no other process makes the same thing, and keep others waiting meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        yield


def minutes_until(deadline: float | None) -> float | None:
    """Minutes until a moment of :func:`time.time`, a little at least; none without one."""
    return None if deadline is None else max((deadline - time.time()) / MINUTE_S, SHORTEST_MIN)
