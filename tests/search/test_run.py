"""The search over real trainings: from a store of chips to a table, a picture and checkpoints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from headscarp.checkpoint import read_card
from headscarp.config import SearchOptions
from headscarp.errors import OptionsError, OutputError
from headscarp.pipeline.search import run_search
from headscarp.search.record import SearchRecord
from headscarp.split import write_split
from tests.train.stores import make_split, make_store


@pytest.fixture
def options(tmp_path: Path) -> SearchOptions:
    torch.set_num_threads(1)
    store = make_store(tmp_path / "chips.zarr")
    write_split(tmp_path / "split.json", make_split(store))
    return SearchOptions.model_validate(
        {
            "store": store.path,
            "split": {"file": tmp_path / "split.json"},
            "network": {"network": "unet"},
            "train": {"epochs": 2, "accelerator": "cpu", "patience": 5},
            "search": {"method": "grid", "batch_sizes": [4, 8], "learning_rates": [0.005], "filters": [8]},
        }
    )


def test_a_search_trains_every_combination_and_goes_on_where_it_stopped(
    options: SearchOptions, tmp_path: Path
) -> None:
    out = tmp_path / "search"
    told: list[tuple[float, int]] = []
    over = options.model_copy(update={"search": options.search.model_copy(update={"max_hours": 1e-9})})
    stopped = run_search(over, out, estimated=lambda hours, waiting: told.append((hours, waiting)))
    assert {row.state for row in stopped.rows} == {"waiting"}
    assert stopped.best is None
    assert [waiting for _, waiting in told] == [2]
    assert told[0][0] > 0

    record = run_search(options, out)
    assert [row.state for row in record.rows] == ["trained", "trained"]
    best = record.best
    assert best is not None
    assert best.f1 == max(row.f1 or 0 for row in record.rows)
    card = read_card(out / best.folder / "best.safetensors")
    assert card.training.options["train"]["batch_size"] == best.batch_size
    assert SearchRecord.model_validate_json((out / "search.json").read_text()) == record
    assert len((out / "search.csv").read_text().splitlines()) == 3
    assert (out / "search.png").stat().st_size > 0

    before = {row.folder: (out / row.folder / "best.safetensors").stat().st_mtime_ns for row in record.rows}
    assert run_search(options, out).rows == record.rows
    after = {row.folder: (out / row.folder / "best.safetensors").stat().st_mtime_ns for row in record.rows}
    assert after == before  # nothing was trained again


def test_the_search_of_other_options_is_refused_by_name(options: SearchOptions, tmp_path: Path) -> None:
    out = tmp_path / "search"
    over = options.model_copy(update={"search": options.search.model_copy(update={"max_hours": 1e-9})})
    run_search(over, out)
    kept = json.loads((out / "key.json").read_text())
    other = over.model_copy(update={"train": over.train.model_copy(update={"loss": "bce"})})
    with pytest.raises(OutputError, match="train"):
        run_search(other, out)
    assert json.loads((out / "key.json").read_text()) == kept


def test_a_network_of_values_is_refused_before_anything_is_written(
    options: SearchOptions, tmp_path: Path
) -> None:
    values = options.network.model_copy(update={"head": "regression"})
    with pytest.raises(OptionsError, match="compares combinations by F1"):
        run_search(options.model_copy(update={"network": values}), tmp_path / "search")
    assert not (tmp_path / "search").exists()


@pytest.mark.slow
def test_two_processes_share_the_combinations(options: SearchOptions, tmp_path: Path) -> None:
    two = options.model_copy(update={"search": options.search.model_copy(update={"workers": 2})})
    done: list[tuple[int, int]] = []
    record = run_search(two, tmp_path / "search", lambda stage, now, total: done.append((now, total)))
    assert [row.state for row in record.rows] == ["trained", "trained"]
    assert done[0] == (0, 2)
    assert done[-1] == (2, 2)
