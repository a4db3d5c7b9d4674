"""Simulated noise beside that of real Sentinel-1 scenes: what differs from date to date on quiet ground.

Run with ``python -m benchmarks.simulated_noise --scenes ../shared/data/opera_rtc_s1/T137``. Four bursts of
OPERA RTC-S1 (30 m, California, four late autumns) stand beside a simulated ground of the same size, dates and
look. What the simulator leaves open was set on bursts 292319 and 292321 and checked on 292320 and 292323;
that thermal noise is subtracted, and about how much of it, was seen in all four.
Prints a Markdown table; with ``--figure`` draws ``docs/images/simulated_noise.png``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from headscarp.geometry.incidence import NOMINAL_INCIDENCE_DEG
from headscarp.geometry.orbit import look_azimuth_deg
from headscarp.geometry.terrain import gradient
from headscarp.simulate.fields import regional_noise
from headscarp.simulate.ground import LandCover
from headscarp.simulate.options import Product
from headscarp.simulate.radar.radiometry import gamma0, texture
from headscarp.simulate.radar.sensor import facet_area, noise_power, rise_along_look, seen, subtract_noise
from headscarp.simulate.radar.speckle import default_looks, speckle
from headscarp.simulate.radar.weather import date_factor
from headscarp.vocabulary import OrbitState

Values = NDArray[np.float64]

TUNED, CHECKED = ("292319", "292321"), ("292320", "292323")
POLARISATIONS = ("VV", "VH")
SIMULATED = "simulated"
OPERA_LOOKS = 11.5
"""Equivalent looks of OPERA RTC-S1, from VV of the bursts set on: it averages more than 30 m of a GRD."""
SIZE_PX, SPACING_M, LATITUDE_DEG = 100, 30.0, 34.4
"""Of the real crops."""
SEASON_GAP_DAYS = 60
"""Dates farther apart than this are of two seasons: statistics are taken within a season, then pooled."""
LAGS_PX = (1, 2, 3)
PERCENTILES = (10, 50, 90)
COLOURS = ("tab:blue", "tab:cyan", "tab:olive", "tab:orange", "tab:red", "black")


@dataclass(frozen=True)
class Series:
    """Backscatter of one look over time.

    Attributes
    ----------
    name : str
    moments : list of datetime
        Oldest first.
    db : array of shape (2, dates, rows, columns)
        VV before VH, decibels.
    """

    name: str
    moments: list[datetime]
    db: Values


class Noise(NamedTuple):
    """What a series shows; the first axis of every array is the polarisation, all in dB or correlations."""

    mean_db: Values
    """(2, percentiles) over places of the mean over time."""
    temporal_std_db: Values
    """(2, percentiles) over places of the standard deviation in time, without the shifts of dates."""
    shift_std_db: Values
    """(2,) standard deviation of the dates' median shifts within a season."""
    along_x: Values
    """(2, lags) autocorrelation of residuals along rows."""
    along_y: Values
    """(2, lags) along columns."""
    vv_vh: Values
    """(2,) correlation of VV's and VH's residuals: without the dates' shifts, and with them."""


def main() -> None:
    """Print the table, and draw the figure if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=Path, required=True, help="folder of the T137 scenes")
    parser.add_argument("--figure", type=Path, help="PNG to draw")
    parser.add_argument("--seed", type=int, default=7, help="of the simulated ground")
    arguments = parser.parse_args()
    real = [read_burst(arguments.scenes, burst) for burst in TUNED + CHECKED]
    many = simulated_series(real[0].moments, arguments.seed, OPERA_LOOKS)
    series = [*real, simulated_series(real[0].moments, arguments.seed, default_looks(SPACING_M)), many]
    sys.stdout.write(table([one.name for one in series], [noise_of(one) for one in series]))
    if arguments.figure:
        draw(series).savefig(arguments.figure, dpi=64)


def read_burst(folder: Path, burst: str) -> Series:
    """Read all dates of a burst."""
    paths = {p: sorted(folder.glob(f"*-{burst}-*_{p}.tif"), key=_acquired) for p in POLARISATIONS}
    power = np.array([[_read(path) for path in paths[p]] for p in POLARISATIONS])
    moments = [datetime.strptime(_acquired(p), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) for p in paths["VV"]]
    return Series(burst, moments, 10.0 * np.log10(power))


def simulated_series(moments: Sequence[datetime], seed: int, looks: float) -> Series:
    """Backscatter of a rolling ground of shrub and grass, forest and rock, on given dates."""
    rows = cols = slice(0, SIZE_PX)
    cover, rise = rolling_ground(seed)
    incidence = np.full(cover.shape, NOMINAL_INCIDENCE_DEG, np.float32)
    area = facet_area(rise, incidence)
    ground = gamma0(cover, incidence, texture(seed, rows, cols, SPACING_M))
    mean, noise = seen(ground, area, incidence, Product.RTC), noise_power(area, Product.RTC)
    dates = []
    for when in moments:
        passed = f"{when:%Y%m%dT%H%M%S}"
        grain = [speckle(seed, (passed, p), rows, cols, SPACING_M, looks) for p in POLARISATIONS]
        factor = date_factor(seed, passed, when, LATITUDE_DEG, cover, rows, cols, SPACING_M)
        dates.append(subtract_noise(mean * factor * np.stack(grain), noise))
    return Series(
        f"{SIMULATED}, {looks:.1f} looks",
        list(moments),
        10.0 * np.log10(np.stack(dates, axis=1).astype(np.float64)),
    )


def rolling_ground(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Land cover, and the slope along an ascending look, of hills a kilometre apart."""
    window = slice(-2, SIZE_PX + 2)
    hills = [(1000.0, 110.0), (300.0, 25.0)]
    fields = [
        regional_noise(seed, ("hills", k), window, window, m / SPACING_M) for k, (m, _) in enumerate(hills)
    ]
    height = sum(high * field for (_, high), field in zip(hills, fields, strict=True))
    to_east, to_north = (
        part[2:-2, 2:-2].astype(np.float32) for part in gradient(np.asarray(height), (SPACING_M, SPACING_M))
    )
    look = look_azimuth_deg(OrbitState.ASCENDING, LATITUDE_DEG)
    kind = regional_noise(seed, ("kind",), slice(0, SIZE_PX), slice(0, SIZE_PX), 400.0 / SPACING_M)
    cover = np.full(kind.shape, LandCover.SHRUB_GRASS, np.uint8)
    cover[kind > 0.7] = LandCover.FOREST
    cover[kind < -1.3] = LandCover.ROCK
    return cover, rise_along_look(to_east, to_north, look)


class Departures(NamedTuple):
    """What is left of a series once each pixel's mean over its season is taken away, dB."""

    residual: Values
    """(2, dates, rows, columns) without the dates' shifts."""
    shift: Values
    """(2, dates) median over places."""
    free: int
    """Degrees of freedom: dates less seasons."""


def departures_of(series: Series) -> Departures:
    """Take the season's mean from every pixel, and the median over places from every date."""
    groups = seasons(series.moments)
    parts = [series.db[:, g] - series.db[:, g].mean(axis=1, keepdims=True) for g in groups]
    departure = np.concatenate(parts, axis=1)
    shift = np.median(departure, axis=(2, 3))
    return Departures(departure - shift[:, :, None, None], shift, len(series.moments) - len(groups))


def temporal_std_db(departures: Departures) -> Values:
    """Standard deviation in time of every pixel, of shape (2, rows, columns)."""
    return np.asarray(np.sqrt((departures.residual**2).sum(axis=1) / departures.free))


def noise_of(series: Series) -> Noise:
    """Measure a series: within each season, pooled over seasons."""
    found = departures_of(series)
    whole = found.residual + found.shift[:, :, None, None]
    return Noise(
        _percentiles(series.db.mean(axis=1)),
        _percentiles(temporal_std_db(found)),
        np.sqrt((found.shift**2).sum(axis=1) / found.free),
        np.stack([autocorrelation(found.residual, lag, 3) for lag in LAGS_PX], axis=1),
        np.stack([autocorrelation(found.residual, lag, 2) for lag in LAGS_PX], axis=1),
        np.array([_correlation(found.residual), _correlation(whole)]),
    )


def autocorrelation(residual: Values, lag: int, axis: int) -> Values:
    """Correlation of residuals a lag apart along an axis of (2, dates, rows, columns), by polarisation."""
    size = residual.shape[axis]
    first, second = (residual.take(range(start, start + size - lag), axis) for start in (0, lag))
    over = (1, 2, 3)
    return np.asarray((first * second).mean(axis=over) / (residual**2).mean(axis=over))


def _correlation(residual: Values) -> float:
    """Correlation of VV and VH over all dates and places."""
    vv, vh = residual
    return float((vv * vh).sum() / np.sqrt((vv**2).sum() * (vh**2).sum()))


def _percentiles(values: Values) -> Values:
    return np.asarray(np.percentile(values, PERCENTILES, axis=(1, 2)).T)


def seasons(moments: Sequence[datetime]) -> list[list[int]]:
    """Numbers of the dates of each season, oldest first."""
    groups = [[0]]
    for k in range(1, len(moments)):
        if (moments[k] - moments[k - 1]).days > SEASON_GAP_DAYS:
            groups.append([])
        groups[-1].append(k)
    return groups


def table(names: Sequence[str], measured: Sequence[Noise]) -> str:
    """All figures side by side, as Markdown."""
    marks = ["set on" if name in TUNED else "checked on" if name in CHECKED else "" for name in names]
    heads = " | ".join(f"{name} ({mark})" if mark else name for name, mark in zip(names, marks, strict=True))
    lines = [f"| | {heads} |", "|---|" + "---|" * len(names)]
    for title, cells in _rows(measured):
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _rows(measured: Sequence[Noise]) -> list[tuple[str, list[str]]]:
    rows = []
    for k, polarisation in enumerate(POLARISATIONS):
        rows += [
            (
                f"{polarisation} mean over time, dB: 10, 50, 90 % of places",
                [_joined(m.mean_db[k], 1) for m in measured],
            ),
            (
                f"{polarisation} standard deviation in time, dB: 10, 50, 90 %",
                [_joined(m.temporal_std_db[k], 2) for m in measured],
            ),
            (
                f"{polarisation} shifts of dates within a season, dB",
                [f"{m.shift_std_db[k]:.2f}" for m in measured],
            ),
            (
                f"{polarisation} autocorrelation in x at 1, 2, 3 pixels",
                [_joined(m.along_x[k], 2) for m in measured],
            ),
            (
                f"{polarisation} autocorrelation in y at 1, 2, 3 pixels",
                [_joined(m.along_y[k], 2) for m in measured],
            ),
        ]
    titles = ("VV-VH correlation in time, without shifts of dates", "VV-VH correlation in time, with them")
    return rows + [(title, [f"{m.vv_vh[k]:.2f}" for m in measured]) for k, title in enumerate(titles)]


def _joined(values: Values, digits: int) -> str:
    return ", ".join(f"{value:.{digits}f}" for value in values)


def _acquired(path: Path) -> str:
    """Moment in a file's name, such as 20211119T015858Z."""
    return path.name.split("_")[4]


def _read(path: Path) -> NDArray[np.float32]:
    with rasterio.open(path) as source:
        return np.asarray(source.read(1))


def draw(series: Sequence[Series]) -> Figure:
    """Histograms of backscatter and of its standard deviation in time, and autocorrelation, side by side."""
    figure = Figure(figsize=(12.0, 6.6), layout="constrained")
    panels = figure.subplots(2, 3)
    for row, polarisation in enumerate(POLARISATIONS):
        for one, colour in zip(series, COLOURS, strict=False):
            _draw_row(panels[row], one, row, colour)
        titles = ("mean in time less its median, dB", "standard deviation in time, dB", "lag, pixels of 30 m")
        for axes, title in zip(panels[row], titles, strict=True):
            axes.set_xlabel(f"{polarisation}: {title}")
        panels[row, 2].set_ylabel("autocorrelation: x solid, y dashed")
    figure.legend(
        *panels[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=6, frameon=False
    )
    return figure


def _draw_row(axes: Sequence[Axes], one: Series, row: int, colour: str) -> None:
    width = 2.2 if one.name.startswith(SIMULATED) else 1.0
    mean, noise = one.db[row].mean(axis=0), noise_of(one)
    for panel, values, edges in (
        (axes[0], mean - np.median(mean), np.linspace(-8.0, 8.0, 49)),
        (axes[1], temporal_std_db(departures_of(one))[row], np.linspace(0.4, 3.4, 41)),
    ):
        counts = np.histogram(values, edges, density=True)[0]
        panel.plot((edges[1:] + edges[:-1]) / 2.0, counts, label=one.name, linewidth=width, color=colour)
    for lags, style in ((noise.along_x, "-"), (noise.along_y, "--")):
        axes[2].plot(LAGS_PX, lags[row], marker="o", linestyle=style, linewidth=width, color=colour)
    axes[2].set_xticks(LAGS_PX)


if __name__ == "__main__":
    main()
