"""Tables and sentences of the study, from made cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from headscarp.studies.cells import CellRecord
from headscarp.studies.sar2ndvi.options import Sar2NdviOptions
from headscarp.studies.sar2ndvi.tables import (
    comparison_table,
    read_published,
    strata_table,
    table_1,
    verdicts,
)

OPTIONS = Sar2NdviOptions(windows=(11, 13), variants=(), baselines=("linear",), seeds=(0, 1, 2))


def record(row: str, seed: int, rmse: float, kind: str = "network") -> CellRecord:
    figures: dict[str, Any] = {
        "rmse": rmse,
        "mae": rmse / 2,
        "ssim": 1 - rmse,
        "psnr_db": 30.0,
        "r2": 0.5,
        "bias": 0.001,
        "intervals": {"rmse": [rmse - 0.01, rmse + 0.01]},
        "chips": 9,
        "strata": {"slope": {"0-5°": {"pixels": 1200, "rmse": rmse, "mae": None, "bias": -0.01}}},
    }
    figures |= {"training": {"seconds": 10.0}} if kind == "network" else {"training_s": 2.0}
    values: dict[str, str | int] = {"row": row, "kind": kind, "seed": seed}
    return CellRecord(name=f"{row}-seed{seed}", values=values, state="done", figures=figures)


def window_records(apart: float) -> list[CellRecord]:
    noise = (-0.001, 0.0, 0.001)
    return [
        record(name, seed, 0.06 + offset + noise[seed])
        for name, offset in (("11", 0.0), ("13", apart))
        for seed in range(3)
    ]


def test_table_1_has_the_published_row_beside_ours_and_the_means() -> None:
    table = table_1(OPTIONS, window_records(0.02))
    assert table.rows[0][:2] == ("11", "0.0600 ± 0.0010")
    assert table.rows[0][5] == "[0.0490, 0.0690]"
    assert table.rows[0][6:] == ("0.0609", "0.0431", "0.8224", "30.34")
    assert table.rows[-1][0] == "mean"
    assert table.rows[-1][1] == "0.0700"
    assert table.rows[-1][6:] == ("0.0615", "0.0422", "0.8263", "30.25")


def test_a_window_that_is_not_done_leaves_the_mean_open() -> None:
    table = table_1(OPTIONS, window_records(0.02)[:3])
    assert table.rows[1][1:6] == ("—", "—", "—", "—", "—")
    assert table.rows[-1][1] == "—"


@pytest.mark.parametrize(("apart", "said"), [(0.02, "differ by more"), (0.0001, "do not differ by more")])
def test_whether_windows_differ_is_said(apart: float, said: str) -> None:
    told = verdicts(OPTIONS, window_records(apart))
    assert said in told[0]
    assert "Best: window 11, 0.0600" in told[0]
    assert "Best: window 11, 0.9400" in told[1]
    assert f"span {apart:.4f}" in told[0]
    assert "scatter by 0.0010" in told[0]


def test_one_seed_cannot_tell() -> None:
    assert "cannot be told" in verdicts(OPTIONS, [record("11", 0, 0.06), record("13", 0, 0.07)])[0]


def test_what_the_paper_states_is_recomputed() -> None:
    told = " ".join(verdicts(OPTIONS, []))
    assert "RMSE 0.0615 (its text: 0.0615)" in told
    assert "MAE 0.0422 (its text: 0.0423)" in told
    published = read_published()
    apart = [abs(20 * np.log10(2 / row["rmse"]) - row["psnr_db"]) for row in published.rows.values()]
    assert ("follows from its RMSE" in told) == (max(apart) <= 0.02)


def test_baselines_stand_beside_networks() -> None:
    records = [*window_records(0.02), record("linear", 0, 0.09, "baseline")]
    table = comparison_table(OPTIONS, records)
    assert [row[0] for row in table.rows] == ["linear", "window 11", "window 13"]
    assert table.rows[0][1] == "0.0900"
    assert table.rows[1][-3:] == ("3", "9", "10 ± 0")


def test_errors_by_kind_of_ground_are_over_every_network_of_the_windows() -> None:
    """Baselines and variants are left out; an error that one run lacks has no mean."""
    records = [*window_records(0.02), record("linear", 0, 0.5, "baseline")]
    table = strata_table(OPTIONS, records)
    (row,) = table.rows
    assert row[:3] == ("slope: 0-5°", "1,200", "6")
    mean = np.mean([0.059, 0.06, 0.061, 0.079, 0.08, 0.081])
    assert row[3].startswith(f"{mean:.4f} ± ")
    assert row[4:] == ("0.0590", "0.0810", "—", "-0.0100 ± 0.0000")
    assert strata_table(OPTIONS, records[-1:]).rows == ()
