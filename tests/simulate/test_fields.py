"""Fields by place: tiles hold the numbers of the whole, and the numbers have the statistics stated."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from headscarp.simulate.fields import (
    BLOCK_PX,
    generator,
    regional_noise,
    smoothed_noise,
    unit_kernel,
    white_noise,
)

PLACE, LENGTH = st.integers(-40, 300), st.integers(1, 40)
Field = Callable[[slice, slice], NDArray[np.float32]]
FIELDS: dict[str, Field] = {
    "white": lambda rows, cols: white_noise(7, ("a", 3), rows, cols),
    "smoothed": lambda rows, cols: smoothed_noise(7, ("a",), rows, cols, (1.2, 2.0)),
    "regional": lambda rows, cols: regional_noise(7, ("a",), rows, cols, 37.0),
}


@pytest.mark.parametrize("name", FIELDS)
@settings(max_examples=15, deadline=None)
@given(PLACE, PLACE, LENGTH, LENGTH)
def test_a_window_holds_what_the_whole_holds(name: str, top: int, left: int, height: int, width: int) -> None:
    rows, cols = slice(top, top + height), slice(left, left + width)
    part = FIELDS[name](rows, cols)
    whole = WHOLE[name][top + 50 : top + 50 + height, left + 50 : left + 50 + width]
    assert part.dtype == np.float32
    assert part.flags.c_contiguous
    assert np.array_equal(part, whole)


WHOLE = {name: field(slice(-50, 400), slice(-50, 400)) for name, field in FIELDS.items()}


@pytest.mark.parametrize("name", FIELDS)
def test_numbers_have_mean_0_and_variance_1(name: str) -> None:
    values = FIELDS[name](slice(0, 1500), slice(0, 1500)).astype(np.float64)
    assert abs(values.mean()) < (0.1 if name == "regional" else 0.02)
    assert values.var() == pytest.approx(1.0, abs=0.1 if name == "regional" else 0.02)


def test_regional_noise_has_the_same_variance_at_nodes_and_between() -> None:
    fields = np.stack([regional_noise(seed, ("b",), slice(0, 20), slice(0, 20), 10.0) for seed in range(800)])
    assert np.allclose(fields.var(axis=0), 1.0, atol=0.2)


@pytest.mark.parametrize("first", [0, -20])
def test_regional_noise_by_hand_at_nodes_and_halfway(first: int) -> None:
    """B-splines weigh the nodes by 1 : 4 : 1 at a node, and by 1 : 23 : 23 : 1 halfway to the next."""
    window = slice(first, first + 21)
    field = regional_noise(7, ("e",), window, window, 10.0)
    at = first // 10
    nodes = white_noise(7, ("e",), slice(at - 1, at + 5), slice(at - 1, at + 5)).astype(np.float64)
    node = np.array([1.0, 4.0, 1.0]) / np.sqrt(18.0)
    halfway = np.array([1.0, 23.0, 23.0, 1.0]) / np.sqrt(1060.0)
    assert field[0, 0] == pytest.approx(node @ nodes[:3, :3] @ node, abs=1e-5)
    assert field[10, 20] == pytest.approx(node @ nodes[1:4, 2:5] @ node, abs=1e-5)
    assert field[0, 15] == pytest.approx(node @ nodes[:3, 1:5] @ halfway, abs=1e-5)
    assert field[5, 10] == pytest.approx(halfway @ nodes[:4, 1:4] @ node, abs=1e-5)


def test_smoothed_noise_is_correlated_as_stated() -> None:
    values = smoothed_noise(1, ("c",), slice(0, 800), slice(0, 800), (1.2, 2.0)).astype(np.float64)
    for lag in (1, 2, 3):
        down = np.mean(values[lag:] * values[:-lag])
        right = np.mean(values[:, lag:] * values[:, :-lag])
        assert down == pytest.approx(np.exp(-(lag**2) / (4 * 1.2**2)), abs=0.03)
        assert right == pytest.approx(np.exp(-(lag**2) / (4 * 2.0**2)), abs=0.03)


def test_blocks_of_the_lattice_are_independent() -> None:
    values = white_noise(7, ("d",), slice(0, 2 * BLOCK_PX), slice(0, 2 * BLOCK_PX))
    blocks = values.reshape(2, BLOCK_PX, 2, BLOCK_PX).swapaxes(1, 2).reshape(4, -1)
    assert np.abs(np.corrcoef(blocks) - np.eye(4)).max() < 0.02


@pytest.mark.parametrize("other", [(8, "a", 1), (7, "b", 1), (7, "a", 2), (7, "a"), (7, 1, "a")])
def test_every_purpose_has_numbers_of_its_own(other: tuple[int, ...]) -> None:
    first, second = generator(7, "a", 1), generator(*other)
    assert first.integers(1 << 40) != second.integers(1 << 40)


def test_one_purpose_has_the_same_numbers_again() -> None:
    assert generator(7, "a", 1).integers(1 << 40) == generator(7, "a", 1).integers(1 << 40)
    assert white_noise(7, ("pinned",), slice(0, 1), slice(0, 2))[0].tolist() == pytest.approx(PINNED)


PINNED = [-0.7483329176902771, 0.619064450263977]
"""Of NumPy's Philox and ziggurat; another value here means that every event has changed."""


def test_a_kernel_has_unit_squares_and_is_symmetric() -> None:
    kernel = unit_kernel(1.5)
    assert np.sum(kernel**2) == pytest.approx(1.0)
    assert np.array_equal(kernel, kernel[::-1])
    assert len(kernel) == 13
