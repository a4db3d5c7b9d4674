"""A trained network as one file: weights, what it looks at, how it was made, what it is good for.

The file is a safetensors file whose header holds the `Card` as JSON: reading it runs no code. Prediction
takes no normalisation argument and no list of channels; the card has both.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from headscarp.calibration import Platt, Temperature
from headscarp.errors import HeadscarpError
from headscarp.features.sets import FeatureSet
from headscarp.models import Head, Network, NetworkOptions, make_network

SUFFIX = ".safetensors"
HEADER = "headscarp"
"""Key of the card in the header of the file."""
FORMAT_VERSION: Literal[1] = 1


class CheckpointError(HeadscarpError):
    """A checkpoint that cannot be read or written, or that does not fit what it is asked to do."""


class Task(BaseModel):
    """What the network looks at, and what its output means."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    features: FeatureSet = Field(description="Channels in order.")
    units: tuple[str, ...] = Field(description="Of each channel.")
    mean: tuple[float, ...] = Field(description="Of each channel over the training chips, in its unit.")
    std: tuple[float, ...] = Field(description="Of each channel over the training chips, in its unit.")
    spacing_m: float = Field(gt=0, description="Pixel size of the chips, m.")
    label: str = Field("1: landslide, 0: none, 255: left out", description="What the label means.")
    pre_dates: tuple[int, int] = Field(description="Fewest and most dates of an orbit before the events.")
    post_dates: tuple[int, int] = Field(description="Fewest and most dates of an orbit after the events.")
    pooling: str = Field("relative_orbit", description="How dates were pooled into medians.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        count = len(self.features.channels)
        if not len(self.units) == len(self.mean) == len(self.std) == count:
            raise ValueError(f"{count} channels have as many units, means and standard deviations")
        if not all(value > 0 for value in self.std):
            raise ValueError("standard deviations are above 0")
        return self


class Training(BaseModel):
    """How the weights came about."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    headscarp: str = Field(description="Version that trained.")
    commit: str | None = Field(description="Of the source; none: installed from a package.")
    seed: int
    epochs: int = Field(ge=0, description="Epochs until these weights.")
    created_utc: str
    split_sha256: str = Field(description="Of the split file.")
    data_sha256: dict[str, str] = Field(description="Of the chips of each event.")
    options: dict[str, Any] = Field(description="Every option of the training.")
    init_from: str | None = Field(None, description="SHA-256 of the checkpoint the training began with.")


class Residual(BaseModel):
    """How far a network of values usually is from the truth, on its validation chips.

    Root mean square of predicted less true values, so that a bias of a bin counts, too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    std: float = Field(gt=0, description="Of all pixels.")
    edges: tuple[float, ...] = Field(min_length=2, description="Of bins of the predicted value, rising.")
    stds: tuple[float, ...] = Field(description="Of each bin; of all pixels where a bin has too few.")

    @model_validator(mode="after")
    def _bins(self) -> Self:
        if len(self.edges) != len(self.stds) + 1 or not np.all(np.diff(self.edges) > 0):
            raise ValueError("bins have rising edges, one more than standard deviations")
        if not all(own > 0 for own in self.stds):
            raise ValueError("standard deviations are above 0")
        return self

    def at(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Standard deviation at predicted values: between the middles of bins linear, NaN where they are.

        Examples
        --------
        >>> residual = Residual(std=0.2, edges=(-1, 0, 1), stds=(0.125, 0.375))
        >>> residual.at(np.float32([-0.5, 0, 0.9])).tolist()
        [0.125, 0.25, 0.375]
        """
        edges = np.array(self.edges)
        at = np.interp(values, (edges[1:] + edges[:-1]) / 2, self.stds)
        return np.where(np.isfinite(values), at, np.nan).astype(np.float32)


class Card(BaseModel):
    """Everything about a checkpoint but its weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[1] = FORMAT_VERSION
    network: dict[str, Any] = Field(description="Options of the network.")
    task: Task
    training: Training
    calibration: Temperature | Platt | None = Field(
        None, discriminator="method", description="Of the log-odds, fitted on the validation chips."
    )
    threshold: float = Field(0.5, gt=0, lt=1, description="Probability, calibrated, of the best F1 there.")
    residual: Residual | None = Field(
        None, description="Of a network of values, which has no threshold and no calibration."
    )
    metrics: dict[str, float | None] = Field({}, description="On the validation chips.")
    licence: str = Field("unknown", description="Under which the weights may be used.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.options.channels != self.task.features.network_channels:
            raise ValueError("the network is built for another number of channels than the task has")
        if self.residual is not None and self.options.head is not Head.REGRESSION:
            raise ValueError("errors of values are those of a head of regression")
        return self

    @property
    def options(self) -> NetworkOptions:
        """Options of the network."""
        return NetworkOptions.from_dict(self.network)


@dataclass(frozen=True)
class Checkpoint:
    """A trained network and its card.

    Attributes
    ----------
    card : Card
    network : Network
        In evaluation mode, float32, on the processor.
    sha256 : str
        Of the file.
    """

    card: Card
    network: Network
    sha256: str


def write_checkpoint(path: Path, card: Card, weights: dict[str, Tensor]) -> Path:
    """Write a checkpoint beside its place and move it there: what stood there survives a full disk.

    Parameters
    ----------
    path : Path
        Ends in ``.safetensors``.
    card : Card
    weights : dict of str to Tensor
        ``state_dict()`` of the network.

    Raises
    ------
    CheckpointError
        If it cannot be written.
    """
    plain = {name: value.detach().cpu().contiguous() for name, value in weights.items()}
    content = save(plain, metadata={HEADER: card.model_dump_json()})
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_bytes(content)
        return beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise CheckpointError(
            "a folder with room for a checkpoint",
            f"{path} ({error.strerror})",
            "the weights of this epoch are not kept; the checkpoint before it is untouched",
            "free some space and run the same command again: it goes on where it stopped",
        ) from error


def read_card(path: Path) -> Card:
    """Read the card of a checkpoint, and no weights.

    Raises
    ------
    CheckpointError
        If the file is no checkpoint, is truncated, or its card breaks the format.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get(HEADER)
    except (OSError, SafetensorError) as error:
        raise _unreadable(path, str(error).splitlines()[0]) from error
    if header is None:
        raise _unreadable(path, "a safetensors file without a card")
    try:
        return Card.model_validate_json(header)
    except (ValidationError, ValueError) as error:
        raise _unreadable(path, _first(error)) from error


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint: the network with its weights, ready to predict.

    Raises
    ------
    CheckpointError
        If the file is no checkpoint, is truncated, or its weights are not those of its network.
    """
    from headscarp.ingest.raster import read_sha256

    card = read_card(path)
    try:
        with torch.random.fork_rng(devices=[]):
            network = make_network(card.options)
        with safe_open(path, framework="pt") as file:
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (OSError, SafetensorError, ValueError) as error:
        raise _unreadable(path, str(error).splitlines()[0]) from error
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        named = ", ".join(f"{name} {value}" for name, value in card.network.items())
        raise _unreadable(path, f"its weights are not those of {named}") from error
    return Checkpoint(card, network.eval(), read_sha256(path))


def _unreadable(path: Path, reason: str) -> CheckpointError:
    return CheckpointError(
        "a checkpoint that headscarp train wrote",
        f"{path} ({reason})",
        "its network cannot be built",
        "check the path, or fetch the file again: it may be cut off",
    )


def _first(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc'])) or 'the card'}: {first['msg']}"
    return str(error).splitlines()[0]
