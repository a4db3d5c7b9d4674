"""The official Sen12Landslides splits: what the README of the data measured, found again, and repaired."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from pyproj import Transformer
from scipy.spatial import cKDTree

from headscarp.audit.cost import repair_costs
from headscarp.audit.findings import FindingKind, Severity
from headscarp.audit.options import AuditOptions, RepairOptions
from headscarp.audit.repair import repair_splits
from headscarp.audit.run import Audit, audit_splits, run_audit
from headscarp.audit.sources import read_sources
from headscarp.audit.totals import series_records, shared_records
from headscarp.split import SplitFile

TASK = Path("sen12landslides/tasks/S12LS-LD/harmonized")


@pytest.fixture(scope="module")
def splits(real_data: Path) -> list[SplitFile]:
    return [source.split for source in read_sources(AuditOptions(splits=(real_data / TASK,)))]


@pytest.fixture(scope="module")
def audit(splits: list[SplitFile]) -> Audit:
    return audit_splits(splits)


def near_by_centres(folder: Path) -> tuple[int, int]:
    """Oracle from the raw files: test patches with a centre of another split within 1285 m in both axes."""
    split_of = {
        entry["id"]: name
        for name, entries in json.loads((folder / "splits.json").read_text()).items()
        for entry in entries
    }
    centres: dict[str, list[tuple[str, float, float]]] = {}
    for feature in json.loads((folder / "patch_locations.geojson").read_text())["features"]:
        p = feature["properties"]
        centres.setdefault(p["crs_original"], []).append((p["patch_id"], p["lon"], p["lat"]))
    leaking = 0
    for crs, rows in centres.items():
        ids, lon, lat = zip(*rows, strict=True)
        xy = np.stack(Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(lon, lat), axis=1)
        around = cKDTree(xy).query_ball_point(xy, 1285.0, p=np.inf)
        for name, places in zip(ids, around, strict=True):
            others = {split_of[ids[place]] for place in places}
            leaking += split_of[name] == "test" and others != {"test"}
    return leaking, sum(name == "test" for name in split_of.values())


@pytest.mark.parametrize(("series", "expected"), [("s1asc", (913, 959)), ("s1dsc", (879, 934))])
def test_test_patches_that_touch_training_or_validation(
    real_data: Path, audit: Audit, series: str, expected: tuple[int, int]
) -> None:
    (record,) = [r for r in series_records(audit.table, audit.near) if (r.series, r.event) == (series, None)]
    assert (record.near.test, record.chips.test) == expected
    assert near_by_centres(real_data / TASK / series) == expected


@pytest.mark.parametrize(("series", "tests"), [("s1asc", 29), ("s1dsc", 30)])
def test_every_hokkaido_test_patch_touches_another_split(audit: Audit, series: str, tests: int) -> None:
    records = series_records(audit.table, audit.near)
    (hokkaido,) = [r for r in records if (r.series, r.event) == (series, "hokkaido")]
    assert (hokkaido.near.test, hokkaido.chips.test) == (tests, tests)


def test_ascending_test_patches_in_descending(audit: Audit) -> None:
    records = {(r.test_of, r.found_in): r for r in shared_records(audit.table)}
    shared = records["s1asc", "s1dsc"]
    assert (shared.test_chips, shared.splits.train, shared.splits.validation) == (888, 540, 154)
    found = Counter(
        frozenset([(f.series_a, f.split_a), (f.series_b, f.split_b)])
        for f in audit.findings
        if f.kind is FindingKind.SERIES_CONFLICT
    )
    assert found[frozenset([("s1asc", "test"), ("s1dsc", "train")])] == 540
    assert found[frozenset([("s1asc", "test"), ("s1dsc", "validation")])] == 154


def test_low_quality_test_patches(audit: Audit) -> None:
    found = Counter((f.series_a, f.split_a) for f in audit.findings if f.kind is FindingKind.LOW_QUALITY)
    assert found["s1asc", "test"] == 213


def test_no_overlap_and_no_duplicate(audit: Audit) -> None:
    """The patches stand on one grid: they touch exactly, and each comes once."""
    kinds = Counter(f.kind for f in audit.findings)
    assert set(kinds) == {
        FindingKind.TOUCH_EDGE, FindingKind.TOUCH_CORNER, FindingKind.SERIES_CONFLICT,
        FindingKind.LOW_QUALITY, FindingKind.EVENT_SHARED,
    }  # fmt: skip
    assert {f.gap_m for f in audit.findings if f.gap_m is not None} == {0.0}


def test_the_sentences_carry_the_numbers(real_data: Path) -> None:
    record = run_audit(AuditOptions(splits=(real_data / TASK / "s1asc",)))
    told = "\n".join(record.statements)
    assert "s1asc: 913 of 959 test chips touch or overlap" in told
    assert "213 of 959 in test" in told
    assert record.verdict == "leaks"
    assert record.inputs[0].low_quality_list is not None


def test_the_repaired_split_is_clean_and_keeps_most(splits: list[SplitFile], audit: Audit) -> None:
    repaired = repair_splits(splits, audit.table, RepairOptions(buffer_m=1280.0))
    again = audit_splits(repaired.splits)
    assert [f for f in again.findings if f.severity is Severity.LEAK] == []
    assert not [f for f in again.findings if f.kind is FindingKind.LOW_QUALITY and f.split_a == "test"]
    for cost in repair_costs(audit.table, repaired.split):
        if cost.event is None and cost.split is None:
            assert cost.after > 0.85 * cost.before
        if cost.split is not None:
            assert cost.after > 0.75 * cost.before
    hokkaido = Counter(c.split for c in repaired.splits[0].chips if c.event == "hokkaido")
    assert set(hokkaido) == {"train", "validation", "test"}
