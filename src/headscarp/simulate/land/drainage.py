r"""Where water runs: depressions filled, each node drained to its steepest neighbour, upstream ground summed.

On a grid without depressions every node :math:`i` has one receiver :math:`r(i)`, the neighbour (of eight)
with the steepest descent; the catchment is the sum over all nodes whose path leads through it,

.. math:: A_i = a_i + \sum_{j:\, r(j) = i} A_j,

and sums along a path, such as heights from slopes, are taken by pointer doubling: in :math:`\log_2 n` steps
every node jumps twice as far. :func:`drain` routes on nodes that are blocks of pixels and says what that
simplifies.

References
----------
O'Callaghan, J. F., and Mark, D. M. (1984). The extraction of drainage networks from digital elevation data.
Computer Vision, Graphics, and Image Processing, 28(3), 323-344. (Steepest of eight neighbours.)
Barnes, R., Lehman, C., and Mulla, D. (2014). Priority-flood: an optimal depression-filling and
watershed-labeling algorithm for digital elevation models. Computers & Geosciences, 62, 117-127.
Nobre, A. D., et al. (2011). Height Above the Nearest Drainage, a hydrologically relevant new terrain model.
Journal of Hydrology, 404(1-2), 13-29.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

from headscarp.errors import GridError
from headscarp.geometry.terrain import finite_or_nan
from headscarp.simulate.land.blocks import Blocks, blocks_of, refine

Heights = NDArray[np.floating[Any]]
Nodes = NDArray[np.intp]
Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]

CHANNEL_M2 = 2.5e5
"""Catchment from which water runs in a channel: 0.1 to 1 km² in humid mountains (Montgomery and Dietrich,
1988, Nature 336, 232-234; Nobre et al., 2011)."""
FILL_RISE_M = 1e-3
"""Rise from node to node across a filled depression: a millimetre, so that water finds its way out."""
MAX_NODES = 800
"""Most nodes along the longer side of the grid that water is routed on."""
MIN_NODE_M = 30.0
"""Smallest distance of those nodes, m; finer pixels are joined into blocks."""
_FORWARD = ((0, 1), (1, -1), (1, 0), (1, 1))
"""One of each pair of opposite neighbours, as (rows, columns)."""
NEIGHBOURS = tuple((s * r, s * c) for s in (-1, 1) for r, c in _FORWARD)
"""The eight neighbours of a node, as (rows, columns)."""


@dataclass(frozen=True)
class Drainage:
    """Drainage of each pixel of a grid; NaN where its height is.

    Attributes
    ----------
    catchment_m2 : float32 array of shape (rows, columns)
        Ground that drains through the pixel, its own included. The channel's threshold is reached in the
        channels alone, which are lines one pixel wide; elsewhere it is a smooth estimate below it.
    above_channel_m : float32 array of shape (rows, columns)
        Height above the channel that the pixel drains into, 0 or more, and 0 in channels.
    """

    catchment_m2: Float32
    above_channel_m: Float32


def fill_depressions(
    height_m: Heights, outlets: NDArray[np.bool_] | None = None, rise_m: float = FILL_RISE_M
) -> Float64:
    r"""Raise depressions until water runs out of each, gently, over its lowest rim.

    The height becomes that of the lowest barrier on the best way out, as in the priority flood of Barnes et
    al. (2014), found here as the path to the outlets in a minimum spanning tree:

    .. math:: z'_i = \max_{j \in \text{path}(i)} \left( z_j + \epsilon\, n_{ij} \right)

    with :math:`n_{ij}` the steps from :math:`i` to :math:`j` and :math:`\epsilon` the rise.

    Parameters
    ----------
    height_m : array of shape (rows, columns)
        NaN where unknown.
    outlets : bool array of shape (rows, columns), optional
        Where water leaves; at least one in each connected part. None: at the border, and beside NaN.
    rise_m : float
        Height gained with each step from the outlet, 0 or more.

    Returns
    -------
    float64 array of shape (rows, columns)
        No lower than the given; NaN where that is.

    Examples
    --------
    >>> import numpy as np
    >>> pit = np.array([[5.0, 5.0, 5.0], [5.0, 1.0, 3.0], [5.0, 5.0, 5.0]])
    >>> float(fill_depressions(pit, rise_m=0.5)[1, 1])
    3.5
    """
    height = finite_or_nan(height_m)
    ways = _ways_out(height, border(height) if outlets is None else outlets)
    steps = along_flow(ways, np.ones(height.size))
    barrier = height.ravel() - rise_m * steps
    for _ in range(height.size.bit_length()):
        barrier = np.maximum(barrier, barrier[ways])
        ways = ways[ways]
    return (barrier + rise_m * steps).reshape(height.shape)


def border(height_m: Heights) -> NDArray[np.bool_]:
    """Nodes of known height at the edge of the array, or beside (of eight neighbours) an unknown one."""
    known = np.isfinite(height_m)
    inside = binary_erosion(known, np.ones((3, 3), dtype=bool))
    return np.asarray(known & ~inside)


def receivers(height_m: Heights, spacing_m: float) -> Nodes:
    """Flat index of the node that each node drains to: of eight neighbours the one of steepest descent.

    Parameters
    ----------
    height_m : array of shape (rows, columns)
        Without depressions (:func:`fill_depressions`); NaN where unknown.
    spacing_m : float
        Metres between rows and between columns.

    Returns
    -------
    int array of shape (rows * columns,)
        Its own index where no neighbour is lower, and where the height is NaN.

    Examples
    --------
    >>> import numpy as np
    >>> receivers(np.array([[3.0, 2.0, 1.0]]), 10.0).tolist()
    [1, 2, 2]
    """
    height = finite_or_nan(height_m)
    own = np.arange(height.size).reshape(height.shape)
    receiver, steepest = own.copy(), np.zeros(height.shape)
    for rows, cols in NEIGHBOURS:
        here, there = pair(height.shape, rows, cols)
        descent = (height[here] - height[there]) / (spacing_m * math.hypot(rows, cols))
        better = descent > steepest[here]
        steepest[here] = np.where(better, descent, steepest[here])
        receiver[here] = np.where(better, own[there], receiver[here])
    return receiver.ravel()


def accumulate(receiver: Nodes, amount: Float64) -> Float64:
    """Sum of the amounts of each node and of all nodes that drain through it.

    Parameters
    ----------
    receiver : int array of shape (nodes,)
        As :func:`receivers` gives it.
    amount : float array of shape (nodes,)

    Examples
    --------
    >>> import numpy as np
    >>> accumulate(np.array([1, 2, 2]), np.ones(3)).tolist()
    [1.0, 2.0, 3.0]
    """
    steps = along_flow(receiver, np.ones(receiver.size)).astype(np.int64)
    order = np.argsort(steps, kind="stable")
    ends = np.cumsum(np.bincount(steps))
    total = np.array(amount, dtype=np.float64)
    for level in range(len(ends) - 1, 0, -1):
        nodes = order[ends[level - 1] : ends[level]]
        np.add.at(total, receiver[nodes], total[nodes])
    return total


def along_flow(receiver: Nodes, amount: Float64) -> Float64:
    """Sum of the amounts from each node down its path, those of the outlets left out.

    Parameters
    ----------
    receiver : int array of shape (nodes,)
        As :func:`receivers` gives it: a node that is its own receiver is an outlet.
    amount : float array of shape (nodes,)

    Examples
    --------
    >>> import numpy as np
    >>> along_flow(np.array([1, 2, 2]), np.array([5.0, 2.0, 9.0])).tolist()
    [7.0, 2.0, 0.0]
    """
    total = np.where(receiver == np.arange(receiver.size), 0.0, amount)
    jump = receiver
    for _ in range(receiver.size.bit_length()):
        total = total + total[jump]
        jump = jump[jump]
    return total


def first_along_flow(receiver: Nodes, chosen: NDArray[np.bool_]) -> Nodes:
    """Flat index of the first chosen node on each node's path, itself included; the outlet without any."""
    jump = np.where(chosen, np.arange(receiver.size), receiver)
    for _ in range(receiver.size.bit_length()):
        jump = jump[jump]
    return jump


def pair(shape: tuple[int, ...], rows: int, cols: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Windows of equal size: the nodes that have a neighbour so far away, and those neighbours."""
    here = tuple(slice(max(-d, 0), n - max(d, 0)) for d, n in zip((rows, cols), shape, strict=True))
    there = tuple(slice(max(d, 0), n - max(-d, 0)) for d, n in zip((rows, cols), shape, strict=True))
    return (here[0], here[1]), (there[0], there[1])


def drain(height_m: Heights, spacing_m: float, channel_m2: float = CHANNEL_M2) -> Drainage:
    """Catchment, and height above the nearest channel, of each pixel.

    Water is routed over square blocks of pixels, at least 30 m and at most 800 along a side, by their mean
    heights. Channels are drawn from the lowest pixel of a block to that of the block it drains to: a channel
    is one line even in a wide bed, and lies within a block of the true one. The channel's height is the
    lowest of its block, interpolated between neighbouring blocks, so that at divides the height above it is
    a mean of both sides. Water leaves at the border and at unknown heights; what would flow in there is
    not counted. Ground whose water reaches no channel is measured against its outlet.

    Parameters
    ----------
    height_m : array of shape (rows, columns)
        NaN where unknown.
    spacing_m : float
        Metres from pixel to pixel, above 0.
    channel_m2 : float
        Catchment from which water runs in a channel.

    Raises
    ------
    GridError
        If the heights are no 2-D array, or the spacing or the threshold is not above 0.
    """
    _check(height_m, spacing_m, channel_m2)
    factor = max(math.ceil(max(height_m.shape) / MAX_NODES), math.ceil(MIN_NODE_M / spacing_m - 1e-9))
    blocks = blocks_of(height_m, factor)
    receiver = receivers(fill_depressions(blocks.mean), factor * spacing_m)
    catchment = accumulate(receiver, blocks.pixels.ravel() * spacing_m**2)
    is_channel = catchment >= channel_m2
    bed = blocks.lowest.ravel()[first_along_flow(receiver, is_channel)]

    hillslope = np.log(np.clip(catchment, spacing_m**2, channel_m2 / 2.0))
    catchment_m2 = np.exp(refine(hillslope.reshape(blocks.mean.shape), factor, height_m.shape))
    above_m = np.maximum(height_m - refine(bed.reshape(blocks.mean.shape), factor, height_m.shape), 0.0)
    _draw_channels(catchment_m2, above_m, blocks, receiver, np.where(is_channel, catchment, 0.0))
    unknown = ~np.isfinite(height_m)
    catchment_m2[unknown], above_m[unknown] = np.nan, np.nan
    return Drainage(catchment_m2, above_m.astype(np.float32))


def _check(height_m: Heights, spacing_m: float, channel_m2: float) -> None:
    if height_m.ndim == 2 and height_m.size and spacing_m > 0.0 and channel_m2 > 0.0:
        return
    raise GridError(
        "heights of shape (rows, columns), and a spacing and a channel threshold above 0",
        f"heights of shape {height_m.shape}, {spacing_m!r} m, {channel_m2!r} m²",
        "catchments are areas of one grid",
        "pass one height model, its spacing in metres and a threshold in square metres",
    )


def _ways_out(height: Float64, outlets: NDArray[np.bool_]) -> Nodes:
    """Next node on each node's way to an outlet over the lowest barriers; itself at outlets and at NaN."""
    count, own = height.size, np.arange(height.size).reshape(height.shape)
    rank = np.empty(count)
    rank[np.argsort(height, axis=None, kind="stable")] = np.arange(1.0, count + 1.0)
    ends = [np.stack([own[outlets], np.full(np.count_nonzero(outlets), count)])]
    for rows, cols in _FORWARD:
        here, there = pair(height.shape, rows, cols)
        both = np.isfinite(height[here]) & np.isfinite(height[there])
        ends.append(np.stack([own[here][both], own[there][both]]))
    a, b = np.concatenate(ends, axis=1)
    ranks = rank[a], np.append(rank, 0.0)[b]
    # of ways over one barrier the lowest neighbour's is preferred, and from an outlet the way out
    barrier = np.maximum(*ranks) + np.minimum(*ranks) / (count + 1.0)
    tree = minimum_spanning_tree(coo_array((barrier, (a, b)), shape=(count + 1, count + 1)).tocsr())
    _, before = breadth_first_order(tree, count, directed=False)
    way = before[:count].astype(np.intp)
    return np.where((way == count) | (way < 0), own.ravel(), way)


def _draw_channels(
    catchment_m2: Float32, above_m: NDArray[Any], blocks: Blocks, receiver: Nodes, channel_m2: Float64
) -> None:
    """Enter channels, where ``channel_m2`` is not 0, as lines from block to block."""
    start = np.flatnonzero(channel_m2)
    place = blocks.place.ravel()
    cols = catchment_m2.shape[1]
    ends = np.stack(np.divmod(place[start], cols)), np.stack(np.divmod(place[receiver[start]], cols))
    steps = int(np.max(np.abs(ends[1] - ends[0]), initial=0)) + 1
    for part in np.linspace(0.0, 1.0, steps + 1):
        at = tuple(np.rint(ends[0] * (1.0 - part) + ends[1] * part).astype(np.intp))
        np.maximum.at(catchment_m2, at, channel_m2[start].astype(np.float32))
        above_m[at] = 0.0
