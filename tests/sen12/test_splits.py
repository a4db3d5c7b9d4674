"""Official splits on a store, and folds of blocks that leak nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from headscarp.audit.findings import Severity
from headscarp.audit.run import audit_splits
from headscarp.chips.draw import split_places
from headscarp.chips.store import ChipError, ChipFacts, EventFacts, StoreFacts
from headscarp.features.sets import feature_set
from headscarp.ingest.sen12landslides import read_task_splits
from headscarp.pipeline.sen12 import blocked_folds, official_splits
from headscarp.split import Chip, SplitFile

TASK = Path("sen12landslides/tasks/S12LS-LD/harmonized")


def facts_of(chips: list[Chip]) -> StoreFacts:
    """A store of places, without pixels."""
    own = tuple(
        ChipFacts(
            id=chip.id,
            event=chip.event,
            crs=chip.crs,
            bounds=chip.bounds,
            landslide_px=chip.landslide_px or 0,
            ignored_px=0,
            content_sha256=f"sha of {chip.id}",
        )
        for chip in chips
    )
    events = tuple(
        EventFacts(name=name, inputs_sha256="", pre_dates=(1, 1), post_dates=(1, 1))
        for name in sorted({chip.event for chip in chips})
    )
    return StoreFacts(
        headscarp="",
        key="",
        features=feature_set("group1"),
        size_px=128,
        stride_px=128,
        spacing_m=10.0,
        pooling="orbit_state",
        events=events,
        chips=own,
    )


@pytest.fixture(scope="module")
def official(real_data: Path) -> list[SplitFile]:
    return [task.split for task in read_task_splits(real_data / TASK)]


@pytest.fixture(scope="module")
def hokkaido(official: list[SplitFile]) -> StoreFacts:
    return facts_of([chip for chip in official[0].chips if chip.event == "hokkaido"])


def test_official_splits_apply_unchanged(official: list[SplitFile], hokkaido: StoreFacts) -> None:
    found = official_splits(hokkaido, official)
    counts = {name: Counter(chip.split for chip in split.chips) for name, split in found.items()}
    assert counts == {
        "s1asc": {"train": 93, "validation": 22, "test": 29},
        "s1dsc": {"train": 92, "validation": 22, "test": 30},
        "aligned": {"train": 92, "validation": 22, "test": 30},
    }
    for split in found.values():
        places = split_places(hokkaido, split)
        assert sum(map(len, places.values())) == 144
        assert (split.made["left_out"], split.made["missing"]) == (0, 0)
        assert all(chip.content_sha256 == f"sha of {chip.id}" for chip in split.chips)
    members = {chip.id: chip.split for chip in official[0].chips}
    assert all(members[chip.id] == chip.split for chip in found["s1asc"].chips)


def test_what_a_store_has_not_is_counted(official: list[SplitFile], hokkaido: StoreFacts) -> None:
    fewer = hokkaido.model_copy(update={"chips": hokkaido.chips[10:]})
    split = official_splits(fewer, official)["aligned"]
    assert (len(split.chips), split.made["missing"], split.made["left_out"]) == (134, 10, 0)
    short = official[0].model_copy(update={"chips": tuple(c for c in official[0].chips if c.split != "test")})
    left_out = official_splits(hokkaido, [short])["s1asc"]
    assert (len(left_out.chips), left_out.made["left_out"]) == (115, 29)
    assert len(split_places(hokkaido, left_out)["train"]) == 93
    elsewhere = [c for c in official[0].chips if c.event == "italy"]
    with pytest.raises(ChipError, match="none of"):
        official_splits(hokkaido, [official[0].model_copy(update={"chips": tuple(elsewhere)})])


def gap_m(a: Chip, b: Chip) -> float:
    """Distance of two rectangles."""
    across = max(a.bounds[0] - b.bounds[2], b.bounds[0] - a.bounds[2], 0.0)
    along = max(a.bounds[1] - b.bounds[3], b.bounds[1] - a.bounds[3], 0.0)
    return float(np.hypot(across, along))


@pytest.mark.parametrize(("folds", "buffer_m"), [(5, 100.0), (4, 1300.0), (3, 100.0)])
def test_no_test_chip_touches_what_was_learned_from(
    hokkaido: StoreFacts, folds: int, buffer_m: float
) -> None:
    found = blocked_folds(hokkaido, folds, buffer_m=buffer_m)
    tested = Counter(chip.id for split in found for chip in split.chips if chip.split == "test")
    assert tested == {chip.id: 1 for chip in hokkaido.chips}
    for split in found:
        parts = {
            name: [c for c in split.chips if c.split == name] for name in ("train", "validation", "test")
        }
        assert all(parts.values())
        for one, other in (("train", "test"), ("validation", "test"), ("train", "validation")):
            assert min(gap_m(a, b) for a in parts[one] for b in parts[other]) >= buffer_m
        assert split.made["left_out"] == 144 - len(split.chips)
        assert sum(map(len, split_places(hokkaido, split).values())) == len(split.chips)
        assert not [f for f in audit_splits([split]).findings if f.severity is Severity.LEAK]
    assert [f for f in audit_splits([official_like(hokkaido)]).findings if f.severity is Severity.LEAK]


def official_like(facts: StoreFacts) -> SplitFile:
    """Chips dealt one by one: the audit finds leaks there, so that its silence above means something."""
    parts = ("train", "validation", "test")
    chips = tuple(
        Chip(id=c.id, split=parts[i % 3], event=c.event, crs=c.crs, bounds=c.bounds)
        for i, c in enumerate(facts.chips)
    )
    return SplitFile(name="one by one", spacing_m=10.0, chips=chips)


def test_the_next_fold_validates(hokkaido: StoreFacts) -> None:
    found = blocked_folds(hokkaido, 4)
    tests = [{c.id for c in split.chips if c.split == "test"} for split in found]
    for number, split in enumerate(found):
        assert {c.id for c in split.chips if c.split == "validation"} <= tests[(number + 1) % 4]
    assert blocked_folds(hokkaido, 4) == found
    assert blocked_folds(hokkaido, 4, seed=1) != found


def test_folds_that_cannot_be_are_refused(hokkaido: StoreFacts) -> None:
    with pytest.raises(ChipError, match="at least 3 folds"):
        blocked_folds(hokkaido, 2)
    with pytest.raises(ChipError, match="blocks"):
        blocked_folds(hokkaido, 5, block_m=20480.0)
    with pytest.raises(ChipError, match=r"train"):
        blocked_folds(hokkaido, 5, buffer_m=9000.0)
