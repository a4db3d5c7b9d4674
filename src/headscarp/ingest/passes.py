"""From files to scenes: repeats counted once, pieces of a pass put together, contradictions refused."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from headscarp.errors import SceneError
from headscarp.grid import grid_over
from headscarp.ingest.raster import bounds_in, read_on_grid
from headscarp.scene import Scene, SceneFile
from headscarp.vocabulary import Polarization

PASS_GAP = timedelta(minutes=15)
"""Files of one orbit less far apart than this belong to one pass; the next pass is 99 min away."""
REPEAT_GAP = timedelta(seconds=2)
"""Two processings of one acquisition start within this; neighbouring bursts are 2.76 s apart."""
SAME_FOOTPRINT = 0.9
"""Share of the smaller footprint within the other from which two footprints are one."""
OVERLAP_PX = 512
"""Longest side of the part of an overlap that is compared."""
BLOCK_PX = 5
"""Pixels averaged before two pieces are compared, so that speckle weighs little."""
MIN_BLOCKS = 12
MIN_CORRELATION = 0.5
MAX_DIFFERENCE_DB = 1.0


def drop_repeats(files: Iterable[SceneFile]) -> tuple[list[SceneFile], list[tuple[SceneFile, str]]]:
    """Keep one processing of each acquisition, the newest that holds all of its polarisations.

    Returns
    -------
    kept : list of SceneFile
    rejected : list of (SceneFile, str)
        Older processings, each with the name of the file that replaced it.
    """
    kept: list[SceneFile] = []
    rejected: list[tuple[SceneFile, str]] = []
    for file in sorted(files, key=_newest_first):
        newer = next((o for o in kept if is_repeat(file, o) and set(file.bands) <= set(o.bands)), None)
        if newer is None:
            kept.append(file)
        else:
            rejected.append((file, f"the same acquisition as {newer.path.name}, processed earlier"))
    return sorted(kept, key=lambda f: (f.acquired, f.path)), rejected


def is_repeat(a: SceneFile, b: SceneFile) -> bool:
    """Tell whether two files hold the same polarisations of the same acquisition of the same ground."""
    same_pass = a.orbit_label == b.orbit_label and a.platform == b.platform
    gap = abs(a.acquired - b.acquired)
    if not same_pass or gap > PASS_GAP or not set(a.bands) & set(b.bands):
        return False
    if a.burst or b.burst:
        return a.burst == b.burst
    return gap <= REPEAT_GAP and _shared_footprint(a.geobox, b.geobox) >= SAME_FOOTPRINT


def group_scenes(files: Iterable[SceneFile]) -> list[Scene]:
    """Put the files of each pass together: one orbit and platform, less than 15 minutes apart."""
    scenes: list[list[SceneFile]] = []
    ordered = sorted(files, key=lambda f: (f.orbit_label, f.platform or "", f.acquired, f.path))
    for file in ordered:
        last = scenes[-1][-1] if scenes else None
        if last is not None and _same_pass(last, file):
            scenes[-1].append(file)
        else:
            scenes.append([file])
    return sorted((Scene(tuple(s)) for s in scenes), key=lambda s: (s.acquired, s.orbit_label))


def refuse_contradictions(scenes: Iterable[Scene]) -> None:
    """Refuse pieces of a pass that claim the same ground with different values.

    Pieces are compared where they overlap, in dB and averaged over 5 × 5 pixels, since the overlap of
    two bursts is real and differs by speckle. They contradict each other when their texture does not
    correlate and either the overlap is most of a piece or their values differ by more than 1 dB.

    Raises
    ------
    SceneError
        Naming the two files.
    """
    for scene in scenes:
        for a, b in combinations(scene.files, 2):
            for polarization in sorted(set(a.bands) & set(b.bands)):
                _refuse_contradiction(a, b, polarization)


def contradict(a_db: NDArray[np.float32], b_db: NDArray[np.float32], share: float) -> bool:
    """Tell whether two views of the same ground disagree by more than speckle.

    Parameters
    ----------
    a_db, b_db : ndarray, shape (y, x)
        Backscatter of the overlap, dB.
    share : float
        Share of the smaller piece that the overlap covers.
    """
    a, b = _block_means(a_db), _block_means(b_db)
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < MIN_BLOCKS:
        return False
    a, b = a[both], b[both]
    difference = float(np.median(np.abs(a - b)))
    if np.allclose(a, b, atol=1e-3) or a.std() == 0 or b.std() == 0:
        return difference > MAX_DIFFERENCE_DB
    correlation = float(np.corrcoef(a, b)[0, 1])
    return correlation < MIN_CORRELATION and (share > 0.5 or difference > MAX_DIFFERENCE_DB)


def _refuse_contradiction(a: SceneFile, b: SceneFile, polarization: Polarization) -> None:
    overlap = _overlap(a.geobox, b.geobox)
    if overlap is None:
        return
    share = _shared_footprint(a.geobox, b.geobox)
    values = [_read_db(file, polarization, overlap) for file in (a, b)]
    if contradict(values[0], values[1], share):
        raise SceneError(
            "pieces of one pass that agree where they overlap",
            f"{a.path.name} and {b.path.name}, which claim the same ground with different "
            f"{polarization} values ({share:.0%} of the smaller)",
            "at least one of them is misplaced, and its change would be drawn on the wrong ground",
            "download or process both again, or leave the misplaced one out",
        )


def _read_db(file: SceneFile, polarization: Polarization, grid: GeoBox) -> NDArray[np.float32]:
    power = read_on_grid(file.path, file.bands[polarization], file.geobox, file.nodata, file.scale, grid)
    return np.asarray(10.0 * np.log10(power), dtype=np.float32)


def _overlap(a: GeoBox, b: GeoBox) -> GeoBox | None:
    """Middle of the ground that two grids share, on the first one's grid."""
    box, other = a.boundingbox, bounds_in(b, a.crs)
    left, bottom = max(box.left, other[0]), max(box.bottom, other[1])
    right, top = min(box.right, other[2]), min(box.top, other[3])
    spacing = abs(a.transform.a)
    if right - left < spacing or top - bottom < spacing:
        return None
    grid = grid_over((left, bottom, right, top), a.crs, spacing, a.transform)
    rows, cols = (_middle(length) for length in grid.shape)
    return grid[rows, cols]


def _middle(length: int) -> slice:
    start = max((length - OVERLAP_PX) // 2, 0)
    return slice(start, min(start + OVERLAP_PX, length))


def _block_means(db: NDArray[np.float32]) -> NDArray[np.float64]:
    """Average over whole blocks; NaN where any pixel of a block is."""
    rows, cols = (length // BLOCK_PX * BLOCK_PX for length in db.shape)
    blocks = db[:rows, :cols].reshape(rows // BLOCK_PX, BLOCK_PX, cols // BLOCK_PX, BLOCK_PX)
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float64))


def _shared_footprint(a: GeoBox, b: GeoBox) -> float:
    """Share of the smaller bounding box within the other."""
    box, other = a.boundingbox, bounds_in(b, a.crs)
    width = min(box.right, other[2]) - max(box.left, other[0])
    height = min(box.top, other[3]) - max(box.bottom, other[1])
    smaller = min(
        (box.right - box.left) * (box.top - box.bottom),
        (other[2] - other[0]) * (other[3] - other[1]),
    )
    return float(max(width, 0.0) * max(height, 0.0) / smaller)


def _same_pass(a: SceneFile, b: SceneFile) -> bool:
    same = (a.orbit_label, a.platform) == (b.orbit_label, b.platform)
    return same and b.acquired - a.acquired <= PASS_GAP


def _newest_first(file: SceneFile) -> tuple[float, str]:
    """Sort key: processing time where stated, else the time of the file itself."""
    processed: datetime | None = file.processed
    made = processed.timestamp() if processed else file.path.stat().st_mtime
    return -made, str(file.path)
