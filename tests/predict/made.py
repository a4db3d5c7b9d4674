"""Checkpoints with first weights, and changes of random values for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from headscarp.calibration import Temperature
from headscarp.checkpoint import Card, Checkpoint, Task, Training, read_checkpoint, write_checkpoint
from headscarp.features.change import DATES, DAYS, Change
from headscarp.features.sets import FEATURE_SETS, FeatureSet
from headscarp.models import Network, NetworkOptions, Takes, make_network

ORBITS = {"ascending 68": "ascending", "ascending 170": "ascending", "descending 46": "descending"}
LAND = FeatureSet(
    name="land",
    channels=("change_vv_fused_db", "slope_deg", "aspect_east", "raster:geology=3", "raster:rain"),
)
SPACING_M, LOGITS_STD = 20.0, 2.0


def grid(shape: tuple[int, int]) -> GeoBox:
    return GeoBox(shape, Affine(SPACING_M, 0, 580000, 0, -SPACING_M, 4730000), "EPSG:32654")


def make_card(network: str, features: FeatureSet, **more: Any) -> Card:
    """A card whose statistics are no round numbers, so that mistakes in their order show."""
    count = len(features.channels)
    options = NetworkOptions(
        network=network, channels=features.network_channels, filters=8, **more.pop("options", {})
    )
    task: dict[str, Any] = {
        "features": features,
        "units": tuple(own.units for own in features.parsed),
        "mean": tuple(0.3 + 0.7 * k for k in range(count)),
        "std": tuple(1.1 + 0.4 * k for k in range(count)),
        "spacing_m": SPACING_M,
        "pre_dates": (5, 10),
        "post_dates": (1, 3),
    } | more.pop("task", {})
    training = Training(
        headscarp="0.1.0", commit="abc", seed=0, epochs=3, created_utc="2024-01-01T00:00:00Z",
        split_sha256="0" * 64, data_sha256={}, options={},
    )  # fmt: skip
    defaults: dict[str, Any] = {"calibration": Temperature(temperature=2.0), "threshold": 0.4}
    return Card(network=options.to_dict(), task=Task(**task), training=training, **(defaults | more))


def make_checkpoint(
    folder: Path, network: str = "unet", features: FeatureSet = FEATURE_SETS["group1"], **more: Any
) -> Path:
    """A checkpoint file; batch statistics away from 0 and 1, and logits that spread."""
    card = make_card(network, features, **more)
    torch.manual_seed(3)
    made = make_network(card.options)
    with torch.no_grad():
        for name, value in made.named_buffers():
            if name.endswith("running_mean"):
                value.normal_(std=0.1)
            elif name.endswith("running_var"):
                value.uniform_(0.3, 0.8)
        scale = LOGITS_STD / made.eval()(*_inputs(made)).std()
        made.head.weight.mul_(scale)
    return write_checkpoint(folder / f"{network}_{features.name}.safetensors", card, made.state_dict())


def _inputs(network: Network) -> tuple[torch.Tensor, ...]:
    """Normal values of the shape that the network takes."""
    lead = {Takes.SCENE: (1,), Takes.PAIR: (1, 2), Takes.SERIES: (1, 3)}[network.takes]
    x = torch.randn(*lead, network.options.channels, 64, 64)
    series = (torch.ones(1, 3, dtype=torch.bool), torch.tensor([[-6.0, 0, 6]]))
    return (x, *series) if network.takes is Takes.SERIES else (x,)


def load(folder: Path, network: str, features: FeatureSet, **more: Any) -> Checkpoint:
    return read_checkpoint(make_checkpoint(folder, network, features, **more))


def features_for(network: str) -> FeatureSet:
    if network == "siamese_unet":
        return FEATURE_SETS["pair"]
    return FEATURE_SETS["series_ascending" if network in ("utae", "convlstm_unet") else "group1"]


def random_change(shape: tuple[int, int], seed: int = 0) -> Change:
    """Everything that a set may need, with ground that some or all orbits did not see."""
    rng = np.random.default_rng(seed)
    dims = ("orbit", "polarization", "y", "x")

    def values(mean: float, std: float, *lead: int) -> np.ndarray:
        return rng.normal(mean, std, (*lead, *shape)).astype(np.float32)

    change, pre = values(0, 3, 3, 2), values(-12, 3, 3, 2)
    dates = values(-12, 3, 3, 2, 3)
    # the second orbit has two dates only: the third is padding
    dates[1, :, 2] = np.nan
    days = np.array([[-12, -0.5, 0], [-6, 5, np.nan], [-7, 0, 4]], np.float32)
    rows, cols = np.indices(shape)
    unseen = (rows - shape[0] // 2) ** 2 + (cols - shape[1] // 3) ** 2 < 200
    for array in (change, pre, dates):
        array[..., unseen] = np.nan
        array[2, ..., : shape[0] // 3, :] = np.nan
        array[..., -9:, -20:] = np.nan
    counts = np.isfinite(change).astype(np.uint16)
    land = {
        "slope_deg": values(20, 8),
        "height_m": values(500, 200),
        "aspect_deg": rng.uniform(0, 360, shape).astype(np.float32),
        "raster:geology": rng.integers(1, 5, shape).astype(np.float32),
        "raster:rain": values(100, 40),
    }
    return xr.Dataset(
        {
            "change_db": (dims, change),
            "pre_db": (dims, pre),
            "pre_count": (dims, counts),
            "post_count": (dims, counts),
            DATES: (("orbit", "polarization", "time", "y", "x"), dates),
            DAYS: (("orbit", "time"), days),
            **{name: (("y", "x"), array) for name, array in land.items()},
        },
        coords={
            "orbit": list(ORBITS),
            "polarization": ["VV", "VH"],
            "orbit_state": ("orbit", list(ORBITS.values())),
        },
    )


def padded(change: Change, px: int) -> Change:
    """The change with nothing observed around it."""
    fill = {name: np.nan if change[name].dtype.kind == "f" else 0 for name in change.data_vars}
    return change.pad(y=(px, px), x=(px, px), constant_values=fill)
