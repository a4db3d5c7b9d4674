"""Colours of the map's layers, and pictures painted with them.

Every palette starts with the same reserved colours (transparent, the two tones of the hatching of
ground not observed, the tint of excluded ground); the ramp follows. The ramps are chosen for
readers with any colour vision: sequential ramps fall steadily in lightness, the change runs from
blue through white to red.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray

from headscarp.record import HistogramRecord
from headscarp.report.png import data_uri, indexed_png
from headscarp.report.rasters import Band


def _hex(color: NDArray[np.uint8]) -> str:
    """Write red, green and blue as CSS does, without the opacity."""
    return "#" + color[:3].tobytes().hex()


_HATCH_LIGHT, _HATCH_DARK, _EXCLUDED = 1, 2, 3
_RESERVED = np.array(
    [[0, 0, 0, 0], [238, 238, 234, 255], [196, 196, 190, 255], [120, 144, 168, 150]], np.uint8
)
NOT_OBSERVED = (_hex(_RESERVED[_HATCH_LIGHT]), _hex(_RESERVED[_HATCH_DARK]))
"""The two tones of the hatching, as the legend shows them."""
EXCLUDED = _hex(_RESERVED[_EXCLUDED])
"""The tint of ground that was observed and excluded."""

_SPAN_DB = (3.0, 10.0)
"""Least and greatest end of the colour bar of the change."""
_MOST_SWATCHES = 8
"""Counts up to here get a colour each."""


@dataclass(frozen=True)
class Ramp:
    """Colours from a low to a high value, and how the legend labels them."""

    title: str
    low: float
    high: float
    colors: NDArray[np.uint8]
    """Red, green, blue and opacity of each step, shape ``(n, 4)``."""
    ticks: list[tuple[float, str]]
    """Position along the bar, from 0 to 1, and label."""

    @property
    def stops(self) -> list[tuple[str, float]]:
        """Colour and opacity of each step, for the legend."""
        return [(_hex(color), round(color[3] / 255, 2)) for color in self.colors]


def _sample(name: str, low: float, high: float, steps: int) -> NDArray[np.uint8]:
    colors = mpl.colormaps[name](np.linspace(low, high, steps))
    return np.round(np.asarray(colors) * 255).astype(np.uint8)


def _tick(value: float, low: float, high: float, label: str) -> tuple[float, str]:
    return (value - low) / (high - low), label


def probability_ramp(threshold: float) -> Ramp:
    """Choose the colours of the probability: clear at 0, dark and opaque at 1.

    Parameters
    ----------
    threshold : float
        Probability from which ground is flagged; marked on the colour bar.

    Returns
    -------
    Ramp
        From 0 to 1.
    """
    steps = 33
    colors = _sample("inferno", 0.88, 0.22, steps)
    opacity = np.interp(np.linspace(0, 1, steps), [0.05, 0.65], [0, 0.94])
    colors[:, 3] = np.round(255 * opacity)
    ticks = [(0.0, "0"), (0.25, "0.25"), (0.5, "0.5"), (0.75, "0.75"), (1.0, "1")]
    far = [tick for tick in ticks if abs(tick[0] - threshold) > 0.1 or tick[0] in {0.0, 1.0}]
    return Ramp("Probability of a landslide", 0.0, 1.0, colors, far)


def change_span(histogram: HistogramRecord | None) -> float:
    """Choose where the colour bar of the change ends.

    Parameters
    ----------
    histogram : HistogramRecord | None
        Of the fused change in dB.

    Returns
    -------
    float
        The 99.5th percentile of the change's size, rounded up to a whole dB between 3 and 10;
        6 where nothing is known.

    Examples
    --------
    >>> change_span(HistogramRecord(edges=[-5.0, 0.0, 5.0], counts=[1, 1]))
    3.0
    """
    if histogram is None or not sum(histogram.counts):
        return 6.0
    edges = np.asarray(histogram.edges)
    size = np.abs((edges[1:] + edges[:-1]) / 2)
    order = np.argsort(size)
    share = np.cumsum(np.asarray(histogram.counts)[order]) / sum(histogram.counts)
    reached = float(size[order][np.searchsorted(share, 0.995)])
    return float(np.clip(math.ceil(reached), *_SPAN_DB))


def change_ramp(polarization: str, span_db: float) -> Ramp:
    """Choose the colours of the change: blue for gain, white for none, red for loss.

    Parameters
    ----------
    polarization : str
        Such as ``VV``.
    span_db : float
        The bar runs from ``-span_db`` to ``span_db``.

    Returns
    -------
    Ramp
        Diverging, centred on 0 dB.
    """
    half = span_db / 2
    values = (-span_db, -half, 0.0, half, span_db)
    ticks = [_tick(v, -span_db, span_db, f"{v:+.3g}".replace("-", "−") if v else "0") for v in values]
    title = f"Change of {polarization} backscatter, dB (gain − … + loss)"
    return Ramp(title, -span_db, span_db, _sample("RdBu_r", 0.03, 0.97, 41), ticks)


def count_ramp(highest: int) -> Ramp:
    """Choose the colours of the number of observations.

    Parameters
    ----------
    highest : int
        Largest number that can occur.

    Returns
    -------
    Ramp
        A colour a count up to 8 counts, a continuous ramp above.
    """
    top = max(1, highest)
    steps = top if top <= _MOST_SWATCHES else 33
    colors = _sample("cividis_r", 0.0, 0.95, steps) if steps > 1 else _sample("cividis", 0.5, 0.5, 1)
    marks = range(1, top + 1) if top <= _MOST_SWATCHES else (1, round(top / 2), top)
    low, high = (0.5, top + 0.5) if top <= _MOST_SWATCHES else (1.0, float(top))
    ticks = [_tick(mark, low, high, str(mark)) for mark in marks]
    return Ramp("Observations after the event", low, high, colors, ticks)


def observable_ramp() -> Ramp:
    """Choose the colours of what the orbits can see: both is clear, the least is darkest.

    Returns
    -------
    Ramp
        A colour a code of ``observable.tif``, 0 to 3.
    """
    colors = np.array(
        [[51, 34, 68, 225], [230, 159, 0, 200], [0, 114, 178, 200], [255, 255, 255, 40]], np.uint8
    )
    labels = ("neither", "ascending", "descending", "both")
    ticks = [_tick(code, -0.5, 3.5, label) for code, label in enumerate(labels)]
    return Ramp("Orbits that can see the ground", -0.5, 3.5, colors, ticks)


def hillshade_ramp() -> Ramp:
    """Choose the greys of the hillshade, kept light so that colours over it stay readable.

    Returns
    -------
    Ramp
        From 0 to 255.
    """
    return Ramp("Hillshade", 0.0, 255.0, _sample("gray", 0.35, 0.97, 32), [])


def _hatching(shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Draw diagonal stripes, as palette indices."""
    period = max(4, max(shape) // 80)
    diagonal = np.add.outer(np.arange(shape[0]), np.arange(shape[1])) % period
    return np.where(diagonal < max(1, period // 4), _HATCH_DARK, _HATCH_LIGHT).astype(np.uint8)


def paint(
    values: Band,
    ramp: Ramp,
    not_observed: NDArray[np.bool_] | None = None,
    excluded: NDArray[np.bool_] | None = None,
) -> str:
    """Paint a layer.

    Parameters
    ----------
    values : Band
        Shape ``(y, x)``; NaN stays clear.
    ramp : Ramp
        Its colours.
    not_observed : NDArray[np.bool_] | None
        Pixels to hatch.
    excluded : NDArray[np.bool_] | None
        Pixels that were observed and excluded, to tint.

    Returns
    -------
    str
        The picture as a ``data:`` address of a PNG.
    """
    steps = len(ramp.colors)
    known = np.isfinite(values)
    place = (np.where(known, values, ramp.low) - ramp.low) / (ramp.high - ramp.low)
    index = np.clip(np.floor(place * steps), 0, steps - 1).astype(np.uint8) + len(_RESERVED)
    index = np.where(known, index, 0).astype(np.uint8)
    if excluded is not None:
        index[excluded] = _EXCLUDED
    if not_observed is not None:
        index[not_observed] = _hatching((values.shape[0], values.shape[1]))[not_observed]
    return data_uri(indexed_png(index, np.concatenate([_RESERVED, ramp.colors])))
