"""How sure a figure is: bootstrap over blocks of ground, paired differences, spread over seeds.

Neighbouring pixels repeat each other, so resampling pixels gives intervals that are far too narrow. What is
resampled here are square blocks of ground with all that lies in them. One method or two, a ratio is taken
from the sums over the drawn blocks, and a difference is taken within each draw, on the same ground.

References
----------
Efron & Tibshirani (1993), An Introduction to the Bootstrap, §8; Künsch (1989), Annals of Statistics 17,
1217-1241 (blocks); Roberts et al. (2017), Ecography 40, 913-929 (spatial dependence in evaluation).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from headscarp.errors import OptionsError
from headscarp.evaluate.confusion import FloatArray

FEW_BLOCKS = 20
"""Below it, percentile intervals are known to be too narrow; results say so."""
MAX_UNDEFINED = 0.05
"""Largest share of draws in which a ratio may be undefined; beyond it there is no interval."""


class IntervalOptions(BaseModel):
    """How intervals are found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    block_m: float = Field(
        1280.0, gt=0, description="Side of the blocks of ground that are resampled, metres."
    )
    max_blocks: int = Field(
        2048, ge=2, description="Most blocks kept: over larger grounds the blocks grow instead."
    )
    replicates: int = Field(1000, ge=20, description="Draws of the bootstrap.")
    level: float = Field(0.95, gt=0, lt=1, description="Share of the draws that an interval holds.")
    seed: int = Field(0, ge=0, description="Seed of the draws.")


class Interval(NamedTuple):
    """Percentile interval."""

    low: float
    high: float


def draw_blocks(blocks: int, options: IntervalOptions) -> FloatArray:
    """Draw blocks with replacement: how often each block stands in each draw.

    The draws depend on the number of blocks and the seed alone, so two methods on the same ground get the
    same draws.

    Parameters
    ----------
    blocks : int
        Number of blocks with evaluated ground.
    options : IntervalOptions

    Returns
    -------
    float64 ndarray, shape (replicates, blocks)
        Rows sum to ``blocks``.
    """
    rng = np.random.default_rng(options.seed)
    if blocks == 0:
        return np.zeros((options.replicates, 0))
    return rng.multinomial(blocks, np.full(blocks, 1.0 / blocks), options.replicates).astype(np.float64)


def sums_of_draws(weights: FloatArray, table: NDArray[Any]) -> FloatArray:
    """Sums over the blocks of each draw.

    Parameters
    ----------
    weights : ndarray, shape (replicates, blocks)
        From :func:`draw_blocks`.
    table : ndarray, shape (blocks, ...)
        Additive counts of each block.

    Returns
    -------
    float64 ndarray, shape (replicates, ...)
    """
    flat = table.reshape(len(table), math.prod(table.shape[1:])).astype(np.float64)
    return (weights @ flat).reshape(len(weights), *table.shape[1:])


def interval(values: FloatArray, level: float) -> Interval | None:
    """Percentile interval of a statistic over draws.

    Parameters
    ----------
    values : ndarray, shape (replicates,)
        NaN where the statistic is undefined in a draw.
    level : float
        Share of the draws inside.

    Returns
    -------
    Interval or None
        None where more than a twentieth of the draws are undefined.

    Examples
    --------
    >>> interval(np.linspace(0.0, 1.0, 101), 0.5)
    Interval(low=0.25, high=0.75)
    """
    defined = values[np.isfinite(values)]
    if len(defined) < (1.0 - MAX_UNDEFINED) * len(values) or len(defined) == 0:
        return None
    low, high = np.quantile(defined, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Interval(float(low), float(high))


class Difference(NamedTuple):
    """One method less another on the same ground."""

    value: float
    interval: Interval | None
    share_above_zero: float
    """Share of the draws in which the first method is better; ties count half."""


def paired_difference(
    first: tuple[float, FloatArray], second: tuple[float, FloatArray], level: float
) -> Difference:
    """Difference of two methods, draw by draw.

    Parameters
    ----------
    first, second : tuple of float and ndarray of shape (replicates,)
        Value on the whole ground, and on each draw of the same blocks.
    level : float

    Raises
    ------
    OptionsError
        If the two were not drawn alike.
    """
    if first[1].shape != second[1].shape:
        raise OptionsError(
            "two methods with the same draws",
            f"{len(first[1])} and {len(second[1])} draws",
            "a paired difference compares the methods block by block",
            "evaluate both on the same ground with the same --replicates",
        )
    each = first[1] - second[1]
    defined = each[np.isfinite(each)]
    above = np.mean((defined > 0) + 0.5 * (defined == 0)) if len(defined) else np.nan
    return Difference(first[0] - second[0], interval(each, level), float(above))


class SeedSpread(NamedTuple):
    """Mean and sample standard deviation over runs that differ by their seed only."""

    mean: float
    std: float
    """NaN for a single run."""
    seeds: int


def seed_spread(values: Sequence[float]) -> SeedSpread:
    """Mean and spread over seeds; undefined values make them undefined.

    Examples
    --------
    >>> seed_spread([0.5, 0.6, 0.7])
    SeedSpread(mean=0.6, std=0.1, seeds=3)
    """
    array = np.asarray(values, dtype=np.float64)
    if len(array) == 0:
        return SeedSpread(float("nan"), float("nan"), 0)
    std = float(round(np.std(array, ddof=1), 12)) if len(array) > 1 else float("nan")
    return SeedSpread(float(round(np.mean(array), 12)), std, len(array))
