r"""Loss of NDVI as evidence of landslides: a network of NDVI in the place of a detector without labels.

The network predicts the NDVI of the composites before and after the event. Their difference over its own
error is the score,

.. math:: z = \frac{\hat n_{pre} - \hat n_{post}}{\sqrt{\sigma^2(\hat n_{pre}) + \sigma^2(\hat n_{post})}},

with :math:`\sigma` what the validation chips show at a predicted value. Its null is learned from the scores
of the map itself, as that of every detector without labels (:mod:`headscarp.detect.null`): the errors of both
moments share the terrain, so :math:`z` is no normal score.

With backscatter, the standardised loss of backscatter :math:`z_b` (orbits and polarisations fused, by its own
middle and spread on the map) stands beside it, and the score is :math:`(z + z_b) / \sqrt 2`. The null makes
no assumption on how the two hang together.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from headscarp.checkpoint import Checkpoint
from headscarp.detect.null import EmpiricalNull, NullOptions
from headscarp.detect.protocol import StackFacts
from headscarp.detect.robust import median, robust_std
from headscarp.detect.sample import counted_pixels, spatial_coords
from headscarp.features.change import Change, fuse
from headscarp.features.composite import Moment
from headscarp.polygons import PolygonOptions
from headscarp.predict.network import widest_block_px
from headscarp.predict.values import ValuePredictor

FloatArray = NDArray[np.float32]
NAME = "ndvi-loss"
LOSS = NullOptions(direction="loss")
MOMENTS: tuple[Moment, ...] = ("pre", "post")
LEAST_SPREAD_DB = 0.01
"""Of the change over a map, so that constant ground divides by no zero."""


@dataclass(frozen=True)
class NdviLossDetector:
    """A network of NDVI as a detector of its loss.

    Attributes
    ----------
    checkpoint : Checkpoint
        Of a network of values, with its errors on validation chips.
    options : NullOptions
        The stated share of landslides; only a loss can be one.
    with_backscatter : bool
        Whether the loss of backscatter counts beside it.
    notes : tuple of str
        Where a stack differs from the training.

    Raises
    ------
    CheckpointError
        If the network gives log-odds of landslides, or its card does not say how far it errs.
    """

    checkpoint: Checkpoint
    options: NullOptions = LOSS
    with_backscatter: bool = False
    notes: tuple[str, ...] = ()
    _predictor: ValuePredictor = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_predictor", ValuePredictor(self.checkpoint))

    @property
    def name(self) -> str:
        """What it is, and which network."""
        return f"{NAME}{' with backscatter' if self.with_backscatter else ''} {self._predictor.name}"

    @property
    def score_name(self) -> str:
        """What its score is."""
        return "loss of predicted NDVI in standard deviations" + (
            ", with the loss of backscatter" if self.with_backscatter else ""
        )

    @property
    def about(self) -> str:
        """What its probability is, for the reader of a map."""
        return (
            f"Evidence is the loss of NDVI that a network predicts from radar, {self._predictor.name}: it "
            "holds as far as vegetation here looks as it did where the network was trained. It sees all "
            "orbits at once, so no orbit is scored alone."
        )

    @property
    def needs(self) -> tuple[str, ...]:
        """Variables that the channels of the network are formed of."""
        return self.checkpoint.card.task.features.needs

    @property
    def halo_px(self) -> int:
        """Receptive field of the network and of its channels to one side, a multiple of its stride."""
        network = self._predictor.halo().halo_px
        stride = self._predictor.stride_px
        return network + -(-self.checkpoint.card.task.features.halo_px // stride) * stride

    @property
    def block_px(self) -> int:
        """Side of a block that memory has room for."""
        return widest_block_px(self.checkpoint)

    @property
    def threshold(self) -> float:
        """Of detectors without labels: the network was not trained on landslides."""
        return PolygonOptions().threshold

    def suited(self, stack: StackFacts) -> NdviLossDetector:
        """The detector made ready for a stack.

        Raises
        ------
        CheckpointError
            If the stack lacks what the network looks at, or its pixels are of another size.
        """
        return replace(self, notes=self._predictor.require_suited(stack))

    def fit(self, sample: Change) -> FittedNdviLoss:
        """Ready to score; the null is learned from the scores, the scale of the backscatter from here."""
        return FittedNdviLoss(self._predictor, self.options, self._scale(sample))

    def _scale(self, sample: Change) -> Scale | None:
        if not self.with_backscatter:
            return None
        lost = fused_loss_db(counted_pixels(sample))
        spread = max(float(robust_std(lost)), LEAST_SPREAD_DB)
        return Scale(float(np.nan_to_num(median(lost))), spread)


@dataclass(frozen=True)
class Scale:
    """Middle and spread of the fused change over the map, dB."""

    middle_db: float
    spread_db: float


@dataclass(frozen=True)
class FittedNdviLoss:
    """A network of NDVI ready to score, and, once scores are known, their null.

    Attributes
    ----------
    predictor : ValuePredictor
    options : NullOptions
    scale : Scale or None
        Of the loss of backscatter that counts beside; none: NDVI alone.
    null : EmpiricalNull or None
        None before `learned`.
    """

    predictor: ValuePredictor
    options: NullOptions
    scale: Scale | None = None
    null: EmpiricalNull | None = None

    def score(self, change: Change) -> xr.DataArray:
        """Loss of NDVI over its error; positive for a loss, NaN where either moment was not observed."""
        values = self.score_inside(change, 0)
        return xr.DataArray(values, dims=("y", "x"), coords=spatial_coords(change, ("y", "x")))

    def score_inside(self, change: Change, halo_px: int) -> FloatArray:
        """The same of what lies inside a halo, which is looked at and no more."""
        predicted, seen = [], []
        for moment in MOMENTS:
            x, has_value = self.predictor.inputs(change, moment)
            predicted.append(self.predictor.predict(x, halo_px))
            seen.append(has_value)
        rows, cols = (slice(halo_px, size - halo_px) for size in seen[0].shape)
        variance = sum(self.predictor.residual.at(values) ** 2 for values in predicted)
        z = (predicted[0] - predicted[1]) / np.sqrt(variance)
        if self.scale is not None:
            lost = fused_loss_db(change)[rows, cols]
            z = (z + (lost - self.scale.middle_db) / self.scale.spread_db) / np.sqrt(np.float32(2))
        return np.where((seen[0] & seen[1])[rows, cols], z, np.float32(np.nan)).astype(np.float32)

    def orbit_scores(self, change: Change) -> xr.DataArray:
        """NaN: NDVI is predicted from all orbits together."""
        like = change["change_db"].isel(polarization=0, drop=True).transpose("orbit", "y", "x")
        return like.copy(data=np.full(like.shape, np.nan, np.float32))

    def learned(self, scores: FloatArray) -> FittedNdviLoss:
        """The same with the null of its scores over the map.

        Raises
        ------
        HeadscarpError
            With fewer than 100 scores.
        """
        null = EmpiricalNull.fit(scores, self.options.prior_landslide, self.options.direction)
        return replace(self, null=null)

    def probability(self, score: xr.DataArray) -> xr.DataArray:
        """One minus the local false-discovery rate; NaN where the score is, and before it is learned."""
        if self.null is None:
            return score.copy(data=np.full(score.shape, np.nan, np.float32))
        return score.copy(data=self.null.probability(score.values))

    def null_density(self, score: NDArray[np.float64]) -> NDArray[np.float64]:
        """Density of the score where nothing happened, weighted by its stated share."""
        return np.full(np.shape(score), np.nan) if self.null is None else self.null.density(score)

    def record(self) -> dict[str, Any]:
        """The network, its error, the scale of the backscatter and the null."""
        beside = None if self.scale is None else asdict(self.scale)
        own = {"ndvi": self.predictor.record(), "backscatter": beside}
        return own | ({} if self.null is None else self.null.record())


def fused_loss_db(change: Change) -> FloatArray:
    """Loss of backscatter, orbits fused by equation 7, mean of the polarisations that have a value."""
    fused = fuse(change).transpose("polarization", ...).values
    known = np.isfinite(fused)
    mean = np.where(known, fused, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(known.any(axis=0), mean, np.nan).astype(np.float32)
