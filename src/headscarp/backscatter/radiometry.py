r"""From digital numbers to linear power.

.. math:: P = \frac{DN^2 - N}{A^2}

with the thermal noise :math:`N` and the calibration :math:`A` at the sample. A digital number of 0 is no
data, NaN.

**Power that is not positive.** Where the ground is as dark as the noise, the difference is negative about
half of the time. It stays signed while samples are interpolated, so that means are not biased; a pixel of
the map then never goes below its *floor*, a tenth of the noise-equivalent power :math:`N / A^2` at its
place. What is at the floor is no signal: 10 dB below what the instrument itself emits. So there is neither a
negative power, nor its decibels, nor NaN where the radar did look; the share of such pixels is told in
the tags.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headscarp.backscatter.documents import Floats
from headscarp.backscatter.tables import Noise, Table

FloatArray = NDArray[np.float32]

FLOOR_SHARE = 0.1
"""Of the noise-equivalent power; no pixel is darker."""


@dataclass(frozen=True)
class Radiometry:
    """What turns the digital numbers of one polarisation into power."""

    calibration: Table
    noise: Noise | None
    """None: not subtracted."""

    def power(self, numbers: NDArray[np.uint16], lines: Floats, samples: Floats) -> FloatArray:
        """Linear power of a window of the image; signed, NaN where there is no data.

        Parameters
        ----------
        numbers : uint16 array of shape (lines, samples)
        lines, samples : array
            Where the window lies in the image.
        """
        squared = numbers.astype(np.float32) ** 2
        if self.noise is not None:
            squared -= self.noise.at(lines, samples)
        squared /= self.calibration.at(lines, samples) ** 2
        squared[numbers == 0] = np.nan
        return squared

    def floor(self, lines: Floats, samples: Floats) -> FloatArray:
        """Lowest power that a pixel may have; 0 where the noise is not subtracted or not known."""
        if self.noise is None:
            return np.zeros((lines.size, samples.size), dtype=np.float32)
        noise = self.noise.at(lines, samples) / self.calibration.at(lines, samples) ** 2
        return np.asarray(np.float32(FLOOR_SHARE) * noise, dtype=np.float32)
