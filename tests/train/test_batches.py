"""Batches: what a step sees, the same whenever and by whomever it is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from headscarp.chips.augment import Flips, flip
from headscarp.chips.statistics import channel_statistics
from headscarp.chips.store import ChipStore
from headscarp.features.sets import FeatureSet
from headscarp.train.batches import Augment, Batch, Batches, Normaliser, Shard
from headscarp.train.chips import Cache, Sources
from headscarp.train.options import FitOptions
from headscarp.train.shown import what_is_shown
from tests.train.stores import make_split, make_store

ALONE = Shard()
BOTH = Flips(east_west=True, north_south=True)


def batches(
    store: ChipStore,
    order: list[int],
    size: int = 4,
    augment: Augment | None = None,
    shard: Shard = ALONE,
    budget: int | None = None,
) -> Batches:
    sources = Sources((store,))
    mean, std = channel_statistics(store, list(range(len(store))))
    normaliser = Normaliser(store.facts.features, mean, std)
    ids = [chip.id for chip in sources.chips]
    return Batches(Cache(sources, budget), ids, np.array(order), size, normaliser, augment, shard)


def assert_same(a: Batch, b: Batch) -> None:
    for one, other in zip(a, b, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert torch.equal(one, other)


def test_a_batch_is_its_chips_normalised(store: ChipStore) -> None:
    made = batches(store, [5, 2, 9, 3, 7])
    parts = list(made)
    assert len(made) == len(parts) == 2
    assert [part.numbers.tolist() for part in parts] == [[5, 2, 9, 3], [7]]
    x, label, _ = store.read([2])
    mean, std = channel_statistics(store, list(range(len(store))))
    expected = (x[0] - mean[:, None, None]) / std[:, None, None]
    np.testing.assert_allclose(parts[0].x[1].numpy(), np.nan_to_num(expected, nan=0), rtol=1e-6)
    assert parts[0].target[1, 0].numpy().tolist() == (label[0] == 1).tolist()
    assert parts[0].mask[1, 0].numpy().tolist() == (label[0] != 255).tolist()
    assert parts[0].valid is None


def test_an_epoch_comes_again_as_it_was_and_another_differs(store: ChipStore) -> None:
    order = list(range(12))
    again = [list(batches(store, order, augment=Augment(BOTH, seed=3, epoch=e))) for e in (0, 0, 1)]
    for one, other in zip(again[0], again[1], strict=True):
        assert_same(one, other)
    assert not torch.equal(again[0][0].x, again[2][0].x)


def test_only_allowed_flips_are_drawn_and_all_of_them() -> None:
    drawn = {Augment(BOTH, 0, 0).flips(i, f"chip_{i}") for i in range(60)}
    assert drawn == {Flips(a, b) for a in (False, True) for b in (False, True)}
    north = {Augment(Flips(False, True), 0, 0).flips(i, f"chip_{i}") for i in range(60)}
    assert north == {Flips(False, False), Flips(False, True)}


def test_flips_differ_by_seed_epoch_position_and_chip() -> None:
    def many(seed: int, epoch: int, shift: int, name: str) -> list[Flips]:
        return [Augment(BOTH, seed, epoch).flips(i + shift, name) for i in range(30)]

    kinds = [
        many(0, 0, 0, "a"),
        many(1, 0, 0, "a"),
        many(0, 1, 0, "a"),
        many(0, 0, 1, "a"),
        many(0, 0, 0, "b"),
    ]
    assert all(kinds[0] != other for other in kinds[1:])


def test_chips_are_flipped_before_they_are_normalised(tmp_path: Path) -> None:
    slopes = FeatureSet(name="slopes", channels=("change_vv_fused_db", "aspect_east"))
    store = make_store(tmp_path / "slopes.zarr", chips=4, features=slopes)
    augment = Augment(BOTH, seed=0, epoch=0)
    made = next(iter(batches(store, [0, 1, 2, 3], augment=augment)))
    mean, std = channel_statistics(store, [0, 1, 2, 3])
    for place in range(4):
        flips = augment.flips(place, f"storm_{place}")
        x, label, _ = store.read([place])
        turned, mapped = flip(slopes, x[0], label[0], flips)
        expected = np.nan_to_num((turned - mean[:, None, None]) / std[:, None, None])
        np.testing.assert_allclose(made.x[place].numpy(), expected, atol=1e-6)
        assert made.mask[place, 0].numpy().tolist() == (mapped != 255).tolist()


@pytest.mark.parametrize("chips", [8, 9, 10, 11])
def test_processes_share_a_batch(store: ChipStore, chips: int) -> None:
    augment = Augment(BOTH, seed=1, epoch=2)
    whole = list(batches(store, list(range(chips)), augment=augment))
    parts = [list(batches(store, list(range(chips)), augment=augment, shard=Shard(r, 2))) for r in (0, 1)]
    assert len(parts[0]) == len(parts[1]) == (2 if chips < 10 else 3)  # a single chip has no partner
    for one, even, odd in zip(whole, *parts, strict=False):
        assert torch.equal(one.x[::2], even.x)
        assert torch.equal(one.x[1::2], odd.x)
        assert torch.equal(one.numbers, odd.numbers)


def test_memory_is_kept_within_its_budget(store: ChipStore) -> None:
    chip = Sources((store,)).read(0)
    size = chip.x.nbytes + chip.label.nbytes
    cache = Cache(Sources((store,)), 3 * size + 1)
    seen = [cache.read(number) for number in [0, 1, 2, 3, 4, 0]]
    assert len(cache) == 3
    assert seen[0] is seen[5]
    none, roomy = batches(store, list(range(12)), budget=0), batches(store, list(range(12)))
    for one, other in zip(none, roomy, strict=True):
        assert_same(one, other)


def test_chips_of_series_have_dates_and_shorter_ones_are_padded(tmp_path: Path) -> None:
    long = make_store(tmp_path / "long.zarr", chips=4, features="series_ascending", dates=4)
    short = make_store(tmp_path / "short.zarr", chips=4, features="series_ascending", dates=2, event="quake")
    sources = Sources((long, short))
    mean, std = channel_statistics(long, [0, 1, 2, 3])
    ids = [chip.id for chip in sources.chips]
    normaliser = Normaliser(long.facts.features, mean, std)
    (batch,) = Batches(Cache(sources), ids, np.array([1, 6]), 2, normaliser)
    assert batch.x.shape == (2, 4, 2, 32, 32)
    assert batch.valid is not None
    assert batch.days is not None
    assert batch.valid.tolist() == [[True] * 4, [True, True, False, False]]
    assert batch.days.tolist() == [[-36, -24, -12, 0], [-12, 0, 0, 0]]
    assert not batch.x[1, 2:].any()
    assert ids[6] == "quake_2"


def test_an_error_of_the_thread_arrives(store: ChipStore) -> None:
    with pytest.raises(IndexError):
        list(batches(store, [0, 99]))


def test_leaving_early_ends_the_thread(store: ChipStore) -> None:
    made = iter(batches(store, list(range(12)), size=2))
    assert next(made).numbers.tolist() == [0, 1]
    made.close()  # type: ignore[attr-defined]
    assert next(made, None) is None


def test_replayed_chips_are_strewn_in_their_share(tmp_path: Path, store: ChipStore) -> None:
    old = make_store(tmp_path / "old.zarr", chips=16, seed=9, event="quake")
    options = FitOptions(replay_share=0.25, replay=tmp_path, seed=4)
    shown = what_is_shown(Sources((store, old)), make_split(store), make_split(old), options)
    orders = [shown.order(options, epoch) for epoch in (0, 0, 1)]
    assert orders[0].tolist() == orders[1].tolist() != orders[2].tolist()
    assert set(orders[0][orders[0] < 16].tolist()) == set(range(12))
    replayed = orders[0][orders[0] >= 16]
    assert len(replayed) == len(set(replayed.tolist())) == 4  # 4 of 16 are a quarter
    assert set(replayed.tolist()) <= set(range(16, 28))
    assert shown.remembered.tolist() == list(range(28, 32))
    assert not np.all(orders[0][-4:] >= 16)
    everything = set(np.concatenate([shown.order(options, epoch) for epoch in range(12)]).tolist())
    assert everything == set(range(12)) | set(range(16, 28))
