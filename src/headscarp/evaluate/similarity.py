r"""Structural similarity (SSIM) of two images, pixel by pixel, without inventing values.

.. math::
    SSIM = \frac{(2 \mu_x \mu_y + C_1)(2 \sigma_{xy} + C_2)}
                {(\mu_x^2 + \mu_y^2 + C_1)(\sigma_x^2 + \sigma_y^2 + C_2)}, \qquad
    C_1 = (0.01\, L)^2, \quad C_2 = (0.03\, L)^2

with means, variances and covariance under a window around each pixel, and the data range *L*. A window that
touches an invalid pixel or the edge of the array has no similarity: nothing is filled in.

References
----------
Wang, Bovik, Sheikh & Simoncelli (2004), IEEE Transactions on Image Processing 13, 600-612.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.ndimage import correlate1d, minimum_filter

FloatArray = NDArray[np.float64]

NDVI_RANGE = 2.0
"""NDVI spans [-1, 1]."""
_GAUSSIAN_STD_PX, _GAUSSIAN_RADIUS_PX = 1.5, 5
_K1, _K2 = 0.01, 0.03


class SimilarityOptions(BaseModel):
    """Window and data range of structural similarity."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: Literal["gaussian", "uniform"] = Field(
        "gaussian",
        description="Gaussian: 11 × 11 pixels, standard deviation 1.5, as Wang et al. (2004); "
        "uniform: 7 × 7 pixels and sample covariance, the default of scikit-image.",
    )
    data_range: float = Field(NDVI_RANGE, gt=0, description="Largest less smallest possible value.")

    @property
    def halo_px(self) -> int:
        """Pixels that a window reaches beyond its centre: the halo of a tile."""
        return _GAUSSIAN_RADIUS_PX if self.window == "gaussian" else 3

    @property
    def weights(self) -> FloatArray:
        """Weights of the window along one axis; they sum to 1."""
        offsets = np.arange(-self.halo_px, self.halo_px + 1)
        scale = _GAUSSIAN_STD_PX if self.window == "gaussian" else np.inf
        weights = np.exp(-0.5 * (offsets / scale) ** 2)
        return np.asarray(weights / weights.sum(), dtype=np.float64)


def similarity_map(
    predicted: NDArray[Any],
    truth: NDArray[Any],
    valid: NDArray[np.bool_] | None = None,
    options: SimilarityOptions | None = None,
) -> FloatArray:
    """Structural similarity of each pixel's window.

    Local: on a tile with a halo of ``options.halo_px`` it gives, inside, what it gives on the whole.

    Parameters
    ----------
    predicted, truth : ndarray, shape (..., y, x)
        In the unit of the data range.
    valid : bool ndarray of the same shape, optional
        Pixels to look at; those that are not finite in both images never are.
    options : SimilarityOptions, optional

    Returns
    -------
    float64 ndarray, shape (..., y, x)
        In [-1, 1]; NaN where the window leaves the array or holds an invalid pixel.

    Examples
    --------
    >>> ground = np.tile(np.linspace(-1, 1, 11), (11, 1))
    >>> float(similarity_map(ground, ground)[5, 5]), float(similarity_map(-ground, ground)[5, 5]) < 0
    (1.0, True)
    """
    options = options or SimilarityOptions()
    usable = np.isfinite(predicted) & np.isfinite(truth)
    if valid is not None:
        usable &= valid
    x, y = (np.where(usable, image, 0.0).astype(np.float64) for image in (predicted, truth))
    size = [1] * (usable.ndim - 2) + [2 * options.halo_px + 1] * 2
    whole = minimum_filter(usable.astype(np.uint8), size=size, mode="constant", cval=0) > 0
    return np.asarray(np.where(whole, _similarity(x, y, options), np.nan))


def _similarity(x: FloatArray, y: FloatArray, options: SimilarityOptions) -> FloatArray:
    pixels = (2 * options.halo_px + 1) ** 2
    to_sample = pixels / (pixels - 1.0) if options.window == "uniform" else 1.0
    mean_x, mean_y = _smooth(x, options), _smooth(y, options)
    variance_x = to_sample * (_smooth(x * x, options) - mean_x**2)
    variance_y = to_sample * (_smooth(y * y, options) - mean_y**2)
    covariance = to_sample * (_smooth(x * y, options) - mean_x * mean_y)
    c1, c2 = (_K1 * options.data_range) ** 2, (_K2 * options.data_range) ** 2
    agreement = (2.0 * mean_x * mean_y + c1) * (2.0 * covariance + c2)
    return np.asarray(agreement / ((mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)))


def _smooth(image: FloatArray, options: SimilarityOptions) -> FloatArray:
    along_rows = correlate1d(image, options.weights, axis=-1, mode="constant")
    return np.asarray(correlate1d(along_rows, options.weights, axis=-2, mode="constant"))
