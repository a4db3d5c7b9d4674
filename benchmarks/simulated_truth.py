"""What a simulated event has, held against the laws that it should obey.

Run with ``python -m benchmarks.simulated_truth [--figure FILE]``. Prints a Markdown table: looks and
correlation of speckle, the noise of medians, the law of landslide areas; draws them, and what the two orbits
cannot see of the demo's ground.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy import stats

from headscarp.evaluate.frequency_area import (
    GENERAL_A_M2,
    GENERAL_RHO,
    GENERAL_S_M2,
    InverseGammaFit,
    fit_inverse_gamma,
    frequency_area,
    inverse_gamma_density,
)
from headscarp.geometry.terrain import hillshade
from headscarp.geometry.visibility import is_layover, is_shadow
from headscarp.simulate.event import SimulatedEvent, simulate_event
from headscarp.simulate.land.landcover import land_cover
from headscarp.simulate.land.site import MARGIN_PX, make_site
from headscarp.simulate.land.terrain import survey
from headscarp.simulate.landslides.plan import plan_landslides
from headscarp.simulate.options import SimulateOptions
from headscarp.simulate.radar.speckle import (
    AZIMUTH_RESOLUTION_M,
    RANGE_RESOLUTION_M,
    intensity_correlation,
    speckle,
)

LOOKS, SPACING_M, SIDE_PX = 4.4, 10.0, 1024
LAGS_PX = np.arange(6)
DATES = (1, 3, 5, 9, 15)
LANDSLIDES, LANDSLIDE_SIDE_PX = 6000, 1600
_RANKS = 20000

Values = NDArray[np.float64]


class Speckled(NamedTuple):
    """Speckle of one date: looks, and correlation along rows' axis (azimuth) and columns' axis (range)."""

    looks: float
    azimuth: Values
    range: Values


def main() -> None:
    """Measure, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figure", type=Path, default=None, help="picture to draw")
    options = parser.parse_args()
    measured, noise, areas = measure_speckle(), measure_medians(), simulated_areas_m2()
    fit = fit_inverse_gamma(areas).fit
    if fit is None:
        raise RuntimeError("the areas have no fit")
    sys.stdout.write(table(measured, noise, areas, fit))
    if options.figure is not None:
        draw(options.figure, measured, noise, areas, simulate_event())


def measure_speckle() -> Speckled:
    """Measure one field of speckle of ``LOOKS`` looks at 10 m."""
    window = slice(0, SIDE_PX)
    field = speckle(7, ("truth", "VV"), window, window, SPACING_M, LOOKS).astype(np.float64)
    looks = float(field.mean() ** 2 / field.var())
    return Speckled(looks, _correlation(field), _correlation(field.T))


def measure_medians() -> Values:
    """Standard deviation, dB, of medians of several dates: measured, and of the theory; shape (dates, 2)."""
    window = slice(0, SIDE_PX // 2)
    rows = []
    for count in DATES:
        stack = [speckle(7, (f"median {k}", "VV"), window, window, SPACING_M, LOOKS) for k in range(count)]
        measured = np.std(10.0 * np.log10(np.median(np.stack(stack), axis=0)))
        rank = stats.beta.ppf((np.arange(_RANKS) + 0.5) / _RANKS, (count + 1) / 2, (count + 1) / 2)
        rows.append((measured, np.std(10.0 * np.log10(stats.gamma.ppf(rank, LOOKS)))))
    return np.array(rows)


def simulated_areas_m2() -> Values:
    """Areas of the outlines of many landslides, before overlapping ones are united."""
    options = SimulateOptions(size_px=LANDSLIDE_SIDE_PX, landslides=LANDSLIDES)
    site = make_site(options)
    ground = survey(site.wide_height_m, site.geobox, MARGIN_PX)
    found = plan_landslides(ground, land_cover(ground, options.seed), options)
    return np.asarray(shapely.area(np.array([landslide.outline for landslide in found], dtype=object)))


def table(measured: Speckled, noise: Values, areas: Values, fit: InverseGammaFit) -> str:
    """Everything measured beside what it should be, in Markdown."""
    rows = [("Equivalent number of looks", LOOKS, measured.looks)]
    for name, found, width in (
        ("range", measured.range, RANGE_RESOLUTION_M),
        ("azimuth", measured.azimuth, AZIMUTH_RESOLUTION_M),
    ):
        for lag in (1, 2, 3):
            wanted = intensity_correlation(lag * SPACING_M, width)
            rows.append((f"Correlation of speckle, {name}, {lag * SPACING_M:.0f} m", wanted, found[lag]))
    rows += [
        (f"Standard deviation of the median of {count}, dB", theory, found)
        for count, (found, theory) in zip(DATES, noise, strict=True)
    ]
    rows += [
        (f"Exponent rho of {areas.size} landslides", GENERAL_RHO, fit.rho),
        ("— scale a, m²", GENERAL_A_M2, fit.a_m2),
        ("— shift s, m²", GENERAL_S_M2, fit.s_m2),
    ]
    lines = [f"| {name} | {wanted:.4g} | {found:.4g} |" for name, wanted, found in rows]
    return "\n".join(["| | should be | is |", "|---|---:|---:|", *lines]) + "\n"


def draw(path: Path, measured: Speckled, noise: Values, areas: Values, event: SimulatedEvent) -> None:
    """Draw the measurements, and what the orbits cannot see."""
    figure = Figure(figsize=(10.0, 6.4), layout="constrained")
    axes = figure.subplots(2, 3)
    _draw_correlation(axes[0, 0], measured)
    _draw_medians(axes[0, 1], noise)
    _draw_areas(axes[0, 2], areas)
    for axis, look in zip(axes[1], event.looks.values(), strict=False):
        shade = hillshade(event.ground.height_m, (event.ground.spacing_m,) * 2)
        axis.imshow(shade, cmap="gray")
        for mask, colour in ((is_layover(look.view), "#d95f02"), (is_shadow(look.view), "#1f4e9c")):
            axis.imshow(np.where(mask, 1.0, np.nan), cmap=_one_colour(colour), interpolation="nearest")
        azimuth = np.deg2rad(look.look_azimuth_deg)
        axis.annotate(
            "",
            (256 + 90 * np.sin(azimuth), 40 - 90 * np.cos(azimuth)),
            (256, 40),
            arrowprops={"color": "yellow", "width": 2},
        )
        axis.set_title(f"{look.orbit.label}: layover orange, shadow blue", fontsize=9)
        axis.set_axis_off()
    _draw_echo(axes[1, 2], event)
    figure.savefig(path, dpi=80)


def _draw_correlation(axis: Axes, measured: Speckled) -> None:
    fine = np.linspace(0.0, LAGS_PX[-1] * SPACING_M, 100)
    for name, found, width, colour in (
        ("range", measured.range, RANGE_RESOLUTION_M, "#1b9e77"),
        ("azimuth", measured.azimuth, AZIMUTH_RESOLUTION_M, "#7570b3"),
    ):
        axis.plot(fine, [intensity_correlation(lag, width) for lag in fine], color=colour, label=name)
        axis.plot(LAGS_PX * SPACING_M, found, "o", color=colour)
    axis.set(xlabel="distance, m", title=f"Correlation of speckle; {measured.looks:.2f} looks for {LOOKS}")
    axis.title.set_fontsize(9)
    axis.legend(fontsize=8)


def _draw_medians(axis: Axes, noise: Values) -> None:
    axis.plot(DATES, noise[:, 1], color="#444444", label="order statistics of gamma")
    axis.plot(DATES, noise[:, 0], "o", color="#d95f02", label="simulated")
    axis.set(xlabel="dates", ylabel="dB", xscale="log", title="Standard deviation of the median")
    axis.set_xticks(DATES, [str(count) for count in DATES])
    axis.minorticks_off()
    axis.title.set_fontsize(9)
    axis.legend(fontsize=8)


def _draw_areas(axis: Axes, areas: Values) -> None:
    curve = frequency_area(areas)
    middle = np.sqrt(curve.edges_m2[1:] * curve.edges_m2[:-1])
    seen = curve.counts > 0
    fine = np.geomspace(30.0, 1e6, 200)
    law = inverse_gamma_density(fine, GENERAL_RHO, GENERAL_A_M2, GENERAL_S_M2)
    axis.loglog(fine, law, color="#444444", label="Malamud et al. (2004)")
    axis.loglog(
        middle[seen], curve.density_per_m2[seen], "o", color="#d95f02", label=f"{areas.size} outlines"
    )
    axis.set(xlabel="area, m²", ylabel="density, 1/m²", title="Areas of landslides")
    axis.title.set_fontsize(9)
    axis.legend(fontsize=8)


def _draw_echo(axis: Axes, event: SimulatedEvent) -> None:
    """Change of the mean in VH where every landslide is seen by one orbit at least."""
    look = next(iter(event.looks.values()))
    change = 10.0 * np.log10(look.after[1] / look.before[1])
    image = axis.imshow(change, cmap="RdBu", vmin=-6.0, vmax=6.0, interpolation="nearest")
    axis.figure.colorbar(image, ax=axis, shrink=0.7, label="dB")
    axis.set_title(f"{look.orbit.label}: change of VH, noise-free", fontsize=9)
    axis.set_axis_off()


def _one_colour(colour: str) -> object:
    from matplotlib.colors import ListedColormap

    return ListedColormap([colour])


def _correlation(field: Values) -> Values:
    """Correlation along the first axis at each lag."""
    centred = field - field.mean()
    power = float(np.mean(centred**2))
    products = [np.mean(centred[lag:] * centred[: len(centred) - lag]) for lag in LAGS_PX]
    return np.array(products) / power


if __name__ == "__main__":
    main()
