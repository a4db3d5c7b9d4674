"""Figures: windows around the largest landslides, colours of outcomes, arrows, pictures that are drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from odc.geo.geobox import GeoBox

from headscarp.geometry.incidence import grid_look_azimuth_deg
from headscarp.report.evaluation.palette import FALSE, HIT, MISSED, NOT_EVALUATED
from headscarp.studies.drawing import draw_differences, draw_spread, new_figure, write_png
from headscarp.studies.pan_shi.draw_maps import draw_maps, outcome_image, thin
from headscarp.studies.pan_shi.draw_orbits import arrow_of, draw_orbits
from headscarp.studies.pan_shi.view import AreaView, detail_windows, read_optical
from headscarp.vocabulary import OrbitState

GEOBOX = GeoBox((60, 90), Affine(10, 0, 580_000, 0, -10, 4_730_000), "EPSG:32654")


def make_view() -> AreaView:
    truth = np.zeros(GEOBOX.shape, bool)
    truth[5:15, 70:80] = True  # 100 px
    truth[40:46, 10:18] = True  # 48 px
    truth[41:47, 22:25] = True  # 18 px, in the window of the one before
    truth[30:32, 50:53] = True  # 6 px: too small
    known = np.ones(GEOBOX.shape, bool)
    known[:3] = False
    height = np.add.outer(np.arange(60.0), np.arange(90.0)).astype(np.float32)
    rng = np.random.default_rng(2)
    maps = {f"Group {k}": rng.random(GEOBOX.shape) > 0.7 for k in (1, 2, 3)}
    changes = {
        k: rng.normal(0, 3, GEOBOX.shape).astype(np.float32) for k in ("fused", "ascending", "descending")
    }
    return AreaView(GEOBOX, height, None, truth, known, maps, changes)


def test_windows_hold_the_largest_landslides_apart() -> None:
    windows = detail_windows(make_view(), 20, 5)
    assert windows == [(slice(0, 20), slice(65, 85)), (slice(33, 53), slice(4, 24))]
    assert detail_windows(make_view(), 20, 1) == windows[:1]


def test_colours_of_outcomes() -> None:
    view = make_view()
    predicted = np.zeros(GEOBOX.shape, bool)
    predicted[10:20, 70:80] = True
    image = outcome_image(predicted, view)
    for place, colour in (
        ((12, 75), HIT),
        ((6, 75), MISSED),
        ((18, 75), FALSE),
        ((0, 0), NOT_EVALUATED),
    ):
        assert tuple(image[place]) == pytest.approx(to_rgb(colour))


def test_wide_areas_are_thinned() -> None:
    assert thin((slice(0, 900), slice(0, 900))) == (slice(0, 900, 1), slice(0, 900, 1))
    assert thin((slice(0, 901), slice(0, 10))) == (slice(0, 901, 2), slice(0, 10, 2))


@pytest.mark.parametrize(("state", "east"), [(OrbitState.ASCENDING, 1), (OrbitState.DESCENDING, -1)])
def test_arrows_point_as_sentinel_1_flies_and_looks(state: OrbitState, east: int) -> None:
    look = grid_look_azimuth_deg(GEOBOX, state)
    looks, flies = arrow_of(look, 1.0), arrow_of(look - 90.0, 1.0)
    assert np.sign(looks[0]) == east  # ascending passes look east, descending ones west
    assert np.sign(flies[1]) == east  # northwards, southwards
    assert looks[0] * flies[0] + looks[1] * flies[1] == pytest.approx(0)
    assert flies[0] * looks[1] - flies[1] * looks[0] < 0  # to the right of the flight


def test_maps_and_orbits_are_drawn(tmp_path: Path) -> None:
    view = make_view()
    maps = draw_maps(view, "storm")
    orbits = draw_orbits(view, "storm")
    assert orbits is not None
    # 5 columns; the whole and two details below
    assert len(maps.axes) == 5 * 3
    assert [axes.get_title() for axes in maps.axes if axes.get_title()][:2] == ["DEM", "landslides"]
    # 7 columns of two places, and the colour bar
    assert len(orbits.axes) == 7 * 2 + 1
    write_png(tmp_path / "figures" / "maps.png", maps)
    picture = imread(tmp_path / "figures" / "maps.png")
    assert picture.shape[1] > 900
    assert picture[..., :3].std() > 0.05


def test_an_area_without_landslides_has_no_orbits_to_show() -> None:
    view = make_view()
    empty = AreaView(
        GEOBOX, view.height_m, None, np.zeros_like(view.truth), view.known, view.maps, view.changes
    )
    assert draw_orbits(empty, "") is None
    assert len(draw_maps(empty, "").axes) == 5


def test_an_optical_image_is_laid_on_the_grid(tmp_path: Path) -> None:
    """Two halves of known colours on a grid twice as fine, so that their border falls on a pixel's edge."""
    path = tmp_path / "rgb.tif"
    values = np.zeros((3, 120, 180), np.uint16)
    values[0, :, :90], values[1, :, 90:], values[2] = 1000, 3000, 500
    transform = GEOBOX.transform @ Affine.scale(0.5)
    with rasterio.open(
        path, "w", driver="GTiff", height=120, width=180, count=3, dtype="uint16", crs="EPSG:32654",
        transform=transform,
    ) as dataset:  # fmt: skip
        dataset.write(values)
    image = read_optical(path, GEOBOX)
    assert image.shape == (60, 90, 3)
    assert (image[:, :44, 0] > 250).all()
    assert (image[:, 46:, 0] < 5).all()
    assert (image[:, 46:, 1] > 250).all()


def test_dots_of_runs_and_strokes_of_means() -> None:
    axes = new_figure(3, 3).subplots()
    draw_spread(axes, ["a", "b"], {"validation": [[0.2, 0.4], []], "paper": [[0.5], [0.7]]}, "F1")
    drawn = [line.get_xdata().tolist() for line in axes.lines if len(line.get_xdata())]
    assert [0.2, 0.4] in drawn
    assert any(np.allclose(x, [0.3]) for x in drawn)
    assert [text.get_text() for text in axes.get_yticklabels()] == ["a", "b"]


def test_differences_are_told_in_their_cells() -> None:
    axes = new_figure(3, 3).subplots()
    values = np.array([[np.nan, 0.12], [-0.12, np.nan]])
    marks = np.array([["", "*"], ["*", ""]])
    draw_differences(axes, ["a", "b"], values, marks, "F1")
    told = {(text.get_position()[0], text.get_position()[1]): text.get_text() for text in axes.texts}
    assert told == {(1, 0): "+.12*", (0, 1): "−.12*"}
