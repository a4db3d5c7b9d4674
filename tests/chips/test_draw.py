"""Splits: every chip once, no overlap across splits, shares kept, one seed, clear refusals."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from headscarp.audit.options import AuditOptions
from headscarp.audit.run import run_audit
from headscarp.chips.blocks import block_of, block_side_m, deal, near
from headscarp.chips.draw import draw_split, split_places
from headscarp.chips.options import SplitOptions
from headscarp.chips.store import ChipError, StoreFacts
from headscarp.split import SplitFile, read_split, write_split
from tests.chips.made_chips import lattice_facts, make_chip, make_facts

CHIP_M = 640.0


def strangers(split: SplitFile) -> tuple[np.ndarray, np.ndarray]:
    """Outlines of every pair of chips of different splits."""
    boxes = shapely.box(*np.array([chip.bounds for chip in split.chips]).T)
    names = np.array([chip.split for chip in split.chips])
    first, second = np.triu_indices(len(names), 1)
    apart = names[first] != names[second]
    return boxes[first[apart]], boxes[second[apart]]


def overlaps_m2(split: SplitFile) -> float:
    """Area shared by chips of different splits."""
    return float(shapely.area(shapely.intersection(*strangers(split))).sum())


def least_distance_m(split: SplitFile) -> float:
    """Least distance between chips of different splits."""
    return float(shapely.distance(*strangers(split)).min())


def assert_complete(facts: StoreFacts, split: SplitFile) -> None:
    """Each chip is in the split at most once, as the store has it, and none is missing without a count."""
    ids = [chip.id for chip in split.chips]
    assert len(set(ids)) == len(ids)
    assert len(ids) + int(split.made["left_out"] or 0) == len(facts.chips)
    own = {chip.id: chip for chip in facts.chips}
    for chip in split.chips:
        kept = own[chip.id]
        assert (chip.event, chip.bounds, chip.landslide_px) == (kept.event, kept.bounds, kept.landslide_px)
        assert (chip.content_sha256, chip.px, chip.crs) == (kept.content_sha256, 64 * 64, kept.crs)
    places = split_places(facts, split)
    assert sorted(place for own in places.values() for place in own) == sorted(
        own_place(facts)[one] for one in ids
    )


def own_place(facts: StoreFacts) -> dict[str, int]:
    return {chip.id: i for i, chip in enumerate(facts.chips)}


grounds = st.builds(
    lattice_facts,
    st.integers(4, 8),
    st.integers(4, 8),
    stride_px=st.sampled_from([32, 64]),
    events=st.sampled_from([("a",), ("a", "b")]),
    every=st.integers(2, 4),
)


@settings(deadline=None, max_examples=25)
@given(
    grounds,
    st.integers(0, 1000),
    st.sampled_from([(0.8, 0.2, 0.0), (0.6, 0.2, 0.2), (0.5, 0.25, 0.25)]),
)
def test_random_uses_every_chip_and_has_the_shares(
    facts: StoreFacts, seed: int, shares: tuple[float, float, float]
) -> None:
    split = draw_split(facts, SplitOptions(method="random", shares=shares, seed=seed))
    assert_complete(facts, split)
    assert split.made["left_out"] == 0
    counts = Counter(chip.split for chip in split.chips)
    for name, share in zip(("train", "validation", "test"), shares, strict=True):
        assert abs(counts[name] - share * len(facts.chips)) <= 1


@settings(deadline=None, max_examples=25)
@given(grounds, st.integers(0, 1000), st.sampled_from([640.0, 1000.0]), st.sampled_from([0.0, 100.0, 320.0]))
def test_blocks_share_no_ground_and_keep_the_buffer(
    facts: StoreFacts, seed: int, block_m: float, buffer_m: float
) -> None:
    try:
        split = draw_split(facts, SplitOptions(block_m=block_m, buffer_m=buffer_m, seed=seed))
    except ChipError as error:
        assert buffer_m > 0 or facts.stride_px < facts.size_px, error
        return
    assert_complete(facts, split)
    assert overlaps_m2(split) == pytest.approx(0, abs=1e-3)
    assert least_distance_m(split) >= buffer_m - 1e-2


@settings(deadline=None, max_examples=10)
@given(grounds.filter(lambda facts: facts.stride_px == facts.size_px), st.integers(0, 100))
def test_folds_validate_every_chip_once(facts: StoreFacts, seed: int) -> None:
    validated: Counter[str] = Counter()
    for fold in range(3):
        options = SplitOptions(method="folds", folds=3, fold=fold, block_m=CHIP_M, buffer_m=0, seed=seed)
        split = draw_split(facts, options)
        assert_complete(facts, split)
        assert overlaps_m2(split) == pytest.approx(0, abs=1e-3)
        validated.update(chip.id for chip in split.chips if chip.split == "validation")
    assert validated == Counter(chip.id for chip in facts.chips)


def test_overlapping_chips_of_folds_are_dropped_from_training_only() -> None:
    facts = lattice_facts(10, 10, stride_px=32)
    validated: Counter[str] = Counter()
    for fold in range(4):
        split = draw_split(facts, SplitOptions(method="folds", folds=4, fold=fold, block_m=1280.0))
        assert split.made["left_out"], "chips that overlap the fold are there"
        assert overlaps_m2(split) == 0
        validated.update(chip.id for chip in split.chips if chip.split == "validation")
    assert set(validated.values()) == {1}
    assert len(validated) == len(facts.chips)


@pytest.mark.parametrize(
    ("side", "chips_a_side"),
    # 36 chips a side: ceil(36 / 8)² = 25 blocks; 18: 9 of 8 chips, 25 of 4; 8: 4 of 4, 16 of 2; 4: 4 of 2
    [(36, 8), (18, 4), (8, 2), (4, 2)],
)
def test_blocks_are_as_large_as_leaves_ten(side: int, chips_a_side: int) -> None:
    facts = lattice_facts(side, side)
    assert block_side_m(facts, SplitOptions()) == chips_a_side * CHIP_M
    assert block_side_m(facts, SplitOptions(block_m=700.0)) == 700.0


@pytest.mark.parametrize("side", [8, 18])
def test_the_default_split_does_not_touch(side: int) -> None:
    split = draw_split(lattice_facts(side, side), SplitOptions())
    assert_complete(lattice_facts(side, side), split)
    assert least_distance_m(split) >= 10
    assert split.made["block_m"] in (2 * CHIP_M, 4 * CHIP_M)
    assert len(split.chips) >= side * side / 2, "the buffer leaves most chips"


def test_whole_blocks_go_to_one_split() -> None:
    facts = lattice_facts(12, 12)
    split = draw_split(facts, SplitOptions(block_m=1920.0, buffer_m=0, shares=(0.6, 0.2, 0.2)))
    assert split.made["left_out"] == 0, "chips of non-overlapping blocks only touch"
    of_block: dict[tuple[str, int, int], set[str]] = {}
    chip_of = {chip.id: chip for chip in facts.chips}
    for chip in split.chips:
        of_block.setdefault(block_of(chip_of[chip.id], 1920.0), set()).add(chip.split)
    assert len(of_block) >= 16
    assert all(len(splits) == 1 for splits in of_block.values())
    assert {next(iter(splits)) for splits in of_block.values()} == {"train", "validation", "test"}


def test_ground_of_two_events_is_one_ground() -> None:
    chips = [
        make_chip(event, r * 64, c * 64, landslide_px=r + c)
        for event in ("first", "again")
        for r in range(8)
        for c in range(8)
    ]
    split = draw_split(make_facts(chips), SplitOptions(block_m=1280.0))
    sides = {name: {c.bounds for c in split.chips if c.split == name} for name in ("train", "validation")}
    assert not sides["train"] & sides["validation"]


def test_whole_events_validate_and_test() -> None:
    facts = lattice_facts(3, 3, events=("a", "b", "c"))
    options = SplitOptions(method="events", validation_events=("b",), test_events=("c",))
    split = draw_split(facts, options)
    assert_complete(facts, split)
    assert {(c.event, c.split) for c in split.chips} == {("a", "train"), ("b", "validation"), ("c", "test")}


def test_events_of_the_test_stay_out_of_blocks_and_folds() -> None:
    facts = lattice_facts(6, 6, events=("a", "b"))
    for options in (
        SplitOptions(test_events=("b",), block_m=640, buffer_m=0),
        SplitOptions(method="folds", folds=3, test_events=("b",), block_m=640, buffer_m=0),
    ):
        split = draw_split(facts, options)
        tested = Counter((c.event, c.split == "test") for c in split.chips)
        assert tested[("b", True)] == 36
        assert set(tested) == {("a", False), ("b", True)}
        counts = Counter(c.split for c in split.chips)
        share = counts["validation"] / (counts["validation"] + counts["train"])
        assert share == pytest.approx(0.2 if options.method == "blocks" else 1 / 3, abs=0.1)


def test_shares_are_of_what_is_not_the_test() -> None:
    own = [make_chip("a", r * 64, c * 64, landslide_px=10) for r in range(5) for c in range(5)]
    far = [make_chip("b", r * 64, c * 64 + 100_000, landslide_px=10) for r in range(9) for c in range(9)]
    for seed in range(5):
        options = SplitOptions(test_events=("b",), block_m=640, buffer_m=0, seed=seed)
        split = draw_split(make_facts([*own, *far]), options)
        assert Counter(c.split for c in split.chips) == {"train": 20, "validation": 5, "test": 81}


@pytest.mark.parametrize("method", ["random", "blocks", "folds"])
def test_the_seed_decides_alone(method: Any) -> None:
    facts = lattice_facts(8, 8)
    first = draw_split(facts, SplitOptions(method=method, seed=1, block_m=640))
    assert first == draw_split(facts, SplitOptions(method=method, seed=1, block_m=640))
    assert first.chips != draw_split(facts, SplitOptions(method=method, seed=2, block_m=640)).chips
    assert first.seed == 1


def test_landslides_reach_every_split_though_they_are_few() -> None:
    chips = [
        make_chip("a", r * 64, c * 64, landslide_px=50 * ((r, c) in {(0, 0), (5, 5), (9, 2)}))
        for r in range(10)
        for c in range(10)
    ]
    for seed in range(10):
        options = SplitOptions(block_m=640, buffer_m=0, shares=(0.4, 0.3, 0.3), seed=seed)
        split = draw_split(make_facts(chips), options)
        assert {c.split for c in split.chips if c.landslide_px} == {"train", "validation", "test"}


def test_deal_gives_each_block_to_who_is_furthest_below_its_share() -> None:
    class Straight:
        """Deals in the order given, so that the hand-worked order is known."""

        def permutation(self, count: int) -> np.ndarray:
            return np.arange(count)

    weights = np.array([[0, 1], [6, 2], [3, 1], [1, 2], [0, 4]], float)
    # landslides: wanted 8 and 2; block 1 to the first (2 left), block 2: 2 and 2, to the first (-1 left);
    # block 3: -1 and 2, to the second. Chips: wanted 8 and 2; dealt 3 and 2, so 5 and 0 left: first, first.
    dealt = deal(weights, (0.8, 0.2), Straight())  # type: ignore[arg-type]
    assert dealt.tolist() == [0, 0, 0, 1, 0]


def test_nothing_is_dealt_to_a_share_of_none() -> None:
    weights = np.ones((50, 2))
    dealt = deal(weights, (0.5, 0.5, 0.0), np.random.default_rng(0))
    assert Counter(dealt.tolist()) == {0: 25, 1: 25}


def test_block_of_a_chip_is_where_its_centre_lies() -> None:
    chip = make_chip("a", 0, 64)  # centre at 960 m east, -320 m north
    assert block_of(chip, 640.0) == ("EPSG:32654", 1, -1)
    assert block_of(chip, 400.0) == ("EPSG:32654", 2, -1)
    assert block_of(chip, 961.0) == ("EPSG:32654", 0, -1)


def test_near_tells_overlap_from_touching_and_keeps_the_buffer() -> None:
    mine = shapely.box(np.array([0.0, 10, 20, 40, 14.9]), 0, np.array([10.0, 20, 30, 50, 24.9]), 10)
    others = np.array([shapely.box(20, 0, 30, 10)])
    assert near(mine, others, 0.5, 0.0).tolist() == [2, 4]
    assert near(mine, others, 0.5, 5.0).tolist() == [1, 2, 4]
    assert near(mine, others, 0.5, 10.0).tolist() == [1, 2, 4], "just as far as the buffer is not nearer"
    assert near(mine, others, 0.5, 10.1).tolist() == [0, 1, 2, 3, 4]


def test_the_audit_reads_the_split_and_finds_no_leak(tmp_path: Path) -> None:
    facts = lattice_facts(12, 12)
    options = SplitOptions(block_m=1920.0, buffer_m=100.0, shares=(0.6, 0.2, 0.2))
    split = draw_split(facts, options)
    write_split(tmp_path / "split.json", split)
    assert read_split(tmp_path / "split.json") == split
    record = run_audit(AuditOptions(splits=(tmp_path / "split.json",)), None, None)
    kinds = {kind for kind, count in record.findings.items() if count}
    assert kinds == {"event in several splits"}
    leaky = draw_split(lattice_facts(12, 12, stride_px=32), SplitOptions(method="random"))
    write_split(tmp_path / "split.json", leaky)
    assert run_audit(AuditOptions(splits=(tmp_path / "split.json",)), None, None).verdict == "leaks"


def refused(facts: StoreFacts, **options: Any) -> str:
    with pytest.raises(ChipError) as error:
        draw_split(facts, SplitOptions(**options))
    return str(error.value)


def test_splits_that_cannot_be_drawn_are_refused() -> None:
    facts = lattice_facts(4, 4, events=("a", "b"))
    assert "nowhere" in refused(facts, method="events", validation_events=("nowhere",))
    assert "b, b" in refused(facts, method="events", validation_events=("b",), test_events=("b",))
    assert "none for validation" in refused(facts, method="events")
    assert "none for train" in refused(facts, method="events", validation_events=("a", "b"))
    assert "1 of 1e+06 m" in refused(lattice_facts(4, 4), block_m=1e6)
    assert "none for train" in refused(lattice_facts(4, 4), block_m=1280, buffer_m=5000)
    assert "none for test" in refused(lattice_facts(2, 2), method="random", shares=(0.74, 0.25, 0.01))


def test_events_that_a_method_would_not_hold_back_are_refused() -> None:
    facts = lattice_facts(4, 4, events=("a", "b"))
    assert "random, with test_events b" in refused(facts, method="random", test_events=("b",))
    for method in ("random", "blocks", "folds"):
        given = f"{method}, with validation_events a"
        assert given in refused(facts, method=method, validation_events=("a",))


def test_training_without_landslides_is_refused() -> None:
    clear = make_facts([make_chip("a", r * 64, 0) for r in range(10)])
    assert "landslide pixels in the training chips" in refused(clear, method="random")
    chips = [make_chip("a", 0, 0), make_chip("b", 0, 500_000, landslide_px=9)]
    message = refused(make_facts(chips), method="events", validation_events=("b",))
    assert "none in 1 training chips (9 in all 2 chips)" in message


def unfit(facts: StoreFacts, split: SplitFile) -> str:
    with pytest.raises(ChipError) as error:
        split_places(facts, split)
    return str(error.value)


def test_places_of_a_split() -> None:
    facts = lattice_facts(6, 6)
    split = draw_split(facts, SplitOptions(method="random", shares=(0.5, 0.3, 0.2)))
    shuffled = split.model_copy(update={"chips": split.chips[::-1]})
    places = split_places(facts, shuffled)
    for name, own in places.items():
        assert own == sorted(own)
        assert [facts.chips[i].id for i in own] == [c.id for c in split.chips if c.split == name]


def test_a_split_of_other_chips_is_refused() -> None:
    facts = lattice_facts(6, 6)
    split = draw_split(facts, SplitOptions(method="random"))
    more = lattice_facts(6, 7)
    assert "only 36 of 42 chips" in unfit(more, split)
    fewer = make_facts(facts.chips[:-1])
    assert f"1 that it has not, such as {facts.chips[-1].id}" in unfit(fewer, split)
    first, *others = facts.chips
    moved = make_facts([first.model_copy(update={"bounds": tuple(v + 640.0 for v in first.bounds)}), *others])
    assert f"{first.id} on other ground" in unfit(moved, split)
    zone = make_facts([first.model_copy(update={"crs": "EPSG:32655"}), *others])
    assert "on other ground" in unfit(zone, split)
    twice = split.model_copy(update={"chips": (*split.chips, split.chips[0])})
    assert f"{split.chips[0].id} twice" in unfit(facts, twice)


def test_a_split_may_leave_out_what_it_says_to() -> None:
    facts = lattice_facts(6, 6)
    split = draw_split(facts, SplitOptions(block_m=1280, buffer_m=100))
    assert split.made["left_out"]
    assert sum(map(len, split_places(facts, split).values())) == len(split.chips)
    silent = split.model_copy(update={"made": {}})
    assert "without such as" in unfit(facts, silent)
    fewer = split.model_copy(update={"chips": split.chips[1:]})
    assert "without such as" in unfit(facts, fewer), "one more than it says"
    repaired = split.model_copy(update={"made": {"repaired_from": "random"}})
    assert sum(map(len, split_places(facts, repaired).values())) == len(split.chips)


def test_a_split_serves_other_features_of_the_same_ground() -> None:
    facts = lattice_facts(6, 6)
    split = draw_split(facts, SplitOptions(method="random"))
    other = make_facts([chip.model_copy(update={"content_sha256": "other"}) for chip in facts.chips])
    assert split_places(other, split) == split_places(facts, split)
