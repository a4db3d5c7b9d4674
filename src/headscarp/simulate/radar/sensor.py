r"""What a look makes of the ground's gamma0: the area of its slopes, the product's correction, thermal noise.

With :math:`\alpha` the slope angle along the look, positive where the ground rises away from the radar,
and :math:`\theta` the incidence angle, a facet's sigma0 on the ellipsoid is

.. math::
    \sigma^0 = \gamma^0 f, \qquad f = \sin\theta \left|\cot(\theta - \alpha)\right|

which is :math:`\gamma^0 \cos\theta` on flat ground. What is simplified: a slope across the look changes
nothing; a facet in or near layover is at most ``AREA_MAX`` bright; in shadow only noise is left.

References
----------
Ulander, L. M. H. (1996). Radiometric slope correction of synthetic-aperture radar images. IEEE Transactions
on Geoscience and Remote Sensing, 34(5), 1115-1122. Small, D. (2011). Flattening gamma. Ibid., 49(8),
3081-3093.
"""

from __future__ import annotations

import math

import numpy as np

from headscarp.simulate.fields import Field, contiguous
from headscarp.simulate.options import Product

NOISE_DB = -25.0
"""Thermal noise as sigma0 on the ellipsoid, dB. Specified as -22 or better (ESA, Sentinel-1 SAR technical
guide). Products subtract it, but not the grain it adds: the standard deviation in time of VH in four real
bursts rises from 1.4 dB at -14 dB to 2.2 dB at -24 dB, as -25 predicts."""
DARKEST_DB = -40.0
"""What is left at least once noise is subtracted, dB: about the darkest of a million real VH pixels."""
AREA_MAX = 10.0
"""Largest facet area :math:`f`, 10 dB: pixels that hold more are in layover or within 6° of it."""
RTC_AREA_MIN = 0.1
"""Least area by which terrain correction divides noise: the darkest slopes are masked in real products."""
RTC_RESIDUAL = 0.1
"""Share, of its dB, of the terrain's modulation that terrain correction leaves, for want of a better DEM."""


def rise_along_look(to_east: Field, to_north: Field, look_azimuth_deg: float) -> Field:
    r"""Height gained per metre away from the radar: :math:`\tan\alpha = p \sin A + q \cos A`.

    Parameters
    ----------
    to_east, to_north : float32 array of shape (rows, columns)
        Height gained per metre.
    look_azimuth_deg : float
        From the radar to the ground, clockwise from the grid's north.

    Returns
    -------
    float32 array of shape (rows, columns)
        Positive where the ground faces the radar.
    """
    azimuth = math.radians(look_azimuth_deg)
    east, north = np.float32(math.sin(azimuth)), np.float32(math.cos(azimuth))
    return contiguous(to_east) * east + contiguous(to_north) * north


def facet_area(rise: Field, incidence_deg: Field) -> Field:
    r"""Area :math:`f` by which slopes multiply gamma0 into the ellipsoid's sigma0.

    .. math::
        f = \sin\theta \left| \frac{\cos\theta + \tan\alpha \sin\theta}
                                   {\sin\theta - \tan\alpha \cos\theta} \right|

    Parameters
    ----------
    rise : float32 array of shape (rows, columns)
        :math:`\tan\alpha`, of :func:`rise_along_look`.
    incidence_deg : float32 array of the same shape

    Returns
    -------
    float32 array of shape (rows, columns)
        At most ``AREA_MAX``; 0 where a slope away from the radar is in its own shadow.

    Examples
    --------
    Flat ground; 45° facing away, at the limit of shadow; nearly at the limit of layover.

    >>> rise = np.array([[0.0, -1.0, 0.999]], np.float32)
    >>> facet_area(rise, np.full((1, 3), 45.0, np.float32)).round(2).tolist()
    [[0.7099999785423279, 0.0, 10.0]]
    """
    theta = np.deg2rad(contiguous(incidence_deg))
    sine, cosine = np.sin(theta), np.cos(theta)
    facing = np.maximum(cosine + rise * sine, np.float32(0.0))
    across = np.abs(sine - rise * cosine)
    area = sine * facing / np.maximum(across, np.float32(1e-6))
    return np.asarray(np.minimum(area, np.float32(AREA_MAX)), dtype=np.float32)


def noise_power(area: Field, product: Product) -> Field:
    r"""Thermal noise in a product: :math:`n / f` in gamma0, ``rtc``; :math:`n` in sigma0, all others.

    Parameters
    ----------
    area : float32 array of shape (rows, columns)
        :math:`f`, of :func:`facet_area`.
    product : Product

    Returns
    -------
    float32 array of shape (rows, columns)
        Linear power.
    """
    noise = np.float32(10.0 ** (NOISE_DB / 10.0))
    if product is not Product.RTC:
        return np.full(np.shape(area), noise)
    return np.asarray(noise / np.maximum(area, np.float32(RTC_AREA_MIN)), dtype=np.float32)


def seen(gamma0: Field, area: Field, incidence_deg: Field, product: Product) -> Field:
    r"""Power that a product holds of the ground's gamma0, before thermal noise is subtracted.

    ``gtc``, ``safe``: :math:`\gamma^0 f + n`; ``rtc``: :math:`\gamma^0 (f / \cos	heta)^{0.1} + n / f`.

    Parameters
    ----------
    gamma0 : float32 array of shape (2, rows, columns)
        Linear power.
    area, incidence_deg : float32 array of shape (rows, columns)
        :math:`f`, of :func:`facet_area`; degrees.
    product : Product

    Returns
    -------
    float32 array of shape (2, rows, columns)
        Linear power; NaN where an input is.
    """
    left = contiguous(area)
    if product is Product.RTC:
        flat = np.cos(np.deg2rad(contiguous(incidence_deg)))
        left = np.asarray(np.power(left / flat, np.float32(RTC_RESIDUAL)))
    return gamma0 * left + noise_power(area, product)


def subtract_noise(power: Field, noise: Field) -> Field:
    """Take the mean of thermal noise from an image with speckle, as products do.

    Parameters
    ----------
    power : float32 array of shape (2, rows, columns)
        :func:`seen`, times the factors of weather and speckle.
    noise : float32 array of shape (rows, columns)
        Of :func:`noise_power`.

    Returns
    -------
    float32 array of shape (2, rows, columns)
        Linear power, ``DARKEST_DB`` at least; NaN where an input is.
    """
    return np.asarray(np.maximum(power - noise, np.float32(10.0 ** (DARKEST_DB / 10.0))))
