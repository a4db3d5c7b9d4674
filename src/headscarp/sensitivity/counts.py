"""Counts of one round, their sum, and recall with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from headscarp.evaluate.intervals import Interval
from headscarp.sensitivity.record import Cell, RateRecord

CONFIDENCE = 0.95
_Z = 1.959963984540054
"""Standard deviations on each side of the mean that hold 95% of a normal distribution."""


class RoundCounts(BaseModel):
    """What one round planted and found: additive."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    planted: list[list[int]]
    """By size and change."""
    without_room: list[list[int]]
    """Tried, and not placed."""
    found: list[list[list[int]]]
    """By rate, size and change."""


def wilson(found: int, planted: int) -> Interval | None:
    r"""Wilson's interval of a share, at 95%.

    .. math:: \frac{k + z^2/2}{n + z^2} \pm \frac{z}{n + z^2}\sqrt{\frac{k(n-k)}{n} + \frac{z^2}{4}}

    Parameters
    ----------
    found, planted : int
        k and n.

    Returns
    -------
    Interval or None
        None without a trial.

    References
    ----------
    Wilson (1927), Journal of the American Statistical Association 22, 209-212.

    Examples
    --------
    >>> [round(end, 4) for end in wilson(8, 10)]
    [0.4902, 0.9433]
    """
    if planted == 0:
        return None
    squared = _Z**2
    middle = (found + squared / 2.0) / (planted + squared)
    reach = _Z / (planted + squared) * math.sqrt(found * (planted - found) / planted + squared / 4.0)
    return Interval(max(middle - reach, 0.0), min(middle + reach, 1.0))


def cells(
    rounds: Sequence[RoundCounts],
    rates: Sequence[RateRecord],
    sizes_ha: Sequence[float],
    changes_db: Sequence[float],
) -> list[Cell]:
    """Recall by rate, size and change, from the sums over all rounds.

    Recall and interval are None where nothing was planted, or where no threshold keeps the rate.
    """
    planted, found = total([r.planted for r in rounds]), total([r.found for r in rounds])
    out = []
    for i, rate in enumerate(rates):
        for j, size in enumerate(sizes_ha):
            for k, change in enumerate(changes_db):
                n, hits = int(planted[j, k]), int(found[i, j, k])
                interval = None if rate.threshold is None else wilson(hits, n)
                out.append(
                    Cell(
                        rate_per_100km2=rate.rate_per_100km2,
                        size_ha=size,
                        change_db=change,
                        planted=n,
                        found=hits,
                        recall=None if interval is None else hits / n,
                        low=None if interval is None else interval.low,
                        high=None if interval is None else interval.high,
                    )
                )
    return out


def total(tables: Sequence[Sequence[object]]) -> NDArray[np.int64]:
    """Sum of tables of counts."""
    return np.asarray(np.sum(np.array(tables, dtype=np.int64), axis=0), dtype=np.int64)
