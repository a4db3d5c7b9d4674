"""Training on values: it learns, is judged by its errors, goes on exactly, and flips what it learns."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from headscarp.checkpoint import Residual, read_checkpoint
from headscarp.chips.augment import Flips
from headscarp.chips.store import IGNORE, ChipStore
from headscarp.cli import app
from headscarp.errors import HeadscarpError, OptionsError
from headscarp.evaluate.similarity import similarity_map
from headscarp.features.sets import feature_set, normalise
from headscarp.split import SplitFile, write_split
from headscarp.train.batches import Augment, Batches, Normaliser
from headscarp.train.chips import Cache, Sources
from headscarp.train.judge import error_figures, error_sums, judge_of
from headscarp.train.options import FitOptions, NetworkChoice
from headscarp.train.record import Measure, TrainRecord
from headscarp.train.residuals import BIN_EDGES, Predicted, value_worth
from headscarp.train.run import train
from headscarp.train.state import read_state
from tests.train.stores import make_split, make_value_store
from tests.train.test_training import assert_equal_weights, changed

VALUES = NetworkChoice(network="unet", filters=8, head="regression")


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> ChipStore:
    return make_value_store(tmp_path_factory.mktemp("values") / "chips.zarr")


@pytest.fixture(scope="module")
def value_split(values: ChipStore) -> SplitFile:
    return make_split(values)


@pytest.fixture
def fit(quick: FitOptions) -> FitOptions:
    return changed(quick, loss="l1_ssim_gradient")


def predicted(store: ChipStore, folder: Path, places: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values of the best network, the truth and where it counts; normalised by hand."""
    best = read_checkpoint(folder / "best.safetensors")
    x, label, _ = store.read(places)
    task = best.card.task
    mean, std = (np.array(part, np.float32) for part in (task.mean, task.std))
    with torch.inference_mode():
        given = torch.from_numpy(normalise(x, task.features, mean, std))
        values = best.network(given)[:, 0].numpy()
    truth = store.read_target(places)
    assert truth is not None
    return values, truth, label != IGNORE


def test_it_learns_values_and_the_card_says_its_errors(
    values: ChipStore, value_split: SplitFile, fit: FitOptions, out: Path
) -> None:
    record = train(values, value_split, VALUES, changed(fit, epochs=20), out)
    got, truth, counts = predicted(values, out, [12, 13, 14, 15])
    error = (got - truth)[counts].astype(np.float64)
    spread = truth[counts].std()
    assert np.abs(got).max() <= 1
    assert record.metrics["rmse"] == pytest.approx(math.sqrt((error**2).mean()), rel=1e-4)
    assert record.metrics["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-4)
    assert record.metrics["bias"] == pytest.approx(error.mean(), abs=1e-5)
    assert record.metrics["rmse"] is not None
    assert record.metrics["rmse"] < 0.6 * spread, "better than the mean of the truth"
    psnr = 10 * math.log10(4 / (error**2).mean())
    assert record.metrics["psnr_db"] == pytest.approx(psnr, rel=1e-4)
    similarity = [np.nanmean(similarity_map(*own)) for own in zip(got, truth, counts, strict=True)]
    assert record.metrics["ssim"] == pytest.approx(np.mean(similarity), rel=1e-4)
    card = read_checkpoint(out / "best.safetensors").card
    assert record.best.name == "rmse"
    assert record.threshold is record.calibration is record.best_f1 is None
    assert card.metrics == record.metrics
    assert card.residual is not None
    assert card.residual.std == record.residual_std == pytest.approx(record.metrics["rmse"])
    assert (card.calibration, card.task.label) == (None, "NDVI in [-1, 1]")
    assert card.task.features == feature_set("ndvi9_5")
    assert TrainRecord.model_validate_json((out / "train.json").read_text()) == record
    rows = list(csv.DictReader((out / "log.csv").read_text().splitlines()))
    assert list(rows[0]) == [
        "epoch", "learning_rate", "train_loss", "validation_loss", "rmse", "mae", "bias", "seconds",
        "chips_per_s",
    ]  # fmt: skip
    lowest = min(range(20), key=lambda i: float(rows[i]["rmse"]))
    assert record.best_epoch == lowest + 1
    assert record.best.value == float(rows[lowest]["rmse"]) == pytest.approx(record.metrics["rmse"], rel=1e-3)
    assert (out / "curves.png").read_bytes().startswith(b"\x89PNG")
    last = read_checkpoint(out / "last.safetensors").card
    assert last.metrics["rmse"] == pytest.approx(float(rows[-1]["rmse"]))


def test_it_goes_on_with_the_same_bits(
    values: ChipStore, value_split: SplitFile, fit: FitOptions, tmp_path: Path
) -> None:
    limited = changed(fit, max_minutes=1e-5)
    for _ in range(3):
        train(values, value_split, VALUES, limited, tmp_path / "cut")
    train(values, value_split, VALUES, fit, tmp_path / "whole")
    assert_equal_weights(tmp_path / "cut", tmp_path / "whole")
    rows = [read_state(tmp_path / name).history for name in ("cut", "whole")]
    assert [row.figures for row in rows[0]] == [row.figures for row in rows[1]]


def test_patience_is_of_the_lowest_error(
    values: ChipStore, value_split: SplitFile, fit: FitOptions, out: Path
) -> None:
    """With no learning at all the weights stand still, and only batch statistics move the error."""
    record = train(values, value_split, VALUES, changed(fit, epochs=30, patience=2, learning_rate=1e-9), out)
    errors = [row.measure.value or 0 for row in read_state(out).history]
    assert record.ending == "patience"
    assert record.best_epoch == int(np.argmin(errors)) + 1 == record.epochs - 2


def test_a_flipped_chip_has_its_values_flipped(values: ChipStore) -> None:
    sources = Sources((values,))
    nothing = np.zeros(9, np.float32)
    normaliser = Normaliser(sources.features, nothing, nothing + 1)
    ids = [chip.id for chip in values.facts.chips]
    augment = Augment(Flips(True, True), seed=1, epoch=0)
    batch = Batches(Cache(sources), ids, np.arange(16), 16, normaliser, augment).make(0)
    whole = values.read_target(range(16))
    x, label, _ = values.read(range(16))
    assert whole is not None
    done = set()
    for i, name in enumerate(ids):
        flips = augment.flips(i, name)
        done.add(flips)
        axes = tuple(axis for axis, wanted in ((-1, flips.east_west), (-2, flips.north_south)) if wanted)
        target = np.flip(whole[i], axes)
        np.testing.assert_array_equal(batch.target[i, 0].numpy(), np.nan_to_num(target))
        np.testing.assert_array_equal(batch.mask[i, 0].numpy(), np.flip(label[i], axes) != IGNORE)
        east = np.nan_to_num(np.flip(x[i, 6], axes)) * (-1 if flips.east_west else 1)
        np.testing.assert_array_equal(batch.x[i, 6].numpy(), east)
    assert len(done) == 4
    assert bool(batch.target.isfinite().all())


def test_errors_are_counted_where_they_count() -> None:
    rng = np.random.default_rng(0)
    v, t = rng.uniform(-1, 1, (2, 3, 1, 5, 5))
    mask = rng.random((3, 1, 5, 5)) < 0.6
    t[~mask] = np.nan
    sums = error_sums(*(torch.tensor(part) for part in (v, t, mask)))
    figures = error_figures(sums.numpy())
    error = (v - t)[mask]
    wanted = {"rmse": np.sqrt((error**2).mean()), "mae": np.abs(error).mean(), "bias": error.mean()}
    assert figures == pytest.approx(wanted)
    assert error_figures(np.zeros(4)) == dict.fromkeys(wanted)
    judge = judge_of(read_head("regression"))
    assert judge.measure({"rmse": 0.5, "mae": 0.1, "bias": 0}) == Measure(name="rmse", value=0.5, rises=False)


def read_head(name: str) -> Any:
    from headscarp.models import Head

    return Head(name)


def test_ranks_put_the_best_first() -> None:
    def rank(value: float | None, rises: bool) -> float:
        return Measure(name="x", value=value, rises=rises).rank

    assert rank(0.1, False) > rank(0.2, False) > rank(None, False)
    assert rank(0.2, True) > rank(0.1, True) > rank(0.0, True) > rank(None, True)


def test_residuals_are_those_of_each_bin() -> None:
    rng = np.random.default_rng(3)
    shape = (4, 60, 60)
    values = rng.uniform(-0.3, 0.8, shape).astype(np.float32)
    noise = np.where(values > 0.2, 0.2, 0.05)
    truth = (values - noise * rng.normal(size=shape) - 0.03).astype(np.float32)
    mask = rng.random(shape) < 0.9
    truth[~mask] = 50.0
    halves = [Predicted(*(part[i : i + 2] for part in (values, truth, mask))) for i in (0, 2)]
    residual = value_worth(halves).residual
    for low, high, std in zip(BIN_EDGES, BIN_EDGES[1:], residual.stds, strict=False):
        own = mask & (values >= np.float32(low)) & (values < np.float32(high))
        error = (values - truth)[own].astype(float)
        expected = math.sqrt((error**2).mean()) if own.sum() >= 1000 else residual.std
        assert std == pytest.approx(expected, rel=1e-3)
    everything = (values - truth)[mask].astype(float)
    assert residual.std == pytest.approx(math.sqrt((everything**2).mean()))
    assert residual.stds[0] == residual.std


def test_residuals_between_the_middles_of_bins() -> None:
    residual = Residual(std=0.1, edges=(-1, 0, 0.5, 1), stds=(0.1, 0.2, 0.4))
    at = residual.at(np.array([-1, -0.5, -0.125, 0.25, 0.5, 2, np.nan], np.float32))
    np.testing.assert_allclose(at, [0.1, 0.1, 0.15, 0.2, 0.3, 0.4, np.nan], atol=1e-7)
    for wrong in ({"stds": (0.1, 0.2)}, {"edges": (-1, 0, 0, 1)}, {"stds": (0.1, 0.0, 0.4)}):
        given: dict[str, Any] = {"std": 0.1, "edges": (-1, 0, 0.5, 1), "stds": (0.1, 0.2, 0.4)} | wrong
        with pytest.raises(ValueError, match="standard deviations"):
            Residual(**given)


@pytest.mark.parametrize(
    ("head", "more", "fragment"),
    [
        ("classification", {"loss": "dice"}, "a head for a store of ndvi, not classification"),
        ("regression", {"loss": "dice"}, "a loss for the head regression"),
        ("regression", {"replay": "old.zarr", "init_from": "x.safetensors"}, "replay of landslides"),
        ("regression", {"positive_share": 0.5}, "training chips with landslide"),
    ],
)
def test_what_does_not_go_together_is_refused(
    values: ChipStore, value_split: SplitFile, fit: FitOptions, out: Path, head: Any, more: Any, fragment: str
) -> None:
    choice = NetworkChoice(network="unet", filters=8, head=head)
    with pytest.raises(HeadscarpError, match=fragment):
        train(values, value_split, choice, changed(fit, **more), out)
    assert not out.exists()


def test_values_are_not_learned_of_landslides(
    store: ChipStore, split: SplitFile, fit: FitOptions, out: Path
) -> None:
    with pytest.raises(OptionsError, match="a head for a store of landslide, not regression"):
        train(store, split, VALUES, fit, out)


@pytest.mark.parametrize("weights", [(-1.0, 1.0, 1.0), (0.0, 0.0, 0.0)])
def test_weights_that_weigh_nothing_are_refused(weights: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="weights of at least 0"):
        FitOptions(loss_weights=weights)


def test_the_commands_tell_errors(values: ChipStore, value_split: SplitFile, tmp_path: Path) -> None:
    write_split(tmp_path / "split.json", value_split)
    given = [
        "train.epochs=1", "train.batch_size=4", "train.accelerator=cpu", "network.network=unet",
        "network.filters=8", "network.head=regression", "train.loss=l1_ssim_gradient",
        f"split.file={tmp_path / 'split.json'}",
    ]  # fmt: skip
    sets = [part for value in given for part in ("--set", value)]
    out = tmp_path / "run"
    told = CliRunner().invoke(
        app, ["train", "--store", str(values.path), "--out", str(out), *sets], catch_exceptions=False
    )
    assert told.exit_code == 0
    printed = " ".join(told.output.split())
    for part in ("rmse 0.", "ssim 0.", "(one standard deviation)", "headscarp ndvi SCENES --checkpoint"):
        assert part in printed, part
    info = CliRunner().invoke(app, ["model", "info", str(out / "best.safetensors")], catch_exceptions=False)
    for part in ("fused_vv_mean5_db", "NDVI in [-1, 1]", "one standard deviation", "head regression"):
        assert part in " ".join(info.output.split()), part
