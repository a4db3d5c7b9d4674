"""Faults planted in clean splits are found, all of them and nothing else."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headscarp.audit.findings import (
    Finding,
    FindingKind,
    Severity,
    chips_near,
    find_all,
    landslide_share,
    leaking_tests,
    near_across_splits,
)
from headscarp.audit.run import audit_splits
from headscarp.audit.table import chip_table
from headscarp.audit.totals import count_kinds, shared_records, verdict
from headscarp.split import Chip
from tests.audit.made_splits import (
    FAULTS,
    SIDE_M,
    Planter,
    chip,
    clean_chips,
    split_file,
    told,
)


def findings_of(chips: list[Chip], leave_event_out: bool = False) -> list[Finding]:
    return audit_splits([split_file(chips)], leave_event_out).findings


def test_a_clean_split_has_no_finding() -> None:
    found = findings_of(clean_chips(30))
    assert found == []
    assert verdict(found) == "clean"


@given(st.lists(st.sampled_from(FAULTS), max_size=12), st.integers(0, 2**32 - 1))
@settings(max_examples=120, deadline=None)
def test_planted_faults_are_found_and_no_others(faults: list[str], seed: int) -> None:
    rng = np.random.default_rng(seed)
    clean, planter = clean_chips(24), Planter(rng)
    for fault, place in zip(faults, rng.permutation(len(clean)), strict=False):
        planter.plant(fault, clean[place])
    found = findings_of(planter.chips(clean))
    assert told(found) == planter.expected
    leaks = any(severity == Severity.LEAK for _, severity, _ in planter.expected)
    assert verdict(found) == ("leaks" if leaks else "clean")


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_alone_many_times(fault: str) -> None:
    rng = np.random.default_rng(FAULTS.index(fault))
    clean, planter = clean_chips(60), Planter(rng)
    for base in clean[:40]:
        planter.plant(fault, base)
    assert told(findings_of(planter.chips(clean))) == planter.expected


@pytest.mark.parametrize("seed", range(6))
def test_a_crowd_agrees_with_a_loop_over_all_pairs(seed: int) -> None:
    """Whole metres, so that gaps of exactly half a pixel come up."""
    rng = np.random.default_rng(seed)
    places = rng.integers(0, 12_000, (150, 2)) // (5 if seed % 2 else 1) * (5 if seed % 2 else 1)
    names = ("train", "validation", "test")
    chips = [
        chip(f"c{i}", names[rng.integers(3)], 4e5 + float(x), 5e6 + float(y))
        for i, (x, y) in enumerate(places)
    ]
    expected: Counter = Counter()
    for i, a in enumerate(chips):
        for b in chips[:i]:
            gaps = [max(a.bounds[k] - b.bounds[k + 2], b.bounds[k] - a.bounds[k + 2]) for k in (0, 1)]
            if a.split != b.split and max(gaps) <= 5:
                corner = FindingKind.TOUCH_CORNER if min(gaps) >= -5 else FindingKind.TOUCH_EDGE
                kind = FindingKind.OVERLAP if max(gaps) < -5 else corner
                expected[(kind, frozenset([a.id, b.id]), max(gaps))] += 1
    near = [f for f in findings_of(chips) if f.gap_m is not None]
    assert Counter((f.kind, frozenset([f.chip_a, f.chip_b]), f.gap_m) for f in near) == expected
    assert len(expected) > 200


def test_gap_and_overlap_are_measured() -> None:
    chips = [
        chip("a", "train", 400_000, 5e6),
        chip("b", "test", 400_000 + SIDE_M - 80, 5e6 + 1000),
        chip("c", "test", 400_000 - SIDE_M - 3, 5e6),
    ]
    found = {f.kind: f for f in findings_of(chips)}
    assert (found[FindingKind.OVERLAP].gap_m, found[FindingKind.OVERLAP].overlap_m2) == (-80, 80 * 280)
    assert (found[FindingKind.TOUCH_EDGE].gap_m, found[FindingKind.TOUCH_EDGE].overlap_m2) == (3, 0)


def test_the_tolerance_is_half_a_pixel_of_the_coarser_split() -> None:
    fine = split_file([chip("a", "train", 4e5, 5e6)])
    gap_m = 12.0
    coarse = split_file([chip("b", "test", 4e5 + SIDE_M + gap_m, 5e6)]).model_copy(update={"spacing_m": 30.0})
    assert [f.kind for f in audit_splits([fine, coarse]).findings] == [FindingKind.TOUCH_EDGE]
    same = coarse.model_copy(update={"spacing_m": 20.0})
    assert audit_splits([fine, same]).findings == []


def test_chips_near_are_counted_once_however_many_they_touch() -> None:
    row = [chip(f"c{i}", "test" if i == 1 else "train", 4e5 + i * SIDE_M, 5e6) for i in range(5)]
    table = chip_table([split_file(row)])
    near = near_across_splits(table)
    assert chips_near(table, near).tolist() == [True, True, True, False, False]
    assert leaking_tests(table, near).tolist() == [False, True, False, False, False]


def test_neighbours_in_another_series_are_not_near() -> None:
    chips = [chip("a", "test", 4e5, 5e6, series="up"), chip("b", "train", 4e5 + 700, 5e6, series="down")]
    table = chip_table([split_file(chips)])
    near = near_across_splits(table)
    assert near.kinds == (FindingKind.OVERLAP,)
    assert not chips_near(table, near).any()


def test_a_duplicate_is_linked_to_an_earlier_chip_of_another_split() -> None:
    places = [("a", "train"), ("b", "train"), ("c", "test"), ("d", "train")]
    chips = [
        chip(name, split, 4e5 + 5000 * i, 5e6, content_sha256="same")
        for i, (name, split) in enumerate(places)
    ]
    found = [(f.severity, f.chip_a, f.chip_b) for f in findings_of(chips)]
    assert found == [(Severity.LEAK, "a", "c"), (Severity.LEAK, "c", "d"), (Severity.NOTE, "a", "b")]


def test_one_place_in_two_series_is_no_duplicate_of_itself() -> None:
    same = {"content_sha256": "same"}
    chips = [
        chip("a", "train", 4e5, 5e6, series="up", **same),
        chip("a", "train", 4e5, 5e6, series="down", **same),
        chip("b", "train", 4.1e5, 5e6, series="down", **same),
    ]
    found = [(f.kind, f.chip_a, f.chip_b) for f in findings_of(chips)]
    assert found == [(FindingKind.DUPLICATE_CONTENT, "a", "b")]


@pytest.mark.parametrize(("leave_event_out", "severity"), [(False, Severity.NOTE), (True, Severity.LEAK)])
def test_one_event_in_several_splits(leave_event_out: bool, severity: Severity) -> None:
    chips = [c.model_copy(update={"event": "quake"} if i < 4 else {}) for i, c in enumerate(clean_chips(6))]
    found = findings_of(chips, leave_event_out)
    assert [(f.kind, f.severity, f.event, f.detail) for f in found] == [
        (FindingKind.EVENT_SHARED, severity, "quake", "chips: train 2, validation 1, test 1")
    ]


class TestBalance:
    """Splits without a landslide, and splits unlike training."""

    def test_a_split_without_landslides(self) -> None:
        chips = [
            c.model_copy(update={"landslide_px": 0 if c.split == "test" else 10}) for c in clean_chips(9)
        ]
        found = findings_of(chips)
        assert [(f.kind, f.split_a, f.detail) for f in found] == [
            (FindingKind.NO_POSITIVES, "test", "none of 3 chips shows a landslide")
        ]

    @pytest.mark.parametrize(("px", "count"), [(600, 0), (601, 1), (150, 0), (149, 1)])
    def test_a_share_more_than_twice_or_less_than_half_of_training(self, px: int, count: int) -> None:
        chips = [
            c.model_copy(update={"landslide_px": px if c.split == "validation" else 300})
            for c in clean_chips(9)
        ]
        found = findings_of(chips)
        assert [(f.kind, f.split_a) for f in found] == [(FindingKind.IMBALANCE, "validation")] * count

    def test_what_is_not_known_is_no_finding(self) -> None:
        unknown = [c.model_copy(update={"landslide_px": None, "px": None}) for c in clean_chips(6)]
        assert findings_of(unknown) == []
        table = chip_table([split_file(unknown)])
        assert np.isnan(landslide_share(table, table.split == 0))

    def test_share_is_taken_over_pixels_not_chips(self) -> None:
        small = chip("a", "train", 4e5, 5e6, landslide_px=10, px=100)
        large = chip("b", "train", 4.5e5, 5e6, landslide_px=0, px=900)
        table = chip_table([split_file([small, large])])
        assert landslide_share(table, table.split == 0) == 0.01


def test_low_quality_chips_of_the_test_come_first() -> None:
    chips = [c.model_copy(update={"low_quality": True}) for c in clean_chips(6)]
    found = findings_of(chips)
    assert [f.split_a for f in found] == ["test", "test", "validation", "validation", "train", "train"]
    assert {f.severity for f in found} == {Severity.NOTE}


def test_where_test_chips_are_in_the_other_series() -> None:
    def row(series: str, splits: str) -> list[Chip]:
        names = {"t": "test", "v": "validation", "r": "train"}
        return [
            chip(f"c{i}", names[s], 4e5 + 5000 * i, 5e6, series=series)
            for i, s in enumerate(splits)
            if s != "-"
        ]

    table = chip_table([split_file([*row("up", "ttttr-"), *row("down", "trv-tt")])])
    records = {(r.test_of, r.found_in): r for r in shared_records(table)}
    up = records["up", "down"]
    assert (up.test_chips, up.splits.train, up.splits.validation, up.splits.test) == (3, 1, 1, 1)
    down = records["down", "up"]
    assert (down.test_chips, down.splits.train, down.splits.validation, down.splits.test) == (2, 1, 0, 1)


def test_leaks_come_before_notes_and_kinds_are_counted() -> None:
    chips = [chip(f"c{i}", "test" if i else "train", 4e5 + i * SIDE_M, 5e6) for i in range(2)]
    flagged = [c.model_copy(update={"low_quality": True}) for c in chips]
    table = chip_table([split_file(flagged)])
    found = find_all(table, near_across_splits(table), leave_event_out=False)
    assert [f.severity for f in found] == [Severity.LEAK, Severity.NOTE, Severity.NOTE]
    assert count_kinds(found) == {"low quality": 2, "touching edges": 1}
