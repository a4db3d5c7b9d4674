"""What a detector is: fitted on a sample of the change, it scores tiles and turns scores to probability."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from headscarp.features.change import Change


class FittedDetector(Protocol):
    """A detector that knows the noise of one stack. Pure: the same change gives the same answer."""

    def score(self, change: Change) -> xr.DataArray:
        """Evidence of change; zero for none, positive for a loss of backscatter; NaN: not observed.

        Within ``halo_px`` of the edge of the change it lacks what lies beyond.
        """
        ...

    def orbit_scores(self, change: Change) -> xr.DataArray:
        """The same evidence from each orbit alone, along ``orbit``."""
        ...

    def probability(self, score: xr.DataArray) -> xr.DataArray:
        """Probability of a landslide, in [0, 1]; NaN where the score is."""
        ...

    def null_density(self, score: NDArray[np.float64]) -> NDArray[np.float64]:
        """Density of the score where nothing happened, weighted by its prior."""
        ...

    def record(self) -> dict[str, Any]:
        """Everything that was fitted, for ``run.json``."""
        ...


class Detector(Protocol):
    """A way to find landslides without labels."""

    @property
    def name(self) -> str:
        """Name of the detector, as the options spell it."""
        ...

    @property
    def needs(self) -> tuple[str, ...]:
        """Variables of the change that it takes, besides the counts of dates."""
        ...

    @property
    def halo_px(self) -> int:
        """Pixels beyond a tile that the score of the tile depends on."""
        ...

    def fit(self, sample: Change) -> FittedDetector:
        """Learn the noise from a sample of the map.

        Parameters
        ----------
        sample : Dataset
            A change on ``(orbit, polarization, patch, y, x)`` or ``(orbit, polarization, y, x)``; see
            :mod:`headscarp.detect.sample`.
        """
        ...
