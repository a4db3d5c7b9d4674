"""The search on a made-up objective: order, budget, halving, failures, and what happens after a kill."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from pydantic import ValidationError

from headscarp.errors import HeadscarpError
from headscarp.search.cells import Cell, cells
from headscarp.search.figure import write_figure
from headscarp.search.options import GridOptions
from headscarp.search.record import SearchRecord, TrialRow, rows_of, write_search
from headscarp.search.study import Outcome, enqueue, open_study, work

SMALL = GridOptions(method="grid", batch_sizes=(8, 16), learning_rates=(1e-3,), filters=(8, 16))
EPOCHS = 9


def f1_of(cell: Cell) -> float:
    """Known to the tests: more filters and smaller batches are better."""
    return round(cell.filters / 32 + 1 / cell.batch_size, 6)


def train(cell: Cell, on_epoch: Callable[[int, float], bool]) -> Outcome:
    for epoch in range(1, EPOCHS + 1):
        if on_epoch(epoch, f1_of(cell) * epoch / EPOCHS):
            return Outcome(f1_of(cell) * epoch / EPOCHS, epoch, False)
    return Outcome(f1_of(cell), EPOCHS, True)


def test_the_papers_grid_is_the_default() -> None:
    options = GridOptions(method="grid")
    found = cells(options)
    assert set(found) == {
        Cell(b, rate, f)
        for b, rate, f in itertools.product((8, 16, 32), (1e-3, 5e-4, 1e-4), (16, 32, 64, 128))
    }
    assert len(found) == 36


def test_a_random_subset_is_a_reproducible_part_of_the_grid() -> None:
    every = set(cells(GridOptions(method="grid")))
    first, again, other = (cells(GridOptions(trials=7, seed=seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert len(set(first)) == 7
    assert set(first) <= every


@pytest.mark.parametrize(
    "wrong", [{"filters": (12,)}, {"batch_sizes": ()}, {"learning_rates": (0.0,)}, {"batch_sizes": (0,)}]
)
def test_values_outside_their_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        GridOptions.model_validate(wrong)


def test_every_combination_is_trained_once_and_the_best_comes_first(tmp_path: Path) -> None:
    study = open_study(tmp_path, SMALL)
    assert enqueue(study, cells(SMALL)) == 4
    work(study, train)
    rows = rows_of(study, cells(SMALL))
    assert [row.state for row in rows] == ["trained"] * 4
    assert (rows[0].filters, rows[0].batch_size, rows[0].f1) == (16, 8, f1_of(Cell(8, 1e-3, 16)))
    assert [row.f1 for row in rows] == sorted((f1_of(c) for c in cells(SMALL)), reverse=True)
    assert all(row.epochs == EPOCHS for row in rows)
    assert enqueue(open_study(tmp_path, SMALL), cells(SMALL)) == 0  # nothing is done twice


def test_failures_are_recorded_and_not_tried_again(tmp_path: Path) -> None:
    def fails(cell: Cell, on_epoch: Callable[[int, float], bool]) -> Outcome:
        if cell.filters == 16:
            raise HeadscarpError("a loss", "NaN", "nothing is learned", "lower the rate")
        if cell.batch_size == 16:
            raise RuntimeError("out of memory\nmore")
        return train(cell, on_epoch)

    study = open_study(tmp_path, SMALL)
    enqueue(study, cells(SMALL))
    work(study, fails)
    rows = rows_of(study, cells(SMALL))
    assert [row.state for row in rows] == ["trained", "failed", "failed", "failed"]
    assert {row.error for row in rows[1:]} == {"a loss; given NaN", "out of memory"}
    assert enqueue(study, cells(SMALL)) == 0


def test_after_the_deadline_nothing_is_begun_and_all_goes_on_later(tmp_path: Path) -> None:
    study = open_study(tmp_path, SMALL)
    enqueue(study, cells(SMALL))
    work(study, train, deadline=time.time() - 1)
    assert {row.state for row in rows_of(study, cells(SMALL))} == {"waiting"}
    work(study, train)
    assert {row.state for row in rows_of(study, cells(SMALL))} == {"trained"}


def test_a_deadline_within_a_training_stops_it_and_it_is_taken_up_again(tmp_path: Path) -> None:
    over = [False]

    def slow(cell: Cell, on_epoch: Callable[[int, float], bool]) -> Outcome:
        time.sleep(0.3)
        over[0] = on_epoch(1, 0.1)
        return Outcome(0.1, 1, False)

    study = open_study(tmp_path, SMALL)
    enqueue(study, cells(SMALL))
    work(study, slow, deadline=time.time() + 0.2)
    assert over == [True]
    assert [row.state for row in rows_of(study, cells(SMALL))] == ["cut off", *["waiting"] * 3]
    assert enqueue(study, cells(SMALL)) == 4
    work(study, train)
    assert {row.state for row in rows_of(study, cells(SMALL))} == {"trained"}


def test_halving_stops_those_behind_and_never_the_best(tmp_path: Path) -> None:
    options = GridOptions(method="halving", learning_rates=(1e-3,), reduction=2, first_epochs=2, seed=3)
    study = open_study(tmp_path, options)
    enqueue(study, cells(options))
    work(study, train)
    rows = rows_of(study, cells(options))
    states = [row.state for row in rows]
    assert "stopped early" in states
    best = max(cells(options), key=f1_of)
    assert (rows[0].filters, rows[0].batch_size, rows[0].state) == (best.filters, best.batch_size, "trained")
    assert all((row.epochs or 0) < EPOCHS for row in rows if row.state == "stopped early")


def killed_while_training(folder: Path) -> None:
    def dies(cell: Cell, on_epoch: Callable[[int, float], bool]) -> Outcome:
        on_epoch(1, 0.5)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    work(open_study(folder, SMALL), dies)


def test_a_killed_combination_is_taken_up_again(tmp_path: Path) -> None:
    study = open_study(tmp_path, SMALL)
    enqueue(study, cells(SMALL))
    process = multiprocessing.get_context("spawn").Process(target=killed_while_training, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    again = open_study(tmp_path, SMALL)
    assert rows_of(again, cells(SMALL))[0].state == "cut off"
    assert enqueue(again, cells(SMALL)) == 4
    work(again, train)
    assert [row.state for row in rows_of(again, cells(SMALL))] == ["trained"] * 4


def red_pixels(path: Path) -> int:
    """Pixels in the colour of the best."""
    red, green, blue = np.moveaxis(imread(path)[..., :3], -1, 0)
    return int(((red > 0.6) & (green < 0.3) & (blue < 0.3)).sum())


def test_table_and_picture_are_written(tmp_path: Path) -> None:
    rows = (
        TrialRow(batch_size=8, learning_rate=1e-3, filters=16, state="trained", f1=0.6, epochs=3, folder="a"),
        TrialRow(batch_size=8, learning_rate=1e-3, filters=32, state="failed", error="no room", folder="b"),
    )
    record = SearchRecord(
        headscarp="0", commit=None, network="unet", features="group1", estimate_hours=1.0, rows=rows
    )
    write_search(tmp_path, record)
    write_figure(tmp_path / "search.png", rows)
    write_figure(tmp_path / "none.png", rows[1:])
    assert SearchRecord.model_validate_json((tmp_path / "search.json").read_text()) == record
    assert record.best == rows[0]
    lines = (tmp_path / "search.csv").read_text().splitlines()
    assert len(lines) == 3
    assert lines[2].endswith("no room,b")
    assert [red_pixels(tmp_path / name) > 0 for name in ("search.png", "none.png")] == [True, False]
