"""Stages: work in order on several cores, a bounded look-ahead, and what each stage cost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import psutil
import pytest

from headscarp.pipeline import stages as module
from headscarp.pipeline.stages import MEGABYTE, Stages

WORKERS = 4


@pytest.fixture(autouse=True)
def cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.os, "cpu_count", lambda: WORKERS)


class Started:
    """A function that remembers, across threads, how often it was begun."""

    def __init__(self) -> None:
        self.items: list[int] = []
        self.lock = threading.Lock()

    def __call__(self, item: int) -> int:
        with self.lock:
            self.items.append(item)
        return item


def test_results_keep_the_order_of_the_work() -> None:
    """The first items take longest."""

    def slow_first(item: int) -> int:
        time.sleep(0.02 if item < WORKERS else 0)
        return item * item

    assert list(Stages().map("squares", slow_first, range(40))) == [i * i for i in range(40)]


def test_any_iterable_is_work_and_none_is_too() -> None:
    def numbers() -> Iterator[int]:
        yield from range(5)

    assert list(Stages().map("numbers", lambda n: n + 1, numbers())) == [1, 2, 3, 4, 5]
    assert list(Stages().map("nothing", lambda n: n, [])) == []


def test_work_runs_on_several_cores() -> None:
    """Each waits for the others: on one core this would never end."""
    together = threading.Barrier(WORKERS, timeout=20)
    assert len(list(Stages().map("meet", lambda _: together.wait(), range(WORKERS)))) == WORKERS


def test_look_ahead_is_bounded_whatever_the_work() -> None:
    """However slowly results are taken, only a few wait: memory does not grow with the map."""
    started, taken = Started(), 0
    for _ in Stages().map("walk", started, range(200)):
        taken += 1
        if taken % 50 == 0:
            time.sleep(0.05)  # the workers would run away now
        assert len(started.items) <= taken + WORKERS * 2
    assert (taken, sorted(started.items)) == (200, list(range(200)))


def test_an_exception_reaches_the_caller_and_ends_the_work() -> None:
    started = Started()

    def fail_at_ten(item: int) -> int:
        if item == 10:
            raise ZeroDivisionError(item)
        return started(item)

    results = []
    with pytest.raises(ZeroDivisionError, match="10"):
        for result in Stages().map("fail", fail_at_ten, range(1000)):
            results.append(result)  # noqa: PERF402
    assert results == list(range(10))
    assert len(started.items) <= 10 + WORKERS * 2


def test_a_caller_that_stops_early_ends_the_work() -> None:
    """What waits is dropped: only what already runs, one item a core, is finished."""
    started, release = Started(), threading.Event()

    def stuck_after_the_first(item: int) -> int:
        started(item)
        assert item == 0 or release.wait(20)
        return item

    results = Stages().map("stop", stuck_after_the_first, range(1000))
    assert next(results) == 0
    timer = threading.Timer(0.1, release.set)
    timer.start()
    results.close()  # type: ignore[attr-defined]
    timer.join()
    assert len(started.items) <= 1 + WORKERS


def test_progress_is_told_from_none_to_all() -> None:
    told: list[tuple[str, int, int]] = []
    stages = Stages(lambda stage, done, total: told.append((stage, done, total)))
    list(stages.map("read", lambda n: n, range(3)))
    list(stages.map("empty", lambda n: n, []))
    assert told == [("read", n, 3) for n in range(4)] + [("empty", 0, 0)]


def test_a_stage_records_its_seconds_and_its_peak_memory() -> None:
    stages = Stages()
    with stages.stage("small"):
        time.sleep(0.12)
    with stages.stage("large"):
        block = np.ones(25_000_000)  # 200 MB, given back before the stage ends
        held = psutil.Process().memory_info().rss / MEGABYTE
        time.sleep(0.2)
        del block
    small, large = stages.records
    assert (small.name, large.name) == ("small", "large")
    assert small.seconds >= 0.12
    assert large.seconds >= 0.2
    # the system may take pages of earlier tests meanwhile, but no half of the block
    assert large.peak_memory_mb >= held - 100


def test_even_an_instant_stage_has_a_peak() -> None:
    stages = Stages()
    with stages.stage("instant"):
        pass
    assert stages.records[0].peak_memory_mb > 10
    assert stages.records[0].seconds >= 0


def test_a_stage_that_fails_is_not_recorded_and_its_watcher_ends() -> None:
    stages, before = Stages(), threading.active_count()
    with pytest.raises(RuntimeError, match="broken"), stages.stage("broken"):
        raise RuntimeError("broken")
    assert stages.records == []
    assert threading.active_count() == before
