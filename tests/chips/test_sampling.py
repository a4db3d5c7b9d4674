"""The order of an epoch: pure, complete, and with the share of positives that was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headscarp.chips.sampling import epoch_order
from headscarp.chips.store import ChipError

counts = st.lists(st.integers(0, 3), min_size=1, max_size=60).map(lambda v: np.array(v, np.int64))
seeds = st.integers(0, 2**40)


@given(counts, seeds, st.integers(0, 5))
def test_without_a_share_every_chip_comes_once(px: np.ndarray, seed: int, epoch: int) -> None:
    order = epoch_order(px, seed, epoch, None)
    assert sorted(order.tolist()) == list(range(len(px)))
    assert order.dtype == np.int64


@given(counts.filter(lambda px: (px > 0).any()), seeds, st.floats(0.01, 1.0))
def test_a_share_is_kept_and_no_chip_comes_again_before_its_turn(
    px: np.ndarray, seed: int, share: float
) -> None:
    order = epoch_order(px, seed, 1, share)
    positives = px[order] > 0
    assert len(order) == len(px)
    wanted = len(px) if (px > 0).all() else max(1, round(share * len(px)))
    assert positives.sum() == wanted
    for kind in (px > 0, px == 0):
        shown = np.bincount(order, minlength=len(px))[kind]
        assert len(shown) == 0 or shown.max() - shown.min() <= 1


def test_the_order_hangs_on_seed_and_epoch_alone() -> None:
    px = np.arange(50) % 4
    for share in (None, 0.5):
        first = epoch_order(px, 3, 2, share)
        np.testing.assert_array_equal(first, epoch_order(px.copy(), 3, 2, share))
        assert not np.array_equal(first, epoch_order(px, 3, 3, share))
        assert not np.array_equal(first, epoch_order(px, 4, 2, share))
        assert not np.array_equal(first, epoch_order(px, 2, 3, share))


def test_positives_are_spread_over_the_epoch() -> None:
    px = (np.arange(1000) % 2).astype(np.int64)
    half = px[epoch_order(px, 0, 0, 0.5)][:500]
    assert 200 < half.sum() < 300


def test_no_positive_to_draw_is_refused() -> None:
    with pytest.raises(ChipError, match="none in 3 chips"):
        epoch_order(np.zeros(3, np.int64), 0, 0, 0.5)
