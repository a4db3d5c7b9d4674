"""Rivers that carve rock until slopes and catchments balance; the equation stands in :mod:`.terrain`."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from headscarp.simulate.land.drainage import (
    NEIGHBOURS,
    accumulate,
    along_flow,
    fill_depressions,
    pair,
    receivers,
)

Float64 = NDArray[np.float64]

CONCAVITY = 0.45
"""Exponent of the catchment, theta: 0.4 to 0.6 in rivers that cut bedrock (Whipple and Tucker, 1999)."""
FLOOR_WIDTH = 0.075
"""Half the width of a valley floor, as a share of the root of the catchment."""
FLOOR_FROM_M2, FLOOR_FROM_SHARE = 1.0e6, 0.02
"""Catchment from which valleys have floors, m², or this share of a smaller domain."""
FLOOR_FROM_NODES, FLOOR_MOST_M = 20, 900.0
"""At least so many nodes drain to a floor; none is wider to each side, m."""
FLOOR_SLOPE = 0.04
"""Steepest mean slope of valley floors, along and across."""
SLIDES = 3
"""How many nodes far hillsides slide each time."""
_LEVEL = 1.5
"""Step of the catchments for which the width of valley floors is taken."""


class Rock(NamedTuple):
    """What rivers carve into; arrays of the nodes' shape."""

    node_m: float
    steepness: Float64
    hold: Float64
    """Steepest slope that hillsides hold, metres a metre."""
    outlets: NDArray[np.bool_]


def carve(height: Float64, rock: Rock, rounds: int) -> Float64:
    """Heights in balance with the rivers that run over them.

    Parameters
    ----------
    height : float64 array of shape (rows, columns)
        Where the first rivers run.
    rock : Rock
    rounds : int
        How often flow is routed and heights are set.

    Returns
    -------
    float64 array of shape (rows, columns)
        Metres above the outlets, without depressions.
    """
    lowered = np.where(rock.outlets, height.min() - 1.0, height)
    carved = fill_depressions(lowered, rock.outlets)
    for _ in range(rounds):
        receiver = receivers(carved, rock.node_m)
        slope = _slope(accumulate(receiver, np.full(carved.size, rock.node_m**2)).reshape(carved.shape), rock)
        away = np.subtract(
            np.divmod(receiver, carved.shape[1]), np.divmod(np.arange(carved.size), carved.shape[1])
        )
        rise = slope.ravel() * rock.node_m * np.hypot(*away)
        carved = _slide(along_flow(receiver, rise).reshape(carved.shape), rock)
    return carved


def _slope(catchment_m2: Float64, rock: Rock) -> Float64:
    """Slope toward the receiver, from the catchment."""
    slope = np.minimum(rock.steepness * catchment_m2**-CONCAVITY, rock.hold)
    floor_slope = FLOOR_SLOPE * rock.steepness / rock.steepness.mean()
    return np.where(_floors(catchment_m2, rock.node_m), np.minimum(slope, floor_slope), slope)


def _floors(catchment_m2: Float64, node_m: float) -> NDArray[np.bool_]:
    """Nodes on valley floors: closer to a channel than its catchment allows."""
    found = np.zeros(catchment_m2.shape, dtype=bool)
    least = min(FLOOR_FROM_M2, FLOOR_FROM_SHARE * catchment_m2.size * node_m**2)
    least = max(least, FLOOR_FROM_NODES * node_m**2)
    while least < catchment_m2.max():
        reach_m = min(FLOOR_WIDTH * math.sqrt(least), FLOOR_MOST_M)
        found |= np.asarray(distance_transform_edt(catchment_m2 < least)) * node_m <= reach_m
        least *= _LEVEL
    return found


def _slide(height: Float64, rock: Rock) -> Float64:
    """Lower what stands steeper above a neighbour than hillsides hold; no depression can arise."""
    for _ in range(SLIDES):
        for rows, cols in NEIGHBOURS:
            here, there = pair(height.shape, rows, cols)
            held = height[there] + rock.node_m * math.hypot(rows, cols) * rock.hold[here]
            height[here] = np.minimum(height[here], held)
    return height
