"""A map with the calibration and the threshold that an evaluation on validation ground has stored."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import headscarp as hs
from headscarp.calibration import Isotonic, Temperature, calibrate
from headscarp.cli import main
from headscarp.detect.options import DetectOptions, make_detector
from headscarp.errors import OptionsError
from headscarp.features.terrain import Exclusion
from headscarp.pipeline.map.run import stated_method
from headscarp.record import RunRecord
from headscarp.run_folder import read_record
from headscarp.validation import Validation, write_validation
from tests.detect.made_change import still_ground
from tests.pipeline.conftest import EVENT_DATE, SIZE_PX, SmallEvent, read_band

RAW_THRESHOLD = float(np.float32(0.15))
WARM = Temperature(temperature=1.8)
CURVE = Isotonic(probability=(0.0, 0.3, 0.7, 0.999), calibrated=(0.001, 0.05, 0.4, 0.9))
GROUND = "00ab" * 16


def validation(**more: Any) -> Validation:
    values: dict[str, Any] = {
        "headscarp": "0.1.0", "method": "fusion", "threshold": RAW_THRESHOLD, "f1": 0.55, "pixels": 9000,
        "landslide_pixels": 90, "label_sha256": GROUND, "temperature": WARM, "isotonic": CURVE,
    }  # fmt: skip
    return Validation(**(values | more))


@pytest.fixture
def evaluation(tmp_path: Path) -> Path:
    """Folder of an evaluation on validation ground."""
    folder = tmp_path / "evaluation"
    folder.mkdir()
    write_validation(folder, validation())
    return folder


@pytest.fixture
def half_flat_event(small_event: SmallEvent, write_scene: Callable[..., Path]) -> SmallEvent:
    """The small event with a DEM that rules out its right half."""
    height = np.full((SIZE_PX + 20, SIZE_PX + 20), 100.0, np.float32)
    height[:, : SIZE_PX - 30] += np.arange(SIZE_PX - 30)[::-1] * 10.0
    flat = small_event.dem.with_name("flat.tif")
    write_scene(flat, {"height": height}, left=580000.0 - 200, top=4730000.0 + 200, nodata=-9999.0)
    return SmallEvent(small_event.scenes, flat)


def run(event: SmallEvent, out: Path, **more: object) -> RunRecord:
    wanted = {"scenes": [event.scenes], "event.date": EVENT_DATE, "terrain.dem": event.dem}
    return hs.run_map(hs.load_options(None, wanted | more), out)


def false_alarms(record: RunRecord) -> tuple[int, float]:
    """What the pseudo-event shows at the run's own threshold."""
    own = [f for f in record.pseudo_event.false_alarms if f.threshold == record.detector.threshold]
    assert len(own) == 1
    return own[0].objects, own[0].flagged_share


def test_the_map_is_calibrated_and_draws_what_the_raw_threshold_drew(
    half_flat_event: SmallEvent, evaluation: Path, tmp_path: Path
) -> None:
    loose = {"polygons.min_area_m2": 0.0}
    raw = run(half_flat_event, tmp_path / "raw", **loose, **{"polygons.threshold": RAW_THRESHOLD})
    before = read_band(tmp_path / "raw" / "probability.tif")
    ruled_out = read_band(tmp_path / "raw" / "terrain.tif", 3) != Exclusion.NONE
    assert 0.2 < ruled_out.mean() < 0.5
    assert raw.results.landslides > 1
    assert false_alarms(raw)[0] > 0
    assert "calibration" not in raw.detector.fitted
    for method, calibration in (("temperature", WARM), ("isotonic", CURVE)):
        out = tmp_path / method
        chosen = {"detect.validation": evaluation, "detect.calibration": method}
        record = run(half_flat_event, out, **loose, **chosen)
        expected = np.where(ruled_out, np.float32(0), calibrate(before, calibration))
        np.testing.assert_array_equal(read_band(out / "probability.tif"), expected)
        assert record.detector.threshold == validation().threshold_for(method)  # type: ignore[arg-type]
        assert record.detector.threshold_source == "best F1 on validation ground 00ab00ab00ab"
        assert read_record(out).detector.fitted["calibration"] == {
            **calibration.model_dump(mode="json"),
            "validation_label_sha256": GROUND,
            "validation_threshold": RAW_THRESHOLD,
            "validation_f1": 0.55,
        }
        assert record.results.flagged_km2 == raw.results.flagged_km2
        assert record.results.landslides == raw.results.landslides
        assert false_alarms(record) == false_alarms(raw)


@pytest.mark.parametrize("threshold", [0.35, 0.8])
def test_a_threshold_that_is_given_wins_be_it_the_default(evaluation: Path, threshold: float) -> None:
    options = hs.load_options(None, {"detect.validation": evaluation, "polygons.threshold": threshold})
    method = stated_method(options)
    assert method.threshold == threshold
    assert method.source == "given, not the best F1 on validation ground 00ab00ab00ab"
    other = hs.load_options(None, {"detect.validation": evaluation, "polygons.min_area_m2": 5.0})
    assert stated_method(other).threshold == validation().threshold_for("temperature")
    default = stated_method(hs.load_options(None))
    assert (default.threshold, default.source) == (0.8, "default")


def test_allowed_false_alarms_win_and_are_counted_on_the_calibrated_probability(
    small_event: SmallEvent, evaluation: Path, tmp_path: Path
) -> None:
    wanted = {"detect.false_alarms_per_100km2": 20.0, "polygons.min_area_m2": 0.0}
    raw = run(small_event, tmp_path / "raw", **wanted)
    record = run(small_event, tmp_path / "run", **wanted, **{"detect.validation": evaluation})
    assert "20 false alarms" in record.detector.threshold_source
    assert false_alarms(record)[0] == false_alarms(raw)[0]
    expected = calibrate(raw.detector.threshold, WARM)
    assert record.detector.threshold == pytest.approx(float(expected), abs=2e-3)
    assert abs(record.detector.threshold - raw.detector.threshold) > 0.01


def test_a_validation_of_another_method_is_refused_and_nothing_is_written(
    small_event: SmallEvent, tmp_path: Path
) -> None:
    file = write_validation(tmp_path / "other.json", validation(method="unet"))
    with pytest.raises(OptionsError, match=r"(?s)'fusion'.*'unet'"):
        run(small_event, tmp_path / "run", **{"detect.validation": file})
    with pytest.raises(OptionsError, match=r"(?s)nowhere.*No such file"):
        run(small_event, tmp_path / "run", **{"detect.validation": tmp_path / "nowhere"})
    assert not (tmp_path / "run").exists()


def test_the_command_line_takes_a_validation_and_without_calibration_its_threshold_alone(
    small_event: SmallEvent, evaluation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["map", small_event.scenes, "--event-date", EVENT_DATE, "--out", tmp_path / "run", "--quiet"]
    chosen = ["--validation", evaluation / "validation.json", "--calibration", "none"]
    monkeypatch.setattr(sys, "argv", ["headscarp", *map(str, arguments + chosen)])
    try:
        main()
    except SystemExit as stop:
        assert not stop.code
    record = read_record(tmp_path / "run")
    assert record.detector.threshold == RAW_THRESHOLD
    assert record.detector.fitted["calibration"]["method"] == "none"


def test_a_calibrated_detector_is_the_detector_but_for_its_probability() -> None:
    rng = np.random.default_rng(0)
    scores = xr.DataArray(np.linspace(-9, 9, 400).reshape(20, 20), dims=("y", "x"))
    sample = still_ground(rng, (60, 60))
    options = DetectOptions(calibration="isotonic")
    plain, calibrated = make_detector(options), make_detector(options, validation())
    assert calibrated.name == plain.name
    one, two = plain.fit(sample), calibrated.fit(sample)
    xr.testing.assert_identical(one.score(sample), two.score(sample))
    xr.testing.assert_identical(one.orbit_scores(sample), two.orbit_scores(sample))
    np.testing.assert_array_equal(one.null_density(scores.values), two.null_density(scores.values))
    scores[0, 0] = np.nan
    probability = two.probability(scores)
    assert probability.name == "probability"
    np.testing.assert_array_equal(probability.values, calibrate(one.probability(scores).values, CURVE))
    assert np.isnan(probability.values[0, 0])
    assert two.record().keys() - one.record().keys() == {"calibration"}
    bare = make_detector(DetectOptions(calibration="none"), validation()).fit(sample)
    xr.testing.assert_identical(bare.probability(scores), one.probability(scores))
