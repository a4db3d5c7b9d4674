r"""Speckle: the grain that coherent waves give to every image, as a factor of mean 1.

The power of an echo averaged over :math:`L` looks follows a gamma distribution of shape :math:`L`, and
neighbouring pixels share it as far as the resolution cell is wider than a pixel. A correlated standard normal
field is turned into gamma numbers through their quantiles. What is simplified: range runs along columns and
azimuth along rows, though an orbit is some 10° off; every date and polarisation has speckle of its own.

References
----------
Goodman, J. W. (2007). Speckle Phenomena in Optics, sections 3.3 and 4.4. ESA, Sentinel-1 Product Definition
(S1-RS-MDA-52-7440): IW GRDH has 20 m x 22 m resolution on 10 m posting and 4.4 equivalent looks.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv, ndtr

from headscarp.errors import OptionsError
from headscarp.simulate.fields import Field, Name, white_noise

RANGE_RESOLUTION_M = 20.0
"""Half-power width of the point response across the track, metres (ESA, Product Definition: IW GRDH)."""
AZIMUTH_RESOLUTION_M = 22.0
"""Half-power width of the point response along the track, metres (ibid.)."""
GRD_SPACING_M = 10.0
"""Posting of IW GRDH, metres; coarser pixels are means of such."""
GRD_LOOKS = 4.4
"""Equivalent number of looks of IW GRDH (ibid.)."""

_SERIES = 24
"""Terms of the Hermite series: the last adds less than 1e-6 at one look."""
_LEVELS_PER_SIGMA = 4096
_REACH_SIGMA = 8
"""The table has 65536 levels over eight standard deviations to either side, so that a factor is right
within 1e-3 of itself; of 1e14 numbers none lies beyond."""
_BLOCK_PX = 1 << 16
"""Pixels worked on at a time: they stay in the processor's cache."""


def intensity_correlation(
    lag_m: float, resolution_m: float = RANGE_RESOLUTION_M, spacing_m: float = GRD_SPACING_M
) -> float:
    r"""Correlation of speckle between two pixels a distance apart along one axis.

    The intensity correlation of full speckle is that of the field, squared. A Gaussian point response of
    half-power width :math:`w` gives

    .. math::
        \rho(\Delta) = \exp\left(-\frac{\Delta^2}{2 s^2}\right), \qquad s = \frac{w}{2\sqrt{\ln 2}}

    Pixels wider than 10 m hold the mean over themselves: :math:`\rho` is averaged over both of them.

    Parameters
    ----------
    lag_m : float
        Distance, metres.
    resolution_m : float
        Half-power width :math:`w` along that axis, metres.
    spacing_m : float
        Width of a pixel, metres.

    Returns
    -------
    float
        1 at no distance.

    Examples
    --------
    >>> [round(intensity_correlation(lag), 3) for lag in (0.0, 10.0, 20.0, 30.0)]
    [1.0, 0.707, 0.25, 0.044]
    >>> round(intensity_correlation(30.0, spacing_m=30.0), 2)
    0.21
    """
    return _covariance(lag_m, resolution_m, spacing_m) / _covariance(0.0, resolution_m, spacing_m)


def default_looks(spacing_m: float) -> float:
    r"""Equivalent number of looks of Sentinel-1 at a spacing.

    Up to 10 m it is that of the product. A coarser pixel is the mean of :math:`n = s/10` pixels along each
    axis, whose variance is the mean of :math:`\rho` over all pairs of them.

    Raises
    ------
    OptionsError
        If the spacing is not above 0.

    Examples
    --------
    >>> [round(default_looks(spacing), 1) for spacing in (5.0, 10.0, 20.0, 30.0)]
    [4.4, 4.4, 5.8, 8.4]
    """
    if not (math.isfinite(spacing_m) and spacing_m > 0.0):
        raise OptionsError(
            "a spacing above 0 m",
            f"{spacing_m} m",
            "a wider pixel averages more speckle",
            "pass the metres from pixel to pixel, such as 10",
        )
    widths = (RANGE_RESOLUTION_M, AZIMUTH_RESOLUTION_M)
    return GRD_LOOKS / math.prod(_covariance(0.0, width, spacing_m) for width in widths)


def speckle(
    seed: int, names: tuple[Name, ...], rows: slice, cols: slice, spacing_m: float, looks: float
) -> Field:
    r"""Speckle of a window: gamma distributed, of mean 1 and variance :math:`1/L`, correlated as an image's.

    .. math::
        f = \frac{1}{L} P^{-1}(L, \Phi(z))

    with :math:`P` the regularised lower incomplete gamma function, :math:`\Phi` the normal distribution and
    :math:`z` white noise under a kernel whose autocorrelation makes that of :math:`f` as
    :func:`intensity_correlation` says.

    Parameters
    ----------
    seed, names, rows, cols
        As in :func:`headscarp.simulate.fields.white_noise`; names tell passes and polarisations apart.
    spacing_m : float
        Metres from pixel to pixel.
    looks : float
        Equivalent number of looks :math:`L`, 1 or more.

    Returns
    -------
    float32 array of the window's shape
        Factors above 0. The same to the last bit, whatever the window.

    Raises
    ------
    OptionsError
        If looks are below 1.
    """
    if not (math.isfinite(looks) and looks >= 1.0):
        raise OptionsError(
            "1 look or more",
            f"{looks} looks",
            "an image has at least one look",
            "leave looks out for those of Sentinel-1 at this spacing",
        )
    table, kernels = _quantiles(looks), _kernels(spacing_m, looks)
    down, right = (len(kernel) - 1 for kernel in kernels)
    noise = white_noise(
        seed, names, slice(rows.start, rows.stop + down), slice(cols.start, cols.stop + right)
    )
    out = np.empty((rows.stop - rows.start, cols.stop - cols.start), np.float32)
    step = max(_BLOCK_PX // max(out.shape[1], 1), 1)
    for top in range(0, out.shape[0], step):
        part = out[top : top + step]
        wide = noise[top : top + len(part) + down]
        z = _convolved(_convolved(wide, kernels.azimuth).T, kernels.range).T
        _look_up(table, z, part)
    return out


class _Kernels(NamedTuple):
    """Symmetric kernels along rows' axis and along columns' axis, squares summing to one."""

    azimuth: Field
    range: Field


@lru_cache(maxsize=32)
def _kernels(spacing_m: float, looks: float) -> _Kernels:
    return _Kernels(
        _kernel(AZIMUTH_RESOLUTION_M, spacing_m, looks), _kernel(RANGE_RESOLUTION_M, spacing_m, looks)
    )


def _kernel(resolution_m: float, spacing_m: float, looks: float) -> Field:
    """Kernel under which white noise gets the correlation that becomes the intensity's.

    Its spectrum is the root of the correlation's; three standard deviations of it are kept.
    """
    reach = math.ceil(3.0 * _field_width_m(resolution_m) / spacing_m)
    lags = np.arange(8 * reach + 1)
    wanted = [intensity_correlation(lag * spacing_m, resolution_m, spacing_m) for lag in lags]
    normal = _normal_correlation(np.array(wanted), looks)
    spectrum = np.fft.rfft(np.concatenate([normal, normal[:0:-1]])).real
    half = np.fft.irfft(np.sqrt(np.maximum(spectrum, 0.0)), 2 * len(lags) - 1)[: reach + 1]
    kernel = np.concatenate([half[:0:-1], half])
    return np.asarray(kernel / np.sqrt(np.sum(kernel**2)), dtype=np.float32)


def _field_width_m(resolution_m: float) -> float:
    """Standard deviation of the Gaussian whose autocorrelation the intensity correlation is, metres."""
    return resolution_m / (2.0 * math.sqrt(2.0 * math.log(2.0)))


def _normal_correlation(intensity: NDArray[np.float64], looks: float) -> NDArray[np.float64]:
    r"""Correlation that the normal field needs for a correlation of its gamma numbers.

    With the quantile function expanded in Hermite polynomials, :math:`\rho = \sum_k c_k^2 r^k` over
    :math:`k \geq 1`, :math:`\sum c_k^2 = 1`; the sum grows with :math:`r` and is inverted by a table.
    """
    z = np.linspace(-_REACH_SIGMA, _REACH_SIGMA, 4001)
    weight = np.exp(-0.5 * z**2)
    weighted = _gamma_quantile(z, looks) * weight / weight.sum()
    before, now = np.zeros_like(z), np.ones_like(z)
    squares = []
    for k in range(_SERIES):
        before, now = now, (z * now - math.sqrt(k) * before) / math.sqrt(k + 1)
        squares.append(float(np.sum(weighted * now)) ** 2)
    normal = np.linspace(0.0, 1.0, 1001)
    gained = np.polynomial.polynomial.polyval(normal, [0.0, *squares]) / sum(squares)
    return np.asarray(np.interp(intensity, gained, normal))


def _covariance(lag_m: float, resolution_m: float, spacing_m: float) -> float:
    """Mean of the Gaussian correlation over two pixels a lag apart.

    A row of n points 10 m apart has the second moment of a line of width sqrt((10 n)² - 10²).
    """
    spread_m = resolution_m / (2.0 * math.sqrt(math.log(2.0)))
    width_m = math.sqrt(max(spacing_m**2 - GRD_SPACING_M**2, 0.0))
    if width_m < 1e-3 * spread_m:
        return math.exp(-0.5 * (lag_m / spread_m) ** 2)
    before, here, after = (_integral(lag_m + shift, spread_m) for shift in (-width_m, 0.0, width_m))
    return (before - 2.0 * here + after) / width_m**2


def _integral(x_m: float, spread_m: float) -> float:
    """The Gaussian correlation, integrated twice."""
    u = x_m / spread_m
    slope = math.sqrt(math.pi / 2.0) * math.erf(u / math.sqrt(2.0))
    return spread_m**2 * (u * slope + math.exp(-0.5 * u**2))


def _gamma_quantile(z: NDArray[np.float64], looks: float) -> NDArray[np.float64]:
    """Gamma number, of mean 1, as probable as a normal one."""
    return np.asarray(gammaincinv(looks, ndtr(z)) / looks)


@lru_cache(maxsize=8)
def _quantiles(looks: float) -> Field:
    level = np.arange(-_REACH_SIGMA * _LEVELS_PER_SIGMA, _REACH_SIGMA * _LEVELS_PER_SIGMA)
    return _gamma_quantile((level + 0.5) / _LEVELS_PER_SIGMA, looks).astype(np.float32)


def _convolved(values: Field, kernel: Field) -> Field:
    """Sum along the first axis under a symmetric kernel, where all of it lies inside."""
    reach, size = len(kernel) // 2, len(values) - len(kernel) + 1
    out: Field = values[reach : reach + size] * kernel[reach]
    for k in range(reach):
        pair = values[k : k + size] + values[2 * reach - k : 2 * reach - k + size]
        out += np.multiply(pair, kernel[k], out=pair)
    return out


def _look_up(table: Field, z: Field, out: Field) -> None:
    """Write the table's number at each of z; beyond its ends, that of the end."""
    position = z * np.float32(_LEVELS_PER_SIGMA)
    position += np.float32(_REACH_SIGMA * _LEVELS_PER_SIGMA)
    table.take(position.astype(np.intp), out=out, mode="clip")
