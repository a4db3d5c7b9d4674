"""Blocks of ground: which one a chip lies in, who gets it, and which chips lie too near to others."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from headscarp.chips.options import SplitOptions
from headscarp.chips.store import ChipFacts, StoreFacts

IntArray = NDArray[np.int64]

_ROUNDING_M = 1e-3
"""Chips of one lattice are exactly their stride apart, but for rounding."""


CHIPS_A_SIDE = (8, 4, 2)
"""Of a block whose side is not said: the first that leaves `LEAST_BLOCKS`, else the last."""
LEAST_BLOCKS = 10


def block_of(chip: ChipFacts, block_m: float) -> tuple[str, int, int]:
    """Block that a chip's centre lies in: CRS, column from west to east, row from south to north.

    The lattice is anchored at the origin of the CRS. A centre on an edge belongs to the block east or north.
    """
    left, bottom, right, top = chip.bounds
    return chip.crs, math.floor((left + right) / 2 / block_m), math.floor((bottom + top) / 2 / block_m)


def block_side_m(facts: StoreFacts, options: SplitOptions) -> float:
    """Side of a block in metres: as the options say, else as large as leaves enough blocks to deal.

    Parameters
    ----------
    facts : StoreFacts
    options : SplitOptions
    """
    if options.block_m is not None:
        return options.block_m
    chip_m = facts.size_px * facts.spacing_m
    dealt = [chip for chip in facts.chips if chip.event not in options.test_events]
    sides = [chips * chip_m for chips in CHIPS_A_SIDE]
    return next(
        (side for side in sides if len({block_of(c, side) for c in dealt}) >= LEAST_BLOCKS), sides[-1]
    )


def deal(weights: NDArray[np.float64], shares: Sequence[float], generator: np.random.Generator) -> IntArray:
    """Deal blocks to shares, in a drawn order, each to the share that is furthest below what it wants.

    Parameters
    ----------
    weights : ndarray, shape (blocks, 2)
        Landslide pixels and chips of each block. Blocks with landslides come first and are dealt by them, so
        that every share gets some; the others by chips, those already dealt included.
    shares : sequence of float
        Sum 1; a share of 0 gets nothing.
    generator : Generator

    Returns
    -------
    ndarray of int64, shape (blocks,)
        Share of each block.
    """
    order = generator.permutation(len(weights))
    wanted = np.outer(shares, weights.sum(axis=0))
    wanted[np.asarray(shares) == 0] = -np.inf
    dealt = np.zeros(len(weights), dtype=np.int64)
    slides = weights[order, 0] > 0
    for by, blocks in ((0, order[slides]), (1, order[~slides])):
        for block in blocks:
            dealt[block] = int(np.argmax(wanted[:, by]))
            wanted[dealt[block]] -= weights[block]
    return dealt


def near(
    mine: NDArray[np.object_], others: NDArray[np.object_], tolerance_m: float, buffer_m: float
) -> IntArray:
    """Chips of mine that overlap any of the others, or lie nearer to one than a buffer.

    Parameters
    ----------
    mine, others : ndarray of Polygon
        Outlines, in one CRS in metres.
    tolerance_m : float
        Overlaps up to so deep are rounding: chips that touch do not overlap.
    buffer_m : float

    Returns
    -------
    ndarray of int64
        Their positions, rising.
    """
    if not (len(mine) and len(others)):
        return np.zeros(0, dtype=np.int64)
    tree = shapely.STRtree(others)
    within = shapely.buffer(mine, -tolerance_m, cap_style="square", join_style="mitre")
    found = [tree.query(within, predicate="intersects")[0]]
    if buffer_m > _ROUNDING_M:
        found.append(tree.query(mine, predicate="dwithin", distance=buffer_m - _ROUNDING_M)[0])
    return np.unique(np.concatenate(found)).astype(np.int64)
