"""The words of the house: enums, units and codes that every room shares."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

Polarization = Literal["VV", "VH", "HH", "HV"]
"""As STAC ``sar:polarizations``."""

POLARIZATIONS: tuple[Polarization, ...] = ("VV", "VH", "HH", "HV")
"""Every polarisation of Sentinel-1, in the order in which bands are written."""


class OrbitState(StrEnum):
    """Direction of the pass, as STAC ``sat:orbit_state``."""

    ASCENDING = "ascending"
    DESCENDING = "descending"


class BackscatterScale(StrEnum):
    """How a file stores backscatter; inside, it is always linear power."""

    POWER = "linear power"
    DECIBEL = "dB"
    AMPLITUDE = "amplitude"


class Role(StrEnum):
    """What a scene does in a run."""

    PRE_EVENT = "pre_event"
    POST_EVENT = "post_event"
    REJECTED = "rejected"
