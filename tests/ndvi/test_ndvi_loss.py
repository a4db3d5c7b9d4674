"""Loss of NDVI as a detector: scores by hand, blocks as the whole, the null of the map, the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xarray as xr

import headscarp as hs
from headscarp.checkpoint import CheckpointError
from headscarp.detect.protocol import LearnsFromScores, TrainedDetector
from headscarp.errors import OptionsError
from headscarp.features.change import fuse
from headscarp.features.sets import FEATURE_SETS, feature_set
from headscarp.pipeline.ndvi.run import run_ndvi
from headscarp.predict.ndvi_loss import FittedNdviLoss, NdviLossDetector, Scale, fused_loss_db
from tests.ndvi.test_ndvi_run import RESIDUAL, VALUES, checkpoint, event, options, read
from tests.pipeline.conftest import EVENT_DATE
from tests.predict.made import load, make_checkpoint, random_change

__all__ = ["checkpoint", "event"]
SET = feature_set("ndvi9_5")


@pytest.fixture
def detector(tmp_path: Path) -> NdviLossDetector:
    return NdviLossDetector(load(tmp_path, "unet", SET, **VALUES))


def fitted(detector: NdviLossDetector, change: xr.Dataset) -> FittedNdviLoss:
    ready = detector.fit(change)
    assert isinstance(ready, LearnsFromScores)
    return ready


def test_the_score_is_the_loss_over_the_error_of_both_moments(detector: NdviLossDetector) -> None:
    assert isinstance(detector, TrainedDetector)
    change = random_change((64, 64))
    ready = fitted(detector, change)
    predictor = ready.predictor
    (pre, seen), (post, _) = (
        (predictor.predict(x), has) for x, has in (predictor.inputs(change, m) for m in ("pre", "post"))
    )
    spread = np.sqrt(RESIDUAL.at(pre) ** 2 + RESIDUAL.at(post) ** 2)
    found = ready.score(change).values
    assert found[seen] == pytest.approx(((pre - post) / spread)[seen], abs=1e-5)
    assert np.isnan(found[~seen]).all()
    assert 0.5 < seen.mean() < 1
    assert np.abs(found[seen]).max() > 0.5


def test_backscatter_counts_beside_in_units_of_its_spread(tmp_path: Path) -> None:
    own = NdviLossDetector(load(tmp_path, "unet", SET, **VALUES), with_backscatter=True)
    change = random_change((64, 64))
    ready = fitted(own, change)
    lost = fused_loss_db(change)
    assert lost == pytest.approx(fuse(change).mean("polarization").values, nan_ok=True, abs=1e-5)
    known = lost[np.isfinite(lost)]
    assert ready.scale is not None
    assert ready.scale.middle_db == pytest.approx(np.median(known))
    assert ready.scale.spread_db == pytest.approx(
        1.4826 * np.median(np.abs(known - np.median(known))), rel=1e-4
    )
    alone = FittedNdviLoss(ready.predictor, ready.options).score(change).values
    z = (lost - ready.scale.middle_db) / ready.scale.spread_db
    assert ready.score(change).values == pytest.approx((alone + z) / np.sqrt(2), nan_ok=True, abs=1e-4)
    inside = FittedNdviLoss(ready.predictor, ready.options, Scale(0.0, 1.0)).score_inside(change, 16)
    assert inside.shape == (32, 32)


def test_a_block_with_its_halo_is_the_whole(detector: NdviLossDetector) -> None:
    """Channels look 3 pixels farther than the network, which needs a multiple of its stride."""
    halo = detector.halo_px
    assert halo == 112 + 16
    change = random_change((2 * halo + 48, 2 * halo + 32), seed=4)
    ready = fitted(detector, change)
    whole = ready.score(change).values[halo:-halo, halo:-halo]
    wide = change.pad(y=(32, 32), x=(32, 32))
    part = wide.isel(y=slice(32, -32), x=slice(32, -32))
    assert ready.score_inside(part, halo) == pytest.approx(whole, abs=1e-4, nan_ok=True)


def test_the_null_is_that_of_the_scores(detector: NdviLossDetector) -> None:
    ready = fitted(detector, random_change((32, 32)))
    score = xr.DataArray(np.array([[-3.0, 0.0, 3.0, 8.0, np.nan]], np.float32), dims=("y", "x"))
    assert np.isnan(ready.probability(score)).all()
    assert np.isnan(ready.null_density(np.zeros(3))).all()
    rng = np.random.default_rng(2)
    noise, slid = rng.normal(0.3, 0.8, 20_000), rng.normal(6, 1, 400)
    learned = ready.learned(np.concatenate([noise, slid, [np.nan]]).astype(np.float32))
    assert isinstance(learned, FittedNdviLoss)
    assert learned.record()["null_mean"] == pytest.approx(0.3, abs=0.05)
    assert learned.record()["null_std"] == pytest.approx(0.8, abs=0.05)
    probability = learned.probability(score).values[0]
    assert probability[:2] == pytest.approx([0, 0], abs=0.02)
    assert probability[3] > 0.9
    assert np.isnan(probability[4])
    assert learned.null_density(np.array([0.3, 6.0]))[0] > 0.4


def test_a_network_of_landslides_predicts_no_ndvi(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no NDVI"):
        NdviLossDetector(load(tmp_path, "unet", FEATURE_SETS["group1"]))


def run(event: dict[str, Any], checkpoint: Path, out: Path, **detect: Any) -> Any:
    values = {
        "scenes": event["scenes"],
        "event.date": EVENT_DATE,
        "terrain.dem": event["terrain"]["dem"],
        "terrain.min_slope_deg": 0.0,
        "detect.detector": str(checkpoint),
    }
    return hs.run_map(hs.load_options(None, values | {f"detect.{k}": v for k, v in detect.items()}), out)


def test_a_map_of_ndvi_loss_is_what_two_maps_of_ndvi_say(
    event: dict[str, Any], checkpoint: Path, tmp_path: Path
) -> None:
    record = run(event, checkpoint, tmp_path / "run")
    for moment in ("pre", "post"):
        run_ndvi(options(event, checkpoint, moment=moment), tmp_path / moment)
    pre, post = (read(tmp_path / moment / "ndvi.tif") for moment in ("pre", "post"))
    wanted = (pre - post) / np.sqrt(RESIDUAL.at(pre) ** 2 + RESIDUAL.at(post) ** 2)
    with rasterio.open(tmp_path / "run" / "score.tif") as raster:
        found = raster.read(1)
    assert found == pytest.approx(wanted, abs=2e-3, nan_ok=True)
    with rasterio.open(tmp_path / "run" / "probability.tif") as raster:
        probability = raster.read(1)
    assert np.isfinite(probability).sum() == np.isfinite(wanted).sum()
    assert record.detector.name.startswith("ndvi-loss unet ndvi9_5")
    assert record.detector.score_name == "loss of predicted NDVI in standard deviations"
    assert record.detector.threshold_source == "default"
    stored = json.loads((tmp_path / "run" / "run.json").read_text())["detector"]["fitted"]
    known = wanted[np.isfinite(wanted)]
    assert stored["null_mean"] == pytest.approx(np.median(known), abs=0.5 * float(known.std()))
    assert any("loss of NDVI that a network predicts" in note for note in record.notes)
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "predicts NDVI from the backscatter before the event and after it" in page


def test_options_that_it_has_no_use_for_are_refused(
    event: dict[str, Any], checkpoint: Path, tmp_path: Path
) -> None:
    with pytest.raises(OptionsError, match=r"detect\.direction"):
        run(event, checkpoint, tmp_path / "run", direction="gain")
    landslides = make_checkpoint(tmp_path, "unet", FEATURE_SETS["group1"])
    with pytest.raises(OptionsError, match=r"detect\.with_backscatter"):
        run(event, landslides, tmp_path / "run", with_backscatter=True)
    assert not (tmp_path / "run").exists()
    record = run(event, checkpoint, tmp_path / "run", with_backscatter=True, prior_landslide=0.02)
    assert record.detector.fitted["prior_landslide"] == 0.02
    assert record.detector.fitted["backscatter"]["spread_db"] > 0
    assert "with the loss of backscatter" in record.detector.score_name
