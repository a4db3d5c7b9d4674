"""Figures of patches against scikit-learn, and intervals against draws by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, jaccard_score, precision_score, recall_score

from headscarp.evaluate.intervals import IntervalOptions
from headscarp.predict.chips import PredictedChip
from headscarp.studies.sen12.score import (
    AT_HALF,
    AT_THRESHOLD,
    PatchCounts,
    count_patches,
    draws_of,
    figures_of,
    read_counts,
    write_counts,
)

DRAWS = IntervalOptions(replicates=200)


def made_chips(patches: int = 5, side: int = 16) -> list[PredictedChip]:
    rng = np.random.default_rng(3)
    chips = []
    for number in range(patches):
        label = (rng.random((side, side)) < 0.1 * (number + 1)).astype(np.uint8)
        probability = np.clip(rng.normal(0.3, 0.2, label.shape) + 0.3 * label, 0, 1).astype(np.float32)
        label[0] = 255
        chips.append(PredictedChip(f"p{number}", probability, np.sqrt(probability), label))
    return chips


@pytest.fixture
def counts() -> PatchCounts:
    return count_patches(made_chips(), 0.42)


def test_figures_are_those_of_scikit_learn(counts: PatchCounts) -> None:
    chips = made_chips()
    known = [chip.label != 255 for chip in chips]
    slid = np.concatenate([chip.label[k] == 1 for chip, k in zip(chips, known, strict=True)])
    score = np.concatenate([chip.probability[k] for chip, k in zip(chips, known, strict=True)])
    told = figures_of(counts, DRAWS)
    assert told["pr_auc"] == pytest.approx(average_precision_score(slid, score), abs=2e-3)
    for place, at in ((AT_HALF, 0.5), (AT_THRESHOLD, 0.42)):
        said = (np.sqrt(score) if place == AT_HALF else score) >= np.float32(at)
        node = told[place]
        assert node["dice"] == pytest.approx(f1_score(slid, said))
        assert node["precision"] == pytest.approx(precision_score(slid, said))
        assert node["recall"] == pytest.approx(recall_score(slid, said))
        assert node["iou"] == pytest.approx(jaccard_score(slid, said))
        assert sum(node["counts"].values()) == len(slid) == 5 * 16 * 15
        assert node["counts"]["true_positive"] == (said & slid).sum()


def test_intervals_are_those_of_draws_of_whole_patches(counts: PatchCounts) -> None:
    rng = np.random.default_rng(DRAWS.seed)
    drawn = rng.multinomial(5, np.full(5, 0.2), 200)
    dice = []
    for weights in drawn:
        _, fn, fp, tp = weights @ counts.outcomes[AT_HALF]
        dice.append(2 * tp / (2 * tp + fp + fn))
    found = figures_of(counts, DRAWS)[AT_HALF]["intervals"]["dice"]
    assert found == pytest.approx(np.quantile(dice, [0.025, 0.975]))
    assert draws_of(counts, DRAWS)[AT_HALF, "dice"] == pytest.approx(np.array(dice))


def test_counts_read_back(counts: PatchCounts, tmp_path: Path) -> None:
    write_counts(tmp_path / "counts.npz", counts)
    back = read_counts(tmp_path / "counts.npz")
    assert back.ids == counts.ids
    assert all(np.array_equal(back.outcomes[place], own) for place, own in counts.outcomes.items())
    assert figures_of(back, DRAWS) == figures_of(counts, DRAWS)
    assert [path.name for path in tmp_path.iterdir()] == ["counts.npz"]


def test_nothing_mapped_and_nothing_said_is_undefined() -> None:
    nothing = np.zeros((4, 4), np.float32)
    blank = PredictedChip("p", nothing, nothing, np.zeros((4, 4), np.uint8))
    told = figures_of(count_patches([blank, blank], 0.5), DRAWS)
    assert told["pr_auc"] is None
    assert told[AT_HALF]["dice"] is None
    assert told[AT_HALF]["intervals"]["dice"] is None
