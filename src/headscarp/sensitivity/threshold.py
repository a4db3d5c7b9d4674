"""The lowest threshold with no more than some false alarms."""

from __future__ import annotations

import math
from collections.abc import Callable

LOWEST, HIGHEST = 0.05, 0.999999
"""Thresholds between which is searched."""
_COARSE_STEPS, _HALVINGS = 17, 8
"""Steps down from the highest threshold, in equal log-odds, and halvings of the step that went too far."""


def lowest_threshold(objects_at: Callable[[float], int], allowed: int) -> float | None:
    """Find the lowest threshold down to which a map shows no more than some objects.

    Objects grow together at low thresholds, so their number does not always fall with the threshold. The
    search therefore comes down from the highest threshold, in steps, to the first with too many, and halves
    that step.

    Parameters
    ----------
    objects_at : callable
        Number of objects at a threshold; it may be called several times with the same one.
    allowed : int
        Most objects.

    Returns
    -------
    float or None
        None where even the highest threshold shows more.

    Examples
    --------
    >>> lowest_threshold(lambda threshold: 5 if threshold < 0.7 else 2, 4)  # doctest: +ELLIPSIS
    0.70...
    """
    if objects_at(HIGHEST) > allowed:
        return None
    top, bottom = _log_odds(HIGHEST), _log_odds(LOWEST)
    step = (top - bottom) / _COARSE_STEPS
    high = top
    for number in range(1, _COARSE_STEPS + 1):
        if objects_at(_probability(top - number * step)) > allowed:
            break
        high = top - number * step
    else:
        return _probability(high)
    low = high - step
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (low, middle) if objects_at(_probability(middle)) <= allowed else (middle, high)
    return _probability(high)


def allowed_objects(per_100km2: float, observed_km2: float) -> int:
    """Whole objects that a rate allows on some ground.

    Examples
    --------
    >>> allowed_objects(10.0, 36.0), allowed_objects(10.0, 5.0)
    (3, 0)
    """
    return math.floor(per_100km2 * observed_km2 / 100.0 + 1e-9)


def _log_odds(probability: float) -> float:
    return math.log(probability / (1.0 - probability))


def _probability(log_odds: float) -> float:
    return round(1.0 / (1.0 + math.exp(-log_odds)), 7)
