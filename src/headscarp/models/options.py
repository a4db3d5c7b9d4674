"""What a network is made of: plain values that travel with the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

# gates and pixel attention divide the filters by up to 8
FILTERS_STEP = 8


class Head(StrEnum):
    """What the last layer gives."""

    CLASSIFICATION = "classification"
    """Logits: the sigmoid is left to the loss and to prediction."""
    REGRESSION = "regression"
    """Values in [-1, 1] by the hyperbolic tangent: an index such as NDVI."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkOptions:
    """Everything that fixes a network's shape; the number of dates does not.

    Parameters
    ----------
    network : str
        A name in `headscarp.models.catalogue.BODIES`.
    channels : int
        Channels of the input, of each date where there are dates.
    filters : int
        Width of the finest level, a multiple of 8; the papers use 16 to 128.
    head : Head
        What the last layer gives.

    Raises
    ------
    ValueError
        If a number or the head lies outside its range.

    Examples
    --------
    >>> NetworkOptions(network="unet", channels=2).to_dict()
    {'network': 'unet', 'channels': 2, 'filters': 64, 'head': 'classification'}
    """

    network: str = "dppa_unet"
    channels: int = 2
    filters: int = 64
    head: Head = Head.CLASSIFICATION

    def __post_init__(self) -> None:
        if self.channels < 1:
            raise ValueError(f"expected at least 1 channel, given {self.channels}")
        if self.filters < FILTERS_STEP or self.filters % FILTERS_STEP:
            raise ValueError(f"expected a positive multiple of {FILTERS_STEP} filters, given {self.filters}")
        object.__setattr__(self, "head", Head(self.head))

    def to_dict(self) -> dict[str, Any]:
        """Plain strings and numbers, as a checkpoint stores them."""
        return {name: str(value) if name == "head" else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> NetworkOptions:
        """Options from what `to_dict` gave.

        Raises
        ------
        ValueError
            If a name is unknown or missing: a checkpoint states everything.
        """
        names = {field.name for field in fields(cls)}
        if set(stored) != names:
            raise ValueError(f"expected the options {sorted(names)}, given {sorted(stored)}")
        return cls(**stored)
