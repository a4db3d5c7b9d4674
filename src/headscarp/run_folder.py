"""A run folder: written beside its final name, moved into place when it is whole, and read back."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import geopandas as gpd
import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pydantic import ValidationError
from rasterio.enums import Resampling
from rasterio.windows import Window

from headscarp.errors import OutputError
from headscarp.grid import TILE_PX, WGS84, Tile, crs_wkt
from headscarp.record import RunRecord

RUN_JSON = "run.json"
PROBABILITY = "probability.tif"
CHANGE = "change.tif"
SCORE = "score.tif"
OBSERVATIONS = "observations.tif"
TERRAIN = "terrain.tif"
OBSERVABLE = "observable.tif"
LANDSLIDES = "landslides.gpkg"
LANDSLIDES_GEOJSON = "landslides.geojson"
LAYER = "landslides"
CACHE_BYTES = 64 * 2**20
"""Blocks of rasters that GDAL keeps, whatever the machine's memory; its default is a twentieth of it."""


def block_cache() -> rasterio.Env:
    """Bound what GDAL keeps of rasters, from here on.

    Where GDAL's ``GDAL_CACHEMAX`` means megabytes, rasterio takes a number for **bytes**: of 64 no
    block would be kept, and each row of a smaller picture would unpack its blocks anew.

    Examples
    --------
    >>> with block_cache() as options:
    ...     rasterio.env.getenv()["GDAL_CACHEMAX"]
    67108864
    """
    return rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES)


@contextmanager
def staged_folder(
    final: Path, overwrite: bool, marker: str = RUN_JSON, within: Path | None = None
) -> Iterator[Path]:
    """Give a folder to fill beside its final name; move it into place when all went well.

    A folder of the same kind that stands there is replaced in one move, and only with ``overwrite``. When
    anything fails the staged folder is removed and what stood there is untouched.

    Parameters
    ----------
    final : Path
        Folder to write.
    overwrite : bool
        Replace what an earlier call wrote there.
    marker : str
        File that tells the kind of folder, such as ``run.json``.
    within : Path, optional
        Folder on the same file system to fill it in; beside its final name where none is given.

    Raises
    ------
    OutputError
        If the place is taken or cannot be written.
    """
    refuse_taken(final, overwrite, marker)
    place = final.resolve()  # "." has no name to write beside, and a link's target is what is replaced
    staged = _make_staged(place, within or place.parent)
    try:
        yield staged
        _move_into_place(staged, place)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def write_atomically(path: Path, text: str) -> None:
    """Write a text file beside its name and move it into place."""
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def write_record(folder: Path, record: RunRecord) -> None:
    """Write ``run.json``."""
    write_atomically(folder / RUN_JSON, record.model_dump_json(indent=2) + "\n")


def read_record(folder: Path) -> RunRecord:
    """Read ``run.json``.

    Raises
    ------
    OutputError
        If the folder holds no run, or one of another version.
    """
    path = folder / RUN_JSON
    try:
        return RunRecord.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise OutputError(
            "a folder that `headscarp map` wrote",
            f"{folder} ({str(error).splitlines()[0]})",
            "there is no probability to draw from",
            "give the folder that was passed to --out",
        ) from error


def write_landslides(folder: Path, landslides: gpd.GeoDataFrame) -> None:
    """Write landslides as GeoPackage in the map's CRS and as GeoJSON in EPSG:4326."""
    package, geojson = folder / f".{LANDSLIDES}", folder / f".{LANDSLIDES_GEOJSON}"
    for path in (package, geojson):
        path.unlink(missing_ok=True)
    kind = {"geometry_type": "MultiPolygon", "promote_to_multi": True}
    landslides.to_file(package, layer=LAYER, driver="GPKG", engine="pyogrio", **kind)
    landslides.to_crs(WGS84).to_file(geojson, layer=LAYER, driver="GeoJSON", engine="pyogrio", RFC7946="YES")
    package.replace(folder / LANDSLIDES)
    geojson.replace(folder / LANDSLIDES_GEOJSON)


class RasterWriter:
    """Writes one raster tile by tile; tiles never written take no room and read as nodata.

    Parameters
    ----------
    path : Path
        Plain tiled GeoTIFF; :meth:`finish` turns it into a COG.
    geobox : GeoBox
        The grid.
    bands : sequence of str
        Band descriptions.
    dtype : str
    nodata : float or None
    tags : dict of str to str, optional
    """

    def __init__(
        self,
        path: Path,
        geobox: GeoBox,
        bands: Sequence[str],
        dtype: str = "float32",
        nodata: float | None = np.nan,
        tags: dict[str, str] | None = None,
    ) -> None:
        self.path = path
        self._beside = path.with_name(f".{path.name}.part.tif")
        self._dataset = rasterio.open(
            self._beside,
            "w",
            driver="GTiff",
            height=geobox.shape[0],
            width=geobox.shape[1],
            count=len(bands),
            dtype=dtype,
            nodata=nodata,
            crs=crs_wkt(geobox),
            transform=geobox.transform,
            tiled=True,
            blockxsize=TILE_PX,
            blockysize=TILE_PX,
            compress="deflate",
            zlevel=1,
            sparse_ok=True,
            bigtiff="if_safer",
            interleave="band",
        )
        self._dataset.descriptions = tuple(bands)
        self._dataset.update_tags(**(tags or {}))

    def write(self, tile: Tile, values: NDArray[Any]) -> None:
        """Write the bands of a tile, shape (band, y, x)."""
        self._dataset.write(values, window=Window.from_slices(tile.rows, tile.cols))

    def finish(self, resampling: str = "average") -> None:
        """Close, and copy into a cloud-optimised GeoTIFF with overviews."""
        self._dataset.close()
        # overviews made here skip tiles that were never written; the COG driver's own would not
        with (
            rasterio.Env(SPARSE_OK_OVERVIEW=True, COMPRESS_OVERVIEW="DEFLATE"),
            rasterio.open(self._beside, "r+") as dataset,
        ):
            dataset.build_overviews(_overview_factors(dataset.shape), Resampling[resampling])
        rasterio.shutil.copy(
            self._beside,
            self.path,
            driver="COG",
            compress="deflate",
            blocksize=TILE_PX,
            sparse_ok=True,
            bigtiff="if_safer",
            num_threads="ALL_CPUS",
        )
        self._beside.unlink()


class RasterReader:
    """Reads bands of a raster by their descriptions, tile by tile."""

    def __init__(self, path: Path) -> None:
        self._dataset = rasterio.open(path)
        self.bands = tuple(text or "" for text in self._dataset.descriptions)
        self.geobox = GeoBox(self._dataset.shape, self._dataset.transform, self._dataset.crs.to_wkt())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._dataset.close()

    def read(self, tile: Tile, bands: Sequence[str] | None = None) -> dict[str, NDArray[Any]]:
        """Bands of a tile by description; all, or those named."""
        wanted = list(self.bands if bands is None else bands)
        values = self._dataset.read(
            [self.bands.index(name) + 1 for name in wanted],
            window=Window.from_slices(tile.rows, tile.cols),
        )
        return dict(zip(wanted, values, strict=True))


def _overview_factors(shape: tuple[int, int]) -> list[int]:
    """Halvings until the whole raster fits in a tile."""
    factors, factor = [], 2
    while max(shape) * 2 > TILE_PX * factor:
        factors.append(factor)
        factor *= 2
    return factors


def refuse_taken(final: Path, overwrite: bool, marker: str = RUN_JSON) -> None:
    """Refuse a place that holds something, unless that is a folder of the kind to be replaced.

    Raises
    ------
    OutputError
        Telling what stands there.
    """
    if not final.exists() or (final.is_dir() and not any(final.iterdir())):
        return
    same_kind = (final / marker).is_file()
    if same_kind and overwrite:
        return
    kind = "a run" if marker == RUN_JSON else f"a {marker}"
    raise OutputError(
        f"an --out that is new, empty, or holds {kind} to be replaced with --overwrite",
        f"{final}, which holds " + (kind if same_kind else f"something without {marker}"),
        "what stands there would be lost",
        "pass --overwrite" if same_kind else "choose another folder",
    )


def _make_staged(final: Path, within: Path) -> Path:
    try:
        within.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=f".{final.name}.", suffix=".part", dir=within))
        staged.chmod(0o777 & ~_umask())
    except OSError as error:
        raise unwritable(final, error) from error
    return staged


def unwritable(final: Path, error: OSError) -> OutputError:
    """The error of a place that cannot be written."""
    return OutputError(
        "an --out in a folder that can be written",
        f"{final} ({error.strerror})",
        "the map would be lost at the end of the run",
        "choose another folder, or change its permissions",
    )


def _move_into_place(staged: Path, final: Path) -> None:
    """Move the new folder in; the old one, if any, is set aside first and brought back on failure."""
    aside = None
    if final.exists():
        aside = Path(tempfile.mkdtemp(prefix=f".{final.name}.", suffix=".old", dir=final.parent))
        final.replace(aside / final.name)
    try:
        staged.replace(final)
    except OSError:
        if aside is not None:
            (aside / final.name).replace(final)
        raise
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
