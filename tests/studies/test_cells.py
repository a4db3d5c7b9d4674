"""Cells are done once, in order, by whoever comes first; what ends badly is told and tried again."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from headscarp.errors import OptionsError
from headscarp.studies.cells import (
    CELL_JSON,
    LOCK,
    Cell,
    CellRecord,
    SkippedError,
    UnfinishedError,
    counts,
    read_cells,
    run_cells,
    select,
)

CELLS = [Cell(f"cell{k}", {"row": f"Group {k}", "seed": k}) for k in range(4)]
MADE_BY = ("1.2.3", "abc")


class Worker:
    """Notes what it was asked to do, and ends as it is told."""

    def __init__(self, **endings: Exception) -> None:
        self.endings, self.asked = endings, []  # type: ignore[var-annotated]

    def __call__(self, cell: Cell, folder: Path, deadline: float | None) -> dict[str, Any]:
        assert folder.is_dir()
        self.asked.append(cell.name)
        if cell.name in self.endings:
            raise self.endings[cell.name]
        return {"f1": 0.5, "seed": cell.values["seed"]}


def run(root: Path, work: Worker, **more: Any) -> list[CellRecord]:
    return run_cells(CELLS, root, work, made_by=MADE_BY, **more)


def test_every_cell_is_done_once_and_in_order(tmp_path: Path) -> None:
    work = Worker()
    records = run(tmp_path, work)
    assert work.asked == [cell.name for cell in CELLS]
    assert [record.figures for record in records] == [{"f1": 0.5, "seed": k} for k in range(4)]
    assert {(record.state, record.headscarp, record.commit) for record in records} == {("done", *MADE_BY)}
    again = Worker()
    assert run(tmp_path, again) == records
    assert again.asked == []


def test_what_ended_badly_is_told_and_tried_again(tmp_path: Path) -> None:
    four = ("a", "only ascending", "it cannot be formed", "add scenes")
    endings: dict[str, Exception] = {
        "cell0": SkippedError(*four),
        "cell1": OptionsError(*four),
        "cell2": UnfinishedError(),
        "cell3": RuntimeError("out of memory"),
    }
    records = run(tmp_path, Worker(**endings))
    assert [record.state for record in records] == ["skipped", "failed", "stopped", "failed"]
    assert records[0].reason == "only ascending; it cannot be formed"
    assert records[1].reason == "only ascending; it cannot be formed: add scenes"
    assert records[3].reason == "RuntimeError: out of memory"
    assert counts(records) == {"skipped": 1, "failed": 2, "stopped": 1}
    again = Worker()
    assert {record.state for record in run(tmp_path, again)} == {"done"}
    assert again.asked == [cell.name for cell in CELLS]


def test_what_is_killed_leaves_no_record(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, Worker(cell1=KeyboardInterrupt()))  # type: ignore[arg-type]
    assert [record.state for record in read_cells(CELLS, tmp_path)] == [
        "done",
        "waiting",
        "waiting",
        "waiting",
    ]
    again = Worker()
    run(tmp_path, again)
    assert again.asked == ["cell1", "cell2", "cell3"]


def test_a_cell_that_another_holds_is_left_to_it(tmp_path: Path) -> None:
    (tmp_path / "cell1").mkdir()
    work = Worker()
    with FileLock(tmp_path / "cell1" / LOCK):
        records = run(tmp_path, work)
    assert work.asked == ["cell0", "cell2", "cell3"]
    assert records[1].state == "waiting"


def test_a_cell_done_while_it_was_waited_for_is_not_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process ends between the look at the record and the lock."""

    @contextmanager
    def late(folder: Path) -> Iterator[bool]:
        folder.mkdir(parents=True, exist_ok=True)
        record = CellRecord(name=folder.name, values={}, state="done", figures={"by": "the other"})
        (folder / CELL_JSON).write_text(record.model_dump_json(), encoding="utf-8")
        yield True

    monkeypatch.setattr("headscarp.studies.cells._held", late)
    work = Worker()
    assert {record.figures["by"] for record in run(tmp_path, work)} == {"the other"}
    assert work.asked == []


def test_no_cell_is_begun_after_the_deadline(tmp_path: Path) -> None:
    work = Worker()
    deadline = time.time() + 0.3

    def slow(cell: Cell, folder: Path, given: float | None) -> dict[str, Any]:
        assert given == deadline
        time.sleep(0.2)
        return work(cell, folder, given)

    records = run_cells(CELLS, tmp_path, slow, made_by=MADE_BY, deadline=deadline)
    assert len(work.asked) in (1, 2)
    assert [record.state for record in records[2:]] == ["waiting", "waiting"]


def test_a_broken_record_is_told(tmp_path: Path) -> None:
    run(tmp_path, Worker())
    (tmp_path / "cell2" / CELL_JSON).write_text("{", encoding="utf-8")
    with pytest.raises(OptionsError, match="cell2"):
        read_cells(CELLS, tmp_path)


@pytest.mark.parametrize(
    ("only", "expected"),
    [((), [0, 1, 2, 3]), (("cell2",), [2]), (("2", "0"), [0, 2]), (("cell",), [0, 1, 2, 3])],
)
def test_cells_are_chosen_by_parts_of_their_names(only: tuple[str, ...], expected: list[int]) -> None:
    assert select(CELLS, only) == [CELLS[k] for k in expected]


def test_a_whole_name_is_not_a_part_of_another() -> None:
    cells = [Cell(name, {}) for name in ("a-seed1", "a-seed10", "b-seed1")]
    assert select(cells, ["a-seed1"]) == [cells[0]]
    assert select(cells, ["seed1"]) == cells
    assert select(cells, ["a-seed1", "b"]) == [cells[0], cells[2]]


def test_a_name_of_no_cell_is_refused() -> None:
    with pytest.raises(OptionsError, match="'cell9'"):
        select(CELLS, ["cell1", "cell9"])


SHARD = """
import sys, time
from pathlib import Path
from headscarp.studies.cells import Cell, run_cells
def work(cell, folder, deadline):
    with (folder / "done_by").open("a") as file:
        file.write(sys.argv[2])
    time.sleep(0.05)
    return {}
cells = [Cell(f"c{k}", {}) for k in range(24)]
run_cells(cells, Path(sys.argv[1]), work, made_by=("0", None))
"""


def test_two_processes_share_a_folder(tmp_path: Path) -> None:
    start: Callable[[str], Any] = lambda name: subprocess.Popen(  # noqa: E731
        [sys.executable, "-c", SHARD, str(tmp_path), name]
    )
    processes = [start("a"), start("b")]
    assert [process.wait() for process in processes] == [0, 0]
    done_by = [(tmp_path / f"c{k}" / "done_by").read_text() for k in range(24)]
    assert all(len(names) == 1 for names in done_by)  # none was done twice
    assert set(done_by) == {"a", "b"} or len(set(done_by)) == 1  # one may be late
