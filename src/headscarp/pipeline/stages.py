"""What a stage costs, and how far it is: seconds, peak memory, progress."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

import psutil
from rasterio.errors import NotGeoreferencedWarning

from headscarp.record import StageRecord

T = TypeVar("T")
R = TypeVar("R")

MEGABYTE = 1e6
_SAMPLE_S = 0.05
_QUEUE_PER_WORKER = 2


class Progress(Protocol):
    """Told how far a stage is."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Take note that ``done`` of ``total`` steps of a stage are done."""
        ...


def silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


class Stages:
    """Times stages and watches the memory of the process while they run."""

    def __init__(self, progress: Progress = silent) -> None:
        self.progress = progress
        self.records: list[StageRecord] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage and record its peak resident memory, in MB of 10⁶ bytes."""
        peak, stop = [0], threading.Event()
        watcher = threading.Thread(target=_watch, args=(peak, stop), daemon=True)
        start = time.perf_counter()
        watcher.start()
        try:
            yield
        finally:
            stop.set()
            watcher.join()
        seconds = time.perf_counter() - start
        self.records.append(
            StageRecord(name=name, seconds=round(seconds, 3), peak_memory_mb=round(peak[0] / MEGABYTE, 1))
        )

    def map(self, name: str, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """Apply a function to items on all cores, in order, a few at a time, with progress."""
        work = list(items)
        workers = min(os.cpu_count() or 1, 8)
        self.progress(name, 0, len(work))
        # rasterio silences this one around its in-memory rasters with catch_warnings, which threads undo
        with warnings.catch_warnings(), ThreadPoolExecutor(workers) as pool:
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            for done, result in enumerate(_in_order(pool, function, work, workers), start=1):
                yield result
                self.progress(name, done, len(work))


def _in_order(
    pool: ThreadPoolExecutor, function: Callable[[T], R], work: list[T], workers: int
) -> Iterator[R]:
    """Results in order, never more than a few waiting, so that memory does not grow with the work."""
    waiting: deque[Future[R]] = deque()
    try:
        for item in work:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= workers * _QUEUE_PER_WORKER:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _watch(peak: list[int], stop: threading.Event) -> None:
    process = psutil.Process()
    while True:
        peak[0] = max(peak[0], process.memory_info().rss)
        if stop.wait(_SAMPLE_S):
            return
