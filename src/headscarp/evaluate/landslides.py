"""Landslides as objects: what was found, missed and falsely drawn, counted by block and by size class.

Counts are additive over blocks; ratios are taken once, after summing, and broadcast over leading dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from headscarp.errors import GridError
from headscarp.evaluate.confusion import ratio
from headscarp.evaluate.matching import NO_PARTNER, Matched, MatchOptions

FloatArray = NDArray[np.float64]
Blocks = NDArray[np.integer[Any]]


def landslide_counts(
    matched: Matched,
    predicted_block: Blocks,
    mapped_block: Blocks,
    blocks: int,
    options: MatchOptions | None = None,
) -> dict[str, NDArray[Any]]:
    """Count landslides by block and size class, and their ground by block.

    A landslide counts as a whole in its own block and in the class of its own size; its match may lie in
    another block. Ground that several landslides of a side cover counts once, in the block of the first.

    Parameters
    ----------
    matched : Matched
        Both sides with their match.
    predicted_block, mapped_block : int ndarray
        Block of each row; a negative one leaves the landslide out.
    blocks : int
        Number of blocks.
    options : MatchOptions, optional
        The options of the match.

    Returns
    -------
    dict of str to ndarray
        int64 of shape (blocks, classes): ``mapped``, ``detected`` (hits among them),
        ``detected_one_to_one`` (with a partner), ``predicted``, ``false``, ``true_one_to_one``.
        float64 of shape (blocks,): ``mapped_m2``, ``predicted_m2``, and ``intersection_m2``, the ground of
        mapped landslides under predicted ones.

    Raises
    ------
    GridError
        If there is not one block, below ``blocks``, for each landslide.
    """
    classes = len((options or MatchOptions()).size_edges_m2)
    mapped = _by_class(matched.mapped, mapped_block, (blocks, classes))
    predicted = _by_class(matched.predicted, predicted_block, (blocks, classes))
    return {
        "mapped": mapped["all"],
        "detected": mapped["hit"],
        "detected_one_to_one": mapped["paired"],
        "predicted": predicted["all"],
        "false": predicted["all"] - predicted["hit"],
        "true_one_to_one": predicted["paired"],
        "mapped_m2": _ground(matched.mapped, "ground_m2", mapped_block, blocks),
        "predicted_m2": _ground(matched.predicted, "ground_m2", predicted_block, blocks),
        "intersection_m2": _ground(matched.mapped, "shared_m2", mapped_block, blocks),
    }


def landslide_metrics(counts: Mapping[str, NDArray[Any]], ground_km2: NDArray[Any]) -> dict[str, FloatArray]:
    r"""Ratios of landslide counts.

    .. math::
        \mathrm{detection\ rate} = \frac{\mathrm{detected}}{\mathrm{mapped}},\quad
        \mathrm{precision} = 1 - \frac{\mathrm{false}}{\mathrm{predicted}},\quad
        F_1 = \frac{2PR}{P+R},\quad \mathrm{area\ bias} = \frac{A_p - A_m}{A_m}

    Parameters
    ----------
    counts : mapping of str to ndarray, shapes (..., classes) and (...)
        Sums of :func:`landslide_counts` over blocks, with any leading dimensions, such as replicates.
    ground_km2 : ndarray, shape (...)
        Evaluated ground of the same blocks, km².

    Returns
    -------
    dict of str to float64 ndarray
        Shape (...): ``detection_rate``, ``precision``, ``f1`` by overlap; ``recall_one_to_one``,
        ``precision_one_to_one``, ``f1_one_to_one``; ``false_alarms_per_100km2``; ``area_bias``;
        ``area_iou`` of the ground of both sides. Shape (..., classes): ``detection_rate_by_size``,
        ``recall_one_to_one_by_size``, ``precision_by_size``, ``false_alarms_per_100km2_by_size``.

        NaN where there is nothing to divide by: rates of detection without a mapped landslide, precision
        without a predicted one, F1 and IoU without either, area bias without mapped ground, false alarms
        without evaluated ground. F1 is 0 where landslides exist and none was matched.

    Examples
    --------
    Of 4 mapped landslides 3 were found; of 5 predicted 1 was false, on 50 km²:

    >>> counts = {"mapped": [4], "detected": [3], "detected_one_to_one": [2], "predicted": [5], "false": [1],
    ...           "true_one_to_one": [2], "mapped_m2": 8e3, "predicted_m2": 1e4, "intersection_m2": 6e3}
    >>> values = landslide_metrics({name: np.array(value) for name, value in counts.items()}, np.array(50.0))
    >>> [round(float(values[name]), 3) for name in ("detection_rate", "precision", "f1", "area_bias")]
    [0.75, 0.8, 0.774, 0.25]
    >>> float(values["false_alarms_per_100km2"])
    2.0
    """
    sized = {name: np.asarray(counts[name], dtype=np.float64) for name in _SIZED}
    whole = {name: values.sum(axis=-1) for name, values in sized.items()}
    ground = np.asarray(ground_km2, dtype=np.float64)
    by_size = {f"{name}_by_size": values for name, values in _rates(sized, ground[..., None]).items()}
    return {
        **_rates(whole, ground),
        **{name: by_size[name] for name in _BY_SIZE},
        "precision_one_to_one": ratio(whole["true_one_to_one"], whole["predicted"]),
        "f1": _f1(
            whole["detected"], whole["mapped"], whole["predicted"] - whole["false"], whole["predicted"]
        ),
        "f1_one_to_one": _f1(
            whole["detected_one_to_one"], whole["mapped"], whole["true_one_to_one"], whole["predicted"]
        ),
        **_ground_ratios(counts),
    }


_SIZED = ("mapped", "detected", "detected_one_to_one", "predicted", "false", "true_one_to_one")
_BY_SIZE = (
    "detection_rate_by_size", "recall_one_to_one_by_size", "precision_by_size",
    "false_alarms_per_100km2_by_size",
)  # fmt: skip


def _rates(counts: Mapping[str, FloatArray], ground_km2: FloatArray) -> dict[str, FloatArray]:
    """Ratios that are taken overall and by size alike."""
    return {
        "detection_rate": ratio(counts["detected"], counts["mapped"]),
        "recall_one_to_one": ratio(counts["detected_one_to_one"], counts["mapped"]),
        "precision": ratio(counts["predicted"] - counts["false"], counts["predicted"]),
        "false_alarms_per_100km2": ratio(100.0 * counts["false"], ground_km2),
    }


def _ground_ratios(counts: Mapping[str, NDArray[Any]]) -> dict[str, FloatArray]:
    mapped, predicted, shared = (
        np.asarray(counts[name], dtype=np.float64)
        for name in ("mapped_m2", "predicted_m2", "intersection_m2")
    )
    return {
        "area_bias": ratio(predicted - mapped, mapped),
        "area_iou": ratio(shared, predicted + mapped - shared),
    }


def _f1(detected: FloatArray, mapped: FloatArray, true: FloatArray, predicted: FloatArray) -> FloatArray:
    """Harmonic mean of ``detected / mapped`` and ``true / predicted``; 0 where nothing was matched."""
    mean = ratio(2 * detected * true, detected * predicted + true * mapped)
    return np.asarray(np.where((detected + true == 0) & (mapped + predicted > 0), 0.0, mean))


def _by_class(frame: gpd.GeoDataFrame, block: Blocks, shape: tuple[int, int]) -> dict[str, NDArray[np.int64]]:
    """Landslides by block and size class: all, hits, and those with a partner."""
    inside = _inside(frame, block, shape[0])
    cell = np.asarray(block)[inside] * shape[1] + frame["size_class"].to_numpy()[inside]
    chosen = {
        "all": np.ones(len(cell), dtype=np.bool_),
        "hit": (frame["outcome"] == "hit").to_numpy()[inside],
        "paired": (frame["partner"] != NO_PARTNER).to_numpy()[inside],
    }
    return {
        name: np.bincount(cell[which], minlength=shape[0] * shape[1]).reshape(shape).astype(np.int64)
        for name, which in chosen.items()
    }


def _ground(frame: gpd.GeoDataFrame, column: str, block: Blocks, blocks: int) -> FloatArray:
    inside = _inside(frame, block, blocks)
    values = frame[column].to_numpy(dtype=np.float64)[inside]
    return np.bincount(np.asarray(block)[inside], values, blocks).astype(np.float64)


def _inside(frame: gpd.GeoDataFrame, block: Blocks, blocks: int) -> NDArray[np.bool_]:
    """Rows that lie in a block."""
    numbers = np.asarray(block)
    if numbers.shape != (len(frame),) or (numbers >= blocks).any():
        raise GridError(
            f"one block for each of {len(frame)} landslides, numbered below {blocks}",
            f"{numbers.size} blocks up to {numbers.max(initial=-1)}",
            "landslides would be counted in the wrong place",
            "take the blocks from the matched frames, in their order",
        )
    return numbers >= 0
