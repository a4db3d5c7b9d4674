r"""Fusion: orbits, polarisations, direction of change, vegetation, slope and observability in one score.

From the t-test's normal scores of each orbit and polarisation (:mod:`headscarp.detect.t_test`), combined
over the orbits that can see the ground and pooled over five windows (:mod:`headscarp.detect.pooling`), come
the evidence *h* of VH and *v* of VV, both of variance 1 where nothing happened and positive for a loss. The
score is

.. math::
    s = (w_1 + w_2\, g)\, h + w_3 |v| + w_4 v + w_5 \frac{\min(\theta, 40°) - 25°}{10°},

with the slope :math:`\theta` and the share :math:`g \in [0, 1]` that tells vegetation from bare ground by VH
before the event. VH falls where plants are stripped; VV goes either way, with roughness and the new slope.
Terms that are not known (no VH, no DEM) are 0; without VH a second pair of weights takes the place of the
first.

The weights are data (``fusion.json``): a logistic regression on simulated events, by
``python -m benchmarks.fusion_weights``, which also writes where they come from. docs/detectors.md explains
them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from headscarp.detect.null import EmpiricalNull, NullOptions
from headscarp.detect.pooling import MIN_SPREAD, Pooling, halo_of
from headscarp.detect.robust import combine, median, robust_std
from headscarp.detect.sample import counted_pixels, counted_values, spatial_coords
from headscarp.detect.statistic import FittedStatisticDetector, StatisticDetector
from headscarp.detect.t_test import TTest
from headscarp.errors import OptionsError
from headscarp.features.change import Change
from headscarp.geometry.observable import Observable
from headscarp.vocabulary import OrbitState

FloatArray = NDArray[np.float32]

WINDOWS_PX = (1, 3, 5, 7, 9)
"""Sides of the windows over which evidence is pooled."""
STEEPEST_DEG, MIDDLE_DEG, STEP_DEG = 40.0, 25.0, 10.0
"""Slope beyond which steeper is no likelier, slope of no effect, and unit of the slope term."""
BARE_BELOW_DB, VEGETATION_STEP_DB = 3.0, 1.5
"""VH this far below the area's median before the event is half vegetated; the width of that transition."""
_FIELDS = ("mean_change_db", "pre_variance_db2", "post_variance_db2", "pre_db")


class Weights(NamedTuple):
    """The few numbers of the fusion."""

    loss_vh: float
    loss_vh_vegetated: float
    either_vv: float
    signed_vv: float
    slope: float
    either_vv_alone: float
    signed_vv_alone: float
    slope_vv_alone: float


class Terms(NamedTuple):
    """What the weights multiply, each of shape (...); 0 where it is not known."""

    vh: FloatArray
    vegetated: FloatArray
    vv: FloatArray
    slope: FloatArray
    has_vh: NDArray[np.bool_]
    seen: NDArray[np.bool_]


@cache
def read_weights() -> Weights:
    """The weights that the package ships."""
    text = files("headscarp.detect").joinpath("fusion.json").read_text(encoding="utf-8")
    return Weights(**json.loads(text)["weights"])


@dataclass(frozen=True)
class Fusion:
    """The fusion detector."""

    options: NullOptions = field(default_factory=lambda: NullOptions(direction="loss"))
    windows_px: tuple[int, ...] = WINDOWS_PX
    name: str = "fusion"
    needs: tuple[str, ...] = _FIELDS

    @property
    def halo_px(self) -> int:
        """Pixels beyond a tile that the widest window reaches."""
        return halo_of(self.windows_px)

    def fit(self, sample: Change) -> FittedFusion:
        """Learn the noise of the t-test, of each polarisation's pooled evidence, and the null of the score.

        Raises
        ------
        HeadscarpError
            With fewer than 100 observed pixels.
        OptionsError
            If only gains are to count.
        """
        if self.options.direction == "gain":
            raise _only_losses()
        t_test = StatisticDetector(TTest()).fit(sample)
        rough = Evidence(t_test, {}, {}, _vh_level_db(sample))
        pooling = {
            pol: Pooling.fit(_as_score(values, sample), sample, self.windows_px)
            for pol, values in rough.fused(sample).items()
        }
        by_orbit = {orbit: self._orbit_pooling(rough, sample, orbit) for orbit in t_test.orbits}
        evidence = Evidence(t_test, pooling, by_orbit, rough.vh_level_db)
        score = _as_score(weigh(evidence.terms(sample), read_weights()), sample)
        null = EmpiricalNull.fit(counted_values(score, sample), self.options.prior_landslide, "loss")
        scales = {orbit: _scale_of(evidence, sample, orbit) for orbit in t_test.orbits}
        return FittedFusion(evidence, read_weights(), null, scales)

    def _orbit_pooling(self, rough: Evidence, sample: Change, orbit: str) -> dict[str, Pooling]:
        return {
            pol: Pooling.fit(_as_score(values, sample), sample, self.windows_px)
            for pol, values in rough.fused(sample, orbit).items()
        }


@dataclass(frozen=True)
class Evidence:
    """Pooled evidence of each polarisation, from what was learned of one stack.

    Attributes
    ----------
    t_test : FittedStatisticDetector
    pooling : dict of str to Pooling
        By polarisation.
    orbit_pooling : dict of str to dict of str to Pooling
        The same for each orbit alone.
    vh_level_db : float
        Median of VH before the event.
    """

    t_test: FittedStatisticDetector
    pooling: dict[str, Pooling]
    orbit_pooling: dict[str, dict[str, Pooling]]
    vh_level_db: float

    def fused(self, change: Change, orbit: str | None = None) -> dict[str, FloatArray]:
        """Evidence of each polarisation over the orbits that can see the ground, or of one orbit."""
        z = self.t_test.channels(change)
        weight = _sight(change, self.t_test.orbits) if orbit is None else None
        kinds = len(self.t_test.polarizations)
        picked = range(len(z)) if orbit is None else [self.t_test.orbits.index(orbit)]
        fused = {}
        for j, pol in enumerate(self.t_test.polarizations):
            rows = [i * kinds + j for i in picked]
            fused[pol] = combine(z[list(picked), j], self.t_test.correlation[np.ix_(rows, rows)], weight)
        return fused

    def terms(self, change: Change, orbit: str | None = None) -> Terms:
        """What the weights multiply, on the ground of a change."""
        pooling = self.pooling if orbit is None else self.orbit_pooling[orbit]
        pooled = {pol: pooling[pol].apply(values) for pol, values in self.fused(change, orbit).items()}
        shape = next(iter(pooled.values())).shape
        nothing = np.full(shape, np.nan, np.float32)
        vh, vv = pooled.get("VH", nothing), pooled.get("VV", nothing)
        return Terms(
            vh=np.nan_to_num(vh),
            vegetated=self._vegetated(change, shape),
            vv=np.nan_to_num(vv),
            slope=_slope_term(change, shape),
            has_vh=np.isfinite(vh),
            seen=np.isfinite(vh) | np.isfinite(vv),
        )

    def _vegetated(self, change: Change, shape: tuple[int, ...]) -> FloatArray:
        """Share in [0, 1] by VH before the event, in the mean of the orbits; 1/2 where that is not known."""
        if "VH" not in self.t_test.polarizations:
            return np.full(shape, 0.5, np.float32)
        level_db = change["pre_db"].sel(polarization="VH", orbit=list(self.t_test.orbits))
        values = level_db.transpose("orbit", ...).values
        valid = np.isfinite(values)
        total = np.where(valid, values, 0).sum(axis=0) / np.maximum(valid.sum(axis=0), 1)
        above = (total - (self.vh_level_db - BARE_BELOW_DB)) / VEGETATION_STEP_DB
        share = 0.5 + 0.5 * np.tanh(above / 2.0)
        return np.where(valid.any(axis=0), share, 0.5).astype(np.float32)


@dataclass(frozen=True)
class FittedFusion:
    """A fusion that knows the noise of one stack."""

    evidence: Evidence
    weights: Weights
    null: EmpiricalNull
    orbit_scales: dict[str, tuple[float, float]]
    """Centre and spread of the score of each orbit alone."""

    def score(self, change: Change) -> xr.DataArray:
        """Weighted evidence; near the edge of the change it lacks what lies beyond."""
        return _as_score(weigh(self.evidence.terms(change), self.weights), change)

    def orbit_scores(self, change: Change) -> xr.DataArray:
        """The same from each orbit alone, in standard deviations from what is usual for it."""
        orbits = self.evidence.t_test.orbits
        scores = []
        for orbit in orbits:
            centre, spread = self.orbit_scales[orbit]
            values = weigh(self.evidence.terms(change, orbit), self.weights)
            scores.append(_as_score(np.float32(1 / spread) * (values - np.float32(centre)), change))
        return xr.concat(scores, dim="orbit").assign_coords(orbit=list(orbits)).rename("orbit_score")

    def probability(self, score: xr.DataArray) -> xr.DataArray:
        """One minus the local false-discovery rate."""
        return score.copy(data=self.null.probability(score.values)).rename("probability")

    def null_density(self, score: NDArray[np.float64]) -> NDArray[np.float64]:
        """Density of the score where nothing happened, weighted by its stated share."""
        return self.null.density(score)

    def record(self) -> dict[str, Any]:
        """Everything that was fitted, and the weights, for ``run.json``."""
        pooling = {pol: own.record() for pol, own in self.evidence.pooling.items()}
        own = {
            "weights": self.weights._asdict(),
            "pooling": pooling,
            "vh_level_db": self.evidence.vh_level_db,
        }
        return self.evidence.t_test.record() | own | self.null.record()


def weigh(terms: Terms, weights: Weights) -> FloatArray:
    """Score from its terms; NaN where nothing was observed."""
    w = weights
    with_vh = (w.loss_vh + w.loss_vh_vegetated * terms.vegetated) * terms.vh
    with_vh = with_vh + w.either_vv * np.abs(terms.vv) + w.signed_vv * terms.vv + w.slope * terms.slope
    alone = (
        w.either_vv_alone * np.abs(terms.vv) + w.signed_vv_alone * terms.vv + w.slope_vv_alone * terms.slope
    )
    score = np.where(terms.has_vh, with_vh, alone)
    return np.where(terms.seen, score, np.nan).astype(np.float32)


def _scale_of(evidence: Evidence, sample: Change, orbit: str) -> tuple[float, float]:
    """Median and robust spread of the score of one orbit alone."""
    score = _as_score(weigh(evidence.terms(sample, orbit), read_weights()), sample)
    values = counted_values(score, sample).reshape(1, -1)
    return float(np.nan_to_num(median(values))[0]), max(float(robust_std(values)[0]), MIN_SPREAD)


def _sight(change: Change, orbits: tuple[str, ...]) -> FloatArray | None:
    """Weight of each orbit at each pixel: 0 where it cannot see and another orbit can; none: 1 everywhere."""
    if "observable" not in change:
        return None
    ground = [dim for dim in change["change_db"].dims if dim not in ("orbit", "polarization")]
    code = change["observable"].transpose(*ground).values
    states = change["orbit_state"].sel(orbit=list(orbits)).values.tolist()
    bit = {OrbitState.ASCENDING: Observable.ASCENDING, OrbitState.DESCENDING: Observable.DESCENDING}
    known = (code != Observable.UNKNOWN) & (code != Observable.NEITHER)
    sees = np.stack([(code & bit[OrbitState(state)]) != 0 for state in states])
    own = np.where(known, sees, True)
    observed = change["mean_change_db"].sel(orbit=list(orbits)).notnull()
    any_left = (own & observed.any("polarization").transpose("orbit", *ground).values).any(axis=0)
    return np.where(any_left, own, True).astype(np.float32)


def _slope_term(change: Change, shape: tuple[int, ...]) -> FloatArray:
    if "slope_deg" not in change:
        return np.zeros(shape, np.float32)
    ground = [dim for dim in change["change_db"].dims if dim not in ("orbit", "polarization")]
    slope = change["slope_deg"].transpose(*ground).values
    term = (np.minimum(slope, STEEPEST_DEG) - MIDDLE_DEG) / STEP_DEG
    return np.asarray(np.nan_to_num(term), dtype=np.float32)


def _vh_level_db(sample: Change) -> float:
    """Median of VH before the event over the area; 0 without VH."""
    pixels = counted_pixels(sample)
    if "VH" not in pixels["polarization"].values:
        return 0.0
    values = pixels["pre_db"].sel(polarization="VH").values.reshape(1, -1)
    return float(np.nan_to_num(median(values))[0])


def _as_score(values: FloatArray, change: Change) -> xr.DataArray:
    """Values as a score on the ground of a change."""
    dims = tuple(dim for dim in change["change_db"].dims if dim not in ("orbit", "polarization"))
    return xr.DataArray(values, dims=dims, name="score", coords=spatial_coords(change, dims))


def _only_losses() -> OptionsError:
    return OptionsError(
        "the fusion for changes of either sign, or for losses",
        "--direction gain",
        "its weights say how strongly a loss of VH speaks for a landslide; gains of VH speak against one",
        "map gains with --detector log-ratio or t-test",
    )
