"""Which orbits can see the ground: neither layover nor shadow, and not grazing."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from headscarp.geometry.incidence import NOMINAL_INCIDENCE_DEG, Angle, local_incidence_deg
from headscarp.geometry.visibility import Heights, Spacings, view_mask

GRAZING_DEG = 85.0
"""Local incidence from which ground counts as unseen: by the cosine law its echo is a ninth of that of flat
ground at 39°, and a few degrees of error in the DEM's slope would put it in shadow."""


class Observable(IntEnum):
    """Which orbits can see a pixel; bit 1 is ascending, bit 2 descending."""

    NEITHER = 0
    ASCENDING = 1
    DESCENDING = 2
    BOTH = 3
    UNKNOWN = 255


def is_observable(
    height_m: Heights,
    spacing_m: Spacings,
    look_azimuth_deg: float,
    incidence_deg: Angle = NOMINAL_INCIDENCE_DEG,
) -> NDArray[np.bool_]:
    """True where one look sees the ground: neither layover nor shadow, and not grazing.

    Ground is grazing where its local incidence angle is ``GRAZING_DEG`` or more; where the 3x3 window of
    the slope touches unknown heights that is not known, and not held against the pixel. False where no
    height is known: tell such pixels by the heights.

    Parameters
    ----------
    height_m, spacing_m, look_azimuth_deg, incidence_deg
        As in :func:`headscarp.geometry.visibility.view_mask`, which see for what is raised.

    Returns
    -------
    bool array of shape (rows, columns)
    """
    view = view_mask(height_m, spacing_m, look_azimuth_deg, incidence_deg)
    local = local_incidence_deg(height_m, spacing_m, look_azimuth_deg, incidence_deg)
    return np.asarray((view == 0) & ~(local >= GRAZING_DEG))


def observable(
    height_m: Heights,
    spacing_m: Spacings,
    ascending_look_deg: float,
    descending_look_deg: float,
    incidence_deg: Angle = NOMINAL_INCIDENCE_DEG,
) -> NDArray[np.uint8]:
    """Which of the two orbits can see each pixel, by :class:`Observable`.

    Parameters
    ----------
    height_m, spacing_m, incidence_deg
        As in :func:`headscarp.geometry.visibility.view_mask`.
    ascending_look_deg, descending_look_deg : float
        Look azimuths, clockwise from the grid's north: see
        :func:`headscarp.geometry.incidence.grid_look_azimuth_deg`.

    Returns
    -------
    uint8 array of shape (rows, columns)
        255 where no height or no incidence angle is known.

    Examples
    --------
    A cliff of 30 m falls to the east. Looking east, the ascending orbit has 30 m tan 39° = 24 m of shadow
    below it; looking west, the descending one has layover within 30 m / tan 39° = 37 m of its foot.

    >>> import numpy as np
    >>> cliff = np.array([[100.0, 100.0, 70.0, 70.0, 70.0, 70.0, np.nan]])
    >>> observable(cliff, (10.0, 10.0), 90.0, 270.0, 39.0).tolist()
    [[1, 1, 0, 0, 1, 3, 255]]
    """
    looks = (ascending_look_deg, descending_look_deg)
    ascending, descending = (is_observable(height_m, spacing_m, look, incidence_deg) for look in looks)
    known = np.isfinite(height_m) & np.isfinite(incidence_deg)
    code = ascending * np.uint8(Observable.ASCENDING) + descending * np.uint8(Observable.DESCENDING)
    return np.where(known, code, np.uint8(Observable.UNKNOWN))
