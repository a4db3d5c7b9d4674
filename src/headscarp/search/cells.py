"""The combinations of a search, and the order in which they are tried."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from headscarp.search.options import GridOptions


class Cell(NamedTuple):
    """One combination of hyperparameters."""

    batch_size: int
    learning_rate: float
    filters: int

    @property
    def name(self) -> str:
        """Name of its folder.

        Examples
        --------
        >>> Cell(8, 5e-4, 16).name
        'batch8_rate0.0005_filters16'
        """
        return f"batch{self.batch_size}_rate{self.learning_rate:g}_filters{self.filters}"


def cells(options: GridOptions) -> list[Cell]:
    """Combinations in the order they are tried: as listed for a grid, else drawn by the seed.

    Examples
    --------
    >>> len(cells(GridOptions())), len(cells(GridOptions(trials=5)))
    (36, 5)
    """
    product = itertools.product(options.batch_sizes, options.learning_rates, options.filters)
    every = list(dict.fromkeys(Cell(*values) for values in product))
    if options.method != "grid":
        order = np.random.default_rng(options.seed).permutation(len(every))
        every = [every[i] for i in order.tolist()]
    return every[: options.trials]
