"""Values of a patch: held against the release's units, turned into one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headscarp.ingest.sen12.facts import PatchError, Release

FloatArray = NDArray[np.float32]

NODATA = -9999
POWER_LIMIT = 1.0
"""Where the raw release is clipped, linear power."""
DB_LIMITS = (-50.0, 10.0)
"""Where the harmonized release is clipped, dB."""
_ROUNDING = 1e-4


class Power(NamedTuple):
    """Backscatter of one band.

    Attributes
    ----------
    values : ndarray of float32
        Linear power; NaN where not observed.
    clipped : int
        Values at a limit of the release: what they were before is not known.
    """

    values: FloatArray
    clipped: int


def power_of(stored: NDArray[np.generic], release: Release, name: str) -> Power:
    """Turn stored backscatter into linear power, after holding it against the units of its release.

    Parameters
    ----------
    stored : ndarray
        As in the file; NaN and -9999 are not observed, nor is a power of 0.
    release : Release
    name : str
        Of the band and file, for the error.

    Raises
    ------
    PatchError
        If the values cannot be in the units of the release.

    Examples
    --------
    >>> power_of(np.float32([-10, -9999, 10]), Release.HARMONIZED, "VV").values.tolist()
    [0.10000000149011612, nan, 10.0]
    """
    values = nodata_to_nan(stored)
    seen = values[np.isfinite(values)]
    _refuse_other_units(seen, release, name)
    if release is Release.RAW:
        clipped = int(np.count_nonzero(seen >= POWER_LIMIT))
        return Power(np.where(values > 0, values, np.float32(np.nan)), clipped)
    clipped = int(np.count_nonzero((seen <= DB_LIMITS[0]) | (seen >= DB_LIMITS[1])))
    return Power(np.power(np.float32(10), values / np.float32(10), dtype=np.float32), clipped)


def nodata_to_nan(stored: NDArray[np.generic]) -> FloatArray:
    """Values as float32, -9999 and what is not finite as NaN."""
    values = stored.astype(np.float32)
    return np.where(np.isfinite(values) & (values != NODATA), values, np.float32(np.nan))


def once(repeated: NDArray[np.generic], name: str) -> NDArray[np.generic]:
    """A layer that the file repeats along time, taken once.

    Raises
    ------
    PatchError
        If it does not repeat.
    """
    differs = [i for i in range(1, len(repeated)) if not np.array_equal(repeated[i], repeated[0])]
    if differs:
        raise PatchError(
            f"{name} the same at every date",
            f"{len(differs)} of {len(repeated)} dates that differ from the first",
            "it would not be known which of them holds",
            "fetch the patch again; leave it out if it stays so",
        )
    first: NDArray[np.generic] = repeated[0]
    return first


def label_of_mask(mask: NDArray[np.generic]) -> NDArray[np.uint8]:
    """MASK as a label: 1 landslide, 0 none.

    Raises
    ------
    PatchError
        If it holds anything else.
    """
    found = np.unique(mask)
    if not np.isin(found, (0, 1)).all():
        raise PatchError(
            "MASK of 0 and 1",
            f"{', '.join(map(str, found[:6].tolist()))}",
            "pixels would be landslides, or none, by a guess",
            "fetch the patch again; leave it out if it stays so",
        )
    return mask.astype(np.uint8)


def _refuse_other_units(seen: FloatArray, release: Release, name: str) -> None:
    if len(seen) == 0:
        return
    low, high = float(seen.min()), float(seen.max())
    if release is Release.RAW:
        fits = low >= -_ROUNDING and high <= POWER_LIMIT + _ROUNDING
        rule = f"linear power from 0 to {POWER_LIMIT:g}"
    else:
        fits = low >= DB_LIMITS[0] - _ROUNDING and high <= DB_LIMITS[1] + _ROUNDING and low < 0
        rule = f"decibels from {DB_LIMITS[0]:g} to {DB_LIMITS[1]:g}, some below 0"
    if not fits:
        raise PatchError(
            f"values of the {release} release: {rule}",
            f"{low:.4g} to {high:.4g} in {name}",
            "backscatter would be wrong by orders of magnitude",
            "give the release that the files are of: raw or harmonized",
        )
