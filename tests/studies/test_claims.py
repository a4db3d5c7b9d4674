"""Verdicts by the stated rule, and what the paper's own numbers contradict, worked by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from headscarp.evaluate.intervals import Interval
from headscarp.studies.paired import Gap, Judged
from headscarp.studies.pan_shi.claims import (
    CLAIMS,
    FAR_SIDE,
    FUSED_BY_VISIBILITY,
    Verdict,
    judge,
    recall_path,
    verdict_of,
    verdict_together,
)
from headscarp.studies.pan_shi.contradictions import (
    contradicted_rows,
    f1_table,
    findings,
    increase_percent,
    percentage_table,
)
from headscarp.studies.pan_shi.draw_scores import t_test_p
from headscarp.studies.pan_shi.published import (
    PublishedRow,
    f1_of,
    f1_range,
    iou_of,
    published_event,
    read_published,
)
from headscarp.studies.pan_shi.scores import AVERAGE_PRECISION, F1


@pytest.mark.parametrize(
    ("interval", "by_seed", "expected"),
    [
        (Interval(0.01, 0.2), (0.1, 0.2), "holds"),
        (Interval(0.01, 0.2), (0.1, -0.2), "undecided"),
        (Interval(-0.01, 0.2), (0.1, 0.2), "undecided"),
        (Interval(-0.2, -0.01), (-0.1, -0.2), "does not hold"),
        (Interval(-0.2, -0.01), (-0.1, 0.01), "undecided"),
        (Interval(0.0, 0.2), (0.1,), "undecided"),
        (Interval(0.01, 0.2), (), "holds"),
        (None, (0.1, 0.2), "undecided"),
    ],
)
def test_the_rule(interval: Interval | None, by_seed: tuple[float, ...], expected: Verdict) -> None:
    assert verdict_of(Gap(0.1, interval, by_seed)) == expected


def test_nothing_measured_is_not_yet() -> None:
    assert verdict_of(None) == "not yet"


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["holds", "holds"], "holds"),
        (["holds", "undecided"], "undecided"),
        (["undecided", "not yet"], "not yet"),
        (["does not hold", "not yet"], "does not hold"),
    ],
)
def test_several_comparisons_make_one_verdict(verdicts: list[Verdict], expected: Verdict) -> None:
    assert verdict_together(verdicts) == expected


def fake_results(levels: dict[str, float], recalls: tuple[float, float] = (0.7, 0.3)) -> Any:
    """Rows whose F1 is as given, each draw beside it by a hundredth at most."""

    def row(label: str) -> Any:
        if label not in levels:
            return None
        wobble = np.linspace(-0.01, 0.01, 100)
        values = {F1: levels[label], AVERAGE_PRECISION: levels[label] / 2}
        for state in ("ascending", "descending"):
            values |= {recall_path(state, f): v for f, v in zip(("toward", "away"), recalls, strict=True)}
        figures = {path: np.float64(value) for path, value in values.items()}
        draws = {path: value + wobble for path, value in values.items()}
        return SimpleNamespace(judged=Judged(label, (0, 1), ("g",), (figures,) * 2, (draws,) * 2, 0.95))

    options = SimpleNamespace(events=[SimpleNamespace(name="twin")])
    return SimpleNamespace(options=options, find=lambda event, label: row(label))


LEVELS = {
    "Group 1": 0.6,
    "Group 2": 0.5,
    "Group 3": 0.7,
    "Group 4": 0.4,
    "Group 5": 0.3,
    "Group 6": 0.2,
    "1-UNet": 0.5,
    "1-SegNet": 0.4,
}


def test_each_claim_compares_the_rows_it_names() -> None:
    verdicts = {own.claim: own.verdict for own in judge(fake_results(LEVELS))}
    assert verdicts == {
        CLAIMS[0].name: "does not hold",  # Group 3 is above Group 1
        CLAIMS[1].name: "holds",
        CLAIMS[2].name: "holds",
        CLAIMS[3].name: "holds",
        FAR_SIDE[0]: "holds",
        CLAIMS[4].name: "not yet",
    }


def test_differences_have_the_sign_of_the_claim() -> None:
    first = judge(fake_results(LEVELS))[0]
    gaps = [own.f1.value for own in first.compared if own.f1 is not None]
    assert gaps == pytest.approx([0.1, -0.1])
    precisions = [own.average_precision.value for own in first.compared if own.average_precision is not None]
    assert precisions == pytest.approx([0.05, -0.05])


def test_misses_on_the_near_side_contradict_the_claim() -> None:
    found = {own.claim: own.verdict for own in judge(fake_results(LEVELS, (0.3, 0.7)))}
    assert found[FAR_SIDE[0]] == "does not hold"


@pytest.mark.parametrize(("level", "expected"), [(0.7, "does not hold"), (0.6, "holds"), (0.5, "holds")])
def test_a_claim_of_no_improvement(level: float, expected: str) -> None:
    found = {own.claim: own.verdict for own in judge(fake_results(LEVELS | {FUSED_BY_VISIBILITY: level}))}
    assert found[CLAIMS[4].name] == expected


def test_f1_of_the_papers_tables() -> None:
    """The issue names 0.74 → 0.77, 0.70 → 0.73 and 0.65 → 0.69; code finds three more."""
    events = read_published().events
    assert contradicted_rows(events["hokkaido"]) == {}
    found = contradicted_rows(events["papua_new_guinea"])
    assert {name: found[name] for name in ("Group 1", "1-UNet", "Group 4")} == {
        "Group 1": 0.77,
        "1-UNet": 0.73,
        "Group 4": 0.69,
    }
    assert set(found) == {"Group 1", "1-UNet", "1-SegNet", "Group 3", "Group 4", "Group 5"}


def test_rounding_is_given_its_due() -> None:
    row = PublishedRow(8, 0.1, 16, 0.50, 0.71, 0.58, 0.41)
    low, high = f1_range(row)
    assert low == pytest.approx(2 * 0.495 * 0.705 / 1.2)
    assert high == pytest.approx(2 * 0.505 * 0.715 / 1.22)
    assert f1_of(0.5, 0.71) == pytest.approx(0.5868, abs=1e-4)
    assert iou_of(2 / 3) == pytest.approx(0.5)


def test_the_paper_is_typed_in_right() -> None:
    """Its chips, and sums that the text states."""
    paper = read_published()
    chips = {
        (name, side): getattr(event, f"{side}_px") / paper.chip_px**2
        for name, event in paper.events.items()
        for side in ("training", "validation")
    }
    assert list(chips.values()) == [81, 441, 484, 1764]
    for own in paper.percentages:
        rows = paper.events[own.event].rows
        stated = increase_percent(rows[own.better].f1, rows[own.worse].f1)
        assert stated == pytest.approx(own.percent, abs=0.0051), own
    assert {len(event.rows) for event in paper.events.values()} == {8}


def test_findings_tell_what_the_issue_asks_for() -> None:
    told = " ".join(found.text for found in findings())
    for piece in (
        "0.74 → 0.77",
        "0.65 → 0.69",
        "0.70 → 0.73",
        "VH",
        "6 September 2018",
        "855 km²",
        "7.3 × 10.0 m",
        "does not tell the polarisations from the form",
    ):
        assert piece in told
    tables = f1_table(), percentage_table()
    assert [len(table.rows) for table in tables] == [16, 12]
    assert sum(row[-1] == "contradicted" for row in tables[0].rows) == 6
    increase = next(row for row in tables[1].rows if row[0].endswith("Guinea 2018: Group 2 over Group 4"))
    assert increase[1:5] == ("9.23", "9.23", "6", "2.34")


def test_twins_stand_for_their_events() -> None:
    twin = published_event("papua_new_guinea_twin")
    assert twin is not None
    assert twin.rows["Group 1"].f1 == 0.74
    assert published_event("hokkaidos") is None


def test_the_t_test_is_that_of_scipy() -> None:
    one, other = [0.5, 0.6, 0.75], [0.4, 0.58, 0.6]
    differences = [a - b for a, b in zip(one, other, strict=True)]
    assert t_test_p(differences) == pytest.approx(stats.ttest_rel(one, other).pvalue)
    assert t_test_p([0.1]) is None
    assert t_test_p([0.1, 0.1]) is None
