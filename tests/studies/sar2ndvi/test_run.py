"""The study on a small twin, from simulated scenes to its tables."""

from __future__ import annotations

from pathlib import Path

import pytest
import rasterio

from headscarp.config import load
from headscarp.studies.presets import study_file
from headscarp.studies.sar2ndvi.options import Sar2NdviOptions
from headscarp.studies.sar2ndvi.run import run_sar2ndvi


@pytest.mark.slow
def test_a_twin_is_simulated_learned_and_judged(tmp_path: Path) -> None:
    options = load(
        Sar2NdviOptions,
        study_file("sar2ndvi", None, "small"),
        {
            "event.simulate": {"seed": 41, "size_px": 512, "pre": 3, "post": 2},
            "event.training": [580000, 4724880, 583840, 4730000],
            "event.validation": [583840, 4727440, 585120, 4730000],
            "windows": [11],
            "variants": [],
            "seeds": [0],
            "baselines": ["mean", "linear"],
            "network.filters": 8,
            "train.epochs": 2,
            "train.batch_size": 4,
            "split.block_m": 1280,
        },
    )
    record = run_sar2ndvi(options, tmp_path)
    assert record.states == {"done": 3}
    table = (tmp_path / "tables" / "comparison.csv").read_text(encoding="utf-8").splitlines()
    rmse = {line.split(",")[0]: float(line.split(",")[1]) for line in table[1:]}
    assert rmse["linear"] < rmse["mean"] < 0.5
    assert 0 < rmse["window 11"] < 2
    with rasterio.open(tmp_path / "cells" / "linear" / "ndvi.tif") as raster:
        assert raster.shape == (256, 128)
        assert raster.descriptions == ("ndvi", "error")
    text = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "**Simulated** ground" in text
    assert "land cover: forest" in text
    assert (tmp_path / "figures" / "figure_2_window_11.png").is_file()
    assert run_sar2ndvi(options, tmp_path).minutes == record.minutes  # nothing was done again
