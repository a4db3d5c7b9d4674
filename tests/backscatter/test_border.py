"""Border noise: dropped at the borders, kept elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray

from headscarp.backscatter.border import BORDER_PX, FLOOR, border_mask
from headscarp.backscatter.measurement import ImageWindow, refuse_empty, write_subset
from headscarp.backscatter.tables import Noise, Table
from headscarp.errors import SceneError

NOISE = np.full((1, 1), 2400.0, np.float32)


def ground(rng: np.random.Generator, shape: tuple[int, int], mean: float) -> NDArray[np.uint16]:
    """Digital numbers of ground with a mean power, under speckle of 4.4 looks."""
    return np.rint(np.sqrt(mean * rng.gamma(4.4, 1 / 4.4, shape))).astype(np.uint16)


def test_a_border_of_small_numbers_goes_and_the_ground_stays() -> None:
    rng = np.random.default_rng(0)
    numbers = ground(rng, (60, 900), 40_000.0)
    numbers[:, :30] = 0
    numbers[:, 30:90] = rng.integers(1, 25, (60, 60))
    numbers[:, -40:] = rng.integers(0, 25, (60, 40))
    mask = border_mask(numbers, NOISE, 1, True, True)
    assert mask[:, :90].all() and mask[:, -40:].all()
    assert not mask[:, 93:-43].any()
    assert mask[:, 90:-40].mean() < 0.001


def test_a_bright_sample_in_border_noise_does_not_save_what_is_behind_it() -> None:
    numbers = np.array([[3] * 20 + [60] + [3] * 30 + [90] * 40], np.uint16)
    mask = border_mask(numbers, NOISE, 1, True, False)[0]
    assert mask[:51].all() and not mask[51:].any()


def test_only_the_borders_that_are_reached_are_cleaned() -> None:
    numbers = np.array([[3] * 20 + [90] * 20 + [3] * 20], np.uint16)
    for first, last, expected in ((True, False, (20, 0)), (False, True, (0, 20)), (False, False, (0, 0))):
        mask = border_mask(numbers, NOISE, 1, first, last)[0]
        assert (mask[:20].sum(), mask[-20:].sum()) == expected and not mask[20:40].any()


def test_lines_are_cleaned_along_the_other_axis() -> None:
    numbers = np.full((60, 5), 90, np.uint16)
    numbers[:12] = 4
    mask = border_mask(numbers, NOISE, 0, True, True)
    assert mask[:12].all() and not mask[12:].any()


def test_dark_ground_inside_is_no_border() -> None:
    numbers = np.full((2, 300), 90, np.uint16)
    numbers[:, 100:200] = 2
    assert not border_mask(numbers, NOISE, 1, True, True).any()


def test_ground_as_dark_as_noise_loses_next_to_nothing() -> None:
    numbers = ground(np.random.default_rng(1), (2000, 600), 2400.0)
    mask = border_mask(numbers, NOISE, 1, True, True)
    assert 0.05 < mask.sum() / 4000 < 0.5  # samples a border and line


def test_no_more_than_some_samples_with_a_value_are_dropped() -> None:
    numbers = np.full((1, 3000), 5, np.uint16)
    numbers[:, :700] = 0
    mask = border_mask(numbers, NOISE, 1, True, False)
    assert mask.sum() == 700 + BORDER_PX and mask[0, : 700 + BORDER_PX].all()


def test_where_the_noise_is_not_known_ten_is_the_limit() -> None:
    zero = np.zeros((1, 1), np.float32)
    assert FLOOR == 200.0
    for number, low in ((9, True), (10, False), (11, False)):
        assert border_mask(np.full((1, 50), number, np.uint16), zero, 1, True, True).all() == low


def table(value: float) -> Noise:
    return Noise(Table(np.array([0.0]), (np.array([0.0]),), (np.array([value]),)), (), "")


def write(path: Path, numbers: NDArray[np.uint16]) -> Path:
    with rasterio.open(
        path, "w", driver="GTiff", height=numbers.shape[0], width=numbers.shape[1], count=1, dtype="uint16",
        transform=rasterio.Affine(1, 0, 1, 0, 1, 1),
    ) as out:  # fmt: skip
        out.write(numbers, 1)
    return path


@pytest.mark.parametrize("window", [ImageWindow(0, 0, 700, 5000), ImageWindow(100, 40, 650, 4990)])
def test_a_subset_is_cleaned_as_the_whole_image_is(tmp_path: Path, window: ImageWindow) -> None:
    rng = np.random.default_rng(2)
    numbers = ground(rng, (700, 5000), 40_000.0)
    numbers[:, :60] = rng.integers(0, 20, (700, 60))
    numbers[:20] = 3
    numbers[400, :2300] = 0  # goes farther than most
    numbers[400, 2300:2400] = 2
    source = write(tmp_path / "m.tif", numbers)
    subset = write_subset(str(source), tmp_path / "s.tif", (700, 5000), window, table(2400.0))
    mask = border_mask(numbers, NOISE, 1, True, True)
    mask[:512] |= border_mask(numbers[:512], NOISE, 0, True, False)
    mask[512:] |= border_mask(numbers[512:], NOISE, 0, False, True)
    cleaned = np.where(mask, 0, numbers)
    inside = (slice(window.top, window.bottom), slice(window.left, window.right))
    found = subset.read(window)
    if window.top == 0:
        np.testing.assert_array_equal(found, cleaned[inside])
        assert subset.dropped == np.count_nonzero(mask[inside] & (numbers[inside] > 0))
    assert not found[:, : 60 - window.left].any()
    assert subset.filled == np.count_nonzero(numbers[inside])
    part = ImageWindow(window.top + 30, window.left + 70, window.top + 33, window.left + 75)
    offset = (slice(30, 33), slice(70, 75))
    np.testing.assert_array_equal(subset.read(part), found[offset])


def test_with_the_step_off_numbers_stay_as_they_are(tmp_path: Path) -> None:
    numbers = np.full((20, 30), 3, np.uint16)
    subset = write_subset(
        str(write(tmp_path / "m.tif", numbers)), tmp_path / "s.tif", (20, 30), ImageWindow(0, 0, 20, 30), None
    )
    np.testing.assert_array_equal(subset.read(ImageWindow(0, 0, 20, 30)), numbers)
    assert subset.dropped == 0


def test_a_measurement_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "m.tif", ground(np.random.default_rng(0), (900, 800), 1e4))
    whole = source.read_bytes()
    source.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SceneError, match="read to its end"):
        write_subset(str(source), tmp_path / "s.tif", (900, 800), ImageWindow(0, 0, 900, 800), None)


def test_a_measurement_of_another_size_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "m.tif", np.ones((20, 30), np.uint16))
    with pytest.raises(SceneError, match="20 × 31 uint16, as annotated"):
        write_subset(str(source), tmp_path / "s.tif", (20, 31), ImageWindow(0, 0, 20, 31), None)


def test_all_zeros_are_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "m.tif", np.zeros((20, 30), np.uint16))
    subset = write_subset(str(source), tmp_path / "s.tif", (20, 30), ImageWindow(0, 0, 20, 30), table(1.0))
    with pytest.raises(SceneError, match="all zeros"):
        refuse_empty(subset, "S1B")
