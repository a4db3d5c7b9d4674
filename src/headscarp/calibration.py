r"""Calibration of a probability, fitted on validation ground and applied elsewhere.

A detector may rank pixels well and still say 0.9 where one pixel in three has slid. Three maps lead from what
it says to what is observed, each fitted on ground that is neither trained nor tested on:

- *temperature* (Guo et al. 2017), one number that stretches or squeezes the log-odds,

  .. math:: p' = \frac{1}{1 + e^{-\operatorname{logit}(p) / T}},

  which keeps the order of the pixels and leaves 0.5 where it is, so it corrects confidence but no wrong
  prevalence;
- *Platt scaling* (Platt 1999), a temperature and an offset,

  .. math:: p' = \frac{1}{1 + e^{-(\operatorname{logit}(p) / T + b)}},

  which keeps the order too and corrects a wrong prevalence: a network trained on a loss that is no
  likelihood, such as Dice, may call everything 0.5;
- *isotonic* (Zadrozny & Elkan 2002), any rising curve: the pool-adjacent-violators solution, linear between
  the centres of its blocks. Below the first centre and above the last it is flat, so pixels tie there.

Neither temperature nor Platt scaling moves a probability of exactly 0, so such pixels take no part in their
fits and stay 0. An isotonic curve gives them the share that has slid among them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.optimize import brentq, isotonic_regression
from scipy.special import expit, logit

from headscarp.errors import HeadscarpError

FloatArray = NDArray[np.float64]
CalibrationMethod = Literal["none", "temperature", "isotonic"]

HIGHEST = 1.0 - 1e-7
"""A probability beyond it counts as this much where log-odds are taken: float32 rounds what is nearer to 1 up
to 1, with odds without end. Towards 0 float32 is fine enough."""
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.01, 100.0
"""Bounds of a fit: reached where classes are separated without error, or ranked worse than by chance."""


class Temperature(BaseModel):
    """Temperature scaling: log-odds divided by one number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["temperature"] = "temperature"
    temperature: float = Field(gt=0, allow_inf_nan=False)

    def __str__(self) -> str:
        return f"temperature {self.temperature:.3g}"


class Platt(BaseModel):
    """Platt scaling: log-odds divided by one number, and moved by another."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["platt"] = "platt"
    temperature: float = Field(gt=0, allow_inf_nan=False)
    offset: float = Field(allow_inf_nan=False)

    def __str__(self) -> str:
        return f"temperature {self.temperature:.3g}, offset {self.offset:.3g}"


class Isotonic(BaseModel):
    """Isotonic regression: linear between rising knots, flat beyond them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Literal["isotonic"] = "isotonic"
    probability: tuple[float, ...] = Field(min_length=1)
    """Knots, rising: mean probability of each block."""
    calibrated: tuple[float, ...]
    """Observed share of landslide pixels in each block, never falling."""

    @model_validator(mode="after")
    def _is_rising(self) -> Self:
        knots, values = np.array(self.probability), np.array(self.calibrated)
        if len(knots) != len(values):
            raise ValueError("one calibrated value is needed for each knot")
        if not (np.all(np.diff(knots) > 0) and np.all(np.diff(values) >= 0)):
            raise ValueError("knots must rise and calibrated values must not fall")
        if not (_inside_unit(knots) and _inside_unit(values)):
            raise ValueError("knots and calibrated values must lie in [0, 1]")
        return self


Scaling = Temperature | Platt
"""A calibration that is a straight line in log-odds: it keeps the order of all pixels."""
Calibration = Scaling | Isotonic


def fit_temperature(probability: ArrayLike, landslide: ArrayLike, clear: ArrayLike) -> Temperature:
    r"""Fit the temperature of least negative log-likelihood.

    With :math:`z` the log-odds, :math:`l` landslide and :math:`c` clear pixels of each bin, the likelihood
    is convex in :math:`\beta = 1/T` and its slope vanishes at the fit:

    .. math:: \sum z \left[(l + c)\, \sigma(\beta z) - l\right] = 0.

    Parameters
    ----------
    probability : array_like, shape (bins,)
        Mean probability of the pixels of each bin, [0, 1]; NaN in a bin without pixels. Exact zeros need a
        bin of their own, as :func:`headscarp.evaluate.reliability.calibration_edges` gives them.
    landslide, clear : array_like, shape (bins,)
        Number of landslide pixels and of the others in each bin.

    Returns
    -------
    Temperature
        Between 0.01 and 100. At 0.01 the classes are separated without error; at 100 they are ranked no
        better than by chance. 1 where every probability is 0.5.

    Raises
    ------
    HeadscarpError
        If no landslide or no clear pixel has a probability above 0, or a probability is none.

    References
    ----------
    Guo, Pleiss, Sun & Weinberger (2017), On calibration of modern neural networks, ICML, §4.2.

    Examples
    --------
    The detector says 0.9 and 0.1, the log-odds of 9 and 1/9; 3 in 4 and 1 in 4 have slid, log-odds of 3 and
    1/3: log(9) / log(3) = 2.

    >>> round(fit_temperature([0.9, 0.1], [75, 25], [25, 75]).temperature, 6)
    2.0
    """
    p, positive, negative = _bins_with_pixels(probability, landslide, clear, above=0.0)
    z = _log_odds(p)

    def slope(beta: float) -> float:
        return float(np.sum(z * ((positive + negative) * expit(beta * z) - positive)))

    if not z.any():
        return Temperature(temperature=1.0)
    beta = _rising_root(slope, 1.0 / MAX_TEMPERATURE, 1.0 / MIN_TEMPERATURE)
    return Temperature(temperature=1.0 / beta)


def fit_platt(probability: ArrayLike, landslide: ArrayLike, clear: ArrayLike) -> Platt:
    r"""Fit the temperature and the offset of least negative log-likelihood.

    With :math:`z` the log-odds, :math:`l` landslide and :math:`c` clear pixels of each bin, and
    :math:`q = \sigma(\beta z + b)`, both slopes vanish at the fit:

    .. math:: \sum \left[(l + c) q - l\right] = 0, \qquad \sum z \left[(l + c) q - l\right] = 0.

    The first gives the one offset of each :math:`\beta = 1/T`; along these the likelihood is still convex.

    Parameters
    ----------
    probability, landslide, clear : array_like, shape (bins,)
        As for :func:`fit_temperature`.

    Returns
    -------
    Platt
        Its temperature lies between 0.01 and 100, as that of :func:`fit_temperature` does. 1 where every
        probability is the same: then the offset alone leads to the share that has slid.

    Raises
    ------
    HeadscarpError
        If no landslide or no clear pixel has a probability above 0, or a probability is none.

    References
    ----------
    Platt (1999), Probabilistic outputs for support vector machines and comparisons to regularized likelihood
    methods, in Advances in large margin classifiers, 61-74.

    Examples
    --------
    Half is said everywhere, and 1 in 10 has slid: an offset of log(1/9).

    >>> fitted = fit_platt([0.5], [1], [9])
    >>> fitted.temperature, round(fitted.offset, 6)
    (1.0, -2.197225)
    """
    p, positive, negative = _bins_with_pixels(probability, landslide, clear, above=0.0)
    z = _log_odds(p)
    pixels = positive + negative

    def excess(beta: float, offset: float) -> FloatArray:
        return np.asarray(pixels * expit(beta * z + offset) - positive, dtype=np.float64)

    def offset_of(beta: float) -> float:
        share = float(logit(positive.sum() / pixels.sum()))
        bounds = (
            share - beta * float(z.max()),
            share - beta * float(z.min()),
        )  # q is below, and above, the share
        if bounds[0] == bounds[1]:
            return bounds[0]
        return float(brentq(lambda offset: excess(beta, offset).sum(), *bounds, xtol=1e-12))

    def slope(beta: float) -> float:
        return float(np.sum(z * excess(beta, offset_of(beta))))

    beta = 1.0 if np.ptp(z) == 0 else _rising_root(slope, 1.0 / MAX_TEMPERATURE, 1.0 / MIN_TEMPERATURE)
    return Platt(temperature=1.0 / beta, offset=offset_of(beta))


def fit_isotonic(probability: ArrayLike, landslide: ArrayLike, clear: ArrayLike) -> Isotonic:
    """Fit the non-decreasing curve of least squared error, weighted by pixels.

    Parameters
    ----------
    probability, landslide, clear : array_like, shape (bins,)
        As for :func:`fit_temperature`, in any order.

    Returns
    -------
    Isotonic
        A knot for each pooled block: mean probability and share of landslide pixels.

    Raises
    ------
    HeadscarpError
        If there is no landslide or no clear pixel, or a probability is none.

    References
    ----------
    Zadrozny & Elkan (2002), Transforming classifier scores into accurate multiclass probability estimates,
    KDD, §3.2.

    Examples
    --------
    0.4 and 0.6 are out of order and are pooled: 3 landslides in 10 pixels.

    >>> fit_isotonic([0.2, 0.4, 0.6, 0.8], [0, 2, 1, 4], [5, 3, 4, 1]).calibrated
    (0.0, 0.3, 0.8)
    """
    p, positive, negative = _bins_with_pixels(probability, landslide, clear)
    p, place = np.unique(p, return_inverse=True)
    landslides, pixels = np.bincount(place, positive), np.bincount(place, positive + negative)
    blocks = np.asarray(isotonic_regression(landslides / pixels, weights=pixels).blocks[:-1])
    weights = np.add.reduceat(pixels, blocks)
    centres = np.add.reduceat(pixels * p, blocks) / weights
    shares = np.add.reduceat(landslides, blocks) / weights
    never_falling = np.maximum.accumulate(shares)  # equal shares may differ in their last digit
    return Isotonic(probability=tuple(centres.tolist()), calibrated=tuple(never_falling.tolist()))


def calibrate(probability: ArrayLike, with_: Calibration) -> NDArray[np.float32]:
    """Calibrated probability; never falling in the probability it is given.

    Parameters
    ----------
    probability : array_like
        In [0, 1], any shape; NaN is kept. For a scaling 0 stays 0, and 1 counts as 1 − 1e-7.
    with_ : Temperature, Platt or Isotonic

    Returns
    -------
    float32 ndarray of the same shape

    Raises
    ------
    HeadscarpError
        If a value lies outside [0, 1].

    Examples
    --------
    >>> calibrate([0.0, 0.1, 0.5, 0.9], Temperature(temperature=2.0)).round(4).tolist() == [
    ...     0.0, 0.25, 0.5, 0.75]
    True
    """
    values = np.asarray(probability, dtype=np.float64)
    require_probability(values)
    if isinstance(with_, Isotonic):
        calibrated = np.interp(values, with_.probability, with_.calibrated)
    else:
        calibrated = expit(scale(_log_odds(values), with_))
    return np.asarray(calibrated, dtype=np.float32)


def scale(log_odds: ArrayLike, with_: Scaling) -> FloatArray:
    """Scaled log-odds, :math:`z / T + b`; a temperature has no offset.

    Examples
    --------
    >>> scale([-2.0, 0.0], Platt(temperature=2.0, offset=0.5)).tolist()
    [-0.5, 0.5]
    """
    offset = with_.offset if isinstance(with_, Platt) else 0.0
    return np.asarray(log_odds, dtype=np.float64) / with_.temperature + offset


def require_probability(values: NDArray[Any]) -> None:
    """Refuse values outside [0, 1] with a :class:`HeadscarpError`; NaN passes."""
    outside = values[(values < 0) | (values > 1)]
    if outside.size:
        raise HeadscarpError(
            "probabilities, in [0, 1]",
            f"{outside.size} values outside, such as {float(outside[0]):g}",
            "a score is no probability: it can be ranked, but neither calibrated nor held against shares",
            "give probability.tif rather than score.tif, or turn the score into a probability first",
        )


def _rising_root(slope: Callable[[float], float], low: float, high: float) -> float:
    """Root of a rising function, or the bound beyond which it lies."""
    if slope(low) >= 0:
        return low
    if slope(high) <= 0:
        return high
    return float(brentq(slope, low, high, xtol=1e-12))


def _log_odds(probability: FloatArray) -> FloatArray:
    return np.asarray(logit(np.minimum(probability, HIGHEST)), dtype=np.float64)


def _inside_unit(values: FloatArray) -> bool:
    return bool(np.all((values >= 0) & (values <= 1)))


def _bins_with_pixels(
    probability: ArrayLike, landslide: ArrayLike, clear: ArrayLike, above: float = -1.0
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Bins with pixels and a probability above a bound; refused where one class is missing."""
    p, positive, negative = (np.asarray(a, dtype=np.float64) for a in (probability, landslide, clear))
    require_probability(p)
    kept = (positive + negative > 0) & (p > above)
    if not (positive[kept].any() and negative[kept].any()):
        raise HeadscarpError(
            "landslide pixels and others, with a probability above 0, to fit a calibration on",
            f"{positive[kept].sum():.0f} landslide and {negative[kept].sum():.0f} clear pixels",
            "nothing can be fitted: any probability agrees with ground that shows one class only",
            "validate on ground that holds both",
        )
    return p[kept], positive[kept], negative[kept]
