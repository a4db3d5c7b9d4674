"""What a detector is: fitted on a sample of the change, it scores tiles and turns scores to probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from headscarp.features.change import Change
from headscarp.vocabulary import OrbitState


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
        """Density of the score where nothing happened, weighted by its prior; NaN: no null is known."""
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


@dataclass(frozen=True)
class StackFacts:
    """What a trained detector must know of a stack before a pixel is read.

    Attributes
    ----------
    polarizations : dict of OrbitState to frozenset of str
        Seen by the orbits of each state.
    has_dem : bool
    rasters : frozenset of str
        Names of the rasters that are declared.
    spacing_m : float
        Pixel size of the grid.
    pooling : str
        How dates are pooled into medians.
    pre_dates, post_dates : (int, int)
        Fewest and most dates of an orbit.
    series_dates : int
        Most dates of an orbit state, all its orbits together.
    """

    polarizations: dict[OrbitState, frozenset[str]]
    has_dem: bool
    rasters: frozenset[str]
    spacing_m: float
    pooling: str
    pre_dates: tuple[int, int]
    post_dates: tuple[int, int]
    series_dates: int


@runtime_checkable
class FittedTrained(FittedDetector, Protocol):
    """A trained detector made ready to score blocks."""

    def score_inside(self, change: Change, halo_px: int) -> NDArray[np.float32]:
        """Score of what lies inside the halo of a change, shape (y - 2 · halo_px, x - 2 · halo_px)."""
        ...


@runtime_checkable
class LearnsFromScores(FittedTrained, Protocol):
    """A trained detector whose probability is learned from the scores of the map itself."""

    def learned(self, scores: NDArray[np.float32]) -> FittedDetector:
        """The same, once scores of the map are known; NaN are left out."""
        ...


@runtime_checkable
class TrainedDetector(Detector, Protocol):
    """A detector that has learned from labels elsewhere: its fit ignores the sample, so none is cut.

    Its score is one of all orbits together: there are none of single orbits.
    """

    @property
    def block_px(self) -> int:
        """Side of the ground that it scores at once, a multiple of its stride: wider than a tile."""
        ...

    @property
    def threshold(self) -> float:
        """Probability from which it takes ground for a landslide."""
        ...

    @property
    def score_name(self) -> str:
        """What its score is, for the report."""
        ...

    @property
    def about(self) -> str:
        """What its probability is, in plain sentences for the reader of its map."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of its map must know, in plain sentences."""
        ...

    def suited(self, stack: StackFacts) -> TrainedDetector:
        """The detector made ready for a stack.

        Raises
        ------
        HeadscarpError
            If the stack lacks what it looks at, or its pixels are of another size.
        """
        ...
