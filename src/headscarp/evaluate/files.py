"""Names of the files of an evaluation folder, for those who write and those who read them."""

from __future__ import annotations

METRICS_JSON = "metrics.json"
METRICS_CSV = "metrics.csv"
CURVES = "curves.parquet"
BLOCKS = "blocks.npz"
REPORT = "report.html"
SCORED, SCORED_LAYER = "landslides_scored.gpkg", "landslides_scored"
LABEL, OUTCOME = "label", "outcome"
"""Stems of the rasters of the truth, and of hits, misses and false alarms."""


def raster_name(stem: str, ground: str, grounds: int) -> str:
    """File name of a ground's raster; the ground is named where there are several.

    Examples
    --------
    >>> raster_name(LABEL, "Noto 2024", 1), raster_name(LABEL, "Noto 2024", 2)
    ('label.tif', 'label_Noto_2024.tif')
    """
    safe = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in ground)
    return f"{stem}.tif" if grounds == 1 else f"{stem}_{safe}.tif"
