"""A tile of the first walk in the scratch folder, and what later stages keep beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from headscarp.features.change import DATES, DAYS, Change
from headscarp.grid import Tile
from headscarp.pipeline.map.resume import write_array

FloatArray = NDArray[np.float32]
_DIMS = {DATES: ("orbit", "polarization", "time", "y", "x"), DAYS: ("orbit", "time")}
"""Variables of a change that are on other dimensions than it."""
EVENT, PSEUDO = "event", "pseudo"


@dataclass(frozen=True)
class StoredTile:
    """A tile whose change lies in the scratch folder, with a halo around it."""

    tile: Tile
    path: Path
    halo_px: int

    def change(self, pseudo: bool = False) -> Change | None:
        """Change of the event, or of the pseudo-event, halo included; none where there is no pair."""
        name = PSEUDO if pseudo else EVENT
        with np.load(self.path) as stored:
            if f"{name}_change_db" not in stored:
                return None
            dims = ("orbit", "polarization", "y", "x")
            named = {k.removeprefix(f"{name}_"): k for k in stored.files if k.startswith(f"{name}_")}
            coords = ("orbit", "polarization", "orbit_state")
            ground = {k: (("y", "x"), stored[k]) for k in stored.files if not k.startswith((EVENT, PSEUDO))}
            return xr.Dataset(
                {
                    field: (_DIMS.get(field, dims), stored[key])
                    for field, key in named.items()
                    if field not in coords
                }
                | ground,
                coords={
                    "orbit": stored[named["orbit"]].tolist(),
                    "polarization": stored[named["polarization"]].tolist(),
                    "orbit_state": ("orbit", stored[named["orbit_state"]].tolist()),
                },
            )

    def inner(self, values: NDArray[Any]) -> NDArray[Any]:
        """What lies on the tile itself, of an array of shape (..., y, x) with the halo."""
        rows, cols = self.tile.shape
        halo = self.halo_px
        return values[..., halo : halo + rows, halo : halo + cols]

    def inner_change(self, change: Change) -> Change:
        """What lies on the tile itself, of a change with the halo."""
        rows, cols = self.tile.shape
        halo = self.halo_px
        return change.isel(y=slice(halo, halo + rows), x=slice(halo, halo + cols))

    def keep_pseudo_probability(self, probability: FloatArray) -> None:
        """Store the probability of the pseudo-event beside the changes."""
        write_array(self._pseudo_path, probability)

    def pseudo_probability(self) -> FloatArray | None:
        """Probability of the pseudo-event; none where it has no pair."""
        return _loaded(self._pseudo_path)

    def keep_score(self, score: FloatArray, pseudo: bool = False) -> None:
        """Store the score of the tile, of the event or of the pseudo-event."""
        write_array(self._score_path(pseudo), score)

    def score(self, pseudo: bool = False) -> FloatArray | None:
        """Score that was kept; none where none was."""
        return _loaded(self._score_path(pseudo))

    def has_score(self, pseudo: bool = False) -> bool:
        """Whether a score was kept."""
        return self._score_path(pseudo).is_file()

    def observable(self) -> NDArray[np.uint8] | None:
        """Which orbits can see each pixel of the tile; none without a DEM."""
        with np.load(self.path) as stored:
            return self.inner(stored["observable"]) if "observable" in stored else None

    @property
    def _pseudo_path(self) -> Path:
        return self.path.with_suffix(".pseudo.npy")

    def _score_path(self, pseudo: bool) -> Path:
        return self.path.with_suffix(f".{PSEUDO if pseudo else EVENT}_score.npy")

    def step_path(self, step: int) -> Path:
        """File of the tile's patches at an earlier step."""
        return self.path.with_suffix(f".step{step}.npz")

    def sample_path(self, pseudo: bool = False) -> Path:
        """File of the tile's patches of the event, or of the pseudo-event."""
        return self.path.with_suffix(f".{PSEUDO if pseudo else EVENT}_sample.npz")

    @property
    def done_path(self) -> Path:
        """File that stands there once all others of the tile do."""
        return self.path.with_suffix(".done")

    def terrain(self) -> dict[str, FloatArray]:
        """Slope, hillshade and exclusion code of the tile; empty without a DEM."""
        with np.load(self.path) as stored:
            names = ("slope_deg", "hillshade", "exclusion")
            return {name: self.inner(stored[name]) for name in names if name in stored}


def _loaded(path: Path) -> FloatArray | None:
    return np.asarray(np.load(path), dtype=np.float32) if path.is_file() else None
