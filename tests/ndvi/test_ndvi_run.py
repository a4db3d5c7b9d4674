"""``headscarp ndvi``: rasters that are the network's values, whatever the tiling; and every refusal."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
import yaml

from headscarp.checkpoint import Residual
from headscarp.cli import main
from headscarp.config import NdviOptions, default_yaml, load
from headscarp.features.sets import FEATURE_SETS, FeatureSet, feature_set, form_inputs, normalise
from headscarp.grid import Tile
from headscarp.pipeline.map.observe import observe, read_land
from headscarp.pipeline.map.plan import make_plan
from headscarp.pipeline.ndvi import run as ndvi_run
from headscarp.pipeline.ndvi.record import NdviRecord
from headscarp.pipeline.ndvi.run import run_ndvi
from headscarp.predict.values import ValuePredictor
from tests.pipeline.conftest import EVENT_DATE, SIZE_PX, TIMES, scene_bands, scene_path
from tests.pipeline.test_chips import LEFT, SPACING, TOP
from tests.predict.made import load as load_checkpoint
from tests.predict.made import make_checkpoint

WriteScene = Callable[..., Path]
RESIDUAL = Residual(std=0.2, edges=(-1, 0, 1), stds=(0.1, 0.3))
VALUES: dict[str, Any] = {"options": {"head": "regression"}, "calibration": None, "residual": RESIDUAL}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def event(tmp_path: Path, write_scene: WriteScene) -> dict[str, Any]:
    """A small event of two orbits, and a hole that nobody saw."""
    for seed, orbit in enumerate(TIMES):
        for step in range(-2, 2):
            bands = scene_bands(seed, step)
            for values in bands.values():
                values[70:90, 20:50] = np.nan
            write_scene(scene_path(tmp_path / "scenes", orbit, step), bands)
    height = np.tile(0.5 * np.arange(SIZE_PX + 20) * SPACING, (SIZE_PX + 20, 1)).astype(np.float32)
    edge = 10 * SPACING
    dem = write_scene(tmp_path / "dem.tif", {"height": height}, left=LEFT - edge, top=TOP + edge)
    return {"scenes": [tmp_path / "scenes"], "event": {"date": EVENT_DATE}, "terrain": {"dem": dem}}


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return make_checkpoint(tmp_path, "unet", feature_set("ndvi9_5"), **VALUES)


def options(event: dict[str, Any], checkpoint: Path, **more: Any) -> NdviOptions:
    return NdviOptions.model_validate(event | {"ndvi": {"checkpoint": checkpoint} | more})


def expected(event: dict[str, Any], folder: Path, moment: Any) -> np.ndarray:
    """The network as it was trained, on the whole grid in one go, nothing observed around it."""
    predictor = ValuePredictor(load_checkpoint(folder, "unet", feature_set("ndvi9_5"), **VALUES))
    plan = make_plan(NdviOptions.model_validate(event).map_options())
    features = predictor.features(moment)
    halo = 128
    looked = observe(plan, Tile(plan.geobox, slice(0, SIZE_PX), slice(0, SIZE_PX)), halo)
    change = looked.change(plan.splits, features.needs)
    land = read_land(plan, looked.tile, change, halo, features.needs)
    change = change.assign({n: (("y", "x"), v) for n, v in land.items() if n in features.needs})
    values, seen = form_inputs(features, change)
    task = predictor.checkpoint.card.task
    x = normalise(values, features, np.float32(task.mean), np.float32(task.std))
    ndvi = predictor.predict(x, halo)
    return np.where(seen[halo:-halo, halo:-halo], ndvi, np.nan)


def read(path: Path) -> np.ndarray:
    with rasterio.open(path) as source:
        assert source.shape == (SIZE_PX, SIZE_PX)
        assert tuple(source.transform)[:6] == (SPACING, 0, LEFT, 0, -SPACING, TOP)
        return np.asarray(source.read(1))


@pytest.mark.parametrize("moment", ["pre", "post"])
def test_the_map_is_what_the_network_says_of_the_whole(
    event: dict[str, Any], checkpoint: Path, tmp_path: Path, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ndvi_run.ValuePredictor, "halo", small_blocks)
    record = run_ndvi(options(event, checkpoint, moment=moment), tmp_path / "run")
    ndvi, std = read(tmp_path / "run/ndvi.tif"), read(tmp_path / "run/uncertainty.tif")
    wanted = expected(event, tmp_path, moment)
    np.testing.assert_allclose(ndvi, wanted, atol=1e-4)
    assert np.isnan(ndvi[75:85, 25:45]).all()
    np.testing.assert_allclose(std, RESIDUAL.at(wanted.astype(np.float32)), atol=1e-4)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "ndvi.png", "ndvi.tif", "run.json", "uncertainty.tif",
    ]  # fmt: skip
    assert (tmp_path / "run/ndvi.png").read_bytes().startswith(b"\x89PNG")
    read_back = NdviRecord.model_validate_json((tmp_path / "run/run.json").read_text())
    assert read_back == record
    known = wanted[np.isfinite(wanted)]
    assert record.values.observed_share == pytest.approx(known.size / SIZE_PX**2)
    assert record.values.mean == pytest.approx(known.mean(), abs=1e-4)
    assert record.values.percentiles["50"] == pytest.approx(np.median(known), abs=1e-3)
    assert {len(dates) for dates in record.dates_utc.values()} == {2}
    days = sorted(date.isoformat()[:10] for dates in record.dates_utc.values() for date in dates)
    assert days[0] == ("2024-05-25" if moment == "pre" else "2024-06-18")
    assert sum(each.what == "scene" for each in record.inputs) == 8
    assert [each.what for each in record.inputs if each.what != "scene"] == ["dem"]


def small_blocks(predictor: ValuePredictor) -> Any:
    """Blocks far smaller than the grid."""
    from headscarp.predict.mosaic import Halo

    return Halo(64, 112)


def test_blended_windows_differ_a_little_and_hold_the_same_ground(
    event: dict[str, Any], checkpoint: Path, tmp_path: Path
) -> None:
    run_ndvi(options(event, checkpoint), tmp_path / "halo")
    run_ndvi(options(event, checkpoint, tiling="blend", window_px=64), tmp_path / "blend")
    halo, blend = (read(tmp_path / name / "ndvi.tif") for name in ("halo", "blend"))
    np.testing.assert_array_equal(np.isnan(halo), np.isnan(blend))
    assert 0 < np.nanmean(np.abs(halo - blend)) < 0.5 * np.nanstd(halo)


def headscarp(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["headscarp", *map(str, arguments)])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_the_command(
    event: dict[str, Any], checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    folder = event["scenes"][0].parent / "event"
    folder.mkdir()
    (folder / "event.yaml").write_text(
        yaml.safe_dump(
            {"scenes": ["../scenes"], "event": {"date": EVENT_DATE}, "terrain": {"dem": "../dem.tif"}}
        )
    )
    out = tmp_path / "run"
    given = ("ndvi", folder, "--checkpoint", checkpoint, "--moment", "pre", "--out", out)
    assert headscarp(monkeypatch, *given) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "128 × 128" in printed
    assert "4 before the event, of 2 orbit(s)" in printed
    assert json.loads((out / "run.json").read_text())["moment"] == "pre"
    before = (out / "ndvi.tif").read_bytes()
    assert headscarp(monkeypatch, *given) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (out / "ndvi.tif").read_bytes() == before
    assert headscarp(monkeypatch, *given, "--overwrite", "--quiet") == 0
    assert capsys.readouterr().out == ""


def test_default_options_are_yaml_that_loads(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(default_yaml(NdviOptions()))
    assert load(NdviOptions, tmp_path / "c.yaml") == NdviOptions()


def test_bad_input_ends_with_exit_code_2_and_nothing_written(
    event: dict[str, Any], checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    scenes, dem = event["scenes"][0], event["terrain"]["dem"]
    landslides = make_checkpoint(tmp_path, "unet", FEATURE_SETS["group1"])
    coarse = make_checkpoint(tmp_path, "unet", feature_set("ndvi9_7"), **VALUES, task={"spacing_m": 90})
    of_hh = FeatureSet(name="hh", channels=("fused_hh_db",))
    hh = make_checkpoint(tmp_path, "unet", of_hh, **VALUES)
    full = ("--dem", dem, "--event-date", EVENT_DATE)
    cases: list[tuple[tuple[object, ...], str]] = [
        (("--checkpoint", checkpoint, "--event-date", EVENT_DATE), "a DEM for aspect_deg, slope_deg"),
        (full, "checkpoint of a network of NDVI"),
        (("--checkpoint", landslides, *full), "a network of values"),
        (("--checkpoint", tmp_path / "nothing.safetensors", *full), "nothing.safetensors"),
        (("--checkpoint", coarse, *full), "90 m a pixel"),
        (("--checkpoint", hh, *full), "fused_hh_db (no HH of any orbit)"),
        (("--checkpoint", checkpoint, "--moment", "now", *full), "ndvi.moment"),
        (("--checkpoint", checkpoint, *full[:2], "--event-date", "2025-06-01"), "at least one scene"),
    ]
    for given, part in cases:
        assert headscarp(monkeypatch, "ndvi", scenes, "--out", tmp_path / "run", *given) == 2, part
        assert part in capsys.readouterr().err
        assert not (tmp_path / "run").exists()
        assert not [path for path in tmp_path.iterdir() if path.name.startswith(".run")]
