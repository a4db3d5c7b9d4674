"""A repaired split has no leak left, gives every place one split, and says what it cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import shapely
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from headscarp.audit import repair
from headscarp.audit.cost import repair_costs
from headscarp.audit.findings import FindingKind, Severity
from headscarp.audit.neighbours import Pairs
from headscarp.audit.options import RepairOptions
from headscarp.audit.places import Places, find_places, repeats
from headscarp.audit.repair import Repair, kept_places, repair_splits
from headscarp.audit.run import audit_splits
from headscarp.audit.table import TEST, TRAIN, VALIDATION, chip_table
from headscarp.split import SPLIT_NAMES, Chip, SplitError, SplitFile
from tests.audit.made_splits import SIDE_M, chip, split_file

SERIES = ("up", "down")


def messy_splits(rng: np.random.Generator, clusters: int, faults: bool) -> list[SplitFile]:
    """Clusters of touching chips, drawn into splits at random and differently in two series."""
    chips: dict[str, list[Chip]] = {name: [] for name in SERIES}
    for cluster in range(clusters):
        x, y = 3e5 + 30_000 * (cluster % 8), 5e6 + 30_000 * (cluster // 8)
        for cell in rng.permutation(36)[: rng.integers(2, 30)]:
            name = f"{cluster}-{cell}"
            left, bottom = x + SIDE_M * (cell % 6), y + SIDE_M * (cell // 6)
            bad = bool(faults and rng.random() < 0.05)
            content = f"content {rng.integers(200)}" if faults and rng.random() < 0.05 else None
            for series in SERIES:
                for _ in range(2 if faults and rng.random() < 0.03 else 1):
                    split = SPLIT_NAMES[rng.choice(3, p=[0.6, 0.2, 0.2])]
                    more = {"event": f"e{cluster % 3}", "series": series, "low_quality": bad}
                    more |= {"content_sha256": content, "landslide_px": int(rng.integers(0, 2000))}
                    chips[series].append(chip(name, split, left, bottom, **more))
    return [split_file(chips[name], name) for name in SERIES]


def repaired_from(splits: list[SplitFile], options: RepairOptions, leave_event_out: bool = False) -> Repair:
    return repair_splits(splits, chip_table(splits), options, leave_event_out)


def check_apart(splits: tuple[SplitFile, ...], buffer_m: float) -> None:
    """Oracle: no two chips of different splits, of any series, touch or come nearer than the buffer."""
    chips = [c for split in splits for c in split.chips]
    boxes = np.array([shapely.box(*c.bounds) for c in chips])
    codes = np.array([SPLIT_NAMES.index(c.split) for c in chips])
    for code in range(3):
        others = shapely.STRtree(boxes[codes > code])
        if (codes > code).any() and (codes == code).any():
            _, distances = others.query_nearest(boxes[codes == code], return_distance=True)
            assert distances.min() > 5.0
            assert distances.min() >= buffer_m - 1e-3


@given(
    seed=st.integers(0, 2**32 - 1),
    buffer_m=st.sampled_from([0.0, 100.0, 1280.0, 2000.0]),
    block_m=st.sampled_from([2600.0, 5000.0, 10_000.0]),
    leave_event_out=st.booleans(),
)
@settings(max_examples=15, deadline=None)
def test_a_repaired_split_is_clean(seed: int, buffer_m: float, block_m: float, leave_event_out: bool) -> None:
    splits = messy_splits(np.random.default_rng(seed), clusters=7, faults=True)
    options = RepairOptions(buffer_m=buffer_m, block_m=block_m)
    try:
        repaired = repaired_from(splits, options, leave_event_out)
    except SplitError:
        reject()
    again = audit_splits(repaired.splits, leave_event_out).findings
    allowed = {FindingKind.LOW_QUALITY, FindingKind.IMBALANCE, FindingKind.NO_POSITIVES}
    allowed |= set() if leave_event_out else {FindingKind.EVENT_SHARED}
    assert {f.kind for f in again} <= allowed
    assert not [f for f in again if f.severity is Severity.LEAK]
    assert not [f for f in again if f.kind is FindingKind.LOW_QUALITY and f.split_a == "test"]
    check_apart(repaired.splits, buffer_m)
    check_from(repaired, splits)


def check_from(repaired: Repair, splits: list[SplitFile]) -> None:
    """Every chip comes from the split before, changed in its split only; each dropped one has a reason."""
    for before, after in zip(splits, repaired.splits, strict=True):
        known = [c.model_dump(exclude={"split"}) for c in before.chips]
        assert all(c.model_dump(exclude={"split"}) in known for c in after.chips)
    kept = sum(len(split.chips) for split in repaired.splits)
    assert kept + sum(repaired.reasons.values()) == sum(len(split.chips) for split in splits)


def test_a_place_has_one_split_in_every_series() -> None:
    splits = messy_splits(np.random.default_rng(3), clusters=16, faults=False)
    repaired = repaired_from(splits, RepairOptions())
    up, down = ({c.id: c.split for c in split.chips} for split in repaired.splits)
    assert up == down
    assert len(up) > 100


def test_proportions_of_chips_and_landslides_stay() -> None:
    splits = messy_splits(np.random.default_rng(4), clusters=48, faults=False)
    repaired = repaired_from(splits, RepairOptions())
    kept = [c for split in repaired.splits for c in split.chips]
    for name, share in zip(SPLIT_NAMES, (0.6, 0.2, 0.2), strict=True):
        own = [c for c in kept if c.split == name]
        assert len(own) / len(kept) == pytest.approx(share, abs=0.04)
        px = sum(c.landslide_px or 0 for c in own) / sum(c.landslide_px or 0 for c in kept)
        assert px == pytest.approx(share, abs=0.04)
    assert len(kept) > 0.8 * sum(len(split.chips) for split in splits)


def test_the_seed_decides() -> None:
    splits = messy_splits(np.random.default_rng(5), clusters=12, faults=False)
    first, again, other = (repaired_from(splits, RepairOptions(seed=seed)) for seed in (1, 1, 2))
    assert first.splits == again.splits
    assert [c.split for c in first.splits[0].chips] != [c.split for c in other.splits[0].chips]


def test_a_repaired_file_says_how_it_was_made() -> None:
    splits = messy_splits(np.random.default_rng(6), clusters=8, faults=False)
    repaired = repaired_from(splits, RepairOptions(buffer_m=500, block_m=9000, seed=7)).splits[0]
    assert (repaired.name, repaired.seed) == ("up repaired", 7)
    assert repaired.made == {
        "method": "headscarp audit --repair blocks", "buffer_m": 500, "block_m": 9000, "repaired_from": "up",
    }  # fmt: skip


def test_what_was_clean_and_far_apart_stays_as_it_was() -> None:
    chips = [chip(f"c{i}", SPLIT_NAMES[i % 3], 3e5 + 20_000 * i, 5e6, event="e") for i in range(15)]
    repaired = repaired_from([split_file(chips)], RepairOptions())
    assert repaired.splits[0].chips == tuple(chips)
    assert sum(repaired.reasons.values()) == 0


def test_a_split_that_there_was_not_is_not_made_up() -> None:
    chips = [c.model_copy(update={"split": "train"}) if c.split == "validation" else c
             for c in messy_splits(np.random.default_rng(8), clusters=9, faults=False)[0].chips]  # fmt: skip
    repaired = repaired_from([split_file(chips)], RepairOptions())
    assert {c.split for c in repaired.splits[0].chips} == {"train", "test"}


@pytest.mark.parametrize("leave_event_out", [True, False])
def test_ground_that_is_too_small_is_refused(leave_event_out: bool) -> None:
    chips = [chip(f"c{i}", SPLIT_NAMES[i % 3], 4e5 + i * SIDE_M, 5e6, event="e") for i in range(6)]
    with pytest.raises(SplitError, match="block-m"):
        repaired_from([split_file(chips)], RepairOptions(), leave_event_out)


def test_a_file_that_would_be_left_empty_is_refused() -> None:
    chips = [chip(f"c{i}", SPLIT_NAMES[i % 3], 3e5 + 20_000 * i, 5e6) for i in range(6)]
    repeated = split_file([chips[0].model_copy(update={"bounds": (0.0, 0.0, 1.0, 1.0)})], "second")
    with pytest.raises(SplitError, match="second"):
        repaired_from([split_file(chips), repeated], RepairOptions())


@pytest.mark.parametrize("leave_event_out", [True, False])
def test_the_cost_of_an_assignment_agrees_with_loops(leave_event_out: bool) -> None:
    """Weights: 1 dropped, 2 chips, 1 landslides, 1 events, 0.01 an event's split lost, 0.05 moved."""
    rng = np.random.default_rng(12)
    chips = [c for split in messy_splits(rng, clusters=3, faults=True) for c in split.chips]
    chips = [c for c, bad in zip(chips, repeats(chip_table([split_file(chips)])), strict=True) if not bad]
    table = chip_table([split_file(chips)])
    places = find_places(table, RepairOptions(block_m=2600), leave_event_out=False)
    goal = repair._goal(places, leave_event_out)
    for _ in range(5):
        of_place = rng.integers(0, 3, places.units)[places.unit]
        after = [
            SPLIT_NAMES[of_place[p]] if kept_places(places, of_place)[p] else None for p in places.of_chip
        ]
        expected = naive_cost(chips, after, leave_event_out)
        assert repair._score(places, goal, of_place) == pytest.approx(expected)


def naive_cost(chips: list[Chip], after: list[str | None], leave_event_out: bool) -> float:
    before = [c.split for c in chips]
    cost = 1.0 * after.count(None) / len(chips)
    cost += 2.0 * half_distance(before, after, [1] * len(chips))
    cost += 1.0 * half_distance(before, after, [c.landslide_px or 0 for c in chips])
    moved = [a is not None and a != b for a, b in zip(after, before, strict=True)]
    cost += 0.05 * sum(moved) / len(chips)
    for event in sorted({c.event for c in chips} - ({c.event for c in chips} if leave_event_out else set())):
        own = [i for i, c in enumerate(chips) if c.event == event]
        old, new = [before[i] for i in own], [after[i] for i in own]
        cost += len(own) / len(chips) * half_distance(old, new, [1] * len(own))
        cost += 0.01 * len(set(old) - set(new))
    return cost


def half_distance(before: Sequence[str], after: Sequence[str | None], weights: Sequence[int]) -> float:
    """Half the sum of the differences between two splits' proportions."""
    total = 0.0
    for name in SPLIT_NAMES:
        shares = []
        for splits in (before, after):
            kept = sum(w for w, s in zip(weights, splits, strict=True) if s is not None)
            own = sum(w for w, s in zip(weights, splits, strict=True) if s == name)
            shares.append(own / kept if kept else 0.0)
        total += abs(shares[0] - shares[1])
    return total / 2


def test_no_single_change_of_a_unit_would_cost_less() -> None:
    splits = messy_splits(np.random.default_rng(13), clusters=6, faults=False)
    places = find_places(chip_table(splits), RepairOptions(), leave_event_out=False)
    goal = repair._goal(places, leave_event_out=False)
    found = repair._search(places, goal, seed=0)
    cost = repair._score(places, goal, found)
    for unit in range(places.units):
        for code in range(3):
            changed = np.where(places.unit == unit, code, found)
            assert repair._score(places, goal, changed) >= cost - repair._ENOUGH


class TestPlaces:
    """Hand-worked rows of chips."""

    def row(self, count: int, step_m: float = SIDE_M, **more: object) -> list[Chip]:
        return [chip(f"c{i}", "train", 4e5 + i * step_m, 5e6, event="e", **more) for i in range(count)]

    def places(self, chips: list[Chip], buffer_m: float, block_m: float) -> Places:
        options = RepairOptions(buffer_m=buffer_m, block_m=block_m)
        return find_places(chip_table([split_file(chips)]), options, leave_event_out=False)

    def test_a_component_that_fits_stays_whole(self) -> None:
        """Nine chips are 11 520 m long; longer rows are cut by where their chips' centres lie."""
        assert self.places(self.row(9), 0, 11_520).unit.tolist() == [0] * 9
        assert self.places(self.row(9), 0, 10_880).units == 2
        cut = self.places(self.row(12), 0, 11_520).unit.tolist()
        assert cut == [cut[0]] * 9 + [cut[-1]] * 3
        assert cut[0] != cut[-1]

    def test_conflicts_reach_as_far_as_the_buffer(self) -> None:
        """A row of chips whose gaps are 1280 m, cut into single chips: who is nearer than the buffer?"""
        chips = self.row(4, step_m=2 * SIDE_M)
        next_to, all_but_ends = [(0, 1), (1, 2), (2, 3)], [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)]
        for buffer_m, expected in ((1280, []), (1281, next_to), (3840, next_to), (3841, all_but_ends)):
            conflicts = self.places(chips, buffer_m, block_m=1.0).conflicts
            assert list(zip(*conflicts, strict=True)) == expected
        touching = self.places(self.row(3, step_m=SIDE_M + 5), 0, block_m=1.0)
        assert list(zip(*touching.conflicts, strict=True)) == [(0, 1), (1, 2)]
        assert len(self.places(self.row(3, step_m=SIDE_M + 5.1), 0, block_m=1.0).conflicts.first) == 0

    def test_repeats(self) -> None:
        chips = [
            chip("a", "train", 4e5, 5e6, content_sha256="x"),
            chip("a", "test", 4e5, 5e6, content_sha256="x"),
            chip("b", "test", 5e5, 5e6, content_sha256="x"),
            chip("a", "test", 4e5, 5e6, content_sha256="x", series="other"),
            chip("c", "test", 6e5, 5e6),
            chip("d", "test", 6.5e5, 5e6),
        ]
        assert repeats(chip_table([split_file(chips)])).tolist() == [False, True, True, False, False, False]

    def test_chips_are_counted_by_their_original_split(self) -> None:
        chips = [
            chip("a", "train", 4e5, 5e6, series="up", landslide_px=5),
            chip("a", "test", 4e5, 5e6, series="down", landslide_px=7),
            chip("b", "test", 5e5, 5e6, series="up", landslide_px=None),
        ]
        places = self.places(chips, 0, 1000)
        assert places.of_chip.tolist() == [0, 0, 1]
        assert places.chips.tolist() == [[1, 0, 1], [0, 0, 1]]
        assert places.landslide_px.tolist() == [[5, 0, 7], [0, 0, 0]]


class TestDropping:
    """Who gives way to whom."""

    def kept(
        self, splits: list[int], conflicts: list[tuple[int, int]], bad: tuple[int, ...] = ()
    ) -> list[bool]:
        count = len(splits)
        pairs = np.array(conflicts, dtype=np.int64).reshape(-1, 2)
        places = Places(
            of_chip=np.arange(count), chips=np.ones((count, 3)), landslide_px=np.ones((count, 3)),
            event=np.zeros(count, np.int64), low_quality=np.isin(np.arange(count), bad),
            conflicts=Pairs(pairs[:, 0], pairs[:, 1]), unit=np.arange(count),
        )  # fmt: skip
        return kept_places(places, np.array(splits)).tolist()

    def test_training_gives_way_to_both_and_validation_to_the_test(self) -> None:
        assert self.kept([TRAIN, TEST], [(0, 1)]) == [False, True]
        assert self.kept([TEST, VALIDATION], [(0, 1)]) == [True, False]
        assert self.kept([VALIDATION, TRAIN], [(0, 1)]) == [True, False]
        assert self.kept([TEST, TEST], [(0, 1)]) == [True, True]

    def test_training_stays_beside_validation_that_is_gone(self) -> None:
        assert self.kept([TRAIN, VALIDATION, TEST], [(0, 1), (1, 2)]) == [True, False, True]

    def test_nobody_gives_way_to_a_low_quality_test_chip(self) -> None:
        assert self.kept([TRAIN, TEST], [(0, 1)], bad=(1,)) == [True, False]
        assert self.kept([VALIDATION, TRAIN], [], bad=(0, 1)) == [True, True]


def test_costs_are_counted_by_hand() -> None:
    chips = [
        chip("a", "train", 4e5, 5e6, event="e", landslide_px=1),
        chip("b", "train", 5e5, 5e6, event="e", landslide_px=10),
        chip("c", "test", 6e5, 5e6, event="f", landslide_px=100),
        chip("d", "test", 6.5e5, 5e6, event="f", landslide_px=1000),
    ]
    after = np.array([TRAIN, TEST, -1, TRAIN])
    told = {
        (c.split or c.event): (c.before, c.stayed, c.moved, c.dropped, c.after, c.landslide_px_before,
                               c.landslide_px_after)
        for c in repair_costs(chip_table([split_file(chips)]), after)
    }  # fmt: skip
    assert told == {
        None: (4, 1, 2, 1, 3, 1111, 1011),
        "train": (2, 1, 1, 0, 2, 11, 1001),
        "validation": (0, 0, 0, 0, 0, 0, 0),
        "test": (2, 0, 1, 1, 1, 1100, 10),
        "e": (2, 1, 1, 0, 2, 11, 11),
        "f": (2, 0, 1, 1, 1, 1100, 1000),
    }
