"""What a reader must know before trusting the map, in plain sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headscarp.detect.protocol import Detector, TrainedDetector
from headscarp.event import SEASON_GAP_DAYS, season_gap_days
from headscarp.pipeline.map.detect import Sums
from headscarp.pipeline.map.plan import Plan
from headscarp.record import OrbitRecord
from headscarp.scene import polarizations_of
from headscarp.vocabulary import OrbitState, Role

FEW_POST_DATES = 2
UNEVEN_SHARE = 0.95
"""Share of the observed ground below which orbits are said to cover it unevenly."""


def notes_of(plan: Plan, sums: Sums, orbits: Sequence[OrbitRecord], pseudo_problem: str) -> Iterator[str]:
    """Losses and doubts, in plain sentences, the gravest first.

    Parameters
    ----------
    plan : Plan
    sums : Sums
        Areas of the map.
    orbits : sequence of OrbitRecord
    pseudo_problem : str
        Why the pseudo-event could not be fitted; empty where it could.
    """
    yield from plan.event.conflicts
    states = {orbit.orbit_state for orbit in orbits}
    if len(states) == 1:
        only = next(iter(states))
        other = next(state for state in OrbitState if state is not only)
        yield (
            f"Only {only.value} passes: slopes that they see in layover or shadow were not seen at "
            f"all, and no {other.value} pass confirms what was found."
        )
    yield from _note_polarization(
        sorted({pol for label in plan.splits for pol in polarizations_of(plan.stacks[label])})
    )
    yield from _note_dates(orbits)
    share = sums.all_orbits / sums.observed if sums.observed else 1.0
    if len(orbits) > 1 and share < UNEVEN_SHARE:
        yield (
            f"Uneven coverage: all {len(orbits)} orbits observed {share:.0%} of the observed "
            "ground; see observations.tif for the rest."
        )
    yield from _note_gaps(plan)
    if plan.options.terrain.dem is None:
        yield "No DEM was given: no slope limit, no water mask, no hillshade, no slope per landslide."
    if pseudo_problem or plan.pseudo is None:
        yield f"False alarms were not measured. {pseudo_problem or plan.pseudo_note}"


def notes_of_detector(plan: Plan, detector: Detector) -> Iterator[str]:
    """What a trained detector's map lacks, and where the stack differs from its training; else nothing."""
    if not isinstance(detector, TrainedDetector):
        return
    yield detector.about
    yield from detector.notes
    if plan.steps:
        yield (
            "How the map firmed up pass by pass was not worked out: a network's answer to fewer dates "
            "would cost as much again for each step. Map with --as-of to see one."
        )


def _note_polarization(polarizations: Sequence[str]) -> Iterator[str]:
    if len(polarizations) == 1:
        yield (
            f"Only {polarizations[0]} was given: a second polarisation would lower the noise and "
            "tell loss of vegetation from change of moisture."
        )


def _note_dates(orbits: Sequence[OrbitRecord]) -> Iterator[str]:
    for orbit in orbits:
        if len(orbit.post_utc) < FEW_POST_DATES:
            yield (
                f"{orbit.label}: a single date after the event, so speckle weighs fully; the next "
                "pass will sharpen the map."
            )
        gap = season_gap_days(orbit.pre_utc, orbit.post_utc)
        if gap > SEASON_GAP_DAYS:
            yield (
                f"{orbit.label}: dates before and after lie {gap:.0f} days of the year apart; crops, "
                "leaves and snow change between seasons. A pre-event window in the season of the "
                "post-event one avoids this (--pre)."
            )


def _note_gaps(plan: Plan) -> Iterator[str]:
    """Dates whose files leave out ground that other dates of the orbit cover."""
    for label in plan.splits:
        counts = {
            len(scene.files)
            for role in (Role.PRE_EVENT, Role.POST_EVENT)
            for scene in plan.scenes_of(label, role)
        }
        if len(counts) > 1:
            yield (
                f"{label}: dates have between {min(counts)} and {max(counts)} files, so some ground "
                "was observed on fewer dates; see observations.tif."
            )
    unknown = [label for label in plan.splits if label in set(OrbitState)]
    if unknown and plan.options.change.pooling == "relative_orbit":
        yield (
            f"The relative orbit of {' and '.join(unknown)} scenes is not known: tracks of that "
            "state, if there are several, were pooled."
        )
