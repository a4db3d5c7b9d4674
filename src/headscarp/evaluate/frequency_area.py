"""Frequency and area of landslides: the log-binned density, and the three-parameter inverse gamma.

Malamud, Turcotte, Guzzetti & Reichenbach (2004), Landslide inventories and their statistical properties,
Earth Surface Processes and Landforms 29, 687-711. Areas are in m²; the paper's general values, in km²
there, are ρ = 1.40, a = 1280 m², s = −132 m².
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headscarp.errors import OptionsError

FloatArray = NDArray[np.float64]

MIN_LANDSLIDES = 30
"""Fewer areas than this say nothing on a tail and a rollover at once."""
MAX_RHO = 10.0
"""Exponents reported for inventories run from 1.4 to 3.4 (Van Den Eeckhaut et al. 2007, Earth and Planetary
Science Letters 256, 588-603). A shape beyond this is the limit without a power law, not a landslide tail."""
BINS_PER_DECADE = 5
GENERAL_RHO, GENERAL_A_M2, GENERAL_S_M2 = 1.40, 1280.0, -132.0
"""General values of Malamud et al. (2004, eq. 3), found alike after an earthquake, a snowmelt and a storm."""
_SHIFT_DECADES = (-4.0, 2.0)
"""Range searched for the distance from ``s`` to the smallest area, in decades of the median area. At its
lower end the likelihood has a spike at the smallest area, at its upper end a limit without a power law."""
_STEPS_PER_DECADE = 8
_NEWTON_STEPS = 8
"""Minka's start is right to 1.5%, and each step doubles the digits."""
_SMALLEST_GAP = 1e-10
"""Of the logarithms of two means: the shape is then 5e9, and rounding is all that remains of the spread."""


class FrequencyArea(NamedTuple):
    """Landslides by area, in bins of equal width in log area."""

    edges_m2: FloatArray
    """Shape (bins + 1,)."""
    counts: NDArray[np.int64]
    """Shape (bins,); additive where the edges are the same."""
    density_per_m2: FloatArray
    """Probability density p(A) of each bin, 1/m²; NaN without a landslide."""


class InverseGammaFit(NamedTuple):
    """Parameters of the inverse gamma, by maximum likelihood."""

    rho: float
    """Shape."""
    a_m2: float
    """Scale, m²."""
    s_m2: float
    """Shift, m²; negative for most inventories."""
    log_likelihood: float
    ks_distance: float
    """Largest distance between the fitted and the empirical distribution (Kolmogorov & Smirnov)."""

    @property
    def alpha(self) -> float:
        """Exponent of the power law that large areas follow, p ∝ A^−alpha: ``rho + 1``."""
        return self.rho + 1.0

    @property
    def rollover_m2(self) -> float:
        """Most frequent area, m²: ``a / (rho + 1) + s``."""
        return self.a_m2 / (self.rho + 1.0) + self.s_m2


class FitResult(NamedTuple):
    """A fit, or the reason why there is none."""

    n: int
    fit: InverseGammaFit | None
    reason: str
    """Empty where the fit converged."""

    @property
    def converged(self) -> bool:
        """Whether there is a fit."""
        return self.fit is not None


def frequency_area(areas_m2: NDArray[Any], edges_m2: NDArray[Any] | None = None) -> FrequencyArea:
    r"""Count landslides in logarithmic bins of area.

    .. math:: p(A) = \frac{1}{N} \frac{\delta N}{\delta A}

    Parameters
    ----------
    areas_m2 : ndarray, shape (n,)
        Areas of landslides, m².
    edges_m2 : ndarray, shape (bins + 1,), optional
        Edges of the bins, rising; by default five bins a decade, over the decades that the areas reach.
        Areas beyond given edges are not counted.

    Raises
    ------
    OptionsError
        If an area is not a positive number.

    Examples
    --------
    >>> curve = frequency_area(np.array([20.0, 200.0, 300.0, 2000.0]), np.array([10.0, 100.0, 1000.0]))
    >>> curve.counts.tolist(), [f"{p:.5f}" for p in curve.density_per_m2]
    ([1, 2], ['0.00278', '0.00056'])
    """
    areas = _positive(areas_m2)
    edges = _decades(areas) if edges_m2 is None else np.asarray(edges_m2, dtype=np.float64)
    counts = np.histogram(areas, edges)[0].astype(np.int64)
    density = counts / np.diff(edges) / areas.size if areas.size else np.full(counts.shape, np.nan)
    return FrequencyArea(edges, counts, density)


def inverse_gamma_density(area_m2: NDArray[Any], rho: float, a_m2: float, s_m2: float) -> FloatArray:
    r"""Probability density of landslide areas, 1/m² (Malamud et al. 2004); 0 up to ``s``.

    .. math::
        p(A; \rho, a, s) = \frac{1}{a\,\Gamma(\rho)} \left[\frac{a}{A-s}\right]^{\rho+1}
        \exp\left[-\frac{a}{A-s}\right]
    """
    from scipy.special import gammaln

    beyond = np.asarray(area_m2, dtype=np.float64) - s_m2
    x = a_m2 / np.where(beyond > 0, beyond, 1.0)
    density = np.exp((rho + 1.0) * np.log(x) - x - gammaln(rho)) / a_m2
    return np.asarray(np.where(beyond > 0, density, 0.0))


def draw_inverse_gamma(
    count: int,
    rng: np.random.Generator,
    rho: float = GENERAL_RHO,
    a_m2: float = GENERAL_A_M2,
    s_m2: float = GENERAL_S_M2,
    smallest_m2: float = 0.0,
    largest_m2: float = np.inf,
) -> FloatArray:
    r"""Draw landslide areas from the inverse gamma, cut off at both ends, by inversion.

    :math:`x = a/(A-s)` follows a gamma distribution of shape :math:`\rho`, whose distribution function
    :math:`P(\rho, x)` is uniform between its values at both ends:

    .. math:: A = s + \frac{a}{P^{-1}(\rho, u)}

    Parameters
    ----------
    count : int
        How many, 0 or more.
    rng : numpy.random.Generator
        Source of randomness; one number is taken for each area.
    rho, a_m2, s_m2 : float
        Shape, scale and shift, m²; the general ones put 2 in 10 000 areas below 0 m², which are cut off.
    smallest_m2, largest_m2 : float
        Where the distribution is cut off, m².

    Returns
    -------
    float64 array of shape (count,)
        Areas in m², in no order.

    Raises
    ------
    OptionsError
        If a parameter is out of its range, or nothing lies between both ends.
    """
    from scipy.special import gammainc, gammaincinv

    _refuse_parameters(count, rho, a_m2, s_m2, smallest_m2, largest_m2)
    low = gammainc(rho, a_m2 / (largest_m2 - s_m2))
    high = gammainc(rho, a_m2 / (smallest_m2 - s_m2)) if smallest_m2 > s_m2 else 1.0
    drawn = s_m2 + a_m2 / gammaincinv(rho, rng.uniform(low, high, count))
    return np.asarray(np.clip(drawn, smallest_m2, largest_m2), dtype=np.float64)


def fit_inverse_gamma(areas_m2: NDArray[Any]) -> FitResult:
    r"""Fit the inverse gamma to landslide areas by maximum likelihood.

    Given the shift, :math:`y = 1/(A-s)` follows a gamma distribution, whose likelihood has one maximum:
    :math:`\ln\rho - \psi(\rho) = \ln\bar y - \overline{\ln y}` and :math:`a = \rho/\bar y`. What remains is a
    search over the shift alone. The largest maximum inside the range searched is the fit; the spike that
    the likelihood has where ``s`` reaches the smallest area is none.

    Parameters
    ----------
    areas_m2 : ndarray, shape (n,)
        Areas of landslides, m², mapped down to sizes below the rollover: a smallest area that was imposed
        (such as the 1000 m² of a map) bends the fit.

    Returns
    -------
    FitResult
        Without a fit, and with the reason, for fewer than 30 areas, where no maximum was found, or where
        large areas follow no power law (``rho`` above 10).

    Raises
    ------
    OptionsError
        If an area is not a positive number.
    """
    areas = _positive(areas_m2)
    if areas.size < MIN_LANDSLIDES:
        return FitResult(areas.size, None, f"{areas.size} landslides, at least {MIN_LANDSLIDES} are needed")
    if areas.min() == areas.max():
        return FitResult(areas.size, None, "all areas are equal")
    unit = float(np.median(areas))
    scaled = areas / unit
    shift = _best_shift(scaled)
    if shift is None:
        return FitResult(
            areas.size, None, "the likelihood has no maximum: no inverse gamma describes these areas"
        )
    rho, a = _gamma_given(scaled, shift)
    if rho > MAX_RHO:
        return FitResult(
            areas.size, None, f"no power law: large areas fall off with an exponent of {rho + 1:.0f}"
        )
    s = float(scaled.min()) - shift
    log_likelihood = _profile(scaled, shift) - areas.size * np.log(unit)
    fit = InverseGammaFit(rho, a * unit, s * unit, float(log_likelihood), _ks_distance(scaled, rho, a, s))
    return FitResult(areas.size, fit, "")


def _best_shift(areas: FloatArray) -> float | None:
    """Distance from the shift to the smallest area where the likelihood has its largest inner maximum."""
    from scipy.optimize import minimize_scalar

    low, high = _SHIFT_DECADES
    grid = np.linspace(low, high, round((high - low) * _STEPS_PER_DECADE) + 1)
    values = np.array([_profile(areas, 10.0**step) for step in grid])
    peaks = 1 + np.flatnonzero((values[1:-1] > values[:-2]) & (values[1:-1] >= values[2:]))
    if not peaks.size:
        return None
    best = peaks[np.argmax(values[peaks])]
    found = minimize_scalar(
        lambda step: -_profile(areas, 10.0**step), bounds=(grid[best - 1], grid[best + 1]), method="bounded"
    )
    return float(10.0**found.x) if found.success else None


def _profile(areas: FloatArray, shift: float) -> float:
    """Largest log-likelihood for a shift so far below the smallest area."""
    from scipy.special import gammaln

    rho, a = _gamma_given(areas, shift)
    beyond = areas - areas.min() + shift
    return float(np.sum(rho * np.log(a) - gammaln(rho) - (rho + 1.0) * np.log(beyond) - a / beyond))


def _gamma_given(areas: FloatArray, shift: float) -> tuple[float, float]:
    """Shape and scale of the largest likelihood for a shift, by Newton's method in 1/ρ (Minka 2002)."""
    from scipy.special import digamma, polygamma

    y = 1.0 / (areas - areas.min() + shift)
    gap = max(np.log(y.mean()) - np.log(y).mean(), _SMALLEST_GAP)
    rho = (3.0 - gap + np.sqrt((gap - 3.0) ** 2 + 24.0 * gap)) / (12.0 * gap)
    for _ in range(_NEWTON_STEPS):
        slope = rho**2 * (1.0 / rho - polygamma(1, rho))
        rho = 1.0 / (1.0 / rho + (np.log(rho) - digamma(rho) - gap) / slope)
    return float(rho), float(rho / y.mean())


def _ks_distance(areas: FloatArray, rho: float, a: float, s: float) -> float:
    from scipy.special import gammaincc

    fitted = gammaincc(rho, a / (np.sort(areas) - s))
    steps = np.arange(areas.size + 1) / areas.size
    return float(max((steps[1:] - fitted).max(), (fitted - steps[:-1]).max()))


def _decades(areas: FloatArray) -> FloatArray:
    """Edges over whole decades, five bins each; of one decade where there is no area."""
    low = int(np.floor(np.log10(areas.min()))) if areas.size else 0
    low -= int(areas.size > 0 and 10.0**low > areas.min())  # a logarithm that was rounded up
    high = int(np.floor(np.log10(areas.max()))) + 1 if areas.size else 1
    return np.asarray(10.0 ** (np.arange((high - low) * BINS_PER_DECADE + 1) / BINS_PER_DECADE + low))


def _refuse_parameters(
    count: int, rho: float, a_m2: float, s_m2: float, smallest_m2: float, largest_m2: float
) -> None:
    if not (count >= 0 and rho > 0 and a_m2 > 0 and 0 <= smallest_m2 < largest_m2 and s_m2 < largest_m2):
        raise OptionsError(
            "a count of 0 or more, rho and a above 0, 0 m² <= smallest < largest, and s < largest",
            f"count {count}, rho {rho}, a {a_m2} m², s {s_m2} m², from {smallest_m2} to {largest_m2} m²",
            "no area could be drawn from such a distribution",
            "use the general values of Malamud et al. (2004)",
        )


def _positive(areas_m2: NDArray[Any]) -> FloatArray:
    areas = np.asarray(areas_m2, dtype=np.float64).ravel()
    wrong = ~(np.isfinite(areas) & (areas > 0))
    if wrong.any():
        raise OptionsError(
            "areas of landslides above 0 m²",
            f"{int(wrong.sum())} of {areas.size} are not, such as {areas[wrong][0]}",
            "they have no place on a logarithmic axis",
            "measure the areas in m², and leave out outlines without one",
        )
    return areas
