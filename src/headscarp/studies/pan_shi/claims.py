"""The paper's claims, each measured on the validation areas and judged by one stated rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from headscarp.studies.paired import FigurePath, Gap, gap
from headscarp.studies.pan_shi.results import StudyResults
from headscarp.studies.pan_shi.scores import AVERAGE_PRECISION, F1

Verdict = Literal["holds", "does not hold", "undecided", "not yet"]
RULE = (
    "A comparison **holds** where the 95 % interval of the difference of F1 (at the threshold of the "
    "choosing chips, "
    "on the validation area, paired over blocks of ground, means over seeds) lies wholly above 0 and the "
    "difference "
    "is above 0 for every seed; it **does not hold** where the interval lies wholly below 0 and every seed's "
    "difference is below 0; else it is **undecided**. With one seed the ground alone decides. A claim of "
    "several "
    "comparisons holds if all hold, and does not hold if any does not. A claim of no improvement is the "
    "other way "
    "round: it holds unless the improvement does."
)


class Pair(NamedTuple):
    """Two rows of a comparison: the first is said to be better."""

    better: str
    worse: str


@dataclass(frozen=True)
class Claim:
    """A claim of the paper.

    Attributes
    ----------
    name : str
    quote : str
        What the paper says, and where.
    pairs : tuple of Pair
    improves : bool
        False for a claim that nothing improves.
    """

    name: str
    quote: str
    pairs: tuple[Pair, ...]
    improves: bool = True


FUSED_BY_VISIBILITY = "Visibility"
"""Name of the row of visibility-weighted fusion; the claim waits until a study has one."""
CLAIMS = (
    Claim(
        "Fusing both orbits beats either",
        "“significantly outperforms”: F1 + 5.19 % and + 3.85 % at Hokkaido, + 4.23 % and + 8.82 % in "
        "Papua New "
        "Guinea (abstract, §4, §6)",
        (Pair("Group 1", "Group 2"), Pair("Group 1", "Group 3")),
    ),
    Claim(
        "Time series beat one pair of images",
        "F1 + 6.94 % and + 9.23 %, Group 2 over Group 4 (abstract, §4, §6)",
        (Pair("Group 2", "Group 4"),),
    ),
    Claim(
        "Two polarisations beat one",
        "F1 + 7.46 % and + 2.86 % at Hokkaido, + 6.56 % and + 12.07 % in Papua New Guinea (§4, §6)",
        (Pair("Group 4", "Group 5"), Pair("Group 4", "Group 6")),
    ),
    Claim(
        "DPPA-UNet beats U-Net, U-Net beats SegNet",
        "F1 0.81, 0.77, 0.26 at Hokkaido (Table 3), 0.74, 0.70, 0.69 in Papua New Guinea (Table 4)",
        (Pair("Group 1", "1-UNet"), Pair("1-UNet", "1-SegNet")),
    ),
    Claim(
        "Visibility-based fusion does not significantly improve",
        "“the accuracy of landslide identification did not significantly improve” (§2.1.2, of Ren et "
        "al., 2021)",
        (Pair(FUSED_BY_VISIBILITY, "Group 1"),),
        improves=False,
    ),
)
"""Claims that compare rows."""
FAR_SIDE = (
    "Misses lie on the far side of the line of sight",
    "“missing landslide identification results, especially on the far side of the satellite's line of "
    "sight” (§5.1)",
)
FAR_SIDE_ROWS = {"Group 2": "ascending", "Group 3": "descending"}
"""Rows of one orbit, and its state."""


@dataclass(frozen=True)
class Compared:
    """A comparison on one event.

    Attributes
    ----------
    what : str
    f1, average_precision : Gap or None
        None where it cannot be given yet. For the far side, `f1` holds the difference of recall.
    verdict : str
    seeds : int
        Runs of the same seed.
    """

    what: str
    f1: Gap | None
    average_precision: Gap | None
    verdict: Verdict
    seeds: int


@dataclass(frozen=True)
class Judgement:
    """A claim on one event."""

    claim: str
    quote: str
    event: str
    compared: tuple[Compared, ...]
    verdict: Verdict


def judge(results: StudyResults) -> list[Judgement]:
    """Judge every claim on every event, as far as the cells are done."""
    events = [event.name for event in results.options.events]
    compared = [_judged(claim, event, results) for claim in CLAIMS for event in events]
    far_side = [_far_side(event, results) for event in events]
    return [*compared[: -len(events)], *far_side, *compared[-len(events) :]] if events else []


def verdict_of(found: Gap | None) -> Verdict:
    """Verdict on one comparison, by :data:`RULE`.

    Examples
    --------
    >>> from headscarp.evaluate.intervals import Interval
    >>> verdict_of(Gap(0.1, Interval(0.05, 0.15), (0.08, 0.12)))
    'holds'
    >>> verdict_of(Gap(0.1, Interval(0.05, 0.15), (-0.08, 0.28)))
    'undecided'
    """
    if found is None:
        return "not yet"
    if found.interval is None:
        return "undecided"
    if found.interval.low > 0 and all(value > 0 for value in found.by_seed):
        return "holds"
    if found.interval.high < 0 and all(value < 0 for value in found.by_seed):
        return "does not hold"
    return "undecided"


def verdict_together(verdicts: Sequence[Verdict]) -> Verdict:
    """Verdict on several comparisons.

    Examples
    --------
    >>> verdict_together(["holds", "does not hold"]), verdict_together(["holds", "not yet"])
    ('does not hold', 'not yet')
    """
    order: tuple[Verdict, ...] = ("does not hold", "not yet", "undecided", "holds")
    return min(verdicts, key=order.index)


def _judged(claim: Claim, event: str, results: StudyResults) -> Judgement:
    compared = tuple(_compared(pair, event, results, claim.improves) for pair in claim.pairs)
    verdict = verdict_together([own.verdict for own in compared])
    return Judgement(claim.name, claim.quote, event, compared, verdict)


def _compared(pair: Pair, event: str, results: StudyResults, improves: bool) -> Compared:
    f1, precision = (_gap(pair, event, results, path) for path in (F1, AVERAGE_PRECISION))
    found = verdict_of(f1)
    measured = f1 is not None and f1.interval is not None
    verdict = _no_improvement(found) if measured and not improves else found
    seeds = 0 if f1 is None else len(f1.by_seed)
    return Compared(f"{pair.better} − {pair.worse}", f1, precision, verdict, seeds)


def _no_improvement(improvement: Verdict) -> Verdict:
    return "does not hold" if improvement == "holds" else "holds"


def _gap(pair: Pair, event: str, results: StudyResults, path: FigurePath) -> Gap | None:
    rows = [results.find(event, label) for label in pair]
    if any(row is None or row.judged is None for row in rows):
        return None
    first, second = (row.judged for row in rows if row is not None)
    return None if first is None or second is None else gap(first, second, path)


def recall_path(state: str, facing: str) -> FigurePath:
    """Recall on slopes of a facing relative to the look of an orbit state."""
    return ("strata", f"facing_{state}", facing, "at_threshold", "recall")


def _far_side(event: str, results: StudyResults) -> Judgement:
    compared = tuple(_recalls(event, results))
    return Judgement(*FAR_SIDE, event, compared, verdict_together([own.verdict for own in compared]))


def _recalls(event: str, results: StudyResults) -> Iterator[Compared]:
    """Recall on slopes that face the radar less that on slopes that face away, orbit by orbit."""
    for label, state in FAR_SIDE_ROWS.items():
        row = results.find(event, label)
        judged = None if row is None else row.judged
        toward, away = (recall_path(state, facing) for facing in ("toward", "away"))
        found = None if judged is None else gap(judged, judged, toward, away)
        what = f"{label}: recall on slopes toward the {state} look − away from it"
        yield Compared(what, found, None, verdict_of(found), 0 if found is None else len(found.by_seed))
